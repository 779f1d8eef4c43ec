//! A device as a keystore.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hsm::key::{KeyAlgorithm, VersionState};
use hsm::sdf::Code;
use hsm::sm2::{Ciphertext, PreparedKey, PublicKey, SecretKey, Signature};
use hsm::{
    CardMaster, DataSealer, IndexKey, KeyDescription, KeyError, KeyRef, KeyUse, Keystore, MacKey,
    Sm2Decrypter, Sm2Signer,
};
use zeroize::Zeroizing;

use crate::pool::{DeviceState, Driver, Fault as _, Pool};

use super::ffi::{Device, Functions, Session};
use super::{Dialect, SdfError, SdfKey, SdfSettings};

/// The scheme of keys in such devices, as in `sdf:3`.
pub const SCHEME: &str = "sdf";

/// A device, open or not: its keys by index. Clones are the same device.
#[derive(Clone)]
pub struct SdfDevice(Arc<Pool<SdfDriver>>);

/// How the device is opened, and what is known of it.
struct SdfDriver {
    library: PathBuf,
    /// The library, once it is loaded.
    functions: Mutex<Option<Arc<Functions>>>,
    dialect: Dialect,
    keys: BTreeMap<u32, SdfKey>,
    /// Public keys as they were set or first seen.
    known: Mutex<BTreeMap<u32, PublicKey>>,
    /// Indexes whose access code was refused. It is not presented again: devices count. Held while a code
    /// is presented.
    refused: Mutex<BTreeSet<u32>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SdfDevice {
    /// Takes the settings. The library is loaded and the device opened when it is first needed.
    #[must_use]
    pub fn new(settings: SdfSettings) -> Self {
        let SdfSettings { library, sessions, wait, dialect, keys } = settings;
        let known = keys.iter().filter_map(|(index, key)| Some((*index, key.public_key.clone()?)));
        let known = Mutex::new(known.collect());
        let (functions, refused) = Default::default();
        let driver = SdfDriver { library, functions, dialect, keys, known, refused };
        Self(Arc::new(Pool::new(driver, sessions, wait)))
    }

    /// How the device was when it was last asked. Asks nothing.
    #[must_use]
    pub fn state(&self) -> DeviceState {
        self.0.device_state()
    }

    /// Asks the device for its public keys, which opens it when it was lost.
    ///
    /// # Errors
    /// [`SdfError`]: the first thing that is not as it must be.
    pub fn check(&self) -> Result<(), SdfError> {
        let driver = &self.0.driver;
        for (index, key) in &driver.keys {
            self.0.with(|lent| {
                driver.recognise(*index, &driver.export(&mut lent.session, *index, key)?)
            })?;
        }
        Ok(())
    }

    /// The index and the key of a name, if it is for this use.
    fn key(&self, name: &KeyRef, asked: KeyUse) -> Result<(u32, &SdfKey), KeyError> {
        let unknown = || KeyError::Unknown(name.clone());
        let index = index(name).ok_or_else(unknown)?;
        let key = self.0.driver.keys.get(&index).ok_or_else(unknown)?;
        if key.key_use != asked {
            return Err(KeyError::WrongUse { key: name.clone(), asked, has: key.key_use });
        }
        Ok((index, key))
    }

    fn public_key(&self, index: u32, key: &SdfKey) -> Result<PublicKey, KeyError> {
        let driver = &self.0.driver;
        if let Some(known) = lock(&driver.known).get(&index) {
            return Ok(known.clone());
        }
        Ok(self.0.with(|lent| {
            let seen = driver.export(&mut lent.session, index, key)?;
            driver.recognise(index, &seen)?;
            Ok(seen)
        })?)
    }

    /// Refuses a key of a kind that such devices have not; but a name that is wrong is told first.
    fn none<T>(&self, name: &KeyRef, asked: KeyUse) -> Result<T, KeyError> {
        self.key(name, asked)?;
        Err(KeyError::NotSupported(asked))
    }
}

/// Whether the device itself was not reached, whatever it was asked.
fn is_unreached(error: &SdfError) -> bool {
    matches!(error, SdfError::Refused { code: Code::Communication | Code::Hardware, .. })
}

/// The index in `sdf:3`, in its one writing.
fn index(name: &KeyRef) -> Option<u32> {
    let index = name.name().parse().ok()?;
    (name.to_string() == format!("{SCHEME}:{index}")).then_some(index)
}

/// A session, and the indexes whose access code it has presented.
struct Lent {
    session: Session,
    rights: BTreeSet<u32>,
}

impl Driver for SdfDriver {
    type Device = Device;
    type Session = Lent;
    type Error = SdfError;

    fn open(&self) -> Result<Device, SdfError> {
        let functions = {
            let mut loaded = lock(&self.functions);
            match &mut *loaded {
                Some(functions) => Arc::clone(functions),
                none => Arc::clone(none.insert(Functions::load(&self.library)?)),
            }
        };
        let device = Device::open(&functions)?;
        self.admit(&mut device.session()?)?;
        Ok(device)
    }

