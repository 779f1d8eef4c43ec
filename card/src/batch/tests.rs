use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::layout::{Profile, df01};

const TODAY: time::Date = date!(2026 - 11 - 26);

/// A row that is whole.
fn whole() -> Vec<(&'static str, &'static str)> {
    vec![
        ("city", "410100"),
        ("name", "张三"),
        ("id_number", "11010519491231002X"),
        ("valid_until", "2036-11-25"),
    ]
}

fn refusal(cells: &[(&str, &str)]) -> Vec<(String, &'static str)> {
    let row = Row::of(cells.iter().copied()).unwrap();
    let wrong = row.check(TODAY, Profile::Full).err().unwrap_or_default();
    wrong.into_iter().map(|bad| (bad.field, bad.why.code())).collect()
}

#[test]
fn columns_have_one_name_each_and_answer_to_others() {
    for column in Column::all() {
        assert_eq!(Column::named(&column.name()), Some(column), "{}", column.name());
        if let Holds::Element(element) = column.holds {
            assert_eq!(Column::named(element.zh), Some(column), "{}", element.zh);
            assert_eq!(Column::of_item(element.item), Some(column));
        }
    }
    for (name, item) in [("姓名", 11), ("电话", 16), (" City ", 57), ("地址1", 22), ("民族", 13)]
    {
        assert_eq!(Column::named(name), Column::of_item(item), "{name}");
    }
    // What the issuer writes is no business of a row.
    for name in ["issuer_name", "security_code", "chip_serial", "card_number", "", "x"] {
        assert_eq!(Column::named(name), None, "{name}");
    }
}

#[test]
fn a_whole_row_becomes_an_order() {
    let more = [("ethnic_group", "汉族"), ("phone_1", "13800138000"), ("payment_1", "1")];
    let address = [("address_class_1", "2"), ("address_1", "郑州市金水路1号"), ("asthma", "是")];
    let row = Row::of(whole().into_iter().chain(more).chain(address)).unwrap();
    let order = row.check(TODAY, Profile::Full).unwrap();
    assert_eq!(order.holder.name.as_str(), "张三");
    assert_eq!(order.holder.ethnic_group.map(|it| it.code()), Some(1));
    assert_eq!(order.contact.payments[0].map(|it| it.code()), Some(1));
    let records = order.records(&df01::ef05::FILE);
    assert_eq!(records[0], [0x15, 1, 0x02]);
    assert_eq!(records[1][..6], [0x16, 100, 0xD6, 0xA3, 0xD6, 0xDD]); // 郑州
    assert_eq!(records[2], [0x17, 1, 0xFF], "an empty code");
    let clinical = order.records(&crate::layout::df02::ef05::FILE);
    assert_eq!(clinical[2], [0x2B, 1, 0x01], "asthma");
    assert_eq!(format!("{row:?} {order:?}"), "Row(10 cells) CardOrder(..)");
}

#[test]
fn what_is_wrong_is_said_of_each_field() {
    #[rustfmt::skip]
    let cases: [(&str, &str, &str, &str); 22] = [
        ("no name", "name", "", "MISSING"),
        ("a name beyond GBK", "name", "𠮷野", "NOT_GBK"),
        ("a private character", "name", "\u{E000}", "NOT_GBK"),
        ("a control character", "name", "张\u{7}三", "CONTROL_CHARACTER"),
        ("a long name", "name", "一二三四五六七八九十一二三四五六", "TOO_LONG"),
        ("ID check", "id_number", "110105194912310021", "ID_NUMBER_CHECK"),
        ("ID of 15", "id_number", "110105491231002", "ID_NUMBER_FORM"),
        ("ID born on 29 February 1949", "id_number", "110105194902290029", "NO_SUCH_DATE"),
        ("city of five", "city", "41010", "NOT_DIGITS"),
        ("city of letters", "city", "41010X", "NOT_DIGITS"),
        ("30 February", "valid_until", "2030-02-30", "NO_SUCH_DATE"),
        ("month 13", "valid_until", "20301301", "NO_SUCH_DATE"),
        ("slashes", "valid_until", "2030/01/01", "NO_SUCH_DATE"),
        ("yesterday", "valid_until", "2026-11-25", "IN_THE_PAST"),
        ("ethnic group 57", "ethnic_group", "57", "UNKNOWN_CODE"),
        ("a payment that is a word", "payment_1", "cash", "UNKNOWN_CODE"),
        ("a phone that is a word", "phone_1", "call me", "NOT_A_PHONE"),
        ("another sex", "sex", "男", "DISAGREES"),
        ("another birthday", "birth_date", "1950-01-01", "DISAGREES"),
        ("a flag", "asthma", "maybe", "NOT_A_FLAG"),
        ("an address class", "address_class_1", "3", "UNKNOWN_CODE"),
        ("a long number", "health_record_number", "123456789012345678", "TOO_LONG"),
    ];
    for (name, field, text, why) in cases {
        let mut cells = whole();
        cells.retain(|(known, _)| *known != field);
        cells.push((field, text));
        let field = Column::named(field).unwrap().name();
        assert_eq!(refusal(&cells), [(field, why)], "{name}");
    }
    let all = [("name", "𠮷"), ("city", "x"), ("phone_2", "y")];
    let mut fields: Vec<_> = refusal(&all).into_iter().map(|(field, _)| field).collect();
    fields.sort();
    assert_eq!(fields, ["city", "id_number", "name", "phone_2", "valid_until"]);
}

