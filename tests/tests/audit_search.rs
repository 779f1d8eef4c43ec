//! What an auditor asks of the log: by what entries say, counted, followed, and given to other programs.

use std::{fs, process::Command};

use serde_json::Value;
use service::demo::people::{COLLEAGUE, DOCTOR};
use service::demo::programs::{Background, Program};
use service::demo::stage::PATIENCE;
use tests::hospital::{Hospital, text};
use tests::private::repository;
use tests::python::python;
use tests::relay::open_visit;

fn found(hospital: &Hospital, conditions: &[&str]) -> Vec<Value> {
    let order = [&["audit", "search", "--page-size", "500"], conditions].concat();
    let found = hospital.granted("auditor", &order);
    found["entries"].as_array().unwrap().iter().map(|it| it["entry"].clone()).collect()
}

fn counted(hospital: &Hospital, by: &str, conditions: &[&str]) -> Vec<(String, u64)> {
    let order = [&["audit", "count", "--by", by], conditions].concat();
    let counted = hospital.granted("auditor", &order);
    let counts = counted["counts"].as_array().unwrap().iter();
    counts.map(|it| (text(it, "value"), it["entries"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn questions_are_answered_counted_followed_and_written() {
    let hospital = Hospital::open();
    let stage = &hospital.stage;
    let follow = ["audit", "follow", "--reason", "NO_RELATION"];
    let mut following = {
        let command = stage.healthcard("auditor", &follow);
        Background::start(Program::Healthcard.name(), command, &stage.path("log/follow")).unwrap()
    };
    // It follows once that is in the log.
    while !found(&hospital, &["--action", "audit.read"])
        .iter()
        .any(|it| it["detail"]["kind"] == "follow")
    {}
    let visit = open_visit(&hospital).await;
    let wanted = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    let wanted = [&wanted[..], &["--audience", "emr"]].concat();
    hospital.granted(DOCTOR.key, &wanted);
    for _ in 0..2 {
        hospital.refused(COLLEAGUE.key, &wanted, "NO_RELATION");
    }
    let told: Value = following
        .wait_for("an entry", PATIENCE, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            event["entry"].is_object().then_some(event)
        })
        .unwrap();
    assert_eq!(told["entry"]["detail"]["reason"], "NO_RELATION", "{told}");
    assert_eq!(told["entry"]["action"], "token.issue", "{told}");

    let resident = ["--resident", &hospital.resident_id];
    let opened = found(&hospital, &[&["--question", "who-opened"], &resident[..]].concat());
    assert!(
        opened.iter().any(|it| it["action"] == "token.issue" && it["actor"]["role"] == "doctor")
    );
    assert!(
        opened
            .iter()
            .all(|it| it["outcome"] == "granted" && it["resident"] == *hospital.resident_id)
    );
    let refused = found(&hospital, &["--question", "refusals", "--role", "doctor"]);
    assert_eq!(refused.len(), 2, "{refused:?}");
    let by_rule = counted(&hospital, "rule", &["--question", "refusals"]);
    assert_eq!(by_rule[0], ("relation-to-resident".to_owned(), 2), "{by_rule:?}");
    let by_day = counted(&hospital, "day", &["--reason", "NO_RELATION"]);
    assert_eq!(by_day.iter().map(|it| it.1).sum::<u64>(), 2, "{by_day:?}");
    let rule = ["--rule", "doctor-treats", "--purpose", "treatment", "--address", "127.0.0.1"];
    let all = [&rule[..], &["--institution", &hospital.institution_id]].concat();
    assert_eq!(found(&hospital, &all).len(), 1);
    // What was asked is in the log, and what is no condition is refused before that.
    let asked = &found(&hospital, &["--action", "audit.read"])[1];
    assert_eq!(
        (&asked["detail"]["rule"], &asked["detail"]["kind"]),
        (&"doctor-treats".into(), &"search".into())
    );
    for wrong in [
        &["--question", "who-opened"][..],
        &["--rule", "x' OR 1"],
        &["--reason", "NOT_A_REASON"],
        &["--address", "010.0.0.1"],
        &["--institution", "x"],
    ] {
        let order = [&["audit", "search"], wrong].concat();
        hospital.refused("auditor", &order, "FIELD_INVALID");
    }
    hospital.refused(DOCTOR.key, &["audit", "count", "--by", "day"], "ROLE_NOT_ALLOWED");
    hospital.refused(DOCTOR.key, &["audit", "follow"], "ROLE_NOT_ALLOWED");

    // All of it, for other programs.
    let file = |name: &str| stage.path("log").join(name).to_string_lossy().into_owned();
    let (table, events) = (file("entries.csv"), file("entries.json"));
    let everything = hospital.granted("auditor", &["audit", "search", "--out", &table]);
    let table = fs::read_to_string(table).unwrap();
    let lines = table.strip_prefix('\u{feff}').unwrap().lines().count() as u64;
    assert_eq!(everything["entries"].as_u64().unwrap() + 1, lines);
    assert!(table.contains(",token.issue,refused,NO_RELATION,"), "{table}");
    let order = ["audit", "search", "--form", "fhir", "--reason", "NO_RELATION", "--out", &events];
    hospital.granted("auditor", &order);
    let bundle: Value = serde_json::from_slice(&fs::read(events).unwrap()).unwrap();
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&"Bundle".into(), &"collection".into())
    );
    let event = &bundle["entry"][0]["resource"];
    assert_eq!(
        (&event["outcome"], &event["outcomeDesc"]),
        (&"4".into(), &"NO_RELATION".into()),
        "{event}"
    );
    assert_eq!(event["purposeOfEvent"][0]["coding"][0]["code"], "TREAT", "{event}");
    assert_eq!(event["entity"][0]["what"]["identifier"]["value"], *hospital.resident_id, "{event}");

    // Every kind of entry that there is, as the models of others read R4.
    let events = file("everything.json");
    let all = hospital.granted("auditor", &["audit", "search", "--form", "fhir", "--out", &events]);
    let read = Command::new(python())
        .args([repository().join("tests/interop/fhir_check.py").as_os_str(), events.as_ref()])
        .output()
        .unwrap();
    let refused = String::from_utf8_lossy(&read.stderr);
    assert_eq!(
        String::from_utf8_lossy(&read.stdout).trim(),
        all["entries"].to_string(),
        "{refused}"
    );
    let bundle: Value = serde_json::from_slice(&fs::read(events).unwrap()).unwrap();
    for entry in bundle["entry"].as_array().unwrap() {
        well_formed(&entry["resource"]);
    }
}

/// FHIR R4 AuditEvent beyond its structure: what the required bindings allow, and how it is named.
fn well_formed(event: &Value) {
    assert_eq!(event["resourceType"], "AuditEvent");
    assert!(event["type"]["system"].is_string(), "{event}");
    assert!(event["recorded"].as_str().unwrap().ends_with('Z'), "{event}");
    assert!(["C", "R", "U", "D", "E"].contains(&event["action"].as_str().unwrap()), "{event}");
    assert!(["0", "4", "8", "12"].contains(&event["outcome"].as_str().unwrap()), "{event}");
    let id = event["id"].as_str().unwrap();
    assert!(id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{id}");
    let agents = event["agent"].as_array().unwrap();
    assert!(!agents.is_empty(), "{event}");
    assert!(event["source"]["observer"]["identifier"]["value"].is_string(), "{event}");
    for entity in event["entity"].as_array().into_iter().flatten() {
        for detail in entity["detail"].as_array().into_iter().flatten() {
            assert!(detail["type"].is_string() && detail["valueString"].is_string(), "{event}");
        }
    }
}
