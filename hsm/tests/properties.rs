//! Properties of every parser of outside octets: what is read is written back the same, what is
//! changed is refused, and nothing panics.
#![expect(clippy::unwrap_used, reason = "in a test, a step that fails fails the test")]

use hsm::sm2::{
    BadSignature, Ciphertext, MalformedPrivateKey, PublicKey, SecretKey, Signature, open_envelope,
    seal_envelope,
};
use hsm::sm4::{BadSeal, NotWholeBlocks, SEAL_OVERHEAD, Sm4Key};
use hsm::{KeyError, KeyRef, KeyUse, Sm2Decrypter, Sm2Signer};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::LazyLock;

static KEY: LazyLock<SecretKey> = LazyLock::new(SecretKey::generate);

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}

/// Octets that are nearly `valid`: a few replaced, cut or added.
fn nearly(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = valid.len();
    (vec((0..length, any::<u8>()), 0..3), 0..=length + 2).prop_map(move |(changes, keep)| {
        let mut octets = valid.clone();
        for (position, octet) in changes {
            octets[position] = octet;
        }
        // Two out of many lengths add octets, most cut, and one in three keeps all.
        if keep % 3 != 0 {
            octets.resize(keep, 0);
        }
        octets
    })
}

fn signature_der() -> Vec<u8> {
    KEY.sign(&[1; 32]).unwrap().to_der()
}

