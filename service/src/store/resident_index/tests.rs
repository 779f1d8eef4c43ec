use audit::index::{EMPTY, Index, root_from};
use proptest::prelude::*;
use rusqlite::Connection;

use super::{
    node::{Node, Way},
    tree::{self, Added},
};
use crate::store::StoreError;

fn nodes() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE node (path BLOB PRIMARY KEY, ways BLOB NOT NULL) STRICT, WITHOUT ROWID;",
    )
    .unwrap();
    db
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
            root = tree::count(&db, &root, &some).unwrap();
            prop_assert_eq!(root, index.root());
        }
        for n in (0..=255).step_by(5) {
            let found = tree::find(&db, &root, &key(n)).unwrap();
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
    fn arbitrary_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Node::read(&octets);
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
    let root = tree::count(&db, &EMPTY, &sorted).unwrap();
    let paths: Vec<Vec<u8>> = db
        .prepare("SELECT path FROM node")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(paths.len() > 8, "{}", paths.len());
    for path in paths {
        let ways: Vec<u8> = db
            .query_row("SELECT ways FROM node WHERE path = ?1", [&path], |row| row.get(0))
            .unwrap();
        let mut changed = ways.clone();
        *changed.last_mut().unwrap() ^= 1;
        for other in [changed, Vec::new(), ways[..ways.len() - 1].to_vec()] {
            db.execute("UPDATE node SET ways = ?2 WHERE path = ?1", (&path, &other)).unwrap();
            let refused = keys.iter().filter(|n| {
                matches!(tree::find(&db, &root, &key(**n)), Err(StoreError::Damaged(_)))
            });
            assert!(refused.count() > 0, "{path:?}");
        }
        db.execute("UPDATE node SET ways = ?2 WHERE path = ?1", (&path, &ways)).unwrap();
    }
    assert!(tree::find(&db, &root, &key(8)).unwrap().is_some());
}
