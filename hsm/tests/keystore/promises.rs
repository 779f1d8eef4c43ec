//! What every keystore promises.

use super::{Place, key, with_all_uses};
use hsm::key::VersionState;
use hsm::sm2::{Ciphertext, SecretKey, SignerId};
use hsm::sm4::Sm4Key;
use hsm::soft::KeystoreError;
use hsm::{CardMaster, DataSealer, IndexKey, KeyError, KeyUse, Keystore, MacKey, Sm2Signer};

#[test]
fn keys_do_what_they_are_for() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    let keystore: &dyn Keystore = &keystore;

    let signer = keystore.signer(&key("soft:sign-tokens"), KeyUse::SignTokens).unwrap();
    let e = signer.digest(b"header.payload");
    assert_eq!(e, signer.public_key().digest(&SignerId::default(), b"header.payload"));
    let signature = signer.sign(&e).unwrap();
    assert_eq!(signer.public_key().verify(&e, &signature), Ok(()));

    let decrypter = keystore.decrypter(&key("soft:decrypt")).unwrap();
    let ciphertext = decrypter.public_key().encrypt(b"a key of 16 octe").unwrap();
    let ciphertext = Ciphertext::from_der(&ciphertext).unwrap();
    assert_eq!(**decrypter.decrypt(&ciphertext).unwrap(), *b"a key of 16 octe");

    let sealer = keystore.sealer(&key("soft:seal-data")).unwrap();
    let sealed = sealer.seal(b"row 7", b"a name").unwrap();
    assert_eq!(**sealer.open(b"row 7", &sealed).unwrap(), *b"a name");
    assert_ne!(sealer.seal(b"row 7", b"a name").unwrap(), sealed, "a fresh nonce each time");

    let index = keystore.index_key(&key("soft:index")).unwrap();
    let number = index.index("identity", b"number").unwrap();
    assert_eq!(index.index("identity", b"number").unwrap(), number);
    for (domain, value) in
        [("phone", b"number".as_slice()), ("identityn", b"umber"), ("", b"identitynumber")]
    {
        assert_ne!(index.index(domain, value).unwrap(), number, "{domain}");
    }

    let master = keystore.card_master(&key("soft:card-master")).unwrap();
    let (serial, factor) = ([1; 16], [2; 16]);
    let transport = Sm4Key::generate();
    let mut wrapped = master.derive_wrapped(&[serial, factor], &transport).unwrap();
    transport.decrypt_block(&mut wrapped);
    let card_key = Sm4Key::fill(|key| {
        *key = wrapped;
        Ok::<(), ()>(())
    });
    let mut ours = [3; 16];
    let mut theirs = ours;
    master.derive(&[serial, factor]).unwrap().encrypt_block(&mut ours);
    card_key.unwrap().encrypt_block(&mut theirs);
    assert_eq!(ours, theirs);
    master.derive(&[factor, serial]).unwrap().encrypt_block(&mut theirs);
    assert_ne!(ours, theirs, "the order of the blocks matters");
}

#[test]
fn a_key_refuses_every_other_use() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    let mut refused = 0;
    for has in KeyUse::ALL {
        let name = key(&format!("soft:{has}"));
        for asked in KeyUse::ALL {
            let found = match asked {
                KeyUse::Decrypt => keystore.decrypter(&name).err(),
                KeyUse::SealData => keystore.sealer(&name).err(),
                KeyUse::Index => keystore.index_key(&name).err(),
                KeyUse::CardMaster => keystore.card_master(&name).err(),
                KeyUse::MacCodes => keystore.mac_key(&name).err(),
                signs => keystore.signer(&name, signs).err(),
            };
            match found {
                None => assert_eq!(asked, has),
                Some(KeyError::WrongUse { key, asked: a, has: h }) => {
                    assert_eq!((key, a, h), (name.clone(), asked, has));
                    refused += 1;
                }
                Some(other) => panic!("{has} as {asked}: {other}"),
            }
        }
    }
    assert_eq!(refused, KeyUse::ALL.len() * (KeyUse::ALL.len() - 1));
    let sealing = keystore.signer(&key("soft:seal-data"), KeyUse::SealData).err();
    assert!(matches!(sealing, Some(KeyError::NotASigningUse(KeyUse::SealData))));
    let missing = keystore.signer(&key("soft:none"), KeyUse::SignLog).err();
    assert!(matches!(missing, Some(KeyError::Unknown(name)) if name == key("soft:none")));
}

