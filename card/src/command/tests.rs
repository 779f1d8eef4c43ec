use super::*;
use crate::key::{CardKey, KeyVersion};
use crate::layout::ddf1::ef05;
use hex_literal::hex;

#[test]
fn commands_have_the_bytes_seen_on_the_wire() {
    // health-card.md, 3.1 and 4.5.
    let internal = InternalAuthenticate {
        challenge: hex!("1122334455667788"),
        data: hex!("8877665544332211"),
        version: KeyVersion::FIRST,
    };
    let external = ExternalAuthenticate {
        key: CardKey::Rk1Ddf1,
        version: KeyVersion::FIRST,
        cryptogram: hex!("8C7095D6F3EFAB53"),
        data: hex!("8877665544332211"),
    };
    let cases: [(&str, Apdu, &[u8]); 9] = [
        ("SELECT", Select(0xDDF1).encode(), &hex!("00A4000002DDF1")),
        ("by tag", ReadRecord::ByTag(&ef05::CERTIFICATE).encode(), &hex!("00B20500B6")),
        ("by number", ReadRecord::ByNumber(3).encode(), &hex!("00B2030400")),
        ("READ BINARY", ReadBinary { offset: 0x01FA, length: 0xFA }.encode(), &hex!("00B001FAFA")),
        ("GET CHALLENGE", GetChallenge.encode(), &hex!("0084000008")),
        (
            "INTERNAL",
            internal.encode(),
            &hex!("0088000011 1122334455667788 8877665544332211 01 08"),
        ),
        ("EXTERNAL", external.encode(), &hex!("0082000411 8C7095D6F3EFAB53 8877665544332211 01")),
        ("GET RESPONSE", GetResponse(8).encode(), &hex!("00C0000008")),
        (
            "UPDATE",
            UpdateRecord { number: 2, record: &[0x0C, 1, 1] }.encode(),
            &hex!("00DC0204030C0101"),
        ),
    ];
    for (name, command, expected) in cases {
        assert_eq!(command.to_bytes(), expected, "{name}");
    }
}

#[test]
fn refusals_are_told_apart() {
    let external = ExternalAuthenticate {
        key: CardKey::Rk1Ddf1,
        version: KeyVersion::FIRST,
        cryptogram: [0; 8],
        data: [0; 8],
    };
    let cases = [
        (0x9000, Ok(())),
        (0x63CE, Err(CardError::WrongKey { tries_left: Some(14) })),
        (0x6300, Err(CardError::WrongKey { tries_left: None })),
        (0x6983, Err(CardError::KeyBlocked)),
        (0x6984, Err(CardError::Refused(Status::NoChallenge))),
        (0x6A88, Err(CardError::Refused(Status::KeyNotFound))),
    ];
    for (word, expected) in cases {
        assert_eq!(external.decode(Response::of(word.into())), expected, "{word:04X}");
    }
    let long = GetChallenge.decode(Response::done([0; 9]));
    assert_eq!(long, Err(CardError::Length { expected: 8, found: 9 }));
    assert_eq!(Select(0x3F00).decode(Response::of(0x6110.into())), Ok(()));
}
