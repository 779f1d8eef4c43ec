//! The file: what it is of, how far it has come, and what is read from the log for it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use audit::{
    Entry,
    index::{EMPTY, key},
    tile::{self, TileId, TileReader, WIDTH},
    tree::{Hash, leaf_hash, root_of},
};
use rusqlite::{Connection, OpenFlags};

use super::{
    state::{ResidentIndexKey, State},
    tree::{self, Added, Proved},
};
use crate::store::{StoreError, opening::create, tail::read_tile};

/// Entries that are counted in one transaction.
const BATCH: u64 = 4096;
/// Version of the tables.
pub(super) const VERSION: u32 = 2;

pub(super) const TABLES: &str = "
    DROP TABLE IF EXISTS node;
    DROP TABLE IF EXISTS state;
    CREATE TABLE node (path BLOB PRIMARY KEY, ways BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE state (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        origin      TEXT NOT NULL,      -- of the log
        size        INTEGER NOT NULL,   -- entries that are counted
        log_root    BLOB NOT NULL,      -- of the log of that size
        root        BLOB NOT NULL,      -- of the index
        mac         BLOB NOT NULL       -- over all of that, by the service
    ) STRICT;";

/// The file, open for the one thread that writes it.
pub(super) struct File {
    db: Connection,
    key: Arc<ResidentIndexKey>,
    /// As the row says; what the file says later is not asked.
    state: State,
}

impl File {
    /// Opens the file, or makes it anew where it is not of this log or not what this service wrote.
    pub(super) fn open(
        path: &Path,
        key: &Arc<ResidentIndexKey>,
        origin: &str,
        log: &Connection,
        size: u64,
    ) -> Result<Self, StoreError> {
        match Self::as_it_is(path, key, origin, log, size) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => tracing::info!("the index of residents is made from the log"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the index of residents cannot be used: it is made anew");
            }
        }
        Self::anew(path, key, origin, log)
    }

    /// A file that counts nothing yet, in the place of what is there.
    pub(super) fn anew(
        path: &Path,
        key: &Arc<ResidentIndexKey>,
        origin: &str,
        log: &Connection,
    ) -> Result<Self, StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            let file = super::beside(path, suffix);
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::unavailable(error));
                }
                _ => {}
            }
        }
        let mut db = connect(path)?;
        let (origin, log_root) = (origin.to_owned(), log_root(log, 0)?);
        let state = State { origin, size: 0, log_root, root: EMPTY };
        let made = db.transaction()?;
        made.execute_batch(&format!("{TABLES} PRAGMA user_version = {VERSION};"))?;
        state.write(&made, key)?;
        made.commit()?;
        Ok(Self { db, key: Arc::clone(key), state })
    }

    /// The file, if it is of this log and this version.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where another than this service wrote it.
    fn as_it_is(
        path: &Path,
        key: &Arc<ResidentIndexKey>,
        origin: &str,
        log: &Connection,
        size: u64,
    ) -> Result<Option<Self>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let db = connect(path)?;
        let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != VERSION {
            return Ok(None);
        }
        let state = State::read(&db, key)?;
        // Another history of the same log has another index.
        let same = state.origin == origin
            && state.size <= size
            && state.log_root == log_root(log, state.size)?;
        Ok(same.then(|| Self { db, key: Arc::clone(key), state }))
    }

    /// How many entries it counts.
    pub(super) fn counted(&self) -> u64 {
        self.state.size
    }

    /// Counts the next entries of a log of `size`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where the log is; where the file is, `spoilt` is set as well.
    pub(super) fn count(
        &mut self,
        log: &Connection,
        size: u64,
        spoilt: &AtomicBool,
    ) -> Result<(), StoreError> {
        let until = size.min(self.state.size + BATCH);
        let mut added = read(log, self.state.size, until)?;
        // Those of one resident stay in the order of the log.
        added.sort_by_key(|(key, ..)| *key);
        let log_root = log_root(log, until)?;
        let step = self.db.transaction()?;
        let root = match added.is_empty() {
            true => self.state.root,
            false => tree::count(&step, &self.state.root, &added).inspect_err(|error| {
                if is_spoilt(error) {
                    spoilt.store(true, Ordering::Relaxed);
                }
            })?,
        };
        let state = State { size: until, log_root, root, ..self.state.clone() };
        state.write(&step, &self.key)?;
        step.commit()?;
        self.state = state;
        Ok(())
    }
}

/// Whether the file is no good, as opposed to what it is on.
pub(super) fn is_spoilt(error: &StoreError) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, Unknown};
    match error {
        StoreError::Damaged(_) => true,
        StoreError::Unavailable(Some(cause)) => match cause.downcast_ref() {
            // Its tables are others.
            Some(rusqlite::Error::SqlInputError { .. }) => true,
            Some(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase | Unknown))
            }
            None => false,
        },
        _ => false,
    }
}

/// What the index says of a resident, all of it at one moment.
pub(super) fn find(
    db: &Connection,
    key: &ResidentIndexKey,
    resident: &Hash,
) -> Result<(State, Option<Proved>), StoreError> {
    let moment = db.unchecked_transaction()?;
    let state = State::read(&moment, key)?;
    let found = tree::find(&moment, &state.root, resident)?;
    Ok((state, found))
}

/// The root that the log had at a size.
pub(super) fn log_root(log: &Connection, size: u64) -> Result<Hash, StoreError> {
    root_of(&mut TileReader::new(|id| read_tile(log, id)), size)
        .map_err(|error| StoreError::Damaged(error.to_string()))
}

/// A commit may be lost with the power: what was counted is then counted again.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;",
    )?;
    Ok(db)
}

/// The entries about residents at these positions. Every entry must be the one whose hash the log has.
fn read(log: &Connection, from: u64, until: u64) -> Result<Vec<Added>, StoreError> {
    let damaged = |position| StoreError::Damaged(format!("the entry at {position}"));
    let mut select = log.prepare_cached(
        "SELECT position, entry FROM leaf WHERE position >= ?1 AND position < ?2 ORDER BY position",
    )?;
    let mut rows = select.query((from, until))?;
    let (mut added, mut tile) = (Vec::new(), Vec::new());
    for expected in from..until {
        let row = rows.next()?.ok_or_else(|| damaged(expected))?;
        let position: u64 = row.get(0)?;
        let entry = row.get_ref(1)?.as_blob().map_err(|_| damaged(expected))?;
        let (index, at) = (position / WIDTH, (position % WIDTH) as usize);
        if tile.is_empty() || at == 0 {
            let octets = read_tile(log, TileId { level: 0, index })?;
            tile = octets.as_deref().and_then(tile::hashes).unwrap_or_default();
        }
        let hash = leaf_hash(entry);
        if position != expected || tile.get(at) != Some(&hash) {
            return Err(damaged(expected));
        }
        // What is no entry of this version is about nobody, here and for whoever checks.
        if let Ok(Entry { resident: Some(resident), .. }) = Entry::decode(entry) {
            added.push((key(&resident), position, hash));
        }
    }
    Ok(added)
}
