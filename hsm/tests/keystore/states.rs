//! The life of versions: what each still does, and what of it stays in the file.

use super::{Place, key, with_all_uses};
use hsm::key::{CheckValue, Transition, VersionState};
use hsm::self_test::{Guarded, SelfTestError};
use hsm::sm2::{Ciphertext, SecretKey};
use hsm::sm4::Sm4Key;
use hsm::soft::KeystoreError;
use hsm::{KeyDescription, KeyError, KeyUse, Keystore};

fn described(keystore: &dyn Keystore, version: u32) -> KeyDescription {
    keystore.list().into_iter().find(|key| key.version == version).unwrap()
}

#[test]
fn a_version_made_ahead_signs_once_it_is_its_turn() {
    let place = Place::new();
    let mut keystore = place.create();
    let tokens = key("soft:tokens");
    keystore.generate(&tokens, KeyUse::SignTokens).unwrap();
    assert_eq!(keystore.prepare(&tokens).unwrap(), 2);
    assert_eq!(keystore.prepare(&tokens).unwrap(), 2, "it is there already");
    keystore.save().unwrap();
    let signing = |keystore: &dyn Keystore| {
        keystore.signer(&tokens, KeyUse::SignTokens).unwrap().public_key().clone()
    };
    let ahead = described(&keystore, 2);
    assert_eq!(ahead.state, VersionState::PreActive);
    assert_eq!(Some(signing(&keystore)), described(&keystore, 1).public_key);
    let mut keystore = place.open().unwrap();
    assert_eq!(keystore.rotate(&tokens).unwrap(), 2);
    keystore.save().unwrap();
    assert_eq!(Some(signing(&keystore)), ahead.public_key);
    assert_eq!(described(&keystore, 1).state, VersionState::Retired);
}

#[test]
fn a_compromised_version_neither_signs_nor_verifies() {
    let place = Place::new();
    let mut keystore = place.create();
    let tokens = key("soft:tokens");
    keystore.generate(&tokens, KeyUse::SignTokens).unwrap();
    keystore.save().unwrap();
    keystore.change(&tokens, 1, Transition::Compromise).unwrap();
    let unsaved = keystore.signer(&tokens, KeyUse::SignTokens).err();
    assert!(matches!(unsaved, Some(KeyError::NotSaved(_))));
    keystore.save().unwrap();
    let mut keystore = place.open().unwrap();
    let signer = keystore.signer(&tokens, KeyUse::SignTokens).err();
    assert!(matches!(signer, Some(KeyError::NotActive)));
    let version = described(&keystore, 1);
    assert!(!version.state.verifies() && version.public_key.is_some(), "it is named, not trusted");
    // The key goes on with a version of its own.
    assert_eq!(keystore.rotate(&tokens).unwrap(), 2);
    keystore.save().unwrap();
    keystore.signer(&tokens, KeyUse::SignTokens).unwrap();
    assert_eq!(described(&keystore, 1).state, VersionState::Compromised);
}

#[test]
fn a_compromised_sealing_version_opens_and_a_destroyed_one_does_not() {
    let place = Place::new();
    let mut keystore = place.create();
    let data = key("soft:data");
    keystore.generate(&data, KeyUse::SealData).unwrap();
    keystore.save().unwrap();
    let sealed = keystore.sealer(&data).unwrap().seal(b"row", b"x").unwrap();
    let before = described(&keystore, 1).check_value.unwrap();

    keystore.change(&data, 1, Transition::Compromise).unwrap();
    keystore.save().unwrap();
    let sealer = place.open().unwrap().sealer(&data).unwrap();
    assert!(matches!(sealer.seal(b"row", b"x"), Err(KeyError::NotActive)));
    assert_eq!(**sealer.open(b"row", &sealed).unwrap(), *b"x");

    keystore.change(&data, 1, Transition::Destroy).unwrap();
    keystore.save().unwrap();
    let keystore = place.open().unwrap();
    let opened = keystore.sealer(&data).unwrap().open(b"row", &sealed);
    assert!(matches!(opened, Err(KeyError::UnknownVersion(1))));
    assert_eq!(described(&keystore, 1).check_value, Some(before), "it is named by what it was");
}

#[test]
fn a_key_decrypts_until_it_is_destroyed() {
    let place = Place::new();
    let mut keystore = place.create();
    let pair = key("soft:pair");
    keystore.generate(&pair, KeyUse::Decrypt).unwrap();
    keystore.save().unwrap();
    let public = keystore.decrypter(&pair).unwrap().public_key().clone();
    let ciphertext = Ciphertext::from_der(&public.encrypt(b"key").unwrap()).unwrap();
    for transition in [Transition::Retire, Transition::Compromise] {
        keystore.change(&pair, 1, transition).unwrap();
        keystore.save().unwrap();
        keystore = place.open().unwrap();
        let decrypted = keystore.decrypter(&pair).unwrap().decrypt(&ciphertext).unwrap();
        assert_eq!(**decrypted, *b"key", "{transition}");
    }
    keystore.change(&pair, 1, Transition::Destroy).unwrap();
    keystore.save().unwrap();
    let keystore = place.open().unwrap();
    assert!(matches!(keystore.decrypter(&pair).err(), Some(KeyError::NotActive)));
    assert_eq!(described(&keystore, 1).public_key, Some(public), "it is named by what it was");
}

