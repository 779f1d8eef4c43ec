use super::*;
use hex_literal::hex;
use proptest::prelude::*;
use time::macros::date;

#[test]
fn text_is_read_strictly_and_padding_freely() {
    // GB/T 2312-1980 and GBK code points; padding of health-card.md, 2.5.
    type Case<'c> = (&'c str, &'c [u8], Result<Option<&'c str>, BadValue>);
    let cases: [Case<'_>; 14] = [
        ("GB 2312", &hex!("D5C5C8FD0000"), Ok(Some("张三"))),
        ("padded with FF", &hex!("D5C5C8FDFFFF"), Ok(Some("张三"))),
        ("padded with spaces", &hex!("D5C5C8FD2020"), Ok(Some("张三"))),
        ("filled to the end", &hex!("D5C5C8FD"), Ok(Some("张三"))),
        ("GBK only", &hex!("E9468345"), Ok(Some("镕僂"))),
        ("middle dot", &hex!("B0A2A1A4B0A2"), Ok(Some("阿·阿"))),
        ("empty, 00", &hex!("0000"), Ok(None)),
        ("empty, FF", &hex!("FFFF"), Ok(None)),
        ("cut in a character", &hex!("D5C5C8"), Err(BadValue::NotGbk)),
        ("lead byte without trail", &hex!("D520"), Err(BadValue::NotGbk)),
        ("GB 18030, four bytes", &hex!("8130813041"), Err(BadValue::NotGbk)),
        ("private use", &hex!("AAA1"), Err(BadValue::NotGbk)),
        ("NUL within", &hex!("410042"), Err(BadValue::Control)),
        ("escape sequence", &hex!("1B5B324A"), Err(BadValue::Control)),
    ];
    for (name, bytes, expected) in cases {
        let expected = expected.map(|text| text.map(str::to_owned));
        assert_eq!(read_text(bytes), expected, "{name}");
    }
}

#[test]
fn text_is_written_in_the_smallest_set() {
    let cases = [
        ("GB 2312", "张三", Ok((&hex!("D5C5C8FD")[..], CharacterSet::Gb2312))),
        ("ASCII", "Li 4", Ok((&b"Li 4"[..], CharacterSet::Gb2312))),
        ("middle dot of GB 2312", "·", Ok((&hex!("A1A4")[..], CharacterSet::Gb2312))),
        ("GBK", "镕", Ok((&hex!("E946")[..], CharacterSet::Gbk))),
        ("small roman numeral, GBK row A2", "ⅰ", Ok((&hex!("A2A1")[..], CharacterSet::Gbk))),
        ("outside GBK", "张𠮷", Err(BadText::Character { at: 1 })),
        ("euro sign", "€", Ok((&hex!("A2E3")[..], CharacterSet::Gbk))),
        ("control", "a\tb", Err(BadText::Character { at: 1 })),
        ("empty", "", Err(BadText::Empty)),
        ("too long", "张三张", Err(BadText::TooLong { needed: 6, room: 5 })),
    ];
    for (name, text, expected) in cases {
        let expected = expected.map(|(bytes, set)| (bytes.to_vec(), set));
        assert_eq!(write_text(text, 5), expected, "{name}");
    }
}

#[test]
fn digits_and_dates() {
    let cases: [(&str, &[u8], Result<&str, BadValue>); 6] = [
        ("full", &hex!("410100"), Ok("410100")),
        ("padded", &hex!("123FFF"), Ok("123")),
        ("empty", &hex!("FFFF"), Ok("")),
        ("digit after padding", &hex!("1F20"), Err(BadValue::NotDigits)),
        ("letter nibble", &hex!("1A20"), Err(BadValue::NotDigits)),
        ("decimal point of one vendor", &hex!("12A5"), Err(BadValue::NotDigits)),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(read_digits(bytes).as_deref(), expected.as_ref().copied(), "{name}");
    }
    type Dated<'c> = (&'c [u8], Result<Option<Date>, BadValue>);
    let dates: [Dated<'_>; 6] = [
        (&hex!("20241231"), Ok(Some(date!(2024 - 12 - 31)))),
        (&hex!("FFFFFFFF"), Ok(None)),
        (&hex!("00000000"), Ok(None)),
        (&hex!("20230229"), Err(BadValue::NoSuchDate)),
        (&hex!("20241301"), Err(BadValue::NoSuchDate)),
        (&hex!("2024123F"), Err(BadValue::DigitCount(7))),
    ];
    for (bytes, expected) in dates {
        assert_eq!(read_date(bytes), expected, "{bytes:02X?}");
    }
    assert_eq!(write_digits("123", 2), Some(vec![0x12, 0x3F]));
    assert_eq!(write_digits("12345", 2), None);
    assert_eq!(write_digits("1X", 2), None);
}

#[test]
fn names_and_phones_are_trimmed_checked_and_silent() {
    let name: Name = " 张三　".parse().unwrap();
    assert_eq!(name.as_str(), "张三");
    assert_eq!(format!("{name:?}"), "Name(..)");
    assert_eq!("　 ".parse::<Name>(), Err(BadText::Empty));
    assert_eq!(
        "一二三四五六七八九十一二三四五六".parse::<Name>(),
        Err(BadText::TooLong { needed: 32, room: 30 })
    );
    let phone: Phone = "+86 138-0013-8000".parse().unwrap();
    assert_eq!(format!("{phone:?}"), "Phone(..)");
    for bad in ["", "+-", "call me", "123456789012345678901"] {
        assert_eq!(bad.parse::<Phone>(), Err(BadPhone), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_field_reads_or_is_refused(field in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(Some(text)) = read_text(&field) {
            let (written, _) = write_text(&text, 64).unwrap();
            prop_assert!(field.starts_with(&written));
        }
        let _ = read_digits(&field);
        let _ = read_date(&field);
    }

    #[test]
    fn digits_survive(digits in "[0-9]{0,22}") {
        prop_assert_eq!(read_digits(&write_digits(&digits, 11).unwrap()), Ok(digits));
    }
}

#[test]
fn every_character_that_is_read_can_be_written() {
    let mut characters = 0;
    for code in 0..=u16::MAX {
        let code = code.to_be_bytes();
        if let Ok(Some(text)) = read_text(&code)
            && text.chars().count() == 1
            && code[0] > 0x80
        {
            let (written, _) = write_text(&text, 2).unwrap();
            assert_eq!(read_text(&written), Ok(Some(text)), "{code:02X?}");
            characters += 1;
        }
    }
    assert!(characters > 21_000, "{characters} characters");
}
