//! The software keystore: all keys in one sealed file.
//!
//! The file is encrypted and authenticated under a key from a passphrase, which can be shared among
//! custodians so that several of them open it together; its layout is described
//! in the source of the private module `file`. Opening it once brings every key into memory. A
//! change is made in memory and then [saved](SoftKeystore::save), whole and atomically: after a
//! crash the file is the old or the new one, never a mixture. A new key or version is given out
//! only once it is saved, so that nothing is sealed under a key that a crash would take away. Two
//! writers cannot undo each other's work: a file that changed since it was read is not replaced.
//!
//! A key has versions, each in a [state](crate::key::VersionState). One at most is in use; those
//! before it verify and open. A version that is destroyed keeps no secret here; copies of the file
//! made before do.
//!
//! What it cannot notice is an older copy of the whole file put back in its place.

mod content;
mod disk;
mod entry;
mod error;
mod file;
mod material;
mod old;
mod passphrase;
mod shamir;
mod share;

pub use disk::SecretFileError;
pub use error::KeystoreError;
pub use file::{Iterations, IterationsOutOfBounds};
pub use passphrase::{Passphrase, PassphraseError};
pub use share::{Share, ShareError};

use crate::key::{
    CardMaster, DataSealer, IndexKey, KeyAlgorithm, KeyDescription, KeyError, KeyRef, KeyUse,
    Keystore, Label, MacKey, Sm2Decrypter, Sm2Signer, Transition, VersionState,
};
use crate::sm2::SecretKey;
use crate::sm3;
use crate::sm4::Sm4Key;
use entry::Entry;
use file::{Content, Vault};
use material::Material;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The scheme of the keys kept here, as in `soft:token`.
pub const SCHEME: &str = "soft";

/// What opens a keystore.
#[derive(Clone, Copy, Debug)]
pub enum Unseal<'a> {
    /// The passphrase.
    Passphrase(&'a Passphrase),
    /// Shares of custodians, as many as are needed.
    Shares(&'a [Share]),
}

impl<'a> From<&'a Passphrase> for Unseal<'a> {
    fn from(passphrase: &'a Passphrase) -> Self {
        Self::Passphrase(passphrase)
    }
}

impl<'a> From<&'a [Share]> for Unseal<'a> {
    fn from(shares: &'a [Share]) -> Self {
        Self::Shares(shares)
    }
}

/// A keystore in one file, open in memory.
///
/// ```
/// use hsm::soft::{Passphrase, SoftKeystore};
/// use hsm::{KeyUse, Keystore, Sm2Signer};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys");
/// let passphrase = Passphrase::from_string(String::from("correct horse battery").into())?;
/// let mut keystore = SoftKeystore::create(&path, &passphrase)?;
/// keystore.generate(&"soft:token".parse()?, KeyUse::SignTokens)?;
/// keystore.save()?;
///
/// let keystore = SoftKeystore::open(&path, &passphrase)?;
/// let signer = keystore.signer(&"soft:token".parse()?, KeyUse::SignTokens)?;
/// let signature = signer.sign(&signer.digest(b"header.payload"))?;
/// # let _ = signature;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SoftKeystore {
    path: PathBuf,
    vault: Vault,
    keys: BTreeMap<KeyRef, Entry>,
    /// Keys made or rotated since the last save. They are not given out: what they sealed would be
    /// lost with the process.
    unsaved: BTreeSet<KeyRef>,
    /// SM3 of the file as last read or written.
    on_disk: [u8; 32],
}

impl SoftKeystore {
    /// Makes an empty keystore at `path` with [`Iterations::DEFAULT`] and writes it.
    ///
    /// # Errors
    /// [`KeystoreError::AlreadyExists`] when there is a file; [`KeystoreError::Busy`] and
    /// [`KeystoreError::File`] when it cannot be written.
    pub fn create(path: &Path, passphrase: &Passphrase) -> Result<Self, KeystoreError> {
        Self::create_with(path, passphrase, Iterations::DEFAULT)
    }