    fn session(&self, device: &Arc<Device>) -> Result<Lent, SdfError> {
        Ok(Lent { session: device.session()?, rights: BTreeSet::new() })
    }
}

impl SdfDriver {
    /// Looks at a device that was just opened: does it read our structures, and has it the keys that
    /// it had?
    fn admit(&self, session: &mut Session) -> Result<(), SdfError> {
        let (secret, e) = (SecretKey::generate(), [0x5A; 32]);
        let layout = self.dialect.layout;
        let signature = secret.sign(&e).map_err(|_| SdfError::Dialect)?;
        let (key, signature) = (layout.public_key(secret.public()), layout.signature(&signature));
        match session.verify(self.dialect.signature_number.number(), &key, &e, &signature) {
            // A device that verifies nothing for others is one all the same.
            Ok(()) | Err(SdfError::Refused { code: Code::NotSupported, .. }) => {}
            Err(error) if is_unreached(&error) => return Err(error),
            Err(_) => return Err(SdfError::Dialect),
        }
        let known = lock(&self.known).clone();
        for (index, known) in known {
            let Some(key) = self.keys.get(&index) else { continue };
            if self.export(session, index, key)? != known {
                return Err(SdfError::OtherKey { index });
            }
        }
        Ok(())
    }

    fn export(
        &self,
        session: &mut Session,
        index: u32,
        key: &SdfKey,
    ) -> Result<PublicKey, SdfError> {
        let (function, octets) = match key.key_use {
            KeyUse::Decrypt => ("SDF_ExportEncPublicKey_ECC", session.encryption_key(index)?),
            _ => ("SDF_ExportSignPublicKey_ECC", session.signing_key(index)?),
        };
        let read = self.dialect.layout.read_public_key(&octets);
        read.map_err(|source| SdfError::Answer { function, source })
    }

    /// Remembers a public key, or compares it with what is remembered.
    fn recognise(&self, index: u32, seen: &PublicKey) -> Result<(), SdfError> {
        match &*lock(&self.known).entry(index).or_insert_with(|| seen.clone()) {
            known if known == seen => Ok(()),
            _ => Err(SdfError::OtherKey { index }),
        }
    }

    /// Sees to it that a session may use a private key.
    fn admit_to(&self, lent: &mut Lent, index: u32) -> Result<(), SdfError> {
        let Some(key) = self.keys.get(&index) else { return Ok(()) };
        let Some(code) = &key.access_code else { return Ok(()) };
        if lent.rights.contains(&index) {
            return Ok(());
        }
        // Held until the device has answered: of several sessions, one presents the code.
        let mut refused = lock(&self.refused);
        if !refused.contains(&index) {
            let Err(error) = lent.session.take_right(index, code.expose()) else {
                lent.rights.insert(index);
                return Ok(());
            };
            if !error.is_denial() {
                if is_unreached(&error) {
                    return Err(error);
                }
                // Makers have numbers of their own for it. A session that goes on answering is no lost one.
                self.export(&mut lent.session, index, key)?;
            }
            refused.insert(index);
        }
        let function = "SDF_GetPrivateKeyAccessRight";
        Err(SdfError::Refused { function, code: Code::AccessRight })
    }
}

impl Keystore for SdfDevice {
    fn signer(&self, name: &KeyRef, key_use: KeyUse) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        let (index, key) = self.key(name, key_use)?;
        if key_use.algorithm() != KeyAlgorithm::Sm2 {
            return Err(KeyError::NotASigningUse(key_use));
        }
        let key = self.public_key(index, key)?.prepare();
        Ok(Arc::new(SdfSigner { device: Arc::clone(&self.0), index, key }))
    }

    fn decrypter(&self, name: &KeyRef) -> Result<Arc<dyn Sm2Decrypter>, KeyError> {
        let (index, key) = self.key(name, KeyUse::Decrypt)?;
        let key = self.public_key(index, key)?;
        Ok(Arc::new(SdfDecrypter { device: Arc::clone(&self.0), index, key }))
    }

    fn sealer(&self, name: &KeyRef) -> Result<Arc<dyn DataSealer>, KeyError> {
        self.none(name, KeyUse::SealData)
    }

    fn index_key(&self, name: &KeyRef) -> Result<Arc<dyn IndexKey>, KeyError> {
        self.none(name, KeyUse::Index)
    }

    fn mac_key(&self, name: &KeyRef) -> Result<Arc<dyn MacKey>, KeyError> {
        self.none(name, KeyUse::MacCodes)
    }

    fn card_master(&self, name: &KeyRef) -> Result<Arc<dyn CardMaster>, KeyError> {
        self.none(name, KeyUse::CardMaster)
    }

