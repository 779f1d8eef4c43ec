use std::convert::Infallible;

use proptest::prelude::*;
use sm2::dsa::{Signature, signature::Signer as _};

use super::*;
use crate::testing::{NAME, key, other_key, signing_key, verifier};

fn manifest() -> Manifest {
    let issued = |n: u8| Verdict::Issued {
        chip_serial: format!("000000000{n}"),
        card: format!("01936f00-0000-7000-8000-00000000000{n}"),
        transcript: [n; 32],
    };
    let refused = |reasons: &[&str]| Verdict::Refused {
        reasons: reasons.iter().map(|it| (*it).to_owned()).collect(),
    };
    let verdicts = [
        issued(1),
        refused(&["id_number:ID_NUMBER_CHECK", "name:NOT_GBK"]),
        issued(3),
        refused(&["row:COLUMNS"]),
        issued(5),
    ];
    let row = |(at, verdict)| Row { digest: [at as u8; 32], verdict };
    Manifest {
        service: NAME.to_owned(),
        batch: "01936f00-0000-7000-8000-000000000001".to_owned(),
        institution: "01936f00-0000-7000-8000-0000000000a1".to_owned(),
        input: [7; 32],
        opened: "2026-11-26T08:00:00.000000Z".to_owned(),
        closed: "2026-11-26T08:05:00.000000Z".to_owned(),
        rows: verdicts.into_iter().enumerate().map(row).collect(),
        spoiled: vec![Spoiled { chip_serial: "0000000009".to_owned(), row: 3 }],
    }
}

fn signed(manifest: &Manifest) -> String {
    let sign = |text: &[u8]| -> Result<[u8; 64], Infallible> {
        let signature: Signature = signing_key(1).sign(text);
        Ok(signature.to_bytes().into())
    };
    manifest.sign(&verifier(&manifest.service, &signing_key(1)), sign).unwrap()
}

fn altered(text: &str) -> Vec<Altered> {
    match check(text, &key()) {
        Err(ManifestError::Altered(what)) => what,
        other => panic!("{other:?}"),
    }
}

/// The manifest with one of its lines changed.
fn with_line(text: &str, start: &str, change: impl Fn(&str) -> String) -> String {
    let lines = text.split_inclusive('\n');
    lines.map(|line| if line.starts_with(start) { change(line) } else { line.to_owned() }).collect()
}

#[test]
fn what_was_signed_is_read() {
    let manifest = manifest();
    let text = signed(&manifest);
    assert_eq!(check(&text, &key()), Ok(manifest.clone()));
    let empty = Manifest { rows: Vec::new(), spoiled: Vec::new(), ..manifest };
    assert_eq!(check(&signed(&empty), &key()), Ok(empty));
}

#[test]
fn what_was_changed_is_named() {
    let text = signed(&manifest());
    let gone = |_: &str| String::new();
    let digit = |line: &str| line.replacen('3', "4", 2);
    let rehashed = |line: &str| {
        let (line, _) = line.trim_end().rsplit_once(' ').unwrap();
        let line = line.replacen("0000000005", "0000000006", 1);
        format!("{line} {}\n", hex::encode(leaf_hash(line.as_bytes())))
    };
    let renumbered = |line: &str| line.replacen("5 ", "6 ", 1);
    let twice = |line: &str| line.repeat(2);
    let cases = [
        ("a digest of row 3", with_line(&text, "3 issued", digit), vec![Altered::Row(3)]),
        ("a verdict", text.replacen("2 refused", "2 issued", 1), vec![Altered::Row(2)]),
        ("a reason", text.replacen("COLUMNS", "COLUMN", 1), vec![Altered::Row(4)]),
        ("row 3 is gone", with_line(&text, "3 issued", gone), vec![Altered::Missing(3)]),
        ("the last row is gone", with_line(&text, "5 issued", gone), vec![Altered::Missing(5)]),
        ("row 5 is called 6", with_line(&text, "5 issued", renumbered), vec![Altered::Row(5)]),
        ("row 2 is there twice", with_line(&text, "2 refused", twice), vec![Altered::Row(2)]),
        ("a line with its hash", with_line(&text, "5 issued", rehashed), vec![Altered::Lines]),
        ("a spoiled chip", text.replacen("0000000009", "0000000008", 1), vec![Altered::Spoiled(1)]),
        ("no spoiled chip", with_line(&text, "spoiled 0", gone), vec![Altered::Lines]),
        ("the input", text.replacen("input 07", "input 08", 1), vec![Altered::Head]),
        (
            "the head and a row",
            with_line(&text.replacen("input 07", "input 08", 1), "3 issued", digit),
            vec![Altered::Head, Altered::Row(3)],
        ),
    ];
    for (name, text, expected) in cases {
        assert_eq!(altered(&text), expected, "{name}");
    }
}

#[test]
fn others_manifests_are_refused() {
    let text = signed(&manifest());
    assert_eq!(check(&text, &other_key()), Err(ManifestError::NotSigned));
    let other = Manifest { service: "other.example".to_owned(), ..manifest() };
    // Signed with this key, under its name, yet naming another service.
    let sign = |text: &[u8]| -> Result<[u8; 64], Infallible> {
        let signature: Signature = signing_key(1).sign(text);
        Ok(signature.to_bytes().into())
    };
    let text = other.sign(&key(), sign).unwrap();
    assert_eq!(check(&text, &key()), Err(ManifestError::OtherService));
    // A checkpoint is no manifest, and a manifest no checkpoint.
    let note = crate::testing::note(1, [0; 32]);
    assert!(matches!(check(&note, &key()), Err(ManifestError::Form { .. })));
    assert!(crate::checkpoint::Checkpoint::verify(&signed(&manifest()), &key()).is_err());
}

#[test]
fn other_forms_are_refused() {
    let text = signed(&manifest());
    let cases = [
        ("nothing", String::new()),
        ("a text", "healthcard\n\nx\n\n".to_owned()),
        ("no newline at the end", text.trim_end().to_owned()),
        ("another title", text.replacen("v1", "v2", 1)),
        ("a leading zero", text.replacen("rows 5", "rows 05", 1)),
        ("counts that do not add up", text.replacen("issued 3", "issued 4", 1)),
        ("a line without a hash", format!("{text}6\n")),
    ];
    for (name, text) in cases {
        assert!(matches!(check(&text, &key()), Err(ManifestError::Form { .. })), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_changed_byte_is_noticed(at in 0usize..10_000, by in 1u8..=255) {
        let mut bytes = signed(&manifest()).into_bytes();
        let at = at % bytes.len();
        bytes[at] = bytes[at].wrapping_add(by);
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(check(&text, &key()).is_err());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,300}") {
        let _ = check(&text, &key());
    }
}
