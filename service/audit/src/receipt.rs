//! Receipts (回执): what shows whoever did something that it stands in the log, in one text file.
//!
//! ```text
//! healthcard-receipt v1
//! key log.example+5f1c0a77+/2hlYWx0…       verifier key; compare it with one obtained another way
//! position 4090                            where it stands, from 0
//! leaf <hash, base64>                      its hash
//! proof 11                                 inclusion proof, from the leaf upwards
//! hash <base64>
//! checkpoint 5                             lines of the signed note, which follow
//! log.example
//! 4096
//! <root, base64>
//!
//! — log.example <base64>
//! ```
//!
//! It binds the log to the entry and does not show what the entry says: whoever may see that shows it, and
//! it has this hash.

use std::io::BufRead;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    check::{Finding, Report},
    checkpoint::{Checkpoint, VerifierKey},
    lines::{BundleError, Lines, read_hash, write_counted, write_note},
    note::decimal,
    signed::Signed,
    tree::{Hash, MAX_PROOF, verify_inclusion},
};

#[cfg(test)]
mod tests;

/// First line of every receipt.
pub const FORMAT: &str = "healthcard-receipt v1";
/// The metadata of a call that asks for receipts, and what it says.
pub const ASKED: (&str, &str) = ("healthcard-receipt", "proof");
/// The metadata of an answer in which they are, one each.
pub const GIVEN: &str = "healthcard-receipt-bin";
/// Most octets of a receipt.
pub const MAX_RECEIPT: usize = 16 * 1024;

/// What shows that an entry stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Key of the log. To be trusted only when it came another way too.
    pub key: VerifierKey,
    /// Where it stands, counted from 0.
    pub position: u64,
    /// Its hash.
    pub leaf: Hash,
    /// Inclusion proof, from the leaf upwards.
    pub proof: Vec<Hash>,
    /// Signed note of the log that has it.
    pub checkpoint: String,
}

impl Receipt {
    /// The file.
    pub fn write(&self) -> String {
        let Self { key, position, leaf, proof, checkpoint } = self;
        let leaf = BASE64.encode(leaf);
        format!(
            "{FORMAT}\nkey {key}\nposition {position}\nleaf {leaf}\n{}{}",
            write_counted("proof", proof),
            write_note(checkpoint),
        )
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// [`BundleError`] where it is none, or longer than [`MAX_RECEIPT`].
    pub fn read(file: impl BufRead) -> Result<Self, BundleError> {
        let mut lines = Lines::new(file.take(MAX_RECEIPT as u64));
        if lines.text()? != FORMAT {
            return Err(lines.malformed());
        }
        let key = lines.key()?;
        let position = lines.said("position", decimal)?;
        let leaf = lines.said("leaf", read_hash)?;
        let proof = lines.hashes("proof", MAX_PROOF)?;
        let checkpoint = lines.note()?;
        lines.end()?;
        Ok(Self { key, position, leaf, proof, checkpoint })
    }

    /// Checks a receipt alone: that the log whose checkpoint `key` signed has this hash at this position; and, where a
    /// checkpoint was obtained earlier or elsewhere and kept (`held`, signed notes), that it is the same log as far as the
    /// receipt can tell.
    pub fn check(&self, key: &VerifierKey, held: &[String]) -> Report {
        let mut signed = Signed::read(&self.checkpoint, key);
        if let Some(Checkpoint { size, root, .. }) = &signed.checkpoint
            && verify_inclusion(&self.leaf, self.position, *size, &self.proof, root).is_err()
        {
            signed.findings.add(Finding::ProofAltered);
        }
        signed.report(1, &self.checkpoint, &self.key, held)
    }
}
