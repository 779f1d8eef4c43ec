//! The content of the file: every key, in the order of their names, in one encoding only.
//!
//! ```text
//! 2  number of keys; then for each key
//!   1  length of the name    n  the name, without "soft:"
//!   1  code of the use       2  number of versions
//!   …  SM2: 65 octets of public key for each older version, then the 32 of the secret key
//!      sealing: 16 octets for each version; HMAC: 32; card master: 16
//! ```

use super::SCHEME;
use super::entry::{Entry, SoftHmacKey, SoftSealer, SoftSigner};
use crate::key::{KeyAlgorithm, KeyRef, KeyUse};
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
        out(&[code(entry.key_use())]);
        out(&u16::try_from(entry.version()).expect("at most MAX_VERSIONS").to_be_bytes());
        match entry {
            Entry::Signer(signer) => {
                signer.retired.iter().for_each(|public| out(public.as_sec1()));
                out(&signer.current.to_be_bytes()[..]);
            }
            Entry::Sealer(sealer) => sealer.0.iter().for_each(|key| out(key.expose())),
            Entry::Hmac(hmac) => out(&hmac.key[..]),
            Entry::CardMaster(master) => out(master.0.expose()),
        }
    }
}

/// Reads all keys; nothing unless these octets are the one encoding of what is read.
pub(super) fn decode(content: &[u8]) -> Option<BTreeMap<KeyRef, Entry>> {
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
        keys.insert(key, input.entry()?);
    }
    input.0.is_empty().then_some(keys)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(field)
    }

    fn name(&mut self) -> Option<KeyRef> {
        let [length] = *self.take()?;
        let (name, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        format!("{SCHEME}:{}", std::str::from_utf8(name).ok()?).parse().ok()
    }

    fn entry(&mut self) -> Option<Entry> {
        let [use_code] = *self.take()?;
        let key_use = KeyUse::ALL.into_iter().find(|key_use| code(*key_use) == use_code)?;
        let versions = u32::from(u16::from_be_bytes(*self.take()?));
        if !(1..=MAX_VERSIONS).contains(&versions) {
            return None;
        }
        let single = (versions == 1).then_some(());
        Some(match key_use.algorithm() {
            KeyAlgorithm::Sm2 => {
                let retired = (1..versions)
                    .map(|_| PublicKey::from_sec1(self.take::<65>()?).ok())
                    .collect::<Option<_>>()?;
                let current = Arc::new(SecretKey::from_be_bytes(self.take::<32>()?).ok()?);
                Entry::Signer(SoftSigner { key_use, retired, current })
            }
            KeyAlgorithm::Sm4Gcm => {
                let versions = (0..versions).map(|_| self.sm4_key().map(Arc::new));
                Entry::Sealer(Arc::new(SoftSealer(versions.collect::<Option<_>>()?)))
            }
            KeyAlgorithm::HmacSm3 => {
                single?;
                let mut key = Box::new(Zeroizing::new([0; 32]));
                key.copy_from_slice(self.take::<32>()?);
                Entry::Hmac(Arc::new(SoftHmacKey { key_use, key }))
            }
            KeyAlgorithm::Sm4 => {
                single?;
                Entry::card_master(self.sm4_key()?)
            }
        })
    }

    fn sm4_key(&mut self) -> Option<Sm4Key> {
        let octets = self.take::<16>()?;
        let Ok(key) = Sm4Key::fill(|key| {
            key.copy_from_slice(octets);
            Ok::<(), Infallible>(())
        });
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_kind() -> BTreeMap<KeyRef, Entry> {
        let mut keys: BTreeMap<KeyRef, Entry> = KeyUse::ALL
            .into_iter()
            .map(|key_use| (format!("soft:{key_use}").parse().unwrap(), Entry::generate(key_use)))
            .collect();
        keys.values_mut().for_each(|entry| {
            entry.rotate();
        });
        keys
    }

    #[test]
    fn keys_are_read_as_written() {
        let content = encode(&every_kind());
        assert_eq!(*encode(&decode(&content).unwrap()), *content);
    }

    #[test]
    fn no_key_comes_twice_or_out_of_order() {
        let one: &[u8] = b"\x01a\x05\0\x01................................";
        let two: &[u8] = b"\x01b\x06\0\x01................";
        for (content, read) in [
            ([b"\0\x02", one, two].concat(), true),
            ([b"\0\x02", two, one].concat(), false),
            ([b"\0\x02", one, one].concat(), false),
            ([b"\0\x01", one, two].concat(), false),
            ([b"\0\x03", one, two].concat(), false),
            // versions: none, and two of a key that has one
            (b"\0\x01\x01b\x06\0\0".to_vec(), false),
            ([&b"\0\x01\x01b\x06\0\x02"[..], &[1; 32]].concat(), false),
            // an unknown use, a name that is none, more keys than allowed
            (b"\0\x01\x01b\x63\0\x01................".to_vec(), false),
            (b"\0\x01\x01B\x06\0\x01................".to_vec(), false),
            (b"\0\x01\0\x06\0\x01................".to_vec(), false),
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
