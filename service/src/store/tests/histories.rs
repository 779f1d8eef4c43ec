//! What the log has about a resident, and the index that it is read from.

use std::{fs, path::PathBuf};

use audit::index::{Index, Standing, key, root_from};
use rusqlite::Connection;

use super::*;

impl Place {
    pub(in crate::store) fn index(&self) -> PathBuf {
        self.path().with_extension("db.index")
    }
}

pub(in crate::store) fn about(resident: ResidentId) -> Entry {
    act("card.read").about(resident.to_string())
}

/// So many entries, in turn about the first, the second and nobody.
pub(in crate::store) async fn fill(store: &Store, residents: [ResidentId; 2], entries: usize) {
    for n in 0..entries {
        let entry = match n % 3 {
            2 => act("session.list"),
            n => about(residents[n]),
        };
        store.record_act(entry).await.unwrap();
    }
}

/// The index as it follows from the leaves that are on disk.
fn defined(place: &Place, size: u64) -> Index {
    let db = Connection::open(place.path()).unwrap();
    let mut select =
        db.prepare("SELECT entry FROM leaf WHERE position < ?1 ORDER BY position").unwrap();
    let leaves = select.query_map([size], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let mut index = Index::default();
    for (leaf, position) in leaves.zip(0..) {
        let leaf = leaf.unwrap();
        if let Some(resident) = Entry::decode(&leaf).unwrap().resident {
            index.add(&key(&resident), position, &leaf_hash(&leaf));
        }
    }
    index
}

/// The history of a resident, which must be what the leaves say.
pub(in crate::store) async fn assert_told(
    place: &Place,
    store: &Store,
    resident: ResidentId,
    entries: u64,
) {
    let size = store.log_size();
    let HistoryDraft { index, found } = store.history(resident).await.unwrap();
    assert_eq!(index.size, size);
    let mut defined = defined(place, size);
    assert_eq!(index.root, defined.root());
    let found = found.unwrap();
    let own = key(&resident.to_string());
    assert_eq!(defined.prove(&own), Some((found.standing, found.path.clone())));
    assert_eq!(root_from(&own, &found.standing, &found.path), Some(index.root));
    let told = found.entries.iter().fold(Standing::default(), |standing, it| {
        standing.with(it.position, &leaf_hash(&it.entry))
    });
    assert_eq!((told, found.standing.count), (found.standing, entries));
}

#[tokio::test]
async fn a_history_has_all_entries_about_a_resident() {
    let place = Place::new();
    let store = place.open();
    let [one, other] = [ResidentId::generate(), ResidentId::generate()];
    assert!(store.history(one).await.unwrap().found.is_none());
    fill(&store, [one, other], 100).await;
    assert_told(&place, &store, one, 34).await;
    assert_told(&place, &store, other, 33).await;
    assert!(store.history(ResidentId::generate()).await.unwrap().found.is_none());
    // It goes on with the log, also after it was closed.
    drop(store);
    let store = place.open();
    fill(&store, [other, one], 10).await;
    assert_told(&place, &store, one, 37).await;
    assert_eq!(store.indexed(), store.log_size());
}

/// Many residents at a time, beside those who ask.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_while_others_write_is_told_what_was_there() {
    let place = Place::new();
    let store = place.open();
    let residents: Vec<_> = (0..40).map(|_| ResidentId::generate()).collect();
    let writers = residents.iter().map(|resident| {
        let (store, resident) = (store.clone(), *resident);
        tokio::spawn(async move {
            for n in 0..20 {
                store.record_act(about(resident)).await.unwrap();
                let HistoryDraft { index, found } = store.history(resident).await.unwrap();
                let found = found.unwrap();
                assert!(found.standing.count > n, "{} entries of {n}", found.standing.count);
                let own = key(&resident.to_string());
                assert_eq!(root_from(&own, &found.standing, &found.path), Some(index.root));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_told(&place, &store, residents[7], 20).await;
}

/// The index comes from the log: what is lost or spoilt of it is made again.
#[tokio::test]
async fn an_index_that_is_no_good_is_made_again() {
    let place = Place::new();
    let [one, other] = [ResidentId::generate(), ResidentId::generate()];
    let store = place.open();
    fill(&store, [one, other], 30).await;
    assert_told(&place, &store, one, 10).await;
    drop(store);
    let old = fs::read(place.index()).unwrap();
    let sql = |statement: &'static str| {
        move |path: &PathBuf| Connection::open(path).unwrap().execute_batch(statement).unwrap()
    };
    type Harm = Box<dyn Fn(&PathBuf)>;
    let harms: [(&str, Harm); 9] = [
        ("lost", Box::new(|path| fs::remove_file(path).unwrap())),
        ("emptied", Box::new(|path| fs::write(path, "").unwrap())),
        ("no database", Box::new(|path| fs::write(path, "no database at all").unwrap())),
        ("older", Box::new(move |path| fs::write(path, &old).unwrap())),
        ("of another log", Box::new(sql("UPDATE state SET origin = 'log.example/other'"))),
        ("of another history", Box::new(sql("UPDATE state SET log_root = zeroblob(32)"))),
        ("ahead of the log", Box::new(sql("UPDATE state SET size = 1000000"))),
        ("of a later version", Box::new(sql("PRAGMA user_version = 1000"))),
        ("without a node", Box::new(sql("DELETE FROM node"))),
    ];
    let mut entries = 10;
    for (harm, does) in harms {
        does(&place.index());
        let store = place.open();
        store.record_act(about(one)).await.unwrap();
        entries += 1;
        // A node that is missing is noticed by whoever comes by it, who asks again.
        for _ in 0..2 {
            if store.history(one).await.is_ok() {
                break;
            }
        }
        assert_told(&place, &store, one, entries).await;
        assert_told(&place, &store, other, 10).await;
        drop(store);
        assert!(place.index().exists(), "{harm}");
    }
}

/// Of a log that was altered no history is given out.
#[tokio::test]
async fn an_entry_that_was_altered_is_in_no_history() {
    let place = Place::new();
    let [one, other] = [ResidentId::generate(), ResidentId::generate()];
    let store = place.open();
    fill(&store, [one, other], 1200).await;
    assert_told(&place, &store, one, 400).await;
    drop(store);
    let db = Connection::open(place.path()).unwrap();
    // It is said to be about somebody else: in the column, and in the entry.
    db.execute("UPDATE leaf SET resident = ?1 WHERE position = 3", [other.to_string()]).unwrap();
    let store = place.open();
    for resident in [one, other] {
        let refused = store.history(resident).await;
        assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    }
    drop(store);
    db.execute("UPDATE leaf SET resident = ?1 WHERE position = 3", [one.to_string()]).unwrap();
    db.execute(
        "UPDATE leaf SET entry = CAST(replace(CAST(entry AS TEXT), 'granted', 'refused') AS BLOB)
         WHERE position = 3",
        [],
    )
    .unwrap();
    let store = place.open();
    assert!(matches!(store.history(one).await, Err(StoreError::Damaged(_))));
    drop(store);
    // An index that is made again of it does not come as far as the log.
    fs::remove_file(place.index()).unwrap();
    let store = place.open();
    let refused = store.history(other).await;
    assert!(matches!(refused, Err(StoreError::IndexBehind { counted: 0, .. })), "{refused:?}");
    // Care goes on.
    store.record_act(about(one)).await.unwrap();
}

/// A history is put on record with nothing about the resident between what it counts and itself.
#[tokio::test]
async fn a_history_that_something_came_after_is_not_put_on_record() {
    let place = Place::new();
    let store = place.open();
    let [one, other] = [ResidentId::generate(), ResidentId::generate()];
    fill(&store, [one, other], 9).await;
    let HistoryDraft { index, .. } = store.history(one).await.unwrap();
    store.record_act(about(other)).await.unwrap();
    let stated = || index.in_entry(act("resident.history").about(one.to_string()));
    let recorded = store.record_history(stated(), one, index).await.unwrap().unwrap();
    assert_eq!(recorded.position, 10);
    // The statement itself is about the resident.
    assert_eq!(store.record_history(stated(), one, index).await.unwrap(), None);
    assert_eq!(store.log_size(), 11);
}
