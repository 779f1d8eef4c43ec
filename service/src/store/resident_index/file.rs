//! The file: what it is of, how far it has come, and what is read from the log for it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use audit::{
    checkpoint::Checkpoint,
    history::Statement,
    index::{EMPTY, key},
    tree::Hash,
};
use rusqlite::{Connection, OpenFlags};

use super::{
    Mark, Progress,
    removed::{self, log_root},
    state::{ResidentIndexKey, State},
    tree::{self, Added, Nodes, Proved},
};
use crate::store::{
    StoreError,
    opening::create,
    removals::{Removed, tree_of, walk},
    tail::Head,
};

/// Entries that are counted in one transaction.
const BATCH: u64 = 4096;
/// Most of the file that is kept in memory, KiB.
const CACHE: i64 = 32 * 1024;
/// Version of the tables.
pub(super) const VERSION: u32 = 4;

pub(super) const TABLES: &str = "
    DROP TABLE IF EXISTS node;
    DROP TABLE IF EXISTS removed_node;
    DROP TABLE IF EXISTS state;
    CREATE TABLE node (path BLOB PRIMARY KEY, ways BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE removed_node (path BLOB PRIMARY KEY, ways BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE state (
        one         INTEGER PRIMARY KEY CHECK (one = 1),
        origin      TEXT NOT NULL,      -- of the log
        size        INTEGER NOT NULL,   -- entries that are counted
        log_root    BLOB NOT NULL,      -- of the log of that size
        root        BLOB NOT NULL,      -- of the index
        -- Entries that were removed, and the root of the index over them.
        removed     INTEGER NOT NULL,
        removed_root BLOB NOT NULL,
        mac         BLOB NOT NULL       -- over all of that, by the service
    ) STRICT;";

/// The file, open for the one thread that writes it.
pub(super) struct File {
    db: Connection,
    key: Arc<ResidentIndexKey>,
    /// As the row says; what the file says later is not asked.
    state: State,
    /// Where a segment of the log last ended, if it came to one in this run: the log signs it.
    mark: Option<Mark>,
}

impl File {
    /// Opens the file, or makes it anew where it is not of this log or not what this service wrote.
    pub(super) fn open(
        path: &Path,
        key: &Arc<ResidentIndexKey>,
        origin: &str,
        log: &Connection,
        removed: Option<&Removed>,
        size: u64,
    ) -> Result<Self, StoreError> {
        match Self::as_it_is(path, key, origin, log, removed, size) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => tracing::info!("the index of residents is made from the log"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the index of residents cannot be used: it is made anew");
            }
        }
        Self::anew(path, key, origin, log, removed)
    }

    /// A file that counts nothing but what was removed, in the place of what is there.
    pub(super) fn anew(
        path: &Path,
        key: &Arc<ResidentIndexKey>,
        origin: &str,
        log: &Connection,
        removed: Option<&Removed>,
    ) -> Result<Self, StoreError> {
        // Where nothing could be made, what is there stays.
        let kept = removed::kept(log, removed)?;
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
        let made = db.transaction()?;
        made.execute_batch(&format!("{TABLES} PRAGMA user_version = {VERSION};"))?;
        let removed = removed::follow(&made, &EMPTY, &kept)?;
        made.execute("INSERT INTO node SELECT * FROM removed_node", [])?;
        let Statement { size, root } = removed;
        let (origin, log_root) = (origin.to_owned(), log_root(log, size)?);
        let state = State { origin, size, log_root, root, removed };
        state.write(&made, key)?;
        made.commit()?;
        Ok(Self { db, key: Arc::clone(key), state, mark: None })
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
        last: Option<&Removed>,
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
        // What was removed and is not counted cannot be any more; another history of the same log has another index.
        let begins = last.map_or(0, |it| it.segment.until);
        let same = state.origin == origin
            && (begins..=size).contains(&state.size)
            && state.removed.size <= begins
            && state.log_root == log_root(log, state.size)?;
        Ok(same.then(|| Self { db, key: Arc::clone(key), state, mark: None }))
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        let State { size, removed, .. } = self.state;
        Progress { counted: size, mark: self.mark, removed: removed.size }
    }

    /// That all that is counted is what was signed, where it has come to the newest checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it is not.
    pub(super) fn check_signed(&self, newest: &Head) -> Result<(), StoreError> {
        let signed = newest.size != self.state.size
            || Checkpoint::read_unverified(&newest.note)
                .is_ok_and(|it| it.root == self.state.log_root);
        match signed {
            true => Ok(()),
            false => Err(StoreError::Damaged("the entries of the log".into())),
        }
    }

    /// Follows what was removed of the log since it did last.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where what is kept of it is.
    pub(super) fn follow_removals(
        &mut self,
        log: &Connection,
        last: Option<&Removed>,
    ) -> Result<(), StoreError> {
        let before = self.state.removed;
        if last.map_or(0, |it| it.segment.until) == before.size {
            return Ok(());
        }
        let kept = removed::kept(log, last)?;
        let step = self.db.transaction()?;
        let removed = removed::follow(&step, &before.root, &kept).or_else(|_| {
            // A tree that does not hold together is made again.
            step.execute("DELETE FROM removed_node", [])?;
            removed::follow(&step, &EMPTY, &kept)
        })?;
        let state = State { removed, ..self.state.clone() };
        state.write(&step, &self.key)?;
        step.commit()?;
        self.state = state;
        Ok(())
    }

    /// Counts the next entries of a log of `size`, no further than to where its segments end, which have `length` entries.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where the log is; where the file is, `spoilt` is set as well.
    pub(super) fn count(
        &mut self,
        log: &Connection,
        size: u64,
        length: u64,
        spoilt: &AtomicBool,
    ) -> Result<(), StoreError> {
        let from = self.state.size;
        let end = from.checked_div(length).map_or(u64::MAX, |nth| (nth + 1) * length);
        let until = size.min(from + BATCH).min(end);
        let (mut added, log_root) = read(log, &self.state, until)?;
        // Those of one resident stay in the order of the log.
        added.sort_by_key(|(key, ..)| *key);
        let step = self.db.transaction()?;
        let root = match added.is_empty() {
            true => self.state.root,
            false => tree::count((&step, Nodes::Counted), &self.state.root, &added).inspect_err(
                |error| {
                    if is_spoilt(error) {
                        spoilt.store(true, Ordering::Relaxed);
                    }
                },
            )?,
        };
        let state = State { size: until, log_root, root, ..self.state.clone() };
        state.write(&step, &self.key)?;
        step.commit()?;
        if until == end {
            self.mark = Some(Mark { index: state.index(), log_root });
        }
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
pub(super) struct Said {
    /// The index.
    pub(super) state: State,
    /// What it says.
    pub(super) now: Option<Proved>,
    /// What it said of entries that were removed.
    pub(super) before: Option<Proved>,
}

pub(super) fn find(
    db: &Connection,
    key: &ResidentIndexKey,
    resident: &Hash,
) -> Result<Said, StoreError> {
    let moment = db.unchecked_transaction()?;
    let state = State::read(&moment, key)?;
    let now = tree::find((&moment, Nodes::Counted), &state.root, resident)?;
    let before = tree::find((&moment, Nodes::Removed), &state.removed.root, resident)?;
    Ok(Said { state, now, before })
}

/// A commit may be lost with the power: what was counted is then counted again.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;",
    )?;
    // Residents come in no order: the ways to them are read and written again and again.
    db.pragma_update(None, "cache_size", -CACHE)?;
    Ok(db)
}

/// The entries about residents from where the index is up to a position, and the root of the log with all that are there.
/// It must be the one that the log's tiles give, so that what is counted is what was signed, all of it.
fn read(log: &Connection, state: &State, until: u64) -> Result<(Vec<Added>, Hash), StoreError> {
    let from = state.size;
    let damaged = || StoreError::Damaged(format!("the entries from {from} to {until}"));
    let mut tree =
        Some(tree_of(log, from)?).filter(|it| it.root() == state.log_root).ok_or_else(damaged)?;
    let mut added = Vec::new();
    walk(log, &mut tree, until, |position, leaf, entry, _| {
        // What is no entry of this version is about nobody, here and for whoever checks.
        added.extend(entry.resident.map(|resident| (key(&resident), position, *leaf)));
        Ok(())
    })?;
    match log_root(log, until)? == tree.root() {
        true => Ok((added, tree.root())),
        false => Err(damaged()),
    }
}
