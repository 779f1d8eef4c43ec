use super::*;
use crate::codes::CodeTable;
use crate::layout::{self, FILES, Item, Profile};
use hex_literal::hex;
use proptest::prelude::*;
use time::macros::{date, datetime};

fn item(number: u16) -> Element {
    let items = FILES.iter().flat_map(|file| file.items(Profile::Full));
    items.map(|item| item.element).find(|element| element.item == number).unwrap()
}

/// Text that fits `room` bytes of GBK.
fn text(room: usize) -> BoxedStrategy<String> {
    let any = prop_oneof!["[ -~]{0,120}", "[一-龥]{0,60}", "[A-Z0-9·一-龥]{0,60}"];
    any.prop_map(move |text| {
        let mut taken = 0;
        let fits = |c: &char| {
            taken += if c.is_ascii() { 1 } else { 2 };
            taken <= room
        };
        text.chars().take_while(fits).collect()
    })
    .boxed()
}

fn known_code(table: &'static CodeTable) -> BoxedStrategy<String> {
    match table.entries {
        [] => "[1-9]".boxed(),
        entries => prop::sample::select(entries).prop_map(|(code, ..)| code.to_owned()).boxed(),
    }
}

/// A spelling of any value that the element can hold.
fn spelled(element: &Element) -> BoxedStrategy<String> {
    let room = usize::from(element.length);
    let day = (0i64..100_000).prop_map(|day| date!(1900 - 01 - 01) + time::Duration::days(day));
    let filled = match Form::of(element) {
        Form::Text(None) => text(room),
        Form::Text(Some(table)) => prop_oneof![known_code(table), text(room)].boxed(),
        Form::Digits => {
            prop::string::string_regex(&format!("[0-9]{{0,{}}}", 2 * room)).unwrap().boxed()
        }
        Form::DigitCode(table) => {
            let other = (1..10u32.pow(2 * room as u32)).prop_map(|code| code.to_string());
            prop_oneof![known_code(table), other].boxed()
        }
        Form::ByteCode(table) => {
            prop_oneof![known_code(table), (1u8..=254).prop_map(|code| code.to_string())].boxed()
        }
        Form::Amount => {
            let whole = prop::string::string_regex(&format!("[0-9]{{1,{}}}", 2 * room)).unwrap();
            let point =
                prop::string::string_regex(&format!("[0-9]{{1,{}}}\\.[0-9]{{1,2}}", 2 * room - 3));
            prop_oneof![whole, point.unwrap()].boxed()
        }
        Form::Date => day.prop_map(|day| Value::Date(day).to_text().to_string()).boxed(),
        Form::DateTime => (day, 0u8..24, 0u8..60, 0u8..60)
            .prop_map(|(day, h, m, s)| day.with_hms(h, m, s).unwrap())
            .prop_map(|at| Value::DateTime(at).to_text().to_string())
            .boxed(),
        Form::Flag => any::<bool>().prop_map(|flag| flag.to_string()).boxed(),
        Form::Bytes => prop::collection::vec(any::<u8>(), room)
            .prop_map(|bytes| bytes.iter().map(|byte| format!("{byte:02X}")).collect())
            .boxed(),
    };
    match write(element, &Value::Empty) {
        Ok(_) => prop_oneof![1 => Just(String::new()), 7 => filled].boxed(),
        Err(_) => filled,
    }
}

