use proptest::prelude::*;

use super::*;
use crate::data::CannotHold;

const ALLERGIES: &str = "DF02/EF07";

fn ring() -> FileName {
    ALLERGIES.parse().unwrap()
}

#[test]
fn what_cannot_be_written_is_refused_by_item() {
    let set = |item, text: &str| Changes::new().set(item, text);
    let held = |item, why| Err(BadChange::CannotSet(CannotSet { item, why: Some(why) }));
    assert_eq!(set(22, "郑州市金水区"), Ok(()));
    assert_eq!(set(22, ""), Ok(()), "empty text clears");
    assert_eq!(set(11, "李四"), Err(BadChange::NotChangeable(11)), "the name is never changed");
    assert_eq!(set(58, "青霉素"), Err(BadChange::NotChangeable(58)), "an allergy is appended");
    assert_eq!(set(75, "肺炎"), Err(BadChange::NotChangeable(75)), "so is a visit");
    assert_eq!(set(999, "1"), Err(BadChange::NotChangeable(999)));
    assert_eq!(set(21, "77"), Err(BadChange::UnknownCode(21)));
    assert!(set(43, "maybe").is_err());
    assert!(matches!(
        set(22, &"长".repeat(51)),
        Err(BadChange::CannotSet(CannotSet { item: 22, why: Some(CannotHold::Text(_)) }))
    ));
    assert!(matches!(
        set(22, "\u{1F600}"),
        Err(BadChange::CannotSet(CannotSet { item: 22, why: Some(CannotHold::Text(_)) }))
    ));
    assert_eq!(
        set(7, "2025-02-30"),
        held(7, CannotHold::Spelling(crate::value::BadValue::NoSuchDate))
    );

    let mut changes = Changes::new();
    changes.set(27, "13800138001").unwrap();
    assert_eq!(changes.set(27, "13800138002"), Err(BadChange::Twice(27)));
    assert_eq!(Changes::new().some(), Err(BadChange::Nothing));
}

#[test]
fn records_that_say_too_little_or_too_much_are_refused() {
    let mut changes = Changes::new();
    let none: [(u16, &str); 0] = [];
    assert_eq!(changes.append(ring(), none), Err(BadChange::EmptyRecord(ring())));
    assert_eq!(changes.append(ring(), [(58, "")]), Err(BadChange::EmptyRecord(ring())));
    assert_eq!(changes.append(ring(), [(58, "青霉素"), (58, "头孢")]), Err(BadChange::Twice(58)));
    let other = BadChange::CannotSet(CannotSet { item: 60, why: None });
    assert_eq!(changes.append(ring(), [(60, "乙肝疫苗")]), Err(other));
    let file = df03::ef05::FILE.name;
    assert_eq!(changes.append(file, [(62, "0")]), Err(BadChange::NotARing(file)));

    let visit = |items: &[(u16, &'static str)]| {
        Changes::new().visit(VisitKind::Outpatient, items.iter().copied())
    };
    assert_eq!(visit(&[(213, "第一医院")]), Err(BadChange::NoDate(215)));
    let signature = "11".repeat(64);
    let mut signed = Changes::new();
    let items = [(215, "2026-11-26T10:00:00"), (383, signature.as_str())];
    let refused = signed.visit(VisitKind::Outpatient, items);
    assert_eq!(refused, Err(BadChange::MadeBySigning(383)));
    assert_eq!(visit(&[(213, "第一医院"), (215, "2026-11-26T10:00:00")]), Ok(()));

    let mut many = Changes::new();
    for at in 0..MOST_RECORDS {
        many.append(ring(), [(58, "青霉素")]).unwrap_or_else(|error| panic!("{at}: {error}"));
    }
    let full = many.clone();
    assert_eq!(many.append(ring(), [(58, "青霉素")]), Err(BadChange::TooMany));
    assert_eq!(many.visit(VisitKind::Inpatient, [(66, "2026-01-01")]), Err(BadChange::TooMany));
    assert_eq!(many, full, "what was refused is not in it");
}

#[test]
fn changes_name_their_files_in_the_order_of_the_card() {
    let mut changes = Changes::new();
    changes.visit(VisitKind::Inpatient, [(66, "2026-11-20")]).unwrap();
    changes.append(ring(), [(58, "青霉素")]).unwrap();
    changes.set(27, "1").unwrap();
    changes.set(22, "郑州").unwrap();
    let names: Vec<String> = changes.files().iter().map(FileName::to_string).collect();
    assert_eq!(names, ["DF01/EF05", "DF01/EF06", ALLERGIES, "DF03/EF05"]);
    assert!(changes.need_signature());
    assert!(!format!("{changes:?}").contains("郑州"), "nothing personal is printed");
}

#[test]
fn bodies_are_signed_up_to_the_signature() {
    let cases = [(VisitKind::Inpatient, 1639, 3), (VisitKind::Outpatient, 3013, 5)];
    for (kind, signed, files) in cases {
        assert_eq!(kind.signature().offset(), signed);
        assert_eq!(kind.certificate().offset(), signed + 64);
        assert_eq!(kind.files().len(), files);
        let date = kind.items(Profile::Full);
        let date = date.iter().find(|item| item.element.item == kind.date()).unwrap();
        assert_eq!(date.element.offset(), 80);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_change_is_taken_or_refused(item in 0u16..400, text in ".{0,40}") {
        let mut changes = Changes::new();
        if changes.set(item, &text).is_ok() {
            prop_assert_eq!(changes.files().len(), 1);
            // What was accepted reads back as it was spelled; what is refused changes nothing.
            let value = changes.value(item).expect("it was set").clone();
            let mut again = Changes::new();
            prop_assert_eq!(again.set(item, &value.to_text()), Ok(()));
            prop_assert_eq!(again.value(item), Some(&value));
            prop_assert_eq!(changes.set(item, ""), Err(BadChange::Twice(item)));
            prop_assert_eq!(changes.value(item), Some(&value));
        }
        let _ = changes.append(ring(), [(item, text.as_str())]);
        let _ = changes.visit(VisitKind::Inpatient, [(66, "2026-01-01"), (item, text.as_str())]);
    }
}
