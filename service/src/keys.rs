//! The service's own keys: which there are, what each is for, and how they are reached.

use std::{collections::BTreeMap, sync::Arc};

use card::{CardKey, KeyVersion, command::personalise::TRANSPORT_MASTER};
use hsm::{
    CardMaster, DataSealer, IndexKey, KeyDescription, KeyError, KeyRef, KeyUse, Keystore, MacKey,
    Sm2Signer,
    key::{KeyAlgorithm, VersionState},
    self_test::{Guarded, SelfTestError},
    sm2::PublicKey,
    soft::{KeystoreError, SoftKeystore},
};
use zeroize::Zeroizing;

use crate::{
    devices::{Devices, Placed},
    generation::Generation,
    store::{LogKeys, ResidentIndexKey},
};

/// Name of the key that signs tokens.
pub(crate) const TOKEN: &str = "token";
/// Name of the key that signs checkpoints.
const LOG: &str = "log";
/// Name of the key that seals residents' data keys and the names of staff.
const DATA: &str = "data";
/// Name of the key of blind indexes.
const INDEX: &str = "index";
/// What the key of the index of residents is derived from that one under.
const RESIDENT_INDEX: &str = "log.resident-index";
/// Name of the key that signs codes of electronic cards.
const CODE: &str = "code";
/// Name of the key that the changing part of such codes is made with.
const CODE_MAC: &str = "code-mac";

/// Name of the key that signs the certificates of cards and SAMs.
const CARD_ISSUER: &str = "card-issuer";
/// Name of the master of security codes (CVK).
const SECURITY_CODE: &str = "card-cvk";
/// Name of the key that signs lists of cards that are not to be served.
const CARD_LIST: &str = "card-list";
/// Name of the key that signs records on cards where no SAM does.
const CARD_RECORDS: &str = "card-records";

/// Name of the key that signs answers about the status of certificates.
const STATUS: &str = "ocsp";

/// Name of the key that stamps times.
const TIME_STAMPS: &str = "tsa";

/// Name of the key with which the service shows who it is on the national listener.
const NATIONAL: &str = "national";

/// Name of the key under which the key management centre seals what it holds for others.
const KEY_CENTRE: &str = "kmc";

/// Name of the key that signs the rules of access of an institution.
const RULES: &str = "policy";

/// Keys that came with a later version, and their uses. A keystore made before gets them at start:
/// nothing rests on them yet.
const LATER: [(&str, KeyUse); 11] = [
    (CODE, KeyUse::SignCodes),
    (CODE_MAC, KeyUse::MacCodes),
    (CARD_ISSUER, KeyUse::SignCertificates),
    (SECURITY_CODE, KeyUse::CardMaster),
    (CARD_LIST, KeyUse::SignCardLists),
    (CARD_RECORDS, KeyUse::SignRecords),
    (STATUS, KeyUse::SignStatus),
    (TIME_STAMPS, KeyUse::SignTimestamps),
    (KEY_CENTRE, KeyUse::SealData),
    (NATIONAL, KeyUse::SignHandshakes),
    (RULES, KeyUse::SignRules),
];

/// How a key of a service is succeeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Succession {
    /// By a new version of it: verifiers ask the service for its keys.
    Version,
    /// By a new certificate: those that were issued name this very key.
    Certificate,
    /// By a key of another name: what it made is kept, and found or derived with it alone.
    Name,
}

impl Succession {
    /// That of keys of this use.
    #[must_use]
    pub fn of(key_use: KeyUse) -> Self {
        match key_use {
            KeyUse::SignTokens
            | KeyUse::SignLog
            | KeyUse::SignCodes
            | KeyUse::SignCardLists
            // A new version gets a certificate of its own at the next start.
            | KeyUse::SignStatus
            | KeyUse::SignTimestamps
            | KeyUse::SignHandshakes
            | KeyUse::SignRules
            | KeyUse::SealData => Self::Version,
            KeyUse::Index | KeyUse::MacCodes | KeyUse::CardMaster => Self::Name,
            // SignCertificates, SignLists, SignRecords, and any use to come until
            // it is thought about: the answer that changes nothing.
            _ => Self::Certificate,
        }
    }
}

/// A key that may be in a device instead of the keystore, by its name, and its use: a key that signs, and
/// that is succeeded by version.
#[must_use]
pub fn movable(name: &str) -> Option<(KeyRef, KeyUse)> {
    let (key, key_use) = required().find(|(key, _)| key.name() == name)?;
    let signs = key_use.algorithm() == KeyAlgorithm::Sm2;
    (signs && Succession::of(key_use) == Succession::Version).then_some((key, key_use))
}

