//! Erasure of a resident through the programs: it takes two people and a ground, nothing of the person is left in any file
//! of the data directory, the log stays valid and proves it, and neither a kill nor an older copy brings anybody back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proto::v1::residents_client::ResidentsClient;
use proto::v1::{
    ErasureBasis, ErasuresRequest, OrderErasureRequest, ReviewErasureRequest,
    review_erasure_request::Verdict,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use service::demo::people::{
    AUDITOR, CLERK, COLLEAGUE, DESK, DOCTOR, Institution, PATIENT, SOMEBODY_ELSE, Staff,
};
use service::demo::programs::Program;
use service::demo::stage::{OPERATOR, VALID_UNTIL};
use service::demo::tamper;
use tests::counter::Counter;
use tests::failing_disk::{Errno, FailingDisk, Fault, calls, files};
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, text};
use tests::python::AuditCheck;
use tests::relay::{Relay, card, open_visit, present};

const SECOND_CLERK: Staff =
    Staff { key: "second-clerk", name: "郑窗口", number: "C002", ..CLERK };
const ELSEWHERE: Institution =
    Institution { credit_code: "91350100M000100Y43", name: "虚构县中医院", region: "990000" };
const CLERK_ELSEWHERE: Staff = Staff { key: "clerk-elsewhere", ..CLERK };
const ORDER: &str = "(2026)浙01行初12号";
const CHILD: &str = "990000201605040014";

fn hospital() -> Hospital {
    let hospital = Hospital::open();
    hospital.stage.engage(&hospital.institution_id, &SECOND_CLERK).unwrap();
    hospital
}

fn file(hospital: &Hospital, name: &str, words: &str) -> String {
    let path = hospital.stage.write(&format!("records/{name}"), words.as_bytes()).unwrap();
    path.to_string_lossy().into_owned()
}

/// Enters the erasure of a resident by an order; its id.
fn enter(hospital: &Hospital, resident: &str) -> String {
    let order = file(hospital, "order.txt", ORDER);
    let order = ["resident", "erase", resident, "--basis", "order", "--order", &order];
    text(&hospital.granted(CLERK.key, &order)["erasure"], "erasure_id")
}

/// What `healthcardd check-erased` says.
fn check_erased(hospital: &Hospital, resident: &str) -> (i32, String) {
    let programs = hospital.stage.programs();
    let mut command = programs.command(Program::Healthcardd);
    command.args(["check-erased", resident, "--data"]).arg(hospital.stage.path("data"));
    let finished = programs.finish(Program::Healthcardd, command).unwrap();
    (finished.code, finished.stdout + &finished.stderr)
}

/// Every octet string of more than 16 octets that the database has in a row of this resident, by table and column.
fn octets_of(hospital: &Hospital, resident: &str) -> BTreeMap<String, Vec<u8>> {
    let copy = hospital.stage.path("log/of-resident.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    let db = Connection::open(&copy).unwrap();
    let mut columns = db
        .prepare(
            "SELECT m.name, c.name, (SELECT group_concat(name) FROM pragma_table_info(m.name)) FROM sqlite_schema m,
                 pragma_table_info(m.name) c WHERE m.type = 'table' AND c.type = 'BLOB'",
        )
        .unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let mut found = BTreeMap::new();
    for column in columns {
        let (table, column, all): (String, String, String) = column.unwrap();
        let whose = match table.as_str() {
            "resident" => "id",
            "guardianship" => "ward",
            _ if all.split(',').any(|it| it == "resident")
                && table != "leaf"
                && table != "token" =>
            {
                "resident"
            }
            _ => continue,
        };
        let mut select =
            db.prepare(&format!("SELECT {column} FROM {table} WHERE {whose} = ?1")).unwrap();
        let values = select.query_map([resident], |row| row.get::<_, Option<Vec<u8>>>(0)).unwrap();
        for (number, value) in values.map(Result::unwrap).enumerate() {
            if let Some(value) = value.filter(|value| value.len() > 16) {
                found.insert(format!("{table}.{column} {number}"), value);
            }
        }
    }
    // The session that a presence is of is the clerk's, and goes on.
    found.retain(|what, _| !what.starts_with("presence.session"));
    found
}

/// Which of these stand in a file of the data directory.
fn standing(hospital: &Hospital, values: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut found = Vec::new();
    for file in every_file(&hospital.stage.path("data")) {
        let content = fs::read(&file).unwrap();
        let stands = |value: &[u8]| content.windows(value.len()).any(|octets| octets == value);
        let here = values.iter().filter(|(_, value)| stands(value));
        found.extend(here.map(|(what, _)| format!("{what} in {}", file.display())));
    }
    found
}

fn every_file(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { every_file(&path) } else { vec![path] }).collect()
}

