//! What certificates say of their holders besides the name: keyed pseudonyms, and what a table has them say.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use service::demo::people::{DESK, DOCTOR};
use service::demo::stage::{OPERATOR, REVIEWER};
use tests::hospital::{Hospital, text};

use crate::enrolments::{enter, newcomer};

/// The example printed in GB 11643-1999, A.1.
const ID_NUMBER: &str = "11010519491231002X";

/// A nurse with a certificate; the identity's id.
fn nurse(hospital: &Hospital, who: &str, more: &Value) -> String {
    let mut person = json!({ "department": "内科" });
    for (name, value) in more.as_object().unwrap() {
        person[name] = value.clone();
    }
    let id = newcomer(hospital, who, "nurse", &person);
    let enrolment = enter(hospital, OPERATOR, who, &id);
    let out = hospital.stage.identity(who).to_string_lossy().into_owned();
    let own = hospital.record("own.json", &json!({ "id_number": ID_NUMBER }));
    let approve = ["enrolment", "review", &enrolment, "--approve", "--out", &out];
    let compared = ["--id-number-file", &own];
    let known = more.get("id_number").is_some();
    let approve = [&approve[..], if known { &compared } else { &[] }].concat();
    hospital.granted(REVIEWER, &approve);
    id
}

/// What each certificate of an identity says: of the oldest first, extension and text.
fn identifiers(hospital: &Hospital, id: &str) -> Vec<Vec<(String, String)>> {
    let found = hospital.granted(OPERATOR, &["identity", "get", id]);
    let certificates = found["certificates"].as_array().unwrap().iter();
    let read = certificates.map(|certificate| {
        let all = certificate["identifiers"].as_array().into_iter().flatten();
        all.map(|it| (text(it, "oid"), text(it, "text"))).collect()
    });
    read.collect()
}

fn entity(hospital: &Hospital, id: &str) -> String {
    let all = identifiers(hospital, id);
    let [one] = &all[..] else { panic!("{} certificates", all.len()) };
    let [(oid, text)] = &one[..] else { panic!("{one:?}") };
    assert_eq!(oid, "1.2.86.21.1.1");
    text.clone()
}

#[test]
fn one_person_has_one_pseudonym_and_no_certificate_has_an_id_number() {
    let hospital = Hospital::open();
    let number = json!({ "id_number": ID_NUMBER });
    let [ward, night] = ["ward", "night"].map(|who| nurse(&hospital, who, &number));
    let other = nurse(&hospital, "other", &json!({}));
    let pseudonym = entity(&hospital, &ward);
    assert_eq!(pseudonym, entity(&hospital, &night));
    assert!(pseudonym.starts_with("1@0000JM0") && pseudonym.len() == 35, "{pseudonym}");
    let doctor = entity(&hospital, &hospital.staff[DOCTOR.key]);
    let desk = entity(&hospital, &hospital.staff[DESK.key]);
    assert!(desk.starts_with("1@0000SB0"), "{desk}");
    let all = [pseudonym.clone(), entity(&hospital, &other), doctor, desk];
    assert_eq!(BTreeSet::from(all.clone()).len(), all.len());

    // The certificate that its holder has says so, and nothing that leads to the person.
    let certificate = hospital.stage.identity("ward").join("certificate.der");
    let der = std::fs::read(certificate).unwrap();
    let has = |part: &[u8]| der.windows(part.len()).any(|run| run == part);
    assert!(has(pseudonym.as_bytes()) && !has(ID_NUMBER.as_bytes()));
    // Who looks for one identity sees it.
    let find = ["identity", "find", "--number", "ward", "--institution", &hospital.institution_id];
    let found = hospital.granted(OPERATOR, &find);
    assert!(found.to_string().contains(&pseudonym), "{found}");
}

/// The settings with another table of identifiers.
fn with_table(settings: &str, table: &str) -> String {
    let begin = settings.find("[certificates]").unwrap();
    let end = settings.find("[time_stamps]").unwrap();
    format!("{}[certificates]\n{table}\n{}", &settings[..begin], &settings[end..])
}

