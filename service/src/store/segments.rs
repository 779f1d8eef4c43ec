//! Segments of the log (日志分段): closed as it grows, long before anything of them may be removed. What is closed stands in
//! the log and nowhere else.

use std::collections::BTreeMap;

use audit::{
    Entry, Outcome,
    checkpoint::Checkpoint,
    history::{MAX_LAG, Statement},
    segment::{CLOSE, Instant, REMOVE, Segment, Step},
};
use rusqlite::Connection;

use super::{
    Change, Store, StoreError,
    facts::Found,
    micros::Micros,
    removals::{Said, as_signed, removed_until, said, tree_of, walk},
    resident_index::Mark,
};
use crate::clock::{self, UtcTime, rfc3339};

/// The detail of a closing with the earliest time in the entries, for whoever reads it.
const OLDEST: &str = "oldest";

/// A segment that may be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentDraft {
    /// Which.
    pub segment: Segment,
    /// The earliest time in its entries.
    pub oldest: UtcTime,
    /// The latest.
    pub newest: UtcTime,
    /// Before when it is not closed where no witness tells the time: the time of its last entry.
    pub not_before: UtcTime,
    /// Position of the entry that closed the segment before.
    after: Option<u64>,
}

/// A segment that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedSegment {
    /// What was closed.
    pub segment: Segment,
    /// The earliest time in its entries, as far as the entry that closed it says it.
    pub oldest: Option<UtcTime>,
    /// The latest.
    pub newest: UtcTime,
    /// From when its term counts: the latest time in its entries, or when it was closed if that is later.
    pub since: UtcTime,
    /// Position of the entry that closed it.
    pub closed_at: u64,
    /// Position of the entry that removed it.
    pub removed_at: Option<u64>,
}

impl ClosedSegment {
    fn of(Said { position, step, segment, entry }: Said) -> Option<Self> {
        let Step::Closed { newest } = step else { return None };
        let newest = clock::read(&newest.to_string())?;
        Some(Self {
            segment,
            oldest: entry.detail.get(OLDEST).and_then(|it| clock::read(it)),
            newest,
            since: newest.max(Micros::of(&entry).ok()?.0),
            closed_at: position,
            removed_at: None,
        })
    }

    /// That the log says so at that position.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub(super) fn check_signed(
        &self,
        db: &Connection,
        head: &Checkpoint,
    ) -> Result<(), StoreError> {
        let signed = as_signed(db, self.closed_at, head)?;
        let said = signed.and_then(|entry| Self::of(Said::of(entry, self.closed_at)?));
        match said.map(|it| Self { removed_at: self.removed_at, ..it }).as_ref() == Some(self) {
            true => Ok(()),
            false => Err(StoreError::damaged("the entry that closed a segment of the log")),
        }
    }
}

impl Store {
    /// Says how many entries a segment has: a power of two.
    pub fn divide(&self, length: u64) {
        if let Some(index) = self.inner.index() {
            index.mark_each(length);
        }
    }

    /// Up to where the log can be closed: where the next segment begins, once the index of residents knows it.
    #[must_use]
    pub fn segment_end(&self) -> Option<u64> {
        let size = self.inner.index()?.mark()?.index.size;
        // An index that is far behind comes to a later end, which takes this one in.
        (self.log_size().saturating_sub(size) <= MAX_LAG).then_some(size)
    }

    /// What may be closed next: all that came since the last segment.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where entries, or what was closed before, are not as they were signed.
    pub async fn segment_draft(&self) -> Result<Option<SegmentDraft>, StoreError> {
        match self.inner.index().and_then(|index| index.mark()) {
            Some(mark) => self.read_signed(move |moment, head| draft(moment, head, &mark)).await,
            None => Ok(None),
        }
    }

    /// Closes a segment, unless another was closed meanwhile, or the log has gone on too far: the next then takes it in.
    ///
    /// # Errors
    /// As [`record_act`](Self::record_act).
    pub async fn record_segment_closed(
        &self,
        draft: SegmentDraft,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        let SegmentDraft { segment, oldest, newest, after, .. } = draft;
        let newest = Instant::read(&rfc3339(newest))
            .ok_or_else(|| StoreError::damaged("times of a segment"))?;
        let entry = entry.with(OLDEST, rfc3339(oldest));
        let entry = segment.in_entry(Step::Closed { newest }, entry);
        let ((), receipt) = self
            .submit(&entry, move |db, position| {
                let last = closings_there(db)?.pop().map(|it| it.position);
                let late = position - segment.until > MAX_LAG;
                Ok(if last != after || late { Found::Same(()) } else { Found::Changed(()) })
            })
            .await?;
        Ok(receipt.map_or(Change::None, Change::Recorded))
    }

