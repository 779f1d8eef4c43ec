//! Enrolments and who stands behind them, as pages for people.

use proto::v1;

use super::listed;
use crate::{
    approval::Approvals,
    page::{Cell, Page, timestamp},
    text::{self, Text, word_of},
};

/// An enrolment whose statements were checked.
pub(crate) fn enrolment(title: Text, enrolment: &v1::Enrolment, approvals: &Approvals) -> Page {
    let given = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let signer = |signed: &Option<v1::SignedStatement>| {
        signed.as_ref().map(|signed| signed.identity_id.clone())
    };
    let entry = &approvals.entry;
    Page::titled(title)
        .row(text::ENROLMENT_ID, &enrolment.enrolment_id)
        .maybe(text::STATE, word_of::<v1::enrolment::State>(enrolment.state))
        .row(text::IDENTITY_ID, &entry.identity)
        .row(text::INSTITUTION_ID, &entry.institution)
        .maybe(text::ROLE, text::word_named::<v1::Role>(&entry.role))
        .maybe(text::CERTIFICATE_SET, word_of::<v1::CertificateSet>(enrolment.certificates))
        .row(text::REQUEST_DIGEST, hex::encode(entry.request))
        .row(text::KEY_DIGEST, hex::encode(entry.key))
        .maybe(text::SERIAL, given(&enrolment.serial))
        .maybe(text::ENTERED_BY, signer(&enrolment.entry))
        .row(text::ENTERED_AT, &entry.at)
        .maybe(text::REVIEWED_BY, signer(&enrolment.review))
        .maybe(text::REVIEWED_AT, approvals.review.as_ref().map(|review| &review.at))
        .maybe(text::WHY, given(&enrolment.rejection))
}

/// What a certificate says about its holder besides the name.
pub(crate) fn identifiers(all: &[v1::CertificateIdentifier]) -> String {
    let lines: Vec<_> = all.iter().map(|it| format!("{}  {}", it.oid, it.text)).collect();
    lines.join("\n")
}

/// Other identities of one person, who is named above.
pub(crate) fn other_identities(others: &[v1::Identity]) -> Page {
    let line = |it: &v1::Identity| {
        vec![
            Cell::from(&it.identity_id),
            Cell::from(&it.institution_id),
            word_of::<v1::Role>(it.role).map_or(Cell::from(""), Cell::from),
        ]
    };
    let headings = [text::IDENTITY_ID, text::INSTITUTION_ID, text::ROLE];
    Page::titled(text::OTHER_IDENTITIES).table(&headings, others.iter().map(line).collect())
}

pub(crate) fn enrolments(list: &v1::ListEnrolmentsResponse) -> Page {
    let line = |enrolment: &v1::Enrolment| {
        let entry = enrolment.entry.clone().unwrap_or_default();
        vec![
            Cell::from(&enrolment.enrolment_id),
            Cell::from(&enrolment.identity_id),
            word_of::<v1::CertificateSet>(enrolment.certificates)
                .map_or(Cell::from(""), Cell::from),
            Cell::from(entry.identity_id),
            Cell::from(timestamp(enrolment.expires_at.as_ref()).unwrap_or_default()),
            Cell::from(&enrolment.rejection),
        ]
    };
    let lines = list.enrolments.iter().map(line).collect();
    let headings = [
        text::ENROLMENT_ID,
        text::IDENTITY_ID,
        text::CERTIFICATE_SET,
        text::ENTERED_BY,
        text::EXPIRES_AT,
        text::WHY,
    ];
    listed(text::ENROLMENTS, &headings, lines, &list.next_page_token)
}
