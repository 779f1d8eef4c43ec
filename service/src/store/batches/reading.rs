use rusqlite::OptionalExtension as _;

use super::{Batch, BatchChip, BatchRow};
use crate::store::{
    BatchId, CardId, InstitutionId, ResidentId, Store, StoreError, cards::standing,
};

/// Rows with the serials of their chips.
const ROWS: &str =
    "SELECT r.*, c.chip_serial FROM batch_row r LEFT JOIN batch_chip c ON c.factor = r.factor";

impl Store {
    /// The batch of this identifier.
    pub async fn batch(&self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        self.read(move |db| {
            Ok(db
                .prepare_cached("SELECT * FROM batch WHERE id = ?1")?
                .query_row([id], Batch::read)
                .optional()?)
        })
        .await
    }

    /// The rows of a batch that are on record, in order.
    pub async fn batch_rows(&self, id: BatchId) -> Result<Vec<BatchRow>, StoreError> {
        self.read(move |db| {
            let mut select =
                db.prepare_cached(&format!("{ROWS} WHERE r.batch = ?1 ORDER BY r.number"))?;
            let rows = select.query_map([id], BatchRow::read)?.collect::<rusqlite::Result<_>>()?;
            Ok(rows)
        })
        .await
    }

    /// The rows of a batch from one number to another, in order.
    pub async fn batch_rows_between(
        &self,
        id: BatchId,
        first: u32,
        last: u32,
    ) -> Result<Vec<BatchRow>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(&format!(
                "{ROWS} WHERE r.batch = ?1 AND r.number BETWEEN ?2 AND ?3 ORDER BY r.number"
            ))?;
            let rows = select.query_map((id, first, last), BatchRow::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// A row that waits or is written, sealed.
    pub async fn sealed_batch_row(
        &self,
        id: BatchId,
        number: u32,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(move |db| {
            Ok(db
                .prepare_cached(
                    "SELECT sealed_row FROM batch_row WHERE batch = ?1 AND number = ?2",
                )?
                .query_row((id, number), |row| row.get(0))
                .optional()?
                .flatten())
        })
        .await
    }

    /// Chips of a batch that were given up: serial and row.
    pub async fn spoiled_chips(&self, id: BatchId) -> Result<Vec<(String, u32)>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT chip_serial, number FROM batch_chip
                 WHERE batch = ?1 AND state = 'spoiled' ORDER BY number, chip_serial",
            )?;
            let chips = select.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(chips.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The chip with this factor, when a card was begun on it.
    pub async fn batch_chip(&self, factor: [u8; 8]) -> Result<Option<BatchChip>, StoreError> {
        self.read(move |db| {
            Ok(db
                .prepare_cached("SELECT * FROM batch_chip WHERE factor = ?1")?
                .query_row([factor], BatchChip::read)
                .optional()?)
        })
        .await
    }

    /// The institution's code on cards (发卡机构代码), 22 digits, once it has issued any.
    pub async fn issuer_code(&self, id: InstitutionId) -> Result<Option<String>, StoreError> {
        self.read(move |db| {
            Ok(db
                .prepare_cached("SELECT code FROM issuer WHERE institution = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    /// Whether a card stands in the way of the resident's first one.
    pub async fn has_card(&self, resident: ResidentId) -> Result<bool, StoreError> {
        self.read(move |db| Ok(standing(db, resident)?.is_some())).await
    }

    /// The card that the resident has applied for, if there is one.
    pub async fn application(&self, resident: ResidentId) -> Result<Option<CardId>, StoreError> {
        self.read(move |db| {
            Ok(db
                .prepare_cached("SELECT id FROM card WHERE resident = ?1 AND status = 'applied'")?
                .query_row([resident], |row| row.get(0))
                .optional()?)
        })
        .await
    }
}
