//! Cosignatures: what a witness (见证方) says of a checkpoint, on a line of its own below that of the log.
//!
//! A log that shows one tree to some and another to others is found out by nobody who sees only one of them. A witness
//! remembers the newest checkpoint it has seen, and signs a newer one only when that grew from it; whoever asks for its
//! cosignature knows that all others who do are shown the same log.
//!
//! ```text
//! log.example/healthcard
//! 42
//! <root, base64>
//!
//! — log.example/healthcard <base64 of key id ‖ signature>
//! — witness.example <base64 of key id ‖ time ‖ signature>
//! ```
//!
//! The form is that of C2SP `tlog-cosignature`, with the kind `healthcard.v1/SM2-SM3-cosignature`: the time is the seconds
//! since 1970, 8 bytes, big-endian; SM2 signs the octets `cosignature/v1`, `time N` (in decimal) and the text of the
//! checkpoint, each line with its newline.

use crate::{
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    note::{Note, NoteKey, OfWitness},
};

#[cfg(test)]
mod tests;

/// The key that cosignatures are checked with, and the witness's name: `name+id+base64`.
pub type WitnessKey = NoteKey<OfWitness>;

/// A checkpoint that a witness signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// What it signed.
    pub checkpoint: Checkpoint,
    /// When, in seconds since 1970.
    pub time: u64,
}

impl WitnessKey {
    /// The line of a cosignature below `note`, with its newline. `sign` gets the octets to be signed with SM2 and the
    /// default signer identifier, and answers r ‖ s. Whether the note is one to be signed is for the witness to know.
    ///
    /// # Errors
    /// What `sign` fails with; [`NoteError`] where the note is none.
    pub fn cosign<E: From<NoteError>>(
        &self,
        note: &str,
        time: u64,
        sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
    ) -> Result<String, E> {
        let signature = sign(&signed(time, Note::parse(note)?.text))?;
        Ok(self.line(&[&time.to_be_bytes()[..], &signature].concat()))
    }

    /// Reads a checkpoint of the log `key` that the log and this witness signed: the newest of its cosignatures counts.
    ///
    /// # Errors
    /// [`NoteError`]: of the log's signature; [`NoteError::NotSigned`] without a cosignature of this witness,
    /// [`NoteError::BadSignature`] with one that does not verify.
    pub fn witnessed(&self, note: &str, key: &VerifierKey) -> Result<Witnessed, NoteError> {
        let checkpoint = Checkpoint::verify(note, key)?;
        let time = self.time_of(note)?;
        Ok(Witnessed { checkpoint, time })
    }

    /// When this witness signed the checkpoint of a note, whoever else did.
    ///
    /// # Errors
    /// As [`witnessed`](Self::witnessed), but for the log's signature.
    pub fn time_of(&self, note: &str) -> Result<u64, NoteError> {
        let note = Note::parse(note)?;
        let mut newest = None;
        for value in self.signatures(&note) {
            let (time, signature) = value.split_first_chunk().ok_or(NoteError::BadSignature)?;
            let time = u64::from_be_bytes(*time);
            self.verify(&signed(time, note.text), signature)?;
            newest = newest.max(Some(time));
        }
        newest.ok_or(NoteError::NotSigned)
    }
}

/// `note` with these lines of cosignatures below the others.
///
/// # Errors
/// [`NoteError::Form`] where that is no note, or more signatures than are read.
pub fn cosigned(note: &str, lines: &[&str]) -> Result<String, NoteError> {
    let cosigned = [&[note], lines].concat().concat();
    let (before, after) = (Note::parse(note)?, Note::parse(&cosigned)?);
    let same = before.text == after.text && before.signed() + lines.len() == after.signed();
    if same { Ok(cosigned) } else { Err(NoteError::Form) }
}

/// What a witness signs.
fn signed(time: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}
