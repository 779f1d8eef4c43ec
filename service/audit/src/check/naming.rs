//! What happened to each entry: rows as they stand against leaves as they were signed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use super::{Finding, Findings, Leaf, Log, authentic::Block, checkpoints::Signed, removal::Stated};
use crate::{
    entry::{Entry, MAX_ENTRY},
    history::Watch,
    index::Index,
    tree::{Hash, leaf_hashes},
};

/// How many entries removed or inserted in one place, with the rest renumbered, are recognised.
const REACH: usize = 64;
/// Leaves that are read to be hashed together, and their octets.
const TOGETHER: usize = 64;
const OCTETS: usize = TOGETHER * MAX_ENTRY;
/// Mismatches that are kept to be paired at the end.
const MAX_PAIRED: usize = 10_000;

/// A row that was read.
struct Row {
    position: u64,
    hash: Hash,
    /// What is wrong with it besides its hash.
    fault: Option<Fault>,
    /// What it says becomes of a segment.
    segment: Option<Box<Stated>>,
}

#[derive(Clone, Copy)]
enum Fault {
    Malformed,
    Column(&'static str),
}

/// An entry that is not the one that was signed in its place.
struct Mismatch {
    position: u64,
    signed: Hash,
    found: Hash,
}

/// Where comparing stands.
#[derive(Default)]
pub(super) struct Naming {
    /// Leaves read, with their hashes.
    leaves: VecDeque<(Leaf, Hash)>,
    /// Rows read and not yet compared.
    rows: VecDeque<Row>,
    ended: bool,
    read: u64,
    /// The leaf that is compared next.
    next: u64,
    /// Position of the row that should hold leaf `next`, less `next`: removed and inserted entries
    /// move all later rows when somebody renumbered them.
    shift: i64,
    mismatches: Vec<Mismatch>,
    /// Leaves without a row, by the hash that was signed where it is known.
    absent: Vec<(u64, Option<Hash>)>,
    /// The first leaf that has a row: those before may have been removed by right.
    first: u64,
    /// The same as `absent`, of those.
    before: Vec<(u64, Option<Hash>)>,
    /// What rows that are as signed say of segments.
    stated: Vec<Stated>,
    /// Rows without a leaf.
    strange: Vec<(u64, Hash)>,
    /// How many leaves were signed.
    signed: u64,
    /// What the rows state of residents.
    watch: Watch,
}

impl Naming {
    /// Where comparing begins with this leaf.
    pub(super) fn beginning(leaf: u64) -> Self {
        Self { next: leaf, first: leaf, ..Self::default() }
    }

    /// Of so many leaves; `counted` is the index of residents of those that were removed, and their number.
    pub(super) fn new(signed: u64, (index, until): (Index, u64)) -> Self {
        Self { signed, watch: Watch::beginning(index, until), ..Self::default() }
    }

    /// What rows that are as signed say of segments.
    pub(super) fn stated(&mut self) -> Vec<Stated> {
        std::mem::take(&mut self.stated)
    }

    /// That the leaves below a position need no row, as far as they are the first.
    pub(super) fn release(&mut self, until: u64, findings: &mut Findings) {
        let known = self.before.last().map_or(self.first, |(leaf, _)| leaf + 1);
        let unknown = known.max(until);
        let before = std::mem::take(&mut self.before);
        let missing = before.into_iter().filter(|(leaf, _)| *leaf >= until);
        let missing = missing.chain(std::mem::take(&mut self.absent));
        self.absent = missing.collect();
        if unknown < self.first {
            findings.add(Finding::Missing { from: unknown, until: self.first });
        }
    }

    /// Statements of another index of residents than the rows give, where the rows are what was signed.
    pub(super) fn statements(&mut self) -> Findings {
        std::mem::take(&mut self.watch).finish()
    }

    /// Rows that were read.
    pub(super) fn leaves(&self) -> u64 {
        self.read
    }

    /// Reads rows up to leaf `end`, and as far beyond as recognising needs.
    pub(super) fn read_rows<L: Log>(
        &mut self,
        log: &mut L,
        end: u64,
        findings: &mut Findings,
    ) -> Result<(), L::Error> {
        let end = end.saturating_add_signed(self.shift) + 2 * REACH as u64;
        while self.rows.back().is_none_or(|row| row.position < end) {
            let Some(row) = self.read_row(log, end, findings)? else { break };
            self.rows.push_back(row);
        }
        Ok(())
    }

    fn read_row<L: Log>(
        &mut self,
        log: &mut L,
        end: u64,
        findings: &mut Findings,
    ) -> Result<Option<Row>, L::Error> {
        loop {
            let Some((leaf, hash)) = self.next_leaf(log, end)? else { return Ok(None) };
            let Leaf { position, entry, columns } = leaf;
            if position.cast_signed() < 0 {
                findings.add(Finding::Stray { position: position.cast_signed() });
                continue;
            }
            self.read += 1;
            let mut segment = None;
            let fault = match Entry::decode(&entry) {
                Err(_) => Some(Fault::Malformed),
                Ok(entry) => {
                    segment = Stated::of(&entry, position).map(Box::new);
                    if position < self.signed {
                        self.watch.take(&entry, position, &hash);
                    }
                    let columns = columns.and_then(|columns| columns.disagreement(&entry));
                    columns.map(Fault::Column)
                }
            };
            return Ok(Some(Row { position, hash, fault, segment }));
        }
    }