fn log_copy(hospital: &Hospital) -> PathBuf {
    let copy = hospital.stage.path("log/copy.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    copy
}

/// Has our checker and the one in Python say that a file is valid.
fn valid(hospital: &Hospital, python: &mut AuditCheck, file: &Path) -> Value {
    let checked = hospital.check_log(file);
    assert_eq!(checked.code, 0, "{}: {}", file.display(), checked.body);
    assert_eq!(checked.body["verdict"], "valid");
    assert_eq!(python.ask(file)["verdict"], "valid", "{}", file.display());
    checked.body
}

/// Puts something on record of the patient in every way that a clerk and a doctor have.
async fn lived_in(hospital: &Hospital) -> (String, String) {
    let resident = hospital.resident_id.as_str();
    let number = json!({ "issuer": "CHN", "number": "EA9900017" }).to_string();
    let number = file(hospital, "number.json", &number);
    let bind = ["resident", "bind", "--resident", resident, "--basis", "document-seen"];
    let number = ["--kind", "passport", "--file", &number];
    hospital.granted(CLERK.key, &[&bind[..], &number].concat());
    hospital.granted(CLERK.key, &["card", "code", "apply", "--resident", resident]);
    let child = json!({ "name": "周小样", "id_number": CHILD }).to_string();
    let child = file(hospital, "child.json", &child);
    let child = text(
        &hospital.granted(CLERK.key, &["resident", "register", "--file", &child]),
        "resident_id",
    );
    #[rustfmt::skip]
    hospital.granted(CLERK.key, &[
        "resident", "guardian", "add", "--ward", &child, "--guardian", resident,
        "--kinship", "grandparent", "--scopes", "consent,see-accesses", "--basis", "document-seen",
    ]);
    let visit = open_visit(hospital).await;
    (child, visit)
}

#[tokio::test]
async fn nothing_but_the_proof_is_left_of_whoever_is_erased() {
    let hospital = hospital();
    let resident = hospital.resident_id.clone();
    let elsewhere = hospital.stage.register_institution(&ELSEWHERE).unwrap();
    hospital.stage.engage(&elsewhere, &CLERK_ELSEWHERE).unwrap();
    let (child, visit) = lived_in(&hospital).await;
    let issued = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    let issued = hospital.granted(DOCTOR.key, &[&issued[..], &["--audience", "emr"]].concat());
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let (history, _) = counter.history(&resident, &presence).await.unwrap();
    let history = hospital.stage.write("log/history", history.as_bytes()).unwrap();

    // What stands in the way.
    let asks = ["resident", "erase", &resident, "--basis", "resident-asks"];
    hospital.refused(CLERK.key, &asks, "VISIT_OPEN");
    let closed = hospital.granted(DOCTOR.key, &["visit", "close", &visit]);
    let year: u16 = text(&closed, "closed_at")[..4].parse().unwrap();
    let kept = hospital.refused(CLERK.key, &asks, "RECORD_KEPT");
    assert!(text(&kept, "message").contains(&format!("{}-", year + 30)), "{kept}");
    let in_error = ["resident", "erase", &resident, "--basis", "registered-in-error"];
    hospital.refused(CLERK.key, &in_error, "NOT_IN_ERROR");
    let number = file(&hospital, "order.txt", ORDER);
    let numbered = [&asks[..], &["--order", &number]].concat();
    hospital.refused(CLERK.key, &numbered, "FIELD_INVALID");
    for misused in ["mood", "order"] {
        let order = ["resident", "erase", &resident, "--basis", misused];
        let output = hospital.stage.healthcard(CLERK.key, &order).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{misused}");
    }
    hospital.refused(CLERK_ELSEWHERE.key, &asks, "REGISTERED_ELSEWHERE");
    for staff in [DOCTOR.key, DESK.key, AUDITOR.key] {
        hospital.refused(staff, &asks, "ROLE_NOT_ALLOWED");
    }
    let nobody = resident.replace(|c: char| c.is_ascii_digit(), "7");
    let of_nobody = ["resident", "erase", &nobody, "--basis", "resident-asks"];
    hospital.refused(CLERK.key, &of_nobody, "RESIDENT_NOT_FOUND");
    let mut clerk = ResidentsClient::new(log_in(&hospital.stage, CLERK.key).await);
    let based_on = |basis| OrderErasureRequest {
        resident_id: resident.clone(),
        basis,
        order_reference: String::new(),
    };
    for basis in [0, ErasureBasis::Order.into(), 99] {
        let refused = clerk.order_erasure(based_on(basis)).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID");
    }

    // One enters, another reviews.
    let erasure = enter(&hospital, &resident);
    let by_order = ["resident", "erase", &resident, "--basis", "order", "--order", &number];
    hospital.refused(CLERK.key, &by_order, "ERASURE_PENDING");
    let listed = hospital.granted(SECOND_CLERK.key, &["resident", "erasures"]);
    assert_eq!(listed["erasures"][0]["erasure_id"], erasure.as_str());
    assert_eq!(listed["erasures"][0]["order_reference"], ORDER);
    let none = hospital.granted(CLERK_ELSEWHERE.key, &["resident", "erasures"]);
    assert_eq!(none["erasures"].as_array().map_or(0, Vec::len), 0);
    let approve = ["resident", "erase-review", &erasure, "--approve"];
    hospital.refused(CLERK.key, &approve, "SECOND_PERSON_REQUIRED");
    hospital.refused(CLERK_ELSEWHERE.key, &approve, "REGISTERED_ELSEWHERE");
    hospital.refused(DOCTOR.key, &approve, "ROLE_NOT_ALLOWED");
    let of_none = ["resident", "erase-review", &nobody, "--approve"];
    hospital.refused(SECOND_CLERK.key, &of_none, "CHANGE_NOT_FOUND");
    let undecided =
        ReviewErasureRequest { erasure_id: erasure.clone(), verdict: Verdict::Unspecified.into() };
    assert_eq!(reason(&clerk.review_erasure(undecided).await.unwrap_err()), "FIELD_INVALID");
    let huge = ErasuresRequest { page_size: 501, page_token: String::new() };
    assert_eq!(reason(&clerk.erasures(huge).await.unwrap_err()), "FIELD_INVALID");
    assert_eq!(check_erased(&hospital, &resident).0, 1);

    let values = octets_of(&hospital, &resident);
    for what in
        ["resident.wrapped_key 0", "binding.sealed_number 0", "electronic_card.sealed_card_id 0"]
    {
        assert!(values.contains_key(what), "{what}: {:?}", values.keys());
    }
    assert!(standing(&hospital, &values).len() >= values.len());
    let checkpoint = hospital.stage.path("log/checkpoint");
    let hold = ["audit", "checkpoint", "--out", checkpoint.to_str().unwrap()];
    hospital.granted("auditor", &hold);

    let reviewed = hospital.granted(SECOND_CLERK.key, &approve);
    assert_eq!((&reviewed["overwritten"], &reviewed["listed"]), (&json!(true), &json!(true)));
    assert_eq!(reviewed["erasure"]["state"], "STATE_APPROVED");
    assert_eq!(standing(&hospital, &values), [""; 0]);
    let (code, told) = check_erased(&hospital, &resident);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains(&text(&reviewed["erasure"], "entry_id")), "{told}");
    let list = fs::read_to_string(hospital.stage.path("data/healthcard.db.erasures")).unwrap();
    assert!(list.contains(&resident), "{list}");

    over(&hospital, &resident, &child, &issued).await;
    hospital.refused(SECOND_CLERK.key, &approve, "CHANGE_OVER");

    // The log is as it was, and has the erasure.
    let mut python = AuditCheck::start(&hospital.verifier_key());
    let copy = log_copy(&hospital);
    valid(&hospital, &mut python, &copy);
    valid(&hospital, &mut python, &history);
    let since = ["audit", "consistency", "--checkpoint", checkpoint.to_str().unwrap()];
    hospital.granted("auditor", &since);
    let before = ["audit", "prove", "0", "--checkpoint", checkpoint.to_str().unwrap()];
    assert_eq!(hospital.granted("auditor", &before)["proved"], true);
    let position = reviewed["receipt"]["position"].as_u64().unwrap();
    let proof = hospital.stage.path("log/erasure");
    let (from, until) = (position.to_string(), (position + 1).to_string());
    let export = ["audit", "export", "--from", &from, "--until", &until, "--out"];
    hospital.granted("auditor", &[&export[..], &[proof.to_str().unwrap()]].concat());
    valid(&hospital, &mut python, &proof);
    let shown = fs::read_to_string(&proof).unwrap();
    assert!(
        shown.contains("\"action\":\"resident.erase\"") && shown.contains(&resident),
        "{shown}"
    );
    assert!(shown.contains("\"basis\":\"order\"") && shown.contains("\"electronic-cards\":\"1\""));
    for word in [ORDER, PATIENT.name, PATIENT.id_number] {
        assert!(!shown.contains(word), "{word}");
    }

    // The person comes again, as somebody else.
    let anew = hospital.stage.register_resident(CLERK.key, &PATIENT).unwrap();
    assert_ne!(anew, resident);
    let read = hospital.granted(CLERK.key, &["resident", "get", &anew]);
    assert_eq!(read["name"], PATIENT.name);
}

