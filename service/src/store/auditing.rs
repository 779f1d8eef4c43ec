//! Reading the log: entries and proofs.

use audit::{
    receipt,
    tile::{TileError, TileReader},
    tree::{Hash, Node, NodeReader as _, consistency_proof, inclusion_proof},
};
use rusqlite::OptionalExtension as _;

use super::{Store, StoreError, tail::read_tile};

/// An entry and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Position of the leaf, counted from 0.
    pub position: u64,
    /// The leaf itself: the bytes that are hashed.
    pub entry: Vec<u8>,
}

impl Store {
    /// Number of leaves that are on disk and signed for.
    #[must_use]
    pub fn log_size(&self) -> u64 {
        self.inner.published().size()
    }

    /// The newest checkpoint, a signed note, and the size it speaks of.
    #[must_use]
    pub fn checkpoint(&self) -> (u64, String) {
        let head = self.inner.published().head();
        (head.size, head.note)
    }

    /// The entry at a position; none where it was removed, even if it did not go yet.
    pub async fn entry(&self, position: u64) -> Result<Option<LogEntry>, StoreError> {
        let Ok(key) = i64::try_from(position) else { return Ok(None) };
        if position < self.log_begins() {
            return Ok(None);
        }
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT entry FROM leaf WHERE position = ?1")?;
            let entry = select.query_row([key], |row| row.get(0)).optional()?;
            Ok(entry.map(|entry| LogEntry { position, entry }))
        })
        .await
    }

    /// Inclusion proof for a position in the log of `size` leaves.
    ///
    /// # Errors
    /// [`StoreError::OutsideLog`].
    pub async fn prove(&self, position: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.check_size(size)?;
        if position >= size {
            return Err(StoreError::OutsideLog { size });
        }
        self.read(move |db| {
            let mut tiles = TileReader::new(|id| read_tile(db, id));
            inclusion_proof(&mut tiles, position, size)
                .map_err(|e| StoreError::Damaged(e.to_string()))
        })
        .await
    }

    /// A receipt for an entry, in the newest checkpoint.
    ///
    /// # Errors
    /// [`StoreError::OutsideLog`].
    pub async fn receipt(&self, position: u64) -> Result<receipt::Receipt, StoreError> {
        let (size, checkpoint) = self.checkpoint();
        if position >= size {
            return Err(StoreError::OutsideLog { size });
        }
        let key = self.verifier_key().clone();
        self.read(move |db| {
            let mut tiles = TileReader::new(|id| read_tile(db, id));
            let damaged = |e: TileError<_>| StoreError::Damaged(e.to_string());
            let leaf = tiles.node(Node { level: 0, index: position }).map_err(damaged)?;
            let proof = inclusion_proof(&mut tiles, position, size).map_err(damaged)?;
            Ok(receipt::Receipt { key, position, leaf, proof, checkpoint })
        })
        .await
    }

    /// Consistency proof between the logs of `first` and `second` leaves.
    ///
    /// # Errors
    /// [`StoreError::OutsideLog`].
    pub async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Hash>, StoreError> {
        self.check_size(second)?;
        if first > second {
            return Err(StoreError::OutsideLog { size: second });
        }
        self.read(move |db| {
            let mut tiles = TileReader::new(|id| read_tile(db, id));
            consistency_proof(&mut tiles, first, second)
                .map_err(|e| StoreError::Damaged(e.to_string()))
        })
        .await
    }

    pub(super) fn check_size(&self, size: u64) -> Result<(), StoreError> {
        let log = self.log_size();
        if size > log { Err(StoreError::OutsideLog { size: log }) } else { Ok(()) }
    }
}