    /// The next leaf with its hash; leaves beyond position `end` are not read for it.
    fn next_leaf<L: Log>(
        &mut self,
        log: &mut L,
        end: u64,
    ) -> Result<Option<(Leaf, Hash)>, L::Error> {
        if self.leaves.is_empty() {
            let (mut leaves, mut octets, mut before) = (Vec::new(), 0, true);
            while !self.ended && before && leaves.len() < TOGETHER && octets < OCTETS {
                let Some(leaf) = log.next_leaf()? else {
                    self.ended = true;
                    break;
                };
                octets += leaf.entry.len();
                before = leaf.position < end;
                leaves.push(leaf);
            }
            let entries: Vec<&[u8]> = leaves.iter().map(|leaf| &*leaf.entry).collect();
            let hashes = leaf_hashes(&entries);
            self.leaves = leaves.into_iter().zip(hashes).collect();
        }
        Ok(self.leaves.pop_front())
    }

    /// Hashes of the rows that should hold these leaves, if all are there.
    pub(super) fn hashes(&self, leaves: Range<u64>) -> Option<Vec<Hash>> {
        let position = leaves.start.checked_add_signed(self.shift)?;
        let from = self.rows.partition_point(|row| row.position < position);
        let rows = self.rows.iter().skip(from).take((leaves.end - leaves.start) as usize);
        let hashes: Vec<_> = rows
            .zip(position..)
            .map_while(|(row, expected)| (row.position == expected).then_some(row.hash))
            .collect();
        (hashes.len() as u64 == leaves.end - leaves.start).then_some(hashes)
    }

    /// Compares the rows of a block with its leaves.
    pub(super) fn compare(&mut self, block: &Block, size: u64, findings: &mut Findings) {
        let end = block.begin + block.leaves.len() as u64;
        let signed = |leaf: u64| -> Option<Hash> {
            let at = leaf.checked_sub(block.begin)? as usize;
            match block.leaves.get(at) {
                Some(hash) => *hash,
                None => block.ahead.get(at - block.leaves.len()).copied(),
            }
        };
        while self.next < end {
            let leaf = self.next;
            let position = leaf.checked_add_signed(self.shift);
            let standing = self.rows.front().map(|row| row.position);
            match (standing, position) {
                (Some(standing), Some(position)) if standing < position => {
                    if let Some(row) = self.rows.pop_front() {
                        self.inserted_row(&row, findings);
                    }
                }
                (Some(standing), Some(position)) if standing == position => {
                    self.compare_row(leaf, position, size, &signed, findings);
                }
                _ => {
                    match leaf == self.first {
                        true => self.unbegun_leaf(leaf, signed(leaf)),
                        false => self.removed_leaf(leaf, signed(leaf), findings),
                    }
                    self.next += 1;
                }
            }
        }
    }

    /// The first row against `leaf`, at whose place it stands.
    fn compare_row(
        &mut self,
        leaf: u64,
        position: u64,
        size: u64,
        signed: &dyn Fn(u64) -> Option<Hash>,
        findings: &mut Findings,
    ) {
        let hash = self.rows[0].hash;
        let expected = signed(leaf);
        if expected.is_none() || expected == Some(hash) {
            if let Some(row) = self.rows.pop_front() {
                match row.fault {
                    Some(Fault::Column(column)) => {
                        findings.add(Finding::Column { position, column });
                    }
                    Some(Fault::Malformed) => findings.add(Finding::Malformed { position }),
                    None => {}
                }
                if expected.is_some() && position == leaf {
                    self.stated.extend(row.segment.map(|it| *it));
                }
            }
            self.next += 1;
        } else if let Some(removed) = self.removed(leaf, hash, size, signed) {
            for leaf in leaf..leaf + removed {
                self.removed_leaf(leaf, signed(leaf), findings);
            }
            self.next += removed;
            self.shift -= removed as i64;
        } else if let Some(inserted) = self.inserted(leaf, size, signed) {
            for row in self.rows.drain(..inserted).collect::<Vec<_>>() {
                self.inserted_row(&row, findings);
            }
            self.shift += inserted as i64;
        } else {
            self.rows.pop_front();
            self.next += 1;
            match expected {
                Some(signed) if self.mismatches.len() < MAX_PAIRED => {
                    self.mismatches.push(Mismatch { position: leaf, signed, found: hash });
                }
                _ => findings.add(Finding::Altered { position: leaf }),
            }
        }
    }

    /// How many leaves were removed here and the rest renumbered: the row is a later leaf, and the
    /// row after it is the leaf after that.
    fn removed(
        &self,
        leaf: u64,
        hash: Hash,
        size: u64,
        signed: &dyn Fn(u64) -> Option<Hash>,
    ) -> Option<u64> {
        let next = self.adjacent(1).map(|row| row.hash);
        (1..=REACH as u64).find(|removed| {
            let later = leaf + removed;
            later < size
                && signed(later) == Some(hash)
                && if later + 1 == size {
                    next.is_none()
                } else {
                    next.is_some() && signed(later + 1) == next
                }
        })
    }

