//! Says which convention something made with SM2 elsewhere follows: the identifier in a signature, whether Z is
//! in it at all, how numbers are written, in which order a ciphertext stands, which identifiers name the
//! algorithms. Two implementations that do not understand each other differ in one of these.
//!
//! Its readers take what `hsm` and `ca` refuse, on purpose: whoever looks for a fault has to read what is
//! faulty. That is why this is a crate of its own: nothing that decides about trust depends on it, and nothing it
//! says is a decision. What it reads are pure values: no files, no clock, no network.
//!
//! In reading order:
//!
//! - [`wrapping`]: octets out of PEM, Base64 or hexadecimal.
//! - [`key`]: public and private keys, and what stands around them.
//! - [`signature`]: forms, and every way to arrive at the number that was signed.
//! - [`ciphertext`]: forms, and with the private key which of them decrypts.
//! - [`certificate`]: algorithms, the issuer's convention, and extensions that makers write differently.
//! - [`reproduce`]: the same with the commands of OpenSSL and GmSSL.
#![warn(missing_docs)]

pub mod certificate;
pub mod ciphertext;
pub mod key;
pub mod reproduce;
pub mod signature;
pub mod wrapping;

mod ber;
