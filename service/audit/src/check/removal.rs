//! Entries that were removed when their term was over: what is kept of them, and the entries that say so.

use super::{Finding, Findings, KeptStanding, Log, authentic::Block, chain::Chain};
use crate::{
    entry::Entry,
    index::{EMPTY, Index},
    segment::{Instant, KEPT, Removal, Said, Segment, Step},
    tile::{TileError, TileReader},
    tree::{Hash, leaf_hash, root_of},
};

/// Octets with which no two keys of residents begin alike.
const SHARED: usize = 16;

/// What an entry of a log says was removed of it, the oldest entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Entries below this position may be gone.
    pub until: u64,
    /// Position of the entry that says so.
    pub position: u64,
    /// From when their term counted.
    pub since: Instant,
    /// Their term, in months.
    pub months: u32,
    /// Whether a witness had signed the log with the closing of their segment, as the entry says.
    pub witnessed: bool,
}

impl Removed {
    /// What an entry at a position says was removed; `None` where it removes nothing, or not as it has to.
    #[must_use]
    pub fn of(entry: &Entry, position: u64) -> Option<Self> {
        Said::of(entry, position).as_ref().and_then(Self::as_said)
    }

    fn as_said(said: &Said) -> Option<Self> {
        let (until, position) = (said.segment.until, said.position);
        let Removal { since, months, .. } = removal(said)?;
        Some(Self { until, position, since, months, witnessed: said.witnessed })
    }
}

fn removal(said: &Said) -> Option<Removal> {
    match said.step {
        Step::Removed(removal) => Some(removal),
        _ => None,
    }
}

/// An entry as signed that has to say what becomes of a segment.
pub(super) struct Stated {
    position: u64,
    /// `None` where it does not.
    said: Option<Said>,
}

impl Stated {
    /// `None` for one that does not have to.
    pub(super) fn of(entry: &Entry, position: u64) -> Option<Self> {
        Segment::of(entry, position).map(|_| Self { position, said: Said::of(entry, position) })
    }

    pub(super) fn removes(&self) -> bool {
        self.said.as_ref().is_some_and(|said| removal(said).is_some())
    }
}

/// What is kept of entries that were removed, as it is stored.
#[derive(Default)]
pub(super) struct Kept {
    /// What the newest leaf says that says so. Whether it was signed is not known.
    said: Option<Said>,
    /// Below which position entries are kept.
    until: u64,
    /// Where residents stood then, and the root over that.
    index: Index,
    root: Hash,
    /// An entry that was read and not yet compared.
    next: Option<(u64, Vec<u8>)>,
    /// Entries that are as they were signed: how many, the one after the last, and what they and others say of segments.
    entries: u64,
    from: u64,
    stated: Vec<Stated>,
    /// Something is not as it has to be.
    altered: bool,
}

impl Kept {
    /// Entries of those below this position.
    pub(super) fn below(until: u64) -> Self {
        Self { until, ..Self::default() }
    }

    pub(super) fn read<L: Log>(log: &mut L) -> Result<Self, L::Error> {
        let leaf = log.removal()?.filter(|(position, _)| position.cast_signed() >= 0);
        let said =
            leaf.and_then(|(position, leaf)| Said::of(&Entry::decode(&leaf).ok()?, position));
        let said = said.filter(|said| removal(said).is_some());
        let mut kept = Self::below(said.as_ref().map_or(0, |said| said.segment.until));
        kept.said = said;
        kept.read_standings(log)?;
        kept.root = kept.index.root();
        Ok(kept)
    }

    /// Of each key the last standing counts that is not beyond what was removed; others are there for the next removal.
    fn read_standings<L: Log>(&mut self, log: &mut L) -> Result<(), L::Error> {
        let mut last = None::<(Hash, u64)>;
        while let Some(KeptStanding { key, until, standing }) = log.next_standing()? {
            let key = Hash::try_from(key).ok().filter(|_| until.cast_signed() > 0);
            let key = key.filter(|key| last.is_none_or(|last| last < (*key, until)));
            let key = key.filter(|key| last.is_none_or(|(last, _)| !is_chosen(key, &last)));
            let counts = until <= self.until;
            let Some(key) = key.filter(|_| !counts || standing.count.cast_signed() > 0) else {
                self.altered = true;
                return Ok(());
            };
            if counts {
                self.index.set(&key, standing);
            }
            last = Some((key, until));
        }
        Ok(())
    }

