use std::{fs, path::Path, process::Command};

use hsm::{Sm2Signer as _, sm2::SecretKey};
use tempfile::TempDir;

use super::*;
use crate::{
    ciphertext,
    signature::{self, Form},
};

const TEXT: &[u8] = "处方：阿莫西林\n".as_bytes();

/// Runs the lines where the user's files are; what they said.
fn run(place: &Path, lines: &[String]) -> String {
    let script = format!("set -e\n{}", lines.join("\n"));
    let output = Command::new("bash").arg("-c").arg(script).current_dir(place).output().unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success(), "{lines:#?}: {said:?}");
    said.concat()
}

fn key() -> SecretKey {
    SecretKey::from_be_bytes(&[0x39; 32]).unwrap()
}

#[test]
fn openssl_verifies_by_the_lines_what_was_found() {
    let place = TempDir::new().unwrap();
    let key = key();
    let id = |text: &[u8]| Identifier::Other(text.to_vec());
    let with = |id, z, hashed| Preimage::WithZ(id, z, hashed);
    let (message, digest) = (Hashed::Message, Hashed::Digest);
    let cases = [
        (Message::AsGiven, with(Identifier::Default, Z::Standard, message)),
        (Message::AsGiven, with(Identifier::Empty, Z::Standard, message)),
        (Message::AsGiven, with(Identifier::Tls13, Z::Standard, digest)),
        (Message::AsGiven, with(id(b"it's \"one\""), Z::Standard, message)),
        (Message::AsGiven, with(id(b"\x00\xff"), Z::Standard, message)),
        (Message::AsGiven, with(Identifier::Default, Z::LengthInOctets, message)),
        (Message::AsGiven, Preimage::WithoutZ(message)),
        (Message::AsGiven, Preimage::WithoutZ(digest)),
        (Message::WithoutLineEnd, with(Identifier::Default, Z::Standard, message)),
        (Message::HexDigits, with(Identifier::Default, Z::Standard, message)),
    ];
    fs::write(place.path().join(MESSAGE), TEXT).unwrap();
    for (message, preimage) in cases {
        let convention = Convention { form: Form::Der, preimage, message };
        let made = key.sign(&e_of(key.public(), &convention, TEXT)).unwrap();
        let suggested = [b"it's \"one\"".to_vec(), b"\x00\xff".to_vec()];
        let found = signature::conventions(key.public(), &made.to_der(), TEXT, &suggested);
        assert_eq!(found, std::slice::from_ref(&convention));
        let lines = signature(key.public(), &made, &convention, TEXT);
        let said = run(place.path(), &lines.openssl);
        assert!(said.contains("Signature Verified Successfully"), "{convention:?}: {said}");
    }
    // The number itself, and a line end that was signed and is not in the file.
    let e = hsm::sm3::digest(TEXT);
    for (given, message, preimage) in [
        (&e[..], Message::AsGiven, Preimage::Itself),
        (b"a line", Message::WithLineEnd, with(Identifier::Default, Z::Standard, Hashed::Message)),
    ] {
        fs::write(place.path().join(MESSAGE), given).unwrap();
        let convention = Convention { form: Form::Der, preimage, message };
        let made = key.sign(&e_of(key.public(), &convention, given)).unwrap();
        let lines = signature(key.public(), &made, &convention, given);
        run(place.path(), &lines.openssl);
    }
}

#[test]
fn gmssl_gets_lines_for_what_it_has_options_for() {
    let key = key();
    let made = key.sign(&[7; 32]).unwrap();
    let last = |preimage| {
        let convention = Convention { form: Form::Der, preimage, message: Message::AsGiven };
        signature(key.public(), &made, &convention, TEXT).gmssl.pop()
    };
    assert_eq!(
        last(Preimage::WithZ(Identifier::Default, Z::Standard, Hashed::Message)).as_deref(),
        Some(
            "gmssl sm2verify -pubkey key.pem -id '1234567812345678' -in MESSAGE -sig signature.der"
        )
    );
    for without in [
        Preimage::WithZ(Identifier::Empty, Z::Standard, Hashed::Message),
        Preimage::WithZ(Identifier::Default, Z::NoCurve, Hashed::Message),
        Preimage::WithoutZ(Hashed::Message),
        Preimage::Itself,
    ] {
        assert_eq!(last(without), None);
    }
}

#[test]
fn openssl_decrypts_by_the_lines_what_was_found() {
    let place = TempDir::new().unwrap();
    let key = key();
    fs::write(place.path().join(PRIVATE_KEY), key.to_pkcs8_pem().as_bytes()).unwrap();
    let made = Ciphertext::from_der(&key.public().encrypt(TEXT).unwrap()).unwrap().to_c1c3c2();
    let (c1c3, c2) = made.split_at(97);
    let (c1, c3) = c1c3.split_at(65);
    let found = ciphertext::readings(&[c1, c2, c3].concat(), Some(&key));
    let found = found.iter().find(|it| it.decrypts == Some(true)).unwrap();
    assert_eq!(run(place.path(), &super::ciphertext(&found.ciphertext).openssl).as_bytes(), TEXT);
}

#[test]
fn openssl_shows_the_key() {
    let place = TempDir::new().unwrap();
    let said = run(place.path(), &super::key(key().public()).openssl);
    assert!(said.contains("SM2"), "{said}");
}
