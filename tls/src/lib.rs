//! National TLS (国密 TLS): TLS 1.3 with SM2, SM3 and SM4 (RFC 8998), as a provider for rustls, and what both ends set up
//! with it. It is a crate of its own because the service and its clients share it, and clients link nothing else of the
//! service.
//!
//! An end shows who it is with a certificate of one authority and a key behind [`HandshakeKey`]; the key itself stays in
//! its keystore or with its holder. Clients know one root, and nobody but what that root lets serve is believed to be the
//! service. Who a client is, the service judges by its own record: it hands in the verifier.
//!
//! In reading order:
//!
//! - [`provider`]: the two suites, the curve, and the hash they stand on.
//! - [`HandshakeKey`], [`certified`]: what an end signs with; [`signature_verification`]: what it believes.
//! - [`client`] and [`server`]: settings of both ends.
#![warn(missing_docs)]

mod client;
mod exchange;
mod hash;
mod record;
mod resumption;
mod server;
mod signature;
mod suite;
#[cfg(test)]
mod vectors;

pub use client::{client, client_with};
pub use server::server;
pub use signature::{
    CannotSign, HandshakeKey, SIGNATURE_SCHEME, certified, signature_verification,
};
pub use suite::{SM4_CCM_SM3, SM4_GCM_SM3, provider};
