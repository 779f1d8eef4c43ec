//! What of the log is too old is removed by two auditors, and all that is left, or was given out, still proves itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use audit::segment::{CLOSE, ENTER, REJECT, REMOVE, Removal, Segment, Step};
use audit::{Actor, Entry, Outcome};
use rusqlite::Connection;
use serde_json::{Value, json};
use service::clock::{self, UtcTime, rfc3339};
use service::demo::people::{AUDITOR, Staff};
use service::demo::stage::PATIENCE;
use service::demo::tamper;
use tests::counter::Counter;
use tests::hospital::{Hospital, text};
use tests::old_log::OldLog;
use tests::python::AuditCheck;

const SEGMENT: u64 = 256;
/// The other auditor, and a witness.
const SECOND: Staff = Staff { key: "auditor-2", name: "郑审计", number: "A002", ..AUDITOR };
const WITNESS: &str = "patients";
const TAMPERED: i32 = 4;

/// A hospital whose log has two segments of months ago, and one of today.
struct Ground {
    hospital: Hospital,
    verifier: String,
    python: AuditCheck,
}

impl Ground {
    async fn open() -> Self {
        let mut hospital = Hospital::open();
        hospital.stage.engage(&hospital.institution_id, &SECOND).unwrap();
        let verifier = hospital.verifier_key();
        hospital.granted(WITNESS, &["key", "new"]);
        let begin =
            ["witness", "begin", "--label", "patients.example", "--verifier-key", &verifier];
        let witness = text(&hospital.granted(WITNESS, &begin), "witness_key");
        hospital.stage.server().unwrap().end().unwrap();
        let settings = hospital.stage.path("data/healthcard.toml");
        let written = fs::read_to_string(&settings).unwrap();
        let changed = written
            .replace("[witnesses]\nkeys = []", &format!("[witnesses]\nkeys = [\"{witness}\"]"))
            .replace("segment = 65536\nlog_months = 360", "segment = 256\nlog_months = 6")
            .replace("round = 86400\nmost = 2000", "round = 1\nmost = 100000");
        assert_eq!(changed.matches("log_months = 6\n").count(), 1, "{written}");
        fs::write(&settings, changed).unwrap();
        let python = AuditCheck::start(&verifier);
        let mut ground = Self { hospital, verifier, python };
        let old = clock::now() - time::Duration::days(200);
        let log = OldLog::of(&ground.hospital);
        log.tell_as_of(old).await;
        for size in [300, 600] {
            log.fill(size, |n| ground.entry(n, old)).await;
            let id = format!("01936b1e-7c00-7000-8000-{:012x}", u64::from(u32::MAX) + size);
            let closing = Entry::new(id, rfc3339(old), CLOSE, Outcome::Granted, Actor::default());
            log.close_segment(SEGMENT, &ground.hospital.resident_id, closing).await;
        }
        log.fill(900, |n| ground.entry(n, clock::now())).await;
        ground.hospital.stage.serve().unwrap();
        ground
    }

    /// Has the witness sign the log; the service itself closes the last segment once it heard of it.
    fn witness(&self) -> Vec<Value> {
        let look = self.hospital.ask(WITNESS, &["witness", "run", "--once"]);
        assert_eq!(look.code, 0, "{}", look.body);
        let removable = |it: &Value| it["state"] == "STATE_REMOVABLE";
        self.until(|them| them.len() > 2 && them[..2].iter().all(removable))
    }

    /// Something that happened to the patient, or to nobody.
    fn entry(&self, n: u64, at: UtcTime) -> Entry {
        let id = format!("01936b1e-7c00-7000-8000-{n:012x}");
        let actor = Actor {
            identity: Some(self.hospital.staff["clerk"].clone()),
            role: Some("clerk".into()),
            ..Actor::default()
        };
        let entry = Entry::new(id, rfc3339(at), "task.read", Outcome::Granted, actor);
        match n % 3 {
            0 => entry.about(self.hospital.resident_id.as_str()),
            _ => entry,
        }
    }

    fn segments(&self) -> Vec<Value> {
        let listed = self.hospital.granted("auditor", &["audit", "segments"]);
        listed["segments"].as_array().unwrap().clone()
    }

