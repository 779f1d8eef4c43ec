//! Warnings of misuse: raised of what the log says, told to whoever follows, found again, looked into by another person.

use std::net::Ipv4Addr;
use std::time::Duration;

use proto::v1::warnings_client::WarningsClient;
use proto::v1::{FollowWarningsRequest, Warning, WarningRule};
use serde_json::{Value, json};
use service::demo::people::{CLERK, COLLEAGUE, DOCTOR, PATIENT, SOMEBODY_ELSE, Staff};
use service::demo::programs::Program;
use service::init::OPERATOR;
use tests::city::City;
use tests::grpc::{log_in, log_in_from};
use tests::hospital::{Hospital, text};
use tests::relay::open_visit;
use tokio::time::timeout;
use tonic::Streaming;

/// A second auditor, who looks into what the first one did.
const AUDITOR: Staff =
    Staff { key: "second-auditor", role: "auditor", number: "A002", department: "", ..DOCTOR };
/// A clerk who has not seen the patient.
const OTHER_CLERK: Staff = Staff { key: "second-clerk", number: "C002", ..CLERK };
/// Somewhere else on this machine, of another network.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 9, 9, 9);

/// The night is aside, as a test may be run in it, and one look is enough where the rules have five.
fn tuned(settings: &str) -> String {
    settings
        .replace("[warnings.night_reading]\non = true", "[warnings.night_reading]\non = false")
        .replace(
            "[warnings.without_relation]\non = true\nresidents = 5",
            "[warnings.without_relation]\non = true\nresidents = 1",
        )
}

/// Those on record, the newest first, as soon as there are so many.
async fn raised(hospital: &Hospital, count: usize) -> Vec<Value> {
    let mut auditor = WarningsClient::new(log_in(&hospital.stage, "auditor").await);
    let all = FollowWarningsRequest { after_position: Some(0) };
    let mut stream = auditor.follow(all).await.unwrap().into_inner();
    for _ in 0..count {
        next(&mut stream).await;
    }
    let list = hospital.granted("auditor", &["warning", "list", "--all"]);
    list["warnings"].as_array().cloned().unwrap_or_default()
}

/// Somebody is here, elsewhere, and here again.
async fn at_two_places(hospital: &Hospital, who: &str) {
    log_in(&hospital.stage, who).await;
    log_in_from(&hospital.stage, who, ELSEWHERE).await;
    log_in(&hospital.stage, who).await;
}

async fn next(stream: &mut Streaming<Warning>) -> Warning {
    let next = timeout(Duration::from_secs(120), stream.message()).await;
    next.expect("a warning comes").unwrap().expect("the stream goes on")
}

/// What other settings would warn of.
fn tried(hospital: &Hospital, settings: &str) -> Value {
    let file = hospital.stage.write("records/tuned.toml", settings.as_bytes()).unwrap();
    let mut command = hospital.stage.programs().command(Program::Healthcardd);
    command.args(["warnings", "try", "--json", "--settings"]).arg(file);
    command.arg("--data").arg(hospital.stage.path("data"));
    let tried = hospital.stage.programs().finish(Program::Healthcardd, command).unwrap();
    assert_eq!(tried.code, 0, "{}", tried.stderr);
    serde_json::from_str(&tried.stdout).unwrap()
}