/// Every key a service has from its founding on, and its use then.
pub fn required() -> impl Iterator<Item = (KeyRef, KeyUse)> {
    let authorities = Generation::first().map(|it| (it.key(), KeyUse::SignCertificates));
    let masters = CardKey::all_versions()
        .map(|(key, version)| key.master_name(version))
        .chain([TRANSPORT_MASTER.to_owned()])
        .map(|name| (soft(&name), KeyUse::CardMaster));
    let others = [
        (TOKEN, KeyUse::SignTokens),
        (LOG, KeyUse::SignLog),
        (DATA, KeyUse::SealData),
        (INDEX, KeyUse::Index),
    ];
    authorities
        .chain(others.into_iter().map(|(name, key_use)| (soft(name), key_use)))
        .chain(LATER.into_iter().map(|(name, key_use)| (soft(name), key_use)))
        .chain(masters)
}

/// Whether the service does not start without this key: those that it was founded with, and those that its
/// authorities got since.
#[must_use]
pub fn is_needed(key: &KeyRef) -> bool {
    required().any(|(needed, _)| needed == *key)
        || key.name().parse().is_ok_and(|of: Generation| of.key() == *key)
}

/// Makes the keys that a keystore lacks because it was made by an earlier version; those that were
/// made. Any other key that is missing is a loss, which nothing here can make good.
///
/// # Errors
/// [`KeystoreError`] when the keystore cannot be written.
pub fn complete(keystore: &mut SoftKeystore) -> Result<Vec<KeyRef>, KeystoreError> {
    let there: Vec<KeyRef> = keystore.list().into_iter().map(|key| key.reference).collect();
    let mut made = Vec::new();
    for (name, key_use) in LATER {
        let key = soft(name);
        if !there.contains(&key) {
            keystore.generate(&key, key_use)?;
            made.push(key);
        }
    }
    if !made.is_empty() {
        keystore.save()?;
    }
    Ok(made)
}

/// The service's keys in a keystore, asked for by what they do.
pub struct Keys {
    keystore: Box<dyn Keystore>,
    devices: Devices,
    tested: Result<(), SelfTestError>,
}

impl Keys {
    /// Takes the keystore. Unless the self-tests passed, its keys verify and open, and do nothing new.
    #[must_use]
    pub fn new(keystore: impl Keystore + 'static, tested: Result<(), SelfTestError>) -> Self {
        Self::with_devices(keystore, Devices::default(), tested)
    }

    /// The same, with keys that are in devices instead.
    #[must_use]
    pub fn with_devices(
        keystore: impl Keystore + 'static,
        devices: Devices,
        tested: Result<(), SelfTestError>,
    ) -> Self {
        let keystore = Guarded::new(Placed::new(keystore, devices.clone()), tested);
        Self { keystore: Box::new(keystore), devices, tested }
    }

    /// The devices.
    #[must_use]
    pub fn devices(&self) -> &Devices {
        &self.devices
    }

    /// The device that signs checkpoints, when it is lost: nothing is recorded then.
    #[must_use]
    pub fn lost_log_device(&self) -> Option<&str> {
        self.devices.lost_with(&soft(LOG))
    }

    /// How the self-tests ended.
    ///
    /// # Errors
    /// What failed: nothing is signed or sealed.
    pub fn tested(&self) -> Result<(), SelfTestError> {
        self.tested
    }

    /// The keystore itself, for listing.
    #[must_use]
    pub fn keystore(&self) -> &dyn Keystore {
        &*self.keystore
    }

