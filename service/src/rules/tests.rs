//! Which rules of a folder are used, and why others are not.

use std::fs;

use hsm::{
    KeyUse,
    key::Transition,
    soft::{Iterations, Passphrase, SoftKeystore},
};
use proptest::prelude::*;

use super::*;
use crate::{keys, policy::SHIPPED};

const SERVICE: &str = "county.example";

/// A keystore with the keys that every service has, after this happened to it; and a folder of signed rules.
struct Place {
    keys: Keys,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut keystore = SoftKeystore::create_with(
            &directory.path().join("keystore"),
            &passphrase(),
            Iterations::MINIMUM,
        )
        .unwrap();
        keys::complete(&mut keystore).unwrap();
        let place = Self { keys: Keys::new(keystore, Ok(())), directory };
        fs::create_dir(place.folder()).unwrap();
        for (file, text) in SHIPPED.files() {
            fs::write(place.folder().join(file), text).unwrap();
        }
        place.sign(&manifest());
        place
    }

    fn after(change: impl FnOnce(&mut SoftKeystore)) -> Self {
        let place = Self::new();
        let path = place.directory.path().join("keystore");
        let mut keystore = SoftKeystore::open(&path, &passphrase()).unwrap();
        change(&mut keystore);
        keystore.save().unwrap();
        Self { keys: Keys::new(keystore, Ok(())), ..place }
    }

    fn folder(&self) -> PathBuf {
        self.directory.path().join("rules")
    }

    fn sign(&self, manifest: &Manifest) {
        let key = self.keys.rules().unwrap();
        let signed = manifest.sign(|octets| signing::signature(&*key, octets)).unwrap();
        fs::write(self.folder().join(FILE), signed).unwrap();
    }

    /// What a start of the service says, with this record.
    fn started(&self, record: &RulesRecord) -> Result<Manifest, RulesError> {
        let texts = crate::config::policy_texts(&self.folder()).unwrap();
        let bundle = Bundle::read(&self.folder(), texts)?;
        let policy = Policy::read(bundle.texts()).unwrap();
        admit(&policy, Some(&bundle), SERVICE, &self.keys, record)?;
        Ok(bundle.manifest().clone())
    }
}

fn passphrase() -> Passphrase {
    Passphrase::from_string("correct horse battery".to_owned().into()).unwrap()
}

fn manifest() -> Manifest {
    let texts = [SHIPPED.rules, SHIPPED.access, SHIPPED.cases];
    Manifest {
        service: SERVICE.to_owned(),
        name: "county-hospital".to_owned(),
        version: 3,
        made: "2026-11-27T08:00:00.000000Z".to_owned(),
        files: texts.map(|text| hsm::sm3::digest(text.as_bytes())),
        digest: *Policy::shipped().unwrap().digest(),
    }
}

const NOTHING: RulesRecord = RulesRecord { highest: None, in_use: RulesInUse::Shipped };

fn in_use(version: u32, digest: [u8; 32]) -> RulesRecord {
    let texts = [(); 3].map(|()| String::new());
    let in_use = RulesInUse::Signed { version, digest, texts };
    RulesRecord { highest: Some((version, digest)), in_use }
}

#[test]
fn what_this_service_signed_is_used() {
    let place = Place::new();
    let digest = manifest().digest;
    assert_eq!(place.started(&NOTHING).unwrap(), manifest());
    assert_eq!(place.started(&in_use(3, digest)).unwrap(), manifest());
    assert_eq!(place.started(&in_use(2, [1; 32])).unwrap(), manifest());
}

#[test]
fn a_folder_without_a_manifest_or_with_none_that_is_one_is_refused() {
    let place = Place::new();
    let file = place.folder().join(FILE);
    for not_one in [&b""[..], b"version = 3\n", &[0xFF; 100], &[b'\n'; 100_000]] {
        fs::write(&file, not_one).unwrap();
        let refused = place.started(&NOTHING);
        assert!(matches!(refused, Err(RulesError::Malformed { .. })), "{refused:?}");
    }
    fs::remove_file(&file).unwrap();
    let refused = place.started(&NOTHING).unwrap_err();
    assert!(matches!(refused, RulesError::NotSigned { .. }), "{refused:?}");
    // What to do is said in both languages.
    let told = refused.to_string();
    let order = format!("healthcardd policy sign {}", place.folder().display());
    assert!(told.starts_with("授权规则没有签名") && told.matches(&order).count() == 2, "{told}");
    fs::create_dir(&file).unwrap();
    let refused = place.started(&NOTHING);
    assert!(matches!(refused, Err(RulesError::Read { .. })), "{refused:?}");
}

