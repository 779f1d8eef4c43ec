use std::collections::BTreeMap;

use ::card::security::profile;
use ::card::{CardKey, KeyVersion};
use hsm::sm4::Sm4Key;
use zeroize::Zeroizing;

/// Failures after which a key is blocked (project choice, health-card.md, 10, no. 10).
pub const TRIES: u8 = 15;

/// A key in the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// What a blank card is opened with; gone once it is issued.
    Transport,
    /// A key of the table.
    Card(CardKey, KeyVersion),
}

/// The keys in a card, already diversified, and how many tries each has left.
#[derive(Default)]
pub struct Keys(BTreeMap<Name, Slot>);

/// One key.
pub(crate) struct Slot {
    bytes: Zeroizing<[u8; 16]>,
    pub(crate) tries_left: u8,
}

impl Slot {
    /// The session key under `challenge`.
    pub(crate) fn session(&self, challenge: &[u8; 8]) -> Sm4Key {
        let key = Sm4Key::fill::<std::convert::Infallible>(|key| {
            *key = *self.bytes;
            Ok(())
        });
        let Ok(key) = key;
        key.derive(&[profile::div1(challenge)])
    }
}

impl Keys {
    /// Gives the card a key, in place of the one it has.
    pub fn put(&mut self, key: CardKey, version: KeyVersion, bytes: [u8; 16]) {
        self.insert(Name::Card(key, version), Zeroizing::new(bytes));
    }

    /// Takes a key away.
    pub fn take(&mut self, key: CardKey, version: KeyVersion) {
        self.remove(Name::Card(key, version));
    }

    pub(crate) fn insert(&mut self, name: Name, bytes: Zeroizing<[u8; 16]>) {
        self.0.insert(name, Slot { bytes, tries_left: TRIES });
    }

    pub(crate) fn remove(&mut self, name: Name) {
        self.0.remove(&name);
    }

    pub(crate) fn has(&self, name: Name) -> bool {
        self.0.contains_key(&name)
    }

    pub(crate) fn slot(&mut self, name: Name) -> Option<&mut Slot> {
        self.0.get_mut(&name)
    }

    pub(crate) fn bytes(&self, name: Name) -> Option<&[u8; 16]> {
        self.0.get(&name).map(|slot| &*slot.bytes)
    }

    /// Whether so many failures happened that `name` is blocked.
    pub(crate) fn is_blocked(&self, name: Name) -> bool {
        self.0.get(&name).is_some_and(|slot| slot.tries_left == 0)
    }

    /// A try of a key that is there and not blocked; how many are left after it.
    pub(crate) fn tried(&mut self, name: Name, right: bool) -> u8 {
        let Some(slot) = self.0.get_mut(&name) else { return 0 };
        slot.tries_left = if right { TRIES } else { slot.tries_left.saturating_sub(1) };
        slot.tries_left
    }

    /// Tries left of all keys together.
    pub(crate) fn tries_left(&self) -> u32 {
        self.0.values().map(|slot| u32::from(slot.tries_left)).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Name, &[u8; 16], u8)> {
        self.0.iter().map(|(name, slot)| (*name, &*slot.bytes, slot.tries_left))
    }
}
