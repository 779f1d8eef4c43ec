//! What is kept of entries that are removed, and that they are what was signed.

use std::collections::{BTreeMap, HashSet};

use audit::{
    Entry,
    checkpoint::Checkpoint,
    index::{EMPTY, Index, Standing, key},
    segment::{KEPT, Removal as Right, Segment, Step},
    table,
    tile::TileReader,
    tree::{Hash, Node, NodeReader as _, leaf_hash},
};
use rusqlite::Connection;

use super::{Removal, Said, signed::in_force, tree_of, walk};
use crate::{
    clock::{UtcTime, rfc3339},
    store::{ClosedSegment, Obstacle, Store, StoreError, micros::Micros, tail::read_tile},
};

/// Standings that are written in one commit.
const SLICE: usize = 512;

/// What is kept of a segment's entries, and by what right they go.
#[derive(Debug)]
pub struct KeptOfSegment {
    pub(super) segment: Segment,
    pub(super) right: Right,
    /// Where residents stand then of whom there is any.
    standings: BTreeMap<Hash, Standing>,
    /// Entries that stay whole, by position.
    pub(super) entries: Vec<(u64, Vec<u8>)>,
    /// When certificates were issued, by the position of their entry.
    issued: Vec<(u64, UtcTime)>,
    /// Up to where it was looked at that nobody rejected it.
    looked: u64,
}

impl KeptOfSegment {
    /// That nobody rejected or removed it between what was looked at and a position, within a fact.
    pub(super) fn check_since(&self, db: &Connection, position: u64) -> Result<(), StoreError> {
        let mut select = db.prepare_cached(
            "SELECT position, entry FROM leaf WHERE position >= ?1 ORDER BY position",
        )?;
        let mut rows = select.query([self.looked])?;
        let mut looked = self.looked;
        while let Some(row) = rows.next()? {
            let octets: Vec<u8> = row.get(1)?;
            match Entry::decode(&octets) {
                Ok(entry) if row.get::<_, u64>(0)? == looked => {
                    check_stands(&entry, looked, self.right.entered_at, self.segment)?;
                }
                _ => {
                    return Err(StoreError::damaged(
                        "entries since the removal of a segment was entered",
                    ));
                }
            }
            looked += 1;
        }
        match looked == position {
            true => Ok(()),
            false => Err(StoreError::damaged("entries since the removal of a segment was entered")),
        }
    }
}

impl Store {
    /// What is to be kept of a segment, as its entries say. They must be those that were closed, and what was entered
    /// must be that they go; their term has so many months.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where something is not what the log says; [`StoreError::Conflict`] while something that is
    /// not as it was signed is on record of them.
    pub async fn kept_of(
        &self,
        closed: ClosedSegment,
        entered: Removal,
        months: u32,
    ) -> Result<KeptOfSegment, StoreError> {
        // One at a time: much of the log is read, and all standings.
        let turn = self.inner.removals().turn().await;
        let kept = self.read_signed(move |moment, head| {
            check_undoubted(moment, closed.segment.until)?;
            closed.check_signed(moment, head)?;
            check_entered(moment, &entered, &closed, head)?;
            kept_of(moment, &closed, &entered, months, head)
        });
        let kept = kept.await;
        drop(turn);
        kept
    }

    /// Keeps where residents stand when a segment is removed, a few in a commit: it counts for nothing before that is so.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where something else was written meanwhile.
    pub async fn keep(&self, kept: &KeptOfSegment) -> Result<(), StoreError> {
        let KeptOfSegment { segment: Segment { until, index_root, .. }, standings, issued, .. } =
            kept;
        let (until, index_root) = (*until, *index_root);
        let all: Vec<(Hash, Standing)> = standings.iter().map(|(key, it)| (*key, *it)).collect();
        for slice in all.chunks(SLICE).map(<[_]>::to_vec) {
            self.move_forward(move |db| {
                let mut put = db.prepare_cached(
                    "REPLACE INTO removed_standing (key, until, count, chain) VALUES (?1, ?2, ?3, ?4)",
                )?;
                for (key, Standing { count, chain }) in slice {
                    put.execute((key, until, count, chain))?;
                }
                Ok(())
            })
            .await?;
        }
        for slice in issued.chunks(SLICE).map(<[_]>::to_vec) {
            self.move_forward(move |db| {
                let mut put = db.prepare_cached(
                    "UPDATE certificate_report SET at = ?2 WHERE position = ?1 AND at IS NULL",
                )?;
                for (position, at) in slice {
                    put.execute((position, Micros(at)))?;
                }
                Ok(())
            })
            .await?;
        }
        let written =
            self.read(move |db| Ok(root_of_standings(&standings_until(db, until)?))).await?;
        match written == index_root {
            true => Ok(()),
            false => Err(StoreError::damaged("what is kept of a segment of the log")),
        }
    }

