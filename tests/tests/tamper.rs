//! What `sqlite3` can do to a copy of the log, and an editor to an export, both checkers find and name: ours, and one in
//! Python that shares nothing with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde_json::Value;
use service::demo::tamper;
use tests::hospital::{Hospital, text};
use tests::python::{AuditCheck, audit_check};

/// Exit codes of `healthcard audit check`.
const VALID: i32 = 0;
const TAMPERED: i32 = 4;
const UNVERIFIABLE: i32 = 5;
const REMOVED: &str = "what is kept of entries that were removed is not what the log says of it";

struct Log {
    hospital: Hospital,
    pristine: PathBuf,
    verifier: String,
    python: RefCell<AuditCheck>,
}

impl Log {
    fn open() -> Self {
        Self::of(Hospital::open())
    }

    fn of(hospital: Hospital) -> Self {
        let verifier = hospital.verifier_key();
        let pristine = hospital.stage.path("log/pristine.db");
        tamper::copy(&hospital.database(), &pristine).unwrap();
        let python = AuditCheck::start(&verifier).into();
        Self { hospital, pristine, verifier, python }
    }

    /// A fresh copy with these statements run on it.
    fn altered(&self, statements: &str) -> PathBuf {
        let copy = self.hospital.stage.path("log/altered.db");
        fs::copy(&self.pristine, &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(statements).unwrap();
        copy
    }

    /// The export of these positions, 0 being the end, line by line.
    fn exported(&self, from: &str, until: &str) -> Vec<String> {
        let export = self.hospital.stage.path("log/export");
        let out = export.to_string_lossy();
        let order = ["audit", "export", "--from", from, "--until", until, "--out", &out];
        self.hospital.granted("auditor", &order);
        let text = fs::read_to_string(&export).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    /// An export that was altered.
    fn export_of(&self, content: &[u8]) -> PathBuf {
        self.hospital.stage.write("log/altered", content).unwrap()
    }

    /// What both checkers say.
    fn check(&self, copy: &Path) -> (i32, Value) {
        let (code, ours) = self.ask_ours(copy, &[]);
        let theirs = self.python.borrow_mut().ask(copy);
        agree(code, &ours, &theirs);
        (code, ours)
    }

    fn ask_ours(&self, copy: &Path, held: &[&str]) -> (i32, Value) {
        let file = copy.to_string_lossy();
        let order = ["audit", "check", &file, "--verifier-key", &self.verifier];
        let answer = self.hospital.ask("auditor", &[&order, held].concat());
        (answer.code, answer.body)
    }

    /// The same of a copy and a checkpoint that was held.
    fn check_with(&self, copy: &Path, checkpoint: &str) -> (i32, Value) {
        let held = self.hospital.stage.write("log/held", checkpoint.as_bytes()).unwrap();
        let held = ["--checkpoint", &held.to_string_lossy()];
        let (code, ours) = self.ask_ours(copy, &held);
        let mut python = audit_check();
        python.args(["--verifier-key", &self.verifier]).args(held).arg(copy);
        let output = python.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}: {ours}");
        agree(code, &ours, &serde_json::from_slice(&output.stdout).unwrap());
        (code, ours)
    }

    fn leaves(&self) -> Vec<(u64, usize)> {
        let log = Connection::open(&self.pristine).unwrap();
        let mut rows =
            log.prepare("SELECT position, length(entry) FROM leaf ORDER BY position").unwrap();
        let leaves = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        leaves.map(Result::unwrap).collect()
    }
}

/// Both come to one verdict and name the same entries. Ours refuses to judge what cannot be read at all.
fn agree(code: i32, ours: &Value, theirs: &Value) {
    let verdict = match code {
        VALID => "valid",
        TAMPERED => "tampered",
        UNVERIFIABLE => "unverifiable",
        _ => panic!("{code}: {ours}"),
    };
    assert_eq!(theirs["verdict"], verdict, "{theirs}: {ours}");
    assert_eq!(findings(theirs), findings(ours), "{theirs}: {ours}");
    let missing = |verdict: &Value| verdict["missing"].as_array().map(Vec::len);
    if let Some(count) = missing(ours) {
        assert_eq!(missing(theirs), Some(count), "{theirs}: {ours}");
        for fact in ["size", "root", "entries_checked", "checkpoints"] {
            assert_eq!(theirs[fact], ours[fact], "{fact}: {theirs}: {ours}");
        }
    }
}

/// The findings without their sentences, in an order of their own.
fn findings(verdict: &Value) -> Vec<String> {
    // Whatever the order in which they say it.
    let said = |finding: &Value| {
        let fields = finding.as_object().unwrap().iter().filter(|(name, _)| *name != "message");
        format!("{:?}", fields.collect::<BTreeMap<_, _>>())
    };
    let findings = verdict["findings"].as_array().into_iter().flatten();
    let mut findings: Vec<_> = findings.map(said).collect();
    findings.sort();
    findings
}

fn messages(verdict: &Value) -> Vec<&str> {
    let findings = verdict["findings"].as_array().into_iter().flatten();
    findings.map(|finding| finding["message"].as_str().unwrap_or_default()).collect()
}

#[test]
fn any_one_byte_of_any_leaf() {
    let log = Log::open();
    assert_eq!(log.check(&log.pristine).0, VALID);
    let leaves = log.leaves();
    assert!(leaves.len() > 15, "only {} leaves", leaves.len());
    let copy = log.hospital.stage.path("log/altered.db");
    for (position, length) in leaves {
        // First, last, and one that moves through the entries.
        for at in [0, usize::try_from(position).unwrap() * 37 % length, length - 1] {
            fs::copy(&log.pristine, &copy).unwrap();
            tamper::change_byte(&copy, position, at).unwrap();
            let (code, verdict) = log.check(&copy);
            assert_eq!(code, TAMPERED, "byte {at} of leaf {position}: {verdict}");
            assert_eq!(verdict["verdict"], "tampered", "{verdict}");
            assert_eq!(messages(&verdict), [format!("entry {position} was altered")], "byte {at}");
        }
    }
}

#[test]
fn rows_that_are_missing_added_swapped_or_mislabelled() {
    let log = Log::open();
    let last = log.leaves().len() - 1;
    #[rustfmt::skip]
    let cases: [(&str, String, i32, &[&str]); 26] = [
        ("one in the middle deleted", "DELETE FROM leaf WHERE position = 7".into(), TAMPERED,
         &["entry 7 is missing"]),
        ("one in the middle deleted, and the gap closed",
         "DELETE FROM leaf WHERE position = 7;
          UPDATE leaf SET position = position - 1000000 WHERE position > 7;
          UPDATE leaf SET position = position + 999999 WHERE position < 0".into(), TAMPERED,
         &["entry 7 is missing"]),
        ("the last one deleted", format!("DELETE FROM leaf WHERE position = {last}"), TAMPERED,
         &[&format!("entry {last} is missing")]),
        ("one added in the middle",
         "UPDATE leaf SET position = position + 1000000 WHERE position >= 5;
          UPDATE leaf SET position = position - 999999 WHERE position >= 1000000;
          INSERT INTO leaf SELECT 5, x'7B7D', entry_id || 'x', at, action, outcome, actor, resident, visit
          FROM leaf WHERE position = 6".into(), TAMPERED,
         &["the entry at 5 was inserted"]),
        ("two swapped",
         "UPDATE leaf SET position = -1 WHERE position = 3;
          UPDATE leaf SET position = 3 WHERE position = 9;
          UPDATE leaf SET position = 9 WHERE position = -1".into(), TAMPERED,
         &["entries 3 and 9 were swapped"]),
        ("a column for searching that says something else",
         "UPDATE leaf SET outcome = 'refused' WHERE position = 4".into(), TAMPERED,
         &["search column outcome of entry 4 disagrees with the entry"]),
        ("a row outside the log",
         "UPDATE leaf SET position = -1 WHERE position = 4".into(), TAMPERED,
         &["a row at -1 belongs to no log", "entry 4 is missing"]),
        ("one deleted, and another put in its place",
         "DELETE FROM leaf WHERE position = 5; UPDATE leaf SET position = 5 WHERE position = 11".into(), TAMPERED,
         &["entry 5 is missing", "the entry at 5 was signed as entry 11"]),
        ("one put after the end", format!("UPDATE leaf SET position = {} WHERE position = 8", last + 40), TAMPERED,
         &[&format!("the entry at {} was signed as entry 8", last + 40)]),
        ("one that repeats another",
         "UPDATE leaf SET entry = (SELECT entry FROM leaf WHERE position = 2) WHERE position = 6".into(), TAMPERED,
         &["entry 6 was altered"]),
        ("white space after one", "UPDATE leaf SET entry = CAST(entry || x'20' AS BLOB) WHERE position = 6".into(), TAMPERED,
         &["entry 6 was altered"]),
        ("a hash", "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB)".into(), TAMPERED,
         &["hash 0 of tile 0 of level 0 was altered"]),
        ("a hash too few", "UPDATE tile SET hashes = substr(hashes, 33)".into(), TAMPERED,
         &["tile 0 of level 0 is missing or has the wrong length"]),
        ("a tile deleted", "DELETE FROM tile".into(), TAMPERED,
         &["tile 0 of level 0 is missing or has the wrong length"]),
        ("a tile elsewhere", "UPDATE tile SET idx = 3".into(), TAMPERED,
         &["the log has no tile 3 of level 0", "tile 0 of level 0 is missing or has the wrong length"]),
        ("a tile that no log has", "INSERT INTO tile VALUES (-1, 7, x'00')".into(), TAMPERED,
         &["the log has no tile 7 of level -1"]),
        ("an older checkpoint deleted", "DELETE FROM checkpoint WHERE size = 0".into(), TAMPERED,
         &["the checkpoint of size 0 is missing"]),
        ("the newest checkpoint at another size", format!("UPDATE checkpoint SET size = 3 WHERE size = {}", last + 1),
         TAMPERED, &["the checkpoint of size 3 was altered"]),
        ("other ends of its lines",
         format!("UPDATE checkpoint SET note = replace(note, x'0A', x'0D0A') WHERE size = {}", last + 1), TAMPERED,
         &[&format!("the checkpoint of size {} was altered", last + 1)]),
        ("removed, and said so",
         "DELETE FROM leaf WHERE position < 3; UPDATE leaf SET action = 'audit.segment-remove' WHERE position = 3".into(),
         TAMPERED, &["search column action of entry 3 disagrees with the entry", "entries 0 to 2 are missing"]),
        ("kept of what was not removed", "INSERT INTO removed_entry SELECT position, entry FROM leaf WHERE position = 3".into(),
         TAMPERED, &[REMOVED]),
        ("a standing of nobody", "INSERT INTO removed_standing VALUES (zeroblob(31), 1, 1, zeroblob(32))".into(), TAMPERED,
         &[REMOVED]),
        ("a standing for a removal to come", "INSERT INTO removed_standing VALUES (zeroblob(32), 1, 1, zeroblob(32))".into(),
         VALID, &[]),
        ("no checkpoint left", "DELETE FROM checkpoint".into(), UNVERIFIABLE, &[]),
        ("no table of tiles", "DROP TABLE tile".into(), UNVERIFIABLE, &[]),
        ("no table of entries", "DROP TABLE leaf".into(), UNVERIFIABLE, &[]),
    ];
    for (what, statements, expected, named) in cases {
        let (code, verdict) = log.check(&log.altered(&statements));
        assert_eq!(code, expected, "{what}: {verdict}");
        assert_eq!(messages(&verdict), named, "{what}");
    }
}

/// A row that has another value anywhere is found, whatever it is the value of. The tables of what was removed have rows in
/// `retention.rs`.
#[test]
fn any_column_of_any_table() {
    let log = Log::open();
    let database = Connection::open(&log.pristine).unwrap();
    let mut columns = database
        .prepare(
            "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name IN ('leaf', 'tile', 'checkpoint')",
        )
        .unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let columns: Vec<(String, String, String)> = columns.unwrap().map(Result::unwrap).collect();
    assert_eq!(columns.len(), 14);
    for (table, column, kind) in columns {
        let others: &[&str] = match kind.as_str() {
            "INTEGER" => &["+ 7000", "- 7000"],
            "TEXT" => &["IS NULL OR 'x'", "|| 'x'", "|| char(10)"],
            _ => &["|| x'00'"],
        };
        for other in others {
            let value = match (*other, kind.as_str()) {
                ("IS NULL OR 'x'", _) => "'x'".to_owned(),
                (other, "TEXT") => format!("coalesce({column}, '') {other}"),
                (other, "BLOB") => format!("CAST({column} {other} AS BLOB)"),
                (other, _) => format!("{column} {other}"),
            };
            let row = format!("SELECT max(rowid) FROM {table}");
            let place = if table == "tile" { "1".to_owned() } else { format!("rowid = ({row})") };
            let statement = format!("UPDATE {table} SET {column} = {value} WHERE {place}");
            let (code, verdict) = log.check(&log.altered(&statement));
            assert_eq!(code, TAMPERED, "{statement}: {verdict}");
        }
    }
}

/// Position, hash and entry of a line of an export.
fn parts(line: &str) -> [&str; 3] {
    line.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn exports() {
    let log = Log::open();
    let whole = log.exported("0", "0");
    assert_eq!(log.check(&log.export_of(whole.concat().as_bytes())).0, VALID);
    let range = log.exported("5", "17");
    assert_eq!(log.check(&log.export_of(range.concat().as_bytes())).0, VALID);
    let first = range.iter().position(|line| line.starts_with("5 ")).unwrap();
    let line_of = |position: usize| first + position - 5;
    let last = range.len() - 1;
    let hash = |position: usize| parts(&range[line_of(position)])[1].to_owned();
    let other = Log::of(Hospital::founded());
    // The log has grown since it was copied.
    let size = range[2].rsplit(' ').next().unwrap().trim();
    let elsewhere = &whole[whole.len() - 2];

    type Change<'a> = &'a dyn Fn(&mut Vec<String>);
    #[rustfmt::skip]
    let cases: [(&str, Change<'_>, i32, &[&str]); 16] = [
        ("one altered", &|l| l[line_of(9)] = l[line_of(9)].replacen("\"v\":1", "\"v\":2", 1), TAMPERED,
         &["entry 9 was altered"]),
        ("the hash of one", &|l| l[line_of(9)] = l[line_of(9)].replacen(&hash(9), &hash(10), 1), TAMPERED,
         &["the hash beside entry 9 was altered"]),
        ("one deleted", &|l| { l.remove(line_of(9)); l[last - 1] = "end 11\n".into(); }, TAMPERED,
         &["entry 9 is missing"]),
        ("the last one deleted", &|l| { l.remove(line_of(16)); l[last - 1] = "end 11\n".into(); }, TAMPERED,
         &["entry 16 is missing"]),
        ("one deleted, and counted", &|l| drop(l.remove(line_of(9))), UNVERIFIABLE, &[]),
        ("one twice", &|l| { l.insert(line_of(9), l[line_of(9)].clone()); l[last + 1] = "end 13\n".into(); }, TAMPERED,
         &["the entry at 9 was inserted"]),
        ("one of elsewhere", &|l| { l.insert(line_of(9), elsewhere.clone()); l[last + 1] = "end 13\n".into(); },
         TAMPERED, &[&format!("the entry at {} was inserted", parts(elsewhere)[0])]),
        ("two with each other's content", &|l| {
            let [nine, twelve] = [9, 12].map(|n| l[line_of(n)].split_once(' ').unwrap().1.to_owned());
            l[line_of(9)] = format!("9 {twelve}");
            l[line_of(12)] = format!("12 {nine}");
         }, TAMPERED, &["among entries 5 to 16 something was altered together with its hashes"]),
        ("a subtree before it", &|l| {
            let at = l.iter().position(|line| line.starts_with("left ")).unwrap();
            l[at] = format!("left {}\n", hash(9));
         }, TAMPERED, &["among entries 5 to 16 something was altered together with its hashes"]),
        ("a subtree after it deleted", &|l| {
            let at = l.iter().position(|line| line.starts_with("right ")).unwrap();
            l.remove(at);
         }, UNVERIFIABLE, &[]),
        ("the root", &|l| {
            let at = l.iter().position(|line| line.starts_with("checkpoint ")).unwrap();
            l[at + 3] = format!("{}\n", hash(9));
         }, TAMPERED, &[&format!("the checkpoint of size {size} was altered")]),
        ("the key", &|l| l[1] = format!("key {}\n", other.verifier), TAMPERED,
         &["the key in the bundle is not the one of its checkpoint"]),
        ("cut short after a line", &|l| l.truncate(line_of(9)), UNVERIFIABLE, &[]),
        ("cut short within one", &|l| { l.truncate(line_of(9)); drop(l.last_mut().unwrap().split_off(40)); }, UNVERIFIABLE, &[]),
        ("other ends of lines", &|l| l.iter_mut().for_each(|line| *line = line.replace('\n', "\r\n")), UNVERIFIABLE, &[]),
        ("a number with a zero", &|l| l[line_of(9)].insert(0, '0'), UNVERIFIABLE, &[]),
    ];
    for (what, change, expected, named) in cases {
        let mut lines = range.clone();
        change(&mut lines);
        let (code, verdict) = log.check(&log.export_of(lines.concat().as_bytes()));
        assert_eq!(code, expected, "{what}: {verdict}");
        assert_eq!(messages(&verdict), named, "{what}");
    }
    let theirs = other.exported("5", "17").concat();
    assert_eq!(log.check(&log.export_of(theirs.as_bytes())).0, UNVERIFIABLE);
}

/// Whatever one bit of an export is, it matters.
#[test]
fn any_bit_of_an_export() {
    let log = Log::open();
    let export = log.exported("5", "12").concat().into_bytes();
    for at in (0..export.len()).step_by(export.len() / 120) {
        let mut altered = export.clone();
        altered[at] ^= 1 << (at % 8);
        let (code, verdict) = log.check(&log.export_of(&altered));
        assert!([TAMPERED, UNVERIFIABLE].contains(&code), "bit {} of byte {at}: {verdict}", at % 8);
    }
}

/// The arithmetic of the other checker is held against vectors of others.
#[test]
fn the_other_checker_knows_sm2_and_the_tree() {
    let vectors = tests::private::repository().join("tests/vectors");
    let output = audit_check().arg("--vectors").arg(vectors).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(said["tried"].as_u64().unwrap() > 100, "{said}");
}

#[test]
fn a_log_of_somebody_else_does_not_pass() {
    let (log, other) = (Log::open(), Log::of(Hospital::founded()));
    let (code, verdict) = log.check(&other.pristine);
    assert_eq!(code, UNVERIFIABLE, "{verdict}");
    assert_eq!(verdict["missing"].as_array().unwrap().len(), 1, "{verdict}");
}

/// The last leaf and its checkpoint are taken away together: only a checkpoint that somebody kept can tell.
#[test]
fn a_shortened_log_is_found_with_a_checkpoint_held_earlier() {
    let log = Log::open();
    let held = log.hospital.granted("auditor", &["audit", "checkpoint"]);
    let held = text(&held, "checkpoint");
    let size: u64 = log.leaves().len().try_into().unwrap();
    let connection = Connection::open(&log.pristine).unwrap();
    let older: Option<u64> = connection
        .query_row("SELECT max(size) FROM checkpoint WHERE size < ?1", params![size], |row| {
            row.get(0)
        })
        .unwrap();
    drop(connection);
    let cut = older.unwrap_or(0);
    let copy = log.altered(&format!(
        "DELETE FROM leaf WHERE position >= {cut}; DELETE FROM checkpoint WHERE size > {cut}"
    ));
    let (code, verdict) = log.check_with(&copy, &held);
    assert_eq!(code, TAMPERED, "{verdict}");
    assert_eq!(log.check_with(&log.pristine, &held).0, VALID);
    assert_eq!(log.check_with(&log.pristine, "no checkpoint\n").0, UNVERIFIABLE);
}
