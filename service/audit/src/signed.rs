//! The one checkpoint that a file brings along, which is all there is to hold the file against.

use crate::{
    check::{Finding, Findings, Gap, Report, Verdict},
    checkpoint::{Checkpoint, NoteError, VerifierKey},
};

/// What is believed of a file, and what was found out about it so far.
pub(crate) struct Signed<'a> {
    key: &'a VerifierKey,
    /// The checkpoint, if `key` signed it.
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) findings: Findings,
    pub(crate) gaps: Vec<Gap>,
}

impl<'a> Signed<'a> {
    pub(crate) fn read(note: &str, key: &'a VerifierKey) -> Self {
        let (mut findings, mut gaps, mut checkpoint) = (Findings::default(), Vec::new(), None);
        match Checkpoint::verify(note, key) {
            Ok(signed) => checkpoint = Some(signed),
            Err(NoteError::NotSigned) => gaps.push(Gap::OtherKey),
            Err(_) => {
                let size = Checkpoint::read_unverified(note).map_or(0, |it| it.size);
                findings.add(Finding::CheckpointAltered { size });
            }
        }
        Self { key, checkpoint, findings, gaps }
    }

    /// The report on a file with so many entries, which names the log's key as `own`; the checkpoint is held against those
    /// that were kept (`held`).
    pub(crate) fn report(
        self,
        leaves: u64,
        note: &str,
        own: &VerifierKey,
        held: &[String],
    ) -> Report {
        let Self { key, checkpoint, mut findings, mut gaps } = self;
        for (at, note) in held.iter().enumerate() {
            let Ok(held) = Checkpoint::verify(note, key) else {
                gaps.push(Gap::HeldByOtherKey(at));
                continue;
            };
            match &checkpoint {
                Some(signed) if held.size == signed.size && held.root != signed.root => {
                    findings.add(Finding::Forked { size: held.size });
                }
                Some(signed) if held.size == signed.size => {}
                _ => gaps.push(Gap::HeldElsewhere(at)),
            }
        }
        // The log may have a key of before beside it, that signed as well.
        if let Some(signed) = &checkpoint
            && Checkpoint::verify(note, own).is_err()
        {
            findings.add(Finding::KeyAltered { size: signed.size });
        }
        Report {
            leaves,
            size: checkpoint.as_ref().map_or(0, |signed| signed.size),
            root: checkpoint.as_ref().map(|signed| signed.root),
            checkpoints: u64::from(checkpoint.is_some()),
            removed: None,
            verdict: Verdict::of(findings, gaps),
        }
    }
}