    /// Signs certificates and lists of an authority, with the key that none has succeeded.
    ///
    /// # Errors
    /// [`KeyError`] when the keystore lacks the key; so for all methods below. [`KeyError::WrongUse`] for a
    /// key that was succeeded.
    pub fn authority(&self, of: Generation) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&of.key(), KeyUse::SignCertificates)
    }

    /// Signs what an authority's key that was succeeded goes on to sign: its lists, and the certificates of
    /// its responders.
    ///
    /// # Errors
    /// See [`Keys::authority`]; [`KeyError::WrongUse`] for a key that still certifies.
    pub fn succeeded_authority(&self, of: Generation) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&of.key(), KeyUse::SignLists)
    }

    /// The generations of authorities that there are keys of, and their public keys, in their order.
    #[must_use]
    pub fn generations(&self) -> BTreeMap<Generation, PublicKey> {
        let listed = self.keystore.list().into_iter();
        // Of the root, the key that signs; the others have one version.
        let signs =
            |of: &Generation, state| *of != Generation::ROOT || state == VersionState::Active;
        let keys = listed.filter_map(|key| {
            let of = key.reference.name().parse().ok().filter(|of| signs(of, key.state))?;
            Some((of, key.public_key?))
        });
        keys.collect()
    }

    /// Signs answers about the status of certificates, for all authorities.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn status(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(STATUS), KeyUse::SignStatus)
    }

    /// Stamps times.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn time_stamps(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(TIME_STAMPS), KeyUse::SignTimestamps)
    }

    /// Shows on the national listener who the service is.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn national(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(NATIONAL), KeyUse::SignHandshakes)
    }

    /// Whether what this key signed is believed: a version of a key of ours that is neither destroyed nor
    /// compromised.
    #[must_use]
    pub fn believes(&self, key: &PublicKey) -> bool {
        let ours = |version: &KeyDescription| version.public_key.as_ref() == Some(key);
        self.keystore.list().iter().any(|version| ours(version) && version.state.verifies())
    }

    /// Signs records on cards.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn card_records(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(CARD_RECORDS), KeyUse::SignRecords)
    }

    /// Signs tokens.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn token(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(TOKEN), KeyUse::SignTokens)
    }

    /// Has the keystore's own version go on signing tokens in place of the one that is in a device, which then is
    /// [`next_token_key`](Self::next_token_key), until [`let_token_key_sign`](Self::let_token_key_sign) is called.
    /// Answers the one in the device, where there are both.
    ///
    /// # Errors
    /// See [`Keys::authority`]; the device may be lost.
    pub fn hold_token_key_back(&self) -> Result<Option<KeyDescription>, KeyError> {
        let key = soft(TOKEN);
        if !self.devices.have(&key) {
            return Ok(None);
        }
        // Asked for, its public key is known.
        self.token()?;
        self.devices.hold_back(&key);
        let goes_on = self.believed(TOKEN).any(|version| version.state == VersionState::Active);
        let next = self.next_token_key().filter(|_| goes_on);
        if next.is_none() {
            self.devices.let_sign(&key);
        }
        Ok(next)
    }

    /// Whether the keystore's own version signs tokens in place of the one that is in a device.
    #[must_use]
    pub fn token_key_is_held_back(&self) -> bool {
        self.devices.holds_back(&soft(TOKEN))
    }

    /// Signs tokens with the key in the device, also while it is held back.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn token_in_device(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        let key = soft(TOKEN);
        let there = self.devices.signer(&key, KeyUse::SignTokens);
        there.unwrap_or(Err(KeyError::Unknown(key)))
    }

    /// Has the key in the device sign tokens from now on.
    pub fn let_token_key_sign(&self) {
        self.devices.let_sign(&soft(TOKEN));
    }

    /// Earlier versions of the key that signs tokens: they still verify.
    #[must_use]
    pub fn earlier_token_keys(&self) -> Vec<PublicKey> {
        self.earlier(TOKEN)
    }

    /// The version of the key that signs tokens that was made ahead, if there is one.
    #[must_use]
    pub fn next_token_key(&self) -> Option<KeyDescription> {
        self.believed(TOKEN).find(|version| version.state == VersionState::PreActive)
    }

    /// Signs codes of electronic cards.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn code(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(CODE), KeyUse::SignCodes)
    }

    /// Earlier versions of the key that signs codes: they still verify.
    #[must_use]
    pub fn earlier_code_keys(&self) -> Vec<PublicKey> {
        self.earlier(CODE)
    }

    /// Makes the changing part of codes.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn code_mac(&self) -> Result<Arc<dyn MacKey>, KeyError> {
        self.keystore.mac_key(&soft(CODE_MAC))
    }

    /// Signs lists of cards that are not to be served.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn card_list(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(CARD_LIST), KeyUse::SignCardLists)
    }

    /// Earlier versions of the key that signs those lists: they still verify.
    #[must_use]
    pub fn earlier_card_list_keys(&self) -> Vec<PublicKey> {
        self.earlier(CARD_LIST)
    }

    /// Signs rules of access.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn rules(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(RULES), KeyUse::SignRules)
    }

    /// Every version of the key that signs rules that is believed; none in a keystore of before there was one.
    #[must_use]
    pub fn rules_keys(&self) -> Vec<PublicKey> {
        self.believed(RULES).filter_map(|version| version.public_key).collect()
    }

    /// Versions of a key that are believed beside the one that signs: those before it, and one that was
    /// made ahead.
    fn earlier(&self, name: &str) -> Vec<PublicKey> {
        self.believed(name)
            .filter(|version| version.state != VersionState::Active)
            .filter_map(|version| version.public_key)
            .collect()
    }

    fn believed(&self, name: &str) -> impl Iterator<Item = KeyDescription> {
        let key = soft(name);
        let listed = self.keystore.list().into_iter();
        listed.filter(move |version| version.reference == key && version.state.verifies())
    }

    /// Signs checkpoints of the log.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn log(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(LOG), KeyUse::SignLog)
    }

    /// The keys of the log: the one that signs, and those whose checkpoints are believed.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn of_log(&self) -> Result<LogKeys, KeyError> {
        let octets = Zeroizing::new(self.index()?.index(RESIDENT_INDEX, b"")?);
        let resident_index = Arc::new(ResidentIndexKey::new(&octets));
        Ok(LogKeys { signer: self.log()?, earlier: self.earlier(LOG), resident_index })
    }

    /// Seals data keys.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn data(&self) -> Result<Arc<dyn DataSealer>, KeyError> {
        self.keystore.sealer(&soft(DATA))
    }

    /// Seals the encryption key pairs that the key management centre holds.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn key_centre(&self) -> Result<Arc<dyn DataSealer>, KeyError> {
        self.keystore.sealer(&soft(KEY_CENTRE))
    }

    /// Makes blind indexes.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn index(&self) -> Result<Arc<dyn IndexKey>, KeyError> {
        self.keystore.index_key(&soft(INDEX))
    }

    /// The master that a version of a card's key is diversified from.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn card_master(
        &self,
        key: CardKey,
        version: KeyVersion,
    ) -> Result<Arc<dyn CardMaster>, KeyError> {
        self.keystore.card_master(&soft(&key.master_name(version)))
    }

    /// Signs the certificates of cards and SAMs.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn card_issuer(&self) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        self.keystore.signer(&soft(CARD_ISSUER), KeyUse::SignCertificates)
    }

    /// The master of security codes.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn security_code_master(&self) -> Result<Arc<dyn CardMaster>, KeyError> {
        self.keystore.card_master(&soft(SECURITY_CODE))
    }

    /// The master of the keys that blank cards come with.
    ///
    /// # Errors
    /// See [`Keys::authority`].
    pub fn transport_master(&self) -> Result<Arc<dyn CardMaster>, KeyError> {
        self.keystore.card_master(&soft(TRANSPORT_MASTER))
    }
}

