use ::time::macros::datetime;
use hex_literal::hex;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    algorithm,
    extension::{self, Extensions},
    oid,
};

/// Whether the reader for `kind` takes these octets and nothing after them.
fn takes(kind: &str, der: &[u8]) -> bool {
    let mut reader = Reader::new(der);
    let taken = match kind {
        "INTEGER" => reader.value(tag::INTEGER).and_then(integer).is_ok(),
        "BOOLEAN" => reader.default_false() == Ok(true),
        "OBJECT IDENTIFIER" => reader.oid().is_ok(),
        "BIT STRING" => reader.octet_bits().is_ok(),
        "BIT STRING (named bits)" => {
            let list = extension::write_critical(&oid::KEY_USAGE, der);
            return Extensions::read(Reader::new(&list)).is_ok();
        }
        "UTCTime" | "GeneralizedTime" => read_time(&mut reader).is_ok(),
        "SET OF" => reader.nested(tag::SET).and_then(|set| set.set_elements(16)).is_ok(),
        "string" => match reader.any() {
            Ok((tag, content, _)) => {
                Text::of_tag(tag).is_ok_and(|kind| read_text(kind, content).is_ok())
            }
            Err(_) => false,
        },
        "DEFAULT" if der.starts_with(&hex!("300e")) || der.starts_with(&hex!("300b")) => {
            return extension::read_list(Reader::new(der)).is_ok();
        }
        "DEFAULT" => {
            let list = extension::write_critical(&oid::BASIC_CONSTRAINTS, der);
            return Extensions::read(Reader::new(&list)).is_ok();
        }
        "AlgorithmIdentifier" => {
            return [oid::SM2_WITH_SM3, oid::SM3]
                .iter()
                .any(|known| algorithm::names(der, known) == Ok(true));
        }
        other => panic!("no reader for {other}"),
    };
    taken && reader.end().is_ok()
}

#[test]
fn strict_inputs_are_taken_and_others_refused() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/vectors/der_strict.json"
    ));
    let file: Value = serde_json::from_str(&text.expect("the vectors are there")).expect("JSON");
    // Right DER that no field of ours may hold, and choices that the vectors leave open.
    #[rustfmt::skip]
    let ours = [
        (4, false), (5, false), (6, false), (7, false), // negative numbers
        (16, false),                                    // FALSE: every BOOLEAN here is DEFAULT FALSE
        (40, false),                                    // bits that are not whole octets
        (57, false), (60, false),                       // RFC 5280, 4.1.2.5
        (71, false),                                    // NUL in a name
        (77, true), (79, true),                         // parameters NULL, met in the field
    ];
    let mut count = 0;
    for group in file["groups"].as_array().expect("groups") {
        for test in group["tests"].as_array().expect("tests") {
            count += 1;
            let id = test["id"].as_u64().expect("id");
            let expected = match ours.iter().find(|(ours, _)| *ours == id) {
                Some((_, taken)) => *taken,
                None => test["result"] == "valid",
            };
            let der = hex::decode(test["der"].as_str().expect("der")).expect("hex");
            let kind = test["kind"].as_str().expect("kind");
            assert_eq!(takes(kind, &der), expected, "der_strict #{id}: {}", test["comment"]);
        }
    }
    assert_eq!(Some(count), file["count"].as_u64());
}

#[test]
fn lengths_have_one_form() {
    for (der, error) in [
        (&hex!("0480")[..], DerError::Length),
        (&hex!("0484000000010a"), DerError::Length),
        (&hex!("04810100"), DerError::Length),
        (&hex!("0482007f"), DerError::Length),
        (&hex!("040200"), DerError::Truncated),
        (&hex!("0482"), DerError::Truncated),
        (&hex!("04"), DerError::Truncated),
        (&hex!("0483ffffff00"), DerError::Truncated),
        (&hex!("1f0100"), DerError::LongTag),
        (&hex!(""), DerError::Truncated),
    ] {
        assert_eq!(Reader::new(der).any().map(|_| ()), Err(error), "{der:02x?}");
    }
    for length in [0, 1, 127, 128, 255, 256, 65535, 65536] {
        let der = tlv(tag::OCTET_STRING, &[&vec![7; length]]);
        let mut reader = Reader::new(&der);
        assert_eq!(reader.value(tag::OCTET_STRING).map(<[u8]>::len), Ok(length));
        assert_eq!(reader.end(), Ok(()));
    }
}

#[test]
fn times_change_form_in_2050() {
    for (at, der) in [
        (datetime!(2026-11-22 17:41:51 UTC), &b"\x17\x0d261122174151Z"[..]),
        (datetime!(2049-12-31 23:59:59 UTC), b"\x17\x0d491231235959Z"),
        (datetime!(2050-01-01 00:00:00 UTC), b"\x18\x0f20500101000000Z"),
        (datetime!(2026-01-01 07:59:59 +8), b"\x17\x0d251231235959Z"),
        (datetime!(1950-01-01 00:00:00 UTC), b"\x17\x0d500101000000Z"),
    ] {
        assert_eq!(write_time(at), der, "{at}");
        assert_eq!(read_time(&mut Reader::new(der)), Ok(at));
    }
}

#[test]
fn identifiers_are_shown_dotted() {
    for (der, shown) in [
        (&hex!("06082a811ccf55018375")[..], "1.2.156.10197.1.501"),
        (&hex!("0603551d0f"), "2.5.29.15"),
        (&hex!("0603883703"), "2.999.3"),
    ] {
        assert_eq!(Reader::new(der).oid().map(|oid| oid.to_string()), Ok(shown.to_owned()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// What is read is what would be written: no element has a second encoding.
    #[test]
    fn an_element_that_is_read_is_written_the_same(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok((tag, content, element)) = Reader::new(&input).any() {
            prop_assert_eq!(tlv(tag, &[content]), element);
        }
    }

    #[test]
    fn numbers_are_read_as_written(number: u64) {
        let der = unsigned(&number.to_be_bytes());
        prop_assert_eq!(Reader::new(&der).unsigned(), Ok(number));
    }

    #[test]
    fn sets_are_written_in_order(values in proptest::collection::btree_set(any::<u64>(), 0..16)) {
        let elements: Vec<Vec<u8>> = values.iter().map(|value| unsigned(&value.to_be_bytes())).collect();
        let der = set_of(tag::SET, elements.clone());
        let read = Reader::only(&der, tag::SET).and_then(|set| set.set_elements(16)).expect("in order");
        prop_assert_eq!(read.len(), elements.len());
    }
}