/// Whatever reads or changes a resident says that they were erased; what they had is over.
async fn over(hospital: &Hospital, resident: &str, child: &str, issued: &Value) {
    let find = file(hospital, "find.json", &json!({ "id_number": PATIENT.id_number }).to_string());
    hospital.refused(CLERK.key, &["resident", "find", "--file", &find], "RESIDENT_NOT_FOUND");
    let chip = ["--chip-serial", "9900000009", "--card-factor", "9900000000000009"];
    let made = ["card", "register", "--resident", resident, "--valid-until", VALID_UNTIL];
    let guardian = ["--scopes", "consent", "--basis", "document-seen", "--kinship", "parent"];
    let add = ["resident", "guardian", "add", "--ward"];
    let note = file(hospital, "note", "无法表达");
    #[rustfmt::skip]
    let orders: [(&str, Vec<&str>); 9] = [
        (CLERK.key, vec!["resident", "get", resident]),
        (CLERK.key, vec!["resident", "bindings", resident]),
        (CLERK.key, vec!["resident", "guardian", "list", resident]),
        (CLERK.key, [&add[..], &[resident, "--guardian", child], &guardian].concat()),
        (CLERK.key, [&made[..], &chip].concat()),
        (CLERK.key, vec!["card", "apply", resident]),
        (CLERK.key, vec!["card", "code", "apply", "--resident", resident]),
        (CLERK.key, vec!["resident", "erase", resident, "--basis", "resident-asks"]),
        (COLLEAGUE.key, vec!["emergency", "begin", "--resident", resident, "--reason", "unconscious", "--note", &note]),
    ];
    for (who, order) in orders {
        hospital.refused(who, &order, "RESIDENT_ERASED");
    }
    let token = file(hospital, "token.jws", &text(issued, "token"));
    let order = ["token", "introspect", "--token", &token, "--audience", "emr"];
    let introspected = hospital.ask(DOCTOR.key, &order).body;
    assert_ne!(introspected["active"], true, "{introspected}");
    // The card is refused at a desk, and the erased guardian has no say any more.
    let desk = log_in(&hospital.stage, DESK.key).await;
    let mut relay = Relay::open(desk).await.unwrap();
    let seen = present(&mut relay, &mut card(&hospital.card_image())).await;
    assert_eq!(seen.reason(), "CARD_CANCELLED");
    let guardians = hospital.granted(CLERK.key, &["resident", "guardian", "list", child]);
    assert_eq!(guardians["guardians"][0]["guardian_id"], resident);
    assert_ne!(guardians["guardians"][0]["stands"], true, "{guardians}");
}

