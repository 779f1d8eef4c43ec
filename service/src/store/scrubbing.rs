//! The log as the service goes over it itself, round after round: a part read as it stands, where the round is, and
//! what was found.

use std::{ops::Range, sync::Arc};

use audit::{
    Entry,
    check::{self, Finding, Findings, Leaf, Log, PartReport},
    checkpoint::VerifierKey,
    table::{ANCHOR, Columns, SELECT_TILE},
    tile::{TileId, WIDTH},
};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, OptionalExtension as _, Row, Rows, types::ValueRef,
};

use super::{
    Change, Store, StoreError,
    facts::Found,
    micros::Micros,
    removals::{self, Removals},
};
use crate::clock::UtcTime;

/// Where a tile of the level above begins, if hashes of that level cannot be believed.
const ABOVE: u64 = WIDTH * WIDTH;
/// Checkpoints of a part, and from where on the newest is looked for.
const CHECKPOINTS: &str = "
    SELECT size, note FROM checkpoint WHERE size BETWEEN ?1 AND ?2
    UNION SELECT size, note FROM checkpoint WHERE size >= ?3 ORDER BY size";
const LEAVES: &str = "
    SELECT position, entry, entry_id, at, action, outcome, actor, resident, visit
    FROM leaf WHERE position >= ?1 ORDER BY position";

/// Where a round is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubPlace {
    /// Which round, from 1.
    pub round: u64,
    /// Where it goes on.
    pub position: u64,
    /// When the last whole round ended, and how many entries it went over.
    pub done: Option<(UtcTime, u64)>,
}

impl Default for ScrubPlace {
    fn default() -> Self {
        Self { round: 1, position: 0, done: None }
    }
}

/// Something that is not as it was signed, on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubFinding {
    /// What.
    pub finding: Finding,
    /// When it was found first.
    pub found_at: UtcTime,
    /// Position of the entry that says so.
    pub position: u64,
}

impl ScrubFinding {
    fn read(row: &Row<'_>) -> rusqlite::Result<Option<Self>> {
        let (kind, numbers): (String, String) = (row.get("kind")?, row.get("numbers")?);
        let numbers =
            numbers.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<i64>, _>>();
        // What a later version found this one cannot name.
        let finding = numbers.ok().and_then(|it| Finding::from_parts(&kind, &it));
        let found_at = row.get::<_, Micros>("found_at")?.0;
        let position = row.get("position")?;
        Ok(finding.map(|finding| Self { finding, found_at, position }))
    }
}

impl Store {
    /// Holds the entries from `from`, where a checkpoint is kept, and as many as `entries` against what was signed, in
    /// one snapshot. What cannot be read is a finding.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: worth another try.
    pub async fn check_part(&self, from: u64, entries: u64) -> Result<PartReport, StoreError> {
        let (size, key) = (self.log_size(), self.verifier_key().clone());
        let part = from..from.saturating_add(entries);
        let removals = Arc::clone(self.inner.removals());
        self.read(move |db| check_part(db, &removals, &key, size, part)).await
    }

