use std::{fs, time::Duration};

use audit::{
    Entry,
    history::Statement,
    index::{self, EMPTY, Index, root_from},
    tree::{Hash, leaf_hash},
};
use proptest::prelude::*;
use rusqlite::Connection;
use tokio::time::timeout;

use super::{
    ResidentIndexKey,
    node::{Node, WAYS, Way},
    state::State,
    tree::{self, Added, Nodes},
};
use crate::store::{
    HistoryDraft, ResidentId, Store, StoreError,
    tests::{
        Place,
        histories::{about, assert_told, fill},
    },
};

fn nodes() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE node (path BLOB PRIMARY KEY, ways BLOB NOT NULL) STRICT, WITHOUT ROWID;",
    )
    .unwrap();
    db
}

/// The nodes.
fn rows(db: &Connection) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut select = db.prepare("SELECT path, ways FROM node").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn state() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(super::file::TABLES).unwrap();
    db
}

/// A row as whoever writes the file would write it.
fn put(db: &Connection, state: &State, mac: &[u8]) {
    let State { origin, size, log_root, root, removed } = state;
    db.execute("DELETE FROM state", []).unwrap();
    db.execute(
        "INSERT INTO state VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (origin, size, log_root, root, removed.size, removed.root, mac),
    )
    .unwrap();
}

fn is_refused(db: &Connection, key: &ResidentIndexKey) -> bool {
    matches!(State::read(db, key), Err(StoreError::Damaged(_)))
}

/// Keys of few bits that matter, so that many of them begin alike: some ways down, or at once.
fn key(n: u8) -> [u8; 32] {
    let mut key = [0x5a; 32];
    key[0] ^= n & 0x80;
    key[1] ^= n & 0x40;
    key[3] ^= n & 0x22;
    key[4] ^= n & 0x1c;
    // As far down as keys go.
    key[31] ^= n & 0x01;
    key
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the entries are counted, the stored tree is the one in memory.
    #[test]
    fn the_stored_index_is_the_one_that_is_defined(
        residents in prop::collection::vec(any::<u8>(), 1..120),
        batch in 1_usize..50,
    ) {
        let (db, mut index, mut root) = (nodes(), Index::default(), EMPTY);
        let added: Vec<Added> = residents
            .iter()
            .zip(0..)
            .map(|(n, position)| (key(*n), position, [*n ^ position as u8; 32]))
            .collect();
        for some in added.chunks(batch) {
            some.iter().for_each(|(key, position, leaf)| index.add(key, *position, leaf));
            let mut some = some.to_vec();
            some.sort_by_key(|(key, ..)| *key);
            root = tree::count((&db, Nodes::Counted), &root, &some).unwrap();
            prop_assert_eq!(root, index.root());
        }
        for n in (0..=255).step_by(5) {
            let found = tree::find((&db, Nodes::Counted), &root, &key(n)).unwrap();
            prop_assert_eq!(&found, &index.prove(&key(n)));
            if let Some((standing, path)) = found {
                prop_assert_eq!(root_from(&key(n), &standing, &path), Some(root));
            }
        }
    }

    #[test]
    fn a_node_is_read_as_it_was_written(ways in prop::collection::vec(prop::option::of(any::<(bool, [u8; 32], u64)>()), 16)) {
        let mut node = Node::default();
        for (way, said) in node.ways.iter_mut().zip(ways) {
            *way = said.map(|(one, hash, count)| match one {
                true => Way::Resident(hash, audit::index::Standing { count, chain: [9; 32] }),
                false => Way::Below(hash),
            });
        }
        prop_assert_eq!(Node::read(&node.write()), Some(node));
    }

    #[test]
    fn arbitrary_octets_never_panic(
        octets in prop::collection::vec(any::<u8>(), 0..200),
        depth in 0_usize..64,
    ) {
        if let Some(node) = Node::read(&octets) {
            node.is_in_order(depth);
        }
    }

    /// With one key, and with every field as it was.
    #[test]
    fn a_state_is_believed_as_it_was_written(
        (origin, size) in ("[a-z./]{1,20}", 0..u64::from(u32::MAX)),
        (log_root, root) in any::<(Hash, Hash)>(),
        key in any::<[u8; 32]>(),
        other_key in any::<[u8; 32]>(),
        flipped in 0_usize..256,
    ) {
        prop_assume!(key != other_key);
        let [key, other_key] = [key, other_key].map(|it| ResidentIndexKey::new(&it));
        let db = state();
        let removed = Statement { size: size / 2, root: log_root };
        let written = State { origin, size, log_root, root, removed };
        written.write(&db, &key).unwrap();
        prop_assert_eq!(&State::read(&db, &key).unwrap(), &written);
        prop_assert!(is_refused(&db, &other_key));
        let flip = |hash: &Hash| {
            let mut hash = *hash;
            hash[flipped / 8] ^= 1 << (flipped % 8);
            hash
        };
        let mac: Hash = db.query_row("SELECT mac FROM state", [], |row| row.get(0)).unwrap();
        let others = [
            (State { origin: format!("{}x", written.origin), ..written.clone() }, mac),
            (State { origin: written.origin[1..].to_owned(), ..written.clone() }, mac),
            (State { size: size + 1, ..written.clone() }, mac),
            (State { log_root: flip(&log_root), ..written.clone() }, mac),
            (State { root: flip(&root), ..written.clone() }, mac),
            (State { removed: Statement { size: removed.size + 1, ..removed }, ..written.clone() }, mac),
            (State { removed: Statement { root: flip(&log_root), ..removed }, ..written.clone() }, mac),
            (written.clone(), flip(&mac)),
        ];
        for (other, mac) in others {
            put(&db, &other, &mac);
            prop_assert!(is_refused(&db, &key), "{:?}", other);
        }
        for short in [0, 1, 31] {
            put(&db, &written, &mac[..short]);
            prop_assert!(is_refused(&db, &key), "{} octets", short);
        }
        db.execute("DELETE FROM state", []).unwrap();
        prop_assert!(is_refused(&db, &key));
    }
}

