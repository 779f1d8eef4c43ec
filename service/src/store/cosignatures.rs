//! What witnesses signed of the log, and what they are shown of it.

use audit::{
    checkpoint::{Checkpoint, NoteError},
    tile::TileReader,
    tree::{Hash, root_of},
};
use rusqlite::Row;

use super::{Store, StoreError, micros::Micros, tail::read_tile};
use crate::clock::UtcTime;

/// A checkpoint that a witness signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness's key, in note form.
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
    /// Reads a checkpoint that a key of this log signed, the one in use or one before it; with the note as that key
    /// wrote it.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn read_checkpoint(&self, note: &str) -> Result<(Checkpoint, String), NoteError> {
        self.inner.keys().verify_alone(note)
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

    /// Keeps what a witness signed, in the place of what it signed before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_cosignature(&self, signed: Cosignature) -> Result<(), StoreError> {
        self.move_forward(move |db| {
            let Cosignature { witness, size, at, checkpoint, line } = signed;
            db.prepare_cached("REPLACE INTO cosignature (witness, size, at, checkpoint, line) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute((witness, size, Micros(at), checkpoint, line))?;
            Ok(())
        })
        .await
    }

    /// What each witness signed last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cosignatures(&self) -> Result<Vec<Cosignature>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT * FROM cosignature")?;
            let found = select.query_map([], Cosignature::read)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }
}
