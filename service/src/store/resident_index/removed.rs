//! What the index has of entries that were removed: where residents stood then, in a tree of its own, as histories are
//! proved from it. It comes from the log's own records of that, as the entries are gone.

use audit::{
    history::Statement,
    index::{EMPTY, Standing},
    tile::TileReader,
    tree::{Hash, root_of},
};
use rusqlite::Connection;

use super::tree::{self, Nodes, Proved};
use crate::store::{
    StoreError,
    removals::{self, Removed},
    tail::read_tile,
};

/// What is left of entries about a resident that were removed.
#[derive(Debug)]
pub struct FoundBefore {
    /// Where the resident stood then, and the hashes beside the way in the index of that time.
    pub proved: Proved,
    /// Position of the entry that removed them.
    pub position: u64,
    /// That entry.
    pub entry: Vec<u8>,
}

/// What the log keeps of what was removed, as it is stated where it was.
pub(super) struct Kept {
    stated: Statement,
    standings: Vec<(Hash, Standing)>,
}

/// Reads it.
///
/// # Errors
/// [`StoreError::Damaged`] where it is not what is stated.
pub(super) fn kept(log: &Connection, removed: Option<&Removed>) -> Result<Kept, StoreError> {
    let stated = match removed {
        Some(Removed { segment, .. }) => {
            Statement { size: segment.until, root: segment.index_root }
        }
        None => Statement { size: 0, root: EMPTY },
    };
    let standings = removals::standings_until(log, stated.size)?;
    match removals::root_of_standings(&standings) == stated.root {
        true => Ok(Kept { stated, standings }),
        false => Err(damaged()),
    }
}

/// Brings the tree of what was removed, which has this root, to where the log is; of how many entries it is then, and its
/// root.
pub(super) fn follow(db: &Connection, before: &Hash, kept: &Kept) -> Result<Statement, StoreError> {
    let Kept { stated, standings } = kept;
    let mut changed = Vec::new();
    for (key, standing) in standings {
        let found = tree::find((db, Nodes::Removed), before, key)?;
        if found.is_none_or(|(found, _)| found != *standing) {
            changed.push((*key, *standing));
        }
    }
    changed.sort_unstable_by_key(|(key, _)| *key);
    let root = match changed.is_empty() {
        true => *before,
        false => tree::count((db, Nodes::Removed), before, &changed)?,
    };
    match root == stated.root {
        true => Ok(*stated),
        false => Err(damaged()),
    }
}

fn damaged() -> StoreError {
    StoreError::damaged("what is kept of removed entries")
}

/// The root that the log had at a size.
pub(super) fn log_root(log: &Connection, size: u64) -> Result<Hash, StoreError> {
    root_of(&mut TileReader::new(|id| read_tile(log, id)), size)
        .map_err(|error| StoreError::Damaged(error.to_string()))
}