/// Killed at many moments of an approval, the service has the resident or has erased them wholly, with the entry.
#[test]
fn a_kill_leaves_nobody_half_erased() {
    let mut hospital = hospital();
    let directory = tempfile::tempdir().unwrap();
    let disk = FailingDisk::new(directory.path());
    let database = hospital.database().canonicalize().unwrap();
    let serve = |hospital: &mut Hospital| {
        hospital.stage.serve_with(|command| disk.under(command, &database)).unwrap();
    };
    hospital.stage.server().unwrap().end().unwrap();
    serve(&mut hospital);
    let register = |hospital: &Hospital, number: usize| {
        let id_number = id_number(number);
        let person = json!({ "name": format!("试样{number}"), "id_number": id_number }).to_string();
        let person = file(hospital, "person.json", &person);
        let made = hospital.granted(CLERK.key, &["resident", "register", "--file", &person]);
        text(&made, "resident_id")
    };
    let approve = |hospital: &Hospital, erasure: &str| {
        let order = ["resident", "erase-review", erasure, "--approve"];
        hospital.stage.healthcard(SECOND_CLERK.key, &order).output().unwrap().status.success()
    };
    // As many calls as one takes.
    let first = register(&hospital, 0);
    let erasure = enter(&hospital, &first);
    hospital.granted(SECOND_CLERK.key, &["resident", "erasures"]);
    disk.count(files::ALL, calls::ALL);
    assert!(approve(&hospital, &erasure));
    let whole = disk.seen();
    assert!(whole > 10, "{whole}");
    disk.mend();
    let (mut kept, mut erased) = (0, 0);
    for round in 1..=12 {
        let resident = register(&hospital, usize::try_from(round).unwrap());
        let erasure = enter(&hospital, &resident);
        let at = 1 + (whole - 1) * (round - 1) / 11;
        disk.fail(files::ALL, calls::ALL, at, Fault::Killed, Errno::Io);
        let told = approve(&hospital, &erasure);
        disk.mend();
        hospital.stage.server().unwrap().kill();
        serve(&mut hospital);
        match check_erased(&hospital, &resident) {
            (0, _) => {
                erased += 1;
                hospital.refused(CLERK.key, &["resident", "get", &resident], "RESIDENT_ERASED");
                let list = fs::read_to_string(hospital.stage.path("data/healthcard.db.erasures"));
                assert!(list.unwrap().contains(&resident), "call {at}");
            }
            (_, why) => {
                kept += 1;
                assert!(!told, "call {at}: it was told to be done. {why}");
                assert!(why.contains("not erased"), "call {at}: {why}");
                hospital.granted(CLERK.key, &["resident", "get", &resident]);
                assert!(approve(&hospital, &erasure), "call {at}: it still waits");
                assert_eq!(check_erased(&hospital, &resident).0, 0);
            }
        }
    }
    println!("of {whole} calls: {kept} kept, {erased} erased");
    assert!(kept > 0 && erased > 0, "{kept} kept, {erased} erased");
    let copy = log_copy(&hospital);
    let mut python = AuditCheck::start(&hospital.verifier_key());
    valid(&hospital, &mut python, &copy);
}