/// Whatever is changed in the file is noticed by whoever comes by it.
#[test]
fn a_node_that_was_changed_is_not_believed() {
    let db = nodes();
    // Without the bit that is far down: of as many nodes there is no end.
    let keys: Vec<u8> = (0..=255).filter(|n| n % 2 == 0).collect();
    let added: Vec<Added> = keys.iter().map(|n| (key(*n), u64::from(*n), [*n; 32])).collect();
    let mut sorted = added;
    sorted.sort_by_key(|(key, ..)| *key);
    let root = tree::count((&db, Nodes::Counted), &EMPTY, &sorted).unwrap();
    let rows = rows(&db);
    assert!(rows.len() > 8, "{}", rows.len());
    for (path, ways) in rows {
        let mut changed = ways.clone();
        *changed.last_mut().unwrap() ^= 1;
        for other in [changed, Vec::new(), ways[..ways.len() - 1].to_vec()] {
            db.execute("UPDATE node SET ways = ?2 WHERE path = ?1", (&path, &other)).unwrap();
            let refused = keys.iter().filter(|n| {
                matches!(
                    tree::find((&db, Nodes::Counted), &root, &key(**n)),
                    Err(StoreError::Damaged(_))
                )
            });
            assert!(refused.count() > 0, "{path:?}");
        }
        db.execute("UPDATE node SET ways = ?2 WHERE path = ?1", (&path, &ways)).unwrap();
    }
    assert!(tree::find((&db, Nodes::Counted), &root, &key(8)).unwrap().is_some());
}

/// One who is alone below has the same hash wherever there: their key tells.
#[test]
fn a_resident_who_was_moved_within_a_node_is_not_believed() {
    let db = nodes();
    let residents: Vec<Hash> = (0..40).map(|n: u32| index::key(&n.to_string())).collect();
    let mut added: Vec<Added> =
        residents.iter().zip(0..).map(|(key, position)| (*key, position, [7; 32])).collect();
    added.sort_by_key(|(key, ..)| *key);
    let root = tree::count((&db, Nodes::Counted), &EMPTY, &added).unwrap();
    let mut alike = 0;
    for (path, octets) in rows(&db) {
        let node = Node::read(&octets).unwrap();
        for (at, to) in (0..WAYS).flat_map(|at| (0..WAYS).map(move |to| (at, to))) {
            let (Some(Way::Resident(moved, _)), None) = (node.ways[at], node.ways[to]) else {
                continue;
            };
            let mut other = node.clone();
            other.ways.swap(at, to);
            if other.part() != node.part() {
                continue;
            }
            alike += 1;
            db.execute("UPDATE node SET ways = ?2 WHERE path = ?1", (&path, other.write()))
                .unwrap();
            let found = tree::find((&db, Nodes::Counted), &root, &moved);
            assert!(matches!(found, Err(StoreError::Damaged(_))), "{found:?}");
            let counted = tree::count((&db, Nodes::Counted), &root, &[(moved, 1000, [8; 32])]);
            assert!(matches!(counted, Err(StoreError::Damaged(_))), "{counted:?}");
        }
        db.execute("UPDATE node SET ways = ?2 WHERE path = ?1", (&path, &octets)).unwrap();
    }
    assert!(alike > 20, "{alike}");
    for key in &residents {
        assert!(tree::find((&db, Nodes::Counted), &root, key).unwrap().is_some());
    }
}

