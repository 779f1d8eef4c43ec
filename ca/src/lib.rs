//! Certificates, revocation lists and signed messages on SM2 (GM/T 0015, GM/T 0010; RFC 5280, RFC
//! 5652): bytes in, bytes out.
//!
//! Nothing here reads a clock, a file or a network, and no key is held: keys sign through
//! [`hsm::Sm2Signer`], time and random serial numbers are handed in. What is read is read strictly,
//! so that one thing has one encoding; what is issued goes through *draft, record, sign, record*.
//!
//! - [`Certificate`], [`Name`], [`Serial`], [`KeyUsage`]: a certificate and what it says.
//! - [`request`]: PKCS#10 requests with their proof of possession.
//! - [`Profile`], [`Order`], [`Issuer`], [`Draft`]: issuing.
//! - [`crl`]: revocation lists.
//! - [`chain`]: whether a certificate may be relied on, now or at the time of a signature.
//! - [`cms`]: signatures over medical records, made with a key that stays with its holder.
//! - [`pem`]: the textual form.
//!
//! Every SM2 signature is made and verified with the default identifier, as practice has it.
#![warn(missing_docs)]

mod algorithm;
mod certificate;
pub mod chain;
pub mod cms;
pub mod crl;
mod der;
mod extension;
mod issuer;
mod name;
mod oid;
pub mod pem;
mod profile;
pub mod request;
mod serial;
#[cfg(test)]
mod workshop;

pub use certificate::{Certificate, CertificateError};
pub use chain::ChainError;
pub use der::DerError;
pub use extension::{ExtendedKeyUsage, KeyIdentifier, KeyUsage};
pub use issuer::{Draft, IssueError, Issuer, Order};
pub use name::{BadName, Name};
pub use profile::{Authority, Profile};
pub use serial::{BadSerial, Serial};
