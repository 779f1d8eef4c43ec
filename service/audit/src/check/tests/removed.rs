//! Logs whose oldest entries were removed when their term was over.

use std::{collections::BTreeSet, sync::OnceLock};

use super::*;
use crate::{
    checkpoint::Checkpoint,
    history::{ACTION, Statement},
    index::{Index, key as resident_key},
    segment::{CLOSE, ENTER, Instant, KEPT, Removal, Segment, Step},
};

/// Where segments were closed and removed: the first closing stands in what the second removal takes.
pub(super) const CLOSED: [u64; 2] = [300, 700];
pub(super) const ENTERED: [u64; 2] = [880, 1180];
pub(super) const REMOVED: [u64; 2] = [900, 1200];
/// Where a key was changed, which is kept.
pub(super) const ROTATED: u64 = 100;
/// Who enters and who approves.
const PERSONS: [&str; 2] =
    ["01936b1e-7c00-7000-8000-00000000000a", "01936b1e-7c00-7000-8000-00000000000b"];
/// What is entered and removed is so when the term of what was closed is over.
const LATER: (u64, &str) = (800, "2027-05-23T08:00:00.000000Z");
pub(super) const SEGMENTS: [(u64, u64); 2] = [(0, 256), (256, 512)];
const SIZE: u64 = 1300;
/// Where the index is stated: of entries of which some are gone, and of more.
const STATED: [(u64, u64); 2] = [(500, 490), (1100, 1050)];

pub(super) fn act(n: u64, action: &str) -> Entry {
    let entry = entry(n);
    Entry::new(entry.id, entry.at, action, Outcome::Granted, Actor::default())
}

pub(super) fn timed(mut entry: Entry, n: u64) -> Entry {
    if n >= LATER.0 {
        entry.at = LATER.1.into();
    }
    entry
}

pub(super) fn by(mut entry: Entry, person: usize) -> Entry {
    entry.actor.identity = Some(PERSONS[person].into());
    entry
}

pub(super) fn newest(entries: &[Entry]) -> Instant {
    entries.iter().map(|entry| Instant::read(&entry.at).unwrap()).max().unwrap()
}

/// The index of the first of these entries.
fn index(entries: &[Entry]) -> Index {
    let mut index = Index::default();
    for (entry, position) in entries.iter().zip(0..) {
        if let Some(resident) = &entry.resident {
            let leaf = leaf_hash(&entry.encode().unwrap());
            index.add(&resident_key(resident), position, &leaf);
        }
    }
    index
}

fn root(entries: &[Entry]) -> Hash {
    let mut frontier = Frontier::new();
    entries.iter().for_each(|entry| frontier.push(leaf_hash(&entry.encode().unwrap())));
    frontier.root()
}

fn segment(entries: &[Entry], nth: usize) -> Segment {
    let (first, until) = SEGMENTS[nth];
    let counted = &entries[..until as usize];
    Segment { first, until, root: root(counted), index_root: index(counted).root() }
}

fn is_kept(entry: &Entry) -> bool {
    KEPT.contains(&entry.action.as_str())
}

/// The entries of a log in which two segments were closed and so many removed.
pub(super) fn entries(removed: usize) -> Vec<Entry> {
    said(removed, |_, _| {}, |_, _| {})
}

