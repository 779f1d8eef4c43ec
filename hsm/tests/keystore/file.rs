//! What the file of the software keystore keeps, and what it refuses.

use super::{Place, key, passphrase, with_all_uses, write_private};
use hsm::sm2::SecretKey;
use hsm::sm4::Sm4Key;
use hsm::soft::{
    Iterations, KeystoreError, Passphrase, PassphraseError, SecretFileError, SoftKeystore,
};
use hsm::{KeyError, KeyUse, Keystore, sm3};
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn keys_survive_the_file() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    let secret = SecretKey::generate();
    let public = secret.public().clone();
    keystore.import_signer(&key("soft:root"), KeyUse::SignCertificates, secret).unwrap();
    let master = Sm4Key::fill(|key| {
        *key = [7; 16];
        Ok::<(), ()>(())
    });
    keystore.import_card_master(&key("soft:irk"), master.unwrap()).unwrap();
    keystore.save().unwrap();
    let index = keystore.index_key(&key("soft:index")).unwrap().index("d", b"v").unwrap();

    let again = place.open().unwrap();
    assert_eq!(again.list(), keystore.list());
    assert_eq!(again.list().len(), KeyUse::ALL.len() + 2);
    let root = again.signer(&key("soft:root"), KeyUse::SignCertificates).unwrap();
    assert_eq!(*root.public_key(), public);
    assert_eq!(again.index_key(&key("soft:index")).unwrap().index("d", b"v").unwrap(), index);
    // SM4 under 07…07 of 00…00
    let derived = again.card_master(&key("soft:irk")).unwrap().derive(&[[0; 16]]).unwrap();
    let known = Sm4Key::fill(|key| {
        *key = [7; 16];
        Ok::<(), ()>(())
    });
    let (mut ours, mut expected) = ([9; 16], [9; 16]);
    derived.encrypt_block(&mut ours);
    known.unwrap().derive(&[[0; 16]]).encrypt_block(&mut expected);
    assert_eq!(ours, expected);
    assert_eq!(fs::metadata(&place.path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn names_are_taken_once_and_belong_here() {
    let mut keystore = Place::new().create();
    keystore.generate(&key("soft:a"), KeyUse::Index).unwrap();
    let again = keystore.generate(&key("soft:a"), KeyUse::SealData);
    assert!(matches!(again, Err(KeystoreError::AlreadyHere(_))));
    let device = keystore.generate(&key("sdf:3"), KeyUse::Index);
    assert!(matches!(device, Err(KeystoreError::OtherScheme(_))));
    let signer = keystore.import_signer(&key("soft:b"), KeyUse::Index, SecretKey::generate());
    assert!(matches!(signer, Err(KeystoreError::NotASigningUse(KeyUse::Index))));
}

#[test]
fn a_key_is_given_out_once_it_is_saved() {
    let place = Place::new();
    let mut keystore = place.create();
    let data = key("soft:data");
    let unsaved = |keystore: &SoftKeystore| matches!(keystore.sealer(&data), Err(KeyError::NotSaved(name)) if name == data);
    keystore.generate(&data, KeyUse::SealData).unwrap();
    assert!(unsaved(&keystore));
    // A save that fails makes nothing durable.
    fs::create_dir(place.path.with_extension("new")).unwrap();
    keystore.save().unwrap_err();
    assert!(unsaved(&keystore));
    fs::remove_dir(place.path.with_extension("new")).unwrap();
    keystore.save().unwrap();

    let first = keystore.sealer(&data).unwrap();
    keystore.rotate(&data).unwrap();
    assert!(unsaved(&keystore));
    // One that was given out before goes on with the version it has.
    assert_eq!(first.seal(b"row", b"x").unwrap()[..5], [1, 0, 0, 0, 1]);
    keystore.save().unwrap();
    let second = keystore.sealer(&data).unwrap();
    assert_eq!(second.seal(b"row", b"x").unwrap()[..5], [1, 0, 0, 0, 2]);
}

#[test]
fn a_keystore_is_never_overwritten() {
    let place = Place::new();
    place.create();
    let before = fs::read(&place.path).unwrap();
    let again = SoftKeystore::create_with(&place.path, &passphrase("x"), Iterations::MINIMUM);
    assert!(matches!(again, Err(KeystoreError::AlreadyExists)));
    assert_eq!(fs::read(&place.path).unwrap(), before);
}

#[test]
fn writers_do_not_undo_each_other() {
    let place = Place::new();
    let mut first = place.create();
    let mut second = place.open().unwrap();
    first.generate(&key("soft:a"), KeyUse::Index).unwrap();
    first.save().unwrap();
    second.generate(&key("soft:b"), KeyUse::Index).unwrap();
    assert!(matches!(second.save(), Err(KeystoreError::ChangedOnDisk)));
    // The one that wrote may write again.
    first.rotate(&key("soft:a")).unwrap_err();
    first.save().unwrap();

    let lock = fs::File::open(place.path.with_extension("lock")).unwrap();
    lock.try_lock().unwrap();
    assert!(matches!(first.save(), Err(KeystoreError::Busy)));
    // Not closed only: a program that another test is starting has a copy of it.
    lock.unlock().unwrap();
    first.save().unwrap();
    assert_eq!(place.open().unwrap().list().len(), 1);
}

/// A program that is being started has a copy of every open file until it begins, that of the lock, too.
#[test]
fn a_save_is_over_for_programs_that_are_being_started() {
    let place = Place::new();
    let mut keystore = place.create();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
        }
        let saves: Vec<_> = (0..500).map(|_| keystore.save()).collect();
        done.store(true, Ordering::Relaxed);
        for saved in saves {
            saved.unwrap();
        }
    });
}