    /// How many rows were inserted here and the rest renumbered: a later row is this leaf, and the
    /// row after it the next.
    fn inserted(
        &self,
        leaf: u64,
        size: u64,
        signed: &dyn Fn(u64) -> Option<Hash>,
    ) -> Option<usize> {
        let hash = signed(leaf)?;
        (1..=REACH).find(|inserted| {
            let next = self.adjacent(inserted + 1).map(|row| row.hash);
            self.adjacent(*inserted).is_some_and(|row| row.hash == hash)
                && if leaf + 1 == size {
                    next.is_none()
                } else {
                    next.is_some() && signed(leaf + 1) == next
                }
        })
    }

    /// The row `ahead` of the first, if positions run on without a gap until there.
    fn adjacent(&self, ahead: usize) -> Option<&Row> {
        let (first, row) = (self.rows.front()?, self.rows.get(ahead)?);
        (row.position == first.position + ahead as u64).then_some(row)
    }

    /// What remains after the last leaf, and the pairs among the mismatches.
    pub(super) fn finish<L: Log>(
        &mut self,
        log: &mut L,
        signed: &Signed,
        findings: &mut Findings,
    ) -> Result<(), L::Error> {
        // Under a checkpoint that was altered more may have been signed than can be told.
        let told = signed.claimed == signed.size && signed.good > 0;
        let mut rows = std::mem::take(&mut self.rows);
        loop {
            let row = match rows.pop_front() {
                Some(row) => Some(row),
                None => self.read_row(log, u64::MAX, findings)?,
            };
            let Some(row) = row else { break };
            if told {
                self.inserted_row(&row, findings);
            }
        }
        self.pair(findings);
        Ok(())
    }

    /// A leaf without a row, as all before it.
    fn unbegun_leaf(&mut self, leaf: u64, signed: Option<Hash>) {
        if self.before.len() < MAX_PAIRED {
            self.before.push((leaf, signed));
        }
        self.first = leaf + 1;
    }

    fn removed_leaf(&mut self, leaf: u64, signed: Option<Hash>, findings: &mut Findings) {
        if self.absent.len() < MAX_PAIRED {
            self.absent.push((leaf, signed));
        } else {
            findings.add(Finding::Missing { from: leaf, until: leaf + 1 });
        }
    }

    fn inserted_row(&mut self, row: &Row, findings: &mut Findings) {
        if self.strange.len() < MAX_PAIRED {
            self.strange.push((row.position, row.hash));
        } else {
            findings.add(Finding::Inserted { position: row.position });
        }
    }

    /// Says of each oddity that was kept what it is, now that all are known: one that is missing
    /// here and too many there was moved, two in each other's place were swapped.
    pub(super) fn pair(&mut self, findings: &mut Findings) {
        let strange: HashMap<Hash, u64> =
            self.strange.iter().map(|(position, hash)| (*hash, *position)).collect();
        // One that stands in the place of another that is missing, too.
        let mut replaced = HashMap::new();
        let found: HashMap<Hash, u64> =
            self.mismatches.iter().map(|mismatch| (mismatch.found, mismatch.position)).collect();
        let mut moved = HashSet::new();
        let mut missing = Vec::new();
        for (leaf, hash) in &self.absent {
            if let Some(position) = hash.and_then(|hash| strange.get(&hash)) {
                moved.insert(*position);
                findings.add(Finding::Moved { position: *position, signed: *leaf });
            } else if let Some(position) = hash.and_then(|hash| found.get(&hash)) {
                replaced.insert(*position, *leaf);
            } else {
                missing.push(*leaf);
            }
        }
        for Mismatch { position, signed, .. } in &self.mismatches {
            let elsewhere = found.contains_key(signed) || strange.contains_key(signed);
            if replaced.contains_key(position) && !elsewhere {
                missing.push(*position);
            }
        }
        missing.sort_unstable();
        for leaf in missing {
            findings.add(Finding::Missing { from: leaf, until: leaf + 1 });
        }
        for (position, _) in self.strange.iter().filter(|(position, _)| !moved.contains(position)) {
            findings.add(Finding::Inserted { position: *position });
        }

        let signed: HashMap<Hash, &Mismatch> =
            self.mismatches.iter().map(|mismatch| (mismatch.signed, mismatch)).collect();
        for Mismatch { position, signed: own, found } in &self.mismatches {
            let position = *position;
            if let Some(signed) = replaced.get(&position).copied() {
                findings.add(Finding::Moved { position, signed });
                continue;
            }
            match signed.get(found) {
                Some(other) if other.found == *own && other.position > position => {
                    findings.add(Finding::Swapped { first: position, second: other.position });
                }
                Some(other) if other.found == *own => {}
                Some(other) => {
                    findings.add(Finding::Moved { position, signed: other.position });
                }
                None => findings.add(Finding::Altered { position }),
            }
        }
    }
}