    /// Waits until the segments are so.
    fn until(&self, are: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begin = Instant::now();
        loop {
            let segments = self.segments();
            if are(&segments) {
                return segments;
            }
            assert!(begin.elapsed() < PATIENCE, "{segments:?}");
        }
    }

    fn states(&self) -> Vec<String> {
        self.segments().iter().map(|it| text(it, "state")).collect()
    }

    fn file(&self, name: &str) -> String {
        self.hospital.stage.path("log").join(name).to_string_lossy().into_owned()
    }

    fn copy(&self) -> PathBuf {
        let copy = PathBuf::from(self.file("copy.db"));
        tamper::copy(&self.hospital.database(), &copy).unwrap();
        copy
    }

    /// What both checkers say of a file, which is the same.
    fn check(&mut self, file: &Path) -> (i32, Value) {
        let name = file.to_string_lossy();
        let order = ["audit", "check", &*name, "--verifier-key", &self.verifier];
        let ours = self.hospital.ask("auditor", &order);
        let theirs = self.python.ask(file);
        // Ours refuses to judge what cannot be read at all.
        let verdict = match ours.code {
            0 => "valid",
            TAMPERED => "tampered",
            5 => "unverifiable",
            code => panic!("{code}: {}", ours.body),
        };
        assert_eq!(theirs["verdict"], verdict, "{} {theirs}", ours.body);
        assert_eq!(findings(&ours.body), findings(&theirs), "{} {theirs}", ours.body);
        if file.extension().is_some_and(|it| it == "db") {
            assert_eq!(ours.body["removed"], theirs["removed"], "{} {theirs}", ours.body);
        }
        (ours.code, ours.body)
    }

    #[track_caller]
    fn assert_valid(&mut self, file: &Path) -> Value {
        let (code, report) = self.check(file);
        assert_eq!((code, &report["verdict"]), (0, &json!("valid")), "{report}");
        report
    }

    /// Has the segment removed by the two.
    fn remove(&self, segment: &Value) -> Value {
        let (first, root) = (segment["first"].to_string(), text(segment, "root"));
        let order = ["audit", "remove", &first, "--root", &root];
        let entered = self.hospital.granted("auditor", &order);
        let removal = text(&entered["removal"], "removal_id");
        let order = ["audit", "remove-review", &removal, "--approve"];
        self.hospital.granted(SECOND.key, &order)
    }

    /// Waits until entries below a position are gone.
    fn until_gone(&self, begins: u64) {
        let database = Connection::open(self.hospital.database()).unwrap();
        let begin = Instant::now();
        loop {
            let first = "SELECT min(position) FROM leaf";
            let first: u64 = database.query_row(first, [], |row| row.get(0)).unwrap();
            if first == begins {
                return;
            }
            assert!(first < begins && begin.elapsed() < PATIENCE, "{first}");
            // That takes a while.
            self.hospital.granted("auditor", &["audit", "checkpoint"]);
        }
    }

    async fn history(&mut self) -> (PathBuf, String) {
        let mut counter = Counter::open(&self.hospital).await;
        let presence = counter.reads(&self.hospital.card_image()).await;
        let resident = self.hospital.resident_id.clone();
        let (history, _) = counter.history(&resident, &presence).await.unwrap();
        (self.hospital.stage.write("log/history", history.as_bytes()).unwrap(), history)
    }
}

