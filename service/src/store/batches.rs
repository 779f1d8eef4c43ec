//! Batches of cards that are made (批量制卡): their rows, and the chips that cards were begun on.
//!
//! A chip is bound to a row before anything is written on it, and the card is on record in the same
//! transaction that says it is made. So wherever it stops, it is known which row a half-made card
//! belongs to: no row becomes two cards, and none is lost.

mod closing;
mod reading;
mod records;
mod rows;

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _};

use super::{
    BatchId, Obstacle, Receipt, Record, Store, StoreError, Unique,
    cards::{insert_first_card, issue_applied, list_anew},
    look_alikes::settle_look_alikes,
    micros::Micros,
    residents::insert_resident,
};
use crate::{clock::UtcTime, likeness::Rule};

pub use closing::Abandoned;
pub use records::{
    Batch, BatchChip, BatchRow, Begun, Checked, ChipState, MadeCard, NewBatch, NewRow, Reviewed,
    RowState, Stop,
};
pub use rows::RowWords;
pub(super) use rows::refuse_rows_of;

impl Store {
    /// Opens a batch.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when there is one of this identifier.
    pub async fn record_batch_opened(
        &self,
        batch: NewBatch,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let b = batch;
            db.prepare_cached(
                "INSERT INTO batch
                     (id, institution, input_digest, row_count, profile, wrapped_key, opened_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                b.id,
                b.institution,
                b.input_digest,
                b.rows,
                b.profile.name(),
                b.wrapped_key,
                Micros(b.opened_at),
            ))?;
            if let Some(code) = b.issuer_code {
                // Of two that were made at once the first stays.
                db.prepare_cached(
                    "INSERT INTO issuer VALUES (?1, ?2) ON CONFLICT (institution) DO NOTHING",
                )?
                .execute((b.institution, code))?;
            }
            Ok(())
        })
        .await
    }

    /// Binds a chip to a row, before anything is written on it. A row that was begun on another
    /// chip takes leave of it, when that is named.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the batch is closed or the row is in another state,
    /// [`StoreError::Duplicate`] when the chip was begun before, or is on record.
    pub async fn record_card_begun(
        &self,
        begun: Begun,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let b = begun;
            check_open(db, b.batch)?;
            let known = db
                .prepare_cached("SELECT 1 FROM card WHERE chip_serial = ?1")?
                .exists([&b.chip_serial])?;
            if known {
                return Err(StoreError::Duplicate(Unique::ChipSerial));
            }
            let from = match b.instead_of {
                None => "state = 'waiting' AND ?4 IS NULL",
                Some(_) => "state = 'writing' AND factor = ?4",
            };
            let changed = db
                .prepare_cached(&format!(
                    "UPDATE batch_row
                     SET state = 'writing', factor = ?3, sessions = 1, transcript = NULL
                     WHERE batch = ?1 AND number = ?2 AND {from}"
                ))?
                .execute((b.batch, b.row, b.factor, b.instead_of))?;
            one_row(changed)?;
            if let Some(old) = b.instead_of {
                spoil(db, old, b.at)?;
            }
            db.prepare_cached("INSERT INTO batch_chip VALUES (?1, ?2, ?3, ?4, 'writing', ?5)")?
                .execute((b.factor, &b.chip_serial, b.batch, b.row, Micros(b.at)))?;
            list_anew(db, &b.chip_serial)
        })
        .await
    }

    /// Notes that a half-made card is gone on with, before anything is written on it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the batch is closed, or the row is not being written on this
    /// chip.
    pub async fn record_card_resumed(
        &self,
        (batch, row, factor): (BatchId, u32, [u8; 8]),
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            check_open(db, batch)?;
            let changed = db
                .prepare_cached(&format!(
                    "UPDATE batch_row SET sessions = sessions + 1 WHERE {WRITTEN}"
                ))?
                .execute((batch, row, factor))?;
            one_row(changed)
        })
        .await
    }

    /// Keeps the digest of what was done to a card that stopped half made.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not being written on this chip.
    pub async fn record_card_interrupted(
        &self,
        (batch, row, factor): (BatchId, u32, [u8; 8]),
        transcript: [u8; 32],
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let changed = db
                .prepare_cached(&format!("UPDATE batch_row SET transcript = ?4 WHERE {WRITTEN}"))?
                .execute((batch, row, factor, transcript))?;
            one_row(changed)
        })
        .await
    }

    /// Gives a chip up; its row waits for another unless it is stopped.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not being written on this chip.
    pub async fn record_card_spoiled(
        &self,
        (batch, row, factor): (BatchId, u32, [u8; 8]),
        stop: Option<Stop>,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let (state, reasons) = match stop {
                None => (RowState::Waiting, None),
                Some(Stop::Held(reasons)) => (RowState::Held, Some(reasons)),
                Some(Stop::Refused(reasons)) => (RowState::Refused, Some(reasons)),
            };
            let changed = db
                .prepare_cached(&format!(
                    "UPDATE batch_row
                     SET state = ?4, reasons = ?5, factor = NULL, transcript = NULL, sessions = 0,
                         sealed_row = CASE WHEN ?4 <> 'refused' THEN sealed_row END,
                         id_number_index = CASE WHEN ?4 <> 'refused' THEN id_number_index END
                     WHERE {WRITTEN}"
                ))?
                .execute((batch, row, factor, state, reasons))?;
            one_row(changed)?;
            if state == RowState::Refused {
                forget_likeness(db, batch, row)?;
            }
            spoil(db, factor, at)
        })
        .await
    }

    /// Puts a card that is made on record: its holder if new, the card, and what became of its row,
    /// which forgets the person.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not being written on this chip, somebody who came on
    /// record meanwhile looks like the new holder, or the holder's next card can only be a
    /// replacement; [`StoreError::Duplicate`] when the chip is on record, the holder has a card, or
    /// was put on record meanwhile.
    pub async fn record_batch_card(
        &self,
        made: MadeCard,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let MadeCard { batch, row, resident, card, applied, transcript } = made;
            let (id, factor, at) = (card.id, card.chip.factor, card.registered_at);
            if let Some((resident, likenesses)) = resident {
                let id = resident.id;
                insert_resident(db, resident, &likenesses)?;
                settle_look_alikes(db, id, None, None)?;
            }
            match applied {
                true => issue_applied(db, id, card.resident, card.chip, at)?,
                false => insert_first_card(db, card)?,
            }
            let changed = db
                .prepare_cached(
                    "UPDATE batch_row
                     SET state = 'issued', card = ?4, transcript = ?5, sealed_row = NULL
                     WHERE batch = ?1 AND number = ?2 AND state = 'writing' AND factor = ?3",
                )?
                .execute((batch, row, factor, id, transcript))?;
            one_row(changed)?;
            // The person is on record, and compared as such; numbers of rows are not.
            db.prepare_cached(
                "DELETE FROM batch_likeness WHERE batch = ?1 AND number = ?2 AND rule <> ?3",
            )?
            .execute((batch, row, Rule::Number))?;
            db.prepare_cached(
                "UPDATE batch_chip SET state = 'issued', changed_at = ?2 WHERE factor = ?1",
            )?
            .execute((factor, Micros(at)))?;
            Ok(())
        })
        .await
    }
}

