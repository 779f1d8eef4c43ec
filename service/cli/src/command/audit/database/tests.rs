use audit::{
    Actor, Entry, Outcome,
    check::{Finding, Verdict},
    index::Index,
    segment::{CLOSE, ENTER, Instant, REMOVE, Removal, Segment, Step},
    table,
    tree::{Frontier, leaf_hash},
};
use rusqlite::params;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{show::finding::removed_json, testing};

/// A file with a log of ten entries.
struct Hospital {
    dir: TempDir,
    key: VerifierKey,
}

fn hospital() -> Hospital {
    Hospital::of(&testing::Log::of(10))
}

/// One of whose log the first entries were removed.
fn old_hospital() -> Hospital {
    let mut log = testing::Log::of(10);
    let about = |entry: &Entry| entry.clone().about("resident");
    (log.entries[2], log.entries[3].action) = (about(&log.entries[2]), "key.rotate".into());
    let (mut frontier, mut index) = (Frontier::new(), Index::default());
    for (position, leaf) in (0..).zip(&log.leaves()[..8]) {
        frontier.push(leaf_hash(leaf));
        if position == 2 {
            index.add(&audit::index::key("resident"), position, &leaf_hash(leaf));
        }
    }
    let (standing, _) = index.prove(&audit::index::key("resident")).unwrap();
    let segment = Segment { first: 0, until: 8, root: frontier.root(), index_root: index.root() };
    let newest = Instant::read(&log.entries[7].at).unwrap();
    let since = Instant::read("2026-11-23T08:00:10.000000Z").unwrap();
    let removal = Removal { since, months: 6, kept: 1, closed_at: 10, entered_at: 11 };
    let said = [
        (CLOSE, since, Step::Closed { newest }),
        (ENTER, since.months_later(7).unwrap(), Step::Entered),
        (REMOVE, since.months_later(7).unwrap(), Step::Removed(removal)),
    ];
    for (position, (action, at, step)) in (10..).zip(said) {
        let id = format!("0193e5a0-0000-7000-8000-{position:012}");
        let actor = Actor { identity: Some(format!("person {position}")), ..Actor::default() };
        let entry = Entry::new(id, at.to_string(), action, Outcome::Granted, actor);
        log.entries.push(segment.in_entry(step, entry));
    }
    let hospital = Hospital::of(&log);
    let database = Connection::open(hospital.dir.path().join("log.db")).unwrap();
    database.execute_batch(table::CREATE_REMOVED).unwrap();
    let kept = "INSERT INTO removed_entry SELECT position, entry FROM leaf WHERE position = 3";
    database.execute(kept, []).unwrap();
    let key = audit::index::key("resident");
    let standing = params![key, 8, standing.count, standing.chain];
    database.execute("INSERT INTO removed_standing VALUES (?1, ?2, ?3, ?4)", standing).unwrap();
    database.execute("DELETE FROM leaf WHERE position < 8", []).unwrap();
    hospital
}

impl Hospital {
    fn of(log: &testing::Log) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Connection::open(dir.path().join("log.db")).unwrap();
        database.execute_batch(table::CREATE).unwrap();
        let leaves = log.leaves();
        for (position, (entry, bytes)) in log.entries.iter().zip(&leaves).enumerate() {
            let Columns { entry_id, at, action, outcome, actor, resident, .. } = Columns::of(entry);
            database
                .execute(
                    "INSERT INTO leaf VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)",
                    params![position, bytes, entry_id, at, action, outcome, actor, resident],
                )
                .unwrap();
        }
        let hashes = leaves.iter().map(|leaf| leaf_hash(leaf)).collect::<Vec<_>>().concat();
        database.execute("INSERT INTO tile VALUES (0, 0, ?1)", [hashes]).unwrap();
        for size in [0, leaves.len() as u64] {
            let checkpoint = params![size, log.checkpoint(size)];
            database.execute("INSERT INTO checkpoint VALUES (?1, ?2)", checkpoint).unwrap();
        }
        Self { dir, key: log.key.clone() }
    }

    /// The verdict after these statements.
    fn after(&self, statements: &str) -> Checked {
        let copy = self.dir.path().join("copy.db");
        std::fs::copy(self.dir.path().join("log.db"), &copy).unwrap();
        Connection::open(&copy).unwrap().execute_batch(statements).unwrap();
        assert!(is_database(&copy).unwrap());
        check(&copy, &self.key, &[]).unwrap()
    }
}

#[test]
fn untouched_log_is_valid() {
    let checked = hospital().after("");
    assert_eq!((checked.report.verdict, checked.report.leaves), (Verdict::Valid, 10));
}

