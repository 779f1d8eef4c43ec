use std::fs;

use serde_json::Value;

use super::*;
use crate::wrapping::unwrap;

fn vectors(file: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    unwrap(&fs::read(path).unwrap()).0.to_vec()
}

fn key_of(read: &Read) -> Option<&PublicKey> {
    match &read.key {
        Key::Public { key, .. } | Key::Private { key, .. } => key.as_ref(),
        Key::Encrypted(_) => None,
    }
}

#[test]
fn one_key_in_the_files_of_openssl_is_the_same_everywhere() {
    let files = ["sign.pub.pem", "sign.pem", "sign.key", "sign.pkcs8.der", "sign.sec1.pem"];
    let keys = files.map(|file| {
        let read = read(&vectors(&format!("openssl/{file}"))).expect(file);
        assert!(!read.trailing, "{file}");
        *key_of(&read).expect(file).as_sec1()
    });
    assert_eq!(keys, [keys[0]; 5]);
    for file in ["sign.key", "sign.pkcs8.der", "sign.sec1.pem"] {
        let secret = secret(&vectors(&format!("openssl/{file}"))).expect(file);
        assert_eq!(secret.public().as_sec1(), &keys[0]);
    }
    let forms =
        ["sign.pkcs8.der", "sign.sec1.pem"].map(|file| read(&vectors(&format!("openssl/{file}"))));
    let [Some(pkcs8), Some(sec1)] = &forms else { panic!("{forms:?}") };
    let (info, bare) = (PrivateForm::Info(Curve::Named), PrivateForm::Sec1);
    assert!(matches!(&pkcs8.key, Key::Private { form, matches: Some(true), .. } if *form == info));
    assert!(matches!(&sec1.key, Key::Private { form, matches: Some(true), .. } if *form == bare));
}

#[test]
fn how_a_private_key_is_encrypted_is_told() {
    let encrypted = |file: &str| match read(&vectors(file)).expect(file).key {
        Key::Encrypted(encryption) => encryption,
        other => panic!("{file}: {other:?}"),
    };
    let gmssl = encrypted("gmssl/sign.key.pem");
    assert_eq!(gmssl.cipher, "1.2.156.10197.1.104.2", "SM4-CBC");
    assert!(gmssl.prf.is_some_and(|prf| prf.starts_with("1.2.156.10197.1.401")), "HMAC-SM3");
    let openssl = encrypted("openssl/sign.enc-sm4-sha256.pem");
    assert_eq!(openssl.prf.as_deref(), Some("1.2.840.113549.2.9"), "HMAC-SHA256");
    assert_eq!((openssl.rounds, encrypted("openssl/sign.enc-aes256.pem").rounds), (2048, 2048));
}

#[test]
fn forms_of_devices_and_points_are_told() {
    let secret = SecretKey::from_be_bytes(&[0x39; 32]).unwrap();
    let point = secret.public().as_sec1();
    let (x, y) = point[1..].split_at(32);
    let zeros = [0; 32];
    let bits = 256_u32.to_le_bytes();
    let odd = y[31] & 1;
    let public = |form: PublicForm, point: PointForm| (Some(form), Some(point));
    #[rustfmt::skip]
    let cases = [
        (point.to_vec(),                                   public(PublicForm::Bare, PointForm::Uncompressed)),
        (point[1..].to_vec(),                              public(PublicForm::Bare, PointForm::WithoutPrefix)),
        ([&[2 + odd], x].concat(),                         public(PublicForm::Bare, PointForm::Compressed)),
        ([&[6 + odd], x, y].concat(),                      public(PublicForm::Bare, PointForm::Hybrid)),
        ([&bits[..], &zeros, x, &zeros, y].concat(),       public(PublicForm::Device(64), PointForm::WithoutPrefix)),
        ([&bits[..], x, y].concat(),                       public(PublicForm::Device(32), PointForm::WithoutPrefix)),
        (secret_octets(&[]),                               (None, None)),
        (secret_octets(&bits),                             (None, None)),
        ([&bits[..], &zeros, &[0x39; 32]].concat(),        (None, None)),
    ];
    for (octets, expected) in cases {
        let read = read(&octets).unwrap();
        assert_eq!(key_of(&read).unwrap().as_sec1(), point, "{expected:?}");
        let told = match read.key {
            Key::Public { form, point, .. } => (Some(form), Some(point)),
            _ => (None, None),
        };
        assert_eq!(told, expected);
        assert_eq!(super::secret(&octets).is_some(), told.0.is_none());
    }
}

fn secret_octets(before: &[u8]) -> Vec<u8> {
    [before, &[0x39; 32]].concat()
}

/// What `hsm` refuses is told apart here: by the vectors of keys.
#[test]
fn keys_that_are_refused_elsewhere_are_told_with_the_reason() {
    let path = format!("{}/../../tests/vectors/sm2_keys.json", env!("CARGO_MANIFEST_DIR"));
    let vectors: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut told = 0;
    for test in vectors["groups"][2]["tests"].as_array().unwrap() {
        let comment = test["comment"].as_str().unwrap();
        let octets = hex::decode(test["spki_der"].as_str().unwrap()).unwrap();
        let clean = read(&octets).is_some_and(|it| {
            let named = matches!(
                it.key,
                Key::Public {
                    form: PublicForm::Info(Curve::Named),
                    point: PointForm::Uncompressed,
                    key: Some(_)
                }
            );
            named && !it.trailing
        });
        let valid = test["result"] == "valid";
        // Unused bits are no form of a key at all, and are not read.
        assert_eq!(clean, valid, "{comment}");
        told += u32::from(!clean);
    }
    assert_eq!(told, 11);
}

proptest::proptest! {
    #[test]
    fn nothing_panics(octets: Vec<u8>) {
        let _ = (read(&octets), secret(&octets), public(&octets));
    }
}
