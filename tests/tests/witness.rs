//! A witness signs a log that only grows, and finds out one that was put back to an older copy or has two histories.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::Value;
use service::demo::programs::{Background, Program};
use service::demo::stage::PATIENCE;
use service::demo::tamper;
use tests::hospital::{Hospital, text};

/// The identity of the witness: a patients' body, which the hospital knows by its key alone.
const WITNESS: &str = "patients";

/// The files of a log.
const FILES: [&str; 4] =
    ["healthcard.db", "healthcard.db-wal", "healthcard.db-shm", "healthcard.db.checkpoint"];

struct Watched {
    hospital: Hospital,
    log_key: String,
    witness_key: String,
}

impl Watched {
    fn open() -> Self {
        let hospital = Hospital::open();
        let log_key = hospital.verifier_key();
        hospital.granted(WITNESS, &["key", "new"]);
        let begin = ["witness", "begin", "--label", "patients.example", "--verifier-key", &log_key];
        let witness_key = text(&hospital.granted(WITNESS, &begin), "witness_key");
        Self { hospital, log_key, witness_key }
    }

    fn make_known(&mut self) {
        let known = format!("[witnesses]\nkeys = [\"{}\"]", self.witness_key);
        self.hospital.reconfigure(|it| it.replace("[witnesses]\nkeys = []", &known));
    }

    /// One look; the exit code, and what was told.
    fn look(&self) -> (i32, Value) {
        let answer = self.hospital.ask(WITNESS, &["witness", "run", "--once"]);
        (answer.code, answer.body)
    }

    /// The size that was signed.
    #[track_caller]
    fn signed(&self) -> u64 {
        let (code, told) = self.look();
        assert_eq!((code, &told["event"]), (0, &"signed".into()), "{told}");
        told["size"].as_u64().unwrap()
    }

    /// Something that leaves an entry.
    fn grow(&self) {
        self.hospital.granted("auditor", &["audit", "search"]);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.hospital.stage.path("data").join(name)
    }

    /// A copy of the log as it is on disk when the service has ended in order, which then goes on.
    fn copied(&mut self) -> Vec<(&'static str, Vec<u8>)> {
        self.hospital.stage.server().unwrap().end().unwrap();
        let read = |name: &'static str| Some((name, fs::read(self.file(name)).ok()?));
        let copy = FILES.into_iter().filter_map(read).collect();
        self.hospital.stage.serve().unwrap();
        copy
    }

