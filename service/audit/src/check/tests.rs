use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::{
    Actor, Entry, Outcome,
    segment::REMOVE,
    table::ANCHOR,
    testing::{self, key},
    tile::WIDTH,
    tree::{Frontier, Hash, leaf_hash, subtree_hash},
};

mod honest;
mod removed;
mod segments;

/// A log in memory, to be tampered with.
#[derive(Clone)]
struct Memory {
    leaves: Vec<Leaf>,
    tiles: BTreeMap<TileId, Vec<u8>>,
    checkpoints: BTreeMap<u64, String>,
    read_leaves: usize,
    read_checkpoints: usize,
    read_tiles: usize,
    /// Tiles that no log has, beside those that it has.
    stray_tiles: Vec<(i64, i64)>,
    /// What is kept of what was removed.
    kept: Vec<(u64, Vec<u8>)>,
    standings: Vec<KeptStanding>,
    read_kept: usize,
    read_standings: usize,
}

fn entry(n: u64) -> Entry {
    let id = format!("01936b1e-7c00-7000-8000-{n:012x}");
    Entry::new(id, "2026-11-23T08:00:00.000000Z", "card.read", Outcome::Granted, Actor::default())
        .about(format!("resident-{}", n % 7))
}

impl Memory {
    fn new(size: u64) -> Self {
        Self::of((0..size).map(entry).collect())
    }

    fn of(entries: Vec<Entry>) -> Self {
        let size = entries.len() as u64;
        let mut log = Self {
            leaves: Vec::new(),
            tiles: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            read_leaves: 0,
            read_checkpoints: 0,
            read_tiles: 0,
            stray_tiles: Vec::new(),
            kept: Vec::new(),
            standings: Vec::new(),
            read_kept: 0,
            read_standings: 0,
        };
        let mut frontier = Frontier::new();
        let mut row = Vec::new();
        log.checkpoints.insert(0, testing::note(0, frontier.root()));
        for (position, entry) in (0..).zip(entries) {
            let columns = Some(Columns::of(&entry));
            let bytes = entry.encode().unwrap();
            row.push(leaf_hash(&bytes));
            frontier.push(leaf_hash(&bytes));
            log.leaves.push(Leaf { position, entry: bytes, columns });
            let at = position + 1;
            if at % ANCHOR == 0 || at == size {
                log.checkpoints.insert(at, testing::note(at, frontier.root()));
            }
        }
        for level in 0.. {
            for (index, part) in row.chunks(WIDTH as usize).enumerate() {
                log.tiles.insert(TileId { level, index: index as u64 }, part.concat());
            }
            row = row.chunks_exact(WIDTH as usize).filter_map(subtree_hash).collect();
            if row.is_empty() {
                break;
            }
        }
        log
    }

    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    fn renumber(&mut self) {
        for (position, leaf) in self.leaves.iter_mut().enumerate() {
            leaf.position = position as u64;
        }
    }

    fn alter(&mut self, position: u64) {
        self.leaves[position as usize].entry[60] ^= 1;
    }

    fn alter_tile(&mut self, level: u8, hash: u64) {
        let tile = self.tiles.get_mut(&TileId { level, index: hash / WIDTH }).unwrap();
        tile[(hash % WIDTH) as usize * 32] ^= 1;
    }

    fn swap(&mut self, a: u64, b: u64) {
        self.leaves.swap(a as usize, b as usize);
        self.renumber();
    }

    fn remove(&mut self, position: u64) {
        self.leaves.remove(position as usize);
    }

    fn insert(&mut self, position: u64) {
        let entry = entry(1 << 40);
        let columns = Some(Columns::of(&entry));
        let leaf = Leaf { position, entry: entry.encode().unwrap(), columns };
        self.leaves.insert(position as usize, leaf);
    }

    fn check(&self, held: &[String]) -> Report {
        check(&mut self.clone(), &key(), held).unwrap()
    }