#[test]
fn what_a_16k_card_has_no_place_for_is_refused() {
    let beyond = [
        ("capacity", "16K"),
        ("phone_1", "13800138000"),
        ("document_class", "2"),
        ("address_2", "x"),
    ];
    let row =
        Row::of(whole().into_iter().chain(beyond)).unwrap().with_photo(vec![0xFF, 0xD8, 0xFF]);
    let wrong = row.check(TODAY, Profile::Full).unwrap_err();
    let fields: Vec<_> =
        wrong.iter().filter(|bad| bad.why == Why::NoPlace).map(|bad| &*bad.field).collect();
    assert_eq!(
        fields,
        ["address_2", "document_class", "photo"],
        "the phone is for the register, too"
    );

    // The row has the last word; what the batch says is for rows that say nothing.
    let check = |cells: &[(&str, &str)], batch| {
        let row = Row::of(whole().into_iter().chain(cells.iter().copied())).unwrap();
        row.check(TODAY, batch).map(|order| order.profile).map_err(|wrong| wrong[0].why)
    };
    for (cells, batch, expected) in [
        (&[][..], Profile::Full, Ok(Profile::Full)),
        (&[], Profile::Reduced, Ok(Profile::Reduced)),
        (&[("卡容量", "32k")], Profile::Reduced, Ok(Profile::Full)),
        (&[("容量", "16K")], Profile::Full, Ok(Profile::Reduced)),
        (&[("capacity", "64K")], Profile::Full, Err(Why::NotCapacity)),
    ] {
        assert_eq!(check(cells, batch), expected, "{cells:?} {batch:?}");
    }
}

#[test]
fn rows_with_cells_of_no_column_or_two_are_refused() {
    let why = |cells: &[(&str, &str)]| Row::of(cells.iter().copied()).unwrap_err().why;
    assert_eq!(why(&[("nickname", "x")]), Why::UnknownColumn);
    assert_eq!(why(&[("photo", "x.jpg")]), Why::UnknownColumn, "photos come apart");
    assert_eq!(why(&[("name", "x"), ("姓名", "y")]), Why::Twice);
    assert_eq!(why(&[("address_1", &"x".repeat(MAX_ROW + 1))]), Why::RowTooLong);
}

#[test]
fn photos_are_checked() {
    let row = Row::of(whole()).unwrap();
    for (name, bytes, why) in [
        ("a text", b"photo".to_vec(), Why::NotPicture),
        ("too long", [&[0xFF, 0xD8, 0xFF][..], &[0; 3072]].concat(), Why::HugePicture),
    ] {
        let wrong = row.clone().with_photo(bytes).check(TODAY, Profile::Full).unwrap_err();
        assert_eq!(wrong, [BadField { field: "photo".to_owned(), why }], "{name}");
    }
}

#[test]
fn a_row_has_one_form() {
    let row = Row::of(whole()).unwrap().with_photo(vec![1, 2, 3]);
    let bytes = row.canonical();
    assert_eq!(Row::from_canonical(&bytes), Some(row.clone()));
    for cut in 0..bytes.len() {
        assert_eq!(Row::from_canonical(&bytes[..cut]), None, "{cut}");
    }
    assert_eq!(Row::from_canonical(&[&bytes[..], &[0]].concat()), None);
    assert_ne!(row.canonical(), Row::of(whole()).unwrap().canonical());
}

#[test]
fn reasons_have_both_languages_and_a_code() {
    for why in Why::ALL {
        assert!(!why.zh().is_ascii() && why.en().is_ascii(), "{why:?}");
        assert_eq!(Why::named(why.code()), Some(*why));
    }
}

#[cfg(feature = "batch")]
mod table {
    use super::super::csv::{BadTable, Table};
    use super::*;

    const HEAD: &str = "姓名,身份证号,城市代码,有效期至,地址1,照片\n";
    const GOOD: &str = "张三,11010519491231002X,410100,2036-11-25,,\n";

