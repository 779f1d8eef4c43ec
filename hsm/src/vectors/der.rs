use super::{Accepted, Plan, Refused, Verdict};
use crate::sm2::Reader;

/// The kinds our reader reads. Of numbers, negative ones are no part of any SM2 structure, and of
/// bit strings only whole octets are.
#[test]
fn strict_der() {
    let plan = Plan {
        choices: &[],
        skip: |case| match (case.text("kind"), case.id()) {
            ("INTEGER", 4..=7) => Some("negative numbers are refused"),
            ("BIT STRING", 40) => Some("part octets are refused"),
            ("INTEGER" | "BIT STRING", _) => None,
            _ => Some("kinds that SM2 structures do not hold"),
        },
        skipped: &[
            ("negative numbers are refused", 4),
            ("part octets are refused", 1),
            ("kinds that SM2 structures do not hold", 58),
        ],
        ..Plan::all("der_strict.json")
    };
    plan.run(|case| {
        let der = case.octets("der");
        let mut reader = Reader::new(&der);
        if case.text("kind") == "BIT STRING" {
            return reader.bit_string().and_then(|_| reader.end()).into();
        }
        let Ok(number) = reader.number() else { return Refused };
        let Ok(()) = reader.end() else { return Refused };
        let expected: u8 = case.text("value").parse().unwrap();
        assert_eq!(number[..31], [0; 31], "{}", case.id());
        assert_eq!(number[31], expected, "{}", case.id());
        Accepted
    });
}

#[test]
fn what_other_readers_accept_is_refused_here() {
    for (what, der) in [
        ("-1", "0201ff"),
        ("-128", "020180"),
        ("-129", "0202ff7f"),
        ("2^256", "0221010000000000000000000000000000000000000000000000000000000000000000"),
        ("indefinite length", "02800000"),
        ("length in five octets", "02850000000001 00"),
    ] {
        let der = hex::decode(der.replace(' ', "")).unwrap();
        assert_eq!(Verdict::from(Reader::new(&der).number()), Refused, "{what}");
    }
    let three_bits = [0x03, 0x02, 0x05, 0xa0];
    assert_eq!(Verdict::from(Reader::new(&three_bits).bit_string()), Refused);
    let largest = [&[0x02, 0x21, 0x00][..], &[0xff; 32]].concat();
    assert_eq!(Verdict::from(Reader::new(&largest).number()), Accepted);
}