/// Puts a tree into the file that has everybody but one; its root. It holds together.
fn leave_out(place: &Place, resident: ResidentId) -> Hash {
    let log = Connection::open(place.path()).unwrap();
    let mut select = log.prepare("SELECT position, entry FROM leaf ORDER BY position").unwrap();
    let leaves = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let left_out = resident.to_string();
    let mut added: Vec<Added> = Vec::new();
    for leaf in leaves {
        let (position, entry): (u64, Vec<u8>) = leaf.unwrap();
        let about = Entry::decode(&entry).unwrap().resident.filter(|it| *it != left_out);
        added.extend(about.map(|it| (index::key(&it), position, leaf_hash(&entry))));
    }
    added.sort_by_key(|(key, ..)| *key);
    let db = Connection::open(place.index()).unwrap();
    db.execute("DELETE FROM node", []).unwrap();
    tree::count((&db, Nodes::Counted), &EMPTY, &added).unwrap()
}

/// The row, and its code.
fn written(place: &Place) -> (State, Hash) {
    let db = Connection::open(place.index()).unwrap();
    db.query_row("SELECT * FROM state", [], |row| {
        let (origin, size) = (row.get("origin")?, row.get("size")?);
        let (log_root, root) = (row.get("log_root")?, row.get("root")?);
        let removed = Statement { size: row.get("removed")?, root: row.get("removed_root")? };
        Ok((State { origin, size, log_root, root, removed }, row.get("mac")?))
    })
    .unwrap()
}

/// The history, once the file is found to be no good and made anew: who asks is told nothing until then.
async fn told_at_last(store: &Store, resident: ResidentId) -> HistoryDraft {
    let mut refused = None;
    let told = async {
        loop {
            match store.history(resident).await {
                Ok(history) => return history,
                Err(error) => refused = Some(error),
            }
            tokio::task::yield_now().await;
        }
    };
    let told = timeout(Duration::from_secs(60), told).await;
    told.unwrap_or_else(|_| panic!("{refused:?}"))
}