    /// Where the round is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scrub_place(&self) -> Result<ScrubPlace, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT * FROM scrub")?;
            let place = select.query_row([], |row| {
                let at: Option<Micros> = row.get("done_at")?;
                let size: Option<u64> = row.get("done_size")?;
                let done = at.map(|at| at.0).zip(size);
                Ok(ScrubPlace { round: row.get("round")?, position: row.get("position")?, done })
            });
            Ok(place.optional()?.unwrap_or_default())
        })
        .await
    }

    /// Keeps where the round is. What the round before did not find is not on record any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_scrub_place(&self, place: ScrubPlace) -> Result<(), StoreError> {
        self.move_forward(move |db| {
            let ScrubPlace { round, position, done } = place;
            let (at, size) = done.unzip();
            db.prepare_cached(
                "REPLACE INTO scrub (one, round, position, done_at, done_size) VALUES (1, ?1, ?2, ?3, ?4)",
            )?
            .execute((round, position, at.map(Micros), size))?;
            db.prepare_cached("DELETE FROM scrub_finding WHERE round + 1 < ?1")?.execute([round])?;
            Ok(())
        })
        .await
    }

    /// Records something that was found, with the entry that says so; one that is on record was found again.
    ///
    /// # Errors
    /// See [`record_act`](Self::record_act).
    pub async fn record_scrub_finding(
        &self,
        finding: Finding,
        round: u64,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        let (kind, numbers) = finding.parts();
        let numbers = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let recorded = self.submit(&entry, move |db, position| {
            let again = db
                .prepare_cached(
                    "UPDATE scrub_finding SET round = ?3 WHERE kind = ?1 AND numbers = ?2",
                )?
                .execute((kind, &numbers, round))?;
            if again > 0 {
                return Ok(Found::Same(()));
            }
            db.prepare_cached("INSERT INTO scrub_finding VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute((kind, &numbers, Micros(at), round, position))?;
            Ok(Found::Changed(()))
        });
        let (_, receipt) = recorded.await?;
        Ok(receipt.map_or(Change::None, Change::Recorded))
    }

    /// What is on record as found, in the order in which it was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scrub_findings(&self) -> Result<Vec<ScrubFinding>, StoreError> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT * FROM scrub_finding ORDER BY found_at, position")?;
            let found = select.query_map([], ScrubFinding::read)?;
            Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// The part, or a longer one that begins sooner where what stands before this one is in doubt: that names it closely.
fn check_part(
    db: &Connection,
    removals: &Removals,
    key: &VerifierKey,
    size: u64,
    part: Range<u64>,
) -> Result<PartReport, StoreError> {
    let sooner = [part.start.saturating_sub(ANCHOR), part.start / ABOVE * ABOVE];
    let mut report = check_from(db, removals, key, size, part.clone())?;
    for from in sooner {
        if report.follows {
            break;
        }
        let longer = check_from(db, removals, key, size, from..part.end)?;
        if longer.follows {
            report = longer;
        }
    }
    Ok(report)
}

fn check_from(
    db: &Connection,
    removals: &Removals,
    key: &VerifierKey,
    size: u64,
    part: Range<u64>,
) -> Result<PartReport, StoreError> {
    let read = || {
        // One snapshot, which ends with the reading.
        let snapshot = db.unchecked_transaction()?;
        // What is gone from what is read now was known to be removed before.
        let first = removals::first(&snapshot)?;
        let removed = first.min(removals.until());
        let mut leaves = snapshot.prepare_cached(LEAVES)?;
        let mut checkpoints = snapshot.prepare_cached(CHECKPOINTS)?;
        let first = if part.start == 0 { i64::MIN } else { part.start.cast_signed() };
        let mut log = Part {
            leaves: leaves.query([first])?,
            checkpoints: checkpoints.query((first, part.end.cast_signed(), size))?,
            strays: if part.end >= size { strays(&snapshot, size)? } else { Vec::new() },
            tile: snapshot.prepare_cached(SELECT_TILE)?,
        };
        check::check_part(&mut log, key, part.clone(), removed)
    };
    match read() {
        Ok(report) => Ok(report),
        Err(error) if is_damage(&error) => {
            tracing::error!(%error, from = part.start, until = part.end, "reading the log");
            let until = part.end.min(size);
            let unreadable = Finding::Unreadable { from: part.start, until };
            let findings = Findings { listed: vec![unreadable], unlisted: 0 };
            Ok(PartReport { leaves: until - part.start, size, follows: true, findings })
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether an error is one of what is stored, and not of the moment.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => matches!(
            error.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SystemIoFailure
        ),
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    }
}

/// Tiles that a log of at least `size` entries may not have.
fn strays(db: &Connection, size: u64) -> rusqlite::Result<Vec<(i64, i64)>> {
    const HIGHEST: u8 = 7;
    let mut found = Vec::new();
    let mut collect = |select: &str, given: [i64; 2]| {
        let mut select = db.prepare_cached(select)?;
        let rows = select.query_map(given, |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            found.push(row?);
        }
        Ok::<_, rusqlite::Error>(())
    };
    let levels = "SELECT level, idx FROM tile WHERE level < ?1 OR level > ?2";
    collect(levels, [0, HIGHEST.into()])?;
    for level in 0..=HIGHEST {
        let nodes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let end = nodes.div_ceil(WIDTH).cast_signed();
        let within = "SELECT level, idx FROM tile WHERE level = ?1 AND idx < 0 AND ?2 = ?2";
        collect(within, [level.into(), 0])?;
        let beyond = "SELECT level, idx FROM tile WHERE level = ?1 AND idx >= ?2";
        collect(beyond, [level.into(), end])?;
    }
    Ok(found)
}

/// A part of the log in the database.
struct Part<'d> {
    leaves: Rows<'d>,
    checkpoints: Rows<'d>,
    strays: Vec<(i64, i64)>,
    tile: CachedStatement<'d>,
}

impl Log for Part<'_> {
    type Error = rusqlite::Error;

    fn next_checkpoint(&mut self) -> rusqlite::Result<Option<(u64, String)>> {
        let Some(row) = self.checkpoints.next()? else { return Ok(None) };
        Ok(Some((row.get::<_, i64>(0)?.cast_unsigned(), required(row, 1)?)))
    }

    fn next_leaf(&mut self) -> rusqlite::Result<Option<Leaf>> {
        let Some(row) = self.leaves.next()? else { return Ok(None) };
        let columns = Columns {
            entry_id: required(row, 2)?,
            at: row.get(3)?,
            action: required(row, 4)?,
            outcome: required(row, 5)?,
            actor: text(row, 6)?,
            resident: text(row, 7)?,
            visit: text(row, 8)?,
        };
        let position = row.get::<_, i64>(0)?.cast_unsigned();
        Ok(Some(Leaf { position, entry: row.get(1)?, columns: Some(columns) }))
    }

    fn next_tile(&mut self) -> rusqlite::Result<Option<(i64, i64)>> {
        Ok(self.strays.pop())
    }

    fn tile(&mut self, id: TileId) -> rusqlite::Result<Option<Vec<u8>>> {
        self.tile.query_row((id.level, id.index), |row| row.get(0)).optional()
    }
}

/// Text of which no octet is lost on whoever compares it, whatever it has become.
fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    match row.get_ref(at)? {
        ValueRef::Text(text) => Ok(Some(String::from_utf8_lossy(text).into_owned())),
        _ => row.get(at),
    }
}

fn required(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    text(row, at).map(Option::unwrap_or_default)
}