#[test]
fn what_was_done_is_named() {
    let hospital = hospital();
    let cases = [
        (
            "UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), 'token', 'tokem') AS BLOB) WHERE position = 3",
            Finding::Altered { position: 3 },
        ),
        ("DELETE FROM leaf WHERE position = 3", Finding::Missing { from: 3, until: 4 }),
        (
            "INSERT INTO leaf SELECT 10, X'7b7d', 'x', at, action, outcome, actor, resident, visit
             FROM leaf WHERE position = 3",
            Finding::Inserted { position: 10 },
        ),
        (
            "UPDATE leaf SET position = 99 WHERE position = 3;
             UPDATE leaf SET position = 3 WHERE position = 5;
             UPDATE leaf SET position = 5 WHERE position = 99",
            Finding::Swapped { first: 3, second: 5 },
        ),
        (
            "UPDATE leaf SET action = 'token.revoke' WHERE position = 3",
            Finding::Column { position: 3, column: "action" },
        ),
        ("UPDATE checkpoint SET size = 9 WHERE size = 10", Finding::CheckpointAltered { size: 9 }),
        (
            "INSERT INTO leaf SELECT -1, entry, 'x', at, action, outcome, actor, resident, visit
             FROM leaf WHERE position = 3",
            Finding::Stray { position: -1 },
        ),
        ("DELETE FROM checkpoint WHERE size = 0", Finding::CheckpointMissing { size: 0 }),
        ("INSERT INTO tile VALUES (9, 0, x'00')", Finding::TileStray { level: 9, index: 0 }),
        (
            "INSERT INTO checkpoint SELECT -2, note FROM checkpoint WHERE size = 10",
            Finding::Stray { position: -2 },
        ),
    ];
    for (statements, expected) in cases {
        let Verdict::Tampered(findings) = hospital.after(statements).report.verdict else {
            panic!("{statements}");
        };
        assert!(findings.listed.contains(&expected), "{statements}: {findings:?}");
    }
}

#[test]
fn what_was_removed_by_right_is_told_from_what_was_not() {
    let hospital = old_hospital();
    let Checked { report, .. } = hospital.after("");
    assert_eq!((report.verdict, report.leaves), (Verdict::Valid, 5));
    let told = report.removed.as_ref().map(removed_json).unwrap();
    let since = "2026-11-23T08:00:10.000000Z";
    let json =
        json!({ "until": 8, "position": 12, "since": since, "months": 6, "witness": "none" });
    assert_eq!(told, json);
    let cases = [
        ("DELETE FROM leaf WHERE position = 8", Finding::Missing { from: 8, until: 9 }),
        ("DELETE FROM leaf WHERE position = 12", Finding::Missing { from: 0, until: 8 }),
        ("DELETE FROM removed_entry", Finding::RemovedAltered),
        ("UPDATE removed_entry SET position = -1", Finding::RemovedAltered),
        ("UPDATE removed_entry SET entry = X'7b7d'", Finding::RemovedAltered),
        ("INSERT INTO removed_entry SELECT position, entry FROM leaf", Finding::RemovedAltered),
        ("DROP TABLE removed_entry", Finding::RemovedAltered),
        ("DELETE FROM removed_standing", Finding::RemovedAltered),
        ("UPDATE removed_standing SET key = X'00'", Finding::RemovedAltered),
        ("UPDATE removed_standing SET until = 0", Finding::RemovedAltered),
        ("UPDATE removed_standing SET until = 9", Finding::RemovedAltered),
        ("UPDATE removed_standing SET count = -1", Finding::RemovedAltered),
        ("UPDATE removed_standing SET chain = X'00'", Finding::RemovedAltered),
        ("DROP TABLE removed_standing", Finding::RemovedAltered),
        (
            "UPDATE leaf SET outcome = 'failed' WHERE position = 12",
            Finding::Column { position: 12, column: "outcome" },
        ),
    ];
    for (statements, expected) in cases {
        let Verdict::Tampered(findings) = hospital.after(statements).report.verdict else {
            panic!("{statements}");
        };
        assert!(findings.listed.contains(&expected), "{statements}: {findings:?}");
    }
    // What is there for the next removal is of no weight.
    let prepared = "INSERT INTO removed_standing SELECT key, 11, 7, chain FROM removed_standing";
    assert_eq!(hospital.after(prepared).report.verdict, Verdict::Valid);
}

#[test]
fn other_files_are_not_judged() {
    let hospital = hospital();
    let path = hospital.dir.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (a)").unwrap();
    let refused = check(&path, &hospital.key, &[]).err().unwrap();
    assert_eq!((refused.reason.as_str(), refused.exit.code()), ("LOG_UNREADABLE", 5));
    std::fs::write(&path, "no database").unwrap();
    assert!(!is_database(&path).unwrap());
}