/// Every item of the table, on cards of both profiles.
fn all_items() -> Vec<Item> {
    let profiles = [Profile::Full, Profile::Reduced].into_iter();
    let items = profiles.flat_map(|profile| {
        FILES.iter().filter(move |f| f.exists(profile)).flat_map(move |f| f.items(profile))
    });
    items.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Each case is one value for each of the 384 items, on both kinds of card.
    #[test]
    fn every_element_of_the_table_survives(
        spellings in all_items().iter().map(|item| spelled(&item.element)).collect::<Vec<_>>(),
    ) {
        for (Item { element, .. }, spelling) in all_items().iter().zip(&spellings) {
            let value = Value::parse(element, spelling);
            prop_assert!(value.is_ok(), "item {}: {:?}", element.item, value);
            let value = value.unwrap();
            let field = write(element, &value).unwrap();
            prop_assert_eq!(field.len(), usize::from(element.length));
            prop_assert_eq!(read(element, &field), Ok(value.clone()), "item {}", element.item);
            prop_assert_eq!(Value::parse(element, &value.to_text()), Ok(value), "item {}", element.item);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// What is read can be written, and then says the same.
    #[test]
    fn any_field_reads_or_is_refused(noise in prop::collection::vec(any::<u8>(), 256)) {
        for item in all_items() {
            let field = &noise[..usize::from(item.element.length)];
            if let Ok(value) = read(&item.element, field) {
                let written = write(&item.element, &value).unwrap();
                prop_assert_eq!(read(&item.element, &written), Ok(value), "item {}", item.element.item);
            }
        }
    }
}

#[test]
fn there_are_384_items_to_survive() {
    let mut items: Vec<u16> = all_items().iter().map(|item| item.element.item).collect();
    items.sort_unstable();
    items.dedup();
    assert_eq!(items.len(), 384);
}

#[test]
fn fields_have_the_bytes_of_the_standard() {
    // health-card.md, 2.5 and 2.6.
    #[rustfmt::skip]
    let cases: [(&str, u16, &str, &[u8]); 14] = [
        ("phone", 16, "13800138000", b"13800138000\0\0\0\0\0\0\0\0\0"),
        ("digits, one too few", 67, "003", &hex!("003F")),
        ("sex", 12, "2", &hex!("02")),
        ("payment", 18, "8", &hex!("08")),
        ("marriage", 35, "20", &hex!("20")),
        ("route of two bytes", 311, "1", &hex!("0001")),
        ("date", 7, "20341231", &hex!("20341231")),
        ("moment", 215, "2024-12-31T08:30:00", &hex!("20241231083000")),
        ("flag", 43, "true", &hex!("01")),
        ("index", 62, "255", &hex!("FF")),
        ("amount", 143, "123.45", &hex!("123A45FFFF")),
        ("whole amount", 143, "00123", &hex!("123FFFFFFF")),
        ("most with decimals", 143, "9999999.99", &hex!("9999999A99")),
        ("no date", 66, "", &hex!("FFFFFFFF")),
    ];
    for (name, number, spelling, field) in cases {
        let element = item(number);
        let value = Value::parse(&element, spelling).unwrap();
        assert_eq!(write(&element, &value).unwrap(), field, "{name}");
        assert_eq!(read(&element, field), Ok(value), "{name}");
    }
}

#[test]
fn padding_and_what_was_never_filled_are_tolerated() {
    #[rustfmt::skip]
    let cases: [(&str, u16, &[u8], &str); 16] = [
        ("text and FF", 36, &hex!("30FFFF"), "0"),
        ("text and spaces", 36, &hex!("302020"), "0"),
        ("text of FF", 36, &hex!("FFFFFF"), ""),
        ("code left", 18, &hex!("1F"), "1"),
        ("code after a zero", 18, &hex!("01"), "1"),
        ("code of zeros without meaning", 18, &hex!("00"), ""),
        ("code of zeros with a meaning", 74, &hex!("00"), "0"),
        ("route, left", 311, &hex!("401F"), "401"),
        ("route, right", 311, &hex!("0401"), "401"),
        ("byte code of zeros", 41, &hex!("00"), ""),
        ("byte code of FF", 41, &hex!("FF"), ""),
        ("flag of FF", 43, &hex!("FF"), ""),
        ("date of zeros", 66, &hex!("00000000"), ""),
        ("moment of zeros", 215, &hex!("00000000000000"), ""),
        ("amount without point", 143, &hex!("0012345FFF"), "12345"),
        ("signature of zeros", 211, &[0; 64], ""),
    ];
    for (name, number, field, spelling) in cases {
        let value = read(&item(number), field).unwrap();
        assert_eq!(*value.to_text(), spelling, "{name}");
    }
}

#[test]
fn fields_that_are_wrong_say_how() {
    #[rustfmt::skip]
    let cases: [(&str, u16, &[u8], BadValue); 11] = [
        ("31 February", 66, &hex!("20240231"), BadValue::NoSuchDate),
        ("half a date", 66, &hex!("2024FFFF"), BadValue::DigitCount(4)),
        ("25 o'clock", 215, &hex!("20241231250000"), BadValue::NoSuchTime),
        ("a date for a moment", 215, &hex!("20241231FFFFFF"), BadValue::DigitCount(8)),
        ("flag 2", 43, &hex!("02"), BadValue::NotFlag),
        ("two points", 143, &hex!("1A2A3FFFFF"), BadValue::NotAmount),
        ("no digit before the point", 143, &hex!("A50FFFFFFF"), BadValue::NotAmount),
        ("digit after the padding", 143, &hex!("1F2FFFFFFF"), BadValue::NotAmount),
        ("letter among digits", 67, &hex!("1B2F"), BadValue::NotDigits),
        ("not GBK", 36, &hex!("810000"), BadValue::NotGbk),
        ("short", 66, &hex!("2024"), BadValue::Size(2)),
    ];
    for (name, number, field, why) in cases {
        assert_eq!(read(&item(number), field), Err(why), "{name}");
    }
}

#[test]
fn what_a_field_cannot_hold_is_refused() {
    #[rustfmt::skip]
    let cases: [(&str, u16, &str, CannotHold); 14] = [
        ("outside GBK", 58, "𠮷", BadText::Character { at: 0 }.into()),
        ("too long", 36, "ABCD", BadText::TooLong { needed: 4, room: 3 }.into()),
        ("letters for digits", 67, "1X", CannotHold::NotDigits),
        ("too many digits", 67, "12345", CannotHold::TooManyDigits { needed: 5, room: 4 }),
        ("letters for a code", 18, "X", CannotHold::NotDigits),
        ("three digits for a code", 18, "100", CannotHold::Code),
        ("a code above a byte", 12, "256", CannotHold::Code),
        ("too much money", 143, "10000000.00", CannotHold::TooManyDigits { needed: 11, room: 10 }),
        ("two points", 143, "1.2.3", BadValue::NotAmount.into()),
        ("no such date", 66, "2023-02-29", BadValue::NoSuchDate.into()),
        ("another form", 66, "2023--0229", BadValue::NotDigits.into()),
        ("flag", 43, "maybe", BadValue::NotFlag.into()),
        ("hex", 211, "0G", CannotHold::NotHex),
        ("an index that says nothing", 62, "", CannotHold::Empty),
    ];
    for (name, number, spelling, why) in cases {
        assert_eq!(Value::parse(&item(number), spelling), Err(why), "{name}");
    }
    let short = Value::Bytes(Zeroizing::new(vec![1; 63]));
    let size = CannotHold::Size { found: 63, expected: 64 };
    assert_eq!(write(&item(211), &short), Err(size));
    assert_eq!(write(&item(66), &Value::Flag(true)), Err(CannotHold::Kind));
}

#[test]
fn unknown_codes_are_kept() {
    let group = read(&layout::ddf1::ef06::ETHNIC_GROUP, &[0x57]).unwrap();
    assert_eq!((&**group.to_text(), group.labels(), group.is_unknown_code()), ("57", None, true));
    let han = read(&layout::ddf1::ef06::ETHNIC_GROUP, &[0x01]).unwrap();
    assert_eq!((han.labels(), han.is_unknown_code()), (Some(("汉族", "Han")), false));
    let soldier = read(&item(36), b"X\0\0").unwrap();
    assert_eq!(soldier.labels(), Some(("军人", "soldier")));
}

#[test]
fn amounts_count_in_hundredths() {
    let cases = [("123.45", Some(12345)), ("0.5", Some(50)), ("7", Some(700)), ("0.125", None)];
    for (text, hundredths) in cases {
        assert_eq!(text.parse::<Amount>().unwrap().hundredths(), hundredths, "{text}");
    }
}

#[test]
fn values_print_nothing_of_themselves() {
    let values = [
        Value::parse(&item(11), "张三").unwrap(),
        Value::parse(&item(143), "123.45").unwrap(),
        Value::parse(&item(12), "2").unwrap(),
        Value::DateTime(datetime!(2024-12-31 08:30)),
    ];
    assert_eq!(format!("{values:?}"), "[Text(..), Amount(..), Code(..), DateTime(..)]");
}