#[test]
fn certificates_follow_the_table_of_their_day_and_those_of_before_stay_good() {
    let mut hospital = Hospital::open();
    let shipped = std::fs::read_to_string(hospital.stage.path("data/healthcard.toml")).unwrap();
    hospital.reconfigure(|settings| with_table(settings, "identifiers = []"));
    let nurse = nurse(&hospital, "nurse", &json!({}));
    assert_eq!(identifiers(&hospital, &nurse), [[]]);

    let table = "ca_code = '5013'\n\
         [[certificates.identifiers]]\noid = '1.2.86.21.1.1'\nencoding = 'utf8'\n\
         prefix = '1@{ca}JM0'\nvalue = 'pseudonym'\nprofiles = ['person']\n\
         [[certificates.identifiers]]\noid = '1.2.86.21.1.9'\nencoding = 'identify_code_officer'\n\
         value = 'staff_number'\nprofiles = ['person']\n\
         [[certificates.identifiers]]\noid = '1.2.156.10260.4.1.4'\nencoding = 'printable'\n\
         value = 'credit_code'\nprofiles = ['person']\n";
    hospital.reconfigure(|settings| with_table(settings, table));
    hospital.granted("nurse", &["session", "open"]);
    let serial = |at: usize| {
        let found = hospital.granted(OPERATOR, &["identity", "get", &nurse]);
        text(&found["certificates"][at], "serial")
    };
    let out = hospital.stage.path("records/renewed").to_string_lossy().into_owned();
    hospital.granted(OPERATOR, &["identity", "renew", "--serial", &serial(0), "--out", &out]);
    let all = identifiers(&hospital, &nurse);
    let [before, after] = &all[..] else { panic!("{all:?}") };
    assert_eq!(before, &[]);
    let code = service::demo::people::HOSPITAL.credit_code;
    let said = |at: usize| (after[at].0.as_str(), after[at].1.as_str());
    assert!(said(0).1.starts_with("1@5013JM0"), "{after:?}");
    let others = [("1.2.86.21.1.9", "nurse"), ("1.2.156.10260.4.1.4", code)];
    assert_eq!([said(1), said(2)], others);
    // Both are of one key, and both are good for logging in.
    hospital.granted("nurse", &["session", "open"]);
    let renewed = std::path::Path::new(&out).join("certificate.der");
    std::fs::copy(renewed, hospital.stage.identity("nurse").join("certificate.der")).unwrap();
    hospital.granted("nurse", &["session", "open"]);

    // A number that is an ID number is never certified.
    let id = newcomer(&hospital, ID_NUMBER, "nurse", &json!({ "department": "内科" }));
    let request = hospital.stage.identity(ID_NUMBER).join("request.der");
    let request = request.to_string_lossy();
    let order = ["enrolment", "enter", "--id", &id, "--request", &request];
    hospital.refused(OPERATOR, &order, "FIELD_INVALID");
    hospital.reconfigure(|_| shipped.clone());
    hospital.granted(OPERATOR, &order);
}

#[test]
fn a_pair_says_the_same_twice_and_what_two_persons_signed() {
    let mut hospital = Hospital::open();
    let id = newcomer(&hospital, "nurse", "nurse", &json!({ "department": "内科" }));
    let request = hospital.stage.identity("nurse").join("request.der");
    let order = ["enrolment", "enter", "--id", &id, "--pair", "--request"];
    let request = request.to_string_lossy();
    let order = [&order[..], &[&*request]].concat();
    let enrolment = text(&hospital.granted(OPERATOR, &order), "enrolment_id");
    let looked_at = hospital.granted(REVIEWER, &["enrolment", "review", &enrolment]);
    assert!(text(&looked_at["identifiers"][0], "text").starts_with("1@0000JM0"), "{looked_at}");
    // The table changes: a certificate would say something else than what was signed.
    hospital.reconfigure(|settings| settings.replace("\"0000\"", "\"5013\""));
    let out = hospital.stage.identity("nurse").to_string_lossy().into_owned();
    let approve = ["enrolment", "review", &enrolment, "--approve"];
    hospital.refused(REVIEWER, &approve, "ENROLMENT_IDENTIFIERS_DIFFER");
    hospital.granted(REVIEWER, &["enrolment", "review", &enrolment, "--reject", "设置有变更"]);
    let enrolment = text(&hospital.granted(OPERATOR, &order), "enrolment_id");
    hospital.granted(REVIEWER, &["enrolment", "review", &enrolment, "--approve", "--out", &out]);
    hospital.granted(OPERATOR, &["enrolment", "show", &enrolment]);
    let all = identifiers(&hospital, &id);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], all[1]);
    assert!(all[0][0].1.starts_with("1@5013JM0"), "{all:?}");
}
