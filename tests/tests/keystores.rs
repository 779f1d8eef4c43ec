//! The suite of keystores, over the software keystore, over a device behind the C interface of GM/T 0018, and over a
//! token behind PKCS#11.

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::time::Duration;

use cryptoki::error::{Error, RvError};
use hsm::key::Label;
use hsm::sdf::Layout;
use hsm::sm2::SecretKey;
use hsm::soft::{Iterations, Passphrase, SoftKeystore};
use hsm::{KeyError, KeyRef, KeyUse, Keystore};
use hsm_device::DeviceState;
use hsm_device::pkcs11::{Mechanisms, Pkcs11Error, Pkcs11Key, Pkcs11Settings, Pkcs11Token};
use hsm_device::sdf::{Dialect, SdfDevice};
use tests::contract::keys::{KINDS, Subject, suite};
use tests::private::with_environment;
use tests::softhsm;
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

/// Numbers of PKCS#11 for what SoftHSM2 does: AES in GCM and ECB in place of SM4, HMAC over SHA-256 in place of SM3.
const MECHANISMS: Mechanisms =
    Mechanisms { sign: None, seal: Some(0x1087), hmac: Some(0x251), block: Some(0x1081) };
/// A number as makers give them, here for SM2.
const VENDOR_SM2: u64 = 0x8000_0002;

/// Labels and uses of the keys.
const LABELS: [(KeyUse, &str); 6] = [
    (KeyUse::SignTokens, "pair"),
    (KeyUse::Decrypt, "envelope"),
    (KeyUse::SealData, "data"),
    (KeyUse::Index, "index"),
    (KeyUse::MacCodes, "codes"),
    (KeyUse::CardMaster, "master"),
];

fn token(pin: &str, mechanisms: Mechanisms) -> Pkcs11Settings {
    let key = |(key_use, label): (KeyUse, &str)| {
        (label.to_owned(), Pkcs11Key { key_use, label: Label::default(), public_key: None })
    };
    Pkcs11Settings {
        library: softhsm::MODULE.into(),
        token: softhsm::TOKEN.to_owned(),
        pin: Passphrase::from_string(pin.to_owned().into()).unwrap(),
        sessions: NonZeroU8::new(4).unwrap(),
        wait: Duration::from_secs(10),
        mechanisms,
        keys: LABELS.map(key).into(),
    }
}

#[test]
fn a_pkcs11_token() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = softhsm::make(folder.path());
    with_environment(&[(softhsm::VARIABLE, &configuration)], || {
        let said = SecretKey::generate().public().clone();
        let pairs = ["pair", "known"];
        softhsm::fill(&["data", "master"], &["index", "codes"], &pairs, ("known", &said));
        let supports = [KeyUse::SealData, KeyUse::Index, KeyUse::MacCodes, KeyUse::CardMaster];
        suite(Subject {
            keystore: Box::new(Pkcs11Token::new(token(softhsm::PIN, MECHANISMS))),
            names: LABELS
                .map(|(kind, label)| (kind, format!("pkcs11:{label}").parse().unwrap()))
                .into(),
            supports: &supports,
            unknown: "pkcs11:none".parse().unwrap(),
        });

        // Keys that are not what they are taken for, and numbers that the token has not.
        let pair: KeyRef = "pkcs11:pair".parse().unwrap();
        let signs = Mechanisms { sign: Some(VENDOR_SM2), ..MECHANISMS };
        let foreign =
            Pkcs11Token::new(token(softhsm::PIN, signs)).signer(&pair, KeyUse::SignTokens);
        let refused = pkcs11_error(foreign.err().unwrap());
        assert!(
            matches!(refused, Pkcs11Error::Answer { expected: "SM2 public key", .. }),
            "{refused}"
        );
        // The public key is what is asked for, also of a session that has found the private one.
        let mut both = token(softhsm::PIN, signs);
        both.sessions = NonZeroU8::MIN;
        let pair_of_two = both.keys.remove("pair").unwrap();
        both.keys = [("known".to_owned(), pair_of_two)].into();
        let both = Pkcs11Token::new(both);
        both.check().unwrap();
        let signer = both.signer(&"pkcs11:known".parse().unwrap(), KeyUse::SignTokens).unwrap();
        assert_eq!(*signer.public_key(), said);

        let mut known = token(softhsm::PIN, signs);
        known.keys.get_mut("pair").unwrap().public_key =
            Some(SecretKey::generate().public().clone());
        let signer = Pkcs11Token::new(known).signer(&pair, KeyUse::SignTokens).unwrap();
        let refused = pkcs11_error(signer.sign(&[1; 32]).unwrap_err());
        let code = RvError::MechanismInvalid;
        assert!(
            matches!(&refused, Pkcs11Error::Module(Error::Pkcs11(found, _)) if *found == code),
            "{refused:?}"
        );
        let missing = Pkcs11Token::new(token(softhsm::PIN, MECHANISMS));
        assert!(matches!(missing.check(), Err(Pkcs11Error::NoKey(label)) if label == "envelope"));

        // Another token, and a PIN that is refused once and not presented again: the token would count.
        let mut other = token(softhsm::PIN, MECHANISMS);
        other.token = "elsewhere".to_owned();
        let refused = Pkcs11Token::new(other).check();
        assert!(matches!(refused, Err(Pkcs11Error::NoToken(label)) if label == "elsewhere"));
    });
}

#[test]
fn a_pkcs11_token_with_a_wrong_pin() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = softhsm::make(folder.path());
    with_environment(&[(softhsm::VARIABLE, &configuration)], || {
        let locked = Pkcs11Token::new(token("0000-0000", MECHANISMS));
        for _ in 0..3 {
            let refused = locked.sealer(&"pkcs11:data".parse().unwrap()).err();
            assert!(matches!(refused, Some(KeyError::Locked)), "{refused:?}");
        }
        assert_eq!(locked.state(), DeviceState::Lost);
        assert!(matches!(locked.check(), Err(Pkcs11Error::PinRefused)));
    });
}

fn pkcs11_error(error: KeyError) -> Pkcs11Error {
    match error {
        KeyError::Device(error) => *error.downcast().unwrap(),
        other => panic!("{other:?}"),
    }
}