#[test]
fn a_text_that_was_changed_is_named() {
    let place = Place::new();
    for name in audit::rules::FILES {
        let path = place.folder().join(name);
        let before = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{before}\n")).unwrap();
        match place.started(&NOTHING) {
            Err(RulesError::Altered { file, .. }) => assert_eq!(file, name),
            other => panic!("{name}: {other:?}"),
        }
        fs::write(&path, before).unwrap();
    }
    assert!(place.started(&NOTHING).is_ok());
}

#[test]
fn a_signature_by_another_key_or_for_another_service_is_refused() {
    let place = Place::new();
    let stranger = Place::new();
    stranger.sign(&manifest());
    fs::copy(stranger.folder().join(FILE), place.folder().join(FILE)).unwrap();
    let refused = place.started(&NOTHING);
    assert!(matches!(refused, Err(RulesError::NotOurs { .. })), "{refused:?}");
    // Nor is it one of the same keystore that signs something else.
    let token = place.keys.card_list().unwrap();
    let signed = manifest().sign(|octets| signing::signature(&*token, octets)).unwrap();
    fs::write(place.folder().join(FILE), signed).unwrap();
    let refused = place.started(&NOTHING);
    assert!(matches!(refused, Err(RulesError::NotOurs { .. })), "{refused:?}");

    place.sign(&Manifest { service: "city.example".to_owned(), ..manifest() });
    let refused = place.started(&NOTHING);
    assert!(matches!(refused, Err(RulesError::OtherService { .. })), "{refused:?}");
    place.sign(&Manifest { digest: [1; 32], ..manifest() });
    let refused = place.started(&NOTHING);
    assert!(matches!(refused, Err(RulesError::Malformed { .. })), "{refused:?}");
}

#[test]
fn a_key_that_was_replaced_is_believed_and_a_compromised_one_is_not() {
    let key = || "soft:policy".parse().unwrap();
    let rotated = Place::after(|keystore| {
        keystore.rotate(&key()).unwrap();
    });
    assert!(rotated.started(&NOTHING).is_ok());
    let compromised = Place::after(|keystore| {
        keystore.rotate(&key()).unwrap();
        keystore.change(&key(), 1, Transition::Compromise).unwrap();
    });
    let refused = compromised.started(&NOTHING);
    assert!(matches!(refused, Err(RulesError::NotOurs { .. })), "{refused:?}");
    // The next one signs them, and then they are used.
    compromised.sign(&manifest());
    assert!(compromised.started(&NOTHING).is_ok());
    let described = compromised.keys.keystore().list();
    let mut of_rules = described.iter().filter(|it| it.reference == key());
    assert!(of_rules.all(|it| it.key_use == KeyUse::SignRules));
}

#[test]
fn rules_do_not_go_back() {
    let place = Place::new();
    match place.started(&in_use(4, [1; 32])) {
        Err(RulesError::Older { version: 3, last: 4, .. }) => {}
        other => panic!("{other:?}"),
    }
    let refused = place.started(&in_use(3, [1; 32]));
    assert!(matches!(refused, Err(RulesError::OtherTexts { version: 3, .. })), "{refused:?}");
    let shipped = Policy::shipped().unwrap();
    let without = |record: &RulesRecord| admit(&shipped, None, SERVICE, &place.keys, record);
    assert!(without(&NOTHING).is_ok());
    let refused = without(&in_use(3, manifest().digest));
    assert!(matches!(refused, Err(RulesError::Shipped { last: 3 })), "{refused:?}");
    // Somebody said so; rules of before stay before all the same.
    let back = RulesRecord { in_use: RulesInUse::Shipped, ..in_use(4, [1; 32]) };
    assert!(without(&back).is_ok());
    assert!(matches!(place.started(&back), Err(RulesError::Older { .. })));
}

#[test]
fn no_octet_of_a_folder_can_be_changed() {
    let place = Place::new();
    let files = [&audit::rules::FILES[..], &[FILE]].concat();
    proptest!(|(file in 0_usize..4, at: usize, flip in 1_u8..)| {
        let path = place.folder().join(files[file]);
        let signed = fs::read(&path).unwrap();
        let mut octets = signed.clone();
        octets[at % signed.len()] ^= flip;
        fs::write(&path, &octets).unwrap();
        // A text that is not UTF-8 is not read at all.
        let used = (file == 3 || std::str::from_utf8(&octets).is_ok()) && place.started(&NOTHING).is_ok();
        fs::write(&path, &signed).unwrap();
        prop_assert!(!used);
    });
    assert!(place.started(&NOTHING).is_ok());
}
