//! The checker: is a log whole, and if not, what happened to it?
//!
//! It believes one thing only, the log's public key. From the signed checkpoints it works out which
//! hashes are authentic, trying tiles against entries where they differ, and then names every entry
//! that is not what was signed. It reads a log once, in order, in memory that grows with the number of residents
//! and not with that of entries.

use crate::{checkpoint::VerifierKey, index::Standing, table::Columns, tile::TileId, tree::Hash};

mod authentic;
mod chain;
mod checkpoints;
mod finding;
mod naming;
mod part;
mod removal;
#[cfg(test)]
mod tests;

pub use finding::{Finding, Findings, Gap, MAX_FINDINGS};
pub use part::{PartReport, check_part};
pub use removal::Removed;

/// A log as it is stored: see [`crate::table`] for how a service keeps it.
pub trait Log {
    /// Why reading failed.
    type Error;
    /// The next checkpoint: the size it is stored under, and the signed note. Smallest size first.
    /// A negative size wraps around.
    fn next_checkpoint(&mut self) -> Result<Option<(u64, String)>, Self::Error>;
    /// The next leaf, smallest position first. Asked after the last checkpoint was.
    fn next_leaf(&mut self) -> Result<Option<Leaf>, Self::Error>;
    /// Level and index of the next tile that is stored, in any order.
    fn next_tile(&mut self) -> Result<Option<(i64, i64)>, Self::Error>;
    /// The bytes of a tile, in any order.
    fn tile(&mut self, id: TileId) -> Result<Option<Vec<u8>>, Self::Error>;
    /// The leaf that says last what was removed of the log, with its position: a hint where counting begins, asked for
    /// first. A log of which nothing was removed has none.
    fn removal(&mut self) -> Result<Option<(u64, Vec<u8>)>, Self::Error> {
        Ok(None)
    }
    /// The next standing that is kept of what was removed, by key and `until`.
    fn next_standing(&mut self) -> Result<Option<KeptStanding>, Self::Error> {
        Ok(None)
    }
    /// The next entry that is kept of what was removed, smallest position first.
    fn next_kept(&mut self) -> Result<Option<(u64, Vec<u8>)>, Self::Error> {
        Ok(None)
    }
}

/// Where a resident stood when entries were removed, as it is stored. What is no number is one below zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptStanding {
    /// Whose it is, in the [`index`](crate::index).
    pub key: Vec<u8>,
    /// Up to which entry it counts.
    pub until: u64,
    /// Where they stood.
    pub standing: Standing,
}

/// A leaf as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it says it stands. A negative number wraps around, and is a [`Finding::Stray`].
    pub position: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
    /// The search columns beside it, where the log has any.
    pub columns: Option<Columns>,
}

/// What the checker found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Leaves that were read.
    pub leaves: u64,
    /// Entries that the newest good checkpoint speaks of.
    pub size: u64,
    /// The root it gives.
    pub root: Option<Hash>,
    /// Checkpoints whose signature was checked and is good.
    pub checkpoints: u64,
    /// What an entry of the log says was removed of it, the term of those entries being over.
    pub removed: Option<Removed>,
    /// The answer.
    pub verdict: Verdict,
}

/// The three answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is what was signed.
    Valid,
    /// Something was changed: this.
    Tampered(Findings),
    /// It cannot be told: this is missing.
    Unverifiable(Vec<Gap>),
}

impl Verdict {
    /// What was found decides, and then what is missing.
    pub(crate) fn of(findings: Findings, gaps: Vec<Gap>) -> Self {
        match (findings.is_empty(), gaps.is_empty()) {
            (false, _) => Self::Tampered(findings),
            (true, false) => Self::Unverifiable(gaps),
            (true, true) => Self::Valid,
        }
    }
}

/// Checks a whole log against the key `key`, and against checkpoints that were obtained earlier
/// or elsewhere and kept (`held`, signed notes).
///
/// # Errors
/// What `log` fails with. A log that was tampered with is not an error but a [`Verdict`].
pub fn check<L: Log>(log: &mut L, key: &VerifierKey, held: &[String]) -> Result<Report, L::Error> {
    let mut findings = Findings::default();
    let mut gaps = Vec::new();
    let signed = checkpoints::read(log, key, held, 0..=u64::MAX, &mut findings, &mut gaps)?;
    if signed.good > 0 {
        while let Some((level, index)) = log.next_tile()? {
            if !signed.has_tile(level, index) {
                findings.add(Finding::TileStray { level, index });
            }
        }
    }
    let mut report = Report {
        leaves: 0,
        size: signed.size,
        root: signed.own.get(&signed.size).copied(),
        checkpoints: signed.good,
        removed: None,
        verdict: Verdict::Valid,
    };
    let mut tree = authentic::Tree::new(&signed);
    let mut kept = removal::Kept::read(log)?;
    let mut naming = naming::Naming::new(signed.size, kept.counted());
    while tree.size() < signed.size {
        let block = tree.block();
        naming.read_rows(log, block.end, &mut findings)?;
        let block = tree.settle(log, &naming, &mut findings)?;
        kept.compare(log, &block)?;
        naming.compare(&block, signed.size, &mut findings);
    }
    // What a later key signed is not there to this one.
    let succeeded = gaps.iter().any(|gap| matches!(gap, Gap::Succeeded { .. }));
    let beyond = kept.beyond(signed.size).filter(|_| succeeded);
    if let Some(Removed { until, .. }) = beyond {
        gaps.push(Gap::RemovedSince { until });
    } else if signed.good > 0 {
        report.removed = kept.weigh(log, naming.stated())?;
    }
    naming.release(beyond.or(report.removed).map_or(0, |it| it.until), &mut findings);
    naming.finish(log, &signed, &mut findings)?;
    report.leaves = naming.leaves();
    if beyond.is_none() && signed.good > 0 {
        kept.hold(log, &mut findings)?;
        // Of entries that are not what was signed no index follows.
        if findings.is_empty() {
            findings = naming.statements();
        }
    }
    report.verdict = Verdict::of(findings, gaps);
    Ok(report)
}