/// The same; `alter` is what is said of segments that should not be, and `retell` what an entry should not say.
pub(super) fn said(
    removed: usize,
    alter: impl Fn(&mut Segment, u64),
    retell: impl Fn(&mut Entry, u64),
) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for n in 0..SIZE {
        let said = |nth: usize| {
            let mut said = segment(&all, nth);
            alter(&mut said, n);
            said
        };
        let enters = ENTERED.iter().take(removed).position(|at| *at == n);
        let closes = CLOSED.iter().position(|at| *at == n);
        let removes = REMOVED.iter().take(removed).position(|at| *at == n);
        let stated = STATED.iter().find(|(at, _)| *at == n);
        let newest = |nth: usize| newest(&all[SEGMENTS[nth].0 as usize..SEGMENTS[nth].1 as usize]);
        let next = if let Some(nth) = closes {
            said(nth).in_entry(Step::Closed { newest: newest(nth) }, act(n, CLOSE))
        } else if let Some(nth) = enters {
            said(nth).in_entry(Step::Entered, by(act(n, ENTER), 0))
        } else if let Some(nth) = removes {
            let closing = &all[CLOSED[nth] as usize];
            let kept = all[..SEGMENTS[nth].1 as usize].iter().filter(|it| is_kept(it)).count();
            let removal = Removal {
                since: newest(nth).max(Instant::read(&closing.at).unwrap()),
                months: 6,
                kept: kept as u64,
                closed_at: CLOSED[nth],
                entered_at: ENTERED[nth],
            };
            said(nth).in_entry(Step::Removed(removal), by(act(n, REMOVE), 1))
        } else if let Some((_, size)) = stated {
            let root = index(&all[..*size as usize]).root();
            Statement { size: *size, root }.in_entry(act(n, ACTION).about("resident-x"))
        } else if n == ROTATED {
            act(n, "key.rotate")
        } else {
            entry(n)
        };
        let mut next = timed(next, n);
        retell(&mut next, n);
        all.push(next);
    }
    all
}

/// The standings after so many entries, in order.
fn standings(entries: &[Entry], until: u64) -> Vec<KeptStanding> {
    let counted = &entries[..until as usize];
    let mut index = index(counted);
    let residents = counted.iter().filter_map(|it| it.resident.as_ref());
    let keys: BTreeSet<Hash> = residents.map(|it| resident_key(it)).collect();
    let standing = |key: &Hash| {
        let (standing, _) = index.prove(key).unwrap();
        KeptStanding { key: key.to_vec(), until, standing }
    };
    keys.iter().map(standing).collect()
}

/// A log of which so many segments were removed, but for the rows from `gone` on.
pub(super) fn log_of(entries: Vec<Entry>, removed: usize, gone: u64) -> Memory {
    let mut log = Memory::of(entries.clone());
    if let Some(nth) = removed.checked_sub(1) {
        let until = SEGMENTS[nth].1;
        log.standings = standings(&entries, until);
        let kept = log.leaves.iter().zip(&entries).take(until as usize);
        let kept = kept.filter(|(_, entry)| is_kept(entry));
        log.kept = kept.map(|(leaf, _)| (leaf.position, leaf.entry.clone())).collect();
    }
    log.leaves.retain(|leaf| leaf.position >= gone);
    log
}

pub(super) fn log(removed: usize, gone: u64) -> Memory {
    static WHOLE: [OnceLock<Memory>; 3] = [const { OnceLock::new() }; 3];
    let whole = WHOLE[removed].get_or_init(|| log_of(entries(removed), removed, 0));
    let mut log = whole.clone();
    log.leaves.retain(|leaf| leaf.position >= gone);
    log
}

/// What is found, in order.
pub(super) fn found(log: &Memory) -> Vec<Finding> {
    let mut found = log.findings();
    found.sort();
    found
}

#[test]
fn a_log_is_valid_whose_oldest_entries_were_removed_by_right() {
    for (removed, gone) in
        [(0, 0), (1, 0), (1, 100), (1, 101), (1, 256), (2, 256), (2, 300), (2, 511), (2, 512)]
    {
        let log = log(removed, gone);
        let report = log.check(&[]);
        assert_eq!(report.verdict, Verdict::Valid, "{removed} {gone}");
        assert_eq!((report.leaves, report.size), (SIZE - gone, SIZE));
        let said = removed.checked_sub(1).map(|nth| Removed {
            until: SEGMENTS[nth].1,
            position: REMOVED[nth],
            since: newest(&[act(0, CLOSE)]),
            months: 6,
            witnessed: false,
        });
        assert_eq!(report.removed, said);
        // Checkpoints of before are still held against it.
        let held = Memory::of(entries(removed)[..400].to_vec());
        let held = held.checkpoints.into_values().collect::<Vec<_>>();
        assert_eq!(log.check(&held).verdict, Verdict::Valid);
        let forked = log.check(&[testing::note(100, [1; 32])]).verdict;
        let Verdict::Tampered(findings) = forked else { panic!("{forked:?}") };
        assert_eq!(findings.listed, [Finding::Forked { size: 100 }]);
    }
}

