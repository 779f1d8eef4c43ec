//! Batches of cards that are made (批量制卡): their rows, and the chips that cards were begun on.
//!
//! A chip is bound to a row before anything is written on it, and the card is on record in the same
//! transaction that says it is made. So wherever it stops, it is known which row a half-made card
//! belongs to: no row becomes two cards, and none is lost.

mod reading;
mod records;

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _};

use super::{
    BatchId, Obstacle, Receipt, Record, Store, StoreError, Unique,
    cards::{check_has_none, insert_card, issue_applied},
    micros::Micros,
    residents::insert_resident,
};
use crate::clock::UtcTime;

pub use records::{
    Batch, BatchChip, BatchRow, Begun, Checked, ChipState, MadeCard, NewBatch, NewRow, RowState,
};

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

    /// Puts rows of an open batch on record. A row whose person stands in an earlier row is refused
    /// with `duplicate` instead.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the batch is closed, [`StoreError::Duplicate`] when one of the
    /// rows is on record.
    pub async fn record_batch_rows(
        &self,
        batch: BatchId,
        rows: Vec<NewRow>,
        duplicate: String,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            check_open(db, batch)?;
            for row in rows {
                let known = match &row.checked {
                    Checked::Good { id_number_index, .. } => db
                        .prepare_cached(
                            "SELECT 1 FROM batch_row WHERE batch = ?1 AND id_number_index = ?2",
                        )?
                        .exists((batch, id_number_index))?,
                    Checked::Refused(_) => false,
                };
                let (state, index, sealed, reasons) = match row.checked {
                    Checked::Good { id_number_index, sealed_row } if !known => {
                        (RowState::Waiting, Some(id_number_index), Some(sealed_row), None)
                    }
                    Checked::Good { .. } => {
                        (RowState::Refused, None, None, Some(duplicate.clone()))
                    }
                    Checked::Refused(reasons) => (RowState::Refused, None, None, Some(reasons)),
                };
                db.prepare_cached(
                    "INSERT INTO batch_row (batch, number, state, digest, id_number_index, sealed_row, reasons)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute((batch, row.number, state, row.digest, index, sealed, reasons))?;
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
                    "UPDATE batch_row SET state = 'writing', factor = ?3
                     WHERE batch = ?1 AND number = ?2 AND {from}"
                ))?
                .execute((b.batch, b.row, b.factor, b.instead_of))?;
            if changed != 1 {
                return Err(StoreError::Conflict(Obstacle::RowState));
            }
            if let Some(old) = b.instead_of {
                spoil(db, old, b.at)?;
            }
            db.prepare_cached("INSERT INTO batch_chip VALUES (?1, ?2, ?3, ?4, 'writing', ?5)")?
                .execute((b.factor, b.chip_serial, b.batch, b.row, Micros(b.at)))?;
            Ok(())
        })
        .await
    }

    /// Gives a chip up; its row waits for another, or is refused for `reasons`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not being written on this chip.
    pub async fn record_card_spoiled(
        &self,
        (batch, row, factor): (BatchId, u32, [u8; 8]),
        reasons: Option<String>,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let state = if reasons.is_some() { RowState::Refused } else { RowState::Waiting };
            let changed = db
                .prepare_cached(
                    "UPDATE batch_row
                     SET state = ?4, reasons = ?5, factor = NULL,
                         sealed_row = CASE WHEN ?5 IS NULL THEN sealed_row END,
                         id_number_index = CASE WHEN ?5 IS NULL THEN id_number_index END
                     WHERE batch = ?1 AND number = ?2 AND state = 'writing' AND factor = ?3",
                )?
                .execute((batch, row, factor, state, reasons))?;
            if changed != 1 {
                return Err(StoreError::Conflict(Obstacle::RowState));
            }
            spoil(db, factor, at)
        })
        .await
    }

    /// Puts a card that is made on record: its holder if new, the card, and what became of its row,
    /// which forgets the person.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not being written on this chip,
    /// [`StoreError::Duplicate`] when the chip is on record, the holder has an active card, or was
    /// put on record meanwhile.
    pub async fn record_batch_card(
        &self,
        made: MadeCard,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let MadeCard { batch, row, resident, card, applied, transcript } = made;
            let (id, factor, at) = (card.id, card.chip.factor, card.registered_at);
            if let Some((resident, likenesses)) = resident {
                insert_resident(db, resident, &likenesses)?;
            }
            check_has_none(db, card.resident)?;
            match applied {
                true => issue_applied(db, id, card.resident, card.chip, at)?,
                false => insert_card(db, card, None)?,
            }
            let changed = db
                .prepare_cached(
                    "UPDATE batch_row
                     SET state = 'issued', card = ?4, transcript = ?5, sealed_row = NULL
                     WHERE batch = ?1 AND number = ?2 AND state = 'writing' AND factor = ?3",
                )?
                .execute((batch, row, factor, id, transcript))?;
            if changed != 1 {
                return Err(StoreError::Conflict(Obstacle::RowState));
            }
            db.prepare_cached(
                "UPDATE batch_chip SET state = 'issued', changed_at = ?2 WHERE factor = ?1",
            )?
            .execute((factor, Micros(at)))?;
            Ok(())
        })
        .await
    }

    /// Closes a batch with its manifest, and destroys the key of its rows.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is closed, or a row waits or is being written, or is
    /// missing.
    pub async fn record_batch_closed(
        &self,
        batch: BatchId,
        manifest: String,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            check_open(db, batch)?;
            let done: bool = db
                .prepare_cached(
                    "SELECT row_count = (SELECT count(*) FROM batch_row
                                         WHERE batch = ?1 AND state IN ('issued', 'refused'))
                     FROM batch WHERE id = ?1",
                )?
                .query_row([batch], |row| row.get(0))?;
            if !done {
                return Err(StoreError::Conflict(Obstacle::RowState));
            }
            db.prepare_cached(
                "UPDATE batch SET closed_at = ?2, manifest = ?3, wrapped_key = NULL WHERE id = ?1",
            )?
            .execute((batch, Micros(at), manifest))?;
            Ok(())
        })
        .await
    }
}

fn spoil(db: &Connection, factor: [u8; 8], at: UtcTime) -> Result<(), StoreError> {
    db.prepare_cached(
        "UPDATE batch_chip SET state = 'spoiled', changed_at = ?2 WHERE factor = ?1",
    )?
    .execute((factor, Micros(at)))?;
    Ok(())
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