    /// Where counting begins: what the index was, and of how many entries.
    pub(super) fn counted(&mut self) -> (Index, u64) {
        (std::mem::take(&mut self.index), self.until)
    }

    /// What it says where that was signed by a key that is not at hand: of so many entries it is.
    pub(super) fn beyond(&self, signed: u64) -> Option<Removed> {
        let said = self.said.as_ref().filter(|said| said.position >= signed);
        said.and_then(Removed::as_said)
    }

    /// Whether an entry is not one that is kept, or not as it was signed.
    pub(super) fn is_altered(&self) -> bool {
        self.altered
    }

    /// Holds those that are kept of a block against it.
    pub(super) fn compare<L: Log>(&mut self, log: &mut L, block: &Block) -> Result<(), L::Error> {
        let end = block.begin + block.leaves.len() as u64;
        // Whoever wrote one wrong may have written any number.
        while !self.altered
            && let Some((position, entry)) = self.next_entry(log)?
        {
            if position >= end {
                self.next = Some((position, entry));
                break;
            }
            let at = position.checked_sub(block.begin).filter(|_| position >= self.from);
            let signed = at.and_then(|at| block.leaves.get(at as usize)).copied();
            // What cannot be told was named with its tile.
            let is_signed = signed.is_some_and(|signed| {
                block.lost || signed.is_none_or(|signed| signed == leaf_hash(&entry))
            });
            let entry = Entry::decode(&entry).ok().filter(|_| is_signed && position < self.until);
            match entry.filter(|entry| KEPT.contains(&entry.action.as_str())) {
                Some(entry) => self.stated.extend(Stated::of(&entry, position)),
                None => self.altered = true,
            }
            (self.entries, self.from) = (self.entries + 1, position + 1);
        }
        Ok(())
    }

    fn next_entry<L: Log>(&mut self, log: &mut L) -> Result<Option<(u64, Vec<u8>)>, L::Error> {
        self.next.take().map_or_else(|| log.next_kept(), |next| Ok(Some(next)))
    }

    /// Weighs what is kept against what leaves say that are as signed. Answers what was removed by right.
    pub(super) fn weigh<L: Log>(
        &mut self,
        log: &mut L,
        stated: Vec<Stated>,
    ) -> Result<Option<Removed>, L::Error> {
        self.stated.extend(stated);
        self.stated.sort_by_key(|stated| stated.position);
        // What is kept may be there still.
        self.stated.dedup_by_key(|stated| stated.position);
        let newest = self.stated.iter().rfind(|stated| stated.removes());
        let newest = newest.and_then(|stated| stated.said.as_ref());
        let entries = newest.and_then(removal).map_or(0, |removal| removal.kept);
        self.altered |= self.said.as_ref() != newest || self.entries != entries;
        let removed = newest.and_then(Removed::as_said);
        self.altered = self.altered || self.next_entry(log)?.is_some();
        Ok(removed)
    }

    /// Holds what entries say of segments against each other, the tree and the index, when these are as they were signed.
    pub(super) fn hold<L: Log>(
        &self,
        log: &mut L,
        findings: &mut Findings,
    ) -> Result<(), L::Error> {
        let mut chain = Chain::default();
        let whole = findings.is_empty() && !self.altered;
        for Stated { position, said } in self.stated.iter().filter(|_| whole) {
            let position = *position;
            let Some(said) = said else {
                findings.add(Finding::SegmentWrong { position });
                continue;
            };
            let own = match root_of(&mut TileReader::new(|id| log.tile(id)), said.segment.until) {
                Err(TileError::Read(error)) => return Err(error),
                Err(TileError::Absent(_)) => said.segment.root,
                Ok(root) => root,
            };
            if !chain.follows(said) || own != said.segment.root {
                findings.add(Finding::SegmentWrong { position });
            }
        }
        let root = self.said.as_ref().map_or(EMPTY, |said| said.segment.index_root);
        if self.altered || self.root != root {
            findings.add(Finding::RemovedAltered);
        }
        Ok(())
    }
}

/// Whether a key was made to follow another: those of residents are hashes, and an index of such ones has no long way that
/// two of them share.
fn is_chosen(key: &Hash, before: &Hash) -> bool {
    key != before && key[..SHARED] == before[..SHARED]
}
