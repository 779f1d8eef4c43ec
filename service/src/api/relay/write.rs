//! Changes of a card, as messages.

use card::{
    Changes,
    write::{BadChange, Effect, VisitKind, Written},
};
use proto::v1;

use super::super::convert::{id, receipt};
use crate::{
    catalogue::Needs,
    registrar::{Error, WritableCard, WriteOrder, WriteOutcome},
    store::Receipt,
};

/// Most items that are changed at once.
const MOST_ITEMS: usize = 100;
/// Most items of one record: an outpatient record has 172.
const MOST_RECORD_ITEMS: usize = 200;

/// Why changes are not acceptable, and of which item. Values are not told.
pub(super) struct Refused {
    pub(super) error: Error,
    /// Item and what is wrong with it.
    pub(super) detail: String,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, detail: String::new() }
    }
}

impl From<BadChange> for Refused {
    fn from(bad: BadChange) -> Self {
        let mut detail = bad.to_string();
        if let BadChange::CannotSet(why) = &bad {
            let why =
                why.why.map_or_else(|| "no such item there".to_owned(), |why| why.to_string());
            detail = format!("{detail}: {why}");
        }
        Self { error: wrong(), detail }
    }
}

fn wrong() -> Error {
    Error::Field { field: "changes", needs: Needs::CardChanges }
}

/// What is to be changed.
pub(super) fn order(message: &v1::CardChanges) -> Result<WriteOrder, Refused> {
    if message.items.len() > MOST_ITEMS {
        return Err(wrong().into());
    }
    let mut changes = Changes::new();
    for change in &message.items {
        changes.set(item(change)?, &change.value)?;
    }
    for record in &message.records {
        let file = record.file.parse().map_err(|_| wrong())?;
        changes.append(file, items(&record.items)?)?;
    }
    for visit in &message.visits {
        let kind = match visit.kind() {
            v1::VisitRecordKind::Inpatient => VisitKind::Inpatient,
            v1::VisitRecordKind::Outpatient => VisitKind::Outpatient,
            v1::VisitRecordKind::Unspecified => return Err(wrong().into()),
        };
        changes.visit(kind, items(&visit.items)?)?;
    }
    let visit = match message.visit_id.as_str() {
        "" => None,
        text => Some(id("visit_id", text)?),
    };
    Ok(WriteOrder { changes: changes.some()?, visit })
}

fn item(change: &v1::ItemChange) -> Result<u16, Refused> {
    u16::try_from(change.item).map_err(|_| wrong().into())
}

fn items(changes: &[v1::ItemChange]) -> Result<Vec<(u16, &str)>, Refused> {
    if changes.len() > MOST_RECORD_ITEMS {
        return Err(wrong().into());
    }
    changes.iter().map(|change| Ok((item(change)?, change.value.as_str()))).collect()
}

/// What was written.
pub(super) fn written(
    card: &WritableCard,
    outcome: &WriteOutcome,
    card_microseconds: u64,
    recorded: Receipt,
) -> v1::CardWritten {
    let record = |line: &Written| v1::WrittenRecord {
        file: line.file.to_string(),
        record: line.record.into(),
        changed: line.effect == Effect::Changed,
    };
    v1::CardWritten {
        resident_id: card.resident.to_string(),
        card_id: card.card.to_string(),
        records: outcome.written.iter().map(record).collect(),
        commands: outcome.commands,
        card_microseconds,
        receipt: receipt(recorded),
    }
}