/// The file is written with a key that is known, so that its content can be looked at.
#[test]
fn a_version_that_is_destroyed_leaves_no_secret_in_the_file() {
    let place = Place::new();
    let mut keystore = place.create();
    let octets = [0x5A; 16];
    let master = Sm4Key::fill::<()>(|key| {
        *key = octets;
        Ok(())
    });
    let (irk, log) = (key("soft:irk"), key("soft:log"));
    keystore.import_card_master(&irk, master.unwrap()).unwrap();
    keystore.import_signer(&log, KeyUse::SignLog, SecretKey::generate()).unwrap();
    keystore.save().unwrap();
    let full = std::fs::metadata(&place.path).unwrap().len();

    keystore.change(&irk, 1, Transition::Retire).unwrap();
    keystore.save().unwrap();
    // What cards were made with, is still derived.
    keystore.card_master(&irk).unwrap().derive(&[[0; 16]]).unwrap();
    keystore.change(&irk, 1, Transition::Destroy).unwrap();
    keystore.save().unwrap();
    // 16 octets of secret became 3 of check value.
    assert_eq!(std::fs::metadata(&place.path).unwrap().len(), full - 13);
    let keystore = place.open().unwrap();
    assert!(matches!(keystore.card_master(&irk).err(), Some(KeyError::NotActive)));
    let mut block = [0; 16];
    let known = Sm4Key::fill::<()>(|key| {
        *key = octets;
        Ok(())
    });
    known.unwrap().encrypt_block(&mut block);
    let version = keystore.list().into_iter().find(|version| version.reference == irk).unwrap();
    assert_eq!(version.check_value, Some(CheckValue([block[0], block[1], block[2]])));
    assert_eq!(version.state, VersionState::Destroyed);
}

#[test]
fn only_what_the_table_allows_is_done() {
    let mut keystore = Place::new().create();
    let log = key("soft:log");
    keystore.generate(&log, KeyUse::SignLog).unwrap();
    for (version, transition) in [(1, Transition::Destroy), (1, Transition::Activate)] {
        let refusal = keystore.change(&log, version, transition).unwrap_err();
        let KeystoreError::NoSuchTransition { state: VersionState::Active, transition: t, .. } =
            refusal
        else {
            panic!("{refusal}")
        };
        assert_eq!(t, transition);
    }
    for version in [0, 2, u32::MAX] {
        let refusal = keystore.change(&log, version, Transition::Retire).unwrap_err();
        assert!(
            matches!(refusal, KeystoreError::UnknownVersion { version: v, .. } if v == version)
        );
    }
    let none = keystore.change(&key("soft:none"), 1, Transition::Retire).unwrap_err();
    assert!(matches!(none, KeystoreError::Unknown(_)));
}

#[test]
fn labels_stay() {
    let place = Place::new();
    let mut keystore = place.create();
    let log = key("soft:log");
    keystore.generate(&log, KeyUse::SignLog).unwrap();
    keystore.set_label(&log, "日志签名 2026".parse().unwrap()).unwrap();
    keystore.save().unwrap();
    assert_eq!(place.open().unwrap().list()[0].label.as_str(), "日志签名 2026");
    let none = keystore.set_label(&key("soft:none"), "x".parse().unwrap());
    assert!(matches!(none, Err(KeystoreError::Unknown(_))));
}

#[test]
fn after_a_failed_self_test_keys_verify_and_open_and_nothing_else() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    let (tokens, data) = (key("soft:sign-tokens"), key("soft:seal-data"));
    let sealed = keystore.sealer(&data).unwrap().seal(b"row", b"x").unwrap();
    let (listed, public) = (
        keystore.list(),
        keystore.signer(&tokens, KeyUse::SignTokens).unwrap().public_key().clone(),
    );
    let failed = SelfTestError::NotRandom { test: "monobit", groups: 20 };
    let keystore = Guarded::new(keystore, Err(failed));

    let signer = keystore.signer(&tokens, KeyUse::SignTokens).unwrap();
    assert_eq!(*signer.public_key(), public);
    assert!(matches!(signer.sign(&[1; 32]), Err(KeyError::SelfTest(why)) if why == failed));
    let sealer = keystore.sealer(&data).unwrap();
    assert!(matches!(sealer.seal(b"row", b"x"), Err(KeyError::SelfTest(_))));
    assert!(matches!(sealer.seal_key(b"row", &Sm4Key::generate()), Err(KeyError::SelfTest(_))));
    assert_eq!(**sealer.open(b"row", &sealed).unwrap(), *b"x");
    keystore.index_key(&key("soft:index")).unwrap().index("d", b"v").unwrap();
    keystore.mac_key(&key("soft:mac-codes")).unwrap().mac(&[b"m"]).unwrap();
    keystore.card_master(&key("soft:card-master")).unwrap().derive(&[[0; 16]]).unwrap();
    assert_eq!(keystore.list(), listed);

    let passed = Guarded::new(place.open().unwrap(), Ok(()));
    passed.signer(&tokens, KeyUse::SignTokens).unwrap().sign(&[1; 32]).unwrap();
    passed.sealer(&data).unwrap().seal(b"row", b"x").unwrap();
}
