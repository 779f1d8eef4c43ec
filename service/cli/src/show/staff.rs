//! Joiners, movers and leavers, as pages for people and as programs read them. No ID number is in them.

use proto::v1;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    page::{Cell, Page},
    staff::{
        apply::kind_word,
        file::Column,
        plan::{Field, Kind, Plan, Step, in_force},
        review::{Approvable, Left, Waiting},
    },
    text::{self, Text},
};

/// What is to be done, one line for each person who changes.
pub(crate) fn plan(plan: &Plan, now: OffsetDateTime) -> Page {
    let lines = plan.steps.iter().filter(|step| step.is_due()).map(|step| {
        let word = match step.kind {
            Kind::Joiner => text::STAFF_JOINER,
            Kind::Mover => text::STAFF_MOVER,
            Kind::Leaver => text::STAFF_LEAVER,
            Kind::Unchanged => text::STAFF_AS_BEFORE,
        };
        let row = step.row.as_ref().map(|row| row.line.to_string()).unwrap_or_default();
        vec![
            Cell::from(word),
            Cell::from(row),
            Cell::from(step.number()),
            Cell::from(step.name()),
            Cell::Joined(what(step, now)),
        ]
    });
    let headings = [text::STAFF_KIND, text::STAFF_ROW, text::NUMBER, text::LABEL, text::STAFF_WHAT];
    let count = |kind| plan.count(kind).to_string();
    let mut page = Page::titled(text::STAFF_PLAN)
        .row(text::STAFF_JOINERS, count(Kind::Joiner))
        .row(text::STAFF_MOVERS, count(Kind::Mover))
        .row(text::STAFF_LEAVERS, count(Kind::Leaver))
        .row(text::STAFF_UNCHANGED, count(Kind::Unchanged))
        .row(text::STAFF_ENROLMENTS, plan.enrolments().to_string());
    if plan.unsigned() > 0 {
        page = page.row(text::STAFF_UNSIGNED, plan.unsigned().to_string());
    }
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        page = page.table(&headings, lines);
    }
    if plan.steps.iter().any(ends) {
        page = page.note(text::STAFF_NEW_KEY);
    }
    match plan.count(Kind::Leaver) {
        0 => page,
        leavers => {
            let leavers = leavers.to_string();
            page.note(Cell::Filled(text::STAFF_LEAVERS_ADVICE, vec![leavers.clone(), leavers]))
        }
    }
}

/// The same for programs.
pub(crate) fn plan_json(plan: &Plan, now: OffsetDateTime) -> Value {
    let steps = plan.steps.iter().filter(|step| step.is_due()).map(|step| {
        let fields = step
            .fields
            .iter()
            .map(|it| json!({ "field": it.column.name(), "from": it.from, "to": it.to }));
        json!({
            "change": kind_word(step.kind),
            "row": step.row.as_ref().map(|row| row.line),
            "number": step.number(),
            "name": step.name(),
            "role": step.row.as_ref().map(|row| row.role.word()),
            "department": step.row.as_ref().map(|row| row.department.as_str()),
            "identity_id": step.identity.as_ref().map(|it| it.identity_id.as_str()),
            "fields": fields.collect::<Vec<_>>(),
            "revoked": ended(step, now),
            "enrolment": step.request.is_some(),
            "unsigned": step.unsigned,
        })
    });
    json!({
        "joiners": plan.count(Kind::Joiner),
        "movers": plan.count(Kind::Mover),
        "leavers": plan.count(Kind::Leaver),
        "unchanged": plan.count(Kind::Unchanged),
        "enrolments": plan.enrolments(),
        "unsigned": plan.unsigned(),
        "changes": steps.collect::<Vec<_>>(),
    })
}

