//! Certificates, revocation lists and signed messages on SM2 (GM/T 0015, GM/T 0010; RFC 5280, RFC
//! 5652): bytes in, bytes out.
//!
//! Nothing here reads a clock, a file or a network, and no key is held: keys sign through
//! [`hsm::Sm2Signer`], time and random serial numbers are handed in. What is read is read strictly,
//! so that one thing has one encoding; what is issued goes through *draft, record, sign, record*.
//!
//! - [`Certificate`], [`Name`], [`Serial`], [`KeyUsage`]: a certificate and what it says.
//! - [`request`]: PKCS#10 requests with their proof of possession, and the answer to one for a pair.
//! - [`Profile`], [`Order`], [`Issuer`], [`Draft`]: issuing.
//! - [`crl`]: revocation lists.
//! - [`ocsp`]: the status of single certificates, asked and answered.
//! - [`chain`]: whether a certificate may be relied on, now or at the time of a signature.
//! - [`cms`]: signatures over medical records, made with a key that stays with its holder.
//! - [`timestamp`]: when something was there, asked and stated.
//! - [`pem`]: the textual form.
//!
//! Every SM2 signature is made and verified with the default identifier, as practice has it.
//!
//! ```
//! use ca::chain::{Anchors, Purpose};
//! use ca::{Authority, Issuer, Name, Order, Profile, Serial, crl::{Edition, Scope}, request};
//! use hsm::{Sm2Signer, sm2::SecretKey};
//! use time::{Duration, macros::datetime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = datetime!(2026-11-23 08:00:00 UTC);
//! let [root_key, people_key, doctor_key] = [(); 3].map(|()| SecretKey::generate());
//! // Serial numbers come from sixteen fresh random octets each.
//! let [first, second, third] = [[1; 16], [2; 16], [3; 16]].map(Serial::from_random);
//! let order = |profile, subject, key: &SecretKey| Order {
//!     profile,
//!     subject,
//!     public_key: key.public().clone(),
//!     days: None,
//!     identifiers: Vec::new(),
//! };
//!
//! // Draft, record, sign, record.
//! let name = Name::of_authority("Health region", "root")?;
//! let draft = Issuer::draft_root(order(Profile::Root, name, &root_key), first, now)?;
//! let root = Issuer::new(draft.sign(&root_key)?, Authority::Root)?;
//! let name = Name::of_authority("Health region", "people")?;
//! let draft = root.draft(order(Profile::IssuingAuthority, name, &people_key), second, now)?;
//! let people = Issuer::new(draft.sign(&root_key)?, Authority::People)?;
//!
//! // The doctor's key stays with the doctor, who sends a request.
//! let sent = request::request(&Name::of_authority("anything", "anything")?, &doctor_key)?;
//! let asked = request::CertificateRequest::parse(&sent)?;
//! let subject = Name::of_identity("hospital", "doctor", "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21")?;
//! let order = Order {
//!     profile: Profile::Person,
//!     subject,
//!     public_key: asked.public_key().clone(),
//!     days: Some(365),
//!     identifiers: Vec::new(),
//! };
//! let draft = people.draft(order, third, now)?;
//! let doctor = draft.sign(&people_key)?;
//!
//! // Each authority publishes a list, the root too; without them nothing is relied on.
//! let edition = Edition { number: 1, this_update: now, next_update: now + Duration::days(7) };
//! let mut anchors = Anchors::new(root.certificate().clone())?;
//! anchors.add_issuer(people.certificate().clone())?;
//! anchors.add_crl(root.draft_crl(edition, &Scope::All, None, &[])?.sign(&root_key)?)?;
//! anchors.add_crl(people.draft_crl(edition, &Scope::All, None, &[])?.sign(&people_key)?)?;
//! anchors.verify(&doctor, Purpose::Login, now)?;
//! # Ok(())
//! # }
//! ```
#![warn(missing_docs)]

mod algorithm;
mod certificate;
pub mod chain;
pub mod cms;
pub mod crl;
mod der;
mod digest;
mod extension;
#[cfg(test)]
mod golden;
mod id_number;
mod identifying;
mod issuer;
mod lint;
mod name;
pub mod ocsp;
mod oid;
pub mod pem;
mod profile;
pub mod request;
mod serial;
pub mod timestamp;
#[cfg(test)]
mod workshop;

pub use certificate::{Certificate, CertificateError};
pub use chain::ChainError;
pub use der::DerError;
pub use digest::Digest;
pub use extension::{ExtendedKeyUsage, KeyIdentifier, KeyUsage};
pub use identifying::{
    BadIdentifier, Document, Encoding, Identifier, IdentifierOid, IdentifyingExtension,
};
pub use issuer::{Draft, IssueError, Issuer, Order};
pub use lint::LintError;
pub use name::{BadName, Name};
pub use profile::{Authority, Profile};
pub use serial::{BadSerial, Serial};
