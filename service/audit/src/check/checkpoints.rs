//! What was signed: sizes and roots.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use super::{Finding, Findings, Gap, Log};
use crate::{
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    table::ANCHOR,
    tile::TileId,
    tree::Hash,
};

/// Genuine checkpoints, by size.
pub(super) struct Signed {
    /// Those stored in the log.
    pub(super) own: BTreeMap<u64, Hash>,
    /// Those that are held.
    pub(super) held: BTreeMap<u64, Hash>,
    /// The greatest size among the log's own.
    pub(super) size: u64,
    /// The greatest size that any checkpoint in the log claims, genuine or not.
    pub(super) claimed: u64,
    /// Number of the log's own.
    pub(super) good: u64,
}

impl Signed {
    /// Takes one of the log's own as evidence.
    fn take(&mut self, Checkpoint { size, root, .. }: Checkpoint, findings: &mut Findings) {
        self.size = self.size.max(size);
        self.claimed = self.claimed.max(size);
        if *self.own.entry(size).or_insert(root) != root {
            findings.add(Finding::Forked { size });
        }
    }

    /// Whether the log has this tile, as far as its checkpoints claim to reach.
    pub(super) fn has_tile(&self, level: i64, index: i64) -> bool {
        let id = u8::try_from(level).ok().zip(u64::try_from(index).ok());
        id.is_some_and(|(level, index)| TileId { level, index }.width(self.claimed) > 0)
    }
}

/// Reads what `log` gives; of those that a log keeps none may be missing whose size is among `kept`.
pub(super) fn read<L: Log>(
    log: &mut L,
    key: &VerifierKey,
    held: &[String],
    kept: RangeInclusive<u64>,
    findings: &mut Findings,
    gaps: &mut Vec<Gap>,
) -> Result<Signed, L::Error> {
    let (own_map, held_map) = (BTreeMap::new(), BTreeMap::new());
    let mut signed = Signed { own: own_map, held: held_map, size: 0, claimed: 0, good: 0 };
    let (mut any, mut succeeded, mut foreign) = (false, false, Vec::new());
    let mut anchors = BTreeSet::new();
    while let Some((size, note)) = log.next_checkpoint()? {
        if size.cast_signed() < 0 {
            findings.add(Finding::Stray { position: size.cast_signed() });
            continue;
        }
        any = true;
        if size.is_multiple_of(ANCHOR) {
            anchors.insert(size);
        }
        signed.claimed = signed.claimed.max(size);
        match Checkpoint::verify(&note, key) {
            Ok(checkpoint) => {
                signed.good += 1;
                if checkpoint.size == size {
                    succeeded = key.is_succeeded_in(&note);
                } else {
                    // Whatever size it is stored under, what was signed was signed.
                    findings.add(Finding::CheckpointAltered { size });
                }
                signed.take(checkpoint, findings);
            }
            Err(NoteError::NotSigned) => foreign.push(size),
            Err(_) => findings.add(Finding::CheckpointAltered { size }),
        }
    }
    if signed.good > 0 {
        // Beside genuine ones, a checkpoint by nobody is one whose signer was overwritten, unless a new
        // key took over before it.
        if succeeded && foreign.last().is_some_and(|last| *last > signed.size) {
            gaps.push(Gap::Succeeded { size: signed.size });
            foreign.retain(|size| *size <= signed.size);
        }
        foreign.into_iter().for_each(|size| findings.add(Finding::CheckpointAltered { size }));
        let (first, last) = (kept.start().div_ceil(ANCHOR), *kept.end().min(&signed.size));
        let kept = (first..=last / ANCHOR).map(|nth| nth * ANCHOR);
        kept.filter(|size| !anchors.contains(size))
            .for_each(|size| findings.add(Finding::CheckpointMissing { size }));
    } else if any {
        gaps.push(Gap::OtherKey);
    } else {
        gaps.push(Gap::NoCheckpoint);
    }
    for (at, note) in held.iter().enumerate() {
        let Ok(checkpoint) = Checkpoint::verify(note, key) else {
            gaps.push(Gap::HeldByOtherKey(at));
            continue;
        };
        let Checkpoint { size, root, .. } = checkpoint;
        if size > signed.size {
            findings.add(Finding::RolledBack { held: size, size: signed.size });
        }
        let known = signed.held.insert(size, root).or(signed.own.get(&size).copied());
        if known.is_some_and(|known| known != root) {
            findings.add(Finding::Forked { size });
        }
    }
    Ok(signed)
}
