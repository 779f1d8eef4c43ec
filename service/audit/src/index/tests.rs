use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The root as the module says it, over standings in the order of their keys.
fn defined(standings: &[(Hash, Standing)], depth: usize) -> Hash {
    match standings {
        [] => EMPTY,
        [(key, standing)] => standing.leaf(key),
        several => {
            let middle = several.partition_point(|(key, _)| !bit(key, depth));
            let (left, right) = several.split_at(middle);
            node(&defined(left, depth + 1), &defined(right, depth + 1))
        }
    }
}

fn leaf(n: u64) -> Hash {
    crate::tree::leaf_hash(&n.to_be_bytes())
}

#[test]
fn an_index_without_residents_has_a_root() {
    assert_eq!(Index::default().root(), EMPTY);
    assert_eq!(Index::default().prove(&key("a")), None);
}

/// Keys that differ in the last bit only, or in the first.
#[test]
fn keys_part_where_they_differ() {
    let (one, mut last, mut first) = ([7; 32], [7; 32], [7; 32]);
    last[31] ^= 1;
    first[0] ^= 0x80;
    let mut index = Index::default();
    index.add(&one, 0, &leaf(0));
    assert_eq!(index.prove(&one).unwrap().1, Vec::<Hash>::new());
    index.add(&last, 1, &leaf(1));
    let (standing, path) = index.prove(&last).unwrap();
    assert_eq!((standing.count, path.len()), (1, MAX_PATH));
    assert_eq!(root_from(&last, &standing, &path), Some(index.root()));
    index.add(&first, 2, &leaf(2));
    assert_eq!(index.prove(&first).unwrap().1.len(), 1);
    let longer = vec![EMPTY; MAX_PATH + 1];
    assert_eq!(root_from(&one, &standing, &longer), None);
}

proptest! {
    #[test]
    fn the_index_is_what_it_is_defined_as(
        residents in prop::collection::vec(0_u8..40, 0..200),
        stops in prop::collection::btree_set(0_usize..200, 0..8),
    ) {
        let mut index = Index::default();
        let mut standings: BTreeMap<Hash, Standing> = BTreeMap::new();
        for (position, resident) in residents.iter().enumerate() {
            // Asking in between changes nothing.
            if stops.contains(&position) {
                index.root();
            }
            let (key, leaf, position) = (key(&resident.to_string()), leaf(position as u64), position as u64);
            index.add(&key, position, &leaf);
            let standing = standings.entry(key).or_default();
            *standing = standing.with(position, &leaf);
        }
        let standings: Vec<_> = standings.into_iter().collect();
        let root = index.root();
        prop_assert_eq!(root, defined(&standings, 0));
        for (key, standing) in &standings {
            let (proved, path) = index.prove(key).unwrap();
            prop_assert_eq!(proved, *standing);
            prop_assert_eq!(root_from(key, standing, &path), Some(root));
            let fewer = Standing { count: standing.count - 1, ..*standing };
            prop_assert_ne!(root_from(key, &fewer, &path), Some(root));
        }
        prop_assert_eq!(index.prove(&key("nobody")), None);
    }

    #[test]
    fn no_other_path_leads_to_the_root(count in 2_u64..60, which in 0_u64..60, flip in 0_usize..4096) {
        let mut index = Index::default();
        for n in 0..count {
            index.add(&key(&n.to_string()), n, &leaf(n));
        }
        let key = key(&(which % count).to_string());
        let (standing, mut path) = index.prove(&key).unwrap();
        let root = index.root();
        let at = flip % (path.len() * 256);
        path[at / 256][at / 8 % 32] ^= 1 << (at % 8);
        prop_assert_ne!(root_from(&key, &standing, &path), Some(root));
        path.pop();
        prop_assert_ne!(root_from(&key, &standing, &path), Some(root));
    }
}
