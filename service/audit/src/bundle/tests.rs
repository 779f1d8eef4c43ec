use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use proptest::prelude::*;

use super::*;
use crate::{
    Actor, Outcome,
    lines::MAX_LINE,
    testing::{key, note, other_key},
    tree::{Node, left_nodes},
};

fn entry(n: u64) -> Vec<u8> {
    let id = format!("01936b1e-7c00-7000-8000-{n:012x}");
    let at = "2026-11-23T08:00:00.000000Z";
    Entry::new(id, at, "card.read", Outcome::Granted, Actor::default()).encode().unwrap()
}

fn frontier(from: u64, until: u64) -> Frontier {
    let mut frontier = Frontier::new();
    (from..until).for_each(|n| frontier.push(leaf_hash(&entry(n))));
    frontier
}

fn bundle(from: u64, until: u64, size: u64) -> Vec<u8> {
    let hash = |node: Node| frontier(node.begin(), node.end()).root();
    let header = Header {
        key: key(),
        from,
        until,
        size,
        left: left_nodes(from).into_iter().map(hash).collect(),
        right: right_nodes(until, size).into_iter().map(hash).collect(),
        checkpoint: note(size, frontier(0, size).root()),
    };
    let mut out = header.write().into_bytes();
    (from..until).for_each(|n| write_entry(&mut out, n, &entry(n)));
    write_end(&mut out, until - from);
    assert_eq!(*Reader::new(&out[..]).unwrap().header(), header);
    out
}

fn verdict(bundle: &[u8]) -> Verdict {
    check(Reader::new(bundle).unwrap(), &key(), &[]).unwrap().verdict
}

fn findings(bundle: &[u8]) -> Vec<Finding> {
    match verdict(bundle) {
        Verdict::Tampered(findings) => findings.listed,
        other => panic!("{other:?}"),
    }
}

fn lines(bundle: &[u8]) -> Vec<String> {
    String::from_utf8(bundle.to_vec()).unwrap().lines().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_range_is_checked_alone() {
    for (from, until, size) in [(0, 0, 0), (0, 40, 40), (7, 20, 40), (39, 40, 40), (5, 5, 9)] {
        let bundle = bundle(from, until, size);
        let report = check(Reader::new(&bundle[..]).unwrap(), &key(), &[]).unwrap();
        assert_eq!(report.verdict, Verdict::Valid, "{from} {until} {size}");
        assert_eq!((report.leaves, report.size), (until - from, size));
    }
}

#[test]
fn a_range_is_held_against_checkpoints_within_it() {
    let root = |size| frontier(0, size).root();
    let told = |bundle: &[u8], held: &[String]| {
        check(Reader::new(bundle).unwrap(), &key(), held).unwrap().verdict
    };
    let good = bundle(7, 20, 40);
    for size in [7, 8, 15, 20, 40] {
        assert_eq!(told(&good, &[note(size, root(size))]), Verdict::Valid, "{size}");
        let Verdict::Tampered(found) = told(&good, &[note(size, [9; 32])]) else {
            panic!("{size}")
        };
        assert_eq!(found.listed, [Finding::Forked { size }]);
    }
    // What it has no entries of it cannot be compared at, right or wrong.
    for size in [0, 6, 21, 39] {
        let elsewhere = Verdict::Unverifiable(vec![Gap::HeldElsewhere(0)]);
        assert_eq!(told(&good, &[note(size, [9; 32])]), elsewhere, "{size}");
    }
    let Verdict::Tampered(found) = told(&good, &[note(41, [9; 32])]) else { panic!() };
    assert_eq!(found.listed, [Finding::RolledBack { held: 41, size: 40 }]);
    assert_eq!(told(&good, &[String::new()]), Verdict::Unverifiable(vec![Gap::HeldByOtherKey(0)]));
    // What was altered says nothing of what the log was before.
    let altered = String::from_utf8(good).unwrap().replacen("granted", "refused", 1);
    let Verdict::Tampered(found) = told(altered.as_bytes(), &[note(15, [9; 32])]) else { panic!() };
    assert_eq!(found.listed, [Finding::Altered { position: 7 }]);
}

#[test]
fn changes_are_named() {
    let whole = lines(&bundle(7, 20, 40));
    let first = whole.iter().position(|line| line.starts_with("7 ")).unwrap();
    let position = first + 3;
    let spoil_hash = |line: &str| {
        let [at, _, entry] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!() };
        format!("{at} {} {entry}", BASE64.encode([7; 32]))
    };
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        lines.concat().into_bytes()
    };
    let altered = with(&|l| l[position] = l[position].replace("granted", "refused"));
    assert_eq!(findings(&altered), [Finding::Altered { position: 10 }]);
    let altered = with(&|l| l[position] = spoil_hash(&l[position]));
    assert_eq!(findings(&altered), [Finding::HashAltered { position: 10 }]);
    let removed = with(&|l| {
        l.remove(position);
        *l.last_mut().unwrap() = "end 12\n".into();
    });
    assert_eq!(findings(&removed), [Finding::Missing { from: 10, until: 11 }]);
    let doubled = with(&|l| {
        l.insert(position, l[position].clone());
        *l.last_mut().unwrap() = "end 14\n".into();
    });
    assert_eq!(findings(&doubled), [Finding::Inserted { position: 10 }]);
    let mut forged = Vec::new();
    write_entry(&mut forged, 10, &entry(11));
    let forged = with(&|l| l[position] = String::from_utf8(forged.clone()).unwrap());
    assert_eq!(findings(&forged), [Finding::AlteredWithin { from: 7, until: 20 }]);
    let signature = with(&|l| {
        let at = l.iter().position(|line| line.starts_with("40\n")).unwrap();
        l[at + 1] = format!("{}\n", BASE64.encode([1; 32]));
    });
    assert_eq!(findings(&signature), [Finding::CheckpointAltered { size: 40 }]);
    let key = with(&|l| l[1] = format!("key {}\n", other_key()));
    assert_eq!(findings(&key), [Finding::KeyAltered { size: 40 }]);
    let cut = whole[..whole.len() - 1].concat().into_bytes();
    assert_eq!(verdict(&cut), Verdict::Unverifiable(vec![Gap::CutShort]));
    let other = check(Reader::new(&bundle(7, 20, 40)[..]).unwrap(), &other_key(), &[]).unwrap();
    assert_eq!(other.verdict, Verdict::Unverifiable(vec![Gap::OtherKey]));
}

