use std::collections::BTreeSet;

use super::*;
use crate::layout::ddf1::ef05;

#[test]
fn every_item_of_the_specification_is_there_once() {
    // Bodies repeat the items of the first of their kind.
    let first = |file: &&&File| !matches!(file.name.id, 0xEE02..=0xEE0F | 0xED02..=0xED0F);
    let mut seen = BTreeSet::new();
    for file in FILES.iter().filter(first) {
        for item in file.items(Profile::Full) {
            assert!(seen.insert(item.element.item), "{} twice", item.element.item);
        }
    }
    assert_eq!(seen, (1..=384).collect());
}

#[test]
fn records_are_numbered_and_tagged_by_their_items() {
    for file in FILES {
        for (at, element) in file.elements().iter().enumerate() {
            assert_eq!(usize::from(element.record()), at + 1, "{}", element.zh);
            assert_eq!(u16::from(element.tag()), element.item, "{}", element.zh);
        }
    }
}

#[test]
fn elements_fill_their_files_without_gaps() {
    for file in FILES {
        if matches!(file.structure, Structure::Variable(_)) || file.name.id == 0xEF07 {
            continue;
        }
        let mut end = 0;
        for item in file.items(Profile::Full) {
            assert_eq!(item.element.offset(), end, "{} {}", file.name, item.element.zh);
            end += item.element.length;
        }
        assert_eq!(end, file.size(Profile::Full), "{}", file.name);
    }
}

#[test]
fn sizes_are_those_of_the_standard() {
    // health-card.md, 2.4: sizes with tag and length, of every file with records of variable length.
    let cases = [
        ("DDF1/EF05", 284),
        ("DDF1/EF06", 64),
        ("DDF1/EF08", 59),
        ("DF01/EF05", 210),
        ("DF01/EF06", 171),
        ("DF01/EF07", 11),
        ("DF01/EF08", 62),
        ("DF02/EF05", 84),
        ("DF02/EF06", 3),
    ];
    for (name, size) in cases {
        let file = file(name.parse().unwrap()).unwrap();
        let sum: u16 = file.elements().iter().map(Element::record_size).sum();
        assert_eq!(sum, size, "{name}");
    }
    // 2.6: the Le of each record of EF05.
    let expected: Vec<u16> = ef05::FILE.elements().iter().map(Element::record_size).collect();
    assert_eq!(expected, [3, 6, 0x20, 0x0D, 0xB6, 6, 0x14, 5, 0x0C, 5]);
}

#[test]
fn the_reduced_card_is_as_described() {
    // health-card.md, 2.7.
    let size = |name: &str| file(name.parse().unwrap()).unwrap().size(Profile::Reduced);
    assert_eq!(size("DF03/EE01"), 1639);
    assert_eq!(size("DF03/ED02"), 3013);
    let absent: Vec<String> = FILES
        .into_iter()
        .filter(|file| !file.exists(Profile::Reduced))
        .map(|file| file.name.to_string())
        .collect();
    assert_eq!(absent, ["DDF1/EF07", "DF03/EE03", "DF03/ED03", "DF03/ED04", "DF03/ED05"]);
    let updatable = Access::Key(CardKey::Uk1Ddf1);
    assert_eq!(ef05::FILE.update_on(Profile::Reduced), updatable);
    assert_eq!(ef05::FILE.update_on(Profile::Full), Access::Never);
}

#[test]
fn names_are_read_as_they_are_written() {
    for file in FILES {
        assert_eq!(file.name.to_string().parse(), Ok(file.name));
    }
    assert_eq!("DF01/EF09".parse::<FileName>(), Err(NoSuchFile));
    assert_eq!("EF05".parse::<FileName>(), Err(NoSuchFile));
}
