//! Other numbers of residents, residents who look alike, and guardians: two hospitals on one service.

use proto::v1::residents_client::ResidentsClient;
use proto::v1::{
    Basis, BindNumberRequest, FindByNumberRequest, NumberKind, RegisterResidentRequest,
    ResidentNumber,
};
use serde_json::{Value, json};
use service::demo::people::{AUDITOR, CLERK, DOCTOR, Institution, PATIENT, SOMEBODY_ELSE, Staff};
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, text};
use tests::relay::{Relay, card, present};
use tonic::Status;
use tonic_types::StatusExt as _;

/// A second hospital on the same service.
const ELSEWHERE: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构县中医院", region: "990000" };
const CLERK_ELSEWHERE: Staff = Staff { key: "clerk-elsewhere", ..CLERK };

/// ID numbers of the patient's date of birth, and of a child and an adult. Nobody has them.
const SAME_BIRTH_DATE: [&str; 3] =
    ["990000194906120031", "990000194906120058", "990000194906120074"];
const CHILD: (&str, &str) = ("990000201605040014", "2034-05-04");
const ADULT: &str = "990000198505040012";

/// A file for the command line.
fn file(hospital: &Hospital, name: &str, content: &[u8]) -> String {
    let path = hospital.stage.write(&format!("records/{name}"), content).unwrap();
    path.to_string_lossy().into_owned()
}

fn person(hospital: &Hospital, name: &str, id_number: &str) -> String {
    let record = json!({ "name": name, "id_number": id_number });
    file(hospital, "person.json", record.to_string().as_bytes())
}

fn registered(hospital: &Hospital, name: &str, id_number: &str) -> String {
    let file = person(hospital, name, id_number);
    let made = hospital.granted(CLERK.key, &["resident", "register", "--file", &file]);
    text(&made, "resident_id")
}

/// `--kind` and `--file` of a number.
fn number(hospital: &Hospital, kind: &str, issuer: &str, number: &str) -> [String; 4] {
    let record = json!({ "issuer": issuer, "number": number });
    let file = file(hospital, "number.json", record.to_string().as_bytes());
    ["--kind".to_owned(), kind.to_owned(), "--file".to_owned(), file]
}

fn line<'a>(parts: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    parts.iter().copied().chain(more.iter().map(String::as_str)).collect()
}

fn bind<'a>(resident: &'a str, basis: &'a str, number: &'a [String]) -> Vec<&'a str> {
    line(&["resident", "bind", "--resident", resident, "--basis", basis], number)
}

/// A decision as the command line takes it.
fn decided<'a>(asked: &'a Value, decision: &'a str, grounds: &'a str) -> [&'a str; 6] {
    let case = asked["case"].as_str().unwrap();
    ["--case", case, "--decide", decision, "--grounds", grounds]
}

/// The entries of an act, oldest first.
fn entries(hospital: &Hospital, action: &str) -> Vec<Value> {
    let found = hospital.granted(AUDITOR.key, &["audit", "search", "--action", action]);
    let entries = found["entries"].as_array().unwrap();
    entries.iter().rev().map(|found| found["entry"].clone()).collect()
}

