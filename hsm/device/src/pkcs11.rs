//! Tokens with the interface of PKCS#11, whose keys are called by their labels: `pkcs11:data`.
//!
//! PKCS#11 has no numbers for SM2, SM3 and SM4; each maker has its own. So the numbers are settings
//! ([`Mechanisms`]), and a token without a number for something has no keys for it.
//!
//! - [`Pkcs11Settings`]: the module, the token, the keys and the numbers.
//! - [`Pkcs11Token`]: the token as a keystore. `keys`: what its keys do. `session`: what a session is asked.
//! - [`Pkcs11Error`]: what went wrong.
//!
//! The foreign calls are those of the crate `cryptoki`; there is no unsafe code here.

mod error;
mod keys;
mod keystore;
mod session;

pub use error::Pkcs11Error;
pub use keystore::{Mechanisms, Pkcs11Key, Pkcs11Settings, Pkcs11Token, SCHEME};
