use super::*;
use crate::layout::{self, FILES, Kind};
use hex_literal::hex;
use proptest::prelude::*;

fn named(name: &str) -> &'static File {
    layout::file(name.parse().unwrap()).unwrap()
}

#[test]
fn files_are_read_as_they_are_written() {
    for profile in [Profile::Full, Profile::Reduced] {
        for file in FILES.into_iter().filter(|file| file.exists(profile)) {
            let mut contents = Contents::empty(file, 0, profile);
            for item in file.items(profile) {
                let spelling = match item.element.codes.map(|table| table.entries) {
                    Some([(code, ..), ..]) => code,
                    _ if item.element.kind == Kind::Date => "20241231",
                    _ => "",
                };
                contents.set_text(item.element.item, spelling).unwrap();
            }
            let records = contents.encode().unwrap();
            if let [whole] = &records[..]
                && file.size(profile) > 0
                && !contents.values.is_empty()
            {
                assert_eq!(whole.len(), usize::from(file.size(profile)), "{}", file.name);
            }
            assert_eq!(Contents::decode(file, 0, profile, &records), Ok(contents), "{}", file.name);
        }
    }
}

#[test]
fn items_are_found_by_number_and_by_name() {
    let mut visit = Contents::empty(named("DF03/ED01"), 0, Profile::Full);
    visit.set_text(304 + 8, "阿司匹林").unwrap();
    let drugs: Vec<_> = visit.named("药物名称").collect();
    assert_eq!(drugs.len(), 5);
    assert_eq!((drugs[1].0.element.item, drugs[1].0.repetition), (312, Some(2)));
    assert_eq!(drugs[1].1.to_text().as_str(), "阿司匹林");
    assert_eq!(visit.named("Drug").count(), 5);
    assert_eq!(visit.get(304), Some(&Value::Empty));
    assert_eq!(visit.get(64), None);
    assert_eq!(visit.set_text(64, ""), Err(CannotSet { item: 64, why: None }));
    let why = Some(CannotHold::NotDigits);
    assert_eq!(visit.set_text(306, "ten"), Err(CannotSet { item: 306, why }));
}

#[test]
fn a_wrong_record_is_named() {
    let phones = named("DDF1/EF08");
    let mut records = Contents::empty(phones, 0, Profile::Full).encode().unwrap();
    records[3][0] = 0x55;
    let why = BadRecord::Tag { expected: 0x12, found: 0x55 }.into();
    assert_eq!(
        Contents::decode(phones, 0, Profile::Full, &records),
        Err(MalformedRecord { file: phones.name, record: 4, why })
    );
    let short = vec![hex!("00").to_vec()];
    assert_eq!(
        Contents::decode(named("DF02/EF07"), 2, Profile::Full, &short),
        Err(MalformedRecord {
            file: named("DF02/EF07").name,
            record: 2,
            why: Malformed::Value(BadValue::Size(0)),
        })
    );
}

#[test]
fn reduced_cards_lack_what_only_full_ones_have() {
    let documents = Contents::empty(named("DF01/EF08"), 0, Profile::Reduced);
    assert_eq!(documents.encode().unwrap().len(), 2);
    assert_eq!(documents.get(37), None);
    let body = Contents::empty(named("DF03/EE01"), 0, Profile::Reduced).encode().unwrap();
    assert_eq!(body[0].len(), 1639);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_read_or_are_refused(noise in prop::collection::vec(any::<u8>(), 0..3300)) {
        for file in FILES {
            let one = std::slice::from_ref(&noise);
            if let Ok(contents) = Contents::decode(file, 0, Profile::Full, one) {
                prop_assert!(contents.encode().is_ok());
            }
        }
    }
}