#[test]
fn a_number_is_bound_found_taken_back_and_bound_to_another() {
    let hospital = Hospital::open();
    let other = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let patient = hospital.resident_id.as_str();
    let passport = number(&hospital, "passport", "chn", "ｅａ9900017");
    let find = line(&["resident", "find-number"], &passport);
    hospital.refused(CLERK.key, &find, "RESIDENT_NOT_FOUND");

    let scan = file(&hospital, "scan.png", b"abc");
    let mut order = bind(patient, "document-seen", &passport);
    order.extend(["--scan", &scan]);
    let binding = text(&hospital.granted(CLERK.key, &order), "binding_id");
    assert_eq!(text(&hospital.granted(CLERK.key, &find), "resident_id"), patient);
    hospital.refused(CLERK.key, &order, "ALREADY_REGISTERED");
    // Who did it, on what ground; no number.
    let entry = &entries(&hospital, "number.bind")[0];
    assert_eq!(entry["object"], json!({ "kind": "binding", "id": binding }));
    assert_eq!(entry["resident"], patient);
    assert_eq!(entry["actor"]["identity"], hospital.staff[CLERK.key]);
    // SM3 of "abc": GB/T 32905-2016, A.1.
    let digest = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
    let detail = json!({
        "kind": "passport", "basis": "document-seen", "scan_digest": digest,
    });
    assert_eq!(entry["detail"], detail);

    // Taken back, with a reason; its history stays.
    let note = file(&hospital, "note.txt", "扫描时拿错了护照".as_bytes());
    let unbind = ["resident", "unbind", &binding, "--reason", "mistake"];
    let refused = hospital.refused(CLERK.key, &unbind, "FIELD_INVALID");
    assert_eq!(refused["field"], "note");
    let unbind = [&unbind[..], &["--note", &note]].concat();
    let ended = hospital.granted(CLERK.key, &unbind);
    assert_eq!(ended["number"]["number"], "EA9900017", "one spelling: {ended}");
    hospital.refused(CLERK.key, &find, "RESIDENT_NOT_FOUND");
    hospital.refused(CLERK.key, &unbind, "STATE_CONFLICT");
    let nobody = "01900000-0000-7000-8000-000000000000";
    let unknown = ["resident", "unbind", nobody, "--reason", "replaced"];
    hospital.refused(CLERK.key, &unknown, "BINDING_NOT_FOUND");

    hospital.granted(CLERK.key, &bind(&other, "document-seen", &passport));
    assert_eq!(text(&hospital.granted(CLERK.key, &find), "resident_id"), other);
    let history = hospital.granted(CLERK.key, &["resident", "bindings", patient]);
    let bindings = history["bindings"].as_array().unwrap();
    assert_eq!(bindings.len(), 1);
    assert_eq!(bindings[0]["end_reason"], "BINDING_END_MISTAKE");
    assert_eq!(bindings[0]["note"], "扫描时拿错了护照");
    assert_eq!(bindings[0]["ended_by"], hospital.staff[CLERK.key]);

    // What has no such form, basis that is not there, and roles that may not.
    for (kind, issuer, wrong, field) in [
        ("passport", "CHN", "EI9900017", "number.number"),
        ("passport", "", "EA9900017", "number.issuer"),
        ("taiwan-permit", "", "1234567", "number.number"),
        ("social-security-card", "99", "Z99000017", "number.issuer"),
        ("medical-record", nobody, "1", "number.issuer"),
    ] {
        let number = number(&hospital, kind, issuer, wrong);
        let order = bind(patient, "document-seen", &number);
        let refused = hospital.refused(CLERK.key, &order, "FIELD_INVALID");
        assert_eq!(refused["field"], field, "{kind} {wrong}");
    }
    let record = number(&hospital, "medical-record", "", "ZY0017");
    hospital.refused(CLERK.key, &bind(patient, "presence", &record), "PRESENCE_INVALID");
    for who in [DOCTOR.key, AUDITOR.key, "operator"] {
        hospital.refused(who, &bind(patient, "own-records", &record), "ROLE_NOT_ALLOWED");
        hospital.refused(who, &["resident", "bindings", patient], "ROLE_NOT_ALLOWED");
    }
    hospital.granted(CLERK.key, &bind(patient, "own-records", &record));
}

