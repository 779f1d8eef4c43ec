//! The tables in which a service keeps its log, as a public format (SQLite).
//!
//! A copy of the database file is enough to check the log, with any SQLite and this crate. Other
//! tables may stand beside these; nothing in them is part of the log.
//!
//! ```sql
#![doc = include_str!("table.sql")]
//! ```
//!
//! Where entries were removed after their term ([`crate::segment`]), these have what is kept of them:
//!
//! ```sql
#![doc = include_str!("removed.sql")]
//! ```
//!
//! The checkpoint of the greatest size is the newest and covers every leaf. One stays for every
//! [`ANCHOR`] leaves, so that what was altered can be named closely, and each that was the newest when another key of the
//! log took over, with the signatures of both.

use crate::entry::Entry;

/// The log keeps the checkpoints whose size is a multiple of this.
pub const ANCHOR: u64 = 1024;

/// Makes the tables, as above.
pub const CREATE: &str = include_str!("table.sql");

/// Makes those that have what is kept of entries that were removed.
pub const CREATE_REMOVED: &str = include_str!("removed.sql");

/// Every leaf in order: the columns of [`Columns`] in their order, after position and entry.
pub const SELECT_LEAVES: &str = "SELECT position, entry, entry_id, at, action, outcome, actor, \
     resident, visit FROM leaf ORDER BY position";
/// One tile, by level and index.
pub const SELECT_TILE: &str = "SELECT hashes FROM tile WHERE level = ?1 AND idx = ?2";
/// Level and index of every tile.
pub const SELECT_TILES: &str = "SELECT level, idx FROM tile ORDER BY level, idx";
/// Every checkpoint in order.
pub const SELECT_CHECKPOINTS: &str = "SELECT size, note FROM checkpoint ORDER BY size";

/// The entry that says last what was removed, with its position.
pub const SELECT_REMOVAL: &str = "SELECT position, entry FROM leaf \
     WHERE action = 'audit.segment-remove' AND outcome = 'granted' ORDER BY position DESC LIMIT 1";
/// Entries that are kept of what was removed.
pub const SELECT_REMOVED_ENTRIES: &str =
    "SELECT position, entry FROM removed_entry ORDER BY position";
/// The standings that are kept of what was removed, in order: of each resident the last that is not beyond counts.
pub const SELECT_STANDINGS: &str =
    "SELECT key, until, count, chain FROM removed_standing ORDER BY key, until";

/// The columns that repeat fields of an entry. A search trusts them; the checker does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// [`Entry::id`].
    pub entry_id: String,
    /// [`Entry::at`], in microseconds since 1970.
    pub at: i64,
    /// [`Entry::action`].
    pub action: String,
    /// [`Entry::outcome`].
    pub outcome: String,
    /// The actor's identity.
    pub actor: Option<String>,
    /// [`Entry::resident`].
    pub resident: Option<String>,
    /// [`Entry::visit`].
    pub visit: Option<String>,
}

impl Columns {
    /// The columns as this entry says them.
    pub fn of(entry: &Entry) -> Self {
        Self {
            entry_id: entry.id.clone(),
            at: entry.at_microseconds(),
            action: entry.action.clone(),
            outcome: entry.outcome.as_str().to_owned(),
            actor: entry.actor.identity.clone(),
            resident: entry.resident.clone(),
            visit: entry.visit.clone(),
        }
    }

    /// The first column that says something else than the entry.
    pub fn disagreement(&self, entry: &Entry) -> Option<&'static str> {
        let columns = [
            ("entry_id", self.entry_id == entry.id),
            ("at", self.at == entry.at_microseconds()),
            ("action", self.action == entry.action),
            ("outcome", self.outcome == entry.outcome.as_str()),
            ("actor", self.actor == entry.actor.identity),
            ("resident", self.resident == entry.resident),
            ("visit", self.visit == entry.visit),
        ];
        columns.into_iter().find(|(_, agrees)| !agrees).map(|(name, _)| name)
    }
}
