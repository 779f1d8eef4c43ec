//! The suite of keystores, over the software keystore and over a device behind the C interface of GM/T 0018.

use std::collections::BTreeMap;

use hsm::sdf::Layout;
use hsm::soft::{Iterations, Passphrase, SoftKeystore};
use hsm::{KeyRef, KeyUse};
use hsm_device::sdf::{Dialect, SdfDevice};
use tests::contract::keys::{KINDS, Subject, suite};
use tests::softsdf::{self, ACCESS_CODE, ENVELOPE, LOCKED, SoftSdf};

#[test]
fn the_software_keystore() {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = Passphrase::from_string("right".to_owned().into()).unwrap();
    let path = folder.path().join("keys");
    let mut keystore = SoftKeystore::create_with(&path, &passphrase, Iterations::MINIMUM).unwrap();
    let names: BTreeMap<KeyUse, KeyRef> =
        KINDS.map(|kind| (kind, format!("soft:{kind}").parse().unwrap())).into();
    for (key_use, name) in &names {
        keystore.generate(name, *key_use).unwrap();
    }
    keystore.save().unwrap();
    let unknown = "soft:none".parse().unwrap();
    suite(Subject { keystore: Box::new(keystore), names, supports: &KINDS, unknown });
}

#[test]
fn an_sdf_device() {
    for (bits, layout) in [(512, Layout::Bits512), (256, Layout::Bits256)] {
        let device = SoftSdf::new(bits);
        let mut settings = device.settings();
        settings.dialect = Dialect { layout, ..Dialect::default() };
        let indexes = [
            (KeyUse::SignTokens, LOCKED),
            (KeyUse::Decrypt, ENVELOPE),
            // No such device has keys for these, whatever the settings say.
            (KeyUse::SealData, 10),
            (KeyUse::Index, 11),
            (KeyUse::MacCodes, 12),
            (KeyUse::CardMaster, 13),
        ];
        let keys =
            indexes.map(|(key_use, index)| (index, softsdf::key(key_use, Some(ACCESS_CODE))));
        settings.keys = keys.into();
        let names = indexes.map(|(kind, index)| (kind, format!("sdf:{index}").parse().unwrap()));
        suite(Subject {
            keystore: Box::new(SdfDevice::new(settings)),
            names: names.into(),
            supports: &[KeyUse::SignTokens, KeyUse::Decrypt],
            unknown: "sdf:99".parse().unwrap(),
        });
    }
}