    /// Whether all is there, as it was signed, that has to be of what was removed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_removed_kept(&self) -> Result<bool, StoreError> {
        self.read_signed(|moment, head| {
            let Some(removed) = in_force(moment, head)? else { return are_kept(moment, 0, 0) };
            let Segment { until, index_root, .. } = removed.segment;
            let stood = match standings_until(moment, until) {
                Err(StoreError::Damaged(_)) => return Ok(false),
                stood => root_of_standings(&stood?) == index_root,
            };
            Ok(stood && are_kept(moment, until, removed.right.kept)?)
        })
        .await
    }
}

/// Whether so many entries are kept of those below a position and no others, each with the hash that the log has of it.
pub(in crate::store) fn are_kept(
    db: &Connection,
    until: u64,
    count: u64,
) -> Result<bool, StoreError> {
    let mut tiles = TileReader::new(|id| read_tile(db, id));
    let mut select = db.prepare_cached(table::SELECT_REMOVED_ENTRIES)?;
    let mut rows = select.query([])?;
    let mut kept = 0;
    while let Some(row) = rows.next()? {
        let (index, octets) = (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, Vec<u8>>(1)?);
        if index >= until || tiles.node(Node { level: 0, index }).ok() != Some(leaf_hash(&octets)) {
            return Ok(false);
        }
        kept += 1;
    }
    Ok(kept == count)
}

/// That a person entered the removal of this segment after it was closed, and nobody rejected it or removed it since: all
/// that came since is looked at.
fn check_entered(
    db: &Connection,
    removal: &Removal,
    closed: &ClosedSegment,
    head: &Checkpoint,
) -> Result<(), StoreError> {
    let (entered_at, segment) = (removal.position, closed.segment);
    let mut entered = None;
    let mut log = tree_of(db, entered_at)?;
    walk(db, &mut log, head.size, |position, _, entry, _| {
        check_stands(&entry, position, entered_at, segment)?;
        if position == entered_at {
            entered = Said::of(entry, position).and_then(Removal::of);
        }
        Ok(())
    })?;
    let in_turn = removal.segment == segment && closed.closed_at < entered_at;
    match in_turn && log.root() == head.root && entered.as_ref() == Some(removal) {
        true => Ok(()),
        false => Err(StoreError::damaged("entries since the removal of a segment was entered")),
    }
}

/// That an entry neither rejects what was entered nor removes the segment.
fn check_stands(
    entry: &Entry,
    position: u64,
    entered_at: u64,
    segment: Segment,
) -> Result<(), StoreError> {
    match Segment::of(entry, position) {
        Some(Ok((Step::Rejected { entered_at: it }, _))) if it == entered_at => {
            Err(StoreError::Conflict(Obstacle::ChangeOver))
        }
        Some(Ok((Step::Removed(_), it))) if it == segment => {
            Err(StoreError::Conflict(Obstacle::ChangeOver))
        }
        _ => Ok(()),
    }
}

/// That nothing is on record of entries below a position, or of what was removed before, that is not as it was signed: what
/// is removed cannot be looked at any more.
fn check_undoubted(db: &Connection, until: u64) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(
        "SELECT kind, numbers FROM scrub_finding
         WHERE round <= coalesce((SELECT max(round) + 1 FROM scrub), round)",
    )?;
    let rows =
        select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for row in rows {
        let (kind, numbers) = row?;
        let numbers = numbers.split_ascii_whitespace().map(str::parse::<i64>);
        let numbers: Vec<i64> = numbers.filter_map(Result::ok).collect();
        if first_entry(&kind, &numbers).is_none_or(|first| first < until) {
            return Err(StoreError::Conflict(Obstacle::LogInDoubt));
        }
    }
    Ok(())
}

/// The first entry that something that was found is about; `None` where it is about what was removed.
fn first_entry(kind: &str, numbers: &[i64]) -> Option<u64> {
    let number = |at: usize| numbers.get(at).map(|it| it.cast_unsigned());
    match kind {
        "removed_altered" => None,
        // Of a tile its level and index.
        _ if kind.starts_with("tile") => {
            let entries = 8 * (number(0)?.min(7) as u32 + 1);
            let width = 1_u64.checked_shl(entries).unwrap_or(u64::MAX);
            Some(number(1)?.saturating_mul(width))
        }
        "moved" | "swapped" => numbers.iter().map(|it| it.cast_unsigned()).min(),
        _ => number(0),
    }
}