    /// What is found by parts of so many entries, each finding once, in order.
    fn findings_by_parts(&self, entries: u64) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut begin = 0;
        loop {
            let end = begin + entries;
            let mut part = self.clone();
            let newest =
                self.checkpoints.keys().copied().filter(|size| size.cast_signed() >= 0).max();
            let stored = |size: u64| size.cast_signed() < end.cast_signed() || size == end;
            part.checkpoints.retain(|size, _| {
                let from = begin == 0 || *size >= begin && size.cast_signed() >= 0;
                from && stored(*size) || newest == Some(*size)
            });
            part.leaves.retain(|leaf| {
                begin == 0 || leaf.position >= begin && leaf.position.cast_signed() >= 0
            });
            let report = check_part(&mut part, &key(), begin..end, 0).unwrap();
            assert!(report.follows || !report.findings.is_empty());
            found.extend(report.findings.listed);
            if end >= report.size {
                break;
            }
            begin = end;
        }
        found.sort();
        found.dedup();
        found
    }

    fn findings(&self) -> Vec<Finding> {
        match self.check(&[]).verdict {
            Verdict::Tampered(findings) => findings.listed,
            other => panic!("{other:?}"),
        }
    }
}

impl Log for Memory {
    type Error = Infallible;

    fn next_checkpoint(&mut self) -> Result<Option<(u64, String)>, Infallible> {
        self.read_checkpoints += 1;
        Ok(self.checkpoints.iter().nth(self.read_checkpoints - 1).map(|(s, n)| (*s, n.clone())))
    }

    fn next_leaf(&mut self) -> Result<Option<Leaf>, Infallible> {
        self.read_leaves += 1;
        Ok(self.leaves.get(self.read_leaves - 1).cloned())
    }

    fn next_tile(&mut self) -> Result<Option<(i64, i64)>, Infallible> {
        self.read_tiles += 1;
        let stored = self.tiles.keys().map(|id| (id.level.into(), id.index.cast_signed()));
        Ok(stored.chain(self.stray_tiles.iter().copied()).nth(self.read_tiles - 1))
    }

    fn tile(&mut self, id: TileId) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.tiles.get(&id).cloned())
    }

    fn removal(&mut self) -> Result<Option<(u64, Vec<u8>)>, Infallible> {
        let says = |leaf: &&Leaf| {
            let columns = leaf.columns.as_ref();
            columns.is_some_and(|it| it.action == REMOVE && it.outcome == "granted")
        };
        let newest = self.leaves.iter().filter(says).max_by_key(|leaf| leaf.position);
        Ok(newest.map(|leaf| (leaf.position, leaf.entry.clone())))
    }

    fn next_standing(&mut self) -> Result<Option<KeptStanding>, Infallible> {
        self.read_standings += 1;
        Ok(self.standings.get(self.read_standings - 1).cloned())
    }

    fn next_kept(&mut self) -> Result<Option<(u64, Vec<u8>)>, Infallible> {
        self.read_kept += 1;
        Ok(self.kept.get(self.read_kept - 1).cloned())
    }
}

/// Sizes with and without full tiles, anchors and a right edge.
const SIZES: [u64; 7] = [5, 255, 256, 300, 1024, 1500, 3333];

#[test]
fn a_whole_log_is_valid() {
    for size in [0, 1, 2].into_iter().chain(SIZES) {
        let report = Memory::new(size).check(&[]);
        assert_eq!(report.verdict, Verdict::Valid, "{size}");
        assert_eq!((report.leaves, report.size), (size, size));
    }
}

