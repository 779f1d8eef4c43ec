//! Keys of the service that are in cryptographic devices: asked for by the same names as those in the
//! keystore.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use hsm::{
    CardMaster, DataSealer, IndexKey, KeyDescription, KeyError, KeyRef, KeyUse, Keystore, MacKey,
    Sm2Decrypter, Sm2Signer,
    key::VersionState,
    sm2::{PublicKey, Signature},
};
use hsm_device::{
    DeviceState,
    sdf::{SCHEME, SdfDevice, SdfError},
};

use crate::{aside::aside, config::DeviceSettings, telemetry};

/// The devices, and which keys are in them. Clones are the same devices.
#[derive(Clone, Default)]
pub struct Devices {
    devices: Arc<BTreeMap<String, SdfDevice>>,
    /// By the name of a key: the device, and its own name for it.
    places: Arc<BTreeMap<KeyRef, (String, KeyRef)>>,
    /// Keys that do not sign yet: the keystore's own goes on.
    held_back: Arc<Mutex<BTreeSet<KeyRef>>>,
}

impl Devices {
    /// Takes the settings; a device is opened when it is first needed.
    #[must_use]
    pub fn new(settings: DeviceSettings) -> Self {
        let DeviceSettings { devices, places } = settings;
        let devices = devices.into_iter().map(|(name, device)| (name, SdfDevice::new(device)));
        let there = |index| format!("{SCHEME}:{index}").parse().expect("a scheme and a number");
        let places = places.into_iter().map(|(key, (device, index))| (key, (device, there(index))));
        Self {
            devices: Arc::new(devices.collect()),
            places: Arc::new(places.collect()),
            held_back: Arc::default(),
        }
    }

    /// Each device with how it was when it was last asked.
    pub fn states(&self) -> impl Iterator<Item = (&str, DeviceState)> {
        self.devices.iter().map(|(name, device)| (name.as_str(), device.state()))
    }

    /// Whether a key is in one of them.
    #[must_use]
    pub fn have(&self, key: &KeyRef) -> bool {
        self.places.contains_key(key)
    }

    /// Has the keystore's own key go on signing in place of one that is in a device.
    pub fn hold_back(&self, key: &KeyRef) {
        self.held_back.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
    }