fn soft(name: &str) -> KeyRef {
    format!("soft:{name}").parse().expect("names of keys are literals of this module")
}

#[cfg(test)]
mod tests {
    use hsm::soft::{Iterations, Passphrase};

    use super::*;

    #[test]
    fn a_keystore_of_an_earlier_version_gets_what_it_lacks_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keystore.hck");
        let passphrase = Passphrase::from_string("right".to_owned().into()).unwrap();
        let mut keystore =
            SoftKeystore::create_with(&path, &passphrase, Iterations::MINIMUM).unwrap();
        let later: Vec<KeyRef> = LATER.into_iter().map(|(name, _)| soft(name)).collect();
        for (key, key_use) in required().filter(|(key, _)| !later.contains(key)) {
            keystore.generate(&key, key_use).unwrap();
        }
        keystore.save().unwrap();
        assert_eq!(complete(&mut keystore).unwrap(), later);
        assert_eq!(complete(&mut keystore).unwrap(), []);

        let again = SoftKeystore::open(&path, &passphrase).unwrap();
        let keys = Keys::new(again, Ok(()));
        assert!(keys.code().is_ok() && keys.code_mac().is_ok());
        // What a keystore never was without is not made up when it is lost.
        let mut empty = SoftKeystore::create_with(
            &place.path().join("empty.hck"),
            &passphrase,
            Iterations::MINIMUM,
        )
        .unwrap();
        complete(&mut empty).unwrap();
        let keys = Keys::new(empty, Ok(()));
        assert!(keys.code().is_ok() && keys.token().is_err() && keys.log().is_err());
    }
}