/// Whoever writes the file leaves somebody out of it, between two runs or while the service runs: what is told is
/// complete, or nothing is.
#[tokio::test]
async fn nobody_is_left_out_by_whoever_writes_the_file() {
    let place = Place::new();
    let [one, other] = [ResidentId::generate(), ResidentId::generate()];
    let store = place.open();
    fill(&store, [one, other], 30).await;
    assert_told(&place, &store, one, 10).await;
    drop(store);
    let earlier = written(&place);
    let store = place.open();
    fill(&store, [one, other], 30).await;
    assert_told(&place, &store, one, 20).await;
    drop(store);
    // Of a log of the same name and key, of as many entries.
    let elsewhere = Place::new();
    let store = elsewhere.open();
    fill(&store, [other, other], 60).await;
    assert_told(&elsewhere, &store, other, 40).await;
    drop(store);

    type Writes<'a> = Box<dyn Fn(&Connection, State, Hash) + 'a>;
    let sql = |statement: &'static str| -> Writes<'_> {
        Box::new(move |db, state, mac| {
            put(db, &state, &mac);
            db.execute_batch(statement).unwrap();
        })
    };
    let writes: [(&str, Writes<'_>); 9] = [
        ("the code of before", sql("")),
        ("no code", sql("UPDATE state SET mac = x''")),
        ("half a code", sql("UPDATE state SET mac = substr(mac, 1, 16)")),
        ("one bit", sql("UPDATE state SET mac = CAST(substr(mac, 1, 31) || x'00' AS BLOB)")),
        ("no column for it", sql("ALTER TABLE state DROP COLUMN mac")),
        (
            "the version of before",
            sql("PRAGMA user_version = 1; ALTER TABLE state DROP COLUMN mac"),
        ),
        (
            "a key of one's own",
            Box::new(|db, state, _| {
                state.write(db, &ResidentIndexKey::new(&[0; 32])).unwrap();
            }),
        ),
        ("the code of another size", Box::new(|db, state, _| put(db, &state, &earlier.1))),
        ("the row of another size", Box::new(|db, _, _| put(db, &earlier.0, &earlier.1))),
    ];
    for (harm, write) in &writes {
        for in_a_run in [false, true] {
            let running = match in_a_run {
                true => {
                    let store = place.open();
                    assert_told(&place, &store, one, 20).await;
                    Some(store)
                }
                false => None,
            };
            let (state, mac) = written(&place);
            let root = leave_out(&place, one);
            assert_ne!(root, state.root);
            write(&Connection::open(place.index()).unwrap(), State { root, ..state }, mac);
            let store = running.unwrap_or_else(|| place.open());
            let HistoryDraft { found, .. } = told_at_last(&store, one).await;
            assert!(found.is_some(), "{harm}: told that there is nothing");
            for (resident, entries) in [(one, 20), (other, 20)] {
                assert_told(&place, &store, resident, entries).await;
            }
        }
    }
    fs::copy(elsewhere.index(), place.index()).unwrap();
    let store = place.open();
    for resident in [one, other] {
        assert_told(&place, &store, resident, 20).await;
    }
}

/// A whole file of before is followed from there, and does not pass for what the index is now.
#[tokio::test]
async fn an_older_file_is_followed_from_where_it_was() {
    let place = Place::new();
    let [one, other] = [ResidentId::generate(), ResidentId::generate()];
    let store = place.open();
    fill(&store, [one, other], 30).await;
    assert_told(&place, &store, one, 10).await;
    drop(store);
    let (file, (state, mac)) = (fs::read(place.index()).unwrap(), written(&place));
    let nodes = rows(&Connection::open(place.index()).unwrap());
    let store = place.open();
    store.record_act(about(one)).await.unwrap();
    assert_told(&place, &store, one, 11).await;
    drop(store);
    fs::write(place.index(), file).unwrap();
    // What nobody asks for stays unless the file is made anew.
    let sql = |statement| Connection::open(place.index()).unwrap().execute_batch(statement);
    sql("CREATE TABLE mark (one INTEGER)").unwrap();
    let store = place.open();
    assert_told(&place, &store, one, 11).await;
    sql("SELECT one FROM mark").unwrap();

    let mut db = Connection::open(place.index()).unwrap();
    let all = db.transaction().unwrap();
    put(&all, &state, &mac);
    for (path, ways) in nodes {
        all.execute("UPDATE node SET ways = ?2 WHERE path = ?1", (path, ways)).unwrap();
    }
    all.commit().unwrap();
    drop(db);
    let refused = store.history(one).await;
    assert!(matches!(refused, Err(StoreError::Damaged(_))), "{refused:?}");
    told_at_last(&store, one).await;
    assert_told(&place, &store, one, 11).await;
    assert!(sql("SELECT one FROM mark").is_err(), "it was made anew");
}

/// What was written into the log, its hash with it, while the file is made, is counted by nobody.
#[tokio::test]
async fn entries_are_counted_as_they_were_signed() {
    let place = Place::new();
    let [one, other] = [ResidentId::generate(), ResidentId::generate()];
    let store = place.open();
    fill(&store, [one, other], 600).await;
    drop(store);
    let log = Connection::open(place.path()).unwrap();
    let select = "SELECT position, entry, hashes FROM leaf, tile
                  WHERE resident = ?1 AND position < 256 AND level = 0 AND idx = 0 LIMIT 1";
    let (position, entry, hashes): (usize, Vec<u8>, Vec<u8>) = log
        .query_row(select, [one.to_string()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    let put = |entry: &[u8], hashes: &[u8]| {
        let leaf = "UPDATE leaf SET entry = ?1 WHERE position = ?2";
        log.execute(leaf, (entry, position)).unwrap();
        let tile = "UPDATE tile SET hashes = ?1 WHERE level = 0 AND idx = 0";
        log.execute(tile, [hashes]).unwrap();
    };
    let text = String::from_utf8(entry.clone()).unwrap();
    let forged = text.replace(&one.to_string(), &other.to_string()).into_bytes();
    let mut tile = hashes.clone();
    tile[position * 32..][..32].copy_from_slice(&leaf_hash(&forged));
    drop(fs::remove_file(place.index()));
    put(&forged, &tile);
    let store = place.open();
    for resident in [one, other] {
        assert!(store.history(resident).await.is_err());
    }
    put(&entry, &hashes);
    for resident in [one, other] {
        told_at_last(&store, resident).await;
        assert_told(&place, &store, resident, 200).await;
    }
}
