//! What may be said about a key.

use super::{KeyRef, KeyUse};
use crate::sm2::PublicKey;

/// One version of one key, without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyDescription {
    /// The name of the key.
    pub reference: KeyRef,
    /// What it is for.
    pub key_use: KeyUse,
    /// Which version this is, from 1.
    pub version: u32,
    /// Whether it still signs and seals.
    pub state: VersionState,
    /// The public key, if it is a key that signs.
    pub public_key: Option<PublicKey>,
}

/// What a version of a key still does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionState {
    /// The newest version: signs, seals, indexes, derives.
    Current,
    /// An older version: what it signed is verified and what it sealed is opened, nothing more.
    Retired,
}
