//! Consents for people: on the screen and on paper.

use proto::v1;

use crate::{
    page::{Cell, Page, timestamp},
    show::{listed, receipt},
    text::{self, Text, word_of},
};

mod page;

pub(crate) use page::page as paper;

/// What a consent says, line by line; what does not apply is left out.
fn rows(consent: &v1::Consent) -> Vec<(Text, Cell)> {
    let classes = consent.classes.iter().filter_map(|class| word_of::<v1::DataClass>(*class));
    let objects = consent.kind == i32::from(v1::ConsentKind::Object);
    let (nobody, every) = (Cell::from(text::NOBODY), Cell::from(text::EVERYBODY));
    let named = |name: &str, id: &str| Cell::from(format!("{name} {id}").trim_start());
    let or = |name: &str, id: &str, other: Cell| match id {
        "" => other,
        id => named(name, id),
    };
    let word = |word: Option<Text>| word.map(Cell::from);
    let time = |at: &Option<prost_types::Timestamp>| timestamp(at.as_ref()).map(Cell::from);
    let given = |id: &str| (!id.is_empty()).then(|| Cell::from(id));
    let lines = [
        (text::CONSENT_KIND, word(word_of::<v1::ConsentKind>(consent.kind))),
        (text::CONSENT_STATE, word(word_of::<v1::ConsentState>(consent.state))),
        (text::RESIDENT_ID, given(&consent.resident_id)),
        (text::PURPOSE, word(word_of::<v1::Purpose>(consent.purpose))),
        (text::CLASSES, Some(Cell::Listed(classes.collect()))),
        (text::GRADE, (consent.grade != 0).then(|| Cell::from(consent.grade))),
        (
            text::RECIPIENT,
            Some(or(
                &consent.recipient_name,
                &consent.recipient_id,
                if objects { nobody } else { every.clone() },
            )),
        ),
        (text::RECIPIENT_PERSON, given(&consent.person_id)),
        (
            text::RECORDS_OF,
            Some(or(&consent.records_institution_name, &consent.records_institution_id, every)),
        ),
        (text::GIVEN_BY_GUARDIAN, given(&consent.guardian_id)),
        (text::GIVEN_AT, time(&consent.given_at)),
        (text::CONSENT_UNTIL, time(&consent.ends_at)),
        (text::WITNESS, given(&consent.witness_id)),
        (text::WITNESSED_AT, time(&consent.witnessed_at)),
        (text::WITHDRAWN_AT, time(&consent.withdrawn_at)),
        (
            text::RECORDED_AT_INSTITUTION,
            Some(named(&consent.institution_name, &consent.institution_id)),
        ),
        (text::BOUND_BY, given(&consent.identity_id)),
        (text::CONSENT_ID, given(&consent.consent_id)),
        (text::POSITION, Some(Cell::from(consent.log_position))),
    ];
    lines.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}

/// A consent on the screen.
pub(crate) fn shown(title: Text, consent: &v1::Consent) -> Page {
    let mut page = Page::titled(title);
    for (label, value) in rows(consent) {
        page = page.row(label, value);
    }
    let page = receipt(page, consent.receipt.as_ref());
    match consent.state == i32::from(v1::ConsentState::AwaitsWitness) {
        true => page.note(text::CONSENT_AWAITS),
        false => page.row(text::SIGNED_RECEIPT, &consent.signed_receipt),
    }
}

/// Consents as a list.
pub(crate) fn list(found: &v1::ListConsentsResponse) -> Page {
    let word = |word: Option<Text>| word.map_or(Cell::from(""), Cell::from);
    let lines = found.consents.iter().map(|consent| {
        vec![
            word(word_of::<v1::ConsentKind>(consent.kind)),
            word(word_of::<v1::ConsentState>(consent.state)),
            word(word_of::<v1::Purpose>(consent.purpose)),
            Cell::from(consent.grade),
            Cell::from(&consent.recipient_id),
            Cell::from(&consent.resident_id),
            Cell::from(timestamp(consent.ends_at.as_ref()).unwrap_or_default()),
            Cell::from(&consent.consent_id),
        ]
    });
    let headings = [
        text::CONSENT_KIND,
        text::CONSENT_STATE,
        text::PURPOSE,
        text::GRADE,
        text::RECIPIENT,
        text::RESIDENT_ID,
        text::CONSENT_UNTIL,
        text::CONSENT_ID,
    ];
    listed(text::CONSENTS, &headings, lines.collect(), &found.next_page_token)
}
