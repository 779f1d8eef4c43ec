//! Warnings of misuse, as pages for people.

use audit::Entry;
use proto::v1;

use super::{listed, receipt};
use crate::{
    failure::Both,
    page::{Cell, Page, timestamp},
    text::{self, Text, word_of},
};

pub(crate) fn warning(title: Text, warning: &v1::Warning) -> Page {
    let both = |zh: &str, en: &str| Cell::Both(Both::new(zh, en));
    let positions: Vec<_> = warning.evidence.iter().map(u64::to_string).collect();
    let page = Page::titled(title)
        .row(text::WARNING_ID, &warning.warning_id)
        .maybe(text::WARNING_RULE, word_of::<v1::WarningRule>(warning.rule))
        .row(text::WARNING_FOUND, both(&warning.found_zh, &warning.found_en))
        .row(text::WARNING_RULE_SAYS, both(&warning.rule_zh, &warning.rule_en))
        .row(text::IDENTITY_ID, &warning.identity_id)
        .row(text::INSTITUTION_ID, &warning.institution_id)
        .row(text::RESIDENT_ID, &warning.resident_id)
        .row(text::CARD_ID, &warning.card_id)
        .maybe(text::AT, timestamp(warning.at.as_ref()))
        .maybe(text::WARNING_RAISED_AT, timestamp(warning.raised_at.as_ref()))
        .row(text::WARNING_EVIDENCE, positions.join(", "))
        .row(text::POSITION, warning.log_position)
        .maybe(text::WARNING_VERDICT, word_of::<v1::WarningVerdict>(warning.verdict))
        .row(text::WARNING_NOTE, &warning.note)
        .row(text::WARNING_CLOSED_BY, &warning.closed_by)
        .maybe(text::WARNING_CLOSED_AT, timestamp(warning.closed_at.as_ref()));
    let page = receipt(page, warning.receipt.as_ref());
    match warning.entries.is_empty() {
        true => page,
        false => page.below(entries(&warning.entries)),
    }
}

/// What it rests on, a line for each entry.
fn entries(entries: &[v1::AuditEntry]) -> Page {
    let lines = entries.iter().map(|it| {
        let read = Entry::decode(&it.entry).ok();
        let of = |part: fn(Entry) -> Option<String>| {
            Cell::from(read.clone().and_then(part).unwrap_or_default())
        };
        vec![
            Cell::from(it.position),
            of(|entry| Some(entry.at)),
            of(|entry| Some(entry.action)),
            of(|entry| Some(entry.outcome.as_str().to_owned())),
            of(|entry| entry.actor.address),
            of(|entry| entry.resident),
        ]
    });
    let headings = [
        text::POSITION,
        text::AT,
        text::ACTION,
        text::OUTCOME,
        text::SESSION_ADDRESS,
        text::RESIDENT_ID,
    ];
    Page::titled(text::WARNING_ENTRIES).table(&headings, lines.collect())
}

pub(crate) fn warnings(list: &v1::ListWarningsResponse) -> Page {
    let spoken = |word: Option<Text>| word.map_or_else(|| Cell::from(""), Cell::Spoken);
    let line = |it: &v1::Warning| {
        vec![
            Cell::from(timestamp(it.at.as_ref()).unwrap_or_default()),
            spoken(word_of::<v1::WarningRule>(it.rule)),
            Cell::Both(Both::new(&it.found_zh, &it.found_en)),
            Cell::from(&it.identity_id),
            spoken(word_of::<v1::WarningVerdict>(it.verdict)),
            Cell::from(&it.warning_id),
        ]
    };
    let headings = [
        text::AT,
        text::WARNING_RULE,
        text::WARNING_FOUND,
        text::IDENTITY_ID,
        text::WARNING_VERDICT,
        text::WARNING_ID,
    ];
    let lines = list.warnings.iter().map(line).collect();
    listed(text::WARNINGS, &headings, lines, &list.next_page_token)
}

pub(crate) fn warning_again(again: &v1::ReplayWarningResponse) -> Page {
    let title = match (again.same, again.evidence.is_empty()) {
        (true, _) => text::WARNING_SAME,
        (false, false) => text::WARNING_DIFFERS,
        (false, true) => text::WARNING_NOTHING,
    };
    let positions: Vec<_> = again.evidence.iter().map(u64::to_string).collect();
    let page = Page::titled(title);
    let page = match again.evidence.is_empty() {
        true => page,
        false => page
            .row(text::WARNING_FOUND, Cell::Both(Both::new(&again.found_zh, &again.found_en)))
            .row(text::WARNING_EVIDENCE, positions.join(", ")),
    };
    receipt(page, again.receipt.as_ref())
}

pub(crate) fn warning_rules(list: &v1::WarningRulesResponse) -> Page {
    let line = |it: &v1::RuleOfWarnings| {
        vec![
            word_of::<v1::WarningRule>(it.rule).map_or_else(|| Cell::from(""), Cell::Spoken),
            Cell::from(if it.on { text::WARNING_ON } else { text::WARNING_OFF }),
            Cell::Both(Both::new(&it.text_zh, &it.text_en)),
        ]
    };
    let headings = [text::WARNING_RULE, text::STATE, text::WARNING_RULE_SAYS];
    listed(text::WARNING_RULES, &headings, list.rules.iter().map(line).collect(), "")
}
