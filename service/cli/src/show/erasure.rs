//! Erasures of residents, as pages for people.

use proto::v1::{self, erasure::State};

use super::{listed, receipt};
use crate::{
    page::{Cell, Page, timestamp},
    text::{self, Text, word_of},
};

pub(crate) fn erasure(title: Text, erasure: &v1::Erasure) -> Page {
    Page::titled(title)
        .row(text::ERASURE_ID, &erasure.erasure_id)
        .maybe(text::STATE, word_of::<State>(erasure.state))
        .row(text::RESIDENT_ID, &erasure.resident_id)
        .maybe(text::BASIS, word_of::<v1::ErasureBasis>(erasure.basis))
        .row(text::ERASURE_ORDER, &erasure.order_reference)
        .row(text::ENTERED_BY, &erasure.entered_by)
        .maybe(text::ENTERED_AT, timestamp(erasure.entered_at.as_ref()))
        .maybe(text::EXPIRES_AT, timestamp(erasure.expires_at.as_ref()))
        .row(text::REVIEWED_BY, &erasure.reviewed_by)
        .maybe(text::REVIEWED_AT, timestamp(erasure.reviewed_at.as_ref()))
}

/// What was done, and what is left to do where copies of the database are.
pub(crate) fn erasure_reviewed(reviewed: &v1::ReviewErasureResponse) -> Page {
    let found = reviewed.erasure.clone().unwrap_or_default();
    if found.state() != State::Approved {
        return receipt(erasure(text::ERASURE_REVIEWED, &found), reviewed.receipt.as_ref());
    }
    let mut page = receipt(erasure(text::ERASURE_DONE, &found), reviewed.receipt.as_ref());
    let at = timestamp(found.reviewed_at.as_ref()).unwrap_or_default();
    page = page.note(Cell::Filled(text::ERASURE_COPIES, vec![at]));
    if !reviewed.overwritten {
        page = page.note(text::ERASURE_NOT_OVERWRITTEN);
    }
    if !reviewed.listed {
        page = page.note(text::ERASURE_NOT_LISTED);
    }
    page
}

pub(crate) fn erasures(list: &v1::ErasuresResponse) -> Page {
    let spoken = |word: Option<Text>| word.map_or_else(|| Cell::from(""), Cell::Spoken);
    let line = |it: &v1::Erasure| {
        vec![
            Cell::from(&it.erasure_id),
            spoken(word_of::<State>(it.state)),
            Cell::from(&it.resident_id),
            spoken(word_of::<v1::ErasureBasis>(it.basis)),
            Cell::from(&it.entered_by),
            Cell::from(timestamp(it.expires_at.as_ref()).unwrap_or_default()),
        ]
    };
    let lines = list.erasures.iter().map(line).collect();
    let headings = [
        text::ERASURE_ID,
        text::STATE,
        text::RESIDENT_ID,
        text::BASIS,
        text::ENTERED_BY,
        text::EXPIRES_AT,
    ];
    listed(text::ERASURES, &headings, lines, &list.next_page_token)
}
