//! Reading the log: entries, searches, proofs.

use std::{fmt, str::FromStr};

use audit::{
    Outcome,
    tile::TileReader,
    tree::{Hash, consistency_proof, inclusion_proof},
};
use rusqlite::{Connection, OptionalExtension as _, Row, types::Value};

use super::{BadId, MAX_PAGE, Store, StoreError, micros::Micros, tail::read_tile};
use crate::clock::UtcTime;

/// An entry and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Position of the leaf, counted from 0.
    pub position: u64,
    /// The leaf itself: the bytes that are hashed.
    pub entry: Vec<u8>,
}

/// Conditions that an entry must meet, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchFilter {
    /// About this resident, by pseudonym.
    pub resident: Option<String>,
    /// By this identity.
    pub actor: Option<String>,
    /// This action, e.g. `token.issue`.
    pub action: Option<String>,
    /// In this visit.
    pub visit: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Not before.
    pub from: Option<UtcTime>,
    /// Before.
    pub until: Option<UtcTime>,
    /// Only those that carry an alert.
    pub alerts: bool,
}

/// Where a search goes on: after the entry of this time and position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: i64,
    position: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.position)
    }
}

impl FromStr for Cursor {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (at, position) = text.split_once('.').ok_or(BadId)?;
        let cursor = Self {
            at: at.parse().map_err(|_| BadId)?,
            position: position.parse().map_err(|_| BadId)?,
        };
        let in_range = i64::try_from(cursor.position).is_ok();
        if in_range && cursor.to_string() == text { Ok(cursor) } else { Err(BadId) }
    }
}

impl SearchFilter {
    /// The query, newest first, and its parameters. The most selective index is named, as the
    /// planner without statistics may choose another.
    fn query(&self, after: Option<Cursor>, limit: u32) -> (String, Vec<Value>) {
        let exception = self.outcome.filter(|outcome| *outcome != Outcome::Granted);
        let index = match self {
            Self { visit: Some(_), .. } => "leaf_visit",
            Self { resident: Some(_), .. } => "leaf_resident",
            Self { actor: Some(_), .. } => "leaf_actor",
            Self { alerts: true, .. } => "leaf_alert",
            _ if exception.is_some() => "leaf_exception",
            Self { action: Some(_), .. } => "leaf_action",
            _ => "leaf_at",
        };
        let mut sql = format!("SELECT position, entry, at FROM leaf INDEXED BY {index} WHERE 1");
        let mut values = Vec::new();
        let mut condition = |text: &str, value: Value| {
            sql.push_str(" AND ");
            sql.push_str(text);
            values.push(value);
        };
        let texts = [
            ("visit = ?", &self.visit),
            ("resident = ?", &self.resident),
            ("actor = ?", &self.actor),
            ("action = ?", &self.action),
        ];
        for (text, value) in texts {
            if let Some(value) = value {
                condition(text, value.clone().into());
            }
        }
        if let Some(outcome) = self.outcome {
            condition("outcome = ?", outcome.as_str().to_owned().into());
        }
        if let Some(from) = self.from {
            condition("at >= ?", Micros(from).count().into());
        }
        if let Some(until) = self.until {
            condition("at < ?", Micros(until).count().into());
        }
        if let Some(cursor) = after {
            condition("at <= ?", cursor.at.into());
            sql.push_str(" AND (at < ? OR position < ?)");
            values.push(cursor.at.into());
            values.push(i64::try_from(cursor.position).unwrap_or(i64::MAX).into());
        }
        if exception.is_some() {
            // What lets the planner use the index of exceptions.
            sql.push_str(" AND outcome <> 'granted'");
        }
        if self.alerts {
            // The key `"alert":`, in the words of the index.
            sql.push_str(" AND instr(entry, x'22616c657274223a') > 0");
        }
        sql.push_str(" ORDER BY at DESC, position DESC LIMIT ?");
        values.push(limit.into());
        (sql, values)
    }
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

    /// The entry at a position.
    pub async fn entry(&self, position: u64) -> Result<Option<LogEntry>, StoreError> {
        let Ok(key) = i64::try_from(position) else { return Ok(None) };
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT entry FROM leaf WHERE position = ?1")?;
            let entry = select.query_row([key], |row| row.get(0)).optional()?;
            Ok(entry.map(|entry| LogEntry { position, entry }))
        })
        .await
    }

    /// Entries that meet the conditions, newest first, at most `limit` (and [`MAX_PAGE`]), and
    /// where to go on; `None` on the last page.
    pub async fn search(
        &self,
        filter: SearchFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<(Vec<LogEntry>, Option<Cursor>), StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        self.read(move |db| search(db, &filter, after, limit)).await
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

fn search(
    db: &Connection,
    filter: &SearchFilter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<(Vec<LogEntry>, Option<Cursor>), StoreError> {
    // One more than asked for tells whether there is another page.
    let (sql, values) = filter.query(after, limit + 1);
    let read = |row: &Row<'_>| -> rusqlite::Result<(LogEntry, i64)> {
        Ok((LogEntry { position: row.get(0)?, entry: row.get(1)? }, row.get(2)?))
    };
    let mut select = db.prepare_cached(&sql)?;
    let rows = select.query_map(rusqlite::params_from_iter(values), read)?;
    let mut rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next =
        rows.last().filter(|_| more).map(|(last, at)| Cursor { at: *at, position: last.position });
    Ok((rows.into_iter().map(|(entry, _)| entry).collect(), next))
}
