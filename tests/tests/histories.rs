//! Access histories: a resident at the counter is told all that the log has about them, can show that it is all, and
//! whoever changes the file or the index is found out.

use std::fs;
use std::path::Path;

use audit::Entry;
use audit::history::Reader;
use proto::v1::ResidentHistoryRequest;
use proto::v1::residents_client::ResidentsClient;
use rusqlite::Connection;
use serde_json::{Value, json};
use service::demo::people::{CLERK, COLLEAGUE, DOCTOR, HOSPITAL, SOMEBODY_ELSE};
use service::demo::tamper;
use tests::counter::Counter;
use tests::grpc::{log_in, reason};
use tests::hospital::{Hospital, text};
use tests::python::AuditCheck;
use tests::relay::open_visit;

const CHILD: &str = "990000201605040014";
const INDEX: &str = "healthcard.db.index";

/// Positions of a history's entries, and how many of the log its index counts.
fn told(history: &str) -> (Vec<u64>, u64) {
    let mut reader = Reader::new(history.as_bytes()).unwrap();
    let counted = reader.header().index.size;
    let mut positions = Vec::new();
    while let Some(line) = reader.next_line().unwrap() {
        positions.push(line.position);
    }
    (positions, counted)
}

/// Positions of the entries that say that they are about a resident, from the database itself.
fn about(hospital: &Hospital, resident: &str, counted: u64) -> Vec<u64> {
    let copy = hospital.stage.path("log/copy.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    let db = Connection::open(&copy).unwrap();
    let mut select = db.prepare("SELECT position, entry FROM leaf ORDER BY position").unwrap();
    let leaves = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let leaves = leaves.map(|leaf| leaf.unwrap()).filter(|(position, leaf): &(u64, Vec<u8>)| {
        let entry = Entry::decode(leaf).unwrap();
        *position < counted && entry.resident.as_deref() == Some(resident)
    });
    leaves.map(|(position, _)| position).collect()
}

/// Two checkers: `healthcard audit check`, and the one in Python.
struct Checkers {
    verifier: String,
    python: AuditCheck,
}

impl Checkers {
    fn of(hospital: &Hospital) -> Self {
        let verifier = hospital.verifier_key();
        let python = AuditCheck::start(&verifier);
        Self { verifier, python }
    }

    /// What both say of a file.
    fn ask(&mut self, hospital: &Hospital, file: &Path) -> (i32, Value) {
        let order = ["audit", "check", file.to_str().unwrap(), "--verifier-key", &self.verifier];
        let ours = hospital.ask("auditor", &order);
        let theirs = self.python.ask(file);
        assert_eq!(ours.body["verdict"], theirs["verdict"], "{} {theirs}", ours.body);
        assert_eq!(kinds(&ours.body), kinds(&theirs), "{} {theirs}", ours.body);
        (ours.code, ours.body)
    }

    /// What both say of a history.
    fn ask_of(&mut self, hospital: &Hospital, history: &str) -> (i32, Value) {
        let file = hospital.stage.write("history", history.as_bytes()).unwrap();
        self.ask(hospital, &file)
    }
}

fn kinds(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().into_iter().flatten();
    let kind = |it: &Value| format!("{} {}", text(it, "kind"), it["position"]);
    let mut kinds: Vec<_> = findings.map(kind).collect();
    kinds.sort();
    kinds
}

#[tokio::test]
async fn a_resident_is_told_all_that_the_log_has_and_can_show_it() {
    let mut hospital = Hospital::open();
    let visit = open_visit(&hospital).await;
    let order = ["token", "issue", "--visit", &visit, "--classes", "health", "--grade", "3"];
    let order = [&order[..], &["--audience", "emr"]].concat();
    hospital.granted(DOCTOR.key, &order);
    hospital.refused(COLLEAGUE.key, &order, "NO_RELATION");
    let resident = hospital.resident_id.clone();
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let (history, actors) = counter.history(&resident, &presence).await.unwrap();
    let (positions, counted) = told(&history);
    assert_eq!(positions, about(&hospital, &resident, counted));
    assert!(positions.len() > 4, "{positions:?}");
    // People have names; the log has numbers.
    let doctor = actors.iter().find(|it| it.identity_id == hospital.staff[DOCTOR.key]).unwrap();
    assert_eq!((&*doctor.name, &*doctor.institution), (DOCTOR.name, HOSPITAL.name));
    assert!(actors.iter().any(|it| it.identity_id == hospital.staff[COLLEAGUE.key]));
    assert!(!history.contains(DOCTOR.name));
    let mut checkers = Checkers::of(&hospital);
    let (code, report) = checkers.ask_of(&hospital, &history);
    assert_eq!((code, &report["verdict"]), (0, &json!("valid")), "{report}");

    // The next one has the first among its entries, and so it goes on after a kill.
    let (again, _) = counter.history(&resident, &presence).await.unwrap();
    assert_eq!(told(&again).0.len(), positions.len() + 1);
    hospital.stage.server().unwrap().kill();
    for harm in ["kept", "lost", "spoilt"] {
        let index = hospital.database().with_file_name(INDEX);
        match harm {
            "lost" => fs::remove_file(&index).unwrap(),
            "spoilt" => fs::write(&index, [0x5a; 9000]).unwrap(),
            _ => assert!(index.exists()),
        }
        hospital.stage.serve().unwrap();
        let mut counter = Counter::open(&hospital).await;
        let presence = counter.reads(&hospital.card_image()).await;
        let (history, _) = counter.history(&resident, &presence).await.unwrap();
        let (positions, counted) = told(&history);
        assert_eq!(positions, about(&hospital, &resident, counted), "{harm}");
        assert_eq!(checkers.ask_of(&hospital, &history).0, 0, "{harm}");
        hospital.stage.server().unwrap().kill();
    }
    // A history and the log that are checked together have to be of one log.
    let file = hospital.stage.write("history", history.as_bytes()).unwrap();
    let copy = hospital.stage.path("log/copy.db");
    tamper::copy(&hospital.database(), &copy).unwrap();
    let both = [copy.to_str().unwrap(), file.to_str().unwrap()];
    let order = [&["audit", "check"][..], &both, &["--verifier-key", &checkers.verifier]].concat();
    assert_eq!(hospital.ask("auditor", &order).code, 0);
    // And the log itself, with all that was stated in it, is as it was signed.
    assert_eq!(checkers.ask(&hospital, &copy).0, 0);
}

#[tokio::test]
async fn a_history_is_for_the_resident_who_is_here_and_for_who_speaks_for_them() {
    let hospital = Hospital::open();
    let resident = hospital.resident_id.clone();
    let other = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
    let child = {
        let record = json!({ "name": "周小样", "id_number": CHILD });
        let file = hospital.stage.write("child.json", record.to_string().as_bytes()).unwrap();
        let made = hospital
            .granted(CLERK.key, &["resident", "register", "--file", file.to_str().unwrap()]);
        text(&made, "resident_id")
    };
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let nobody = resident.replace(|c: char| c.is_ascii_digit(), "7");
    for (whose, by, why) in [
        (&other, &presence, "NOT_THEIR_GUARDIAN"),
        (&child, &presence, "NOT_THEIR_GUARDIAN"),
        (&nobody, &presence, "RESIDENT_NOT_FOUND"),
        (&resident, &nobody, "PRESENCE_INVALID"),
        (&resident, &String::new(), "FIELD_INVALID"),
        (&"x".to_owned(), &presence, "FIELD_INVALID"),
    ] {
        assert_eq!(reason(&counter.history(whose, by).await.unwrap_err()), why, "{whose}");
    }
    // The presence is that of this counter, and to give histories out is a clerk's.
    let elsewhere = Counter::open(&hospital).await;
    let refused = elsewhere.history(&resident, &presence).await.unwrap_err();
    assert_eq!(reason(&refused), "PRESENCE_INVALID");
    for staff in [DOCTOR.key, "auditor", "operator"] {
        let caller = log_in(&hospital.stage, staff).await;
        let request =
            ResidentHistoryRequest { resident_id: resident.clone(), presence_id: presence.clone() };
        let refused = ResidentsClient::new(caller).history(request).await.unwrap_err();
        assert_eq!(reason(&refused), "ROLE_NOT_ALLOWED", "{staff}");
    }
    #[rustfmt::skip]
    let guardian = [
        "resident", "guardian", "add", "--ward", &child, "--guardian", &resident,
        "--kinship", "grandparent", "--scopes", "consent", "--basis", "document-seen",
    ];
    // Who may consent for the child may not see who looked, unless that was said as well.
    let made = text(&hospital.granted(CLERK.key, &guardian), "guardianship_id");
    let refused = counter.history(&child, &presence).await.unwrap_err();
    assert_eq!(reason(&refused), "NOT_THEIR_GUARDIAN");
    let note = hospital.stage.write("note", "更换监护范围".as_bytes()).unwrap();
    let end = ["resident", "guardian", "end", &made, "--note", note.to_str().unwrap()];
    hospital.granted(CLERK.key, &end);
    let sees = guardian.map(|word| if word == "consent" { "see-accesses" } else { word });
    hospital.granted(CLERK.key, &sees);
    let mut checkers = Checkers::of(&hospital);
    let (history, _) = counter.history(&child, &presence).await.unwrap();
    assert_eq!(checkers.ask_of(&hospital, &history).0, 0);
    let (positions, counted) = told(&history);
    assert_eq!(positions, about(&hospital, &child, counted));
    let stated = &Reader::new(history.as_bytes()).unwrap().header().statement.entry.clone();
    assert_eq!(Entry::decode(stated).unwrap().detail["given-to"], "guardian");
    // Who is refused sees nothing, and the refusal is in the history of whom it was about.
    let (own, _) = counter.history(&resident, &presence).await.unwrap();
    let refusals = own.matches(r#""action":"resident.history","outcome":"refused""#).count();
    assert_eq!(refusals, 2);
    // A card that was reported lost meanwhile is nobody's presence.
    hospital.granted(CLERK.key, &["card", "report-loss", &hospital.card_id]);
    let refused = counter.history(&resident, &presence).await.unwrap_err();
    assert_eq!(reason(&refused), "CARD_NOT_ACTIVE");
}

/// What an editor can do to a history, both checkers find and name.
#[tokio::test]
async fn what_is_changed_in_a_history_is_found_and_named() {
    let hospital = Hospital::open();
    let resident = hospital.resident_id.clone();
    open_visit(&hospital).await;
    let mut counter = Counter::open(&hospital).await;
    let presence = counter.reads(&hospital.card_image()).await;
    let other = {
        let id = hospital.stage.register_resident(CLERK.key, &SOMEBODY_ELSE).unwrap();
        counter.history(&resident, &presence).await.unwrap();
        id
    };
    let (history, _) = counter.history(&resident, &presence).await.unwrap();
    let lines: Vec<&str> = history.split_inclusive('\n').collect();
    let first = lines.iter().position(|line| *line == "entries\n").unwrap() + 1;
    let count = told(&history).0.len();
    let joined = |lines: &[&str], entries: usize| {
        let text = lines[..lines.len() - 1].concat();
        format!("{text}end {entries}\n")
    };
    let mut altered = Vec::new();
    for at in first..first + count {
        let mut without = lines.clone();
        without.remove(at);
        altered.push(("left out", joined(&without, count - 1), "left_out"));
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        altered.push(("doubled", joined(&twice, count + 1), "inserted"));
        let said = lines[at].replacen("\"at\":\"20", "\"at\":\"19", 1);
        let mut another = lines.clone();
        another[at] = &said;
        altered.push(("another time", joined(&another, count), "altered"));
    }
    let mut swapped = lines.clone();
    swapped.swap(first, first + 1);
    altered.push(("swapped", joined(&swapped, count), "inserted"));
    for (what, from, to) in [
        ("another resident", format!("resident {resident}"), format!("resident {other}")),
        ("another count", format!("standing {count}"), format!("standing {}", count - 1)),
        ("another index", "\nindex ".into(), "\nindex 1".into()),
        (
            "another statement",
            "\"given-to\":\"resident\"".into(),
            "\"given-to\":\"guardian\"".into(),
        ),
    ] {
        let text = history.replacen(&from, &to, 1);
        assert_ne!(text, history, "{what}");
        altered.push((what, text, "proof_altered"));
    }
    let mut checkers = Checkers::of(&hospital);
    for (what, text, kind) in altered {
        let (code, report) = checkers.ask_of(&hospital, &text);
        assert_eq!(code, 4, "{what}: {report}");
        assert!(kinds(&report).iter().any(|it| it.starts_with(kind)), "{what}: {report}");
    }
    let cut = lines[..lines.len() - 2].concat();
    assert_eq!(checkers.ask_of(&hospital, &cut).0, 5);
}

/// What no service of ours does: an index in the log that leaves something out.
#[test]
fn untrue_statements_are_named_by_both_checkers() {
    let hospital = Hospital::open();
    let vectors = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/history"));
    let history = fs::read_to_string(vectors.join("history.txt")).unwrap();
    let verifier = history.lines().find_map(|line| line.strip_prefix("key ")).unwrap().to_owned();
    let python = AuditCheck::start(&verifier);
    let mut checkers = Checkers { verifier, python };
    for (name, code, named) in [
        ("history.txt", 0, &[][..]),
        ("log-with-histories.txt", 0, &[][..]),
        (
            "log-with-untrue-statements.txt",
            4,
            &["index_wrong 49", "index_wrong 50", "index_wrong 51"],
        ),
    ] {
        let (exit, report) = checkers.ask(&hospital, &vectors.join(name));
        assert_eq!(
            (exit, kinds(&report)),
            (code, named.iter().map(|it| (*it).to_owned()).collect())
        );
    }
}
