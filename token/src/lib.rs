//! Access tokens (访问令牌) as a resource server reads and checks them: offline, with the keys that the service publishes.
//!
//! A token is a compact JWS (RFC 7515). `alg` is SGD_SM3_SM2, the signature r ‖ s (64 octets) is SM2 with the default
//! identifier over the octets of `header.payload`. The text of GM/T 0125 could not be read: that is our choice, and it is
//! written into every published key (`sm2_id`), so that a verifier need not guess. Whatever has another form is refused.
//!
//! In reading order:
//!
//! - [`words`](mod@words): the closed lists of words that tokens, rules and the log share.
//! - [`claims`]: what a token says.
//! - [`jws`]: the form in which it is signed.
//! - [`keys`]: the keys that it is checked with, and what names a key.
//! - [`proof`]: that whoever shows a token has the key it is bound to, and [`Proofs`] that were used.
//! - [`snapshot`]: the tokens that ended before their time.
//! - [`shown`]: where a request has token and proof, over HTTP and over gRPC.
//! - [`Verifier`]: all of it together; it answers [`Checked`] or a [`Refusal`].
//!
//! Nothing here reads a clock or a network: times come as `now`, keys and snapshots as texts.
//!
//! ```
//! use access_token::{KeySet, Refusal, Verifier, proof::Request};
//! # use access_token::keys::{PublishedKey, SM2_ID};
//! # let key = hsm::sm2::SecretKey::generate();
//! # let jwks = serde_json::json!({"keys": [PublishedKey::new(hsm::Sm2Signer::public_key(&key), SM2_ID)]}).to_string();
//! // `jwks` is what the service answers at /jwks.json.
//! let keys = KeySet::from_json(jwks.as_bytes())?;
//! let verifier = Verifier::new("desk.example", "emr.example", keys);
//! let request = Request { method: "GET", uri: "https://emr.example/fhir/Patient/1" };
//! let refused = verifier.check("no token", None, request, 1_795_680_000).unwrap_err();
//! assert_eq!((refused, refused.reason()), (Refusal::TokenMalformed, "TOKEN_MALFORMED"));
//! # Ok::<(), access_token::keys::BadKeySet>(())
//! ```
#![warn(missing_docs)]

pub mod claims;
pub mod jws;
pub mod keys;
pub mod proof;
mod refusal;
mod replay;
pub mod shown;
pub mod snapshot;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verifier;
pub mod words;

use hsm::sm2::PreparedKey;

pub use claims::{Actor, Claims, Confirmation, Data, Ground, RestsOn};
pub use jws::BadJws;
pub use keys::KeySet;
pub use refusal::Refusal;
pub use replay::Proofs;
pub use snapshot::Snapshot;
pub use verifier::{Checked, Verifier};

/// Type of an access token (RFC 9068, 2.1).
pub const TYPE: &str = "at+jwt";
/// Largest token that is looked at, octets.
pub const MAX_TOKEN: usize = 4096;
/// How far the clocks of two machines may be apart, seconds.
pub const LEEWAY: i64 = 30;

/// Reads a token that one of `keys` signed. Time, issuer, audience and revocation are the caller's to check.
///
/// # Errors
/// [`BadJws`] says what is wrong with it.
pub fn read(token: &str, keys: &KeySet) -> Result<Claims, BadJws> {
    read_by(token, keys, &PreparedKey::verify)
}

/// The same for whoever checks signatures in a way of their own, as once where the same token comes again and again.
///
/// # Errors
/// [`BadJws`] says what is wrong with it.
pub fn read_by(token: &str, keys: &KeySet, verify: jws::Verify<'_>) -> Result<Claims, BadJws> {
    let claims: Claims = jws::open_by(token, TYPE, MAX_TOKEN, keys, verify)?;
    // Whose data, why, and for whom: a token that says it twice, or not at all, is none.
    let whole = claims.rests_on().is_some() && claims.acts_for_the_resident();
    whole.then_some(claims).ok_or(BadJws::Malformed)
}
