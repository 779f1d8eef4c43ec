//! The content of the file: every key, in the order of their names, in one encoding only.
//!
//! ```text
//! 2  number of keys; then for each key
//!   1  length of the name    n  the name, without "soft:"
//!   1  code of the use
//!   1  length of the label   n  the label, UTF-8
//!   2  number of versions; then for each, oldest first
//!     1  code of the state
//!     1  what is kept: 0 the secret (SM2: 32, HMAC: 32, SM4: 16 octets)
//!                      1 what names it (SM2: 65 octets of public key, others: 3 of check value)
//! ```
//!
//! Format 1 is read as well, and written no more; see [`old`](super::old).

use super::SCHEME;
use super::entry::{Entry, Version};
use super::material::{Material, SoftHmacKey};
use crate::key::{CheckValue, KeyAlgorithm, KeyRef, KeyUse, Label, VersionState};
use crate::sm2::{PublicKey, SecretKey};
use crate::sm4::Sm4Key;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The most keys in a keystore.
pub(super) const MAX_KEYS: usize = 4096;
/// The most versions of a key.
pub(super) const MAX_VERSIONS: u32 = 1000;

const SECRET: u8 = 0;
const NAME_ONLY: u8 = 1;

/// The code of a use in the file. Codes are never given out again.
fn code(key_use: KeyUse) -> u8 {
    match key_use {
        KeyUse::SignCertificates => 1,
        KeyUse::SignTokens => 2,
        KeyUse::SignLog => 3,
        KeyUse::SealData => 4,
        KeyUse::Index => 5,
        KeyUse::CardMaster => 6,
        KeyUse::SignStatus => 7,
        KeyUse::SignTimestamps => 8,
        KeyUse::SignCodes => 10,
        KeyUse::MacCodes => 11,
        KeyUse::SignCardLists => 12,
        KeyUse::SignRecords => 13,
        KeyUse::Decrypt => 14,
        KeyUse::SignHandshakes => 15,
        KeyUse::SignLists => 16,
        KeyUse::SignRules => 17,
    }
}

/// The code of a state in the file.
fn state_code(state: VersionState) -> u8 {
    match state {
        VersionState::PreActive => 1,
        VersionState::Active => 2,
        VersionState::Retired => 3,
        VersionState::Destroyed => 4,
        VersionState::Compromised => 5,
    }
}

pub(super) fn encode(keys: &BTreeMap<KeyRef, Entry>) -> Zeroizing<Vec<u8>> {
    // Counted first, so that the buffer never moves and leaves no copy behind.
    let mut length = 0;
    write(keys, &mut |part| length += part.len());
    let mut content = Zeroizing::new(Vec::with_capacity(length));
    write(keys, &mut |part| content.extend_from_slice(part));
    content
}

fn write(keys: &BTreeMap<KeyRef, Entry>, out: &mut dyn FnMut(&[u8])) {
    out(&u16::try_from(keys.len()).expect("at most MAX_KEYS").to_be_bytes());
    for (key, entry) in keys {
        out(&[u8::try_from(key.name().len()).expect("at most 64")]);
        out(key.name().as_bytes());
        let label = entry.label.as_str();
        out(&[code(entry.key_use), u8::try_from(label.len()).expect("60 characters, 240 octets")]);
        out(label.as_bytes());
        out(&u16::try_from(entry.newest()).expect("at most MAX_VERSIONS").to_be_bytes());
        for version in &entry.versions {
            out(&[state_code(version.state)]);
            match &version.material {
                Material::Pair(secret) => {
                    out(&[SECRET]);
                    out(&secret.to_be_bytes()[..]);
                }
                Material::Sm4(key) => {
                    out(&[SECRET]);
                    out(key.expose());
                }
                Material::Hmac(key) => {
                    out(&[SECRET]);
                    out(&key.0[..]);
                }
                Material::Public(public) => {
                    out(&[NAME_ONLY]);
                    out(public.as_sec1());
                }
                Material::Wiped(CheckValue(value)) => {
                    out(&[NAME_ONLY]);
                    out(value);
                }
            }
        }
    }
}

