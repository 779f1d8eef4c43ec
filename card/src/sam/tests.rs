use hex_literal::hex;
use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::apdu::{Apdu, Response, Status};
use crate::atr::CardFactor;
use crate::certificate::SamSerial;
use crate::key::{CardFactors, ProvinceFactor};

const FACTORS: CardFactors = CardFactors {
    province: ProvinceFactor(*b"41000000"),
    card: CardFactor(hex!("1101220100000001")),
};

fn delivery(key: CardKey, version: u8) -> Option<Delivery> {
    let version = KeyVersion::new(version).unwrap();
    Delivery::new(key, version, &FACTORS, &hex!("1122334455667788"))
}

#[test]
fn commands_have_the_bytes_seen_on_the_wire() {
    // health-card.md, 3.2 and 4.1.
    let pin = |digits| Pin::from_digits(digits).unwrap();
    let encoded = |key, version| delivery(key, version).unwrap().encode();
    let cases: [(&str, Apdu, &[u8]); 12] = [
        ("PIN", VerifyPin(&pin("123456")).encode(), &hex!("0020000003 123456")),
        ("odd PIN", VerifyPin(&pin("12345")).encode(), &hex!("0020000003 12345F")),
        ("tries", PinTries.encode(), &hex!("00200000")),
        (
            "change",
            ChangePin { old: &pin("123456"), new: &pin("9876") }.encode(),
            &hex!("805E010006 123456 FF 9876"),
        ),
        (
            "UK1_DDF1, one step",
            encoded(CardKey::Uk1Ddf1, 1),
            &hex!("80DE272A10 1101220100000001 1122334455667788"),
        ),
        (
            "RK1_DDF1, two steps",
            encoded(CardKey::Rk1Ddf1, 1),
            &hex!("80DE473118 1101220100000001 3431303030303030 1122334455667788"),
        ),
        (
            "IRK, version 4",
            encoded(CardKey::IrkDdf1, 4),
            &hex!("80DE478118 1101220100000001 3431303030303030 1122334455667788"),
        ),
        (
            "STK is called with version 0",
            encoded(CardKey::StkDf01, 1),
            &hex!("80DE280310 1101220100000001 1122334455667788"),
        ),
        (
            "encrypt",
            Cipher::Encrypt(&[[1; 16]]).encode(),
            &hex!("80FA000010 01010101010101010101010101010101"),
        ),
        (
            "MAC",
            Cipher::Mac { from: [0; 16], blocks: &[[1; 16]] }.encode(),
            &hex!("80FA050020 00000000000000000000000000000000 01010101010101010101010101010101"),
        ),
        ("hash", Hash { part: &[5], last: true }.encode(), &hex!("80FC000001 05")),
        ("hash, more", Hash { part: &[5], last: false }.encode(), &hex!("80FC800001 05")),
    ];
    for (name, command, expected) in cases {
        assert_eq!(command.to_bytes(), expected, "{name}");
    }
    assert!(delivery(CardKey::StkDdf1, 2).is_none(), "a line key has one version");
}

#[test]
fn pins_are_digits_and_never_printed() {
    for text in ["", "123", "1234567890123", "12a4", "１２３４", "12 34", "-1234"] {
        assert_eq!(Pin::from_digits(text).err(), Some(BadPin), "{text}");
    }
    let pin = Pin::from_digits("123456789012").unwrap();
    assert_eq!(pin.expose(), hex!("123456789012"));
    assert_eq!(
        format!("{pin:?} {:?}", VerifyPin(&pin).encode()),
        "Pin(..) 00 20 00 00, 6 data bytes"
    );
}

#[test]
fn refusals_of_a_pin_are_told_apart() {
    let pin = Pin::from_digits("123456").unwrap();
    let cases = [
        (0x9000, Ok(())),
        (0x63C3, Err(CardError::WrongPin { tries_left: Some(3) })),
        (0x6300, Err(CardError::WrongPin { tries_left: None })),
        (0x6983, Err(CardError::PinBlocked)),
        (0x6A88, Err(CardError::Refused(Status::KeyNotFound))),
    ];
    for (word, expected) in cases {
        assert_eq!(VerifyPin(&pin).decode(Response::of(word.into())), expected, "{word:04X}");
    }
    let tries = |word: u16| PinTries.decode(Response::of(word.into()));
    assert_eq!((tries(0x63C7), tries(0x6983), tries(0x9000)), (Ok(7), Ok(0), Ok(10)));
    assert!(tries(0x6300).is_err(), "no number is no answer");
}

#[test]
fn files_read_as_written() {
    let public = PublicFile {
        serial: SamSerial(*b"SAM0000001"),
        version: 1,
        key_card: 2,
        commands: 3,
        issuer_fci: 4,
    };
    assert_eq!(PublicFile::parse(&public.to_bytes()), Ok(public));
    let application = ApplicationFile {
        key_index: 1,
        issuer: [2; 8],
        receiver: [3; 8],
        valid_from: date!(2024 - 01 - 01),
        valid_until: date!(2033 - 12 - 31),
    };
    assert_eq!(ApplicationFile::parse(&application.to_bytes()), Ok(application));
    let bad = |file| Some(BadSamFile { file });
    assert_eq!(PublicFile::parse(&[0; 13]).err(), bad(SamFile::Public));
    assert_eq!(TerminalNumber::parse(&[0; 7]).err(), bad(SamFile::Terminal));
    assert_eq!(ApplicationFile::parse(&[0; 25]).err(), bad(SamFile::Application));
    let mut longer = application.to_bytes();
    longer.push(0);
    assert_eq!(ApplicationFile::parse(&longer).err(), bad(SamFile::Application));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_answer_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..259)) {
        if let Ok(application) = ApplicationFile::parse(&bytes) {
            prop_assert_eq!(application.to_bytes(), bytes.clone());
        }
        if let Ok(response) = Response::parse(&bytes) {
            let mac = Cipher::Mac { from: [0; 16], blocks: &[[0; 16]] };
            if let Ok(answer) = mac.decode(response) {
                prop_assert!((4..=16).contains(&answer.len()));
            }
        }
    }
}
