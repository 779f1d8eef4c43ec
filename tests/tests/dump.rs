//! Whole cards, read through a real PC/SC daemon by somebody who treats the holder.

use std::collections::BTreeSet;
use std::fs;

use card::layout::{FILES, Profile};
use serde_json::Value;
use service::demo::card_contents::spelled;
use service::demo::people::{CLERK, COLLEAGUE, DESK, DOCTOR, PATIENT, SOMEBODY_ELSE};
use service::demo::readers::VirtualReaders;
use service::demo::stage::CardKeys;
use service::policy::SHIPPED;
use tests::hospital::{Hospital, text};
use tests::private::{PcscDaemon, in_private_space};
use tests::relay::open_visit;

/// What `spelled` would say of an item that is not one of DDF1's.
fn expected(number: u64, profile: Profile) -> Option<String> {
    let files = FILES.iter().filter(|file| file.exists(profile));
    let mut items = files.flat_map(|file| file.items(profile));
    let item = items.find(|item| u64::from(item.element.item) == number)?;
    let is_index = [62, 63].contains(&number);
    (number > 20 && number != 57).then(|| if is_index { "0".to_owned() } else { spelled(&item) })
}

fn fields(dump: &Value) -> impl Iterator<Item = &Value> {
    let files = dump["files"].as_array().unwrap().iter();
    files.flat_map(|file| file["fields"].as_array().unwrap())
}

fn says_all(dump: &Value, profile: Profile) {
    let mut items = BTreeSet::new();
    for field in fields(dump) {
        let item = field["item"].as_u64().unwrap();
        assert_eq!(field["problem"], "CARD_FIELD_PROBLEM_NONE", "{field}");
        // Of the classes of outpatient fees (CV07.10.001) no value is known.
        let has_no_table = field["name_en"] == "Fee class code" && item > 212;
        assert_eq!(field["unknown_code"], has_no_table, "{field}");
        assert!(field["read_at"].is_string() && field["file"].is_string(), "{field}");
        assert!(!field["raw"].as_str().unwrap().is_empty(), "{field}");
        if let Some(expected) = expected(item, profile) {
            assert_eq!(field["value"], expected, "{field}");
        }
        items.insert(item);
    }
    let files = FILES.iter().filter(|file| file.exists(profile));
    let there = files.flat_map(|file| file.items(profile)).map(|item| item.element.item.into());
    assert_eq!(items, there.collect());
}

/// Each of these decisions, of which four were granted and four refused by rules, comes out of the log as it was made;
/// and other rules show which one they would change.
fn decided_again(hospital: &Hospital) {
    let again = hospital.decisions(&["replay"]);
    assert_eq!((&again["same"], &again["unclear"]), (&8.into(), &Value::Array(Vec::new())));
    let changed = ["opened", "closed", "allowed_otherwise", "refused_otherwise"];
    assert!(changed.iter().all(|kind| again[kind]["count"] == 0), "{again}");

    let rules = hospital.stage.path("data/rules");
    fs::create_dir(&rules).unwrap();
    for (name, text) in SHIPPED.files() {
        let of_clerks = "context.purpose == Purpose::\"patient-request\"\n};";
        let for_nothing = of_clerks.replace("patient-request", "operations");
        fs::write(rules.join(name), text.replace(of_clerks, &for_nothing)).unwrap();
    }
    let tried = hospital.decisions(&["try", rules.to_str().unwrap()]);
    assert_eq!((&tried["same"], &tried["closed"]["count"]), (&7.into(), &1.into()), "{tried}");
    let closed = &tried["closed"]["first"][0];
    assert_eq!(
        (text(closed, "act"), &closed["resident"]),
        ("card.dump".into(), &hospital.resident_id.as_str().into())
    );
    assert_eq!(text(&closed["then"], "rule"), "desk-reads-card-on-request");
    assert_eq!(text(&closed["now"], "rule"), "purpose-covered");
}