    /// A device says nothing of versions: each key is one, in use.
    fn list(&self) -> Vec<KeyDescription> {
        let driver = &self.0.driver;
        let known = lock(&driver.known);
        let describe = |(index, key): (&u32, &SdfKey)| KeyDescription {
            reference: format!("{SCHEME}:{index}").parse().expect("a scheme and a number"),
            key_use: key.key_use,
            label: key.label.clone(),
            version: 1,
            state: VersionState::Active,
            public_key: known.get(index).cloned(),
            check_value: None,
        };
        driver.keys.iter().map(describe).collect()
    }
}

struct SdfSigner {
    device: Arc<Pool<SdfDriver>>,
    index: u32,
    key: PreparedKey,
}

impl Sm2Signer for SdfSigner {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, e: &[u8; 32]) -> Result<Signature, KeyError> {
        let index = self.index;
        let signature = self.device.with(|lent| {
            self.device.driver.admit_to(lent, index)?;
            let octets = lent.session.sign(index, e)?;
            let read = self.device.driver.dialect.layout.read_signature(&octets);
            let function = "SDF_InternalSign_ECC";
            let signature = read.map_err(|source| SdfError::Answer { function, source })?;
            // A device that lost its power in the middle may answer anything, and a wrong signature
            // can give the key away.
            self.key.verify(e, &signature).map_err(|_| SdfError::WrongSignature { index })?;
            Ok(signature)
        });
        Ok(signature?)
    }
}

struct SdfDecrypter {
    device: Arc<Pool<SdfDriver>>,
    index: u32,
    key: PublicKey,
}

impl Sm2Decrypter for SdfDecrypter {
    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let Dialect { layout, decrypt_order, .. } = self.device.driver.dialect;
        let cipher = layout.cipher(ciphertext).map_err(|_| KeyError::NotAuthentic)?;
        Ok(self.device.with(|lent| {
            self.device.driver.admit_to(lent, self.index)?;
            lent.session.decrypt(self.index, decrypt_order, &cipher)
        })?)
    }
}

impl fmt::Debug for SdfDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SdfDevice({} keys, {:?})", self.0.driver.keys.len(), self.state())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;
    use std::sync::atomic::Ordering;
    use std::thread;
    use std::time::Duration;

    use hsm::key::Label;
    use hsm::soft::Passphrase;

    use super::super::ffi::double::{self, ANSWER, DIES, PRESENTED};
    use super::*;

    /// A number that is no code of the standard.
    const VENDOR: u32 = 0x0200_0001;

    /// The double as a device of four sessions, with one key that asks for a code.
    fn device() -> SdfDevice {
        let code = Passphrase::from_string("wrong".to_owned().into()).unwrap();
        let (key_use, label) = (KeyUse::SignTokens, Label::default());
        let key = SdfKey { key_use, label, access_code: Some(code), public_key: None };
        let device = SdfDevice::new(SdfSettings {
            library: PathBuf::new(),
            sessions: NonZeroU8::new(4).unwrap(),
            wait: Duration::from_secs(10),
            dialect: Dialect::default(),
            keys: BTreeMap::from([(3, key)]),
        });
        *lock(&device.0.driver.functions) = Some(double::functions());
        device
    }

    /// Devices count, and lock the key. A device that was away has counted nothing.
    #[test]
    fn an_access_code_that_is_refused_is_presented_once() {
        let (right, argument) = (Code::AccessRight.number(), Code::InArgument.number());
        for (answer, dies, remembered) in [
            (right, false, true),
            (right, true, true),
            (Code::PrivateKeyDenied.number(), false, true),
            (Code::Unknown.number(), false, true),
            (argument, false, true),
            (VENDOR, false, true),
            (argument, true, false),
            (VENDOR, true, false),
            (Code::Communication.number(), false, false),
            (Code::Hardware.number(), false, false),
        ] {
            let case = format!("{answer:#010x}, dies: {dies}");
            let device = device();
            let signer = device.signer(&"sdf:3".parse().unwrap(), KeyUse::SignTokens).unwrap();
            ANSWER.store(answer, Ordering::SeqCst);
            DIES.store(dies, Ordering::SeqCst);
            *lock(&PRESENTED) = 0;
            let sign = || signer.sign(&[1; 32]).unwrap_err();
            if remembered {
                thread::scope(|scope| {
                    let callers = [(); 4].map(|()| scope.spawn(sign));
                    for error in callers.map(|caller| caller.join().unwrap()) {
                        assert!(matches!(error, KeyError::Locked), "{case}: {error:?}");
                    }
                });
                assert!(matches!(sign(), KeyError::Locked), "{case}");
                assert_eq!(*lock(&PRESENTED), 1, "{case}");
                assert_eq!(device.state(), DeviceState::Ready, "{case}");
            } else {
                for times in [1, 2] {
                    assert!(matches!(sign(), KeyError::Device(_)), "{case}");
                    assert_eq!(device.state(), DeviceState::Lost, "{case}");
                    assert_eq!(*lock(&PRESENTED), times, "{case}");
                }
            }
        }
    }
}
