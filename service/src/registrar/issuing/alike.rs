//! Rows whose person looks like somebody else: they are held until staff have told the two apart.
//!
//! Staff decide where they always do: by registering the person, or binding the number, with their
//! decision. A row whose person is on record is compared by its numbers alone, and those that are
//! bound to the person were decided about. So there is one place for decisions, and no batch makes
//! a second record of one person unsaid.

use audit::Outcome;
use card::{
    CardOrder,
    batch::{BadField, Row, Why},
};

use super::{
    Caller, Error, Registrar,
    floor::{Floor, Turn},
    reason_word,
    rows::{RowVerdict, row_place},
};
use crate::{
    clock::date_at_desk,
    likeness::Rule,
    numbers::{BoundNumber, NumberKind},
    policy::Act,
    store::{
        BatchRow, Likeness, Receipt, Resident, ResidentId, Reviewed, RowState, RowWords, Stop,
        StoreError,
    },
};

/// Items of DF01: class and number of a document.
const DOCUMENT_CLASS: u16 = 37;
const DOCUMENT_NUMBER: u16 = 38;
/// Rows that are looked at again together.
const GROUP: usize = 64;

/// Reasons that the store finds.
pub(super) const WORDS: RowWords = RowWords { duplicate, alike: held_for };

/// What the register says of the person of a row.
pub(super) enum Judged {
    /// No card is made: why, and whose record says so.
    Refused(BadField, ResidentId),
    /// A card can be made, once nobody looks like the person.
    Good {
        /// By what the person is compared.
        likenesses: Vec<Likeness>,
        /// By which of these somebody on record looks like the person.
        alike: Vec<Rule>,
    },
}

impl Registrar {
    /// What the register says of the person of a row.
    pub(super) async fn judge(&self, floor: &Floor, order: &CardOrder) -> Result<Judged, Error> {
        let index = self.personal.id_number_index(&order.holder.id_number)?;
        let known = self.store.resident_by_index(index).await?;
        if let Some(resident) = &known {
            let mut against = self.stands_against(floor, resident, order)?;
            if against.is_none() && self.store.has_card(resident.id).await? {
                against = Some(("id_number", Why::HasCard));
            }
            if let Some((field, why)) = against {
                let bad = BadField { field: field.to_owned(), why };
                return Ok(Judged::Refused(bad, resident.id));
            }
        }
        let known = known.map(|resident| resident.id);
        let likenesses = self.compared_by(order, known).await?;
        let alike = self.store.alike_on_record(likenesses.clone(), known).await?;
        Ok(Judged::Good { likenesses, alike })
    }

    /// What a resident on record has against being the person of a row.
    pub(super) fn stands_against(
        &self,
        floor: &Floor,
        resident: &Resident,
        order: &CardOrder,
    ) -> Result<Option<(&'static str, Why)>, Error> {
        if resident.institution != floor.institution {
            return Ok(Some(("id_number", Why::RegisteredElsewhere)));
        }
        let name = self.personal.open_resident(resident)?.name;
        Ok((name != order.holder.name.as_str()).then_some(("name", Why::NameDiffers)))
    }

    /// By what the person of a row is compared with others. A number that is bound to the person was
    /// decided about when it was.
    async fn compared_by(
        &self,
        order: &CardOrder,
        known: Option<ResidentId>,
    ) -> Result<Vec<Likeness>, Error> {
        let mut likenesses = Vec::new();
        if known.is_none() {
            let phone = order.contact.phones[0].as_ref().map(card::Phone::as_str);
            let (name, id_number) = (order.holder.name.as_str(), &order.holder.id_number);
            likenesses.extend(self.personal.likenesses(name, id_number, phone)?);
        }
        if let Some(document) = document(order) {
            let digest = self.personal.number_index(&document)?;
            let bound = self.store.residents_by_number(digest).await?;
            if !bound.iter().any(|resident| Some(resident.id) == known) {
                likenesses.push(Likeness { rule: Rule::Number, digest });
            }
        }
        Ok(likenesses)
    }