/// A removal is prepared before it is said; whatever stands there by then is of no weight.
#[test]
fn what_is_prepared_for_the_next_removal_does_not_count() {
    for (removed, before) in [(0, 0), (1, 256)] {
        let mut log = log(removed, before);
        let mut prepared = standings(&entries(removed), 512);
        prepared[2].standing.count = 0;
        log.standings.extend(prepared);
        log.standings.sort_by(|a, b| (&a.key, a.until).cmp(&(&b.key, b.until)));
        assert_eq!(log.check(&[]).verdict, Verdict::Valid, "{removed}");
        // It stands in order, and has keys.
        let mut swapped = log.clone();
        swapped.standings.swap(0, 1);
        assert_eq!(swapped.findings(), [Finding::RemovedAltered], "{removed}");
        log.standings.last_mut().unwrap().key.pop();
        assert_eq!(log.findings(), [Finding::RemovedAltered], "{removed}");
    }
    // What was kept for the removal before may be there still.
    let mut log = log(2, 512);
    log.standings.extend(standings(&entries(2), 256));
    log.standings.sort_by(|a, b| (&a.key, a.until).cmp(&(&b.key, b.until)));
    assert_eq!(log.check(&[]).verdict, Verdict::Valid);
}

/// An index grows with what its keys have in common; those of residents are hashes.
#[test]
fn keys_that_begin_alike_are_those_of_no_residents() {
    for (octet, alike) in [(15, false), (16, true), (31, true)] {
        let mut log = log(1, 256);
        let mut like = log.standings[1].clone();
        like.key[octet] ^= 1;
        like.until = 512;
        log.standings.push(like);
        log.standings.sort_by(|a, b| (&a.key, a.until).cmp(&(&b.key, b.until)));
        let found = if alike { vec![Finding::RemovedAltered] } else { Vec::new() };
        let Verdict::Tampered(findings) = log.check(&[]).verdict else {
            assert!(found.is_empty(), "{octet}");
            continue;
        };
        assert_eq!(findings.listed, found, "{octet}");
    }
}