#[test]
fn a_crash_while_writing_leaves_the_old_file() {
    let place = Place::new();
    let mut keystore = place.create();
    // What a writer leaves that was killed before the rename.
    fs::write(place.path.with_extension("new"), b"half a keyst").unwrap();
    assert_eq!(place.open().unwrap().list(), []);
    keystore.generate(&key("soft:a"), KeyUse::Index).unwrap();
    keystore.save().unwrap();
    assert_eq!(place.open().unwrap().list().len(), 1);
    assert!(!place.path.with_extension("new").exists());
}

#[test]
fn a_save_that_fails_changes_nothing() {
    let place = Place::new();
    let mut keystore = place.create();
    let before = fs::read(&place.path).unwrap();
    // A folder in the way of the new file.
    fs::create_dir(place.path.with_extension("new")).unwrap();
    keystore.generate(&key("soft:a"), KeyUse::Index).unwrap();
    let refusal = keystore.save().unwrap_err();
    assert!(matches!(refusal, KeystoreError::File(SecretFileError::Io(_))), "{refusal}");
    assert_eq!(fs::read(&place.path).unwrap(), before);
    // And the same keystore saves once it is gone.
    fs::remove_dir(place.path.with_extension("new")).unwrap();
    keystore.save().unwrap();
    assert_eq!(place.open().unwrap().list().len(), 1);
}

/// Each step of a save that can fail, failing: what was there is there.
#[test]
fn whichever_step_fails_the_old_file_stays() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:log"), KeyUse::SignLog).unwrap();
    keystore.save().unwrap();
    let before = fs::read(&place.path).unwrap();
    keystore.rotate(&key("soft:log")).unwrap();

    type Obstacle = fn(&Place);
    let blocked: [(&str, Obstacle, Obstacle); 2] = [
        (
            "the new file cannot be made",
            |place| fs::create_dir(place.path.with_extension("new")).unwrap(),
            |place| fs::remove_dir(place.path.with_extension("new")).unwrap(),
        ),
        (
            "the file was taken away",
            |place| fs::rename(&place.path, place.path.with_extension("away")).unwrap(),
            |place| fs::rename(place.path.with_extension("away"), &place.path).unwrap(),
        ),
    ];
    for (what, block, clear) in blocked {
        block(&place);
        keystore.save().expect_err(what);
        clear(&place);
        assert_eq!(fs::read(&place.path).unwrap(), before, "{what}");
    }
    let held = fs::File::open(place.path.with_extension("lock")).unwrap();
    held.try_lock().unwrap();
    keystore.save().expect_err("another writer");
    held.unlock().unwrap();
    assert_eq!(fs::read(&place.path).unwrap(), before);
    keystore.save().unwrap();
    assert_eq!(place.open().unwrap().list().len(), 2);
}

