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
        ("UPDATE", UpdateRecord::Number(2, &[0x0C, 1, 1]).encode(), &hex!("00DC0204030C0101")),
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

#[test]
fn personalisation_has_the_bytes_it_defines() {
    use super::personalise::{Create, EndPersonalisation, ProveTransport, WriteKey};
    use crate::layout::{Directory, Profile, df02, df03};
    use crate::security::profile::div1;
    use hsm::sm4::Sm4Key;

    // The transport key has the value of the card key of health-card.md, 4.5, so that the session key
    // and the cryptogram are those of the vectors.
    let key = Sm4Key::fill::<std::convert::Infallible>(|key| {
        *key = hex!("A403DDABD7ED14F3BBE534CC5613DE57");
        Ok(())
    });
    let Ok(key) = key;
    let session = key.derive(&[div1(&hex!("1122334455667788"))]);
    let prove = ProveTransport::with(&session, hex!("8877665544332211"));
    let write = WriteKey::new(&session, CardKey::Uk1Df03, KeyVersion::new(4).unwrap(), &[7; 16]);
    let body = &df03::inpatient::FILES[0];
    let cases: [(&str, Apdu, &[u8]); 7] = [
        ("PROVE", prove.encode(), &hex!("0082000011 8C7095D6F3EFAB53 8877665544332211 01")),
        ("DF03", Create::Directory(Directory::Df03).encode(), &hex!("80E0000002 DF03")),
        (
            "variable",
            Create::File(&ef05::FILE, Profile::Full).encode(),
            &hex!("80E0010008 EF05 04 0A00 00 FF FF"),
        ),
        (
            "cyclic",
            Create::File(&df02::ef07::FILE, Profile::Full).encode(),
            &hex!("80E0010008 EF07 06 0378 13 0E FF"),
        ),
        (
            "index",
            Create::File(&df03::ef05::FILE, Profile::Reduced).encode(),
            &hex!("80E0010008 EF05 02 0201 14 0F 10"),
        ),
        (
            "transparent",
            Create::File(body, Profile::Full).encode(),
            &hex!("80E0010008 EE01 01 0765 14 0F FF"),
        ),
        ("END", EndPersonalisation.encode(), &hex!("80F00000")),
    ];
    for (name, command, expected) in cases {
        assert_eq!(command.to_bytes(), expected, "{name}");
    }
    let write = write.encode().to_bytes();
    assert_eq!(write[..21], hex!("84D4040F14 07070707070707070707070707070707"));
    let signed = crate::security::profile::pad(&write[..21]);
    assert_eq!(write[21..], crate::security::profile::mac(&session, &signed));
}

#[test]
fn long_files_travel_in_parts() {
    let reads: Vec<(u16, u16)> =
        ReadBinary::parts(0, 1893).map(|part| (part.offset, part.length)).collect();
    assert_eq!(reads.len(), 8);
    assert_eq!(reads[..2], [(0, 250), (250, 250)]);
    assert_eq!(reads[7], (1750, 143));
    let bytes = [9; 254];
    let writes: Vec<(u16, usize)> =
        UpdateBinary::parts(1639, &bytes).map(|part| (part.offset, part.bytes.len())).collect();
    assert_eq!(writes, [(1639, 128), (1767, 126)]);
}
