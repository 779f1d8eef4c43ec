//! A token as a keystore.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cryptoki::object::ObjectClass;
use hsm::key::{KeyAlgorithm, Label, VersionState};
use hsm::sm2::PublicKey;
use hsm::soft::Passphrase;
use hsm::{
    CardMaster, DataSealer, IndexKey, KeyDescription, KeyError, KeyRef, KeyUse, Keystore, MacKey,
    Sm2Decrypter, Sm2Signer,
};

use super::Pkcs11Error;
use super::keys::{TokenKey, TokenSigner};
use super::session::TokenDriver;
use crate::pool::{DeviceState, Pool};

/// The scheme of keys in tokens, as in `pkcs11:data`.
pub const SCHEME: &str = "pkcs11";

/// What is known of a token before it is opened.
#[derive(Debug)]
pub struct Pkcs11Settings {
    /// The module: the maker's library.
    pub library: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The PIN of its user.
    pub pin: Passphrase,
    /// Most sessions that are open at once.
    pub sessions: NonZeroU8,
    /// How long a caller waits for a session.
    pub wait: Duration,
    /// The numbers of mechanisms.
    pub mechanisms: Mechanisms,
    /// Its keys by label.
    pub keys: BTreeMap<String, Pkcs11Key>,
}

/// A key of the token.
#[derive(Debug)]
pub struct Pkcs11Key {
    /// The one thing it does.
    pub key_use: KeyUse,
    /// What people call it.
    pub label: Label,
    /// The public key, where it is known: verification then needs no token even at the start.
    pub public_key: Option<PublicKey>,
}

/// Numbers of mechanisms, as the maker gives them; nothing for what the token does not do.
#[derive(Clone, Copy, Default, Debug)]
pub struct Mechanisms {
    /// Signs *e* with SM2 and gives *r* ‖ *s*, 64 octets.
    pub sign: Option<u64>,
    /// Seals with GCM, with the parameters `CK_GCM_PARAMS`: SM4, or AES where it must be that.
    pub seal: Option<u64>,
    /// HMAC of 32 octets: over SM3, or SHA-256 where it must be that.
    pub hmac: Option<u64>,
    /// Encrypts one block of 16 octets (ECB).
    pub block: Option<u64>,
}

/// A token, open or not: its keys by label. Clones are the same token.
#[derive(Clone)]
pub struct Pkcs11Token {
    pool: Arc<Pool<TokenDriver>>,
    mechanisms: Mechanisms,
    keys: Arc<BTreeMap<String, Pkcs11Key>>,
}

impl Pkcs11Token {
    /// Takes the settings. The module is loaded and the token opened when it is first needed.
    #[must_use]
    pub fn new(settings: Pkcs11Settings) -> Self {
        let Pkcs11Settings { library, token, pin, sessions, wait, mechanisms, keys } = settings;
        let (module, refused) = (Mutex::default(), AtomicBool::new(false));
        let driver = TokenDriver { library, token, pin, module, refused };
        let pool = Arc::new(Pool::new(driver, sessions, wait));
        Self { pool, mechanisms, keys: Arc::new(keys) }
    }

    /// How the token was when it was last asked. Asks nothing.
    #[must_use]
    pub fn state(&self) -> DeviceState {
        self.pool.device_state()
    }

    /// Looks for its keys, which opens the token when it was lost.
    ///
    /// # Errors
    /// [`Pkcs11Error`]: the first thing that is not as it must be.
    pub fn check(&self) -> Result<(), Pkcs11Error> {
        for (label, key) in &*self.keys {
            let class = match key.key_use.algorithm() {
                KeyAlgorithm::Sm2 | KeyAlgorithm::Sm2Decryption => ObjectClass::PRIVATE_KEY,
                _ => ObjectClass::SECRET_KEY,
            };
            self.pool.with(|session| session.find(label, class))?;
        }
        Ok(())
    }

    /// The settings of a key, if it is for this use.
    fn key(&self, name: &KeyRef, asked: KeyUse) -> Result<&Pkcs11Key, KeyError> {
        let ours = (name.scheme() == SCHEME).then(|| self.keys.get(name.name())).flatten();
        let key = ours.ok_or_else(|| KeyError::Unknown(name.clone()))?;
        if key.key_use != asked {
            return Err(KeyError::WrongUse { key: name.clone(), asked, has: key.key_use });
        }
        Ok(key)
    }

    /// A secret key that computes by a mechanism, once it is seen to be there.
    fn secret(
        &self,
        name: &KeyRef,
        asked: KeyUse,
        mechanism: Option<u64>,
    ) -> Result<Arc<TokenKey>, KeyError> {
        self.key(name, asked)?;
        let mechanism = mechanism.ok_or(KeyError::NotSupported(asked))?;
        let label = name.name().to_owned();
        self.pool.with(|session| session.find(&label, ObjectClass::SECRET_KEY))?;
        Ok(Arc::new(TokenKey { pool: Arc::clone(&self.pool), label, mechanism }))
    }
}

impl Keystore for Pkcs11Token {
    fn signer(&self, name: &KeyRef, key_use: KeyUse) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        let key = self.key(name, key_use)?;
        if key_use.algorithm() != KeyAlgorithm::Sm2 {
            return Err(KeyError::NotASigningUse(key_use));
        }
        let mechanism = self.mechanisms.sign.ok_or(KeyError::NotSupported(key_use))?;
        let label = name.name().to_owned();
        let public = match &key.public_key {
            Some(public) => public.clone(),
            None => self.pool.with(|session| session.public_key(&label))?,
        };
        let key = TokenKey { pool: Arc::clone(&self.pool), label, mechanism };
        Ok(Arc::new(TokenSigner { key, public: public.prepare() }))
    }

    fn decrypter(&self, name: &KeyRef) -> Result<Arc<dyn Sm2Decrypter>, KeyError> {
        self.key(name, KeyUse::Decrypt)?;
        Err(KeyError::NotSupported(KeyUse::Decrypt))
    }

    fn sealer(&self, name: &KeyRef) -> Result<Arc<dyn DataSealer>, KeyError> {
        Ok(self.secret(name, KeyUse::SealData, self.mechanisms.seal)?)
    }

    fn index_key(&self, name: &KeyRef) -> Result<Arc<dyn IndexKey>, KeyError> {
        Ok(self.secret(name, KeyUse::Index, self.mechanisms.hmac)?)
    }

    fn mac_key(&self, name: &KeyRef) -> Result<Arc<dyn MacKey>, KeyError> {
        Ok(self.secret(name, KeyUse::MacCodes, self.mechanisms.hmac)?)
    }

    fn card_master(&self, name: &KeyRef) -> Result<Arc<dyn CardMaster>, KeyError> {
        Ok(self.secret(name, KeyUse::CardMaster, self.mechanisms.block)?)
    }

    /// A token says nothing of versions: each key is one, in use.
    fn list(&self) -> Vec<KeyDescription> {
        let names = self.keys.iter().filter_map(|(label, key)| {
            Some((format!("{SCHEME}:{label}").parse::<KeyRef>().ok()?, key))
        });
        let describe = |(reference, key): (KeyRef, &Pkcs11Key)| KeyDescription {
            reference,
            key_use: key.key_use,
            label: key.label.clone(),
            version: 1,
            state: VersionState::Active,
            public_key: key.public_key.clone(),
            check_value: None,
        };
        names.map(describe).collect()
    }
}

impl fmt::Debug for Pkcs11Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pkcs11Token({} keys, {:?})", self.keys.len(), self.state())
    }
}
