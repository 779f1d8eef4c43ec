use proptest::prelude::*;
use sm2::dsa::signature::Signer as _;

use super::*;
use crate::testing::{NAME, sign as note, signing_key, verifier};

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: NAME.into(), size: 42, root: [7; 32] }
}

#[test]
fn a_signed_checkpoint_reads_back() {
    let key = signing_key(1);
    let signed = note(&checkpoint(), NAME, &key);
    assert_eq!(Checkpoint::verify(&signed, &verifier(NAME, &key)), Ok(checkpoint()));
    assert_eq!(Checkpoint::read_unverified(&signed), Ok(checkpoint()));
    let cosigned = format!("{signed}\u{2014} witness.example AAAAAGFiYw==\n");
    assert_eq!(Checkpoint::verify(&cosigned, &verifier(NAME, &key)), Ok(checkpoint()));
}

#[test]
fn what_others_put_below_a_note_is_left_out() {
    let key = signing_key(1);
    let signed = note(&checkpoint(), NAME, &key);
    let line = signed.lines().last().unwrap();
    let more = format!("{signed}\u{2014} witness.example AAAAAGFiYw==\n{line}\n");
    let verifier = verifier(NAME, &key);
    assert_eq!(Checkpoint::verify_alone(&more, &verifier), Ok((checkpoint(), signed)));
    let other = note(&checkpoint(), NAME, &signing_key(2));
    assert_eq!(Checkpoint::verify_alone(&other, &verifier), Err(NoteError::NotSigned));
}

#[test]
fn a_verifier_key_reads_back() {
    let key = verifier(NAME, &signing_key(1));
    assert_eq!(key.to_string().parse::<VerifierKey>(), Ok(key.clone()));
    let text = key.to_string();
    let (_, rest) = text.split_once('+').unwrap();
    let other_kind = format!("{NAME}+00000000+{}", BASE64.encode([1; 33]));
    #[rustfmt::skip]
    let cases = [
        ("another name", format!("other.example+{rest}"), KeyError::Id),
        ("no name", format!("+{rest}"), KeyError::Name),
        ("a space in the name", format!("a b+{rest}"), KeyError::Name),
        ("Ed25519", other_kind, KeyError::Kind),
        ("upper-case id", text.to_uppercase(), KeyError::Form),
        ("one part", "log".to_owned(), KeyError::Form),
        ("cut short", text[..text.len() - 4].to_owned(), KeyError::Point),
        ("white space after", format!("{text}\n"), KeyError::Form),
    ];
    for (why, text, error) in cases {
        assert_eq!(text.parse::<VerifierKey>(), Err(error), "{why}");
    }
    let mut off_curve = *key.public_key();
    off_curve[64] ^= 1;
    assert_eq!(VerifierKey::new(NAME, &off_curve), Err(KeyError::Point));
    let mut compressed = *key.public_key();
    compressed[0] = 0x06;
    assert_eq!(VerifierKey::new(NAME, &compressed), Err(KeyError::Point));
}

#[test]
fn wrong_notes_are_refused() {
    let key = signing_key(1);
    let signed = note(&checkpoint(), NAME, &key);
    let root = BASE64.encode([7; 32]);
    let other_origin = Checkpoint { origin: "other.example".into(), ..checkpoint() };
    let (text, signature) = signed.split_once("\n\n").unwrap();
    let resigned = |text: &str| {
        let value: sm2::dsa::Signature = key.sign(text.as_bytes());
        format!("{text}\n{}", verifier(NAME, &key).line(&value.to_bytes()))
    };
    #[rustfmt::skip]
    let cases = [
        ("another size", signed.replacen("42", "43", 1), NoteError::BadSignature),
        ("another root", signed.replacen(&root, &BASE64.encode([8; 32]), 1), NoteError::BadSignature),
        ("another key", note(&checkpoint(), NAME, &signing_key(2)), NoteError::NotSigned),
        ("another log, same key", note(&other_origin, NAME, &key), NoteError::OtherLog),
        ("another name, same key", note(&checkpoint(), "other.example", &key), NoteError::NotSigned),
        ("no signature", format!("{text}\n\n"), NoteError::Form),
        ("no blank line", signed.replacen("\n\n", "\n", 1), NoteError::Form),
        ("a hyphen for the dash", signed.replace('\u{2014}', "-"), NoteError::Form),
        ("no newline at the end", signed.trim_end().to_owned(), NoteError::Form),
        ("carriage returns", signed.replace('\n', "\r\n"), NoteError::Form),
        ("base64 cut", format!("{text}\n\n{}\n", &signature[..signature.len() - 3]), NoteError::Form),
        ("size with a sign", resigned(&format!("{NAME}\n+42\n{root}\n")), NoteError::NotCheckpoint),
        ("size with zeros", resigned(&format!("{NAME}\n042\n{root}\n")), NoteError::NotCheckpoint),
        ("an extension line", resigned(&format!("{NAME}\n42\n{root}\nmore\n")), NoteError::NotCheckpoint),
        ("a short root", resigned(&format!("{NAME}\n42\nAAAA\n")), NoteError::NotCheckpoint),
        ("too long", format!("{}\n\n{signature}", "x".repeat(MAX_NOTE)), NoteError::Form),
    ];
    for (why, note, error) in cases {
        assert_eq!(Checkpoint::verify(&note, &verifier(NAME, &key)), Err(error), "{why}");
    }
}

#[test]
fn signatures_out_of_range_are_refused() {
    let key = signing_key(1);
    let verifier = verifier(NAME, &key);
    let good: sm2::dsa::Signature = key.sign(checkpoint().text().as_bytes());
    let good: [u8; 64] = good.to_bytes().into();
    let [zero_r, zero_s, large] = [0..32, 32..64, 0..32].map(|range| (good, range));
    let spoil = |(mut raw, range): ([u8; 64], std::ops::Range<usize>), with| {
        raw[range].fill(with);
        raw.to_vec()
    };
    #[rustfmt::skip]
    let cases = [
        ("r = 0", spoil(zero_r, 0)), ("s = 0", spoil(zero_s, 0)), ("r >= n", spoil(large, 0xff)),
        ("63 bytes", good[..63].to_vec()), ("65 bytes", [&good[..], &[0]].concat()),
    ];
    for (why, raw) in cases {
        assert_eq!(
            verifier.verify(checkpoint().text().as_bytes(), &raw),
            Err(NoteError::BadSignature),
            "{why}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bit_of_a_note_may_change(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let key = signing_key(1);
        let mut note = note(&checkpoint(), NAME, &key).into_bytes();
        let at = at.index(note.len());
        note[at] ^= 1 << bit;
        if let Ok(note) = String::from_utf8(note) {
            prop_assert!(Checkpoint::verify(&note, &verifier(NAME, &key)).is_err());
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,80}(\n\\PC{0,40}){0,6}\n?") {
        let _ = Checkpoint::read_unverified(&text);
        let _ = text.parse::<VerifierKey>();
        let _ = format!("{NAME}+00000000+{text}").parse::<VerifierKey>();
    }
}
