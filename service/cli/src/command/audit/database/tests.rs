use audit::{
    Actor, Entry, Outcome,
    check::{Finding, Verdict},
    checkpoint::Checkpoint,
    tree::{self, Frontier},
};
use der::Decode as _;
use rusqlite::params;
use tempfile::TempDir;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use super::*;
use crate::identity::ClientKey;

const SCHEMA: &str = "
    CREATE TABLE leaf (position INTEGER PRIMARY KEY, entry BLOB NOT NULL,
        entry_id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, action TEXT NOT NULL,
        outcome TEXT NOT NULL, actor TEXT, resident TEXT, visit TEXT) STRICT;
    CREATE TABLE tile (level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL,
        PRIMARY KEY (level, idx)) STRICT, WITHOUT ROWID;
    CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;";

/// A file with a log of ten entries.
struct Hospital {
    dir: TempDir,
    key: VerifierKey,
}

fn hospital() -> Hospital {
    let signer = ClientKey::generate().unwrap();
    let spki = SubjectPublicKeyInfoOwned::from_der(&signer.public_key_der()).unwrap();
    let point = spki.subject_public_key.raw_bytes().try_into().unwrap();
    let key = VerifierKey::new("county.example", point).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let database = Connection::open(dir.path().join("log.db")).unwrap();
    database.execute_batch(SCHEMA).unwrap();
    let (mut frontier, mut hashes) = (Frontier::new(), Vec::new());
    for position in 0..10 {
        let id = format!("0193e5a0-0000-7000-8000-{position:012}");
        let at = format!("2026-11-23T08:00:{position:02}.000000Z");
        let entry = Entry::new(id, at, "token.issue", Outcome::Granted, Actor::default());
        let (bytes, columns) = (entry.encode().unwrap(), Columns::of(&entry));
        frontier.push(tree::leaf_hash(&bytes));
        hashes.extend(tree::leaf_hash(&bytes));
        let Columns { entry_id, at, action, outcome, .. } = columns;
        database
            .execute(
                "INSERT INTO leaf VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, NULL, NULL)",
                params![position, bytes, entry_id, at, action, outcome],
            )
            .unwrap();
    }
    database.execute("INSERT INTO tile VALUES (0, 0, ?1)", [hashes]).unwrap();
    let checkpoint =
        Checkpoint { origin: "county.example".to_owned(), size: 10, root: frontier.root() };
    let note = checkpoint.sign(&key, |text| Ok::<_, ()>(signer.sign(text))).unwrap();
    database.execute("INSERT INTO checkpoint VALUES (10, ?1)", [note]).unwrap();
    Hospital { dir, key }
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
        ("UPDATE checkpoint SET size = 9", Finding::CheckpointAltered { size: 9 }),
    ];
    for (statements, expected) in cases {
        let Verdict::Tampered(findings) = hospital.after(statements).report.verdict else {
            panic!("{statements}");
        };
        assert!(findings.listed.contains(&expected), "{statements}: {findings:?}");
    }
}

#[test]
fn rows_outside_the_log_are_found() {
    let checked = hospital().after(
        "INSERT INTO leaf SELECT -1, entry, 'x', at, action, outcome, actor, resident, visit
         FROM leaf WHERE position = 3",
    );
    assert_eq!(checked.strays, [-1]);
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
