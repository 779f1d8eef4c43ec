//! What witnesses signed of the log, and what they are shown of it.

use audit::{
    checkpoint::{Checkpoint, NoteError},
    tile::TileReader,
    tree::{Hash, root_of},
};
use rusqlite::{Connection, Row};

use super::{Store, StoreError, micros::Micros, tail::read_tile};
use crate::clock::{UtcTime, date_at_desk};

/// The newest of each witness. By the primary key: few rows, and one a day.
const NEWEST: &str = "
    SELECT witness, size, at, checkpoint, line FROM cosignature AS one
    WHERE size = (SELECT max(size) FROM cosignature AS other WHERE other.witness = one.witness)
    ORDER BY witness";

/// A checkpoint that a witness signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness's name.
    pub witness: String,
    /// Size of the log.
    pub size: u64,
    /// When, as the witness says.
    pub at: UtcTime,
    /// The signed note of the log.
    pub checkpoint: String,
    /// The witness's line below it.
    pub line: String,
}

impl Cosignature {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            witness: row.get("witness")?,
            size: row.get("size")?,
            at: row.get::<_, Micros>("at")?.0,
            checkpoint: row.get("checkpoint")?,
            line: row.get("line")?,
        })
    }
}

impl Store {
    /// Reads a checkpoint that a key of this log signed, the one in use or one before it.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn read_checkpoint(&self, note: &str) -> Result<Checkpoint, NoteError> {
        self.inner.keys().verify(note)
    }

    /// The root that the log had at a size.
    ///
    /// # Errors
    /// [`StoreError::OutsideLog`].
    pub async fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        self.check_size(size)?;
        self.read(move |db| {
            let mut tiles = TileReader::new(|id| read_tile(db, id));
            root_of(&mut tiles, size).map_err(|e| StoreError::Damaged(e.to_string()))
        })
        .await
    }

    /// Keeps what a witness signed. Of those before it, the last of each day stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_cosignature(&self, signed: Cosignature) -> Result<(), StoreError> {
        self.move_forward(move |db| Ok(keep(db, &signed)?)).await
    }

    /// The newest cosignature of each witness, by its name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cosignatures(&self) -> Result<Vec<Cosignature>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached(NEWEST)?;
            let found = select.query_map([], Cosignature::read)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn keep(db: &Connection, signed: &Cosignature) -> rusqlite::Result<()> {
    let Cosignature { witness, size, at, checkpoint, line } = signed;
    let day = date_at_desk(*at).to_julian_day();
    // What was said of one size earlier is not put in the place of what was said later.
    db.prepare_cached(
        "INSERT INTO cosignature (witness, size, at, day, checkpoint, line) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (witness, size) DO UPDATE
         SET at = excluded.at, day = excluded.day, checkpoint = excluded.checkpoint, line = excluded.line
         WHERE excluded.at > at",
    )?
    .execute((witness, size, Micros(*at), day, checkpoint, line))?;
    db.prepare_cached(
        "DELETE FROM cosignature WHERE witness = ?1 AND day = ?2
         AND size < (SELECT max(size) FROM cosignature WHERE witness = ?1 AND day = ?2)",
    )?
    .execute((witness, day))?;
    Ok(())
}