    /// As [`create`](Self::create), with another cost of guessing the passphrase.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn create_with(
        path: &Path,
        passphrase: &Passphrase,
        iterations: Iterations,
    ) -> Result<Self, KeystoreError> {
        let vault = Vault::new(passphrase, iterations);
        let keys = BTreeMap::new();
        let octets = vault.seal(&content::encode(&keys));
        let _lock = disk::lock(path)?;
        if path.try_exists().map_err(SecretFileError::Io)? {
            return Err(KeystoreError::AlreadyExists);
        }
        disk::replace(path, &octets)?;
        Ok(Self {
            path: path.to_owned(),
            vault,
            keys,
            unsaved: BTreeSet::new(),
            on_disk: sm3::digest(&octets),
        })
    }

    /// Opens the keystore at `path`, with its passphrase or with shares of it.
    ///
    /// # Errors
    /// [`KeystoreError::File`] when it cannot be read, is open to others than its owner, or is too
    /// long; [`KeystoreError::NotAKeystore`], [`KeystoreError::UnknownFormat`],
    /// [`KeystoreError::Length`], [`KeystoreError::HeaderDamaged`], [`KeystoreError::Iterations`]
    /// before the passphrase is tried; then [`KeystoreError::WrongPassphrase`] or
    /// [`KeystoreError::Shares`], [`KeystoreError::ContentDamaged`] and [`KeystoreError::Malformed`].
    pub fn open<'a>(path: &Path, unseal: impl Into<Unseal<'a>>) -> Result<Self, KeystoreError> {
        let octets = disk::read(path, file::MAX_FILE)?;
        let (vault, content) = Vault::open(&octets, unseal.into())?;
        let keys = match content {
            Content::Present(content) => content::decode(&content),
            Content::Old(content) => old::decode(&content),
        };
        let keys = keys.ok_or(KeystoreError::Malformed)?;
        Ok(Self {
            path: path.to_owned(),
            vault,
            keys,
            unsaved: BTreeSet::new(),
            on_disk: sm3::digest(&octets),
        })
    }

    /// Makes a fresh key, version 1, of the kind that `key_use` asks for.
    ///
    /// # Errors
    /// [`KeystoreError::AlreadyHere`], [`KeystoreError::OtherScheme`], [`KeystoreError::Full`].
    pub fn generate(&mut self, key: &KeyRef, key_use: KeyUse) -> Result<(), KeystoreError> {
        self.insert(key, Entry::generate(key_use))
    }

    /// Takes over a card master key that was made elsewhere.
    ///
    /// # Errors
    /// As for [`generate`](Self::generate).
    pub fn import_card_master(
        &mut self,
        key: &KeyRef,
        master: Sm4Key,
    ) -> Result<(), KeystoreError> {
        self.insert(key, Entry::of(KeyUse::CardMaster, Material::Sm4(Arc::new(master))))
    }

    /// Takes over a signing key that was made elsewhere.
    ///
    /// # Errors
    /// [`KeystoreError::NotASigningUse`]; otherwise as for [`generate`](Self::generate).
    pub fn import_signer(
        &mut self,
        key: &KeyRef,
        key_use: KeyUse,
        secret: SecretKey,
    ) -> Result<(), KeystoreError> {
        if key_use.algorithm() != KeyAlgorithm::Sm2 {
            return Err(KeystoreError::NotASigningUse(key_use));
        }
        self.insert(key, Entry::of(key_use, Material::Pair(Arc::new(secret))))
    }

    /// Takes a new version of a key into use and gives its number: the one that was
    /// [prepared](Self::prepare), if one was. The version before is retired: of a key that signs
    /// nothing stays but its public key; that of a key that seals stays, to open.
    ///
    /// # Errors
    /// [`KeystoreError::Unknown`]; [`KeystoreError::Fixed`] for a blind index, whose values are
    /// already stored, and a card master, whose version is written in the cards: those are
    /// replaced by a key of another name. [`KeystoreError::Full`].
    pub fn rotate(&mut self, key: &KeyRef) -> Result<u32, KeystoreError> {
        self.add_version(key, Entry::rotate)
    }

    /// Makes the next version of a key ahead and gives its number. It does nothing until the key
    /// is [rotated](Self::rotate), and its public key can be handed out before.
    ///
    /// # Errors
    /// As for [`rotate`](Self::rotate).
    pub fn prepare(&mut self, key: &KeyRef) -> Result<u32, KeystoreError> {
        self.add_version(key, Entry::prepare)
    }

    fn add_version(
        &mut self,
        key: &KeyRef,
        add: impl FnOnce(&mut Entry) -> Option<u32>,
    ) -> Result<u32, KeystoreError> {
        let entry = self.keys.get_mut(key).ok_or_else(|| KeystoreError::Unknown(key.clone()))?;
        if entry.newest() == content::MAX_VERSIONS {
            return Err(KeystoreError::Full);
        }
        let key_use = entry.key_use;
        let version =
            add(entry).ok_or_else(|| KeystoreError::Fixed { key: key.clone(), key_use })?;
        self.unsaved.insert(key.clone());
        Ok(version)
    }

    /// Changes the state of a version of a key, as [`VersionState::after`] allows it; the state it
    /// is in then.
    ///
    /// # Errors
    /// [`KeystoreError::Unknown`], [`KeystoreError::UnknownVersion`],
    /// [`KeystoreError::NoSuchTransition`].
    pub fn change(
        &mut self,
        key: &KeyRef,
        version: u32,
        transition: Transition,
    ) -> Result<VersionState, KeystoreError> {
        let entry = self.keys.get_mut(key).ok_or_else(|| KeystoreError::Unknown(key.clone()))?;
        let state = entry.change(version, transition).map_err(|state| match state {
            None => KeystoreError::UnknownVersion { key: key.clone(), version },
            Some(state) => {
                KeystoreError::NoSuchTransition { key: key.clone(), version, state, transition }
            }
        })?;
        self.unsaved.insert(key.clone());
        Ok(state)
    }

    /// Restricts a key to a part of what it did ([`KeyUse::restricted`]), with all its versions. There is
    /// no way back.
    ///
    /// # Errors
    /// [`KeystoreError::Unknown`]; [`KeystoreError::NotRestrictable`].
    pub fn restrict(&mut self, key: &KeyRef) -> Result<(), KeystoreError> {
        let entry = self.keys.get_mut(key).ok_or_else(|| KeystoreError::Unknown(key.clone()))?;
        let key_use = entry.key_use;
        entry.key_use = key_use
            .restricted()
            .ok_or_else(|| KeystoreError::NotRestrictable { key: key.clone(), key_use })?;
        self.unsaved.insert(key.clone());
        Ok(())
    }

    /// Changes what people call a key.
    ///
    /// # Errors
    /// [`KeystoreError::Unknown`].
    pub fn set_label(&mut self, key: &KeyRef, label: Label) -> Result<(), KeystoreError> {
        let entry = self.keys.get_mut(key).ok_or_else(|| KeystoreError::Unknown(key.clone()))?;
        entry.label = label;
        Ok(())
    }

    /// Changes the passphrase, from the next [`save`](Self::save) on. Copies of the file made
    /// before still open with the old one.
    pub fn change_passphrase(&mut self, passphrase: &Passphrase, iterations: Iterations) {
        self.vault = Vault::new(passphrase, iterations);
    }

    /// Makes shares for `count` custodians, any `threshold` of whom open this keystore together,
    /// until the passphrase is changed. Each time they are others, which do not go together.
    ///
    /// # Errors
    /// [`ShareError::Numbers`] unless 2 ≤ `threshold` ≤ `count` ≤ [`Share::MOST`].
    pub fn shares(&self, threshold: u8, count: u8) -> Result<Vec<Share>, ShareError> {
        self.vault.shares(threshold, count)
    }

    /// Writes all keys to the file, atomically and through to the disk.
    ///
    /// # Errors
    /// [`KeystoreError::Busy`] while another process saves; [`KeystoreError::ChangedOnDisk`] when
    /// the file is no longer the one that was read: open it again and repeat the change.
    /// [`KeystoreError::Full`] when it would exceed a mebibyte; [`KeystoreError::File`].
    pub fn save(&mut self) -> Result<(), KeystoreError> {
        let octets = self.vault.seal(&content::encode(&self.keys));
        if octets.len() > file::MAX_FILE {
            return Err(KeystoreError::Full);
        }
        let _lock = disk::lock(&self.path)?;
        if sm3::digest(&disk::read(&self.path, file::MAX_FILE)?) != self.on_disk {
            return Err(KeystoreError::ChangedOnDisk);
        }
        disk::replace(&self.path, &octets)?;
        self.on_disk = sm3::digest(&octets);
        self.unsaved.clear();
        Ok(())
    }

    fn insert(&mut self, key: &KeyRef, entry: Entry) -> Result<(), KeystoreError> {
        if key.scheme() != SCHEME {
            return Err(KeystoreError::OtherScheme(key.clone()));
        }
        if self.keys.contains_key(key) {
            return Err(KeystoreError::AlreadyHere(key.clone()));
        }
        if self.keys.len() == content::MAX_KEYS {
            return Err(KeystoreError::Full);
        }
        self.keys.insert(key.clone(), entry);
        self.unsaved.insert(key.clone());
        Ok(())
    }

    /// The key, if it is for this use and will be here tomorrow.
    fn entry(&self, key: &KeyRef, asked: KeyUse) -> Result<&Entry, KeyError> {
        let entry = self.keys.get(key).ok_or_else(|| KeyError::Unknown(key.clone()))?;
        if entry.key_use != asked {
            return Err(KeyError::WrongUse { key: key.clone(), asked, has: entry.key_use });
        }
        if self.unsaved.contains(key) {
            return Err(KeyError::NotSaved(key.clone()));
        }
        Ok(entry)
    }
}