/// What is done to a log of a size at a position, and what must be found, exactly.
type Case = (&'static str, fn(&mut Memory, u64), fn(u64, u64) -> Vec<Finding>);

#[test]
fn every_change_is_named() {
    use Finding::*;
    #[rustfmt::skip]
    let cases: [Case; 20] = [
        ("a byte changed", |log, n| log.alter(n), |n, _| vec![Altered { position: n }]),
        ("two bytes apart changed", |log, n| { log.alter(n); log.alter(0); },
         |n, _| if n == 0 { vec![] } else { vec![Altered { position: 0 }, Altered { position: n }] }),
        ("removed", |log, n| log.remove(n), |n, _| vec![Missing { from: n, until: n + 1 }]),
        ("removed and renumbered", |log, n| { log.remove(n); log.renumber(); },
         |n, _| vec![Missing { from: n, until: n + 1 }]),
        ("two removed", |log, n| { log.remove(n); log.leaves.retain(|l| l.position != n + 1); },
         |n, size| vec![Missing { from: n, until: size.min(n + 2) }]),
        ("inserted", |log, n| { log.insert(n); log.renumber(); }, |n, _| vec![Inserted { position: n }]),
        ("a row below zero", |log, _| { log.insert(0); log.leaves[0].position = (-1_i64).cast_unsigned(); },
         |_, _| vec![Stray { position: -1 }]),
        ("a checkpoint below zero", |log, _| {
            let (_, note) = log.checkpoints.last_key_value().unwrap();
            let note = note.clone();
            log.checkpoints.insert((-7_i64).cast_unsigned(), note);
        }, |_, _| vec![Stray { position: -7 }]),
        ("appended", |log, _| { let end = log.size(); log.insert(end); }, |_, size| vec![Inserted { position: size }]),
        ("swapped with the first", |log, n| log.swap(0, n),
         |n, _| if n == 0 { vec![] } else { vec![Swapped { first: 0, second: n }] }),
        ("swapped with the next", |log, n| { let m = (n + 1) % log.size(); log.swap(n, m); },
         |n, size| { let m = (n + 1) % size; vec![Swapped { first: n.min(m), second: n.max(m) }] }),
        ("a column changed", |log, n| log.leaves[n as usize].columns.as_mut().unwrap().resident = None,
         |n, _| vec![Column { position: n, column: "resident" }]),
        ("a hash changed", |log, n| log.alter_tile(0, n),
         |n, _| vec![TileAltered { level: 0, index: n / WIDTH, hash: n % WIDTH }]),
        ("a tile that no log has", |log, n| log.stray_tiles.push((0, n.cast_signed() + 5000)),
         |n, _| vec![TileStray { level: 0, index: n.cast_signed() + 5000 }]),
        ("a level that no log has", |log, _| log.stray_tiles.push((-1, 0)),
         |_, _| vec![TileStray { level: -1, index: 0 }]),
        ("removed, another put in its place",
         |log, n| { let m = (n + 3) % log.size(); let moved = log.leaves[m as usize].clone();
                    log.leaves[n as usize] = Leaf { position: n, ..moved }; log.remove(m); },
         |n, size| vec![Missing { from: n, until: n + 1 }, Moved { position: n, signed: (n + 3) % size }]),
        ("a tile removed", |log, n| drop(log.tiles.remove(&TileId { level: 0, index: n / WIDTH })),
         |n, _| vec![TileMissing { level: 0, index: n / WIDTH }]),
        ("the newest checkpoint changed", |log, _| {
            let note = log.checkpoints.last_entry().unwrap().into_mut();
            *note = note.replacen('\n', "\n1", 1);
        }, |_, size| vec![CheckpointAltered { size }]),
        ("an entry, and the size that the newest checkpoint stands under",
         |log, n| { log.alter(n); let (size, note) = log.checkpoints.pop_last().unwrap(); log.checkpoints.insert(size + 7, note); },
         |n, size| if size % ANCHOR == 0 { vec![] } else { vec![CheckpointAltered { size: size + 7 }, Altered { position: n }] }),
        ("an entry and another's hash changed", |log, n| { log.alter(n); log.alter_tile(0, 0); },
         |n, _| if n < WIDTH { vec![] } else { vec![TileAltered { level: 0, index: 0, hash: 0 }, Altered { position: n }] }),
    ];
    for whole in SIZES.map(Memory::new) {
        let size = whole.size();
        for (what, change, expected) in &cases {
            for position in [0, 1, size / 2, size - 2, size - 1] {
                let wanted = expected(position, size);
                if wanted.is_empty() {
                    continue;
                }
                let mut log = whole.clone();
                change(&mut log, position);
                let mut found = log.findings();
                found.sort();
                let mut wanted = wanted;
                wanted.sort();
                assert_eq!(found, wanted, "{what} at {position} of {size}");
            }
        }
    }
}

/// What is done to a log at a position.
type Change = (&'static str, fn(&mut Memory, u64));

/// Whether a finding is told from what stands near it alone.
fn is_local(finding: &Finding) -> bool {
    !matches!(finding, Finding::Swapped { .. } | Finding::Moved { .. } | Finding::Inserted { .. })
}

#[test]
fn by_parts_the_same_is_found() {
    use Finding::*;
    for whole in [300, 1500, 3333].map(Memory::new) {
        assert_eq!(whole.findings_by_parts(ANCHOR), [], "{}", whole.size());
        let size = whole.size();
        #[rustfmt::skip]
        let cases: [Change; 10] = [
            ("a byte changed", |log, n| log.alter(n)),
            ("removed", |log, n| log.remove(n)),
            ("removed and renumbered", |log, n| { log.remove(n); log.renumber(); }),
            ("inserted", |log, n| { log.insert(n); log.renumber(); }),
            ("swapped with the first", |log, n| log.swap(0, n)),
            ("a column changed", |log, n| log.leaves[n as usize].columns.as_mut().unwrap().resident = None),
            ("a hash changed", |log, n| log.alter_tile(0, n)),
            ("a tile removed", |log, n| drop(log.tiles.remove(&TileId { level: 0, index: n / WIDTH }))),
            ("a tile that no log has", |log, n| log.stray_tiles.push((0, n.cast_signed() + 5000))),
            ("a row below zero", |log, _| { log.insert(0); log.leaves[0].position = (-1_i64).cast_unsigned(); }),
        ];
        for (what, change) in cases {
            for position in [1, size / 2, size - 2, size - 1] {
                let mut log = whole.clone();
                change(&mut log, position);
                let mut wanted = log.findings();
                wanted.sort();
                for entries in [ANCHOR, 2 * ANCHOR] {
                    let found = log.findings_by_parts(entries);
                    let told = format!("{what} at {position} of {size} by {entries}: {found:?}");
                    assert!(!found.is_empty(), "{told}");
                    let near = !what.contains("renumbered") && wanted.iter().all(is_local);
                    assert!(!near || found == wanted, "{told}, not {wanted:?}");
                }
            }
        }
    }
    let mut log = Memory::new(3333);
    log.checkpoints.remove(&2048);
    assert_eq!(log.findings_by_parts(ANCHOR), [CheckpointMissing { size: 2048 }]);
    log.checkpoints.insert(2048, testing::note(2048, [1; 32]));
    let found = log.findings_by_parts(ANCHOR);
    assert!(found.contains(&AlteredWithin { from: 1024, until: 2048 }), "{found:?}");
}

/// A hash above is what parts begin with.
#[test]
fn a_part_that_follows_nothing_says_so() {
    let mut log = Memory::new(3333);
    log.alter_tile(1, 2);
    let altered = Finding::TileAltered { level: 1, index: 0, hash: 2 };
    assert_eq!(log.findings_by_parts(4 * ANCHOR), [altered]);
    let found = log.findings_by_parts(ANCHOR);
    let before = |until| Finding::AlteredWithin { from: 0, until };
    assert_eq!(found, [before(1024), before(2048), before(3072), altered]);
}

#[test]
fn what_was_changed_with_its_hash_is_narrowed_down() {
    let with_hash = |size, position| {
        let mut log = Memory::new(size);
        log.alter(position);
        let hash = leaf_hash(&log.leaves[position as usize].entry);
        let tile = log.tiles.get_mut(&TileId { level: 0, index: position / WIDTH }).unwrap();
        tile[(position % WIDTH) as usize * 32..][..32].copy_from_slice(&hash);
        log
    };
    // The tile above knows which 256; at the edge the checkpoints know which 1024.
    let within = |from, until| vec![Finding::AlteredWithin { from, until }];
    let found = |size, position| {
        let mut log = with_hash(size, position);
        // Whoever goes so far changes the columns too.
        log.leaves[position as usize].columns = None;
        log.findings()
    };
    assert_eq!(found(3333, 1300), within(1280, 1536));
    assert_eq!(found(3333, 3330), within(3072, 3333));
    assert_eq!(found(5, 3), within(0, 5));
    let column = Finding::Column { position: 3, column: "at" };
    assert_eq!(with_hash(5, 3).findings(), [within(0, 5)[0], column]);
    let mut log = Memory::new(3333);
    log.alter_tile(1, 2);
    assert_eq!(log.findings(), [Finding::TileAltered { level: 1, index: 0, hash: 2 }]);
}

#[test]
fn a_moved_block_is_named() {
    let mut log = Memory::new(3333);
    log.leaves[10..13].rotate_left(1);
    log.renumber();
    assert_eq!(log.findings(), [Finding::Moved { position: 12, signed: 10 }]);
    log.leaves[..40].reverse();
    log.leaves[700..703].rotate_right(1);
    log.renumber();
    let findings = log.findings();
    assert!(findings.contains(&Finding::Moved { position: 700, signed: 702 }), "{findings:?}");
}

#[test]
fn a_rolled_back_log_is_told_by_a_held_checkpoint() {
    let log = Memory::new(1500);
    let held = testing::note(1600, [1; 32]);
    let rolled_back = Finding::RolledBack { held: 1600, size: 1500 };
    let Verdict::Tampered(findings) = log.check(&[held]).verdict else { panic!() };
    assert_eq!(findings.listed, [rolled_back]);
    for size in [1, 700, 1024, 1500] {
        let genuine = log.check(&[testing::note(size, Memory::new(size).check(&[]).root.unwrap())]);
        assert_eq!(genuine.verdict, Verdict::Valid, "{size}");
        let Verdict::Tampered(findings) = log.check(&[testing::note(size, [1; 32])]).verdict else {
            panic!("{size}")
        };
        assert_eq!(findings.listed, [Finding::Forked { size }]);
    }
}

#[test]
fn what_is_missing_for_an_answer_is_named() {
    let mut log = Memory::new(300);
    let other = testing::other_key();
    let report = check(&mut log.clone(), &other, &[]).unwrap();
    assert_eq!(report.verdict, Verdict::Unverifiable(vec![Gap::OtherKey]));
    let held = [String::from("nothing signed\n")];
    assert_eq!(log.check(&held).verdict, Verdict::Unverifiable(vec![Gap::HeldByOtherKey(0)]));
    log.checkpoints.clear();
    assert_eq!(log.check(&[]).verdict, Verdict::Unverifiable(vec![Gap::NoCheckpoint]));
}

#[test]
fn a_removed_anchor_is_named_and_what_else_was_done_too() {
    let mut log = Memory::new(3333);
    log.checkpoints.remove(&2048);
    let removed = Finding::CheckpointMissing { size: 2048 };
    assert_eq!(log.findings(), [removed]);
    log.alter(1500);
    assert_eq!(log.findings(), [removed, Finding::Altered { position: 1500 }]);
    log.alter_tile(0, 1300);
    log.alter(1500);
    let tile = Finding::TileAltered { level: 0, index: 5, hash: 20 };
    assert_eq!(log.findings(), [removed, tile]);
}

#[test]
fn many_findings_are_counted() {
    let mut log = Memory::new(3333);
    (0..3333).for_each(|n| log.alter(n));
    let Verdict::Tampered(findings) = log.check(&[]).verdict else { panic!() };
    assert_eq!(findings.listed.len() as u64 + findings.unlisted, 3333);
    assert_eq!(findings.listed.len(), MAX_FINDINGS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bit_of_any_entry_is_named(size in 1u64..1400, at in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut log = Memory::new(size);
        let position = at.index(size as usize);
        let bytes = &mut log.leaves[position].entry;
        let byte = byte.index(bytes.len());
        bytes[byte] ^= 1 << bit;
        prop_assert_eq!(log.findings(), [Finding::Altered { position: position as u64 }]);
    }

    #[test]
    fn any_bit_of_any_tile_is_found(size in 1u64..1400, at in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut log = Memory::new(size);
        let ids: Vec<_> = log.tiles.keys().copied().collect();
        let id = ids[at.index(ids.len())];
        let tile = log.tiles.get_mut(&id).unwrap();
        let byte = byte.index(tile.len());
        tile[byte] ^= 1 << bit;
        let hash = byte as u64 / 32;
        prop_assert_eq!(log.findings(), [Finding::TileAltered { level: id.level, index: id.index, hash }]);
    }
}
