//! The card security module (卡安全模块): whoever holds the masters and computes what a card expects.
//!
//! Two kinds exist: [`SoftSecurityModule`] over masters in a keystore, with the SM4 profile, and
//! a SAM reached by APDU, for cards that compute with SM1. Keys of a card are never seen here, only
//! what they make of a challenge.

pub mod profile;
mod soft;

pub use profile::Diversification;
pub use soft::SoftSecurityModule;

use hsm::KeyError;

use crate::key::{CardFactors, CardKey, KeyVersion};
use crate::sam::SamError;

/// Computes with the keys of one card at a time.
pub trait SecurityModule: Send + Sync {
    /// Derives the session key of `key` for the card with `factors`, under `challenge` (SAM:
    /// DELIVERY, `80 DE`). The session key stays inside.
    ///
    /// # Errors
    /// [`SecurityError::NoKey`] when this module does not hold the key.
    fn session(
        &self,
        key: CardKey,
        version: KeyVersion,
        factors: &CardFactors,
        challenge: &[u8; 8],
    ) -> Result<Box<dyn KeySession + '_>, SecurityError>;
}

/// A session key at work (SAM: CIPHER, `80 FA`).
pub trait KeySession {
    /// The authentication cryptogram over random bytes of the terminal, for internal and external
    /// authentication alike.
    ///
    /// # Errors
    /// [`SecurityError`] when the module cannot compute.
    fn cryptogram(&mut self, data: &[u8; 8]) -> Result<[u8; 8], SecurityError>;

    /// Encrypts whole blocks of 16 bytes, one by one.
    ///
    /// # Errors
    /// [`SecurityError`] when the module cannot compute.
    fn encrypt(&mut self, blocks: &[[u8; 16]]) -> Result<Vec<u8>, SecurityError>;

    /// The MAC over whole blocks: the first four bytes of the last block of CBC from zero.
    ///
    /// # Errors
    /// [`SecurityError`] when the module cannot compute.
    fn mac(&mut self, blocks: &[[u8; 16]]) -> Result<[u8; 4], SecurityError>;
}

/// Why a security module did not compute.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The module holds no such key.
    #[error("no master for {key} version {version} is loaded")]
    NoKey {
        /// The key.
        key: CardKey,
        /// Its version.
        version: KeyVersion,
    },
    /// The keystore refused or could not be reached.
    #[error("deriving the session key of {key}")]
    Key {
        /// The key.
        key: CardKey,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The module is gone or answers nonsense.
    #[error("the card security module does not answer")]
    Unavailable(#[from] SamError),
}

#[cfg(test)]
#[path = "security/vectors.rs"]
mod vectors;