    fn rows(text: &[u8]) -> Vec<Result<&'static str, &'static str>> {
        let table = Table::open(text).unwrap();
        table
            .map(|row| match row.unwrap().row {
                Ok(row) => match row.check(TODAY, Profile::Full) {
                    Ok(_) => Ok("good"),
                    Err(wrong) => Err(wrong[0].why.code()),
                },
                Err(bad) => Err(bad.why.code()),
            })
            .collect()
    }

    #[test]
    fn a_bad_row_spoils_no_other() {
        let giant = format!("{},x\n", "x".repeat(3_000_000));
        #[rustfmt::skip]
        let cases: [(&str, &[u8], &str); 9] = [
            ("too many columns", b"a,b,c,d,e,f,g\n", "COLUMNS"),
            ("too few columns", b"a,b\n", "COLUMNS"),
            ("a quote without end", b"\"a,b,c,d,e,f\n", "QUOTE"),
            ("not UTF-8", b"\xC0\xC0,b,c,d,e,f\n", "NOT_UTF8"),
            ("zero bytes", b"\0\0\0\0\n", "CONTROL_CHARACTER"),
            ("a lone return", b"a,b\rc,d,e,f\n", "CONTROL_CHARACTER"),
            ("a giant line", giant.as_bytes(), "ROW_TOO_LONG"),
            ("a wrong date", "李四,11010519491231002X,410100,2036-13-01,,\n".as_bytes(), "NO_SUCH_DATE"),
            ("no name", ",11010519491231002X,410100,2036-11-25,,\n".as_bytes(), "MISSING"),
        ];
        for (name, line, why) in cases {
            let text = [HEAD.as_bytes(), GOOD.as_bytes(), line, GOOD.as_bytes()].concat();
            assert_eq!(rows(&text), [Ok("good"), Err(why), Ok("good")], "{name}");
        }
    }

    #[test]
    fn spreadsheets_write_it_in_several_ways() {
        let quoted = "\"张三\",\"11010519491231002X\",\"410100\",\"2036-11-25\",\"a,b\",\" \"\r\n";
        let cases = [
            ("plain", format!("{HEAD}{GOOD}")),
            ("mark of byte order", format!("\u{FEFF}{HEAD}{GOOD}")),
            ("returns", format!("{HEAD}{GOOD}").replace('\n', "\r\n")),
            ("quotes", format!("{HEAD}{quoted}")),
            ("blank lines", format!("\n{HEAD}\n,,,,,\n{GOOD}\n")),
            ("no last newline", format!("{HEAD}{}", GOOD.trim_end())),
        ];
        for (name, text) in cases {
            assert_eq!(rows(text.as_bytes()), [Ok("good")], "{name}");
        }
    }

    #[test]
    fn photos_are_named_and_rows_numbered() {
        let text = format!("{HEAD}\n张三,11010519491231002X,410100,2036-11-25,, a.jpg\n{GOOD}");
        let found: Vec<_> = Table::open(text.as_bytes())
            .unwrap()
            .map(|row| row.map(|row| (row.number, row.photo)).unwrap())
            .collect();
        assert_eq!(found, [(1, Some("a.jpg".to_owned())), (2, None)]);
    }

    #[test]
    fn a_file_without_a_head_of_ours_is_no_table() {
        let open = |text: &[u8]| Table::open(text).err();
        assert!(matches!(open(b""), Some(BadTable::NoHead)));
        assert!(matches!(open(b"\n\n"), Some(BadTable::NoHead)));
        assert!(matches!(open(b"name,nickname\n"), Some(BadTable::UnknownColumn(2))));
        assert!(matches!(open("name,姓名\n".as_bytes()), Some(BadTable::Twice(2))));
        assert!(matches!(open(b"\xFF\xD8\xFF\xE0\n"), Some(BadTable::Head(Why::NotUtf8))));
        assert!(matches!(open(&[b'x'; 40_000]), Some(BadTable::Head(Why::RowTooLong))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let text = [HEAD.as_bytes(), &bytes].concat();
            for row in Table::open(&text[..]).unwrap() {
                let _ = row.unwrap().row.map(|row| row.check(TODAY, Profile::Full).map(|_| ()));
            }
        }

        #[test]
        fn what_is_written_is_read(name in "[一-龥]{1,10}", street in "[一-龥a-z ,\"]{0,30}") {
            let quoted = street.replace('"', "\"\"");
            let line = format!("{name},11010519491231002X,410100,2036-11-25,\"{quoted}\",\n");
            let text = format!("{HEAD}{line}");
            let table = Table::open(text.as_bytes());
            let row = table.unwrap().next().unwrap().unwrap().row.unwrap();
            prop_assert_eq!(row.cell(11), Some(name.as_str()));
            prop_assert_eq!(row.cell(22).unwrap_or_default(), street.trim_matches(' '));
        }
    }
}