    /// Ends that.
    pub fn let_sign(&self, key: &KeyRef) {
        self.held_back.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Whether it does.
    #[must_use]
    pub fn holds_back(&self, key: &KeyRef) -> bool {
        self.held_back.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// The device that a key is in, if it is lost.
    #[must_use]
    pub fn lost_with(&self, key: &KeyRef) -> Option<&str> {
        let (name, device, _) = self.place(key)?;
        (device.state() == DeviceState::Lost).then_some(name)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Asks each device, which finds again what was lost. Tells what changed since `lost` were lost, and
    /// changes them accordingly. It may take long.
    pub fn look_after(&self, lost: &mut BTreeSet<String>) {
        for (name, device) in &*self.devices {
            match device.check() {
                Ok(()) => {
                    if lost.remove(name) {
                        tracing::info!(device = name, "the device is back");
                    }
                }
                // Whoever has all its sessions at work is not lost.
                Err(SdfError::Busy(_)) => {}
                Err(error) => {
                    if lost.insert(name.clone()) {
                        let cause = telemetry::chain(&error);
                        tracing::error!(
                            device = name,
                            cause,
                            "the device is lost: its keys do not sign"
                        );
                    }
                }
            }
        }
    }

    /// Signs with a key that is in one of them; `None` for any other.
    pub(crate) fn signer(
        &self,
        key: &KeyRef,
        key_use: KeyUse,
    ) -> Option<Result<Arc<dyn Sm2Signer>, KeyError>> {
        let (_, device, there) = self.place(key)?;
        let waiting = |signer| Arc::new(Waiting(signer)) as Arc<dyn Sm2Signer>;
        Some(device.signer(there, key_use).map(waiting))
    }

    fn place(&self, key: &KeyRef) -> Option<(&str, &SdfDevice, &KeyRef)> {
        let (name, there) = self.places.get(key)?;
        Some((name, self.devices.get(name)?, there))
    }
}

/// A keystore some of whose keys are in devices instead. What those signed that were in use before goes on
/// being verified: they are shown as replaced. While a key in a device is held back it is shown as made ahead, and the
/// keystore's own signs.
pub struct Placed<K> {
    keystore: K,
    devices: Devices,
}

impl<K: Keystore> Placed<K> {
    /// The keystore, and what is elsewhere.
    pub fn new(keystore: K, devices: Devices) -> Self {
        Self { keystore, devices }
    }
}

impl<K: Keystore> Keystore for Placed<K> {
    fn signer(&self, key: &KeyRef, key_use: KeyUse) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        let there = match self.devices.holds_back(key) {
            true => None,
            false => self.devices.signer(key, key_use),
        };
        there.unwrap_or_else(|| self.keystore.signer(key, key_use))
    }

    fn decrypter(&self, key: &KeyRef) -> Result<Arc<dyn Sm2Decrypter>, KeyError> {
        self.keystore.decrypter(key)
    }

    fn sealer(&self, key: &KeyRef) -> Result<Arc<dyn DataSealer>, KeyError> {
        self.keystore.sealer(key)
    }

    fn index_key(&self, key: &KeyRef) -> Result<Arc<dyn IndexKey>, KeyError> {
        self.keystore.index_key(key)
    }

    fn mac_key(&self, key: &KeyRef) -> Result<Arc<dyn MacKey>, KeyError> {
        self.keystore.mac_key(key)
    }

    fn card_master(&self, key: &KeyRef) -> Result<Arc<dyn CardMaster>, KeyError> {
        self.keystore.card_master(key)
    }

    fn list(&self) -> Vec<KeyDescription> {
        let mut listed = Vec::new();
        for mut version in self.keystore.list() {
            if let Some((_, device, there)) = self.devices.place(&version.reference) {
                let held_back = self.devices.holds_back(&version.reference);
                let is_first = listed
                    .last()
                    .is_none_or(|last: &KeyDescription| last.reference != version.reference);
                let described = device.list().into_iter().find(|key| key.reference == *there);
                if let Some(described) = described.filter(|_| is_first) {
                    let (reference, version) = (version.reference.clone(), version.version + 1);
                    let state = match held_back {
                        true => VersionState::PreActive,
                        false => described.state,
                    };
                    listed.push(KeyDescription { reference, version, state, ..described });
                }
                if version.state == VersionState::Active && !held_back {
                    version.state = VersionState::Retired;
                }
            }
            listed.push(version);
        }
        listed
    }
}

/// A signer that may wait for a device: other work of its thread is handed on meanwhile.
struct Waiting(Arc<dyn Sm2Signer>);

impl Sm2Signer for Waiting {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, e: &[u8; 32]) -> Result<Signature, KeyError> {
        aside(|| self.0.sign(e))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use hsm::{
        key::Label,
        sm2::SecretKey,
        soft::{Iterations, Passphrase, SoftKeystore},
    };
    use hsm_device::sdf::{Dialect, SdfKey, SdfSettings};

    use super::*;

    /// A device whose library is not there, with one key that is known.
    fn settings(known: &PublicKey) -> DeviceSettings {
        let key = SdfKey {
            key_use: KeyUse::SignTokens,
            label: Label::default(),
            access_code: None,
            public_key: Some(known.clone()),
        };
        let device = SdfSettings {
            library: "/nowhere/libsdf.so".into(),
            sessions: NonZeroU8::MIN,
            wait: std::time::Duration::from_secs(1),
            dialect: Dialect::default(),
            keys: BTreeMap::from([(3, key)]),
        };
        let place = ("soft:token".parse().unwrap(), ("rack".to_owned(), 3));
        DeviceSettings {
            devices: BTreeMap::from([("rack".to_owned(), device)]),
            places: BTreeMap::from([place]),
        }
    }

    #[test]
    fn a_key_in_a_device_succeeds_the_one_in_the_keystore() {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::from_string("right".to_owned().into()).unwrap();
        let path = folder.path().join("keys");
        let mut keystore =
            SoftKeystore::create_with(&path, &passphrase, Iterations::MINIMUM).unwrap();
        let (token, log): (KeyRef, KeyRef) =
            ("soft:token".parse().unwrap(), "soft:log".parse().unwrap());
        keystore.generate(&token, KeyUse::SignTokens).unwrap();
        keystore.generate(&log, KeyUse::SignLog).unwrap();
        keystore.save().unwrap();
        let old = keystore.signer(&token, KeyUse::SignTokens).unwrap().public_key().clone();
        let known = SecretKey::generate().public().clone();
        let devices = Devices::new(settings(&known));
        let placed = Placed::new(keystore, devices.clone());

        let listed = placed.list().into_iter().filter(|version| version.reference == token);
        let listed: Vec<_> =
            listed.map(|version| (version.version, version.state, version.public_key)).collect();
        let expected =
            [(2, VersionState::Active, Some(known.clone())), (1, VersionState::Retired, Some(old))];
        assert_eq!(listed, expected);
        // Held back, it is known, and the keystore's own goes on.
        devices.hold_back(&token);
        let listed = placed.list().into_iter().filter(|version| version.reference == token);
        let states: Vec<_> = listed.map(|version| (version.version, version.state)).collect();
        assert_eq!(states, [(2, VersionState::PreActive), (1, VersionState::Active)]);
        let own = placed.signer(&token, KeyUse::SignTokens).unwrap();
        assert_eq!(Some(own.public_key()), expected[1].2.as_ref());
        own.sign(&[1; 32]).unwrap();
        devices.let_sign(&token);

        // It is known without the device; only signing needs it.
        let signer = placed.signer(&token, KeyUse::SignTokens).unwrap();
        assert_eq!(*signer.public_key(), known);
        assert_eq!(devices.lost_with(&token), None);
        assert!(matches!(signer.sign(&[1; 32]), Err(KeyError::Device(_))));
        assert_eq!(devices.lost_with(&token), Some("rack"));
        assert!(matches!(
            placed.signer(&token, KeyUse::SignLog),
            Err(KeyError::WrongUse { has: KeyUse::SignTokens, .. })
        ));
        // Other keys are where they were, and go on.
        assert_eq!(devices.lost_with(&log), None);
        placed.signer(&log, KeyUse::SignLog).unwrap().sign(&[1; 32]).unwrap();

        let mut lost = BTreeSet::new();
        devices.look_after(&mut lost);
        assert!(lost.contains("rack"));
    }
}
