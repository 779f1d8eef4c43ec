//! Batches of cards that are made (批量制卡): their rows, and the chips that cards were begun on.
//!
//! A chip is bound to a row before anything is written on it, and the card is on record in the same
//! transaction that says it is made. So wherever it stops, it is known which row a half-made card
//! belongs to: no row becomes two cards, and none is lost.

use audit::Entry;
use rusqlite::{
    Connection, OptionalExtension as _, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::{
    BatchId, CardId, InstitutionId, Likeness, NewCard, Obstacle, Receipt, Record, Resident,
    ResidentId, Store, StoreError, Unique,
    cards::{insert_card, issue_applied},
    micros::Micros,
    residents::insert_resident,
};
use crate::clock::UtcTime;

/// How an institution stands on the cards it issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Issuer code (发卡机构代码), 22 digits.
    pub code: String,
    /// Issuer certificate (发卡机构证书).
    pub certificate: Vec<u8>,
}

/// A batch to be opened.
#[derive(Clone)]
pub struct NewBatch {
    /// Its identifier, chosen by the caller.
    pub id: BatchId,
    /// Who issues.
    pub institution: InstitutionId,
    /// Digest of what is handed in.
    pub input_digest: [u8; 32],
    /// How many rows it has.
    pub rows: u32,
    /// The key of its rows, sealed.
    pub wrapped_key: Vec<u8>,
    /// How the institution stands on cards, when that is not on record.
    pub issuer: Option<Issuer>,
    /// When.
    pub opened_at: UtcTime,
}

/// A batch on record.
#[derive(Clone)]
pub struct Batch {
    /// Its identifier.
    pub id: BatchId,
    /// Who issues.
    pub institution: InstitutionId,
    /// Digest of what is handed in.
    pub input_digest: [u8; 32],
    /// How many rows it has.
    pub rows: u32,
    /// The key of its rows, sealed; gone once it is closed.
    pub wrapped_key: Option<Vec<u8>>,
    /// When it was opened.
    pub opened_at: UtcTime,
    /// When it was closed.
    pub closed_at: Option<UtcTime>,
    /// Its signed manifest, once it is closed.
    pub manifest: Option<String>,
}

impl Batch {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            institution: row.get("institution")?,
            input_digest: row.get("input_digest")?,
            rows: row.get("row_count")?,
            wrapped_key: row.get("wrapped_key")?,
            opened_at: row.get::<_, Micros>("opened_at")?.0,
            closed_at: row.get::<_, Option<Micros>>("closed_at")?.map(|at| at.0),
            manifest: row.get("manifest")?,
        })
    }
}

/// What became of a row so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowState {
    /// It waits for a blank card.
    Waiting,
    /// A card was begun for it.
    Writing,
    /// Its card is made.
    Issued,
    /// It makes no card.
    Refused,
}

impl RowState {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Writing => "writing",
            Self::Issued => "issued",
            Self::Refused => "refused",
        }
    }
}

impl ToSql for RowState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for RowState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "waiting" => Ok(Self::Waiting),
            "writing" => Ok(Self::Writing),
            "issued" => Ok(Self::Issued),
            "refused" => Ok(Self::Refused),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A row that was checked, on its way into the store.
pub struct NewRow {
    /// Its number, from 1.
    pub number: u32,
    /// Its keyed digest.
    pub digest: [u8; 32],
    /// What came of the check.
    pub checked: Checked,
}

/// What came of the check of a row.
pub enum Checked {
    /// A card can be made.
    Good {
        /// Blind index of the ID number.
        id_number_index: [u8; 32],
        /// The row, sealed.
        sealed_row: Vec<u8>,
    },
    /// No card is made: `field:CODE,…`.
    Refused(String),
}

/// A row on record.
#[derive(Clone)]
pub struct BatchRow {
    /// Its number, from 1.
    pub number: u32,
    /// What became of it.
    pub state: RowState,
    /// Its keyed digest.
    pub digest: [u8; 32],
    /// Why it was refused.
    pub reasons: Option<String>,
    /// The chip that is or was written.
    pub factor: Option<[u8; 8]>,
    /// Issuing serial of that chip.
    pub chip_serial: Option<String>,
    /// Its card.
    pub card: Option<CardId>,
    /// Digest of what made the card.
    pub transcript: Option<[u8; 32]>,
}

