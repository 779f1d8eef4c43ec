//! Databases that were emptied, or replaced with an older or another one.

use std::{fs, path::PathBuf};

use rusqlite::Connection;

use super::*;
use crate::store::{
    note_file::{self, NoteFile},
    tail::Head,
    writer::Published,
};

impl Place {
    fn note(&self) -> PathBuf {
        self.path().with_extension("db.checkpoint")
    }

    /// A copy of the database and of the note beside it.
    fn backup(&self) -> Place {
        let copy = Place::new();
        fs::copy(self.path(), copy.path()).unwrap();
        fs::copy(self.note(), copy.note()).unwrap();
        copy
    }
}

/// A closed database with so many entries more than it had.
async fn grow(place: &Place, entries: u32) {
    let store = place.open();
    for _ in 0..entries {
        store.record_act(act("card.read")).await.unwrap();
    }
}

fn assert_tampered(place: &Place, why: &str, case: &str) {
    let refused = place.try_open();
    assert!(
        matches!(&refused, Err(StoreError::Tampered(text)) if text.contains(why)),
        "{case}: {refused:?}"
    );
}

#[tokio::test]
async fn a_database_is_signed_before_anything_is_recorded() {
    let place = Place::new();
    let store = place.open();
    let (size, note) = store.checkpoint();
    let checkpoint = Checkpoint::verify(&note, store.verifier_key()).unwrap();
    assert_eq!((size, checkpoint.root), (0, audit::tree::empty_root()));
    assert_eq!(fs::read_to_string(place.note()).unwrap(), note);
    drop(store);
    let kept: String = Connection::open(place.path())
        .unwrap()
        .query_row("SELECT note FROM checkpoint WHERE size = 0", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, note);
}

#[tokio::test]
async fn an_erased_log_is_not_taken_for_a_new_one() {
    let erase = "DELETE FROM leaf; DELETE FROM tile; DELETE FROM checkpoint;";
    let whole = Place::new();
    let store = whole.open();
    let h = hospital(&store).await;
    store.record_token(token(&h), act("token.issue")).await.unwrap();
    drop(store);
    #[rustfmt::skip]
    let cases = [
        (format!("{erase} PRAGMA foreign_keys = OFF; DELETE FROM token"), "no checkpoint"),
        (erase.to_owned(), "no checkpoint"),
        (format!("{erase} INSERT INTO tile VALUES (0, 0, x'')"), "no checkpoint"),
        ("DELETE FROM leaf WHERE position = 3; UPDATE leaf SET position = -1 WHERE position = 0".into(), "number of entries"),
        ("UPDATE token SET position = 12".into(), "token names an entry"),
    ];
    for (sql, why) in cases {
        let copy = whole.backup();
        // Without the note, what is within the database has to tell.
        fs::remove_file(copy.note()).unwrap();
        Connection::open(copy.path()).unwrap().execute_batch(&sql).unwrap();
        assert_tampered(&copy, why, &sql);
    }
    // The log of a moment before the token, which was signed then, is older than the token.
    let copy = whole.backup();
    fs::remove_file(copy.note()).unwrap();
    let earlier = Place::new();
    hospital(&earlier.open()).await;
    let db = Connection::open(copy.path()).unwrap();
    db.execute("ATTACH ?1 AS earlier", [earlier.path().to_str().unwrap()]).unwrap();
    db.execute_batch(erase).unwrap();
    for table in ["leaf", "tile", "checkpoint"] {
        db.execute(&format!("INSERT INTO {table} SELECT * FROM earlier.{table}"), []).unwrap();
    }
    drop(db);
    assert_tampered(&copy, "token names an entry", "an earlier log");
    // An empty database in the place of one that was not.
    let emptied = Place::new();
    fs::copy(whole.note(), emptied.note()).unwrap();
    assert_tampered(&emptied, "ends before", "a new database");
    assert_tampered(&emptied, "ends before", "the same, a second time");
}

#[tokio::test]
async fn a_log_goes_on_from_the_checkpoint_beside_it() {
    let place = Place::new();
    grow(&place, 300).await;
    let backup = place.backup();
    grow(&place, 5).await;
    let newest = fs::read_to_string(place.note()).unwrap();
    let key = place.open().verifier_key().clone();
    assert_eq!(Checkpoint::verify(&newest, &key).unwrap().size, 305, "kept at closing");

    // The backup with its own note, and then without any, is as good as ever.
    backup.open();
    fs::remove_file(backup.note()).unwrap();
    drop(backup.open());
    assert!(backup.note().exists());

    let other = Place::new();
    grow(&other, 400).await;
    let stranger = Place::new();
    drop(Store::open(&stranger.path(), log_keys(2), ORIGIN).unwrap());
    let strange = fs::read_to_string(stranger.note()).unwrap();
    #[rustfmt::skip]
    let cases: [(&str, &Place, Vec<u8>, &str); 7] = [
        ("an older copy", &backup, newest.clone().into_bytes(), "ends before"),
        ("another log, longer", &other, newest.clone().into_bytes(), "another history"),
        ("a note of another key", &place, strange.into_bytes(), "not of this log"),
        ("a note that was changed", &place, newest.replace("305", "304").into_bytes(), "not of this log"),
        ("an empty note", &place, Vec::new(), "not of this log"),
        ("not text", &place, vec![0xff; 100], "is none"),
        ("too long", &place, vec![b'a'; audit::checkpoint::MAX_NOTE + 1], "is none"),
    ];
    for (case, database, note, why) in cases {
        let copy = database.backup();
        fs::write(copy.note(), &note).unwrap();
        assert_tampered(&copy, why, case);
        assert_eq!(fs::read(copy.note()).unwrap(), note, "{case}: what was found is left there");
    }
}

#[test]
fn the_note_is_renewed_by_growth_and_at_the_end() {
    let (mut reminder, reminders) = note_file::channel(100);
    #[rustfmt::skip]
    let sizes = [(101, false), (1123, false), (1124, true), (1500, false), (2147, false), (9000, true)];
    for (size, reminded) in sizes {
        reminder.committed(size);
        assert_eq!(reminders.try_recv().is_ok(), reminded, "{size}");
    }
    drop(reminder);
    let place = Place::new();
    let head = Head { size: 9001, note: "the newest".into() };
    let file = NoteFile::open(&place.path()).unwrap();
    note_file::run(file, &Arc::new(Published::new(head)), &reminders);
    assert_eq!(fs::read_to_string(place.note()).unwrap(), "the newest");
}
