use hex_literal::hex;
use proptest::{prelude::*, test_runner::Config};

use super::*;

const ID: &str = "ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB";
const DYNAMIC: &str = "00112233445566778899AABBCCDDEEFF";

fn parse(text: &str) -> Result<Code, BadCode> {
    text.parse()
}

fn body() -> Unsigned {
    Unsigned {
        key: [1, 2, 3, 4, 5, 6, 7, 8],
        number: std::array::from_fn(|at| at as u8),
        card: ElectronicId([0xAB; 32]),
        not_before: 1_795_680_000,
        life: 300,
        desk: DeskNonce::new([7; 32]),
    }
}

/// r is 32 times 11, s is 32 times 22.
fn signed() -> SignedCode {
    let mut signature = [0x11; 64];
    signature[32..].fill(0x22);
    body().with_signature(signature).unwrap()
}

#[test]
fn plain_codes_have_four_lengths() {
    let cases = [
        (format!("{ID}:1"), 66),
        (format!("{ID}:1::5100A0013"), 77),
        (format!("{ID}:0:{DYNAMIC}"), 99),
        (format!("{ID}:0:{DYNAMIC}:5100A0013"), 109),
    ];
    for (text, length) in cases {
        assert_eq!(text.len(), length);
        let code = parse(&text).unwrap();
        assert_eq!(code.to_string(), text);
        assert_eq!(code.card().0, [0xAB; 32]);
    }
}

#[test]
fn other_scans_are_refused_for_their_reason() {
    use BadCode as B;
    let lower = ID.to_lowercase();
    let cases = [
        (String::new(), B::NotACode),
        ("6901234567892".to_owned(), B::NotACode),
        ("https://example.org/ABAB".to_owned(), B::NotACode),
        ("WIFI:S:guest;;".to_owned(), B::NotACode),
        ("11010519491231002X:1".to_owned(), B::NotACode),
        ("患者".to_owned(), B::NotACode),
        ("HCC".to_owned(), B::NotACode),
        ("HC1:6BF".to_owned(), B::NotACode),
        (ID.to_owned(), B::NoType),
        (format!("{ID}:"), B::UnknownType),
        (format!("{ID}:2"), B::UnknownType),
        (format!("{ID}:01"), B::UnknownType),
        (format!("{ID}:1:"), B::Trailing),
        (format!("{ID}:1:{DYNAMIC}"), B::DynamicOfStatic),
        (format!("{ID}:0"), B::DynamicLength(0)),
        (format!("{ID}:0:"), B::DynamicLength(0)),
        (format!("{ID}:0:{}", &DYNAMIC[1..]), B::DynamicLength(31)),
        (format!("{ID}:0:{DYNAMIC}0"), B::DynamicLength(33)),
        (format!("{ID}:0:{}G", &DYNAMIC[1..]), B::NotHex { at: 98 }),
        (format!("{ID}:0:{DYNAMIC}:"), B::Platform),
        (format!("{ID}:1::51000A013"), B::Platform),
        (format!("{ID}:1::5100a0013"), B::Platform),
        (format!("{ID}:1::5100A00130"), B::Platform),
        (format!("{ID}:1::5100A0013:"), B::Trailing),
        (format!("{}:1", &ID[1..]), B::IdLength(63)),
        (format!("{ID}0:1"), B::IdLength(65)),
        (format!("{lower}:1"), B::NotHex { at: 0 }),
        (format!("{}Z:1", &ID[1..]), B::NotHex { at: 63 }),
        (format!("{ID}:1 "), B::UnknownType),
        (format!(" {ID}:1"), B::NotACode),
        (format!("{ID}:0:{DYNAMIC}{}", "0".repeat(32)), B::TooLong(131)),
        ("A".repeat(513), B::TooLong(513)),
        ("HCC2:6BF".to_owned(), B::UnknownVersion),
        ("HCC01:6BF".to_owned(), B::UnknownVersion),
        ("HCC1:".to_owned(), B::Layout),
        ("HCC1:BB8".to_owned(), B::Layout),
        ("HCC1:bb8".to_owned(), B::Encoding),
        // 65,536 and more in three characters; a lone character.
        ("HCC1:GGW".to_owned(), B::Encoding),
        ("HCC1:B".to_owned(), B::Encoding),
    ];
    for (text, reason) in cases {
        assert_eq!(parse(&text), Err(reason), "{text}");
    }
}

/// Computed with OpenSSL: `openssl dgst -sm3 -mac HMAC` over card id, nonce and end.
#[test]
fn the_dynamic_part_is_half_an_hmac() {
    struct Key;
    impl MacKey for Key {
        fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], KeyError> {
            let key: [u8; 32] = std::array::from_fn(|at| at as u8);
            Ok(hsm::sm3::hmac(&key, parts))
        }
    }
    let card = ElectronicId([0xAB; 32]);
    let nonce = hex!("00112233445566778899aabbccddeeff");
    let made = Dynamic::make(&Key, &card, &nonce, 1_795_680_300).unwrap();
    assert_eq!(made.to_string(), "370865CDA47056FD9EFA41FF3AA68CC9");
    assert_ne!(made, Dynamic::make(&Key, &card, &nonce, 1_795_680_301).unwrap());
}