/// What was found, in an order of its own.
fn findings(report: &Value) -> Vec<String> {
    let said = |finding: &Value| {
        let fields = finding.as_object().unwrap().iter().filter(|(name, _)| *name != "message");
        format!("{:?}", fields.collect::<BTreeMap<_, _>>())
    };
    let mut findings: Vec<_> =
        report["findings"].as_array().into_iter().flatten().map(said).collect();
    findings.sort();
    findings
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_removed_and_the_rest_proves_itself() {
    let mut ground = Ground::open().await;
    // Nothing is closed before the witness was heard of, and nothing removed.
    assert_eq!(ground.states(), ["STATE_UNANCHORED", "STATE_UNANCHORED"]);
    let root = text(&ground.segments()[0], "root");
    let order = ["audit", "remove", "0", "--root", &root];
    ground.hospital.refused("auditor", &order, "SEGMENT_NOT_ANCHORED");
    let segments = ground.witness();
    assert_eq!(ground.states()[..3], ["STATE_REMOVABLE", "STATE_REMOVABLE", "STATE_KEPT"]);
    let ends: Vec<_> = segments.iter().map(|it| it["until"].as_u64().unwrap()).collect();
    assert_eq!(ends[..2], [SEGMENT, 2 * SEGMENT]);
    // What comes to several ends before it is looked at is one.
    assert!(ends[2] > 2 * SEGMENT && ends[2].is_multiple_of(SEGMENT), "{ends:?}");

    // What is given out before.
    let [export, held] = ["export", "held"].map(|name| ground.file(name));
    let order = ["audit", "export", "--out", &export];
    ground.hospital.granted("auditor", &order);
    ground.hospital.granted("auditor", &["audit", "checkpoint", "--out", &held]);
    let (first, v1) = ground.history().await;
    assert!(v1.starts_with("healthcard-access-history v1\n"));
    let first = ground.assert_valid(&first);
    let copy = ground.copy();
    assert_eq!(ground.assert_valid(&copy)["removed"], Value::Null);

    // Nobody removes the wrong one, too soon, or alone.
    let root = |nth: usize| text(&segments[nth], "root");
    let remove = |first: &str, root: &str, reason: &str| {
        ground.hospital.refused("auditor", &["audit", "remove", first, "--root", root], reason)
    };
    remove("0", &root(1), "SEGMENT_DIFFERS");
    remove("0", "0", "ROOT_MALFORMED");
    remove("7", &root(0), "SEGMENT_NOT_FOUND");
    remove("256", &root(1), "SEGMENT_NOT_OLDEST");
    remove("512", &root(2), "SEGMENT_KEPT");
    let order = ["audit", "remove", "0", "--root", &root(0)];
    for who in ["operator", "doctor"] {
        ground.hospital.refused(who, &order, "ROLE_NOT_ALLOWED");
    }
    let entered = ground.hospital.granted("auditor", &order);
    let removal = text(&entered["removal"], "removal_id");
    assert_eq!(ground.states()[0], "STATE_ENTERED");
    ground.hospital.refused(SECOND.key, &order, "SEGMENT_REMOVAL_PENDING");
    let approve = ["audit", "remove-review", &removal, "--approve"];
    ground.hospital.refused("auditor", &approve, "SECOND_PERSON_REQUIRED");
    let reject = ["audit", "remove-review", &removal, "--reject"];
    ground.hospital.granted(SECOND.key, &reject);
    ground.hospital.refused(SECOND.key, &approve, "CHANGE_OVER");
    let copy = ground.copy();
    assert_eq!(ground.assert_valid(&copy)["removed"], Value::Null);

    // The service is killed as soon as it is said, and goes on.
    let reviewed = ground.remove(&segments[0]);
    ground.hospital.stage.server().unwrap().kill();
    ground.hospital.stage.serve().unwrap();
    ground.until_gone(SEGMENT);
    let position = reviewed["receipt"]["position"].as_u64().unwrap();
    let copy = ground.copy();
    let removed = ground.assert_valid(&copy)["removed"].clone();
    assert_eq!((&removed["until"], &removed["position"]), (&json!(SEGMENT), &json!(position)));
    assert_eq!(removed["months"], 6, "{removed}");

    // Who asks for them is told so; the rest is there.
    let gone = ground.file("gone");
    let refused = ["audit", "export", "--out", &gone];
    let told = ground.hospital.refused("auditor", &refused, "ENTRIES_REMOVED");
    assert!(told.to_string().contains("256"), "{told}");
    for order in [["audit", "get", "7"], ["audit", "prove", "255"]] {
        ground.hospital.refused("auditor", &order, "ENTRIES_REMOVED");
    }
    ground.hospital.granted("auditor", &["audit", "prove", "256"]);
    let rest = ground.file("rest");
    ground.hospital.granted("auditor", &["audit", "export", "--from", "256", "--out", &rest]);
    ground.assert_valid(Path::new(&rest));
    let found = ground.hospital.granted("auditor", &["audit", "search"]);
    assert_eq!(found["begins"], SEGMENT, "{found}");
    // What was given out is still good, and what is there goes on from it.
    ground.assert_valid(Path::new(&export));
    let order = ["audit", "consistency", "--checkpoint", &held];
    ground.hospital.granted("auditor", &order);
    let order = ["audit", "check", &export, "--verifier-key", &ground.verifier];
    let order = [&order[..], &["--checkpoint", &held]].concat();
    let checked = ground.hospital.ask("auditor", &order);
    assert_eq!(checked.code, 0, "{}", checked.body);
    // The log of the running service begins later, and is the same.
    let order = ["audit", "check", "--online", "--checkpoint", &held];
    let checked = ground.hospital.ask("auditor", &order);
    assert_eq!(checked.code, 0, "{}", checked.body);
    assert_eq!(checked.body["removed"]["until"], SEGMENT, "{}", checked.body);
    let look = ground.hospital.ask(WITNESS, &["witness", "run", "--once"]);
    assert_eq!(look.code, 0, "{}", look.body);

    // The resident's history begins with what is left of the entries that are gone, with an index that is made again, too.
    let entries = |report: &Value| report["entries_checked"].as_u64().unwrap();
    let (second, v2) = ground.history().await;
    assert!(v2.starts_with("healthcard-access-history v2\n"));
    let second = ground.assert_valid(&second);
    let removed = second["history"]["removed"].as_u64().unwrap();
    assert!(removed > 50, "{second}");
    // The reading of the card, and the history of before, are new.
    assert!(entries(&second) + removed > entries(&first), "{first} {second}");
    ground.hospital.stage.server().unwrap().end().unwrap();
    fs::remove_file(ground.hospital.database().with_extension("db.index")).unwrap();
    ground.hospital.stage.serve().unwrap();
    let (third, _) = ground.history().await;
    let third = ground.assert_valid(&third);
    assert_eq!(third["history"]["removed"], removed);
    assert!(entries(&third) > entries(&second));

    // The next one goes in its turn.
    ground.remove(&segments[1]);
    ground.until_gone(2 * SEGMENT);
    let copy = ground.copy();
    assert_eq!(ground.assert_valid(&copy)["removed"]["until"], 2 * SEGMENT);
    assert_eq!(ground.states()[..3], ["STATE_REMOVED", "STATE_REMOVED", "STATE_KEPT"]);
    let (fourth, _) = ground.history().await;
    let fourth = ground.assert_valid(&fourth);
    assert!(fourth["history"]["removed"].as_u64().unwrap() > removed + 50, "{fourth}");
    // The service has gone over its log all the while.
    let order = ["audit", "search", "--action", "audit.scrub", "--alerts"];
    assert_eq!(ground.hospital.granted("auditor", &order)["entries"], json!([]));
    let status = ground.hospital.granted("operator", &["status"]);
    assert!(status["scrub"]["done_size"].as_u64().unwrap() > 800, "{}", status["scrub"]);
}

/// What is done to a log of which something was removed by right both checkers name.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_hides_behind_a_removal() {
    let mut ground = Ground::open().await;
    let segments = ground.witness();
    ground.remove(&segments[0]);
    ground.remove(&segments[1]);
    ground.until_gone(2 * SEGMENT);
    let (history, _) = ground.history().await;
    let pristine = ground.copy();
    let report = ground.assert_valid(&pristine);
    let (size, said) = (&report["size"], &report["removed"]["position"]);
    let forged = r#"{"v":1,"id":"01936b1e-7c00-7000-8000-ffffffffffff","at":"2026-11-28T00:00:00.000000Z","action":"audit.segment-remove","outcome":"granted"}"#;
    #[rustfmt::skip]
    let cases = [
        ("one more", "DELETE FROM leaf WHERE position = 512".into(), "missing"),
        ("many more", "DELETE FROM leaf WHERE position < 600".into(), "missing"),
        ("the entry that says so", format!("DELETE FROM leaf WHERE position = {said}"), "missing"),
        ("all standings", "DELETE FROM removed_standing".into(), "removed_altered"),
        ("a count", "UPDATE removed_standing SET count = count + 1".into(), "removed_altered"),
        ("a count below zero", "UPDATE removed_standing SET count = -count".into(), "removed_altered"),
        ("a chain", "UPDATE removed_standing SET chain = zeroblob(32)".into(), "removed_altered"),
        ("a longer chain", "UPDATE removed_standing SET chain = CAST(chain || x'00' AS BLOB)".into(), "removed_altered"),
        ("a key", "UPDATE removed_standing SET key = CAST(key || x'00' AS BLOB)".into(), "removed_altered"),
        ("the standings of the last removal", "DELETE FROM removed_standing WHERE until = 512".into(), "removed_altered"),
        ("all entries that are kept", "DELETE FROM removed_entry".into(), "removed_altered"),
        ("one of them", "DELETE FROM removed_entry WHERE position = (SELECT max(position) FROM removed_entry)".into(), "removed_altered"),
        ("one that is none of them", "INSERT INTO removed_entry SELECT position, entry FROM leaf WHERE position = 700".into(), "removed_altered"),
        ("another in its place", "UPDATE removed_entry SET entry = CAST(entry || x'20' AS BLOB) WHERE position = (SELECT max(position) FROM removed_entry)".into(), "removed_altered"),
        ("a hash of a removed entry",
         "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND idx = 0".into(),
         "altered_within"),
        ("a removal that was never signed",
         format!("INSERT INTO leaf SELECT {size}, CAST('{forged}' AS BLOB), 'x', at, action, outcome, actor, resident, visit
                  FROM leaf WHERE position = {said}"), "inserted"),
    ];
    for (what, statements, kind) in cases {
        let altered = PathBuf::from(ground.file("altered.db"));
        fs::copy(&pristine, &altered).unwrap();
        Connection::open(&altered).unwrap().execute_batch(&statements).unwrap();
        let (code, report) = ground.check(&altered);
        assert_eq!(code, TAMPERED, "{what}: {report}");
        let found = findings(&report).join("\n");
        assert!(found.contains(&format!("String(\"{kind}\")")), "{what}: {found}");
    }
    // Any column of both tables, whatever it is.
    let database = Connection::open(&pristine).unwrap();
    let mut columns = database
        .prepare(
            "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c
             WHERE m.name IN ('removed_entry', 'removed_standing')",
        )
        .unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let columns: Vec<(String, String, String)> = columns.unwrap().map(Result::unwrap).collect();
    assert_eq!(columns.len(), 6);
    for (table, column, kind) in columns {
        let values: &[&str] = match kind.as_str() {
            "INTEGER" => &["{} + 7000", "{} - 7000", "-{}"],
            _ => &["CAST({} || x'00' AS BLOB)", "CAST(substr({}, 2) AS BLOB)", "x''"],
        };
        for value in values {
            let altered = PathBuf::from(ground.file("altered.db"));
            fs::copy(&pristine, &altered).unwrap();
            let first = match table.as_str() {
                "removed_entry" => "position = (SELECT min(position) FROM removed_entry)",
                // The last one of a resident counts.
                _ => "until = 512 AND key = (SELECT min(key) FROM removed_standing)",
            };
            let value = value.replace("{}", &column);
            let statement = format!("UPDATE {table} SET {column} = {value} WHERE {first}");
            Connection::open(&altered).unwrap().execute_batch(&statement).unwrap();
            let (code, report) = ground.check(&altered);
            assert_eq!(code, TAMPERED, "{statement}: {report}");
        }
    }
    let whole = fs::read_to_string(&history).unwrap();
    for (what, from, to) in [
        ("another count", "before ", "before 1"),
        ("another chain", "\nbefore ", "\nbefore 9"),
        ("another path", "\npath ", "\npath 0"),
        ("another removal", "\"until\":\"512\"", "\"until\":\"511\""),
        ("another version", "history v2", "history v1"),
    ] {
        let altered =
            ground.hospital.stage.write("log/altered", whole.replacen(from, to, 1).as_bytes());
        let (code, report) = ground.check(&altered.unwrap());
        assert!(code != 0, "{what}: {report}");
    }
}

/// A service that removes what it may not is found by both checkers, though it signs what it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_without_right_is_found() {
    let mut ground = Ground::open().await;
    ground.hospital.stage.server().unwrap().end().unwrap();
    let log = OldLog::of(&ground.hospital);
    let database = Connection::open(ground.hospital.database()).unwrap();
    let first = "SELECT position, entry FROM leaf WHERE action = ?1 ORDER BY position LIMIT 1";
    let (closed_at, closing): (u64, Vec<u8>) =
        database.query_row(first, [CLOSE], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let closing = Entry::decode(&closing).unwrap();
    let said = Segment::of(&closing, closed_at);
    let Some(Ok((Step::Closed { newest }, segment))) = said else { panic!("{said:?}") };
    let since = newest.max(audit::segment::Instant::read(&closing.at).unwrap());
    let size = || -> u64 {
        let size = "SELECT max(position) + 1 FROM leaf";
        database.query_row(size, [], |row| row.get(0)).unwrap()
    };
    let [one, other] = ["clerk", "doctor"].map(|it| ground.hospital.staff[it].clone());
    let by = |who: &str, n: u64, action: &str| {
        let id = format!("01936b1e-7c01-7000-8000-{n:012x}");
        let actor = Actor { identity: Some(who.to_owned()), ..Actor::default() };
        Entry::new(id, rfc3339(clock::now()), action, Outcome::Granted, actor)
    };
    let act = |n: u64, action: &str| by(&one, n, action);
    let removal = |n: u64, months: u32, entered_at: u64| {
        let right = Removal { since, months, kept: 0, closed_at, entered_at };
        segment.in_entry(Step::Removed(right), act(n, REMOVE))
    };
    let at = size();
    let entered = segment.in_entry(Step::Entered, act(at + 1, ENTER));
    for (what, entries) in [
        ("before its term", vec![removal(at, 1200, closed_at + 1)]),
        ("by one person", vec![entered, removal(at + 2, 6, at + 1)]),
        ("entered nowhere", vec![removal(at + 3, 6, closed_at + 1)]),
        (
            "though it was rejected",
            vec![
                segment.in_entry(Step::Entered, by(&other, at + 4, ENTER)),
                segment.in_entry(Step::Rejected { entered_at: at + 4 }, by(&one, at + 5, REJECT)),
                removal(at + 6, 6, at + 4),
            ],
        ),
    ] {
        let position = size();
        let until = position + entries.len() as u64;
        log.fill(until, |n| entries[(n - position) as usize].clone()).await;
        let copy = ground.copy();
        let (code, report) = ground.check(&copy);
        assert_eq!(code, TAMPERED, "{what}: {report}");
        let wrong = format!("Number({})", until - 1);
        let found = findings(&report);
        let found = found.iter().any(|it| it.contains("segment_wrong") && it.contains(&wrong));
        assert!(found, "{what}: {report}");
    }
}

/// Where nobody could hold the log to what it removed, nothing is removed unless that is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_witness_a_removal_has_to_be_allowed() {
    let mut ground = Ground::open().await;
    let settings = ground.hospital.stage.path("data/healthcard.toml");
    for (from, to, state) in [
        ("[witnesses]\nkeys = [\"", "[witnesses]\nkeys = [] # [\"", "STATE_UNANCHORED"),
        ("without_witness = false", "without_witness = true", "STATE_REMOVABLE"),
    ] {
        ground.hospital.stage.server().unwrap().end().unwrap();
        let written = fs::read_to_string(&settings).unwrap();
        assert!(written.contains(from), "{written}");
        fs::write(&settings, written.replacen(from, to, 1)).unwrap();
        ground.hospital.stage.serve().unwrap();
        assert_eq!(ground.states()[0], state);
        if state == "STATE_UNANCHORED" {
            let root = text(&ground.segments()[0], "root");
            let order = ["audit", "remove", "0", "--root", &root];
            ground.hospital.refused("auditor", &order, "SEGMENT_NOT_ANCHORED");
        }
    }
    let removed = ground.remove(&ground.segments()[0]);
    ground.until_gone(SEGMENT);
    let copy = ground.copy();
    ground.assert_valid(&copy);
    // The log says that there was none.
    let database = Connection::open(&copy).unwrap();
    let entry = "SELECT entry FROM leaf WHERE position = ?1";
    let position = removed["receipt"]["position"].as_u64().unwrap();
    let entry: Vec<u8> = database.query_row(entry, [position], |row| row.get(0)).unwrap();
    assert_eq!(Entry::decode(&entry).unwrap().detail["witness"], "none");
}