#[test]
fn the_passphrase_is_needed_and_can_be_changed() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:a"), KeyUse::SealData).unwrap();
    keystore.change_passphrase(&passphrase("left"), Iterations::MINIMUM);
    keystore.save().unwrap();
    assert!(matches!(place.open(), Err(KeystoreError::WrongPassphrase)));
    let opened = SoftKeystore::open(&place.path, &passphrase("left")).unwrap();
    assert_eq!(opened.list(), keystore.list());
}

#[test]
fn every_flipped_bit_of_the_header_is_named() {
    let place = Place::new();
    place.create();
    let file = fs::read(&place.path).unwrap();
    for position in 0..52 {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[position] ^= 1 << bit;
            let refusal = place.refusal(&changed);
            let expected = match position {
                0..8 => matches!(refusal, KeystoreError::NotAKeystore),
                8..10 => {
                    matches!(refusal, KeystoreError::UnknownFormat(format) if ![1, 2].contains(&format))
                }
                _ => matches!(refusal, KeystoreError::HeaderDamaged),
            };
            assert!(expected, "octet {position}, bit {bit}: {refusal}");
        }
    }
}

#[test]
fn a_changed_content_is_damage_and_not_a_wrong_passphrase() {
    let place = Place::new();
    place.create();
    let file = fs::read(&place.path).unwrap();
    // The nonce, the ciphertext and the tag, first and last octet of each.
    for position in [52, 63, 64, 65, 66, file.len() - 1] {
        let mut changed = file.clone();
        changed[position] ^= 0x80;
        let refusal = place.refusal(&changed);
        assert!(matches!(refusal, KeystoreError::ContentDamaged), "octet {position}: {refusal}");
    }
}

#[test]
fn a_forged_header_is_refused_even_with_a_right_checksum() {
    let place = Place::new();
    place.create();
    let file = fs::read(&place.path).unwrap();
    let forge = |position: usize, octets: &[u8]| {
        let mut changed = file.clone();
        changed[position..position + octets.len()].copy_from_slice(octets);
        let checksum = sm3::digest(&changed[..44]);
        changed[44..52].copy_from_slice(&checksum[..8]);
        place.refusal(&changed)
    };
    assert!(matches!(forge(8, &[0, 3]), KeystoreError::UnknownFormat(3)));
    assert!(matches!(forge(10, &[0, 2]), KeystoreError::UnknownFormat(2)));
    // The format of before is read, but this file does not become one: the seal covers the header.
    assert!(matches!(forge(8, &[0, 1]), KeystoreError::ContentDamaged));
    // Too little protects nothing; too much would occupy the processor. Neither is tried.
    for iterations in [0_u32, 1, 99_999, 10_000_001, u32::MAX] {
        let refusal = forge(12, &iterations.to_be_bytes());
        assert!(matches!(refusal, KeystoreError::Iterations(n) if n.0 == iterations), "{refusal}");
    }
    assert!(matches!(forge(12, &100_001_u32.to_be_bytes()), KeystoreError::WrongPassphrase));
    assert!(matches!(forge(16, &[0; 16]), KeystoreError::WrongPassphrase));
    assert!(matches!(forge(32, &[0; 8]), KeystoreError::WrongPassphrase));
    for length in [0, file.len() - 53, file.len() - 51, u32::MAX as usize] {
        let refusal = forge(40, &(length as u32).to_be_bytes());
        assert!(matches!(refusal, KeystoreError::Length { .. }), "{length}: {refusal}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    keystore.save().unwrap();
    let file = fs::read(&place.path).unwrap();
    for length in 0..file.len() {
        let refusal = place.refusal(&file[..length]);
        let expected = match length {
            0..8 => matches!(refusal, KeystoreError::NotAKeystore),
            _ => matches!(refusal, KeystoreError::Length { found, .. } if found == length),
        };
        assert!(expected, "{length}: {refusal}");
    }
    let longer = [&file[..], &[0]].concat();
    assert!(matches!(place.refusal(&longer), KeystoreError::Length { .. }));
    let huge = vec![0; (1 << 20) + 1];
    let refusal = place.refusal(&huge);
    assert!(matches!(refusal, KeystoreError::File(SecretFileError::TooLong(n)) if n == 1 << 20));
}

#[test]
fn files_open_to_others_are_refused() {
    let place = Place::new();
    let mut keystore = place.create();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o601, 0o610] {
        fs::set_permissions(&place.path, PermissionsExt::from_mode(mode)).unwrap();
        for refusal in [place.open().unwrap_err(), keystore.save().unwrap_err()] {
            let KeystoreError::File(SecretFileError::OpenToOthers { mode: named }) = refusal else {
                panic!("{mode:o}: {refusal}")
            };
            assert_eq!(named, mode);
        }
        let refusal = Passphrase::from_file(&place.path).unwrap_err();
        let PassphraseError::File(SecretFileError::OpenToOthers { mode: named }) = refusal else {
            panic!("{mode:o}: {refusal}")
        };
        assert_eq!(named, mode);
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&place.path, PermissionsExt::from_mode(mode)).unwrap();
        place.open().unwrap();
    }
    let folder = SoftKeystore::open(place.path.parent().unwrap(), &passphrase("right"));
    assert!(matches!(folder, Err(KeystoreError::File(SecretFileError::NotAFile))));
    let none = SoftKeystore::open(&place.path.join("none"), &passphrase("right"));
    assert!(matches!(none, Err(KeystoreError::File(SecretFileError::Io(_)))));
}

