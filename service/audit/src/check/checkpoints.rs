//! What was signed: sizes and roots.

use std::collections::BTreeMap;

use super::{Finding, Findings, Gap, Log};
use crate::{
    checkpoint::{Checkpoint, NoteError, VerifierKey},
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

pub(super) fn read<L: Log>(
    log: &mut L,
    key: &VerifierKey,
    held: &[String],
    findings: &mut Findings,
    gaps: &mut Vec<Gap>,
) -> Result<Signed, L::Error> {
    let (own_map, held_map) = (BTreeMap::new(), BTreeMap::new());
    let mut signed = Signed { own: own_map, held: held_map, size: 0, claimed: 0, good: 0 };
    let (mut any, mut succeeded, mut foreign) = (false, false, Vec::new());
    while let Some((size, note)) = log.next_checkpoint()? {
        if size.cast_signed() < 0 {
            findings.add(Finding::Stray { position: size.cast_signed() });
            continue;
        }
        any = true;
        signed.claimed = signed.claimed.max(size);
        match Checkpoint::verify(&note, key) {
            Ok(checkpoint) if checkpoint.size == size => {
                signed.good += 1;
                signed.size = signed.size.max(size);
                signed.own.insert(size, checkpoint.root);
                succeeded = key.is_succeeded_in(&note);
            }
            Err(NoteError::NotSigned) => foreign.push(size),
            Ok(_) | Err(_) => findings.add(Finding::CheckpointAltered { size }),
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