/// Enrolments that wait, told apart.
pub(crate) fn waiting(title: Text, waiting: &Waiting) -> Page {
    let lines = waiting.approvable.iter().map(|Approvable { enrolment, row, stated }| {
        vec![
            Cell::from(row.line),
            Cell::from(&row.number),
            Cell::from(&row.name),
            role(&stated.role),
            Cell::from(&row.department),
            text::word_of::<v1::CertificateSet>(enrolment.certificates)
                .map_or(Cell::from(""), Cell::from),
        ]
    });
    let headings = [
        text::STAFF_ROW,
        text::NUMBER,
        text::LABEL,
        text::ROLE,
        text::DEPARTMENT,
        text::CERTIFICATE_SET,
    ];
    let count = waiting.approvable.len();
    let mut page = Page::titled(title)
        .row(text::STAFF_APPROVABLE, count.to_string())
        .row(text::STAFF_LEFT_COUNT, waiting.left.len().to_string());
    if count > 0 {
        page = page
            .table(&headings, lines.collect())
            .note(Cell::Filled(text::STAFF_APPROVE_ADVICE, vec![count.to_string()]));
    }
    left(page, &waiting.left)
}

/// Enrolments that are left to wait, below a page.
pub(crate) fn left(page: Page, left: &[(v1::Enrolment, String, Left)]) -> Page {
    let lines: Vec<_> = left
        .iter()
        .map(|(enrolment, number, why)| {
            vec![Cell::from(&enrolment.enrolment_id), Cell::from(number), Cell::from(why.text())]
        })
        .collect();
    if lines.is_empty() {
        return page;
    }
    let headings = [text::ENROLMENT_ID, text::NUMBER, text::WHY];
    page.below(Page::titled(text::STAFF_LEFT).table(&headings, lines))
}

/// The same for programs.
pub(crate) fn waiting_json(waiting: &Waiting) -> Value {
    let approvable = waiting.approvable.iter().map(|it| {
        json!({
            "row": it.row.line, "number": it.row.number,
            "enrolment_id": it.enrolment.enrolment_id, "identity_id": it.enrolment.identity_id,
        })
    });
    let left = waiting.left.iter().map(|(enrolment, number, why)| {
        json!({
            "number": number, "enrolment_id": enrolment.enrolment_id, "reason": why.word(),
        })
    });
    json!({
        "count": waiting.approvable.len(),
        "approvable": approvable.collect::<Vec<_>>(),
        "left": left.collect::<Vec<_>>(),
    })
}

/// Whether certificates in force end with it.
fn ends(step: &Step) -> bool {
    step.kind == Kind::Leaver || step.fields.iter().any(|it| it.column == Column::Role)
}

/// Serial numbers of the certificates that end.
fn ended(step: &Step, now: OffsetDateTime) -> Vec<&str> {
    let identity = step.identity.as_ref().filter(|_| ends(step));
    identity.map(|it| in_force(it, now).map(|it| it.serial.as_str()).collect()).unwrap_or_default()
}

fn what(step: &Step, now: OffsetDateTime) -> Vec<Cell> {
    let mut parts: Vec<Cell> = step.fields.iter().map(field).collect();
    if let (Kind::Joiner, Some(row)) = (step.kind, &step.row) {
        parts.push(role(row.role.word()));
        parts.extend((!row.department.is_empty()).then(|| Cell::from(&row.department)));
    }
    if ends(step) {
        parts.push(Cell::Filled(text::STAFF_ENDS, vec![ended(step, now).len().to_string()]));
    }
    if step.request.is_some() && step.kind != Kind::Unchanged {
        parts.push(Cell::from(text::STAFF_REQUEST));
    }
    if !step.unsigned.is_empty() {
        parts.push(Cell::from(text::STAFF_TO_SIGN));
    }
    parts
}

fn field(field: &Field) -> Cell {
    let label = match field.column {
        Column::Role => text::ROLE,
        Column::Department => text::DEPARTMENT,
        Column::QualifiedUntil => text::QUALIFIED_UNTIL,
        Column::Name | Column::Number | Column::IdNumber => text::LABEL,
    };
    let value = |value: &str| match (field.column, value) {
        (_, "") => Cell::from("-"),
        (Column::Role, word) => role(word),
        (_, text) => Cell::from(text),
    };
    Cell::Changed(label, Box::new([value(&field.from), value(&field.to)]))
}

fn role(word: &str) -> Cell {
    text::word_named::<v1::Role>(word).map_or(Cell::from(word), Cell::from)
}
