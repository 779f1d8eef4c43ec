//! Status of certificates on request (在线证书状态协议, OCSP; RFC 6960): questions read, answers
//! drafted and signed, read and verified.
//!
//! An authority does not answer itself: a [`Responder`] does, whose certificate the authority issued
//! for that alone and never revokes ([`Profile::StatusResponder`](crate::Profile::StatusResponder)).
//! Questions come from anybody. A [`Question`] may name its issuer by digests of SM3, SHA-256 or
//! SHA-1; [`CertificateId::is_of`] finds out whose it is by computing them again. Who asks makes no
//! difference to the answer, so that the signature of a question is not looked at.

mod answer;
mod id;
mod question;
mod response;

pub use answer::{Answer, AnswerDraft, Period, Responder, ResponderError, Status};
pub use id::CertificateId;
pub use question::{Question, QuestionError, question};
pub use response::{Asked, Failure, Response, ResponseError};

use crate::{
    der::{DerError, Reader, tag, tlv},
    extension::{self, Extension},
    oid,
};

/// Octets that the asker chose, so that an answer is to this very question and no older one (RFC
/// 9654).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(Vec<u8>);

/// A nonce has 1 to 128 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a nonce has 1 to 128 octets")]
pub struct BadNonce;

impl Nonce {
    /// Takes the octets, which should be fresh random ones: 32 of them (RFC 9654, 2.1).
    ///
    /// # Errors
    /// [`BadNonce`].
    pub fn new(octets: &[u8]) -> Result<Self, BadNonce> {
        match octets.len() {
            1..=128 => Ok(Self(octets.to_vec())),
            _ => Err(BadNonce),
        }
    }

    /// The value of the extension: an OCTET STRING.
    fn write(&self) -> Vec<u8> {
        tlv(tag::OCTET_STRING, &[&self.0])
    }

    fn read(value: &[u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(value);
        let nonce = Self::new(outer.value(tag::OCTET_STRING)?).map_err(|_| DerError::Count)?;
        outer.end()?;
        Ok(nonce)
    }
}

/// Extensions of a question, of an answer, or of a part of either: the nonce, if it is there.
/// `unknown` names the error for a critical one that is not understood.
fn read_extensions<E: From<DerError>>(
    explicit: &[u8],
    unknown: impl Fn(String) -> E,
) -> Result<Option<Nonce>, E> {
    let mut nonce = None;
    for Extension { oid, critical, value } in
        extension::read_list(Reader::only(explicit, tag::SEQUENCE)?)?
    {
        if oid == oid::OCSP_NONCE {
            nonce = Some(Nonce::read(value)?);
        } else if critical {
            return Err(unknown(oid.to_string()));
        }
    }
    Ok(nonce)
}

#[cfg(test)]
mod tests;
