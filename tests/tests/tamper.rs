//! What `sqlite3` can do to a copy of the log, the checker finds and names.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use serde_json::Value;
use service::demo::tamper;
use tests::hospital::Hospital;

/// Exit codes of `healthcard audit check`.
const VALID: i32 = 0;
const TAMPERED: i32 = 4;
const UNVERIFIABLE: i32 = 5;

struct Log {
    hospital: Hospital,
    pristine: PathBuf,
    verifier: String,
}

impl Log {
    fn open() -> Self {
        Self::of(Hospital::open())
    }

    fn of(hospital: Hospital) -> Self {
        let verifier = hospital.verifier_key();
        let pristine = hospital.stage.path("log/pristine.db");
        tamper::copy(&hospital.database(), &pristine).unwrap();
        Self { hospital, pristine, verifier }
    }

    /// A fresh copy with these statements run on it.
    fn altered(&self, statements: &str) -> PathBuf {
        let copy = self.hospital.stage.path("log/altered.db");
        fs::copy(&self.pristine, &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(statements).unwrap();
        copy
    }

    fn check(&self, copy: &Path) -> (i32, Value) {
        let file = copy.to_string_lossy();
        let order = ["audit", "check", &file, "--verifier-key", &self.verifier];
        let answer = self.hospital.ask("auditor", &order);
        (answer.code, answer.body)
    }

    fn leaves(&self) -> Vec<(u64, usize)> {
        let log = Connection::open(&self.pristine).unwrap();
        let mut rows =
            log.prepare("SELECT position, length(entry) FROM leaf ORDER BY position").unwrap();
        let leaves = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        leaves.map(Result::unwrap).collect()
    }
}

fn messages(verdict: &Value) -> Vec<&str> {
    let findings = verdict["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["message"].as_str().unwrap_or_default()).collect()
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
    let cases: [(&str, String, i32, &[&str]); 8] = [
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
        ("no checkpoint left", "DELETE FROM checkpoint".into(), UNVERIFIABLE, &[]),
    ];
    for (what, statements, expected, named) in cases {
        let (code, verdict) = log.check(&log.altered(&statements));
        assert_eq!(code, expected, "{what}: {verdict}");
        assert_eq!(messages(&verdict), named, "{what}");
    }
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
    let held = log
        .hospital
        .stage
        .write("log/held", held["checkpoint"].as_str().unwrap().as_bytes())
        .unwrap();
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
    let file = copy.to_string_lossy();
    let order = [
        "audit",
        "check",
        &file,
        "--verifier-key",
        &log.verifier,
        "--checkpoint",
        &held.to_string_lossy(),
    ];
    let answer = log.hospital.ask("auditor", &order);
    assert_eq!(answer.code, TAMPERED, "{}", answer.body);
}