    /// Closed segments from one position on, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn segments(
        &self,
        from: u64,
        limit: usize,
    ) -> Result<Vec<ClosedSegment>, StoreError> {
        let found = self.read_signed(|moment, _| closed(moment)).await?;
        Ok(found.into_iter().filter(|it| it.segment.first >= from).take(limit).collect())
    }

    /// The closed segment that begins at a position.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where the entry that closed it is not as it was signed.
    pub async fn segment(&self, first: u64) -> Result<Option<ClosedSegment>, StoreError> {
        self.read_signed(move |moment, head| {
            let found = closed(moment)?.into_iter().find(|it| it.segment.first == first);
            match found {
                Some(found) => found.check_signed(moment, head).map(|()| Some(found)),
                None => Ok(None),
            }
        })
        .await
    }
}

/// What came since the last segment up to a mark of the index. All since then is looked at: no entry that closed another
/// hides from that.
fn draft(
    db: &Connection,
    head: &Checkpoint,
    mark: &Mark,
) -> Result<Option<SegmentDraft>, StoreError> {
    let mut last = None;
    for said in closings_there(db)?.into_iter().rev() {
        if said.is_signed(db, head)? {
            last = ClosedSegment::of(said);
            break;
        }
    }
    let Statement { size: until, root: index_root } = mark.index;
    let (first, after) = (last.map_or(0, |it| it.segment.until), last.map(|it| it.closed_at));
    if until <= first || until > head.size {
        return Ok(None);
    }
    let mut times = None::<[UtcTime; 3]>;
    let mut log = tree_of(db, first)?;
    walk(db, &mut log, until, |position, _, entry, _| {
        check_no_other(position, &entry, after)?;
        let at = Micros::of(&entry)?.0;
        let [oldest, newest, _] = times.unwrap_or([at; 3]);
        times = Some([oldest.min(at), newest.max(at), at]);
        Ok(())
    })?;
    let root = log.root();
    walk(db, &mut log, head.size, |position, _, entry, _| check_no_other(position, &entry, after))?;
    // What is signed of it here was signed before, and counted as it is.
    let [oldest, newest, end] = times
        .filter(|_| log.root() == head.root && root == mark.log_root)
        .ok_or_else(|| StoreError::damaged("entries of a segment of the log"))?;
    let segment = Segment { first, until, root, index_root };
    Ok(Some(SegmentDraft { segment, oldest, newest, not_before: end, after }))
}

fn check_no_other(position: u64, entry: &Entry, known: Option<u64>) -> Result<(), StoreError> {
    let closes = entry.action == CLOSE && entry.outcome == Outcome::Granted;
    match closes && Some(position) != known {
        true => Err(StoreError::damaged("an entry that closed a segment of the log was not found")),
        false => Ok(()),
    }
}

/// Entries that are there and close segments, in the order of the log: the last is always among them.
fn closings_there(db: &Connection) -> Result<Vec<Said>, StoreError> {
    said(db, CLOSE, 0)
}

/// The segments that are closed: from the beginning of the log on each that follows the one before.
pub(super) fn closed(db: &Connection) -> Result<Vec<ClosedSegment>, StoreError> {
    let begins = removed_until(db)?;
    let removed = said(db, REMOVE, begins)?;
    let removed: BTreeMap<u64, u64> =
        removed.iter().map(|it| (it.segment.first, it.position)).collect();
    let mut chain: Vec<ClosedSegment> = Vec::new();
    for mut found in said(db, CLOSE, begins)?.into_iter().filter_map(ClosedSegment::of) {
        let end = chain.last().map_or(0, |last| last.segment.until);
        if found.segment.first == end {
            found.removed_at = removed.get(&end).copied();
            chain.push(found);
        }
    }
    Ok(chain)
}
