//! The decisions of a log, and the rules on record that they were made with, for whoever looks at them again.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::{LogEntry, StoreError, micros::Micros, removals::removed_until, rules, schema};
use crate::{clock::UtcTime, policy::Act};

/// Acts whose entries have a decision with all that it was made on.
const ACTS: [Act; 3] = [Act::TokenIssue, Act::TokenExplain, Act::CardDump];

/// A page of each act, from where the page before ended: both are in the order of an index.
const PAGE: &str = "
    SELECT position, entry, at FROM (
        SELECT * FROM (SELECT position, entry, at FROM leaf INDEXED BY leaf_action
            WHERE action = ?1 AND at >= ?4 AND (at > ?4 OR position > ?5) AND position BETWEEN ?8 AND ?6
            ORDER BY at, position LIMIT ?7)
        UNION ALL
        SELECT * FROM (SELECT position, entry, at FROM leaf INDEXED BY leaf_action
            WHERE action = ?2 AND at >= ?4 AND (at > ?4 OR position > ?5) AND position BETWEEN ?8 AND ?6
            ORDER BY at, position LIMIT ?7)
        UNION ALL
        SELECT * FROM (SELECT position, entry, at FROM leaf INDEXED BY leaf_action
            WHERE action = ?3 AND at >= ?4 AND (at > ?4 OR position > ?5) AND position BETWEEN ?8 AND ?6
            ORDER BY at, position LIMIT ?7)
    ) ORDER BY at, position LIMIT ?7";

/// A database that a service may have open, read for its decisions, in the order of time. Nothing of it is changed, and
/// no page is read in one go with another: the service's own work on the file goes on in between.
#[derive(Debug)]
pub struct DecisionLog {
    db: Connection,
    /// The first leaf that was not removed when this began, and the last that there was.
    first: u64,
    last: i64,
    /// Time and position of the last one that was read.
    after: (i64, i64),
}

impl DecisionLog {
    /// Those of the database at `path` that are not older than `from`.
    ///
    /// # Errors
    /// [`StoreError`] when there is no database, or it cannot be read.
    pub fn open(path: &Path, from: Option<UtcTime>) -> Result<Self, StoreError> {
        let db = schema::open_reader(path)?;
        let last = "SELECT coalesce(max(position), -1) FROM leaf";
        let last = db.query_row(last, [], |row| row.get(0))?;
        let first = removed_until(&db)?;
        let from = from.map_or(i64::MIN, |from| Micros(from).count());
        Ok(Self { db, first, last, after: (from, -1) })
    }

    /// The next ones, at most `limit`; none at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn page(&mut self, limit: u32) -> Result<Vec<LogEntry>, StoreError> {
        let (at, position) = self.after;
        let [issued, explained, dumped] = ACTS.map(Act::as_str);
        let mut select = self.db.prepare_cached(PAGE)?;
        let rows = select.query_map(
            (issued, explained, dumped, at, position, self.last, limit, self.first),
            |row| {
                let (position, at): (i64, i64) = (row.get(0)?, row.get(2)?);
                let entry = LogEntry { position: row.get(0)?, entry: row.get(1)? };
                Ok((entry, (at, position)))
            },
        )?;
        let mut page = Vec::new();
        for row in rows {
            let (entry, after) = row?;
            self.after = after;
            page.push(entry);
        }
        Ok(page)
    }

    /// The texts of an institution's rules that came into use, by their digest, in the order of the manifest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rules(&self, digest: &[u8; 32]) -> Result<Option<[String; 3]>, StoreError> {
        if !rules::are_kept(&self.db)? {
            return Ok(None);
        }
        let texts = self
            .db
            .prepare_cached("SELECT rules, access, cases FROM rules WHERE digest = ?1 LIMIT 1")?
            .query_row([digest], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
            .optional()?;
        Ok(texts)
    }
}
