use audit::{
    check::{Finding, Verdict},
    table,
    tree::leaf_hash,
};
use rusqlite::params;
use tempfile::TempDir;

use super::*;
use crate::testing;

/// A file with a log of ten entries.
struct Hospital {
    dir: TempDir,
    key: VerifierKey,
}

fn hospital() -> Hospital {
    let log = testing::Log::of(10);
    let dir = tempfile::tempdir().unwrap();
    let database = Connection::open(dir.path().join("log.db")).unwrap();
    database.execute_batch(table::CREATE).unwrap();
    let leaves = log.leaves();
    for (position, (entry, bytes)) in log.entries.iter().zip(&leaves).enumerate() {
        let Columns { entry_id, at, action, outcome, .. } = Columns::of(entry);
        database
            .execute(
                "INSERT INTO leaf VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL, NULL)",
                params![position, bytes, entry_id, at, action, outcome],
            )
            .unwrap();
    }
    let hashes = leaves.iter().map(|leaf| leaf_hash(leaf)).collect::<Vec<_>>().concat();
    database.execute("INSERT INTO tile VALUES (0, 0, ?1)", [hashes]).unwrap();
    for size in [0, 10] {
        let checkpoint = params![size, log.checkpoint(size)];
        database.execute("INSERT INTO checkpoint VALUES (?1, ?2)", checkpoint).unwrap();
    }
    Hospital { dir, key: log.key }
}

impl Hospital {
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
fn other_files_are_not_judged() {
    let hospital = hospital();
    let path = hospital.dir.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (a)").unwrap();
    let refused = check(&path, &hospital.key, &[]).err().unwrap();
    assert_eq!((refused.reason.as_str(), refused.exit.code()), ("LOG_UNREADABLE", 5));
    std::fs::write(&path, "no database").unwrap();
    assert!(!is_database(&path).unwrap());
}