#[test]
fn a_key_that_was_restricted_does_a_part_of_what_it_did_and_nothing_else() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    let authority = key("soft:sign-certificates");
    let public =
        keystore.signer(&authority, KeyUse::SignCertificates).unwrap().public_key().clone();
    keystore.restrict(&authority).unwrap();
    let unsaved = keystore.signer(&authority, KeyUse::SignLists).err();
    assert!(matches!(unsaved, Some(KeyError::NotSaved(_))));
    keystore.save().unwrap();

    let mut again = place.open().unwrap();
    let signer = again.signer(&authority, KeyUse::SignLists).unwrap();
    assert_eq!(*signer.public_key(), public);
    signer.sign(&[1; 32]).unwrap();
    for asked in KeyUse::ALL.into_iter().filter(|asked| *asked != KeyUse::SignLists) {
        let refused = again.signer(&authority, asked).err();
        assert!(matches!(refused, Some(KeyError::WrongUse { has: KeyUse::SignLists, .. })));
    }
    for key_use in KeyUse::ALL.into_iter().filter(|it| it.restricted().is_none()) {
        let refused = again.restrict(&key(&format!("soft:{key_use}")));
        assert!(
            matches!(refused, Err(KeystoreError::NotRestrictable { key_use: has, .. }) if has == key_use)
        );
    }
    assert!(matches!(again.restrict(&authority), Err(KeystoreError::NotRestrictable { .. })));
    assert!(matches!(again.restrict(&key("soft:none")), Err(KeystoreError::Unknown(_))));
}

#[test]
fn a_master_key_is_never_given_out() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:master"), KeyUse::CardMaster).unwrap();
    keystore.save().unwrap();
    let master = keystore.card_master(&key("soft:master")).unwrap();
    assert!(matches!(master.derive(&[]), Err(KeyError::NothingToDeriveFrom)));
    let wrapped = master.derive_wrapped(&[], &Sm4Key::generate());
    assert!(matches!(wrapped, Err(KeyError::NothingToDeriveFrom)));
}

#[test]
fn key_pairs_are_held_for_their_owners_where_they_were_put() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:centre"), KeyUse::SealData).unwrap();
    keystore.save().unwrap();
    let centre = keystore.sealer(&key("soft:centre")).unwrap();
    let pair = SecretKey::generate();
    let sealed = centre.seal_pair(b"key 7", &pair).unwrap();
    assert_eq!(centre.open_pair(b"key 7", &sealed).unwrap().public(), pair.public());
    assert!(matches!(centre.open_pair(b"key 8", &sealed), Err(KeyError::NotAuthentic)));
    // What is no key is not taken for one, be it sealed ever so well.
    for wrong in [&[0; 32][..], &[0xff; 32], &[1; 31], b"a name"] {
        let sealed = centre.seal(b"key 7", wrong).unwrap();
        assert!(matches!(centre.open_pair(b"key 7", &sealed), Err(KeyError::NotAuthentic)));
    }
}

#[test]
fn what_was_sealed_opens_unchanged_or_not_at_all() {
    let place = Place::new();
    let mut keystore = place.create();
    keystore.generate(&key("soft:data"), KeyUse::SealData).unwrap();
    keystore.generate(&key("soft:other"), KeyUse::SealData).unwrap();
    keystore.save().unwrap();
    let sealer = keystore.sealer(&key("soft:data")).unwrap();
    let sealed = sealer.seal(b"row 7", b"a name").unwrap();

    assert!(matches!(sealer.open(b"row 8", &sealed), Err(KeyError::NotAuthentic)));
    let other = keystore.sealer(&key("soft:other")).unwrap();
    assert!(matches!(other.open(b"row 7", &sealed), Err(KeyError::NotAuthentic)));
    for length in 0..sealed.len() {
        let cut = sealer.open(b"row 7", &sealed[..length]);
        assert!(matches!(cut, Err(KeyError::NotAuthentic)), "{length}");
    }
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        let opened = sealer.open(b"row 7", &changed);
        // Octets 1 to 4 are the version.
        if (1..5).contains(&position) {
            assert!(matches!(opened, Err(KeyError::UnknownVersion(_))), "{position}");
        } else {
            assert!(matches!(opened, Err(KeyError::NotAuthentic)), "{position}");
        }
    }
}