#[tokio::test]
async fn a_warning_is_raised_found_again_and_looked_into() {
    let mut hospital = Hospital::open();
    hospital.reconfigure(tuned);
    let visit = open_visit(&hospital).await;
    let wanted = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    let wanted = [&wanted[..], &["--audience", "emr.example"]].concat();
    hospital.granted(DOCTOR.key, &wanted);
    hospital.refused(COLLEAGUE.key, &wanted, "NO_RELATION");
    let found = raised(&hospital, 1).await;
    let warning = &found[0];
    assert_eq!(warning["rule"], "WARNING_RULE_WITHOUT_RELATION", "{warning}");
    assert_eq!(text(warning, "identity_id"), hospital.staff[COLLEAGUE.key]);
    assert!(text(warning, "found_zh").contains("1 名"), "{warning}");
    assert!(text(warning, "rule_en").contains("within 60 minutes"), "{warning}");

    // The card that opened the visit is read at another institution's desk at once.
    City::open(&hospital).await;
    let found = raised(&hospital, 2).await;
    assert_eq!(found[0]["rule"], "WARNING_RULE_CARD_AT_TWO_DESKS", "{found:?}");
    assert_eq!(text(&found[0], "card_id"), hospital.card_id);
    assert_eq!(text(&found[0], "resident_id"), hospital.resident_id);

    // What it rests on, and the same again.
    for warning in &found {
        let id = text(warning, "warning_id");
        let read = hospital.granted("auditor", &["warning", "get", &id]);
        let entries = read["entries"].as_array().unwrap();
        assert_eq!(entries.len(), warning["evidence"].as_array().unwrap().len(), "{read}");
        let again = hospital.granted("auditor", &["warning", "replay", &id]);
        assert_eq!((&again["same"], &again["found_en"]), (&json!(true), &warning["found_en"]));
    }
    let alerts = hospital.granted("auditor", &["audit", "search", "--alerts"]).to_string();
    assert!(alerts.contains("warning-without-relation"), "{alerts}");
    let id = text(warning, "warning_id");
    for order in [&["warning", "list"][..], &["warning", "rules"], &["warning", "get", &id]] {
        hospital.refused(DOCTOR.key, order, "ROLE_NOT_ALLOWED");
    }

    // The second time on a day is the same warning, also for a service that was cut off.
    hospital.refused(COLLEAGUE.key, &wanted, "NO_RELATION");
    hospital.stage.server().unwrap().kill();
    hospital.stage.serve().unwrap();
    hospital.refused(COLLEAGUE.key, &wanted, "NO_RELATION");
    // What comes later in the log is looked at later: the refusals brought nothing about.
    at_two_places(&hospital, DOCTOR.key).await;
    let three = raised(&hospital, 3).await;
    assert_eq!(three[0]["rule"], "WARNING_RULE_TWO_PLACES", "{three:?}");
    assert_eq!(three[1..], found);

    let note = hospital.stage.write("note", "当日会诊，科室已证实".as_bytes()).unwrap();
    let note = ["--note", note.to_str().unwrap()];
    let close = |id: &str| -> Vec<String> {
        let order = ["warning", "close", id, "--verdict", "explained"];
        [&order[..], &note].concat().into_iter().map(str::to_owned).collect()
    };
    let closed = |who: &str, id: &str| {
        let order = close(id);
        let order: Vec<_> = order.iter().map(String::as_str).collect();
        hospital.ask(who, &order)
    };
    let said = closed("auditor", &id).granted().unwrap();
    assert_eq!(text(&said, "note"), "当日会诊，科室已证实");
    closed("auditor", &id).refused("STATE_CONFLICT").unwrap();
    closed("auditor", &visit).refused("WARNING_NOT_FOUND").unwrap();
    let open = hospital.granted("auditor", &["warning", "list"]);
    assert_eq!(open["warnings"].as_array().unwrap().len(), 2, "{open}");

    // Other numbers, before they are set.
    let settings = std::fs::read_to_string(hospital.stage.path("data/healthcard.toml")).unwrap();
    let as_it_is = tried(&hospital, &settings);
    assert_eq!((&as_it_is["same"], &as_it_is["gone"]), (&json!(3), &json!([])), "{as_it_is}");
    let off = settings.replace(
        "[warnings.without_relation]\non = true",
        "[warnings.without_relation]\non = false",
    );
    let gone = tried(&hospital, &off);
    assert_eq!(gone["gone"][0]["rule"], "without-relation", "{gone}");
}