#[test]
fn a_passphrase_file_is_its_one_line() {
    let place = Place::new();
    place.create();
    for (content, opens) in [
        ("right", true),
        ("right\n", true),
        ("right\r\n", true),
        ("right\n\n", false),
        ("right ", false),
        (" right", false),
        ("Right", false),
    ] {
        let file = place.path.with_extension("pass");
        write_private(&file, content.as_bytes());
        let opened = SoftKeystore::open(&place.path, &Passphrase::from_file(&file).unwrap());
        match opened {
            Ok(_) => assert!(opens, "{content:?}"),
            Err(KeystoreError::WrongPassphrase) => assert!(!opens, "{content:?}"),
            Err(other) => panic!("{content:?}: {other}"),
        }
    }
}

#[test]
fn passphrases_have_bounds() {
    let place = Place::new();
    let longest = "x".repeat(1024);
    for (content, length) in [("", 0), ("\n", 0), ("\r\n", 0), (&format!("{longest}x"), 1025)] {
        write_private(&place.path, content.as_bytes());
        let refusal = Passphrase::from_file(&place.path).unwrap_err();
        assert!(matches!(refusal, PassphraseError::Length(n) if n == length), "{refusal}");
    }
    write_private(&place.path, format!("{longest}\r\n").as_bytes());
    Passphrase::from_file(&place.path).unwrap();
    write_private(&place.path, &[b'x'; 1027]);
    let refusal = Passphrase::from_file(&place.path).unwrap_err();
    assert!(matches!(refusal, PassphraseError::File(SecretFileError::TooLong(1026))), "{refusal}");
    let typed = Passphrase::from_string(String::new().into()).unwrap_err();
    assert!(matches!(typed, PassphraseError::Length(0)));
}

#[test]
fn nothing_secret_is_printed() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    let secret = SecretKey::generate();
    let printed = [
        format!("{keystore:?}"),
        format!("{:?}", passphrase("right")),
        format!("{:?}", Sm4Key::generate()),
        format!("{secret:?}"),
    ];
    let keys = format!("SoftKeystore({} keys)", KeyUse::ALL.len());
    assert_eq!(printed, [&*keys, "Passphrase(..)", "Sm4Key(..)", "SecretKey(..)"]);
}

#[test]
fn iterations_have_bounds() {
    for (iterations, accepted) in
        [(0, false), (99_999, false), (100_000, true), (10_000_000, true), (10_000_001, false)]
    {
        assert_eq!(Iterations::new(iterations).is_ok(), accepted, "{iterations}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_of_any_octets_is_no_keystore(octets in vec(any::<u8>(), 0..200), begun in any::<bool>()) {
        let octets = if begun { [b"hckeys\r\n\0\x02", &octets[..]].concat() } else { octets };
        let refusal = Place::new().refusal(&octets);
        prop_assert!(matches!(
            refusal,
            KeystoreError::NotAKeystore | KeystoreError::Length { .. } | KeystoreError::HeaderDamaged
        ), "{refusal}");
    }
}