/// A row that is being written on a chip.
const WRITTEN: &str = "batch = ?1 AND number = ?2 AND state = 'writing' AND factor = ?3";

fn one_row(changed: usize) -> Result<(), StoreError> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Conflict(Obstacle::RowState)),
    }
}

/// The row makes no card, or is looked at again: nothing is compared with it as it was.
fn forget_likeness(db: &Connection, batch: BatchId, row: u32) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM batch_likeness WHERE batch = ?1 AND number = ?2")?
        .execute((batch, row))?;
    Ok(())
}

fn spoil(db: &Connection, factor: [u8; 8], at: UtcTime) -> Result<(), StoreError> {
    let serial: String = db
        .prepare_cached(
            "UPDATE batch_chip SET state = 'spoiled', changed_at = ?2 WHERE factor = ?1
             RETURNING chip_serial",
        )?
        .query_row((factor, Micros(at)), |row| row.get(0))?;
    list_anew(db, &serial)
}

/// Within a fact: the batch is there, and open.
fn check_open(db: &Connection, batch: BatchId) -> Result<(), StoreError> {
    let open: Option<bool> = db
        .prepare_cached("SELECT closed_at IS NULL FROM batch WHERE id = ?1")?
        .query_row([batch], |row| row.get(0))
        .optional()?;
    match open {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::Conflict(Obstacle::BatchClosed)),
        None => Err(StoreError::NotFound(Record::Batch)),
    }
}
