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
#![warn(missing_docs)]

pub mod claims;
pub mod jws;
pub mod keys;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod words;

pub use claims::{Claims, Confirmation, Data, Ground, RestsOn};
pub use jws::BadJws;
pub use keys::KeySet;

/// Type of an access token (RFC 9068, 2.1).
pub const TYPE: &str = "at+jwt";
/// Largest token that is looked at, octets.
pub const MAX_TOKEN: usize = 4096;

/// Reads a token that one of `keys` signed. Time, issuer, audience and revocation are the caller's to check.
///
/// # Errors
/// [`BadJws`] says what is wrong with it.
pub fn read(token: &str, keys: &KeySet) -> Result<Claims, BadJws> {
    let claims: Claims = jws::open(token, TYPE, MAX_TOKEN, keys)?;
    // Whose data, and why: a token that says it twice, or not at all, is none.
    claims.rests_on().is_some().then_some(claims).ok_or(BadJws::Malformed)
}
