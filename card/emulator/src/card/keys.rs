//! The keys in the card and their try counters.

use std::collections::BTreeMap;

use ::card::key::{CardKey, KeyVersion};
use ::card::security::profile;
use hsm::sm4::Sm4Key;

use crate::image::Image;

/// Failures after which a key is blocked (project choice).
pub(super) const TRIES: u8 = 15;

/// A key of this card, already diversified.
pub(super) struct Slot {
    key: Sm4Key,
    pub(super) tries_left: u8,
}

impl Slot {
    /// The session key under `challenge`.
    pub(super) fn session(&self, challenge: &[u8; 8]) -> Sm4Key {
        self.key.derive(&[profile::div1(challenge)])
    }
}

pub(super) struct Keys(BTreeMap<(CardKey, KeyVersion), Slot>);

impl Keys {
    pub(super) fn new(image: &Image) -> Self {
        let slot = |bytes: &[u8; 16]| {
            let key = Sm4Key::fill::<std::convert::Infallible>(|key| {
                *key = *bytes;
                Ok(())
            });
            let Ok(key) = key;
            Slot { key, tries_left: TRIES }
        };
        let keys = image.keys.iter().map(|(name, bytes)| ((*name, KeyVersion::FIRST), slot(bytes)));
        Self(keys.collect())
    }

    pub(super) fn slot(&mut self, key: CardKey, version: u8) -> Option<&mut Slot> {
        self.0.get_mut(&(key, KeyVersion::new(version)?))
    }
}
