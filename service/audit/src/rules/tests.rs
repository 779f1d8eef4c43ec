use std::convert::Infallible;

use proptest::prelude::*;
use sm2::{
    SecretKey,
    dsa::{SigningKey, signature::Signer as _},
};

use super::*;

fn manifest() -> Manifest {
    Manifest {
        service: "county.example".to_owned(),
        name: "县医院 county".to_owned(),
        version: 3,
        made: "2026-11-27T08:00:00.000000Z".to_owned(),
        files: [[1; 32], [2; 32], [3; 32]],
        digest: [4; 32],
    }
}

/// The signed manifest and the public key, of the holder of this secret.
fn signed(manifest: &Manifest, seed: u8) -> (String, Vec<u8>) {
    let secret = SecretKey::from_slice(&[seed; 32]).unwrap();
    let signer = SigningKey::new(SIGNER_ID, &secret).unwrap();
    let sign = |octets: &[u8]| -> Result<[u8; 64], Infallible> {
        let signature: Signature = signer.sign(octets);
        Ok(signature.to_bytes().into())
    };
    (manifest.sign(sign).unwrap(), secret.public_key().to_sec1_bytes().to_vec())
}

#[test]
fn what_was_signed_is_read_back_and_no_octet_of_it_can_be_changed() {
    let (text, key) = signed(&manifest(), 7);
    assert_eq!(check(&text, &key), Ok(manifest()));
    assert_eq!(check(&text, &signed(&manifest(), 8).1), Err(ManifestError::NotSigned));
    assert_eq!(check(&text, &key[1..]), Err(ManifestError::Key));
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        assert!(check(&changed, &key).is_err(), "octet {at}");
    }
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        assert!(Manifest::read(&text[..end]).is_err(), "cut off at {end}");
    }
}

#[test]
fn a_signature_with_another_identifier_is_none() {
    let (text, key) = signed(&manifest(), 7);
    let secret = SecretKey::from_slice(&[7; 32]).unwrap();
    let signer = SigningKey::new("1234567812345678", &secret).unwrap();
    let other = manifest().sign(|octets| -> Result<[u8; 64], Infallible> {
        let signature: Signature = signer.sign(octets);
        Ok(signature.to_bytes().into())
    });
    assert!(check(&text, &key).is_ok());
    assert_eq!(check(&other.unwrap(), &key), Err(ManifestError::NotSigned));
}

#[test]
fn what_is_not_of_the_form_is_refused_by_its_line() {
    let (text, _) = signed(&manifest(), 7);
    let long = format!("name {}\n", "x".repeat(MAX_LINE));
    #[rustfmt::skip]
    let cases = [
        ("rules of access\n", "rules of excess\n", 1),
        ("service county.example", "service ", 2),
        ("service county.example", "service two words", 2),
        ("service county.example\n", "service county.example\n\n", 3),
        ("name 县医院 county\n", "name \n", 3),
        ("name 县医院 county\n", "name  county\n", 3),
        ("name 县医院", "name \u{1b}[2J", 3),
        ("name 县医院 county\n", long.as_str(), 3),
        ("version 3\n", "version 0\n", 4),
        ("version 3\n", "version 03\n", 4),
        ("version 3\n", "version -3\n", 4),
        ("version 3\n", "version 4294967296\n", 4),
        ("2026-11-27T", "2026-11-31T", 5),
        (".000000Z", "Z", 5),
        ("rules.toml 01", "rules.toml  01", 6),
        ("access.cedar 02", "cases.toml 02", 7),
        ("cases.toml 0303", "cases.toml 03", 8),
        ("digest 0404", "digest 04", 9),
        ("\n\nsignature", "\nsignature", 10),
        ("signature ", "signatures ", 11),
        ("signature ", "signature 00", 11),
    ];
    for (from, to, line) in cases {
        let changed = text.replacen(from, to, 1);
        assert_eq!(Manifest::read(&changed), Err(ManifestError::Form { line }), "{to}");
    }
    let upper = text.replacen("digest 04", "digest 0A", 1);
    assert_eq!(Manifest::read(&upper), Err(ManifestError::Form { line: 9 }));
    let more = format!("{text}\n");
    assert_eq!(Manifest::read(&more), Err(ManifestError::Form { line: 12 }));
    assert_eq!(
        Manifest::read(&format!("{text}{}", "x".repeat(MAX_MANIFEST))),
        Err(ManifestError::Form { line: 1 })
    );
    assert_eq!(Manifest::read(""), Err(ManifestError::Form { line: 1 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_manifest_is_read_as_it_was(
        name in "[a-z县][a-z0-9县医院 .-]{0,40}[a-z县]", version in 1_u32.., digest: [u8; 32], files: [[u8; 32]; 3],
    ) {
        let manifest = Manifest { name, version, digest, files, ..manifest() };
        let (text, key) = signed(&manifest, 7);
        prop_assert_eq!(check(&text, &key), Ok(manifest));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\n]{0,300}", at in 0_usize..400) {
        prop_assert!(Manifest::read(&text).is_err());
        // As a part of a whole one, too.
        let (mut whole, key) = signed(&manifest(), 7);
        if whole.is_char_boundary(at) && !text.is_empty() {
            whole.insert_str(at, &text);
            prop_assert!(check(&whole, &key).is_err());
        }
    }
}