#[test]
fn a_doctor_reads_whole_cards_of_both_kinds() {
    in_private_space(|| {
        let hospital = Hospital::open();
        let stage = &hospital.stage;
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let visit = runtime.block_on(open_visit(&hospital));
        let mut daemon = PcscDaemon::start(&stage.path("log/pcscd")).unwrap();
        let mut readers = VirtualReaders::start(stage).unwrap();
        let whole = ["card", "dump", "--visit", &visit, "--raw"];

        let full = stage.make_full_card(&PATIENT, Profile::Full).unwrap();
        readers.insert(0, &full).unwrap();
        let dump = hospital.granted(DOCTOR.key, &whole);
        assert_eq!(dump["profile"], "CARD_PROFILE_FULL");
        assert_eq!(dump["files"].as_array().unwrap().len(), 22);
        assert_eq!(dump["resident_id"], hospital.resident_id);
        assert_eq!(dump["commands"], 221);
        says_all(&dump, Profile::Full);
        assert_eq!(fields(&dump).find(|field| field["item"] == 11).unwrap()["value"], PATIENT.name);

        // One file, and the log names it and nothing that it says.
        let one = ["card", "dump", "--visit", &visit, "--file", "DF02/EF07"];
        let allergies = hospital.granted(DOCTOR.key, &one);
        assert_eq!(fields(&allergies).count(), 6);
        assert!(fields(&allergies).all(|field| field["raw"] == ""));
        let entries = hospital.granted(
            "auditor",
            &["audit", "search", "--action", "card.dump", "--outcome", "granted"],
        );
        let said = entries.to_string();
        assert!(said.contains("DF02/EF07") && said.contains(&visit), "{said}");
        assert!(!said.contains(PATIENT.name) && !said.contains("58项"), "{said}");

        // Who has no reason to read it gets nothing.
        let resident_asks = ["card", "dump", "--visit", &visit, "--purpose", "patient-request"];
        hospital.refused(DESK.key, &resident_asks, "ROLE_NOT_ALLOWED");
        hospital.refused(COLLEAGUE.key, &whole, "NO_RELATION");
        hospital.refused(CLERK.key, &whole, "PURPOSE_NOT_ALLOWED");
        hospital.granted(CLERK.key, &resident_asks);
        let no_visit = ["card", "dump", "--visit", "0197a000-0000-7000-8000-000000000000"];
        hospital.refused(DOCTOR.key, &no_visit, "VISIT_NOT_FOUND");
        let no_file = ["card", "dump", "--visit", &visit, "--file", "DF09/EF05"];
        hospital.refused(DOCTOR.key, &no_file, "FIELD_INVALID");
        hospital.refused(DOCTOR.key, &["card", "read"], "ROLE_NOT_ALLOWED");
        readers.remove(0).unwrap();
        daemon.saw_removal().unwrap();

        let reduced = stage.make_full_card(&PATIENT, Profile::Reduced).unwrap();
        readers.insert(0, &reduced).unwrap();
        let dump = hospital.granted(DOCTOR.key, &whole);
        assert_eq!(dump["profile"], "CARD_PROFILE_REDUCED");
        assert_eq!(dump["files"].as_array().unwrap().len(), 17);
        says_all(&dump, Profile::Reduced);
        readers.remove(0).unwrap();
        daemon.saw_removal().unwrap();

        // Somebody else's card is not read out within this visit, nor is any after it.
        let id = stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
        stage.register_card(CLERK.key, &id, &SOMEBODY_ELSE).unwrap();
        let other = stage.make_card(&SOMEBODY_ELSE, CardKeys::Genuine).unwrap();
        readers.insert(0, &other).unwrap();
        hospital.refused(DOCTOR.key, &whole, "CARD_OTHER_RESIDENT");
        hospital.granted(DOCTOR.key, &["visit", "close", &visit]);
        hospital.refused(DOCTOR.key, &whole, "VISIT_CLOSED");
        decided_again(&hospital);
    });
}