#[test]
fn old_versions_open_and_verify_but_no_longer_sign() {
    let place = Place::new();
    let mut keystore = place.create();
    let (tokens, data) = (key("soft:tokens"), key("soft:data"));
    keystore.generate(&tokens, KeyUse::SignTokens).unwrap();
    keystore.generate(&data, KeyUse::SealData).unwrap();
    keystore.save().unwrap();
    let old = keystore.signer(&tokens, KeyUse::SignTokens).unwrap().public_key().clone();
    let sealed = keystore.sealer(&data).unwrap().seal(b"row", b"old").unwrap();

    assert_eq!(keystore.rotate(&tokens).unwrap(), 2);
    assert_eq!(keystore.rotate(&data).unwrap(), 2);
    keystore.save().unwrap();
    let keystore = place.open().unwrap();

    let new = keystore.signer(&tokens, KeyUse::SignTokens).unwrap().public_key().clone();
    assert_ne!(new, old);
    let listed: Vec<_> = keystore
        .list()
        .into_iter()
        .filter(|version| version.reference == tokens)
        .map(|version| (version.version, version.state, version.public_key))
        .collect();
    assert_eq!(
        listed,
        [(2, VersionState::Active, Some(new)), (1, VersionState::Retired, Some(old))]
    );
    let sealer = keystore.sealer(&data).unwrap();
    assert_eq!(**sealer.open(b"row", &sealed).unwrap(), *b"old");
    let newer = sealer.seal(b"row", b"new").unwrap();
    assert_eq!(
        (sealed[..5].to_vec(), newer[..5].to_vec()),
        (vec![1, 0, 0, 0, 1], vec![1, 0, 0, 0, 2])
    );
    // One version does not open what the other sealed, whatever the octets claim.
    let mut claimed = sealed.clone();
    claimed[4] = 2;
    assert!(matches!(sealer.open(b"row", &claimed), Err(KeyError::NotAuthentic)));
    claimed[4] = 0;
    assert!(matches!(sealer.open(b"row", &claimed), Err(KeyError::UnknownVersion(0))));
}

#[test]
fn keys_of_one_version_are_not_rotated() {
    let mut keystore = Place::new().create();
    for key_use in [KeyUse::Index, KeyUse::CardMaster, KeyUse::MacCodes, KeyUse::Decrypt] {
        let name = key(&format!("soft:{key_use}"));
        keystore.generate(&name, key_use).unwrap();
        let refused = keystore.rotate(&name).unwrap_err();
        assert!(matches!(refused, KeystoreError::Fixed { key_use: u, .. } if u == key_use));
    }
    assert!(matches!(keystore.rotate(&key("soft:none")), Err(KeystoreError::Unknown(_))));
}

/// The objects a keystore hands out outlive it and travel between threads.
#[test]
fn keys_can_be_used_from_many_threads() {
    let place = Place::new();
    let mut keystore = place.create();
    with_all_uses(&mut keystore);
    let signer: std::sync::Arc<dyn Sm2Signer> =
        keystore.signer(&key("soft:sign-log"), KeyUse::SignLog).unwrap();
    let sealer: std::sync::Arc<dyn DataSealer> = keystore.sealer(&key("soft:seal-data")).unwrap();
    let index: std::sync::Arc<dyn IndexKey> = keystore.index_key(&key("soft:index")).unwrap();
    let master: std::sync::Arc<dyn CardMaster> =
        keystore.card_master(&key("soft:card-master")).unwrap();
    let mac: std::sync::Arc<dyn MacKey> = keystore.mac_key(&key("soft:mac-codes")).unwrap();
    drop(keystore);
    std::thread::scope(|scope| {
        for number in 0..4_u8 {
            let (signer, sealer, index, master, mac) = (&signer, &sealer, &index, &master, &mac);
            scope.spawn(move || {
                let e = signer.digest(&[number]);
                let signature = signer.sign(&e).unwrap();
                assert_eq!(signer.public_key().verify(&e, &signature), Ok(()));
                let sealed = sealer.seal(&[number], b"x").unwrap();
                assert_eq!(**sealer.open(&[number], &sealed).unwrap(), *b"x");
                index.index("d", &[number]).unwrap();
                master.derive(&[[number; 16]]).unwrap();
                mac.mac(&[&[number]]).unwrap();
            });
        }
    });
}