#[test]
fn what_was_done_beyond_the_removal_is_named() {
    use Finding::*;
    type Case = (&'static str, fn(&mut Memory), Vec<Finding>);
    assert_eq!(log(0, 256).findings(), [Missing { from: 0, until: 256 }]);
    assert_eq!(log(1, 512).findings(), [Missing { from: 256, until: 512 }]);
    #[rustfmt::skip]
    let cases: [Case; 17] = [
        ("one more", |log| log.leaves.retain(|it| it.position >= 513), vec![Missing { from: 512, until: 513 }]),
        ("one between", |log| log.leaves.retain(|it| it.position != 600), vec![Missing { from: 600, until: 601 }]),
        ("the entry that closed it", |log| log.leaves.retain(|it| it.position != 700), vec![Missing { from: 700, until: 701 }]),
        ("an entry that is there altered", |log| log.leaves[3].entry[60] ^= 1, vec![Altered { position: 515 }]),
        ("the entry that removed them", |log| log.leaves.retain(|it| it.position != 1200),
         vec![Missing { from: 256, until: 512 }, Missing { from: 1200, until: 1201 }, RemovedAltered]),
        ("what is said to be the newest", |log| log.leaves[1200 - 512].columns.as_mut().unwrap().outcome = "failed".into(),
         vec![Column { position: 1200, column: "outcome" }, RemovedAltered]),
        ("a hash of a removed entry", |log| log.alter_tile(0, 310), vec![AlteredWithin { from: 256, until: 512 }]),
        ("a hash of one that is kept", |log| log.alter_tile(0, 300), vec![AlteredWithin { from: 256, until: 512 }]),
        ("a tile of removed entries", |log| drop(log.tiles.remove(&TileId { level: 0, index: 0 })),
         vec![AlteredWithin { from: 0, until: 256 }]),
        ("a standing gone", |log| log.standings.truncate(3), vec![RemovedAltered]),
        ("no standing left", |log| log.standings.clear(), vec![RemovedAltered]),
        ("another count", |log| log.standings[2].standing.count += 1, vec![RemovedAltered]),
        ("another chain", |log| log.standings[2].standing.chain[0] ^= 1, vec![RemovedAltered]),
        ("of another resident", |log| log.standings[2].key[31] ^= 1, vec![RemovedAltered]),
        ("of later", |log| log.standings[2].until += 1, vec![RemovedAltered]),
        ("a removed entry that came back, altered", |log| {
            let mut leaf = Memory::new(512).leaves[511].clone();
            leaf.entry[60] ^= 1;
            log.leaves.insert(0, leaf);
        }, vec![Altered { position: 511 }]),
        ("one that came back with a gap after it", |log| log.leaves.insert(0, Memory::new(300).leaves[7].clone()),
         vec![Missing { from: 8, until: 512 }]),
    ];
    for (what, change, expected) in cases {
        let mut log = log(2, 512);
        change(&mut log);
        assert_eq!(found(&log), expected, "{what}");
    }
}

/// Each change of what is kept is found, whether or not the rows are there still.
#[test]
fn kept_entries_are_those_that_were_signed() {
    type Case = (&'static str, fn(&mut Vec<(u64, Vec<u8>)>));
    let of = |n: u64| entries(2)[n as usize].encode().unwrap();
    let (other, later) = ((512, of(512)), (700, of(700)));
    #[rustfmt::skip]
    let cases: [Case; 9] = [
        ("altered", |kept| kept[1].1[60] ^= 1),
        ("another beginning", |kept| kept[0].1.clear()),
        ("dropped", |kept| drop(kept.remove(0))),
        ("all dropped", Vec::clear),
        ("another place", |kept| kept[1].0 += 1),
        ("another order", |kept| kept.swap(0, 1)),
        ("twice", |kept| kept.insert(0, kept[0].clone())),
        ("nowhere", |kept| kept.insert(0, ((-1_i64).cast_unsigned(), kept[0].1.clone()))),
        ("after the end", |kept| kept.push((5000, kept[0].1.clone()))),
    ];
    for gone in [0, 512] {
        let whole = log(2, gone);
        assert_eq!(whole.kept.iter().map(|it| it.0).collect::<Vec<_>>(), [ROTATED, CLOSED[0]]);
        for (what, change) in cases {
            let mut log = whole.clone();
            change(&mut log.kept);
            assert_eq!(log.findings(), [Finding::RemovedAltered], "{what}");
        }
        for (what, more) in
            [("of another action", (7, of(7))), ("beyond", other.clone()), ("later", later.clone())]
        {
            let mut log = whole.clone();
            log.kept.push(more);
            log.kept.sort();
            assert_eq!(log.findings(), [Finding::RemovedAltered], "{what}");
        }
    }
    // Where nothing was removed nothing is kept.
    let mut log = log(0, 0);
    log.kept.push((ROTATED, of(ROTATED)));
    assert_eq!(log.findings(), [Finding::RemovedAltered]);
}

/// A key of the log that another succeeded cannot tell what was removed since; it does not say that it was wrong.
#[test]
fn what_was_removed_under_a_later_key_is_not_held_against_the_log() {
    let mut log = log(2, 512);
    let later = testing::other_key();
    for (size, note) in &mut log.checkpoints {
        if *size > 1150 {
            let checkpoint = Checkpoint::verify(note, &key()).unwrap();
            *note = testing::sign(&checkpoint, testing::NAME, &testing::signing_key(2));
        }
    }
    let root = root(&entries(2)[..1150]);
    // The last that the earlier key signed has the line of the later above its own.
    let last = Checkpoint { origin: testing::NAME.into(), size: 1150, root };
    let [newer, older] =
        [2, 1].map(|seed| testing::sign(&last, testing::NAME, &testing::signing_key(seed)));
    log.checkpoints.insert(1150, format!("{newer}{}\n", older.lines().last().unwrap()));
    let by_earlier = |log: &Memory| check(&mut log.clone(), &key(), &[]).unwrap();
    let report = by_earlier(&log);
    let gaps = vec![Gap::Succeeded { size: 1150 }, Gap::RemovedSince { until: 512 }];
    assert_eq!((report.verdict, report.removed), (Verdict::Unverifiable(gaps), None));
    // What is missing beyond that is missed.
    let mut more = log.clone();
    more.leaves.retain(|leaf| leaf.position >= 513);
    let Verdict::Tampered(found) = by_earlier(&more).verdict else { panic!() };
    assert_eq!(found.listed, [Finding::Missing { from: 512, until: 513 }]);
    // So is all that no entry says of which it is said.
    type Change = fn(&mut Leaf);
    let unsaid: [Change; 3] = [
        |leaf| leaf.entry.clear(),
        |leaf| leaf.entry = by(act(1200, REMOVE), 1).with("until", "1300").encode().unwrap(),
        |leaf| leaf.columns = None,
    ];
    for change in unsaid {
        let mut forged = log.clone();
        change(&mut forged.leaves[1200 - 512]);
        let Verdict::Tampered(found) = by_earlier(&forged).verdict else { panic!() };
        let missing = Finding::Missing { from: 256, until: 512 };
        assert!(found.listed.contains(&missing), "{found:?}");
    }
    // The one in use tells.
    let mut newer = log;
    for note in newer.checkpoints.values_mut() {
        let checkpoint = Checkpoint::read_unverified(note).unwrap();
        *note = testing::sign(&checkpoint, testing::NAME, &testing::signing_key(2));
    }
    let report = check(&mut newer, &later, &[]).unwrap();
    assert_eq!(report.verdict, Verdict::Valid);
    assert_eq!(report.removed.map(|it| (it.until, it.position)), Some((512, 1200)));
}

#[test]
fn by_parts_what_was_removed_is_passed_over() {
    let log = log(2, 512);
    let check = |log: &Memory, removed| {
        let mut log = log.clone();
        check_part(&mut log, &key(), 0..2048, removed).unwrap().findings.listed
    };
    assert_eq!(check(&log, 512), []);
    // What is kept is of what was removed.
    let missing = Finding::Missing { from: 256, until: 512 };
    assert_eq!(check(&log, 256), [Finding::RemovedAltered, missing]);
    let mut altered = log.clone();
    altered.kept[1].1[60] ^= 1;
    assert_eq!(check(&altered, 512), [Finding::RemovedAltered]);
    let mut altered = log;
    altered.alter_tile(0, 300);
    assert_eq!(check(&altered, 512), [Finding::AlteredWithin { from: 256, until: 512 }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Of a log of which anything was removed, valid is what was removed by right alone.
    #[test]
    fn only_what_was_removed_by_right_may_be_gone(removed in 0_usize..3, gone in 0_u64..700, other in 0_u64..1300) {
        let by_right = removed.checked_sub(1).map_or(0, |nth| SEGMENTS[nth].1);
        let mut log = log(removed, gone);
        prop_assert_eq!(log.check(&[]).verdict == Verdict::Valid, gone <= by_right);
        log.leaves.retain(|leaf| leaf.position != other);
        let valid = gone <= by_right && (other < gone || other == gone && gone < by_right);
        prop_assert_eq!(log.check(&[]).verdict == Verdict::Valid, valid, "{} {}", gone, other);
    }

    /// No bit of what is kept may change.
    #[test]
    fn any_bit_of_what_is_kept_is_found(at in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut log = log(2, 512);
        let kept = at.index(log.kept.len() + log.standings.len());
        let bytes = match kept.checked_sub(log.kept.len()) {
            None => &mut log.kept[kept].1[..],
            Some(at) if bit < 4 => &mut log.standings[at].key[..],
            Some(at) => &mut log.standings[at].standing.chain[..],
        };
        let byte = byte.index(bytes.len());
        bytes[byte] ^= 1 << bit;
        prop_assert_eq!(log.findings(), [Finding::RemovedAltered]);
    }
}
