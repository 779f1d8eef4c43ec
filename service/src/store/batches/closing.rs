//! The end of a batch: with every row done, or given up before.

use audit::Entry;
use rusqlite::OptionalExtension as _;

use super::{RowState, check_open, spoil};
use crate::{
    clock::UtcTime,
    store::{BatchId, Obstacle, Receipt, Store, StoreError, micros::Micros},
    vocabulary::Abandonment,
};

/// A batch that is given up before every row is done.
pub struct Abandoned {
    /// The batch.
    pub batch: BatchId,
    /// Why.
    pub why: Abandonment,
    /// The rows that are not done, and what is said of each: `field:CODE,…`.
    pub rows: Vec<(u32, String)>,
    /// How many rows are on record.
    pub on_record: u32,
    /// Its signed manifest.
    pub manifest: String,
    /// When.
    pub at: UtcTime,
}

impl Store {
    /// Closes a batch with its manifest, and destroys the key of its rows.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is closed, or a row waits, is held or being written, or is
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
            db.prepare_cached("DELETE FROM batch_likeness WHERE batch = ?1")?.execute([batch])?;
            db.prepare_cached(
                "UPDATE batch SET closed_at = ?2, manifest = ?3, wrapped_key = NULL WHERE id = ?1",
            )?
            .execute((batch, Micros(at), manifest))?;
            Ok(())
        })
        .await
    }

    /// Closes a batch whose other rows make no card any more: they forget their people, chips that
    /// were begun for them are given up, and the key of the rows is destroyed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is closed, or other rows are undone than were named: what
    /// the manifest says would not be so.
    pub async fn record_batch_abandoned(
        &self,
        order: Abandoned,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let Abandoned { batch, why, rows, on_record, manifest, at } = order;
            check_open(db, batch)?;
            let undone: (u32, u32) = db
                .prepare_cached(
                    "SELECT count(*), count(*) FILTER (WHERE state NOT IN ('issued', 'refused'))
                     FROM batch_row WHERE batch = ?1",
                )?
                .query_row([batch], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if undone != (on_record, rows.len() as u32) {
                return Err(StoreError::Conflict(Obstacle::RowState));
            }
            let mut begun = db.prepare_cached(
                "SELECT factor FROM batch_chip
                 WHERE batch = ?1 AND number = ?2 AND state = 'writing'",
            )?;
            let mut refuse = db.prepare_cached(
                "UPDATE batch_row
                 SET state = ?3, reasons = ?4, factor = NULL, transcript = NULL, sessions = 0,
                     sealed_row = NULL, id_number_index = NULL
                 WHERE batch = ?1 AND number = ?2 AND state IN ('waiting', 'held', 'writing')",
            )?;
            for (number, reasons) in rows {
                if let Some(factor) =
                    begun.query_row((batch, number), |row| row.get(0)).optional()?
                {
                    spoil(db, factor, at)?;
                }
                if refuse.execute((batch, number, RowState::Refused, reasons))? != 1 {
                    return Err(StoreError::Conflict(Obstacle::RowState));
                }
            }
            db.prepare_cached("DELETE FROM batch_likeness WHERE batch = ?1")?.execute([batch])?;
            db.prepare_cached(
                "UPDATE batch SET closed_at = ?2, manifest = ?3, wrapped_key = NULL, abandoned = ?4
                 WHERE id = ?1",
            )?
            .execute((batch, Micros(at), manifest, why))?;
            Ok(())
        })
        .await
    }
}