#[tokio::test]
async fn warnings_are_followed_and_nobody_closes_their_own() {
    let mut hospital = Hospital::open();
    hospital.reconfigure(tuned);
    let home = hospital.institution_id.clone();
    hospital.stage.engage(&home, &AUDITOR).unwrap();
    let mut second = WarningsClient::new(log_in(&hospital.stage, AUDITOR.key).await);
    let follow = FollowWarningsRequest { after_position: None };
    let mut stream = second.follow(follow).await.unwrap().into_inner();

    at_two_places(&hospital, "auditor").await;
    let warning = next(&mut stream).await;
    assert_eq!(warning.rule(), WarningRule::TwoPlaces, "{warning:?}");
    assert_eq!(warning.identity_id, hospital.staff["auditor"]);
    assert!(warning.found_en.contains(&ELSEWHERE.to_string()), "{warning:?}");
    assert_eq!(warning.evidence.len(), 3);

    let note = hospital.stage.write("note", "已核实".as_bytes()).unwrap();
    let id = &warning.warning_id;
    let order = ["warning", "close", id, "--verdict", "misuse", "--note", note.to_str().unwrap()];
    hospital.refused("auditor", &order, "SECOND_PERSON_REQUIRED");
    let closed = hospital.granted(AUDITOR.key, &order);
    assert_eq!(closed["verdict"], "WARNING_VERDICT_MISUSE", "{closed}");

    // Whoever comes back goes on after what they saw.
    let after = |position| FollowWarningsRequest { after_position: Some(position) };
    let mut again = second.follow(after(0)).await.unwrap().into_inner();
    assert_eq!(next(&mut again).await.log_position, warning.log_position);
    let too_many = second.follow(after(0)).await.unwrap_err();
    assert_eq!(tests::grpc::reason(&too_many), "RATE_LIMITED");
    drop((stream, again));

    // A colleague who is a patient here: told of, whoever looks.
    let patient = json!({
        "institution_id": home, "name": PATIENT.name, "number": "N900", "department": "内科",
        "id_number": PATIENT.id_number,
    });
    let file = hospital.record("identity.json", &patient);
    hospital.granted(OPERATOR, &["identity", "register", "--role", "nurse", "--file", &file]);
    hospital.stage.engage(&home, &OTHER_CLERK).unwrap();
    hospital.granted(OTHER_CLERK.key, &["resident", "get", &hospital.resident_id]);
    let found = raised(&hospital, 2).await;
    assert_eq!(found[0]["rule"], "WARNING_RULE_FAMILIAR_RESIDENT", "{found:?}");
    assert_eq!(text(&found[0], "found_en"), "saw data of a colleague");
    let id = text(&found[0], "warning_id");
    assert_eq!(hospital.granted("auditor", &["warning", "replay", &id])["same"], true);
}

#[tokio::test]
async fn a_spoiled_record_keeps_nobody_else_from_being_warned_of() {
    let mut hospital = Hospital::open();
    hospital.reconfigure(tuned);
    let resident = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let home = hospital.institution_id.clone();
    let reader = hospital.stage.engage(&home, &OTHER_CLERK).unwrap();
    assert_eq!(hospital.stage.server().unwrap().end().unwrap(), 0);
    let db = rusqlite::Connection::open(hospital.database()).unwrap();
    let spoil = "UPDATE identity SET sealed_name = zeroblob(length(sealed_name)) WHERE id = ?1";
    assert_eq!(db.execute(spoil, [&reader]).unwrap(), 1);
    drop(db);
    hospital.stage.serve().unwrap();
    // Whether they have the same name cannot be seen any more.
    hospital.granted(OTHER_CLERK.key, &["resident", "get", &resident]);
    at_two_places(&hospital, COLLEAGUE.key).await;
    let found = raised(&hospital, 1).await;
    assert_eq!(found[0]["rule"], "WARNING_RULE_TWO_PLACES", "{found:?}");
    let alerts = hospital.granted("auditor", &["audit", "search", "--alerts"]).to_string();
    assert!(alerts.contains("entry-not-looked-at"), "{alerts}");
}
