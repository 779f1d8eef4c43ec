//! A cryptographic device in software: `libsoftsdf`, a copy for each test, with settings, keys and misfortunes of its own.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU8;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hsm::soft::{Iterations, Passphrase, SoftKeystore};
use hsm::{KeyRef, KeyUse, Keystore, sm2::PublicKey};
use hsm_device::sdf::{Dialect, SdfKey, SdfSettings};
use tempfile::TempDir;

use crate::programs::libraries;

/// Index of a signing pair that asks for [`ACCESS_CODE`].
pub const LOCKED: u32 = 3;
/// Index of a signing pair that asks for no code.
pub const OPEN: u32 = 4;
/// Index of an encryption pair that asks for [`ACCESS_CODE`].
pub const ENVELOPE: u32 = 5;
/// The access code of indexes 3 and 5.
pub const ACCESS_CODE: &str = "open, sesame";

/// A device that is plugged in, until [`unplug`](Self::unplug) is called.
pub struct SoftSdf {
    folder: TempDir,
    keystore: SoftKeystore,
}

impl SoftSdf {
    /// A device of fresh keys, whose big numbers are in fields of so many bits.
    ///
    /// # Panics
    /// When the library is not built.
    #[must_use]
    pub fn new(ecc_bits: u32) -> Self {
        let folder = tempfile::tempdir().expect("there is a place for a device");
        // A copy has statics of its own, and finds the settings beside itself.
        let place = folder.path();
        fs::copy(libraries().join("libsoftsdf.so"), place.join("libsoftsdf.so"))
            .expect("libsoftsdf is built");
        private(&place.join("passphrase"), "right");
        private(&place.join("code"), ACCESS_CODE);
        let settings = format!(
            "keystore = \"keystore.hck\"\npassphrase_file = \"passphrase\"\necc_bits = {ecc_bits}\n\
             fault_file = \"fault\"\n\n\
             [keys.{LOCKED}]\nsign = \"soft:signs\"\naccess_code_file = \"code\"\n\n\
             [keys.{OPEN}]\nsign = \"soft:signs-too\"\n\n\
             [keys.{ENVELOPE}]\ndecrypt = \"soft:decrypts\"\naccess_code_file = \"code\"\n"
        );
        fs::write(place.join("softsdf.toml"), settings).expect("the place can be written");
        let passphrase = Passphrase::from_string("right".to_owned().into()).expect("not empty");
        let path = place.join("keystore.hck");
        let mut keystore = SoftKeystore::create_with(&path, &passphrase, Iterations::MINIMUM)
            .expect("the place can be written");
        for (name, key_use) in [
            ("soft:signs", KeyUse::SignTokens),
            ("soft:signs-too", KeyUse::SignLog),
            ("soft:decrypts", KeyUse::Decrypt),
        ] {
            keystore.generate(&name.parse().expect("a name"), key_use).expect("there is room");
        }
        keystore.save().expect("the place can be written");
        Self { folder, keystore }
    }

    /// The library.
    #[must_use]
    pub fn library(&self) -> PathBuf {
        self.folder.path().join("libsoftsdf.so")
    }

    /// The folder with all that belongs to the device.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The public key of a signing pair, which was not asked of the device.
    ///
    /// # Panics
    /// When there is no such index.
    #[must_use]
    pub fn public_key(&self, index: u32) -> PublicKey {
        let name: KeyRef =
            if index == LOCKED { "soft:signs" } else { "soft:signs-too" }.parse().expect("a name");
        let listed = self.keystore.list();
        let found = listed.into_iter().find(|key| key.reference == name);
        found.and_then(|key| key.public_key).expect("the key was made")
    }

    /// Settings to reach the device with, in its own dialect of 512 bits: index 3 signs tokens, index 4
    /// the log.
    #[must_use]
    pub fn settings(&self) -> SdfSettings {
        let keys = [
            (LOCKED, key(KeyUse::SignTokens, Some(ACCESS_CODE))),
            (OPEN, key(KeyUse::SignLog, None)),
        ];
        SdfSettings {
            library: self.library(),
            sessions: NonZeroU8::new(4).expect("not 0"),
            wait: Duration::from_secs(10),
            dialect: Dialect::default(),
            keys: BTreeMap::from(keys),
        }
    }

    /// Pulls the device out.
    ///
    /// # Panics
    /// When the place cannot be written.
    pub fn unplug(&self) {
        self.befall("unplugged");
    }

    /// Makes the device answer wrong signatures.
    ///
    /// # Panics
    /// When the place cannot be written.
    pub fn garble(&self) {
        self.befall("garbled");
    }

    /// Ends what befell the device.
    ///
    /// # Panics
    /// When nothing did.
    pub fn plug_in(&self) {
        fs::remove_file(self.folder.path().join("fault")).expect("something befell the device");
    }

    fn befall(&self, fault: &str) {
        let place = self.folder.path();
        // Renamed, so that no half of it is ever read.
        fs::write(place.join("fault.new"), fault).expect("the place can be written");
        fs::rename(place.join("fault.new"), place.join("fault")).expect("the place can be written");
    }
}

/// A key of the settings.
///
/// # Panics
/// When the access code is empty.
#[must_use]
pub fn key(key_use: KeyUse, access_code: Option<&str>) -> SdfKey {
    let code = access_code.map(|code| Passphrase::from_string(code.to_owned().into()));
    let access_code = code.transpose().expect("not empty");
    SdfKey { key_use, label: hsm::key::Label::default(), access_code, public_key: None }
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).expect("the place can be written");
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("it is ours");
}
