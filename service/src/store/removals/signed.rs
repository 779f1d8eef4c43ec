//! What the log says of segments, and whether it is what was signed. Columns of the database, which anybody may have written
//! who can write there, say where such an entry stands, and nothing that is not in it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use audit::{
    Entry,
    checkpoint::Checkpoint,
    segment::{REMOVE, Removal as Right, Segment, Step},
    tile::TileReader,
    tree::{
        Frontier, Hash, NodeReader as _, inclusion_proof, leaf_hash, left_nodes, verify_inclusion,
    },
};
use rusqlite::{Connection, OptionalExtension as _};

use crate::store::{Store, StoreError, tail::read_tile};

const THERE: &str =
    "SELECT position, entry FROM leaf INDEXED BY leaf_action WHERE action = ?1 AND position >= 0";

/// What was removed of the log last, which is all below.
#[derive(Debug)]
pub(in crate::store) struct Removed {
    /// The segment.
    pub(in crate::store) segment: Segment,
    /// By what right.
    pub(in crate::store) right: Right,
    /// Position of the entry that says so.
    pub(in crate::store) position: u64,
    /// That entry.
    pub(in crate::store) entry: Vec<u8>,
}

/// What was removed, for all who read the log; each who reads it is told later than the database was, and no entry goes
/// before they are told.
#[derive(Debug, Default)]
pub(in crate::store) struct Removals {
    last: Mutex<Option<Arc<Removed>>>,
    /// Up to where it is known that what has to be kept is there.
    kept: AtomicU64,
    /// For whoever looks whether something may be removed.
    turn: tokio::sync::Mutex<()>,
}

impl Removals {
    pub(in crate::store) fn last(&self) -> Option<Arc<Removed>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the log begins.
    pub(in crate::store) fn until(&self) -> u64 {
        self.last().map_or(0, |it| it.segment.until)
    }

    /// Waits until nobody else looks whether something may be removed.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Says up to where it is known that what has to be kept is there; whether that is news.
    pub(super) fn mark_kept(&self, until: u64) -> bool {
        self.kept.swap(until, Ordering::Relaxed) != until
    }

    /// Takes what was found to be removed, unless more is known to be.
    pub(in crate::store) fn follow(&self, found: Option<Removed>) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let until = last.as_ref().map_or(0, |it| it.segment.until);
        if let Some(found) = found.filter(|it| it.segment.until > until) {
            *last = Some(Arc::new(found));
        }
    }
}

/// What an entry says of a segment.
#[derive(Debug)]
pub(in crate::store) struct Said {
    pub(in crate::store) position: u64,
    pub(in crate::store) step: Step,
    pub(in crate::store) segment: Segment,
    pub(in crate::store) entry: Entry,
}

impl Said {
    pub(in crate::store) fn of(entry: Entry, position: u64) -> Option<Self> {
        let (step, segment) = Segment::of(&entry, position)?.ok()?;
        Some(Self { position, step, segment, entry })
    }

    /// Whether it is what the log has at that position.
    pub(in crate::store) fn is_signed(
        &self,
        db: &Connection,
        head: &Checkpoint,
    ) -> Result<bool, StoreError> {
        Ok(as_signed(db, self.position, head)?.as_ref() == Some(&self.entry))
    }
}

/// What entries with this action say of segments, in the order of the log, of which those below `begins` were removed. That
/// they were signed is not looked at, and neither is whether they are all.
pub(in crate::store) fn said(
    db: &Connection,
    action: &str,
    begins: u64,
) -> Result<Vec<Said>, StoreError> {
    let found = with_action(db, action, begins)?;
    let read = |(position, octets): (u64, Vec<u8>)| {
        let entry = Entry::decode(&octets).ok().filter(|entry| entry.action == action)?;
        Said::of(entry, position)
    };
    Ok(found.into_iter().filter_map(read).collect())
}

/// Entries with this action that are there, and all that are kept below where the log begins, unless they are there too.
pub(in crate::store) fn with_action(
    db: &Connection,
    action: &str,
    begins: u64,
) -> Result<BTreeMap<u64, Vec<u8>>, StoreError> {
    let mut found = BTreeMap::new();
    let mut there = db.prepare_cached(THERE)?;
    let mut rows = there.query([action])?;
    while let Some(row) = rows.next()? {
        found.insert(row.get(0)?, row.get(1)?);
    }
    let mut kept = db.prepare_cached(
        "SELECT position, entry FROM removed_entry WHERE position >= 0 AND position < ?1
         AND NOT EXISTS (SELECT 1 FROM leaf WHERE leaf.position = removed_entry.position)",
    )?;
    let mut rows = kept.query([begins])?;
    while let Some(row) = rows.next()? {
        let octets: Vec<u8> = row.get(1)?;
        if Entry::decode(&octets).is_ok_and(|entry| entry.action == action) {
            found.insert(row.get(0)?, octets);
        }
    }
    Ok(found)
}

