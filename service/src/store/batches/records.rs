use card::{layout::Profile, status_list::Listing};
use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use crate::{
    card_life::CardStatus,
    clock::UtcTime,
    likeness::Rule,
    store::{BatchId, CardId, InstitutionId, Likeness, NewCard, Resident, micros::Micros},
    vocabulary::Abandonment,
};

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
    /// What its cards have room for, unless a row says so itself.
    pub profile: Profile,
    /// The key of its rows, sealed.
    pub wrapped_key: Vec<u8>,
    /// The institution's code on cards (发卡机构代码), 22 digits, when that is not on record.
    pub issuer_code: Option<String>,
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
    /// What its cards have room for, unless a row says so itself.
    pub profile: Profile,
    /// The key of its rows, sealed; gone once it is closed.
    pub wrapped_key: Option<Vec<u8>>,
    /// When it was opened.
    pub opened_at: UtcTime,
    /// When it was closed.
    pub closed_at: Option<UtcTime>,
    /// Its signed manifest, once it is closed.
    pub manifest: Option<String>,
    /// Why it was closed before every row was done.
    pub abandoned: Option<Abandonment>,
}

impl Batch {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            institution: row.get("institution")?,
            input_digest: row.get("input_digest")?,
            rows: row.get("row_count")?,
            profile: Profile::named(row.get_ref("profile")?.as_str()?)
                .ok_or(rusqlite::Error::InvalidQuery)?,
            wrapped_key: row.get("wrapped_key")?,
            opened_at: row.get::<_, Micros>("opened_at")?.0,
            closed_at: row.get::<_, Option<Micros>>("closed_at")?.map(|at| at.0),
            manifest: row.get("manifest")?,
            abandoned: row.get("abandoned")?,
        })
    }
}

/// What became of a row so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowState {
    /// It waits for a blank card.
    Waiting,
    /// It waits until staff have told its person apart from others.
    Held,
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
            Self::Held => "held",
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
            "held" => Ok(Self::Held),
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
    /// A card can be made, once nobody looks like its person.
    Good {
        /// Blind index of the ID number.
        id_number_index: [u8; 32],
        /// The row, sealed.
        sealed_row: Vec<u8>,
        /// By what its person is compared with others, as far as that was not decided before.
        likenesses: Vec<Likeness>,
        /// By which of these somebody on record looks like its person.
        alike: Vec<Rule>,
    },
    /// No card is made: `field:CODE,…`.
    Refused(String),
}

/// What came of another look at a row that is held.
pub enum Reviewed {
    /// A card can be made, once nobody of the batch looks like its person.
    Good {
        /// By what its person is compared with others.
        likenesses: Vec<Likeness>,
        /// By which of these somebody on record looks like its person.
        alike: Vec<Rule>,
    },
    /// No card is made: `field:CODE,…`.
    Refused(String),
}

/// Why a row waits no longer for a card.
pub enum Stop {
    /// It is held: `field:CODE,…`.
    Held(String),
    /// It makes no card: `field:CODE,…`.
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
    /// Why it is held or was refused.
    pub reasons: Option<String>,
    /// The chip that is or was written.
    pub factor: Option<[u8; 8]>,
    /// Issuing serial of that chip.
    pub chip_serial: Option<String>,
    /// Its card.
    pub card: Option<CardId>,
    /// How often its chip was begun or gone on with.
    pub sessions: u32,
    /// Digest of what made the card, or of what was done to it so far.
    pub transcript: Option<[u8; 32]>,
}

impl BatchRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get("number")?,
            state: row.get("state")?,
            digest: row.get("digest")?,
            reasons: row.get("reasons")?,
            factor: row.get("factor")?,
            chip_serial: row.get("chip_serial")?,
            card: row.get("card")?,
            sessions: row.get("sessions")?,
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

impl ChipState {
    /// What the list of cards that are not to be served says of a chip that is no card on record: all that
    /// makes it a genuine card may be on it already.
    #[must_use]
    pub fn listing(self) -> Option<Listing> {
        match self {
            Self::Writing => CardStatus::PreIssued.listing(),
            Self::Spoiled => CardStatus::Cancelled.listing(),
            Self::Issued => None,
        }
    }
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
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
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