fn pkcs8_der() -> Vec<u8> {
    let pem = KEY.to_pkcs8_pem();
    der::pem::decode_vec(pem.as_bytes()).unwrap().1
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn a_signature_has_one_encoding(octets in prop_oneof![
        nearly(signature_der()), vec(any::<u8>(), 0..80),
    ]) {
        if let Ok(signature) = Signature::from_der(&octets) {
            prop_assert_eq!(signature.to_der(), octets);
            prop_assert_eq!(Signature::from_raw(signature.as_raw()), Ok(signature));
        }
    }

    #[test]
    fn numbers_of_any_size_survive_der(r in vec(any::<u8>(), 1..=32), s in vec(any::<u8>(), 1..=32)) {
        // Leading zeros, as one number in 256 has one.
        let mut raw = [0; 64];
        raw[32 - r.len()..32].copy_from_slice(&r);
        raw[64 - s.len()..].copy_from_slice(&s);
        if let Ok(signature) = Signature::from_raw(&raw) {
            prop_assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
        }
    }

    #[test]
    fn a_public_key_has_one_encoding(octets in prop_oneof![
        nearly(KEY.public().to_spki_der()), vec(any::<u8>(), 0..100),
    ]) {
        if let Ok(key) = PublicKey::from_spki_der(&octets) {
            prop_assert_eq!(key.to_spki_der(), octets);
            prop_assert_eq!(PublicKey::from_sec1(key.as_sec1()), Ok(key));
        }
    }

    #[test]
    fn a_changed_private_key_is_refused(octets in nearly(pkcs8_der())) {
        match SecretKey::from_pkcs8_der(&octets) {
            Ok(key) => {
                prop_assert_eq!(key.public(), KEY.public());
                prop_assert_eq!(octets, pkcs8_der());
            }
            Err(MalformedPrivateKey::Structure | MalformedPrivateKey::OutOfRange
                | MalformedPrivateKey::OtherPublicKey) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn text_is_a_private_key_or_refused(text in "(-----BEGIN PRIVATE KEY-----\n)?[A-Za-z0-9+/=\n]{0,200}(\n-----END PRIVATE KEY-----\n?)?") {
        prop_assert!(SecretKey::from_pkcs8_pem(&text).is_err());
    }

    #[test]
    fn a_ciphertext_has_one_encoding(octets in prop_oneof![
        nearly(KEY.public().encrypt(b"a key of 16 byte").unwrap()), vec(any::<u8>(), 0..200),
    ]) {
        if let Ok(ciphertext) = Ciphertext::from_der(&octets) {
            prop_assert_eq!(ciphertext.to_der(), octets);
            let raw = ciphertext.to_c1c3c2();
            prop_assert_eq!(Ciphertext::from_c1c3c2(&raw).unwrap().to_c1c3c2(), raw);
        }
    }

    #[test]
    fn a_key_reference_is_its_text(text in "[a-z0-9:.A-Z -]{0,90}|soft:[a-z0-9-]{1,64}") {
        if let Ok(key) = text.parse::<KeyRef>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn what_is_sealed_opens_for_its_place_only(
        aad in vec(any::<u8>(), 0..40),
        plaintext in vec(any::<u8>(), 0..200),
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let key = Sm4Key::generate();
        let sealed = key.seal(&aad, &plaintext);
        prop_assert_eq!(sealed.len(), plaintext.len() + SEAL_OVERHEAD);
        prop_assert_eq!(&**key.open(&aad, &sealed).unwrap(), &plaintext);
        let mut changed = sealed.clone();
        changed[flip.index(sealed.len())] ^= 1_u8 << bit;
        prop_assert_eq!(key.open(&aad, &changed).unwrap_err(), BadSeal);
        let elsewhere = [&aad[..], b"x"].concat();
        prop_assert_eq!(key.open(&elsewhere, &sealed).unwrap_err(), BadSeal);
        prop_assert_eq!(Sm4Key::generate().open(&aad, &sealed).unwrap_err(), BadSeal);
    }

    #[test]
    fn block_modes_take_whole_blocks(data in vec(any::<u8>(), 0..100)) {
        let key = Sm4Key::generate();
        let whole = !data.is_empty() && data.len() % 16 == 0;
        match key.encrypt_ecb(&data) {
            Ok(encrypted) => {
                prop_assert!(whole);
                prop_assert_eq!(&**key.decrypt_ecb(&encrypted).unwrap(), &data);
            }
            Err(refusal) => {
                prop_assert!(!whole);
                prop_assert_eq!(refusal, NotWholeBlocks(data.len()));
                prop_assert_eq!(key.decrypt_ecb(&data).unwrap_err(), NotWholeBlocks(data.len()));
                let mac = key.cbc_mac_last_block(&[0; 16], &data);
                prop_assert_eq!(mac.unwrap_err(), NotWholeBlocks(data.len()));
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_signature_is_for_one_digest_and_one_key(
        message in vec(any::<u8>(), 0..100),
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let key = SecretKey::generate();
        let e = key.digest(&message);
        let signature = key.sign(&e).unwrap();
        prop_assert_eq!(key.public().verify(&e, &signature), Ok(()));
        prop_assert_eq!(KEY.public().verify(&e, &signature), Err(BadSignature));
        let mut other = e;
        other[flip.index(32)] ^= 1_u8 << bit;
        prop_assert_eq!(key.public().verify(&other, &signature), Err(BadSignature));
        let mut raw = *signature.as_raw();
        raw[flip.index(64)] ^= 1_u8 << bit;
        if let Ok(changed) = Signature::from_raw(&raw) {
            prop_assert_eq!(key.public().verify(&e, &changed), Err(BadSignature));
        }
    }

    #[test]
    fn what_is_encrypted_decrypts_for_one_key(
        plaintext in vec(any::<u8>(), 1..200),
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let der = KEY.public().encrypt(&plaintext).unwrap();
        let ciphertext = Ciphertext::from_der(&der).unwrap();
        prop_assert_eq!(&**KEY.decrypt(&ciphertext).unwrap(), &plaintext);
        let stranger = SecretKey::generate().decrypt(&ciphertext);
        prop_assert!(matches!(stranger, Err(KeyError::NotAuthentic)));
        let mut raw = ciphertext.to_c1c3c2();
        let position = flip.index(raw.len());
        raw[position] ^= 1_u8 << bit;
        if let Ok(changed) = Ciphertext::from_c1c3c2(&raw) {
            prop_assert!(matches!(KEY.decrypt(&changed), Err(KeyError::NotAuthentic)));
        }
    }

    #[test]
    fn an_enveloped_key_arrives_whole_or_not_at_all(octets in nearly(
        seal_envelope(KEY.public(), &KEY)
    )) {
        // The half that ECB does not authenticate is covered by the pair of keys.
        if let Ok(key) = open_envelope(&*KEY, &octets) {
            prop_assert_eq!(key.public(), KEY.public());
        }
    }
}

#[test]
fn a_private_key_survives_pem() {
    let pem = KEY.to_pkcs8_pem();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let key = SecretKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(key.public(), KEY.public());
    let refused = |text: &str| SecretKey::from_pkcs8_pem(text).unwrap_err();
    assert_eq!(refused(&pem.replace("PRIVATE", "EC PRIVATE")), MalformedPrivateKey::Pem);
    assert_eq!(refused(&format!("{}{}", *pem, *pem)), MalformedPrivateKey::Pem);
    assert_eq!(refused(&" ".repeat(5000)), MalformedPrivateKey::Pem);
}

#[test]
fn every_use_has_a_name_and_no_other_text_is_one() {
    for key_use in KeyUse::ALL {
        assert_eq!(key_use.name().parse(), Ok(key_use));
    }
    assert!("sign".parse::<KeyUse>().is_err());
    assert!("Sign-Tokens".parse::<KeyUse>().is_err());
}

#[test]
fn lengths_that_sm2_does_not_encrypt_are_refused() {
    for length in [0, 65_537] {
        assert_eq!(KEY.public().encrypt(&vec![1; length]).unwrap_err().0, length);
    }
    let largest = KEY.public().encrypt(&vec![1; 65_536]).unwrap();
    let largest = Ciphertext::from_der(&largest).unwrap();
    assert_eq!(KEY.decrypt(&largest).unwrap().len(), 65_536);
}
