//! What witnesses signed of the log, and what they are shown of it.

use audit::{
    checkpoint::{Checkpoint, NoteError, VerifierKey},
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

    /// The keys of the log, the one in use first, each with the newest checkpoint that is kept and that it signed.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn keys_over_time(&self) -> Result<Vec<(VerifierKey, Option<String>)>, StoreError> {
        let (_, newest) = self.checkpoint();
        let keys = self.inner.keys().all().cloned().collect::<Vec<_>>();
        self.read(move |db| {
            let mut found: Vec<_> = keys.into_iter().map(|key| (key, None)).collect();
            let mut kept = db.prepare("SELECT note FROM checkpoint ORDER BY size DESC")?;
            let kept = kept.query_map([], |row| row.get(0))?;
            for note in std::iter::once(Ok(newest)).chain(kept) {
                let note: String = note?;
                for (key, signed) in found.iter_mut().filter(|(_, signed)| signed.is_none()) {
                    if Checkpoint::verify(&note, key).is_ok() {
                        *signed = Some(note.clone());
                    }
                }
                if found.iter().all(|(_, signed)| signed.is_some()) {
                    break;
                }
            }
            Ok(found)
        })
        .await
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