#[test]
fn what_is_not_a_bundle_is_refused_at_its_line() {
    let whole = String::from_utf8(bundle(7, 20, 40)).unwrap();
    let entries = whole.lines().position(|line| line == "entries").unwrap() as u64 + 1;
    let count = whole.lines().count() as u64;
    #[rustfmt::skip]
    let cases = [
        ("another format", whole.replacen("v1", "v2", 1), 1),
        ("a bad key", whole.replacen("key log", "key gol", 1), 2),
        ("a range backwards", whole.replacen("range 7 20 40", "range 20 7 40", 1), 3),
        ("a range beyond the log", whole.replacen("range 7 20 40", "range 7 41 40", 1), 3),
        ("a number with a zero", whole.replacen("range 7", "range 07", 1), 3),
        ("a missing subtree", whole.replacen("left ", "", 1), 4),
        ("a note without an end", whole.replacen("checkpoint 5", "checkpoint 99", 1), 10),
        ("an entry without position", whole.replacen("\n7 ", "\n ", 1), entries + 1),
        ("a position with a sign", whole.replacen("\n7 ", "\n+7 ", 1), entries + 1),
        ("another count", whole.replacen("end 13", "end 12", 1), count),
        ("something after the end", format!("{whole}\n"), count),
        ("no newline at the end", whole.trim_end().to_owned(), count),
        ("a line without end", whole.replacen("entries\n", &format!("entries\n{}", "x".repeat(MAX_LINE + 9)), 1), entries + 1),
        ("nothing", String::new(), 1),
    ];
    for (why, text, at) in cases {
        let refused = Reader::new(text.as_bytes()).and_then(|reader| check(reader, &key(), &[]));
        assert!(
            matches!(refused, Err(BundleError::Line(line)) if line == at),
            "{why}: {refused:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_bit_may_change(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut text = bundle(7, 20, 40);
        let at = at.index(text.len());
        text[at] ^= 1 << bit;
        let checked = Reader::new(&text[..]).and_then(|reader| check(reader, &key(), &[]));
        // The key in the header is for comparing; whoever checks brings their own.
        if let Ok(report) = checked {
            let reader = Reader::new(&text[..]).unwrap();
            prop_assert!(report.verdict != Verdict::Valid || reader.header().key != key());
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}", lines in prop::collection::vec("[a-z0-9 +=]{0,40}", 0..12)) {
        let _ = Reader::new(text.as_bytes()).and_then(|reader| check(reader, &key(), &[]));
        let lines = format!("{FORMAT}\nkey {}\n{}", key(), lines.join("\n"));
        let _ = Reader::new(lines.as_bytes()).and_then(|reader| check(reader, &key(), &[]));
    }
}
