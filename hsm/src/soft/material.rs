//! What a version of a key is made of, and what it computes.

use crate::key::{
    CardMaster, CheckValue, DataSealer, IndexKey, KeyAlgorithm, KeyError, KeyUse, MacKey,
    VersionState,
};
use crate::sm2::{PublicKey, SecretKey};
use crate::sm4::Sm4Key;
use crate::{kdf, random, sm3};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The octets of a version: a secret, or what stays to name it by.
pub(super) enum Material {
    /// A key that signs, or one that decrypts.
    Pair(Arc<SecretKey>),
    /// The public key of one that signs no more.
    Public(PublicKey),
    /// A key that seals, or a card master.
    Sm4(Arc<Sm4Key>),
    /// A key for HMAC.
    Hmac(Arc<SoftHmacKey>),
    /// The check value of a key that was wiped.
    Wiped(CheckValue),
}

impl Material {
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::Sm2 | KeyAlgorithm::Sm2Decryption => {
                Self::Pair(Arc::new(SecretKey::generate()))
            }
            KeyAlgorithm::Sm4Gcm | KeyAlgorithm::Sm4 => Self::Sm4(Arc::new(Sm4Key::generate())),
            KeyAlgorithm::HmacSm3 => {
                let mut key = Box::new(Zeroizing::new([0; 32]));
                random::fill(&mut key[..]);
                Self::Hmac(Arc::new(SoftHmacKey(key)))
            }
        }
    }

    /// Whether a version of a key of this use is kept as this in this state.
    pub(super) fn fits(&self, key_use: KeyUse, state: VersionState) -> bool {
        use VersionState::{Active, Compromised, Destroyed, PreActive, Retired};
        match self {
            // What was encrypted for it is still read, as what was sealed.
            Self::Pair(_) if key_use == KeyUse::Decrypt => state != Destroyed,
            Self::Pair(_) => matches!(state, PreActive | Active),
            Self::Public(_) if key_use == KeyUse::Decrypt => {
                matches!(state, Destroyed | Compromised)
            }
            Self::Public(_) => matches!(state, Retired | Destroyed | Compromised),
            Self::Sm4(_) | Self::Hmac(_) => state != Destroyed,
            // It may have become known only after it was wiped here.
            Self::Wiped(_) => matches!(state, Destroyed | Compromised),
        }
    }

    /// Forgets what a version in this state has no use for. The last of those that were handed out
    /// wipes it.
    pub(super) fn keep_for(&mut self, key_use: KeyUse, state: VersionState) {
        if self.fits(key_use, state) {
            return;
        }
        *self = match (self.public_key(), self.check_value(key_use)) {
            (Some(public), _) => Self::Public(public.clone()),
            (None, Some(value)) => Self::Wiped(value),
            (None, None) => unreachable!("a version has the one or the other"),
        };
    }

    pub(super) fn public_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Pair(secret) => Some(secret.public()),
            Self::Public(public) => Some(public),
            Self::Sm4(_) | Self::Hmac(_) | Self::Wiped(_) => None,
        }
    }

    pub(super) fn check_value(&self, key_use: KeyUse) -> Option<CheckValue> {
        match self {
            Self::Pair(_) | Self::Public(_) => None,
            Self::Sm4(key) if key_use == KeyUse::CardMaster => Some(card_check_value(key)),
            Self::Sm4(key) => Some(derived_check_value(key.expose())),
            Self::Hmac(key) => Some(derived_check_value(&key.0[..])),
            Self::Wiped(value) => Some(*value),
        }
    }
}

fn card_check_value(key: &Sm4Key) -> CheckValue {
    let mut block = [0; 16];
    key.encrypt_block(&mut block);
    let [a, b, c, ..] = block;
    CheckValue([a, b, c])
}

fn derived_check_value(key: &[u8]) -> CheckValue {
    CheckValue(*kdf::hkdf(b"", key, b"healthcard key check value"))
}

/// A sealing key: all its versions, oldest first.
pub(super) struct SoftSealer {
    /// The version that seals.
    pub(super) active: Option<u32>,
    /// Nothing where a version was destroyed or never used.
    pub(super) keys: Vec<Option<Arc<Sm4Key>>>,
}

/// A key for HMAC.
pub(super) struct SoftHmacKey(pub(super) Box<Zeroizing<[u8; 32]>>);

/// A card master.
pub(super) struct SoftCardMaster(pub(super) Arc<Sm4Key>);

/// The first octet of what is sealed; the version of the key follows in four.
const SEALED_FORM: u8 = 1;

impl SoftSealer {
    fn key(&self, version: u32) -> Result<&Sm4Key, KeyError> {
        let position = (version as usize).checked_sub(1);
        let key = position.and_then(|position| self.keys.get(position)?.as_deref());
        key.ok_or(KeyError::UnknownVersion(version))
    }
}

impl DataSealer for SoftSealer {
    fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        let version = self.active.ok_or(KeyError::NotActive)?;
        let header = sealed_header(version);
        let sealed = self.key(version)?.seal(&[&header[..], aad].concat(), plaintext);
        Ok([&header[..], &sealed].concat())
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (header, sealed) = sealed.split_first_chunk::<5>().ok_or(KeyError::NotAuthentic)?;
        let [SEALED_FORM, version @ ..] = *header else { return Err(KeyError::NotAuthentic) };
        let key = self.key(u32::from_be_bytes(version))?;
        key.open(&[&header[..], aad].concat(), sealed).map_err(|_| KeyError::NotAuthentic)
    }
}

fn sealed_header(version: u32) -> [u8; 5] {
    let [a, b, c, d] = version.to_be_bytes();
    [SEALED_FORM, a, b, c, d]
}

impl IndexKey for SoftHmacKey {
    fn index(&self, domain: &str, value: &[u8]) -> Result<[u8; 32], KeyError> {
        let length = (domain.len() as u64).to_be_bytes();
        Ok(sm3::hmac(&self.0[..], &[&length, domain.as_bytes(), value]))
    }
}

impl MacKey for SoftHmacKey {
    fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], KeyError> {
        Ok(sm3::hmac(&self.0[..], parts))
    }
}

impl CardMaster for SoftCardMaster {
    fn derive(&self, blocks: &[[u8; 16]]) -> Result<Sm4Key, KeyError> {
        if blocks.is_empty() {
            return Err(KeyError::NothingToDeriveFrom);
        }
        Ok(self.0.derive(blocks))
    }

    fn derive_wrapped(
        &self,
        blocks: &[[u8; 16]],
        transport: &Sm4Key,
    ) -> Result<[u8; 16], KeyError> {
        let derived = self.derive(blocks)?;
        let mut wrapped = *derived.expose();
        transport.encrypt_block(&mut wrapped);
        Ok(wrapped)
    }
}
