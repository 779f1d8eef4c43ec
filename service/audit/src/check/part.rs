//! Checking a log part by part while it grows, as a service does with its own: each part by itself, against the
//! checkpoints that stand within it.

use std::ops::Range;

use super::{Finding, Findings, Log, authentic::Tree, checkpoints, naming::Naming, removal::Kept};
use crate::{checkpoint::VerifierKey, table::ANCHOR};

/// What the checker found out about a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartReport {
    /// Leaves that were read.
    pub leaves: u64,
    /// Entries that the newest good checkpoint speaks of; a part that reaches it is the last.
    pub size: u64,
    /// Whether what the tiles say of all entries before leads to the checkpoint that the part begins with. Where it
    /// does not, a part that begins sooner says more.
    pub follows: bool,
    /// What is not as it was signed.
    pub findings: Findings,
}

/// Checks the entries from `part.start`, a multiple of [`ANCHOR`], to `part.end` or the end of the log. All of one log
/// having been checked by parts, all of it was checked.
///
/// The leaves below `removed` were removed by right, and all of them are gone; those that are kept of them are looked at
/// one by one.
///
/// Of the checkpoints `log` gives those from the one of size `part.start` up to that of `part.end`, and the newest; of
/// the leaves those from `part.start` on, as far as it is asked for them; to a part that begins with 0 whatever is
/// stored before, and to the last one the tiles that a log of this size does not have. Of the entries that are kept of
/// what was removed those from `part.start` on.
///
/// # Errors
/// What `log` fails with.
pub fn check_part<L: Log>(
    log: &mut L,
    key: &VerifierKey,
    part: Range<u64>,
    removed: u64,
) -> Result<PartReport, L::Error> {
    debug_assert!(part.start.is_multiple_of(ANCHOR), "parts begin where a checkpoint is kept");
    let mut findings = Findings::default();
    let anchors = part.start..=part.end;
    let signed = checkpoints::read(log, key, &[], anchors, &mut findings, &mut Vec::new())?;
    let mut report =
        PartReport { leaves: 0, size: signed.size, follows: false, findings: Findings::default() };
    if signed.good == 0 {
        // Of no entry it can be told what was signed.
        findings.add(Finding::CheckpointMissing { size: part.end });
        return Ok(PartReport { findings, ..report });
    }
    while let Some((level, index)) = log.next_tile()? {
        if !signed.has_tile(level, index) {
            findings.add(Finding::TileStray { level, index });
        }
    }
    let (mut tree, follows) = Tree::beginning(log, &signed, part.start)?;
    if !follows && signed.own.contains_key(&part.start) {
        findings.add(Finding::AlteredWithin { from: 0, until: part.start });
    }
    let mut naming = Naming::beginning(part.start);
    let mut kept = Kept::below(removed);
    let end = part.end.min(signed.size);
    while tree.size() < end {
        let block = tree.block();
        naming.read_rows(log, block.end, &mut findings)?;
        let block = tree.settle(log, &naming, &mut findings)?;
        kept.compare(log, &block)?;
        naming.compare(&block, signed.size, &mut findings);
    }
    if kept.is_altered() {
        findings.add(Finding::RemovedAltered);
    }
    naming.release(removed, &mut findings);
    match part.end < signed.size {
        true => naming.pair(&mut findings),
        false => naming.finish(log, &signed, &mut findings)?,
    }
    (report.leaves, report.follows) = (naming.leaves(), follows);
    Ok(PartReport { findings, ..report })
}