impl BatchRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get("number")?,
            state: row.get("state")?,
            digest: row.get("digest")?,
            reasons: row.get("reasons")?,
            factor: row.get("factor")?,
            chip_serial: row.get("chip_serial")?,
            card: row.get("card")?,
            transcript: row.get("transcript")?,
        })
    }
}

/// What became of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChipState {
    /// A card was begun on it.
    Writing,
    /// It is a card on record.
    Issued,
    /// It was begun and given up.
    Spoiled,
}

impl FromSql for ChipState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "writing" => Ok(Self::Writing),
            "issued" => Ok(Self::Issued),
            "spoiled" => Ok(Self::Spoiled),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A chip that a card was begun on.
#[derive(Clone, Debug)]
pub struct BatchChip {
    /// Its issuing serial.
    pub chip_serial: String,
    /// The batch.
    pub batch: BatchId,
    /// The row it was begun for.
    pub row: u32,
    /// What became of it.
    pub state: ChipState,
}

impl BatchChip {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            chip_serial: row.get("chip_serial")?,
            batch: row.get("batch")?,
            row: row.get("number")?,
            state: row.get("state")?,
        })
    }
}

/// A card that is begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The batch.
    pub batch: BatchId,
    /// The row.
    pub row: u32,
    /// The chip.
    pub factor: [u8; 8],
    /// The chip's issuing serial.
    pub chip_serial: String,
    /// The chip that the row was begun on before, and is given up.
    pub instead_of: Option<[u8; 8]>,
    /// When.
    pub at: UtcTime,
}

/// A card that is made.
pub struct MadeCard {
    /// The batch.
    pub batch: BatchId,
    /// The row.
    pub row: u32,
    /// Its holder, when not on record yet, and by what the holder is compared with those who come
    /// later.
    pub resident: Option<(Resident, Vec<Likeness>)>,
    /// The card as it goes on record; it may be one that was applied for.
    pub card: NewCard,
    /// Whether it was.
    pub applied: bool,
    /// Digest of what made it.
    pub transcript: [u8; 32],
}

/// Rows with the serials of their chips.
const ROWS: &str =
    "SELECT r.*, c.chip_serial FROM batch_row r LEFT JOIN batch_chip c ON c.factor = r.factor";

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
            db.prepare_cached("INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL)")?
                .execute((
                    b.id,
                    b.institution,
                    b.input_digest,
                    b.rows,
                    b.wrapped_key,
                    Micros(b.opened_at),
                ))?;
            if let Some(issuer) = b.issuer {
                // Of two that were made at once the first stays.
                db.prepare_cached(
                    "INSERT INTO issuer VALUES (?1, ?2, ?3) ON CONFLICT (institution) DO NOTHING",
                )?
                .execute((b.institution, issuer.code, issuer.certificate))?;
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
            if has_card(db, card.resident)? {
                return Err(StoreError::Duplicate(Unique::ActiveCard));
            }
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

    /// How an institution stands on cards, once it has issued any.
    pub async fn issuer(&self, id: InstitutionId) -> Result<Option<Issuer>, StoreError> {
        self.read(move |db| {
            Ok(db
                .prepare_cached("SELECT code, certificate FROM issuer WHERE institution = ?1")?
                .query_row([id], |row| Ok(Issuer { code: row.get(0)?, certificate: row.get(1)? }))
                .optional()?)
        })
        .await
    }

    /// Whether the resident has a card that was made and is not cancelled.
    pub async fn has_card(&self, resident: ResidentId) -> Result<bool, StoreError> {
        self.read(move |db| has_card(db, resident)).await
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

fn has_card(db: &Connection, resident: ResidentId) -> Result<bool, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM card WHERE resident = ?1 AND status NOT IN ('applied', 'cancelled')",
        )?
        .exists([resident])?)
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