/// What the entries give, all of which must lead to the roots that were signed when the segment was closed.
fn kept_of(
    db: &Connection,
    closed: &ClosedSegment,
    entered: &Removal,
    months: u32,
    head: &Checkpoint,
) -> Result<KeptOfSegment, StoreError> {
    let segment = closed.segment;
    let before = in_force(db, head)?;
    let begins = before.as_ref().map_or(0, |it| it.segment.until);
    let kept_before = before.as_ref().map_or(0, |it| it.right.kept);
    if begins != segment.first {
        return Err(StoreError::Conflict(Obstacle::OtherSegment));
    }
    if !are_kept(db, begins, kept_before)? {
        return Err(StoreError::damaged("what is kept of removed entries"));
    }
    let mut index = Index::default();
    let mut all = BTreeMap::new();
    for (key, standing) in standings_until(db, begins)? {
        index.set(&key, standing);
        all.insert(key, standing);
    }
    if index.root() != before.map_or(EMPTY, |it| it.segment.index_root) {
        return Err(StoreError::damaged("what is kept of removed entries"));
    }
    let (mut standings, mut newest) = (BTreeMap::new(), None::<UtcTime>);
    let (mut entries, mut issued) = (Vec::new(), Vec::new());
    let reported = reported(db, segment)?;
    let mut log = tree_of(db, segment.first)?;
    walk(db, &mut log, segment.until, |position, leaf, entry, octets| {
        let at = Micros::of(&entry)?.0;
        newest = newest.max(Some(at));
        if KEPT.contains(&entry.action.as_str()) {
            entries.push((position, octets));
        }
        if reported.contains(&position) {
            issued.push((position, at));
        }
        if let Some(resident) = &entry.resident {
            let key = key(resident);
            index.add(&key, position, leaf);
            let standing: &mut Standing =
                standings.entry(key).or_insert_with(|| all.get(&key).copied().unwrap_or_default());
            *standing = standing.with(position, leaf);
        }
        Ok(())
    })?;
    let is_closed = log.root() == segment.root
        && index.root() == segment.index_root
        && newest == Some(closed.newest);
    let since = audit::segment::Instant::read(&rfc3339(closed.since)).filter(|_| is_closed);
    let since =
        since.ok_or_else(|| StoreError::damaged("a segment of the log is not what was closed"))?;
    let right = Right {
        since,
        months,
        kept: kept_before + entries.len() as u64,
        closed_at: closed.closed_at,
        entered_at: entered.position,
    };
    Ok(KeptOfSegment { segment, right, standings, entries, issued, looked: head.size })
}

/// Positions in a segment from which it is told when a certificate was issued, as nothing else has it.
fn reported(db: &Connection, segment: Segment) -> rusqlite::Result<HashSet<u64>> {
    let mut select = db.prepare_cached(
        "SELECT position FROM certificate_report
         WHERE at IS NULL AND position >= ?1 AND position < ?2",
    )?;
    select.query_map((segment.first, segment.until), |row| row.get(0))?.collect()
}

/// The root of the index of residents who stand so.
pub(in crate::store) fn root_of_standings(standings: &[(Hash, Standing)]) -> Hash {
    let mut index = Index::default();
    for (key, standing) in standings {
        index.set(key, *standing);
    }
    index.root()
}

/// Where residents stood when entries below a position were removed.
pub(in crate::store) fn standings_until(
    db: &Connection,
    until: u64,
) -> Result<Vec<(Hash, Standing)>, StoreError> {
    let mut select = db.prepare_cached(table::SELECT_STANDINGS)?;
    let mut rows = select.query([])?;
    let mut found: Vec<(Hash, Standing)> = Vec::new();
    while let Some(row) = rows.next()? {
        let [of, count] = [row.get::<_, i64>(1)?, row.get(2)?].map(i64::cast_unsigned);
        if of > until {
            continue;
        }
        let hash = |at| row.get::<_, Vec<u8>>(at).map(|it| Hash::try_from(it).ok());
        let (Some(key), Some(chain)) = (hash(0)?, hash(3)?) else {
            return Err(StoreError::damaged("where a resident stood when entries were removed"));
        };
        let standing = Standing { count, chain };
        // Keys of residents are hashes: an index of such ones has no long way that two of them share.
        let alike = |(last, _): &&(Hash, Standing)| *last != key && last[..16] == key[..16];
        if found.last().filter(alike).is_some() {
            return Err(StoreError::damaged("where a resident stood when entries were removed"));
        }
        match found.last_mut().filter(|(last, _)| *last == key) {
            Some((_, last)) => *last = standing,
            None => found.push((key, standing)),
        }
    }
    Ok(found)
}