impl Keystore for SoftKeystore {
    fn signer(&self, key: &KeyRef, key_use: KeyUse) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        let entry = self.entry(key, key_use)?;
        if key_use.algorithm() != KeyAlgorithm::Sm2 {
            return Err(KeyError::NotASigningUse(key_use));
        }
        entry.signer().ok_or(KeyError::NotActive)
    }

    fn decrypter(&self, key: &KeyRef) -> Result<Arc<dyn Sm2Decrypter>, KeyError> {
        Ok(self.entry(key, KeyUse::Decrypt)?.decrypter().ok_or(KeyError::NotActive)?)
    }

    fn sealer(&self, key: &KeyRef) -> Result<Arc<dyn DataSealer>, KeyError> {
        Ok(self.entry(key, KeyUse::SealData)?.sealer())
    }

    fn index_key(&self, key: &KeyRef) -> Result<Arc<dyn IndexKey>, KeyError> {
        Ok(self.entry(key, KeyUse::Index)?.hmac().ok_or(KeyError::NotActive)?)
    }

    fn mac_key(&self, key: &KeyRef) -> Result<Arc<dyn MacKey>, KeyError> {
        Ok(self.entry(key, KeyUse::MacCodes)?.hmac().ok_or(KeyError::NotActive)?)
    }

    fn card_master(&self, key: &KeyRef) -> Result<Arc<dyn CardMaster>, KeyError> {
        Ok(self.entry(key, KeyUse::CardMaster)?.card_master().ok_or(KeyError::NotActive)?)
    }

    fn list(&self) -> Vec<KeyDescription> {
        self.keys.iter().flat_map(|(key, entry)| entry.describe(key)).collect()
    }
}

impl fmt::Debug for SoftKeystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftKeystore({} keys)", self.keys.len())
    }
}