/// Written by an independent implementation of the layout and of RFC 9285.
#[test]
fn signed_codes_are_written_as_the_layout_says() {
    let text = "HCC1:V50X507H0QS00+0100KB0*M0DY0W016C1PN1:Y1RVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVLRVL000000*ND69T000U60:*0:*0:*0:*0:*0:*0:*0:*0:*0:*0:*0:*0:*0:*0:*0:*04724724724724724724724724724724724724724724724728E48E48E48E48E48E48E48E48E48E48E48E48E48E48E48E4";
    assert_eq!(text.len(), 254);
    assert_eq!(signed().to_string(), text);
    let Ok(Code::Signed(read)) = parse(text) else { panic!("no signed code") };
    assert_eq!(*read, signed());
    assert_eq!(read.ends(), 1_795_680_300);
}

#[test]
fn octets_that_are_no_signed_code_are_refused() {
    let good = [&body().octets()[..], signed().signature()].concat();
    let with = |at: usize, octets: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + octets.len()].copy_from_slice(octets);
        changed
    };
    let cases = [
        ("another version", with(0, &[2]), BadCode::UnknownVersion),
        ("another type", with(1, &[1]), BadCode::UnknownType),
        ("no life", with(66, &[0; 4]), BadCode::Layout),
        ("a life of more than a day", with(66, &86_401_u32.to_be_bytes()), BadCode::Layout),
        (
            "a time after the year 9999",
            with(58, &253_402_300_800_u64.to_be_bytes()),
            BadCode::Layout,
        ),
        ("cut short", good[..165].to_vec(), BadCode::Layout),
        ("too long", [&good[..], &[0]].concat(), BadCode::Layout),
    ];
    for (what, octets, reason) in cases {
        let text = format!("HCC1:{}", base45::encode(&octets));
        assert_eq!(parse(&text), Err(reason), "{what}");
    }
}

#[test]
fn nothing_shows_itself_in_debug() {
    let codes = [
        format!("{:?}", parse(&format!("{ID}:1")).unwrap()),
        format!("{:?}", parse(&format!("{ID}:0:{DYNAMIC}")).unwrap()),
        format!("{:?} {:?} {:?}", Code::Signed(Box::new(signed())), signed(), body()),
        format!("{:?} {:?}", ElectronicId([0xAB; 32]), DeskNonce::new([7; 32])),
    ];
    for shown in codes {
        assert!(
            !shown.contains("AB") && !shown.contains("0011") && !shown.contains('7'),
            "{shown}"
        );
    }
}

#[test]
fn lists_are_read_back() {
    for step in MedicalStep::ALL {
        assert_eq!(step.code().parse(), Ok(*step));
        assert!(!step.labels().0.is_ascii() && step.labels().1.is_ascii());
    }
    for channel in Channel::ALL {
        assert_eq!(channel.code().parse(), Ok(*channel));
    }
    for wrong in ["", "010108", "0101011", " 010101"] {
        assert_eq!(wrong.parse::<MedicalStep>(), Err(UnknownListCode));
    }
}

fn platform() -> impl Strategy<Value = Option<Platform>> {
    proptest::option::of("[0-9]{4}[A-Z][0-9]{4}".prop_map(|text| text.parse().unwrap()))
}

prop_compose! {
    fn any_signed()(
        key in any::<[u8; 8]>(), number in any::<[u8; 16]>(), card in any::<[u8; 32]>(),
        not_before in 0..=253_402_300_799_u64, life in 1..=86_400_u32, desk in any::<[u8; 32]>(),
        bound in any::<bool>(), r in any::<[u8; 32]>(), s in any::<[u8; 32]>(),
    ) -> SignedCode {
        let desk = if bound { DeskNonce::new(desk) } else { None };
        let body = Unsigned { key, number, card: ElectronicId(card), not_before, life, desk };
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(&s);
        body.with_signature(signature).unwrap()
    }
}

fn any_code() -> impl Strategy<Value = Code> {
    let card = || any::<[u8; 32]>().prop_map(ElectronicId);
    prop_oneof![
        (card(), platform()).prop_map(|(card, platform)| Code::Static { card, platform }),
        (card(), any::<[u8; 16]>(), platform()).prop_map(|(card, dynamic, platform)| {
            Code::Dynamic { card, dynamic: Dynamic(dynamic), platform }
        }),
        any_signed().prop_map(|code| Code::Signed(Box::new(code))),
    ]
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(512) })]

    #[test]
    fn every_code_is_read_as_written(code in any_code()) {
        let text = code.to_string();
        prop_assert!(text.len() <= MAX_CODE);
        prop_assert_eq!(parse(&text), Ok(code));
    }

    #[test]
    fn one_character_changed_is_another_code_or_none(
        code in any_code(), at in any::<prop::sample::Index>(), to in "[0-9A-Z:$%*+./ -]",
    ) {
        let mut text = code.to_string();
        let at = at.index(text.len());
        text.replace_range(at..=at, &to);
        if let Ok(read) = parse(&text) {
            prop_assert_eq!(read.to_string(), text.clone());
            prop_assert_eq!(read == code, text == code.to_string());
        }
    }

    #[test]
    fn any_text_is_refused_or_read_in_its_one_form(text in "(HCC1:|[0-9A-F]{64}:|)[ -~]{0,80}|\\PC{0,40}") {
        if let Ok(code) = parse(&text) {
            prop_assert_eq!(code.to_string(), text);
        }
    }
}
