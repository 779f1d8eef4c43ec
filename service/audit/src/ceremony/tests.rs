use proptest::prelude::*;
use sm2::dsa::{SigningKey, signature::Signer as _};

use super::*;

fn root(seed: u8) -> SigningKey {
    let secret = sm2::SecretKey::from_slice(&[seed; 32]).unwrap();
    SigningKey::new(SIGNER_ID, &secret).unwrap()
}

fn public(key: &SigningKey) -> Vec<u8> {
    key.verifying_key().to_sec1_bytes().to_vec()
}

fn transcript() -> Transcript {
    let key = |reference: &str, version, compared| CeremonyKey {
        reference: reference.to_owned(),
        key_use: "sign-log".to_owned(),
        version,
        state: "active".to_owned(),
        compared,
    };
    Transcript {
        service: "healthcard.example".to_owned(),
        program: "healthcardd 0.1.0".to_owned(),
        began: "2026-11-26T08:00:00.000000Z".to_owned(),
        ended: "2026-11-26T08:05:00.000000Z".to_owned(),
        participants: vec!["保管人 1".to_owned(), "auditor".to_owned()],
        keys: vec![
            key("soft:log", 2, Compared::Thumbprint("t".repeat(43))),
            key("soft:card-cvk", 1, Compared::CheckValue("2677F4".to_owned())),
        ],
    }
}

fn signed_by(key: &SigningKey) -> String {
    let sign = |octets: &[u8]| {
        let signature: sm2::dsa::Signature = key.sign(octets);
        Ok::<[u8; 64], ()>(signature.to_bytes().as_slice().try_into().unwrap())
    };
    transcript().sign(sign).unwrap()
}

#[test]
fn it_is_read_as_it_was_signed_and_by_no_other_root() {
    let text = signed_by(&root(1));
    assert_eq!(check(&text, &public(&root(1))), Ok(transcript()));
    assert_eq!(check(&text, &public(&root(2))), Err(TranscriptError::NotSigned));
    assert_eq!(check(&text, &[4; 65]), Err(TranscriptError::Key));
}

#[test]
fn each_line_that_was_changed_is_named() {
    let (text, key) = (signed_by(&root(1)), public(&root(1)));
    let lines: Vec<&str> = text.split('\n').collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        change(&mut lines);
        check(&lines.join("\n"), &key)
    };
    let altered = |lines: &[usize]| Err(TranscriptError::Altered { lines: lines.to_vec() });
    for line in 0..9 {
        assert_eq!(with(&|lines| lines[line].push('x')), altered(&[line + 1]));
    }
    let role = with(&|lines| lines[6] = "participant nobody".to_owned());
    assert_eq!(role, altered(&[7]));
    assert_eq!(with(&|lines| lines.swap(5, 6)), altered(&[6, 7]), "swapped");
    assert_eq!(with(&|lines| drop(lines.remove(8))), altered(&[9]), "the last is missing");
    assert_eq!(with(&|lines| drop(lines.remove(5))), altered(&[6, 7, 8, 9]), "one is missing");
    assert_eq!(with(&|lines| lines.insert(9, "key x".to_owned())), altered(&[10]), "added");
    let signature =
        with(&|lines| lines[19] = lines[19].to_uppercase().replace("SIGNATURE", "signature"));
    assert_eq!(signature, Err(TranscriptError::Form { line: 20 }), "there is one text");
    // A digest that was changed along with its line is not the root's.
    let covered = with(&|lines| {
        lines[6] = "participant nobody".to_owned();
        lines[16] = digest(7, "participant nobody");
    });
    assert_eq!(covered, Err(TranscriptError::NotSigned));
}

#[test]
fn what_is_signed_and_of_another_form_is_refused() {
    let key = root(1);
    let sign = |octets: &[u8]| {
        let signature: sm2::dsa::Signature = key.sign(octets);
        Ok::<[u8; 64], ()>(signature.to_bytes().as_slice().try_into().unwrap())
    };
    let with = |change: fn(&mut Transcript)| {
        let mut transcript = transcript();
        change(&mut transcript);
        check(&transcript.sign(sign).unwrap(), &public(&key))
    };
    assert!(with(|_| {}).is_ok());
    let form = |line| Err(TranscriptError::Form { line });
    assert_eq!(with(|it| it.program = "\u{1b}[2J".to_owned()), form(3));
    assert_eq!(with(|it| it.keys[1].state = "in use".to_owned()), form(9));
    assert_eq!(with(|it| it.service = "x".repeat(600)), form(2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn other_texts_are_refused(text in "\\PC{0,200}", begun in any::<bool>()) {
        let text = if begun { format!("{TITLE}\n{text}\n\n") } else { text };
        prop_assert!(check(&text, &public(&root(1))).is_err());
    }

    #[test]
    fn any_octet_that_was_changed_is_noticed(at in any::<prop::sample::Index>(), octet in 0x20_u8..0x7f) {
        let text = signed_by(&root(1));
        let mut changed = text.clone().into_bytes();
        let at = at.index(changed.len());
        changed[at] = octet;
        let Ok(changed) = String::from_utf8(changed) else { return Ok(()) };
        if changed != text {
            prop_assert!(check(&changed, &public(&root(1))).is_err());
        }
    }
}
