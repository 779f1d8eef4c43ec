//! Checkpoints: the size and root of the log, signed (signed notes in the C2SP form).
//!
//! ```text
//! log.example/healthcard
//! 42
//! <root, base64>
//!
//! — log.example/healthcard <base64 of key id ‖ signature>
//! ```
//!
//! The [`note`](crate::note) is signed with `healthcard.v1/SM2-SM3`: r ‖ s, 64 bytes, of SM2 with the default signer
//! identifier over the text up to and with its last newline.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

pub use crate::note::{KeyError, MAX_NAME, MAX_NOTE, NoteError};
use crate::{
    note::{Note, NoteKey, OfLog, decimal, is_name},
    tree::Hash,
};

#[cfg(test)]
mod tests;

/// The key a log is checked with, and the log's name: `name+id+base64`.
pub type VerifierKey = NoteKey<OfLog>;

/// What a checkpoint says: this log, at this size, has this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log, unique among logs.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl VerifierKey {
    /// `text`, signed as a note. `sign` gets the octets to be signed with SM2 and the default signer
    /// identifier, and answers r ‖ s.
    pub(crate) fn sign_note<E>(
        &self,
        text: &str,
        sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
    ) -> Result<String, E> {
        let signature = sign(text.as_bytes())?;
        Ok(format!("{text}\n{}", self.line(&signature)))
    }

    /// The text of a note that this key signed.
    pub(crate) fn signed_text<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        let note = Note::parse(note)?;
        let mut signed = false;
        for signature in self.signatures(&note) {
            self.verify(note.text.as_bytes(), signature)?;
            signed = true;
        }
        if signed { Ok(note.text) } else { Err(NoteError::NotSigned) }
    }
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// The signed note. `sign` gets the octets to be signed with SM2 and the default signer
    /// identifier, and answers r ‖ s.
    pub fn sign<E>(
        &self,
        key: &VerifierKey,
        sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
    ) -> Result<String, E> {
        key.sign_note(&self.text(), sign)
    }

    /// Reads a checkpoint that `key` signed, of the log that `key` names.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let checkpoint = Self::parse(key.signed_text(note)?)?;
        if checkpoint.origin == key.name() { Ok(checkpoint) } else { Err(NoteError::OtherLog) }
    }

    /// The same, with the note as `key` wrote it: without what anybody put below.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_alone(note: &str, key: &VerifierKey) -> Result<(Self, String), NoteError> {
        let checkpoint = Self::verify(note, key)?;
        let parsed = Note::parse(note)?;
        let line = key.signatures(&parsed).next().map(|signature| key.line(signature));
        let line = line.ok_or(NoteError::NotSigned)?;
        Ok((checkpoint, format!("{}\n{line}", parsed.text)))
    }

    /// Reads a checkpoint **without** checking who signed it: for what is displayed or compared
    /// before a key is at hand.
    pub fn read_unverified(note: &str) -> Result<Self, NoteError> {
        Self::parse(Note::parse(note)?.text)
    }

    /// Origin, size, root; extension lines are refused, as this log writes none.
    fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split_terminator('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::NotCheckpoint);
        };
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok());
        let (Some(size), Some(root)) = (decimal(size), root) else {
            return Err(NoteError::NotCheckpoint);
        };
        if !is_name(origin) {
            return Err(NoteError::NotCheckpoint);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}
