//! Keys of the software keystore, each with its versions.

use crate::key::{
    CardMaster, DataSealer, IndexKey, KeyAlgorithm, KeyDescription, KeyError, KeyRef, KeyUse,
    MacKey, VersionState,
};
use crate::sm2::{PublicKey, SecretKey};
use crate::sm4::Sm4Key;
use crate::{random, sm3};
use std::sync::Arc;
use zeroize::Zeroizing;

/// One key and its versions, numbered from 1.
pub(super) enum Entry {
    /// Any use of an SM2 key.
    Signer(SoftSigner),
    /// [`KeyUse::SealData`].
    Sealer(Arc<SoftSealer>),
    /// [`KeyUse::Index`] and [`KeyUse::MacCodes`].
    Hmac(Arc<SoftHmacKey>),
    /// [`KeyUse::CardMaster`].
    CardMaster(Arc<SoftCardMaster>),
}

/// A signing key: the secret of the newest version, the public keys of all before.
pub(super) struct SoftSigner {
    pub(super) key_use: KeyUse,
    pub(super) retired: Vec<PublicKey>,
    pub(super) current: Arc<SecretKey>,
}

impl SoftSigner {
    pub(super) fn current(&self) -> Arc<SecretKey> {
        self.current.clone()
    }
}

/// A sealing key: all versions, oldest first, at least one.
pub(super) struct SoftSealer(pub(super) Vec<Arc<Sm4Key>>);

/// A key for HMAC, and its one use.
pub(super) struct SoftHmacKey {
    pub(super) key_use: KeyUse,
    pub(super) key: Box<Zeroizing<[u8; 32]>>,
}

/// A card master.
pub(super) struct SoftCardMaster(pub(super) Sm4Key);

impl Entry {
    pub(super) fn generate(key_use: KeyUse) -> Self {
        match key_use.algorithm() {
            KeyAlgorithm::Sm2 => Self::Signer(SoftSigner {
                key_use,
                retired: Vec::new(),
                current: Arc::new(SecretKey::generate()),
            }),
            KeyAlgorithm::Sm4Gcm => {
                Self::Sealer(Arc::new(SoftSealer(vec![Arc::new(Sm4Key::generate())])))
            }
            KeyAlgorithm::HmacSm3 => {
                let mut key = Box::new(Zeroizing::new([0; 32]));
                random::fill(&mut key[..]);
                Self::Hmac(Arc::new(SoftHmacKey { key_use, key }))
            }
            KeyAlgorithm::Sm4 => Self::card_master(Sm4Key::generate()),
        }
    }

    pub(super) fn signer(key_use: KeyUse, secret: SecretKey) -> Option<Self> {
        (key_use.algorithm() == KeyAlgorithm::Sm2).then(|| {
            Self::Signer(SoftSigner { key_use, retired: Vec::new(), current: Arc::new(secret) })
        })
    }

    pub(super) fn card_master(master: Sm4Key) -> Self {
        Self::CardMaster(Arc::new(SoftCardMaster(master)))
    }

    pub(super) fn key_use(&self) -> KeyUse {
        match self {
            Self::Signer(signer) => signer.key_use,
            Self::Sealer(_) => KeyUse::SealData,
            Self::Hmac(hmac) => hmac.key_use,
            Self::CardMaster(_) => KeyUse::CardMaster,
        }
    }

    /// The newest version.
    pub(super) fn version(&self) -> u32 {
        let versions = match self {
            Self::Signer(signer) => signer.retired.len() + 1,
            Self::Sealer(sealer) => sealer.0.len(),
            Self::Hmac(_) | Self::CardMaster(_) => 1,
        };
        u32::try_from(versions).expect("bounded by the file format")
    }

    /// Adds a version and gives its number; nothing for keys of one version.
    pub(super) fn rotate(&mut self) -> Option<u32> {
        match self {
            Self::Signer(signer) => {
                let old = std::mem::replace(&mut signer.current, Arc::new(SecretKey::generate()));
                signer.retired.push(old.public().clone());
            }
            Self::Sealer(sealer) => {
                let mut versions = sealer.0.clone();
                versions.push(Arc::new(Sm4Key::generate()));
                *sealer = Arc::new(SoftSealer(versions));
            }
            Self::Hmac(_) | Self::CardMaster(_) => return None,
        }
        Some(self.version())
    }

    /// Every version, newest first.
    pub(super) fn describe(&self, key: &KeyRef) -> Vec<KeyDescription> {
        let newest = self.version();
        (1..=newest)
            .rev()
            .map(|version| KeyDescription {
                reference: key.clone(),
                key_use: self.key_use(),
                version,
                state: if version == newest {
                    VersionState::Current
                } else {
                    VersionState::Retired
                },
                public_key: self.public_key(version).cloned(),
            })
            .collect()
    }

    fn public_key(&self, version: u32) -> Option<&PublicKey> {
        let Self::Signer(signer) = self else { return None };
        Some(signer.retired.get(version as usize - 1).unwrap_or(signer.current.public()))
    }
}

/// The first octet of what is sealed; the version of the key follows in four.
const SEALED_FORM: u8 = 1;

impl DataSealer for SoftSealer {
    fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        let key = self.0.last().expect("at least one version");
        let version = u32::try_from(self.0.len()).expect("bounded by the file format");
        let header = sealed_header(version);
        let sealed = key.seal(&[&header[..], aad].concat(), plaintext);
        Ok([&header[..], &sealed].concat())
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (header, sealed) = sealed.split_first_chunk::<5>().ok_or(KeyError::NotAuthentic)?;
        let [SEALED_FORM, version @ ..] = *header else { return Err(KeyError::NotAuthentic) };
        let version = u32::from_be_bytes(version);
        let key = version
            .checked_sub(1)
            .and_then(|position| self.0.get(position as usize))
            .ok_or(KeyError::UnknownVersion(version))?;
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
        Ok(sm3::hmac(&self.key[..], &[&length, domain.as_bytes(), value]))
    }
}

impl MacKey for SoftHmacKey {
    fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], KeyError> {
        Ok(sm3::hmac(&self.key[..], parts))
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