/// A number that nobody has: of the made-up region, with its check character.
fn id_number(number: usize) -> String {
    let digits = format!("99000019700101{:03}", 2 * number + 100);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: usize =
        digits.bytes().zip(weights).map(|(digit, weight)| usize::from(digit - b'0') * weight).sum();
    format!("{digits}{}", ["1", "0", "X", "9", "8", "7", "6", "5", "4", "3", "2"][sum % 11])
}

/// An older copy of the database in the place of the one from which somebody was erased.
#[test]
fn an_older_copy_is_erased_again_before_anybody_is_served() {
    let mut hospital = hospital();
    let resident = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let data = hospital.stage.path("data");
    let files = ["healthcard.db", "healthcard.db.checkpoint"];
    hospital.stage.server().unwrap().end().unwrap();
    for name in files {
        fs::copy(data.join(name), hospital.stage.path(name)).unwrap();
    }
    hospital.stage.serve().unwrap();
    let values = octets_of(&hospital, &resident);
    let erasure = enter(&hospital, &resident);
    hospital.granted(SECOND_CLERK.key, &["resident", "erase-review", &erasure, "--approve"]);
    hospital.stage.server().unwrap().end().unwrap();
    for name in files {
        fs::copy(hospital.stage.path(name), data.join(name)).unwrap();
    }
    assert!(!standing(&hospital, &values).is_empty(), "the copy has the person");
    hospital.stage.serve().unwrap();
    assert_eq!(standing(&hospital, &values), [""; 0]);
    assert_eq!(check_erased(&hospital, &resident).0, 0);
    hospital.refused(CLERK.key, &["resident", "get", &resident], "RESIDENT_ERASED");
    let search = ["audit", "search", "--action", "resident.erase"];
    let found = hospital.granted("auditor", &search);
    let entry = &found["entries"][0]["entry"];
    assert_eq!(entry["detail"]["alert"], "erased-in-older-copy", "{found}");
    assert_eq!(entry["detail"]["erasure"], erasure.as_str());
    let copy = log_copy(&hospital);
    let mut python = AuditCheck::start(&hospital.verifier_key());
    valid(&hospital, &mut python, &copy);
    // A list that is none keeps the service from serving whom it may name.
    hospital.stage.server().unwrap().end().unwrap();
    fs::write(data.join("healthcard.db.erasures"), "healthcard erasures v1\nx\n").unwrap();
    let refused = hospital.healthcardd(&["check"]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("list of erasures"), "{}", refused.stderr);
}

/// What was entered with a certificate that was revoked since erases nobody, and an operator may be the second person.
#[test]
fn whoever_left_since_erases_nobody() {
    let hospital = hospital();
    let resident = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let order = ["resident", "erase", &resident, "--basis", "registered-in-error"];
    let entered = hospital.granted(SECOND_CLERK.key, &order);
    let erasure = text(&entered["erasure"], "erasure_id");
    let id = text(&entered["erasure"], "entered_by");
    hospital.granted(OPERATOR, &["identity", "depart", "--id", &id]);
    let review = |verdict| ["resident", "erase-review", &erasure, verdict];
    hospital.refused(CLERK.key, &review("--approve"), "ENTRY_VOID");
    let rejected = hospital.granted(CLERK.key, &review("--reject"));
    assert_eq!(rejected["erasure"]["state"], "STATE_REJECTED");
    hospital.granted(CLERK.key, &["resident", "get", &resident]);
    hospital.refused(CLERK.key, &review("--reject"), "CHANGE_OVER");
}
