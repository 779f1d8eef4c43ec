//! Time stamps (时间戳; RFC 3161, GM/T 0033): queries read, tokens drafted and signed, read and
//! verified.
//!
//! Whoever asks sends a digest and learns from the token that somebody had it at a certain time. A
//! [`Stamper`] stamps with a certificate for that alone
//! ([`Profile::TimeStamping`](crate::Profile::TimeStamping)); what it says is fixed in a
//! [`StampDraft`], to be recorded before the key is touched. A token is a signed message under the
//! numbers of either [`World`](crate::cms::World): those of RFC 5652, or those of GM/T 0010 as GM/T
//! 0033 has it.

mod policy;
mod query;
mod reply;
mod stamper;
mod statement;
mod token;

pub use policy::{BadPolicy, Policy};
pub use query::{Query, QueryError, query};
pub use reply::{Failure, Reply, ReplyError};
pub use stamper::{StampDraft, Stamper, StamperError, Terms};
pub use statement::Statement;
pub use token::{Token, TokenError};

use crate::{
    der::{DerError, Reader, integer, sequence, tag, tlv, unsigned},
    digest::Digest,
};

/// What is stamped (messageImprint; RFC 3161, 2.4.1): the digest of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imprint {
    digest: Digest,
    octets: Vec<u8>,
}

impl Imprint {
    /// The imprint of these octets.
    pub fn of(digest: Digest, octets: &[u8]) -> Self {
        Self { digest, octets: digest.of(octets) }
    }

    /// By which digest: SM3 or SHA-256.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// `Ok(None)` for a digest that is not known here, or that protects nothing.
    fn read(fields: &mut Reader<'_>) -> Result<Option<Self>, DerError> {
        let mut fields = fields.sequence()?;
        let digest = Digest::read(fields.element(tag::SEQUENCE)?)?;
        let octets = fields.value(tag::OCTET_STRING)?;
        fields.end()?;
        match digest {
            None | Some(Digest::Sha1) => Ok(None),
            Some(digest) if octets.len() == digest.length() => {
                Ok(Some(Self { digest, octets: octets.to_vec() }))
            }
            Some(_) => Err(DerError::Count),
        }
    }

    fn write(&self) -> Vec<u8> {
        sequence(&[&self.digest.write(), &tlv(tag::OCTET_STRING, &[&self.octets])])
    }
}

/// A number that the asker chose, so that a token is for this very query: 0 to 2^256 - 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(Vec<u8>);

impl Nonce {
    /// From random octets.
    pub fn new(octets: [u8; 16]) -> Self {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        Self(octets[zeros..].to_vec())
    }

    fn read(content: &[u8]) -> Result<Self, DerError> {
        let magnitude = integer(content)?;
        if magnitude.len() > 32 { Err(DerError::Integer) } else { Ok(Self(magnitude.to_vec())) }
    }

    fn write(&self) -> Vec<u8> {
        unsigned(&self.0)
    }
}

#[cfg(test)]
mod tests;
