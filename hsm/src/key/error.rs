//! Why a key did not do what it was asked.

use super::{KeyRef, KeyUse};
use crate::self_test::SelfTestError;
use std::error::Error;

/// Why a key was not found, or did not sign, open or derive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// This keystore has no such key.
    #[error("there is no key {0}")]
    Unknown(KeyRef),
    /// The key is for something else.
    #[error("key {key} is for {has}, not for {asked}")]
    WrongUse {
        /// The key that was asked for.
        key: KeyRef,
        /// What it was asked for.
        asked: KeyUse,
        /// What it is for.
        has: KeyUse,
    },
    /// The key, or its newest version, is not yet on the disk: save the keystore first.
    #[error("key {0} is not saved yet")]
    NotSaved(KeyRef),
    /// No version of the key is in use: what is old may still verify and open.
    #[error("the key has no active version")]
    NotActive,
    /// A lookup of one kind of key names a use of another kind, such as a signer that seals.
    #[error("{0} is not a use of a signing key")]
    NotASigningUse(KeyUse),
    /// Keystores of this kind have no keys for this.
    #[error("this keystore has no keys for {0}")]
    NotSupported(KeyUse),
    /// The data names a version of the key that is not here: it was destroyed, or the keystore is
    /// older than the data.
    #[error("version {0} of the key is not in this keystore")]
    UnknownVersion(u32),
    /// What was to be opened or decrypted was changed, or belongs to another key or place.
    #[error("the data was changed, or belongs to another key or place")]
    NotAuthentic,
    /// A card key was asked for without anything to diversify by, which would be the master itself.
    #[error("a card key is derived from at least one block")]
    NothingToDeriveFrom,
    /// The self-tests failed at start: nothing is signed or sealed until a start at which they pass.
    #[error("the self-tests of the keys failed, so nothing is signed or sealed")]
    SelfTest(#[source] SelfTestError),
    /// The device waits for its operator: worth another try.
    #[error("the key is locked until its operator opens it")]
    Locked,
    /// The key was destroyed: final.
    #[error("the key was destroyed")]
    Gone,
    /// The device failed.
    #[error("the key device failed")]
    Device(#[source] Box<dyn Error + Send + Sync>),
}
