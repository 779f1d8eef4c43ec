//! Signatures over medical records: detached CMS SignedData on SM2 and SM3 (GM/T 0010, RFC 5652).
//!
//! The signing key stays with the clinician, so making one takes two steps:
//! [`SignedAttributes::prepare`] fixes the octets to be signed, and [`SignedData::complete`] takes
//! the signature. What is signed is always the DER of the signed attributes as a SET OF, with ZA
//! and the default identifier; signatures without attributes, which makers hash in different ways,
//! are refused.
//!
//! Written are the content types of RFC 5652, which every reader knows; read are those of GM/T 0010
//! too.

mod attributes;
pub(crate) mod envelope;
mod signed_data;

pub(crate) use attributes::Attributes;
pub use attributes::SignedAttributes;
pub use envelope::World;
pub use signed_data::{Binding, SignedData, Signer};

use hsm::sm2::SignerId;

use crate::{CertificateError, ChainError, DerError};

/// Why a signed message was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmsError {
    /// More than [`SignedData::MAX_LEN`] octets.
    #[error("the signed message is longer than {} octets", SignedData::MAX_LEN)]
    TooLong,
    /// Not the DER of SignedData with one signer.
    #[error("reading the signed message")]
    Der(#[from] DerError),
    /// Not SignedData, of another version, or with content of another type than plain data.
    #[error("the message is not signed data of version 1 over plain data")]
    ContentType,
    /// A digest or signature algorithm other than SM3 and SM2 with SM3.
    #[error("the message is not signed with SM2 and SM3")]
    Algorithm,
    /// None or several signers.
    #[error("the message has {0} signers, not one")]
    Signers(usize),
    /// There are no signed attributes, so that what was signed is a matter of opinion.
    #[error("the message has no signed attributes")]
    NoAttributes,
    /// A required signed attribute is missing.
    #[error("signed attribute {0} is missing")]
    MissingAttribute(&'static str),
    /// A signed attribute occurs twice, has several values or is not understood.
    #[error("signed attribute {oid} occurs twice, has several values or is not understood")]
    Attribute {
        /// Its identifier, dotted.
        oid: String,
    },
    /// Something that is not signed and would not be looked at: unsigned attributes, revocation
    /// lists.
    #[error("the message carries parts that nobody signed")]
    Unsigned,
    /// A certificate in it is not one.
    #[error("reading a certificate in the message")]
    Certificate(#[from] CertificateError),
    /// The signer's certificate is not in the message.
    #[error("the signer's certificate is not in the message")]
    NoCertificate,
    /// A certificate in the message is not on the signer's path.
    #[error("the message carries a certificate that has nothing to do with the signer")]
    StrangeCertificate,
    /// The signed attributes name another certificate than the signer's.
    #[error("the signed attributes name another certificate")]
    OtherCertificate,
    /// The signature is not two numbers in range.
    #[error("the message's signature is malformed")]
    Signature,
    /// The record is not the one that was signed.
    #[error("the record is not the one that was signed")]
    OtherRecord,
    /// The signer's key did not make this signature.
    #[error("the signature does not verify")]
    BadSignature,
    /// The signer claims a time after the signature was seen.
    #[error("the signer claims a time that was yet to come")]
    FutureTime,
    /// The signer's certificate may not be relied on for this.
    #[error("checking the signer's certificate")]
    Chain(#[from] ChainError),
}

/// *e* of the octets to be signed.
pub(crate) fn digest_of(key: &hsm::sm2::PublicKey, octets: &[u8]) -> [u8; 32] {
    key.digest(&SignerId::DEFAULT, octets)
}

#[cfg(test)]
mod tests;
