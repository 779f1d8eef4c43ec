//! Emergency accesses, as pages for people.

use proto::v1;

use super::{listed, receipt};
use crate::{
    page::{Cell, Page, timestamp},
    text::{self, Text, word_of},
};

pub(crate) fn emergency(title: Text, emergency: &v1::Emergency) -> Page {
    let page = Page::titled(title)
        .row(text::EMERGENCY_ID, &emergency.emergency_id)
        .maybe(text::STATE, word_of::<v1::EmergencyState>(emergency.state))
        .row(text::RESIDENT_ID, &emergency.resident_id)
        .row(text::VISIT_ID, &emergency.visit_id)
        .row(text::IDENTITY_ID, &emergency.identity_id)
        .maybe(text::ROLE, word_of::<v1::Role>(emergency.role))
        .row(text::INSTITUTION_ID, &emergency.institution_id)
        .maybe(text::EMERGENCY_REASON, word_of::<v1::EmergencyReason>(emergency.reason))
        .row(text::EMERGENCY_NOTE, &emergency.note)
        .maybe(text::EMERGENCY_BEGAN_AT, timestamp(emergency.begun_at.as_ref()))
        .maybe(text::EMERGENCY_ENDS_AT, timestamp(emergency.ends_at.as_ref()))
        .row(text::EMERGENCY_ENDED_BY, &emergency.ended_by)
        .maybe(text::EMERGENCY_ACCOUNT_DUE, timestamp(emergency.account_due.as_ref()))
        .maybe(text::EMERGENCY_ACCOUNTED_AT, timestamp(emergency.accounted_at.as_ref()))
        .row(text::EMERGENCY_ACCOUNT, &emergency.account)
        .maybe(text::EMERGENCY_FINDING_DUE, timestamp(emergency.finding_due.as_ref()))
        .maybe(text::REVIEWED_AT, timestamp(emergency.reviewed_at.as_ref()))
        .row(text::REVIEWED_BY, &emergency.reviewed_by)
        .maybe(text::EMERGENCY_FINDING, word_of::<v1::EmergencyFinding>(emergency.finding))
        .row(text::EMERGENCY_FINDING_NOTE, &emergency.finding_note)
        .maybe(text::EMERGENCY_TOLD_AT, timestamp(emergency.told_at.as_ref()));
    receipt(page, emergency.receipt.as_ref())
}

pub(crate) fn emergencies(list: &v1::ListEmergenciesResponse) -> Page {
    let spoken = |word: Option<Text>| word.map_or_else(|| Cell::from(""), Cell::Spoken);
    let at = |at: &Option<_>| Cell::from(timestamp(at.as_ref()).unwrap_or_default());
    let line = |it: &v1::Emergency| {
        vec![
            Cell::from(&it.emergency_id),
            spoken(word_of::<v1::EmergencyState>(it.state)),
            spoken(word_of::<v1::EmergencyReason>(it.reason)),
            at(&it.begun_at),
            at(&it.account_due),
            at(&it.finding_due),
        ]
    };
    let headings = [
        text::EMERGENCY_ID,
        text::STATE,
        text::EMERGENCY_REASON,
        text::EMERGENCY_BEGAN_AT,
        text::EMERGENCY_ACCOUNT_DUE,
        text::EMERGENCY_FINDING_DUE,
    ];
    let lines = list.emergencies.iter().map(line).collect();
    listed(text::EMERGENCIES, &headings, lines, &list.next_page_token)
}

/// What a resident is to be told.
pub(super) fn notice(notice: &v1::EmergencyNotice) -> Page {
    // With a code there is its number alone.
    let institution = Some(notice.institution_name.as_str()).filter(|name| !name.is_empty());
    Page::titled(text::EMERGENCY_NOTICE)
        .row(text::EMERGENCY_ID, &notice.emergency_id)
        .maybe(text::ROLE, word_of::<v1::Role>(notice.role))
        .maybe(text::EMERGENCY_INSTITUTION, institution)
        .maybe(text::EMERGENCY_REASON, word_of::<v1::EmergencyReason>(notice.reason))
        .maybe(text::EMERGENCY_BEGAN_AT, timestamp(notice.begun_at.as_ref()))
        .maybe(text::EMERGENCY_ENDS_AT, timestamp(notice.ends_at.as_ref()))
}