    /// Puts a copy in the place of the log, with the file beside it that tells how far it was.
    fn put_back(&mut self, copy: &[(&'static str, Vec<u8>)]) {
        self.hospital.stage.server().unwrap().end().unwrap();
        for name in FILES {
            drop(fs::remove_file(self.file(name)));
        }
        for (name, bytes) in copy {
            fs::write(self.file(name), bytes).unwrap();
        }
        self.hospital.stage.serve().unwrap();
    }

    /// Has a statement change the database while the service is down.
    fn alter(&mut self, statement: &str) {
        self.hospital.stage.server().unwrap().end().unwrap();
        Connection::open(self.hospital.database()).unwrap().execute_batch(statement).unwrap();
        self.hospital.stage.serve().unwrap();
    }

    /// The size that operators are told the witness signed last; 0 for nothing.
    fn told(&self) -> Value {
        self.hospital.granted("operator", &["status"])["witnesses"][0]["size"].clone()
    }

    /// The alerts in the log about it, as reasons and sizes.
    fn alerts(&self) -> Vec<(String, String)> {
        let search = ["audit", "search", "--action", "audit.witness", "--alerts"];
        let found = self.hospital.granted("auditor", &search);
        let entries = found["entries"].as_array().unwrap().iter();
        entries
            .map(|it| &it["entry"]["detail"])
            .map(|it| (text(it, "alert"), text(it, "held-size")))
            .collect()
    }

    /// The verdict of an auditor over a copy of the log, who has the checkpoint in a file or none.
    fn verdict(&self, checkpoint: Option<&str>) -> Value {
        let copy = self.hospital.stage.path("log/copy.db");
        tamper::copy(&self.hospital.database(), &copy).unwrap();
        let copy = copy.to_string_lossy();
        let mut order = vec!["audit", "check", &*copy, "--verifier-key", &self.log_key];
        if let Some(file) = checkpoint {
            order.extend(["--checkpoint", file, "--witness", &self.witness_key]);
        }
        self.hospital.ask("auditor", &order).body
    }
}

#[test]
fn an_older_copy_and_another_history_are_found_out_by_a_witness_alone() {
    let mut watched = Watched::open();
    // Whoever the service does not know is told so, and remembers what it saw all the same.
    let (code, told) = watched.look();
    assert_eq!((code, &told["error"]["reason"]), (1, &"WITNESS_UNKNOWN".into()), "{told}");
    watched.make_known();
    let first = watched.signed();
    let older = watched.copied();
    watched.grow();
    let second = watched.signed();
    assert!(second > first);

    // What it signed is shown to everybody, and to operators when.
    let order = ["audit", "checkpoint", "--witness", &watched.witness_key];
    let shown = watched.hospital.granted("auditor", &order);
    assert_eq!(shown["witnesses"][0]["size"], second, "{shown}");
    assert!(shown["cosigned"][0].as_str().unwrap().contains("patients.example"), "{shown}");
    let status = watched.hospital.granted("operator", &["status"]);
    assert_eq!(status["witnesses"][0]["size"], second, "{}", status["witnesses"]);
    assert_eq!(status["witnesses"][0]["late"], false, "{}", status["witnesses"]);
    let held = watched.hospital.granted(WITNESS, &["witness", "show"])["held"].clone();
    let note = watched.hospital.stage.write("records/held.note", text(&held, "note").as_bytes());
    let note = note.unwrap().to_string_lossy().into_owned();
    assert_eq!(watched.verdict(Some(&note))["verdict"], "valid");

    // An older copy is whole, and its checkpoint genuine.
    watched.put_back(&older);
    assert_eq!(watched.verdict(None)["verdict"], "valid");
    let rolled_back = watched.verdict(Some(&note));
    assert_eq!(rolled_back["verdict"], "tampered", "{rolled_back}");
    for _ in 0..2 {
        let (code, told) = watched.look();
        assert_eq!((code, &told["event"]), (4, &"differs".into()), "{told}");
    }
    let alert = |kind: &str| (kind.to_owned(), second.to_string());
    assert_eq!(watched.alerts(), [alert("log-rolled-back")], "once, however often it is shown");

    // It grows beyond what was signed, by other entries.
    while watched.hospital.granted("auditor", &["audit", "checkpoint"])["size"].as_u64().unwrap()
        <= second
    {
        watched.grow();
    }
    assert_eq!(watched.verdict(None)["verdict"], "valid");
    let forked = watched.verdict(Some(&note));
    assert_eq!(forked["verdict"], "tampered", "{forked}");
    let (code, told) = watched.look();
    assert_eq!(code, 4, "{told}");
    assert_eq!(told["why"], "said-forked", "{told}");
    let evidence = fs::read_to_string(text(&told, "evidence")).unwrap();
    // What it signed, and what the service has instead, which its log's key signed as well.
    assert!(evidence.starts_with("said-forked ") && evidence.contains(&text(&held, "note")));
    assert_eq!(evidence.matches("\u{2014} demo.healthcard ").count(), 2, "{evidence}");
    assert_eq!(watched.alerts()[0], alert("log-forked"));

    // Nothing of it was signed, and what was is what is held.
    let shown = watched.hospital.ask(WITNESS, &["witness", "show"]);
    assert_eq!((shown.code, &shown.body["held"]), (4, &held), "{}", shown.body);
    assert_eq!(shown.body["evidence"].as_array().unwrap().len(), 2, "{}", shown.body);
    let order = ["audit", "checkpoint", "--witness", &watched.witness_key];
    let shown = watched.hospital.granted("auditor", &order);
    assert_eq!(shown["witnesses"][0]["size"], first, "what was said before the copy was made");
    // A witness who never signed, and an export that is of other entries than what was signed.
    let log = &watched.log_key;
    let begin = ["witness", "begin", "--label", "other.example", "--verifier-key", log];
    watched.hospital.granted("other", &["key", "new"]);
    let other = text(&watched.hospital.granted("other", &begin), "witness_key");
    let unsigned = watched.hospital.ask("auditor", &["audit", "checkpoint", "--witness", &other]);
    assert_eq!((unsigned.code, &unsigned.body["witnesses"][0]["size"]), (5, &Value::Null));
    let export = watched.hospital.stage.path("log/part.txt").to_string_lossy().into_owned();
    watched.hospital.granted("auditor", &["audit", "export", "--until", "9", "--out", &export]);
    let order = ["audit", "check", &export, "--verifier-key", log, "--checkpoint", &note];
    let part = watched.hospital.ask("auditor", &order);
    assert_eq!((part.code, &part.body["verdict"]), (5, &"unverifiable".into()), "{}", part.body);
}

#[test]
fn a_witness_goes_on_where_it_was_killed_and_shows_what_it_holds() {
    let mut watched = Watched::open();
    watched.make_known();
    let start = |watched: &Watched| {
        let order = ["witness", "run", "--every", "1", "--listen", "127.0.0.1:0"];
        let command = watched.hospital.stage.healthcard(WITNESS, &order);
        let log = watched.hospital.stage.path("log/witness");
        Background::start(Program::Healthcard.name(), command, &log).unwrap()
    };
    let mut running = start(&watched);
    let address = text(&event(&mut running, "listening"), "address");
    let before = event(&mut running, "signed")["size"].as_u64().unwrap();
    watched.hospital.refused(WITNESS, &["witness", "run", "--once"], "WITNESS_BUSY");
    watched.grow();
    while event(&mut running, "signed")["size"].as_u64().unwrap() <= before {}
    let held = watched.hospital.granted(WITNESS, &["witness", "show"])["held"].clone();
    let (head, body) = get(&address, "/checkpoint");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body.contains("patients.example"), "{body}");
    assert!(get(&address, "/evidence").0.starts_with("HTTP/1.1 404"));
    assert!(get(&address, "/").0.starts_with("HTTP/1.1 404"));

    // The service away: it is told, and found again.
    watched.hospital.stage.server().unwrap().end().unwrap();
    running.kill();
    let (code, told) = watched.look();
    assert_eq!(code, 3, "{told}");
    watched.hospital.stage.serve().unwrap();
    assert!(watched.signed() >= held["size"].as_u64().unwrap());

    // What it remembers is its own word, or nothing is signed.
    let memory = watched.hospital.stage.identity(WITNESS).join("witness/held");
    let kept = fs::read_to_string(&memory).unwrap();
    for spoiled in ["x\n", &kept[..kept.len() - 9], &kept.replacen("patients", "patient", 1)] {
        fs::write(&memory, spoiled).unwrap();
        watched.hospital.refused(WITNESS, &["witness", "run", "--once"], "WITNESS_MEMORY_SPOILED");
    }
    fs::remove_file(&memory).unwrap();
    watched.hospital.refused(WITNESS, &["witness", "run", "--once"], "WITNESS_MEMORY_SPOILED");
    fs::write(&memory, &kept).unwrap();
    watched.signed();

    // The log's next key is believed once somebody said so.
    watched.hospital.stage.server().unwrap().end().unwrap();
    assert_eq!(watched.hospital.healthcardd(&["keys", "rotate", "soft:log", "--at-once"]).code, 0);
    watched.hospital.stage.serve().unwrap();
    watched.grow();
    watched.hospital.refused(WITNESS, &["witness", "run", "--once"], "WITNESS_LOG_KEY");
    let next = watched.hospital.verifier_key();
    assert_ne!(next, watched.log_key);
    watched.hospital.granted(WITNESS, &["witness", "accept", "--verifier-key", &next]);
    watched.signed();

    let begin = ["witness", "begin", "--label", "x", "--verifier-key", &watched.log_key];
    watched.hospital.refused(WITNESS, &begin, "WITNESS_EXISTS");
    watched.hospital.refused("auditor", &["witness", "show"], "WITNESS_NOT_BEGUN");
}

/// What is on record of a witness is held against its key, the log's and the log, as what it sends is.
#[test]
fn a_record_of_a_witness_that_was_altered_is_not_taken_up() {
    let mut watched = Watched::open();
    watched.make_known();
    let older = watched.copied();
    let signed = watched.signed();
    watched.alter("");
    assert_eq!(watched.told(), signed, "what it signed is known after a restart");
    let harms = [
        ("more than any log has", "UPDATE cosignature SET size = 1 << 52"),
        ("never late", "UPDATE cosignature SET at = at + 31536000000000"),
        ("another line", "UPDATE cosignature SET line = replace(line, 'patients', 'somebody')"),
        (
            "another signature",
            "UPDATE cosignature SET line = substr(line, 1, 60) ||
             CASE substr(line, 61, 1) WHEN 'A' THEN 'B' ELSE 'A' END || substr(line, 62)",
        ),
        (
            "another checkpoint",
            "UPDATE cosignature SET checkpoint = (SELECT note FROM checkpoint ORDER BY size DESC)",
        ),
        ("no checkpoint", "UPDATE cosignature SET checkpoint = ''"),
        ("two signatures", "UPDATE cosignature SET checkpoint = checkpoint || line"),
        (
            "another witness",
            "UPDATE cosignature SET witness = replace(witness, 'patients', 'other')",
        ),
    ];
    for (harm, statement) in harms {
        watched.alter(statement);
        assert_eq!(watched.told(), 0, "{harm}");
        watched.grow();
        let signed = watched.signed();
        assert_eq!(watched.told(), signed, "{harm}: it does not stay");
    }

    // Of what the log had before it was put back to an older copy.
    let columns = "witness, size, at, checkpoint, line";
    let row = {
        let db = Connection::open(watched.hospital.database()).unwrap();
        let select = format!(
            "SELECT format('(%Q, %d, %d, %Q, %Q)', {columns}) FROM cosignature
             WHERE witness LIKE 'patients%'"
        );
        db.query_row(&select, [], |row| row.get::<_, String>(0)).unwrap()
    };
    let size = watched.told().as_u64().unwrap();
    watched.put_back(&older);
    watched.alter(&format!("INSERT INTO cosignature ({columns}) VALUES {row}"));
    assert_eq!(watched.told(), 0, "the log does not go so far");
    while watched.hospital.granted("auditor", &["audit", "checkpoint"])["size"].as_u64().unwrap()
        <= size
    {
        watched.grow();
    }
    watched.alter("");
    assert_eq!(watched.told(), 0, "the log has something else there");
}

fn event(running: &mut Background, kind: &str) -> Value {
    running
        .wait_for(kind, PATIENCE, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["event"] == kind).then_some(event)
        })
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Head and body of what is at a path.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}
