//! A service goes over its own log: what somebody did to it is named, while it serves, and nothing else is.

use std::time::Instant;

use rusqlite::Connection;
use serde_json::Value;
use service::demo::programs::Program;
use service::demo::stage::PATIENCE;
use tests::{
    hospital::{Hospital, text},
    http,
};

fn open() -> Hospital {
    let mut hospital = Hospital::open();
    hospital.reconfigure(|it| it.replace("[scrub]\nround = 86400", "[scrub]\nround = 1"));
    hospital
}

fn scrub(hospital: &Hospital) -> Value {
    hospital.granted("operator", &["status"])["scrub"].take()
}

/// What a whole round finds that begins from now on, each as kind and numbers.
#[track_caller]
fn round(hospital: &Hospital) -> Vec<String> {
    let begin = Instant::now();
    // One may be under way that is beyond what was done; the next is not.
    let mut ends = vec![scrub(hospital)["done_at"].clone()];
    loop {
        let state = scrub(hospital);
        if *ends.last().unwrap() != state["done_at"] {
            ends.push(state["done_at"].clone());
        }
        if ends.len() == 3 {
            let none = Vec::new();
            let found = state["findings"].as_array().unwrap_or(&none).iter();
            return found.map(|it| format!("{} {}", text(it, "kind"), it["numbers"])).collect();
        }
        assert!(begin.elapsed() < PATIENCE, "no round ends: {state}");
    }
}

fn alerts(hospital: &Hospital) -> Vec<Value> {
    let search = ["audit", "search", "--action", "audit.scrub", "--alerts"];
    hospital.granted("auditor", &search)["entries"].as_array().unwrap().clone()
}

#[test]
fn a_whole_log_gives_no_finding_over_rounds_and_restarts() {
    let mut hospital = open();
    for _ in 0..2 {
        assert_eq!(round(&hospital), [""; 0]);
        let done = scrub(&hospital);
        hospital.restart();
        let kept = scrub(&hospital);
        let size = |state: &Value| state["done_size"].as_u64().unwrap();
        assert!(size(&kept) >= size(&done), "{kept} after {done}");
    }
    assert_eq!(round(&hospital), [""; 0]);
    assert!(alerts(&hospital).is_empty());
}

#[test]
fn what_was_done_to_the_log_of_a_running_service_is_named() {
    let hospital = open();
    let database = Connection::open(hospital.database()).unwrap();
    let mut expected: Vec<String> = Vec::new();
    #[rustfmt::skip]
    let cases = [
        ("UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), 'granted', 'refused') AS BLOB) WHERE position = 3",
         "altered [3]"),
        ("UPDATE leaf SET visit = 'another' WHERE position = 5", "column [5,6]"),
        ("DELETE FROM leaf WHERE position = 7", "missing [7,8]"),
        ("UPDATE checkpoint SET note = replace(note, char(10), char(10) || '1') WHERE size = 0", "checkpoint_altered [0]"),
    ];
    for (sql, finding) in cases {
        database.execute_batch(sql).unwrap();
        expected.push(finding.to_owned());
        expected.sort();
        let mut found = round(&hospital);
        found.sort();
        assert_eq!(found, expected, "{sql}");
    }
    // It goes on serving, says so to whoever looks, and once to whoever reads the log.
    assert_eq!(round(&hospital).len(), expected.len());
    let alerts = alerts(&hospital);
    assert_eq!(alerts.len(), expected.len(), "{alerts:?}");
    assert!(alerts.iter().all(|it| it["entry"]["detail"]["alert"] == "log-damaged"), "{alerts:?}");
    let (head, body) = http::get(&hospital, "/healthz");
    let told = String::from_utf8(body).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        told.contains("the log is not what was signed (4 findings): entry 3 was altered"),
        "{told}"
    );
    let stage = &hospital.stage;
    let mut command = stage.programs().command(Program::Healthcard);
    command.args(["--lang", "zh", "--server", &stage.url()]).arg("--tls-ca");
    command.arg(stage.tls_authority()).arg("--as").arg(stage.identity("operator")).arg("status");
    let shown = stage.programs().finish(Program::Healthcard, command).unwrap().stdout;
    assert!(shown.contains("第 3 条被改动") && shown.contains("日志自查"), "{shown}");
}
