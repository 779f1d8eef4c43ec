//! Keys and what they do: SM2, SM3 and SM4 under strict rules, keys asked for by reference and use,
//! and the software keystore.
//!
//! Nothing here knows certificates, cards or the network. Callers hold a `dyn` [`Keystore`], ask it
//! for a key by [`KeyRef`] and [`KeyUse`], and get a trait object that signs, seals, indexes or
//! derives; whether the key lives in a file or in a device does not show. No type of the crates
//! that do the arithmetic is public, so they can be replaced behind this seam.
//!
//! In reading order:
//!
//! - [`sm3`]: digests and HMAC; [`kdf`]: keys from keys and from passphrases.
//! - [`sm4`]: the block cipher key, sealing (GCM), and the block modes the card needs.
//! - [`sm2`]: keys, signatures, ciphertexts and enveloped keys, each with one strict parser.
//! - [`sdf`]: codes, numbers and structures of cryptographic devices (GM/T 0018), as both sides use them.
//! - [`key`]: what a key may do, and how it is asked for.
//! - [`self_test`]: known answers and tests of the random generator, without which nothing is signed.
//! - `soft`: the keystore that is one sealed file (on Unix, whose permissions it relies on).
//!
//! # Limits of software keys
//!
//! Keys are wiped when they are dropped, and are not copied by this crate's own types. Registers
//! and stack frames of the arithmetic are out of reach of safe code, and so is `mlock`
//! of single keys: a process with software keys protects all of its memory from swap and core dumps,
//! as `healthcardd` does. The SM4 round
//! function in use looks its S-box up in a table of 256 bytes (four cache lines), which an attacker
//! on the same core may be able to observe; SM2 secrets pass only through constant-time code.
#![warn(missing_docs)]

pub mod kdf;
pub mod key;
pub mod random;
pub mod sdf;
pub mod self_test;
pub mod sm2;
pub mod sm3;
pub mod sm4;
#[cfg(unix)]
pub mod soft;

#[cfg(test)]
mod vectors;

pub use key::{
    CardMaster, DataSealer, IndexKey, KeyDescription, KeyError, KeyRef, KeyUse, Keystore, MacKey,
    Sm2Decrypter, Sm2Signer,
};