/// Reads all keys; nothing unless these octets are the one encoding of what is read.
pub(super) fn decode(content: &[u8]) -> Option<BTreeMap<KeyRef, Entry>> {
    read(content, Input::entry)
}

/// Reads keys, each with what `entry` makes of the octets after its name.
pub(super) fn read<'a>(
    content: &'a [u8],
    entry: impl Fn(&mut Input<'a>) -> Option<Entry>,
) -> Option<BTreeMap<KeyRef, Entry>> {
    let mut input = Input(content);
    let mut keys = BTreeMap::new();
    let count = u16::from_be_bytes(*input.take()?);
    if usize::from(count) > MAX_KEYS {
        return None;
    }
    for _ in 0..count {
        let key = input.name()?;
        // Ascending, so that no name comes twice and there is one order.
        if keys.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return None;
        }
        keys.insert(key, entry(&mut input)?);
    }
    input.0.is_empty().then_some(keys)
}

/// What is not read yet.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(field)
    }

    fn text(&mut self) -> Option<&'a str> {
        let [length] = *self.take()?;
        let (text, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn name(&mut self) -> Option<KeyRef> {
        format!("{SCHEME}:{}", self.text()?).parse().ok()
    }

    pub(super) fn key_use(&mut self) -> Option<KeyUse> {
        let [use_code] = *self.take()?;
        KeyUse::ALL.into_iter().find(|key_use| code(*key_use) == use_code)
    }

    pub(super) fn version_count(&mut self) -> Option<u32> {
        let count = u32::from(u16::from_be_bytes(*self.take()?));
        (1..=MAX_VERSIONS).contains(&count).then_some(count)
    }

    fn entry(&mut self) -> Option<Entry> {
        let key_use = self.key_use()?;
        let label: Label = self.text()?.parse().ok()?;
        let versions = (0..self.version_count()?).map(|_| self.version(key_use));
        let entry = Entry { key_use, label, versions: versions.collect::<Option<_>>()? };
        entry.is_sound().then_some(entry)
    }

    fn version(&mut self, key_use: KeyUse) -> Option<Version> {
        let [state, kept] = *self.take()?;
        let state = VersionState::ALL.into_iter().find(|known| state_code(*known) == state)?;
        let material = match (kept, key_use.algorithm()) {
            (SECRET, algorithm) => self.secret(algorithm)?,
            (NAME_ONLY, KeyAlgorithm::Sm2 | KeyAlgorithm::Sm2Decryption) => self.public()?,
            (NAME_ONLY, _) => Material::Wiped(CheckValue(*self.take()?)),
            _ => return None,
        };
        material.fits(key_use, state).then_some(Version { state, material })
    }

    pub(super) fn secret(&mut self, algorithm: KeyAlgorithm) -> Option<Material> {
        Some(match algorithm {
            KeyAlgorithm::Sm2 | KeyAlgorithm::Sm2Decryption => {
                Material::Pair(Arc::new(SecretKey::from_be_bytes(self.take::<32>()?).ok()?))
            }
            KeyAlgorithm::Sm4Gcm | KeyAlgorithm::Sm4 => {
                let octets = self.take::<16>()?;
                let Ok(key) = Sm4Key::fill(|key| {
                    key.copy_from_slice(octets);
                    Ok::<(), Infallible>(())
                });
                Material::Sm4(Arc::new(key))
            }
            KeyAlgorithm::HmacSm3 => {
                let mut key = Box::new(Zeroizing::new([0; 32]));
                key.copy_from_slice(self.take::<32>()?);
                Material::Hmac(Arc::new(SoftHmacKey(key)))
            }
        })
    }

    pub(super) fn public(&mut self) -> Option<Material> {
        PublicKey::from_sec1(self.take::<65>()?).ok().map(Material::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Transition;
    use proptest::prelude::*;

    /// Every use, with a version in each state where it has versions.
    fn every_kind() -> BTreeMap<KeyRef, Entry> {
        let mut keys: BTreeMap<KeyRef, Entry> = KeyUse::ALL
            .into_iter()
            .map(|key_use| (format!("soft:{key_use}").parse().unwrap(), Entry::generate(key_use)))
            .collect();
        for entry in keys.values_mut() {
            entry.label = "标签".parse().unwrap();
            if (0..3).all(|_| entry.rotate().is_some()) && entry.prepare().is_some() {
                entry.change(1, Transition::Destroy).unwrap();
                entry.change(2, Transition::Compromise).unwrap();
            }
        }
        let wiped = keys.get_mut(&"soft:index".parse().unwrap()).unwrap();
        wiped.change(1, Transition::Retire).unwrap();
        wiped.change(1, Transition::Destroy).unwrap();
        keys
    }

    #[test]
    fn keys_are_read_as_written() {
        let keys = every_kind();
        let content = encode(&keys);
        let again = decode(&content).unwrap();
        assert_eq!(*encode(&again), *content);
        for (key, entry) in &keys {
            assert_eq!(again[key].describe(key), entry.describe(key), "{key}");
        }
    }

    #[test]
    fn no_key_comes_twice_or_out_of_order() {
        let one: &[u8] = b"\x01a\x05\0\0\x01\x02\0................................";
        let two: &[u8] = b"\x01b\x06\0\0\x01\x02\0................";
        let of_b = |rest: &[u8]| [b"\0\x01\x01b", rest].concat();
        for (content, read) in [
            ([b"\0\x02", one, two].concat(), true),
            ([b"\0\x02", two, one].concat(), false),
            ([b"\0\x02", one, one].concat(), false),
            ([b"\0\x01", one, two].concat(), false),
            ([b"\0\x03", one, two].concat(), false),
            // versions: none, and two of a key that has one
            (of_b(b"\x06\0\0\0"), false),
            (of_b(b"\x06\0\0\x02\x03\0................\x02\0................"), false),
            // two in use, one made ahead that is not the newest, an unknown state
            (of_b(b"\x04\0\0\x02\x03\0................\x02\0................"), true),
            (of_b(b"\x04\0\0\x02\x02\0................\x02\0................"), false),
            (of_b(b"\x04\0\0\x02\x01\0................\x02\0................"), false),
            (of_b(b"\x04\0\0\x01\x06\0................"), false),
            // a secret of what was destroyed, none of what is in use, neither
            (of_b(b"\x04\0\0\x01\x04\x01..."), true),
            (of_b(b"\x04\0\0\x01\x04\0................"), false),
            (of_b(b"\x04\0\0\x01\x02\x01..."), false),
            (of_b(b"\x04\0\0\x01\x04\x02..."), false),
            // a label, and one with a line break
            (of_b(b"\x06\x01x\0\x01\x02\0................"), true),
            (of_b(b"\x06\x01\n\0\x01\x02\0................"), false),
            // an unknown use, a name that is none, more keys than allowed
            (of_b(b"\x63\0\0\x01\x02\0................"), false),
            (b"\0\x01\x01B\x06\0\0\x01\x02\0................".to_vec(), false),
            (b"\0\x01\0\x06\0\0\x01\x02\0................".to_vec(), false),
            (b"\x10\x01".to_vec(), false),
        ] {
            assert_eq!(decode(&content).is_some(), read, "{content:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 128, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn other_octets_are_no_content(
            position in any::<prop::sample::Index>(),
            octet in any::<u8>(),
            keep in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let mut content = encode(&every_kind()).to_vec();
            let length = content.len();
            content[position.index(length)] = octet;
            if cut {
                content.truncate(keep.index(length));
            }
            if let Some(keys) = decode(&content) {
                prop_assert_eq!(&*encode(&keys), &content);
            }
        }
    }
}