#[test]
fn look_alikes_are_decided_by_staff_and_recorded() {
    let mut hospital = Hospital::open();
    let patient = hospital.resident_id.clone();
    let [second, third, fourth] = SAME_BIRTH_DATE;
    // As another keyboard writes the name.
    let typed = "张　演示";
    let twin = person(&hospital, typed, second);
    let register = ["resident", "register", "--file", &twin];
    let asked = hospital.refused(CLERK.key, &register, "LOOK_ALIKE");
    assert_eq!(asked["rules"], json!(["name-and-birth-date"]));
    assert_eq!((&asked["here"], &asked["elsewhere"]), (&json!([patient]), &json!(0)));

    let grounds = file(&hospital, "grounds.txt", "两人身份证原件均已查验".as_bytes());
    let say = |asked: &Value, decision| {
        let decision = decided(asked, decision, &grounds);
        [&register[..], &decision[..]].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // A decision is about one question.
    let other = json!({ "case": "00".repeat(32) });
    let wrong = say(&other, "different-people");
    hospital.refused(CLERK.key, &line(&[], &wrong), "LOOK_ALIKE");
    let same = say(&asked, "same-person");
    let stopped = hospital.granted(CLERK.key, &line(&[], &same));
    assert_eq!((&stopped["stopped"], &stopped["resident_id"]), (&json!(true), &json!("")));
    let different = say(&asked, "different-people");
    let made = hospital.granted(CLERK.key, &line(&[], &different));
    let second = text(&made, "resident_id");

    // Both decisions are in the log, with whom they were about; grounds are not.
    let stop = &entries(&hospital, "look-alike.decide")[0];
    assert_eq!(
        (&stop["resident"], &stop["detail"]["look_alike"]),
        (&json!(patient), &json!(patient))
    );
    assert_eq!(stop["detail"]["verdict"], "same-person");
    let registrations = entries(&hospital, "resident.register");
    let went_on = registrations.last().unwrap();
    assert_eq!(went_on["resident"], second.as_str());
    assert_eq!(went_on["detail"]["look_alike"], patient.as_str());
    assert_eq!(went_on["detail"]["case"], asked["case"]);
    let refusals = registrations.iter().filter(|e| e["detail"]["reason"] == "LOOK_ALIKE");
    assert_eq!(refusals.count(), 2);
    let history = hospital.granted(CLERK.key, &["resident", "bindings", &second]);
    let decision = &history["decisions"][0];
    assert_eq!(decision["verdict"], "LOOK_ALIKE_VERDICT_DIFFERENT_PEOPLE");
    assert_eq!(decision["grounds"], "两人身份证原件均已查验");
    assert_eq!(decision["here"], json!([patient]));
    assert_eq!(decision["identity_id"], hospital.staff[CLERK.key]);

    // One number on two people.
    let social = number(&hospital, "social-security-card", "990000", "Z99000017");
    hospital.granted(CLERK.key, &bind(&patient, "document-seen", &social));
    let order = bind(&second, "document-seen", &social);
    let asked = hospital.refused(CLERK.key, &order, "LOOK_ALIKE");
    assert_eq!(asked["rules"], json!(["number"]), "told apart before: {asked}");
    let decision = decided(&asked, "different-people", &grounds);
    hospital.granted(CLERK.key, &[&order[..], &decision[..]].concat());
    let find = line(&["resident", "find-number"], &social);
    let shared = hospital.refused(CLERK.key, &find, "NUMBER_SHARED");
    assert_eq!(shared["here"], json!([patient, second]));

    // A decision with nothing to decide, and an ID number that is on record.
    let nobody_like_it = person(&hospital, "王无双", ADULT);
    let register = ["resident", "register", "--file", &nobody_like_it];
    let decision = decided(&asked, "different-people", &grounds);
    hospital.refused(CLERK.key, &[&register[..], &decision[..]].concat(), "STATE_CONFLICT");
    hospital.granted(CLERK.key, &register);
    hospital.refused(CLERK.key, &register, "ALREADY_REGISTERED");

    // Another hospital learns that there are two, and nothing of them.
    let elsewhere = hospital.stage.register_institution(&ELSEWHERE).unwrap();
    hospital.stage.engage(&elsewhere, &CLERK_ELSEWHERE).unwrap();
    let third = person(&hospital, PATIENT.name, third);
    let register = ["resident", "register", "--file", &third];
    let asked = hospital.refused(CLERK_ELSEWHERE.key, &register, "LOOK_ALIKE");
    assert_eq!((&asked["here"], &asked["elsewhere"]), (&json!([]), &json!(2)));
    assert!(!asked.to_string().contains(&patient) && !asked.to_string().contains(&second));
    hospital.refused(CLERK_ELSEWHERE.key, &find, "NUMBER_SHARED");

    // Residents of before are compared as well: this is how the database was before it was updated.
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let before = "DELETE FROM candidate; DELETE FROM decision; DELETE FROM likeness;
                  INSERT INTO unlikened SELECT id FROM resident;";
    db.execute_batch(before).unwrap();
    drop(db);
    hospital.stage.serve().unwrap();
    let fourth = person(&hospital, typed, fourth);
    let register = ["resident", "register", "--file", &fourth];
    let asked = hospital.refused(CLERK.key, &register, "LOOK_ALIKE");
    assert_eq!(asked["here"], json!([patient, second]));
    let filled = &entries(&hospital, "likeness.fill")[0];
    assert_eq!(
        (&filled["detail"]["residents"], &filled["actor"]["role"]),
        (&json!("3"), &json!("service"))
    );
}

#[test]
fn a_guardian_has_scope_and_end() {
    let hospital = Hospital::open();
    let (id_number, of_age) = CHILD;
    let child = registered(&hospital, "李小样", id_number);
    let parent = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let elder = hospital.resident_id.as_str();
    let add = |ward: &str, guardian: &str, more: &[&str]| {
        let order = [
            "resident",
            "guardian",
            "add",
            "--ward",
            ward,
            "--guardian",
            guardian,
            "--kinship",
            "parent",
            "--scopes",
            "present-card,consent",
            "--basis",
            "document-seen",
        ];
        hospital.ask(CLERK.key, &[&order[..], more].concat())
    };
    let refused = |ward: &str, guardian: &str, more: &[&str], reason: &str| {
        add(ward, guardian, more).refused(reason).unwrap_or_else(|error| panic!("{error}"))
    };
    let made = add(&child, &parent, &[]).granted().unwrap();
    assert_eq!(made["ends_on"], of_age, "the 18th birthday");
    assert_eq!(made["stands"], true);
    refused(&child, &parent, &[], "ALREADY_REGISTERED");
    refused(&child, &child, &[], "GUARDIAN_CIRCLE");
    refused(elder, &child, &["--ends-on", "2099-01-01"], "GUARDIAN_NOT_OF_AGE");
    let late = refused(&child, elder, &["--ends-on", "2034-05-05"], "FIELD_INVALID");
    assert_eq!(late["field"], "ends_on");
    // An adult's needs an end.
    let open = refused(elder, &parent, &[], "FIELD_INVALID");
    assert_eq!(open["field"], "ends_on");
    let until = "2099-12-31";
    add(elder, &parent, &["--ends-on", until]).granted().unwrap();
    refused(&parent, elder, &["--ends-on", until], "GUARDIAN_CIRCLE");
    let third = registered(&hospital, "赵第三", ADULT);
    add(&parent, &third, &["--ends-on", until]).granted().unwrap();
    refused(&third, elder, &["--ends-on", until], "GUARDIAN_CIRCLE");

    let both = hospital.granted(CLERK.key, &["resident", "guardian", "list", &parent]);
    let others = |way: &str, other: &str| -> Vec<String> {
        both[way].as_array().unwrap().iter().map(|g| text(g, other)).collect()
    };
    assert_eq!(others("guardians", "guardian_id"), [third]);
    assert_eq!(others("wards", "ward_id"), [elder.to_owned(), child.clone()]);

    let note = file(&hospital, "note.txt", "监护权已变更".as_bytes());
    let id = text(&made, "guardianship_id");
    let end = ["resident", "guardian", "end", &id, "--note", &note];
    let ended = hospital.granted(CLERK.key, &end);
    assert_eq!((&ended["stands"], &ended["note"]), (&json!(false), &json!("监护权已变更")));
    hospital.refused(CLERK.key, &end, "STATE_CONFLICT");
    let entry = &entries(&hospital, "guardian.add")[0];
    assert_eq!(entry["resident"], child.as_str());
    assert_eq!(entry["detail"]["guardian"], parent.as_str());
    let said = entry.to_string();
    assert!(!said.contains(of_age), "a child's birthday is not in the log: {said}");
    for who in [DOCTOR.key, AUDITOR.key] {
        hospital.refused(who, &["resident", "guardian", "list", elder], "ROLE_NOT_ALLOWED");
    }
}

fn metadata(status: &Status, key: &str) -> String {
    let info = status.get_details_error_info().unwrap();
    info.metadata.get(key).cloned().unwrap_or_default()
}

#[tokio::test]
async fn another_hospital_binds_its_own_numbers_with_the_card_in_its_reader() {
    let hospital = Hospital::open();
    let elsewhere = hospital.stage.register_institution(&ELSEWHERE).unwrap();
    hospital.stage.engage(&elsewhere, &CLERK_ELSEWHERE).unwrap();
    let caller = log_in(&hospital.stage, CLERK_ELSEWHERE.key).await;
    let mut residents = ResidentsClient::new(caller.clone());
    let number = |issuer: &str| {
        let kind = NumberKind::Patient.into();
        Some(ResidentNumber { kind, issuer: issuer.to_owned(), number: "MZ-000017".to_owned() })
    };
    let order = BindNumberRequest {
        resident_id: hospital.resident_id.clone(),
        number: number(""),
        basis: Basis::Presence.into(),
        ..BindNumberRequest::default()
    };
    let refused = residents.bind(order.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "REGISTERED_ELSEWHERE");
    // Whoever holds a paper of the other hospital cannot vouch for its numbers.
    let theirs = BindNumberRequest { number: number(&hospital.institution_id), ..order.clone() };
    let refused = residents.bind(theirs).await.unwrap_err();
    assert_eq!(
        (reason(&refused), metadata(&refused, "field")),
        ("FIELD_INVALID".into(), "number.issuer".into())
    );

    let mut relay = Relay::open(caller).await.unwrap();
    let reading = present(&mut relay, &mut card(&hospital.card_image())).await.reading();
    assert_eq!(reading.resident_id, hospital.resident_id);
    residents.bind(order.clone()).await.unwrap();
    let found = residents.find_by_number(FindByNumberRequest { number: number("") }).await.unwrap();
    assert_eq!(found.into_inner().resident_id, hospital.resident_id);

    // The same number at the first hospital is another number.
    let mut at_home = ResidentsClient::new(log_in(&hospital.stage, CLERK.key).await);
    let refused = at_home.find_by_number(FindByNumberRequest { number: number("") }).await;
    assert_eq!(reason(&refused.unwrap_err()), "RESIDENT_NOT_FOUND");
    let found = at_home.find_by_number(FindByNumberRequest { number: number(&elsewhere) }).await;
    assert_eq!(found.unwrap().into_inner().resident_id, hospital.resident_id);

    // Two who look alike come at the same moment: one is registered, the other asked about.
    let people = SAME_BIRTH_DATE[..2].iter().map(|id_number| RegisterResidentRequest {
        name: "吴同名".to_owned(),
        id_number: (*id_number).to_owned(),
        ..RegisterResidentRequest::default()
    });
    let mut calls = tokio::task::JoinSet::new();
    for person in people {
        let mut at_home = at_home.clone();
        calls.spawn(async move { at_home.register(person).await });
    }
    let mut reasons = Vec::new();
    while let Some(answer) = calls.join_next().await {
        reasons.push(answer.unwrap().map_or_else(|status| reason(&status), |_| String::new()));
    }
    reasons.sort();
    assert_eq!(reasons, ["", "LOOK_ALIKE"]);
}
