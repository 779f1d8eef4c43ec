use proptest::prelude::*;
use sm2::{
    SecretKey,
    dsa::{SigningKey, signature::Signer as _},
};

use super::*;

fn statement(step: Step) -> Statement {
    Statement {
        step,
        service: "county.example".to_owned(),
        enrolment: "e".to_owned(),
        identity: "i".to_owned(),
        institution: "o".to_owned(),
        role: "nurse".to_owned(),
        profile: "person".to_owned(),
        certificates: "pair".to_owned(),
        days: 30,
        request: [1; 32],
        key: [2; 32],
        identifiers: Some([5; 32]),
        at: "2026-11-27T08:00:00.000000Z".to_owned(),
    }
}

const STEPS: [Step; 3] = [
    Step::Entry,
    Step::Approval { entry: [3; 32] },
    Step::Rejection { entry: [3; 32], why: [4; 32] },
];

fn signed(text: &str, seed: u8) -> (Vec<u8>, Vec<u8>) {
    let secret = SecretKey::from_slice(&[seed; 32]).unwrap();
    let public = secret.public_key().to_sec1_bytes().to_vec();
    let signature: Signature = SigningKey::new(SIGNER_ID, &secret).unwrap().sign(text.as_bytes());
    (signature.to_bytes().to_vec(), public)
}

#[test]
fn what_was_signed_is_read_back_and_nothing_else_is_believed() {
    for step in STEPS {
        let text = statement(step).to_string();
        let (signature, key) = signed(&text, 7);
        assert_eq!(check(&text, &signature, &key), Ok(statement(step)));
        let (_, other) = signed(&text, 8);
        let mut flipped = signature.clone();
        flipped[40] ^= 1;
        let altered = text.replace("role nurse", "role operator");
        for (what, refused, error) in [
            ("another key", check(&text, &signature, &other), StatementError::NotSigned),
            ("no key", check(&text, &signature, &key[1..]), StatementError::Key),
            ("a flipped bit", check(&text, &flipped, &key), StatementError::NotSigned),
            ("no signature", check(&text, &[], &key), StatementError::NotSigned),
            ("another role", check(&altered, &signature, &key), StatementError::NotSigned),
        ] {
            assert_eq!(refused, Err(error), "{what}");
        }
    }
}

#[test]
fn each_step_names_the_one_before_it() {
    let entry = statement(Step::Entry).to_string();
    let (signature, _) = signed(&entry, 7);
    let named = digest(&entry, &signature);
    assert_ne!(named, digest(&entry, &[0; 64]));
    assert_ne!(named, digest(&statement(STEPS[1]).to_string(), &signature));
}

#[test]
fn statements_of_before_say_nothing_of_identifiers_and_are_still_good() {
    let text = "healthcard.v1 enrolment entry\nservice county.example\nenrolment e\nidentity i\ninstitution o\n\
                role nurse\nprofile person\ncertificates pair\ndays 30\n\
                request 0101010101010101010101010101010101010101010101010101010101010101\n\
                key 0202020202020202020202020202020202020202020202020202020202020202\n\
                at 2026-11-27T08:00:00.000000Z\n";
    let (signature, key) = signed(text, 7);
    let read = check(text, &signature, &key).unwrap();
    assert_eq!(read, Statement { identifiers: None, ..statement(Step::Entry) });
}

#[test]
fn identifiers_are_named_in_their_order() {
    assert_eq!(identifiers::<&[u8]>([]), <[u8; 32]>::from(Sm3::digest(b"")));
    assert_eq!(identifiers(["one", "two"]), <[u8; 32]>::from(Sm3::digest(b"onetwo")));
    assert_ne!(identifiers(["one", "two"]), identifiers(["two", "one"]));
}

#[test]
fn other_forms_are_refused() {
    let good = statement(STEPS[1]).to_string();
    let cases = [
        ("nothing", String::new()),
        ("the last line not ended", good.trim_end().to_owned()),
        ("a line more", format!("{good}more 1\n")),
        ("another title", good.replace("approval", "approbation")),
        (
            "an entry with a line of an approval",
            good.replace("enrolment approval", "enrolment entry"),
        ),
        ("a line gone", good.replace("role nurse\n", "")),
        (
            "lines exchanged",
            good.replace("role nurse\nprofile person", "profile person\nrole nurse"),
        ),
        ("an empty value", good.replace("role nurse", "role ")),
        ("two spaces", good.replace("days 30", "days  30")),
        ("a number with a zero before it", good.replace("days 30", "days 030")),
        ("upper-case hexadecimal", good.replace(&"03".repeat(32), &"0A".repeat(32))),
        ("a digest cut short", good.replace(&"03".repeat(32), &"03".repeat(31))),
        (
            "identifiers before the key",
            good.replace(
                &format!("key {0}\nidentifiers {1}", "02".repeat(32), "05".repeat(32)),
                &format!("identifiers {1}\nkey {0}", "02".repeat(32), "05".repeat(32)),
            ),
        ),
        (
            "identifiers twice",
            good.replace("entry 03", &format!("identifiers {}\nentry 03", "05".repeat(32))),
        ),
        ("identifiers of no length", good.replace(&"05".repeat(32), "05")),
        ("carriage returns", good.replace('\n', "\r\n")),
        ("an escape", good.replace("nurse", "nurse\u{1b}[2J")),
        ("endless", good.replace("nurse", &"n".repeat(200))),
    ];
    for (what, text) in cases {
        assert_eq!(Statement::read(&text), Err(StatementError::Form), "{what}");
    }
}

proptest! {
    #[test]
    fn reading_and_writing_are_the_inverse_of_each_other(
        step in 0..3usize,
        service in "[a-z.]{1,64}",
        enrolment in "[0-9a-f-]{1,36}",
        days: u32,
        request: [u8; 32],
        key: [u8; 32],
        identifiers: Option<[u8; 32]>,
    ) {
        let written =
            Statement { service, enrolment, days, request, key, identifiers, ..statement(STEPS[step]) };
        prop_assert_eq!(Statement::read(&written.to_string()), Ok(written));
    }

    #[test]
    fn whatever_is_read_has_one_form(text in "\\PC{0,300}", cut in 0..600usize, with: char) {
        let mut near = statement(STEPS[2]).to_string();
        let at = cut % near.len();
        near.replace_range(at..=at, &with.to_string());
        for text in [text, near] {
            if let Ok(read) = Statement::read(&text) {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}
