//! What a whole log states of its index, held against the index that its entries give.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{BadStatement, MAX_LAG, Statement};
use crate::{
    check::{Finding, Findings},
    entry::Entry,
    index::{self, key},
    segment::{Instant, Segment, Step},
    tree::Hash,
};

/// Holds every statement of a log against the index that its entries give.
///
/// Entries come in order. A statement counts entries that end up to [`MAX_LAG`] before it, so the newest wait here until no
/// statement can fall among them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    index: index::Index,
    /// Entries that the index counts from the beginning: they were removed.
    removed: u64,
    /// Entries about residents that it does not count yet.
    waiting: VecDeque<(u64, Hash, Hash)>,
    /// Of whom it is waiting for entries, the position of the newest.
    newest: HashMap<Hash, u64>,
    /// Of which entries nothing can be stated any more: they were removed, by those that were read.
    gone: u64,
    /// Where the next segment begins; the latest time of entries from there, and times of those that it may not reach.
    begun: u64,
    latest: Option<Instant>,
    times: VecDeque<(u64, Instant)>,
    /// Statements that were read, by the entries that they count, with their own position.
    stated: BTreeMap<(u64, u64), Hash>,
    found: Findings,
}

impl Watch {
    /// Of a log whose first entries were removed, which the index counts.
    pub(crate) fn beginning(index: index::Index, removed: u64) -> Self {
        Self { index, removed, begun: removed, ..Self::default() }
    }

    /// Takes the next entry; its position and leaf hash.
    pub(crate) fn take(&mut self, entry: &Entry, position: u64, leaf: &Hash) {
        self.take_segment(entry, position);
        match Statement::of(entry, position) {
            // Of what was removed by then nobody can have stated anything.
            Some(Ok(Statement { size, .. })) if size < self.gone => {
                self.found.add(Finding::IndexWrong { position });
            }
            // Of which entries it speaks cannot be told any more.
            Some(Ok(Statement { size, .. })) if size < self.removed => {}
            Some(Ok(Statement { size, root })) => {
                self.stated.insert((size, position), root);
                // What came between is not in the history that was given out.
                let about = entry.resident.as_deref().map(key);
                if about.and_then(|key| self.newest.get(&key)).is_some_and(|newest| *newest >= size)
                {
                    self.found.add(Finding::IndexWrong { position });
                    self.stated.remove(&(size, position));
                }
            }
            Some(Err(BadStatement)) => self.found.add(Finding::IndexWrong { position }),
            None => {}
        }
        if let Some(resident) = entry.resident.as_ref().filter(|_| position >= self.removed) {
            let key = key(resident);
            self.waiting.push_back((position, key, *leaf));
            self.newest.insert(key, position);
        }
        self.settle(position.saturating_sub(MAX_LAG));
    }

    /// What an entry says of a segment: the index over it, its latest time, and that it is gone.
    fn take_segment(&mut self, entry: &Entry, position: u64) {
        match Segment::of(entry, position) {
            Some(Ok((Step::Closed { newest }, it))) => {
                if it.until >= self.removed {
                    self.stated.insert((it.until, position), it.index_root);
                }
                let follows = it.first == self.begun;
                if it.until > self.removed
                    && (self.latest_below(it.until) != Some(newest) || !follows)
                {
                    self.found.add(Finding::SegmentWrong { position });
                }
            }
            Some(Ok((Step::Removed(_), it))) => self.gone = self.gone.max(it.until),
            Some(Ok((Step::Entered | Step::Rejected { .. }, _))) | None => {}
            Some(Err(_)) => self.found.add(Finding::SegmentWrong { position }),
        }
        if let Some(at) = Instant::read(&entry.at).filter(|_| position >= self.removed) {
            self.times.push_back((position, at));
        }
        // No segment that is closed from here on ends so soon.
        if let Some((_, at)) =
            self.times.pop_front_if(|(at, _)| *at < position.saturating_sub(MAX_LAG))
        {
            self.latest = self.latest.max(Some(at));
        }
    }

    /// The latest time since the last segment below a position, where the next begins.
    fn latest_below(&mut self, until: u64) -> Option<Instant> {
        let mut latest = self.latest.take();
        self.begun = self.begun.max(until);
        while let Some((_, at)) = self.times.pop_front_if(|(position, _)| *position < until) {
            latest = latest.max(Some(at));
        }
        latest
    }

    /// What was found, when nothing comes any more.
    pub(crate) fn finish(mut self) -> Findings {
        self.settle(u64::MAX);
        self.found
    }

    /// Decides what counts less than `until` entries: no statement that comes counts as few.
    fn settle(&mut self, until: u64) {
        while let Some(first) = self.stated.first_entry()
            && first.key().0 < until
        {
            let ((size, position), root) = first.remove_entry();
            self.count(size);
            if self.index.root() != root {
                self.found.add(Finding::IndexWrong { position });
            }
        }
        self.count(until.min(self.stated.first_key_value().map_or(until, |(key, _)| key.0)));
    }

    /// Counts the entries before a position.
    fn count(&mut self, until: u64) {
        while let Some((position, key, leaf)) = self.waiting.front()
            && *position < until
        {
            self.index.add(key, *position, leaf);
            if self.newest.get(key) == Some(position) {
                self.newest.remove(key);
            }
            self.waiting.pop_front();
        }
    }
}