    /// Stops a row that waits for what came on record since it was handed in: it is held when
    /// somebody looks like its person, and makes no card when the person is registered elsewhere or
    /// has a card. What is told of it then.
    pub(super) async fn stop_if_needed(
        &self,
        caller: &Caller,
        floor: &Floor,
        turn: &Turn,
        order: &CardOrder,
    ) -> Result<Option<(RowVerdict, Receipt)>, Error> {
        let over = order.contact.valid_until < date_at_desk(caller.now);
        let (state, reasons, about) = match self.judge(floor, order).await? {
            // It would be over before its holder has it.
            _ if over => (RowState::Refused, reason_word("valid_until", Why::Past), None),
            Judged::Good { alike, .. } if alike.is_empty() => return Ok(None),
            Judged::Good { alike, .. } => (RowState::Held, held_for(&alike), None),
            Judged::Refused(bad, resident) => {
                (RowState::Refused, reason_word(&bad.field, bad.why), Some(resident))
            }
        };
        let (step, stop) = match state {
            RowState::Held => ("hold", Stop::Held(reasons.clone())),
            _ => ("refuse", Stop::Refused(reasons.clone())),
        };
        let entry = |outcome| {
            let entry = self.entry(caller, Act::CardBatch, outcome);
            let entry = about.iter().fold(entry, |entry, id| entry.about(id.to_string()));
            entry
                .on("batch", floor.batch.to_string())
                .with("step", step)
                .with("row", turn.row.to_string())
                .with("reasons", reasons.as_str())
        };
        let granted = entry(Outcome::Granted);
        let stopped = self.store.record_row_stopped(floor.batch, turn.row, stop, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), stopped).await?;
        turn.done();
        Ok(Some((RowVerdict::stopped(turn.row, state, &reasons), receipt)))
    }

    /// Looks again at the rows of a batch that are held: staff may have decided.
    pub(super) async fn review_held(
        &self,
        caller: &Caller,
        floor: &Floor,
        rows: &[BatchRow],
    ) -> Result<(), Error> {
        let held: Vec<u32> =
            rows.iter().filter(|row| row.state == RowState::Held).map(|row| row.number).collect();
        for group in held.chunks(GROUP) {
            let mut reviewed = Vec::with_capacity(group.len());
            for row in group {
                let order = self.order_of(floor, *row).await?;
                let judged = match self.judge(floor, &order).await? {
                    Judged::Good { likenesses, alike } => Reviewed::Good { likenesses, alike },
                    Judged::Refused(bad, _) => Reviewed::Refused(reason_word(&bad.field, bad.why)),
                };
                reviewed.push((*row, judged));
            }
            let entry = self
                .entry(caller, Act::CardBatch, Outcome::Granted)
                .on("batch", floor.batch.to_string())
                .with("step", "review")
                .with("rows", group.len().to_string());
            match self.store.record_rows_reviewed(floor.batch, reviewed, WORDS, entry).await {
                // Another stream has looked at them meanwhile.
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        if !held.is_empty() {
            let rows = self.store.batch_rows(floor.batch).await?;
            let waiting = rows.iter().filter(|row| row.state == RowState::Waiting);
            floor.add(waiting.map(|row| row.number).filter(|row| held.contains(row)));
        }
        Ok(())
    }

    /// What a row on record orders, as it was good on the day it was handed in.
    pub(super) async fn order_of(&self, floor: &Floor, row: u32) -> Result<CardOrder, Error> {
        let damaged =
            || Error::Internal { what: "a sealed row is not what was written", source: None };
        let sealed = self.store.sealed_batch_row(floor.batch, row).await?;
        let sealed = sealed.ok_or_else(damaged)?;
        let opened = floor.key.open(&row_place(floor.batch, row), &sealed);
        let opened = opened.map_err(|e| Error::internal("opening a row", e))?;
        let row = Row::from_canonical(&opened).ok_or_else(damaged)?;
        row.check(date_at_desk(floor.opened_at), floor.profile).map_err(|_| damaged())
    }
}

/// The document that a row names, when it is of a kind that belongs to one person and its form is
/// known. Passports are taken for those of China: it is residents that have health cards. A
/// household has one book.
fn document(order: &CardOrder) -> Option<BoundNumber> {
    let class = order.value(DOCUMENT_CLASS)?.to_text();
    let (kind, issuer) = match class.as_str() {
        "3" => (NumberKind::Passport, "CHN"),
        "4" => (NumberKind::OfficerCard, ""),
        _ => return None,
    };
    BoundNumber::parse(kind, issuer, &order.value(DOCUMENT_NUMBER)?.to_text()).ok()
}

fn duplicate() -> String {
    reason_word("id_number", Why::Duplicate)
}

/// Why a row is held.
pub(super) fn held_for(alike: &[Rule]) -> String {
    let word = |rule: &Rule| match rule {
        Rule::NameAndBirthDate => reason_word("name", Why::AlikeByBirthDate),
        Rule::NameAndPhone => reason_word("name", Why::AlikeByPhone),
        Rule::Number => reason_word("document_number", Why::NumberShared),
    };
    alike.iter().map(word).collect::<Vec<_>>().join(",")
}