/// Up to where the log says that it was removed, within a fact.
pub(in crate::store) fn removed_until(db: &Connection) -> Result<u64, StoreError> {
    // The last is always there.
    Ok(said(db, REMOVE, 0)?.last().map_or(0, |it| it.segment.until))
}

/// What was removed last, by an entry that is as it was signed.
pub(in crate::store) fn in_force(
    db: &Connection,
    head: &Checkpoint,
) -> Result<Option<Removed>, StoreError> {
    for said in said(db, REMOVE, 0)?.into_iter().rev() {
        if let Said { position, step: Step::Removed(right), segment, .. } = said
            && said.is_signed(db, head)?
        {
            let entry = said.entry.encode().map_err(StoreError::Entry)?;
            return Ok(Some(Removed { segment, right, position, entry }));
        }
    }
    Ok(None)
}

/// The entry at a position, if it is there, or is kept, and is the one that the root has there.
pub(in crate::store) fn as_signed(
    db: &Connection,
    position: u64,
    head: &Checkpoint,
) -> Result<Option<Entry>, StoreError> {
    if position >= head.size {
        return Ok(None);
    }
    let mut select = db.prepare_cached(
        "SELECT entry FROM leaf WHERE position = ?1
         UNION ALL SELECT entry FROM removed_entry WHERE position = ?1",
    )?;
    let octets: Option<Vec<u8>> = select.query_row([position], |row| row.get(0)).optional()?;
    let Some(octets) = octets else { return Ok(None) };
    let mut tiles = TileReader::new(|id| read_tile(db, id));
    let Ok(path) = inclusion_proof(&mut tiles, position, head.size) else { return Ok(None) };
    let leaf = leaf_hash(&octets);
    let included = verify_inclusion(&leaf, position, head.size, &path, &head.root).is_ok();
    Ok(Entry::decode(&octets).ok().filter(|_| included))
}

/// The tree of the first `size` entries, as the tiles have it.
pub(in crate::store) fn tree_of(db: &Connection, size: u64) -> Result<Frontier, StoreError> {
    let damaged = || StoreError::Damaged(format!("tiles of the first {size} entries"));
    let mut tiles = TileReader::new(|id| read_tile(db, id));
    let nodes = left_nodes(size).into_iter().map(|node| tiles.node(node));
    let nodes = nodes.collect::<Result<Vec<_>, _>>().map_err(|_| damaged())?;
    Frontier::from_nodes(size, nodes).ok_or_else(damaged)
}

/// Goes on with a tree through the entries up to a position, every one of which must be there. What is no entry of this
/// version is passed over, but for its octets.
pub(in crate::store) fn walk(
    db: &Connection,
    tree: &mut Frontier,
    until: u64,
    mut each: impl FnMut(u64, &Hash, Entry, Vec<u8>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let missing = |position: u64| StoreError::Damaged(format!("the entry at {position}"));
    let mut select = db.prepare_cached(
        "SELECT position, entry FROM leaf WHERE position >= ?1 AND position < ?2 ORDER BY position",
    )?;
    let first = tree.size();
    let mut rows = select.query((first, until))?;
    for expected in first..until {
        let row = rows.next()?.ok_or_else(|| missing(expected))?;
        let position: u64 = row.get(0)?;
        if position != expected {
            return Err(missing(expected));
        }
        let octets: Vec<u8> = row.get(1)?;
        let leaf = leaf_hash(&octets);
        tree.push(leaf);
        if let Ok(entry) = Entry::decode(&octets) {
            each(position, &leaf, entry, octets)?;
        }
    }
    Ok(())
}

impl Store {
    /// Reads at one moment, with the newest checkpoint of that moment, which the log's key signed.
    pub(in crate::store) async fn read_signed<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Checkpoint) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (size, keys) = (self.log_size(), self.inner.keys().clone());
        self.read(move |db| {
            let moment = db.unchecked_transaction()?;
            let newest = "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1";
            let note: String = moment.prepare_cached(newest)?.query_row([], |row| row.get(0))?;
            let head = keys.verify(&note).ok().filter(|head| head.size >= size);
            let head = head.ok_or_else(|| StoreError::Damaged("the newest checkpoint".into()))?;
            read(&moment, &head)
        })
        .await
    }

    /// Where the log begins: entries below were removed.
    #[must_use]
    pub fn log_begins(&self) -> u64 {
        self.inner.removals().until()
    }

    /// Looks whether more was removed than is known: whoever removed it may not have lived to say so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn follow_removals(&self) -> Result<(), StoreError> {
        let found = self.read_signed(in_force).await?;
        self.inner.removals().follow(found);
        Ok(())
    }
}
