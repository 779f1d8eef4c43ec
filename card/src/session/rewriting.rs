//! A part of a visit's record written by a caller that keeps the record itself, as software written
//! for the ministry's interface does. Torn-safe as a whole record is: invalid first, valid last.

use super::Session;
use crate::layout::Profile;
use crate::record_signature::RecordSigner;
use crate::write::{Mark, VisitKind, WriteError};

impl Session<'_> {
    /// Writes `bytes` at `offset` of record `number`, from 1, which its index calls valid. The whole
    /// record is then signed anew; without a signer its old signature, which no longer fits, is
    /// cleared.
    ///
    /// # Errors
    /// [`WriteError`]; the record is then marked invalid, unless nothing was written yet.
    ///
    /// # Panics
    /// When the bytes reach into the signature, or there is no such record.
    pub fn rewrite(
        &mut self,
        kind: VisitKind,
        number: u8,
        offset: u16,
        bytes: &[u8],
        signer: Option<&dyn RecordSigner>,
    ) -> Result<(), WriteError> {
        let signed = usize::from(kind.signature().offset());
        assert!(usize::from(offset) + bytes.len() <= signed, "the signature is made, not written");
        let file = &kind.files()[usize::from(number) - 1];
        self.mark(kind, number, Mark::Invalid)?;
        self.write_bytes(file, offset, bytes)?;
        if self.range(file, offset.into(), bytes.len())?[..] != *bytes {
            return Err(WriteError::Differs { file: file.name, record: 0 });
        }
        if self.profile()? == Profile::Full {
            let proof = match signer {
                Some(signer) => {
                    let signature = signer.sign(&self.range(file, 0, signed)?)?;
                    [&signature.as_raw()[..], &signer.certificate()?].concat()
                }
                None => vec![0; usize::from(file.size(Profile::Full)) - signed],
            };
            if self.range(file, signed, proof.len())?[..] != *proof {
                self.write_bytes(file, kind.signature().offset(), &proof)?;
                if self.range(file, signed, proof.len())?[..] != *proof {
                    return Err(WriteError::Differs { file: file.name, record: 0 });
                }
            }
        }
        self.mark(kind, number, Mark::Valid)
    }
}
