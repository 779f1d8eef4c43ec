//! What entries say of segments, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::segment::{Instant, Said, Segment, Step};

/// What was said of segments so far.
#[derive(Default)]
pub(super) struct Chain {
    /// Where the next segment begins that is closed, and the next that is removed.
    closes_from: u64,
    removes_from: u64,
    /// Which segment an entry closed, and from when its term counts.
    closed: BTreeMap<u64, (Segment, Instant)>,
    /// Which segment an entry says is to be removed, and whose it is.
    entered: BTreeMap<u64, (Segment, Option<String>)>,
    /// Those of them that another person rejected.
    rejected: BTreeSet<u64>,
}

impl Chain {
    /// Whether what an entry says follows from those before.
    pub(super) fn follows(&mut self, said: &Said) -> bool {
        let (segment, position) = (said.segment, said.position);
        match said.step {
            Step::Closed { newest } => {
                let follows = segment.first == self.closes_from;
                self.closes_from = self.closes_from.max(segment.until);
                self.closed.insert(position, (segment, newest.max(said.at)));
                follows
            }
            Step::Entered => {
                self.entered.insert(position, (segment, said.by.clone()));
                true
            }
            Step::Rejected { entered_at } => {
                let by_another = self.is_another(entered_at, said);
                self.rejected.extend(by_another.then_some(entered_at));
                by_another
            }
            Step::Removed(removal) => {
                let follows = segment.first == self.removes_from;
                self.removes_from = self.removes_from.max(segment.until);
                let as_closed =
                    self.closed.get(&removal.closed_at) == Some(&(segment, removal.since));
                let approved = self.is_another(removal.entered_at, said)
                    && !self.rejected.contains(&removal.entered_at);
                follows && as_closed && approved
            }
        }
    }

    /// Whether it is of the segment that was entered there, and the act of another person.
    fn is_another(&self, entered_at: u64, said: &Said) -> bool {
        self.entered.get(&entered_at).is_some_and(|(segment, by)| {
            *segment == said.segment && by.is_some() && said.by.is_some() && *by != said.by
        })
    }
}
