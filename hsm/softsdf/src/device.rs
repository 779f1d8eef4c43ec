//! The device: the keys of a keystore by index.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hsm::sdf::{Code, Layout, algorithm};
use hsm::soft::{Passphrase, SoftKeystore};
use hsm::{KeyError, Keystore as _, Sm2Decrypter, Sm2Signer};

use crate::fault::Fault;
use crate::settings::{OpenError, Settings};

/// Most octets that one call takes (`BufferSize`).
pub(crate) const MAX_DATA: u32 = 65_536;

/// A device as one `SDF_OpenDevice` found it.
pub(crate) struct Device {
    pub(crate) layout: Layout,
    keys: BTreeMap<u32, DeviceKey>,
    fault_file: Option<PathBuf>,
    /// It was pulled out once: what was open then stays lost.
    lost: AtomicBool,
}

struct DeviceKey {
    signer: Option<Arc<dyn Sm2Signer>>,
    decrypter: Option<Arc<dyn Sm2Decrypter>>,
    access_code: Option<Passphrase>,
}

impl Device {
    /// Opens the device that a settings file describes.
    pub(crate) fn open(settings: &Path) -> Result<Self, OpenError> {
        let settings = Settings::load(settings)?;
        let fault_file = settings.fault_file;
        if Fault::in_file(fault_file.as_deref()) == Some(Fault::Unplugged) {
            return Err(OpenError::Unplugged);
        }
        let keystore = SoftKeystore::open(&settings.keystore, &settings.passphrase)?;
        let uses: BTreeMap<_, _> =
            keystore.list().into_iter().map(|key| (key.reference, key.key_use)).collect();
        let mut keys = BTreeMap::new();
        for (index, key) in settings.keys {
            let signer = key.sign.map(|name| {
                let key_use = *uses.get(&name).ok_or_else(|| KeyError::Unknown(name.clone()))?;
                keystore.signer(&name, key_use)
            });
            let decrypter = key.decrypt.map(|name| keystore.decrypter(&name));
            let key = DeviceKey {
                signer: signer.transpose()?,
                decrypter: decrypter.transpose()?,
                access_code: key.access_code,
            };
            keys.insert(index, key);
        }
        Ok(Self { layout: settings.layout, keys, fault_file, lost: AtomicBool::new(false) })
    }

    /// What befalls the device now, other than being away.
    ///
    /// # Errors
    /// [`Code::Communication`] when it is unplugged, or was since it was opened.
    pub(crate) fn fault(&self) -> Result<Option<Fault>, Code> {
        let fault = Fault::in_file(self.fault_file.as_deref());
        if fault == Some(Fault::Unplugged) {
            self.lost.store(true, Ordering::Relaxed);
        }
        if self.lost.load(Ordering::Relaxed) { Err(Code::Communication) } else { Ok(fault) }
    }

    /// Whether this is the code of the private keys of an index.
    pub(crate) fn admits(&self, index: u32, code: &[u8]) -> Result<(), Code> {
        match &self.key(index)?.access_code {
            Some(right) if !right.is(code) => Err(Code::AccessRight),
            _ => Ok(()),
        }
    }

    /// Whether private keys of an index ask for a code.
    pub(crate) fn is_locked(&self, index: u32) -> Result<bool, Code> {
        Ok(self.key(index)?.access_code.is_some())
    }

    pub(crate) fn signer(&self, index: u32) -> Result<&dyn Sm2Signer, Code> {
        self.key(index)?.signer.as_deref().ok_or(Code::NoSuchKey)
    }

    pub(crate) fn decrypter(&self, index: u32) -> Result<&dyn Sm2Decrypter, Code> {
        self.key(index)?.decrypter.as_deref().ok_or(Code::NoSuchKey)
    }

    fn key(&self, index: u32) -> Result<&DeviceKey, Code> {
        self.keys.get(&index).ok_or(Code::NoSuchKey)
    }
}

/// DEVICEINFO, packed: who made what, and what it can do.
pub(crate) fn information() -> Vec<u8> {
    let mut octets = Vec::with_capacity(100);
    // The serial is a date, a batch and a number (GB/T 33560-2017, 7.5.5).
    for (text, room) in [("healthcard", 40), ("softsdf", 16), ("2026112600100001", 16)] {
        let end = octets.len() + room;
        octets.extend_from_slice(text.as_bytes());
        octets.resize(end, 0);
    }
    let (version, standard) = (1, 1);
    let asymmetric = [algorithm::SM2_SIGN | algorithm::SM2_ENCRYPT, 256];
    let symmetric = algorithm::SM4_ECB | algorithm::SM4_CBC | algorithm::SM4_MAC;
    let [algorithms, bits] = asymmetric;
    for number in [version, standard, algorithms, bits, symmetric, algorithm::SM3, MAX_DATA] {
        octets.extend_from_slice(&number.to_ne_bytes());
    }
    octets
}
