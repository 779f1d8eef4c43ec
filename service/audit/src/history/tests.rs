use proptest::prelude::*;

use super::*;
use crate::{
    Actor, bundle,
    check::{Leaf, Log, Verdict},
    index,
    lines::write_end,
    testing::{key as log_key, note, other_key},
    tile::TileId,
    tree::{Frontier, Node, NodeReader, inclusion_proof},
};

mod removed;

const ANN: &str = "01936b1e-7c00-7000-8000-0000000000aa";
const BEN: &str = "01936b1e-7c00-7000-8000-0000000000bb";

fn blank(n: u64, action: &str) -> Entry {
    let id = format!("01936b1e-7c00-7000-8000-{n:012x}");
    Entry::new(id, "2026-11-23T08:00:00.000000Z", action, Outcome::Granted, Actor::default())
}

/// A log in memory: entry `n` is about Ann, Ben or nobody, in turn.
struct Told {
    leaves: Vec<Vec<u8>>,
}

impl Told {
    fn of(size: u64) -> Self {
        let entry = |n: u64| match n % 3 {
            0 => blank(n, "card.read").about(ANN),
            1 => blank(n, "token.issue").about(BEN),
            _ => blank(n, "session.begin"),
        };
        Self { leaves: (0..size).map(|n| entry(n).encode().unwrap()).collect() }
    }

    fn index(&self, size: u64) -> index::Index {
        let mut index = index::Index::default();
        for (leaf, position) in self.leaves.iter().zip(0..size) {
            if let Some(resident) = Entry::decode(leaf).unwrap().resident {
                index.add(&key(&resident), position, &leaf_hash(leaf));
            }
        }
        index
    }

    /// States the index of the first entries, `more` being what was written meanwhile.
    fn state(&mut self, resident: &str, more: u64) -> Header {
        let size = self.leaves.len() as u64;
        let mut index = self.index(size);
        (0..more).for_each(|n| {
            self.leaves.push(blank(size + n, "card.read").about("meanwhile").encode().unwrap())
        });
        let stated = Statement { size, root: index.root() };
        self.state_that(resident, stated);
        let (standing, path) = index.prove(&key(resident)).unwrap();
        let position = self.leaves.len() as u64 - 1;
        let statement = self.leaves.last().unwrap().clone();
        self.leaves.push(blank(position + 1, "session.end").encode().unwrap());
        let size = self.leaves.len() as u64;
        Header {
            key: log_key(),
            resident: resident.into(),
            index: stated,
            standing,
            path,
            before: None,
            statement: Line { position, hash: leaf_hash(&statement), entry: statement },
            proof: inclusion_proof(self, position, size).unwrap(),
            checkpoint: self.checkpoint(),
        }
    }

    fn state_that(&mut self, resident: &str, stated: Statement) {
        let entry = stated.in_entry(blank(self.leaves.len() as u64, ACTION).about(resident));
        self.leaves.push(entry.encode().unwrap());
    }

    fn frontier(&self, from: u64, until: u64) -> Frontier {
        let mut frontier = Frontier::new();
        let leaves = &self.leaves[from as usize..until as usize];
        leaves.iter().for_each(|leaf| frontier.push(leaf_hash(leaf)));
        frontier
    }

    fn checkpoint(&self) -> String {
        let size = self.leaves.len() as u64;
        note(size, self.frontier(0, size).root())
    }

    /// The history that a header tells.
    fn history(&self, header: &Header) -> String {
        let mut out = header.write();
        let from = header.beginning().0;
        let there = self.leaves.iter().zip(0..header.index.size).skip(from as usize);
        let about = there.filter(|(leaf, _)| {
            Entry::decode(leaf).unwrap().resident.as_ref() == Some(&header.resident)
        });
        let told: Vec<_> = about.collect();
        told.iter().for_each(|(leaf, position)| write_entry(&mut out, *position, leaf));
        write_end(&mut out, told.len() as u64);
        String::from_utf8(out).unwrap()
    }

    fn bundle(&self) -> Vec<u8> {
        let until = self.leaves.len() as u64;
        let header = bundle::Header {
            key: log_key(),
            from: 0,
            until,
            size: until,
            left: Vec::new(),
            right: Vec::new(),
            checkpoint: self.checkpoint(),
        };
        let mut out = header.write().into_bytes();
        self.leaves.iter().zip(0..).for_each(|(leaf, at)| write_entry(&mut out, at, leaf));
        write_end(&mut out, until);
        out
    }

    /// What the whole log is told to be, by the export of it and by its rows.
    fn whole(&self) -> Verdict {
        let bundle = self.bundle();
        let reader = bundle::Reader::new(&bundle[..]).unwrap();
        let exported = bundle::check(reader, &log_key(), &[]).unwrap().verdict;
        let mut rows = Rows { told: self, checkpoint: true, next: 0 };
        let rows = crate::check::check(&mut rows, &log_key(), &[]).unwrap().verdict;
        assert_eq!(exported, rows);
        rows
    }
}

impl NodeReader for Told {
    type Error = std::convert::Infallible;
    fn node(&mut self, node: Node) -> Result<Hash, Self::Error> {
        Ok(self.frontier(node.begin(), node.end()).root())
    }
}

/// The same log as a service keeps it, of fewer entries than a tile.
struct Rows<'a> {
    told: &'a Told,
    checkpoint: bool,
    next: u64,
}

impl Log for Rows<'_> {
    type Error = std::convert::Infallible;
    fn next_checkpoint(&mut self) -> Result<Option<(u64, String)>, Self::Error> {
        let size = self.told.leaves.len() as u64;
        let empty = note(0, Frontier::new().root());
        let next = match (std::mem::take(&mut self.checkpoint), self.next) {
            (true, _) => Some((0, empty)),
            (false, 0) => {
                self.next = 1;
                Some((size, self.told.checkpoint()))
            }
            _ => {
                self.next = 0;
                None
            }
        };
        Ok(next)
    }
    fn next_leaf(&mut self) -> Result<Option<Leaf>, Self::Error> {
        let (position, leaf) = (self.next, self.told.leaves.get(self.next as usize));
        self.next += 1;
        Ok(leaf.map(|entry| Leaf { position, entry: entry.clone(), columns: None }))
    }
    fn next_tile(&mut self) -> Result<Option<(i64, i64)>, Self::Error> {
        Ok(None)
    }
    fn tile(&mut self, id: TileId) -> Result<Option<Vec<u8>>, Self::Error> {
        assert!(self.told.leaves.len() < 256);
        let hashes = self.told.leaves.iter().map(|leaf| leaf_hash(leaf));
        Ok((id.level == 0).then(|| hashes.flatten().collect()))
    }
}

fn verdict(history: &str) -> Verdict {
    check(Reader::new(history.as_bytes()).unwrap(), &log_key(), &[]).unwrap().verdict
}

fn findings(history: &str) -> Vec<Finding> {
    match verdict(history) {
        Verdict::Tampered(findings) => findings.listed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_history_is_checked_alone() {
    for more in [0, 1, 7] {
        let mut log = Told::of(40);
        let header = log.state(ANN, more);
        let history = log.history(&header);
        let report = check(Reader::new(history.as_bytes()).unwrap(), &log_key(), &[]).unwrap();
        assert_eq!((report.verdict, report.leaves), (Verdict::Valid, 14), "{more}");
        assert_eq!(report.size, log.leaves.len() as u64);
        assert_eq!(log.whole(), Verdict::Valid);
    }
}

#[test]
fn changes_of_a_history_are_named() {
    let mut log = Told::of(40);
    let header = log.state(ANN, 2);
    let whole = log.history(&header);
    let lines: Vec<String> = whole.lines().map(|line| format!("{line}\n")).collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        lines.concat()
    };
    let first = lines.iter().position(|line| line.starts_with("0 ")).unwrap();
    let altered = with(&|l| l[first + 2] = l[first + 2].replace("granted", "refused"));
    assert_eq!(findings(&altered), [Finding::Altered { position: 6 }]);
    let hash = BASE64.encode(leaf_hash(&log.leaves[6]));
    let spoilt = whole.replacen(&hash, &BASE64.encode([7; 32]), 1);
    assert_eq!(findings(&spoilt), [Finding::HashAltered { position: 6 }]);
    let left_out = with(&|l| {
        l.remove(first + 2);
        *l.last_mut().unwrap() = "end 13\n".into();
    });
    assert_eq!(findings(&left_out), [Finding::LeftOut { entries: 1 }]);
    let doubled = with(&|l| {
        l.insert(first + 2, l[first + 2].clone());
        *l.last_mut().unwrap() = "end 15\n".into();
    });
    assert_eq!(findings(&doubled), [Finding::Inserted { position: 6 }]);
    let swapped = with(&|l| l.swap(first + 2, first + 3));
    assert_eq!(
        findings(&swapped),
        [Finding::Inserted { position: 6 }, Finding::LeftOut { entries: 1 }]
    );
    // An entry of the log that is about somebody else.
    let others = with(&|l| {
        let mut line = Vec::new();
        write_entry(&mut line, 7, &log.leaves[7]);
        l.insert(first + 3, String::from_utf8(line).unwrap());
        *l.last_mut().unwrap() = "end 15\n".into();
    });
    assert_eq!(findings(&others), [Finding::Inserted { position: 7 }]);
    // One that is of the log, and after the statement's time.
    let later = with(&|l| {
        let mut line = Vec::new();
        write_entry(&mut line, 40, &log.leaves[40]);
        let end = l.len() - 1;
        l.insert(end, String::from_utf8(line).unwrap());
        *l.last_mut().unwrap() = "end 15\n".into();
    });
    assert_eq!(findings(&later), [Finding::Inserted { position: 40 }]);
    let forged = with(&|l| {
        let mut line = Vec::new();
        write_entry(&mut line, 6, &log.leaves[3]);
        l[first + 2] = String::from_utf8(line).unwrap();
    });
    assert_eq!(findings(&forged), [Finding::AlteredWithin { from: 0, until: 40 }]);
    for (what, text) in [
        (
            "another resident",
            whole.replacen(&format!("resident {ANN}"), &format!("resident {BEN}"), 1),
        ),
        ("another count", whole.replacen("standing 14", "standing 13", 1)),
        ("another size", whole.replacen("index 40", "index 39", 1)),
        ("another place", whole.replacen("statement 42", "statement 41", 1)),
        ("another statement", whole.replacen("\"index-size\":\"40\"", "\"index-size\":\"41\"", 1)),
    ] {
        assert!(findings(&text).contains(&Finding::ProofAltered), "{what}");
    }
    let key = with(&|l| l[1] = format!("key {}\n", other_key()));
    assert_eq!(findings(&key), [Finding::KeyAltered { size: 44 }]);
    let signature = whole.replacen("\n44\n", "\n45\n", 1);
    assert_eq!(findings(&signature), [Finding::CheckpointAltered { size: 45 }]);
    let cut = lines[..lines.len() - 3].concat();
    assert_eq!(verdict(&cut), Verdict::Unverifiable(vec![Gap::CutShort]));
    let other = check(Reader::new(whole.as_bytes()).unwrap(), &other_key(), &[]).unwrap();
    assert_eq!(other.verdict, Verdict::Unverifiable(vec![Gap::OtherKey]));
}

#[test]
fn a_history_is_held_against_a_checkpoint_of_its_size() {
    let mut log = Told::of(40);
    let header = log.state(ANN, 0);
    let history = log.history(&header);
    let told = |held: &[String]| {
        check(Reader::new(history.as_bytes()).unwrap(), &log_key(), held).unwrap().verdict
    };
    assert_eq!(told(&[log.checkpoint()]), Verdict::Valid);
    let Verdict::Tampered(found) = told(&[note(42, [9; 32])]) else { panic!() };
    assert_eq!(found.listed, [Finding::Forked { size: 42 }]);
    assert_eq!(told(&[note(41, [9; 32])]), Verdict::Unverifiable(vec![Gap::HeldElsewhere(0)]));
    assert_eq!(told(&[String::new()]), Verdict::Unverifiable(vec![Gap::HeldByOtherKey(0)]));
}

/// What one history shows alone is held against the log by whoever has all of it.
#[test]
fn an_index_that_leaves_something_out_is_found_in_the_log() {
    let mut log = Told::of(40);
    // Three statements that are true, out of order.
    let (early, late) = (log.index(30).root(), log.index(40).root());
    log.state_that(ANN, Statement { size: 40, root: late });
    log.state_that("somebody else", Statement { size: 30, root: early });
    let _ = log.state(ANN, 5);
    assert_eq!(log.whole(), Verdict::Valid);
    // One that left an entry out, in the middle of others.
    let position = log.leaves.len() as u64;
    let mut without = index::Index::default();
    for (leaf, at) in log.leaves.iter().zip(0..position).filter(|(_, at)| *at != 6) {
        if let Some(resident) = Entry::decode(leaf).unwrap().resident {
            without.add(&key(&resident), at, &leaf_hash(leaf));
        }
    }
    log.state_that(ANN, Statement { size: position, root: without.root() });
    let _ = log.state(ANN, 1);
    let Verdict::Tampered(found) = log.whole() else { panic!() };
    assert_eq!(found.listed, [Finding::IndexWrong { position }]);
    // One that is true, and counts none of what came since about the resident.
    let mut log = Told::of(40);
    log.state_that(BEN, Statement { size: 37, root: log.index(37).root() });
    let Verdict::Tampered(found) = log.whole() else { panic!() };
    assert_eq!(found.listed, [Finding::IndexWrong { position: 40 }]);
    // One about nobody, and those that can be held against nothing.
    let mut log = Told::of(40);
    let stated = Statement { size: 40, root: log.index(40).root() };
    log.leaves.push(stated.in_entry(blank(40, ACTION)).encode().unwrap());
    let Verdict::Tampered(found) = log.whole() else { panic!() };
    assert_eq!(found.listed, [Finding::IndexWrong { position: 40 }]);
    for (size, root) in [("40", "00"), ("041", ""), ("99999", ""), ("x", "")] {
        let mut log = Told::of(40);
        let root = if root.is_empty() { hex::encode(log.index(40).root()) } else { root.into() };
        let entry = blank(40, ACTION).about(ANN).with(SIZE, size).with(ROOT, root);
        log.leaves.push(entry.encode().unwrap());
        let Verdict::Tampered(found) = log.whole() else { panic!("{size}") };
        assert_eq!(found.listed, [Finding::IndexWrong { position: 40 }], "{size}");
    }
}

#[test]
fn what_is_not_a_history_is_refused_at_its_line() {
    let mut log = Told::of(10);
    let header = log.state(ANN, 0);
    let whole = log.history(&header);
    let at = |word: &str| whole.lines().position(|line| line.starts_with(word)).unwrap() as u64 + 1;
    #[rustfmt::skip]
    let cases = [
        ("another format", whole.replacen("v1", "v3", 1), 1),
        ("nothing of before", whole.replacen("v1", "v2", 1), at("statement ")),
        ("a bad key", whole.replacen("key log", "key gol", 1), 2),
        ("no resident", whole.replacen(&format!("resident {ANN}"), "resident ", 1), 3),
        ("a number with a zero", whole.replacen("index 10", "index 010", 1), 4),
        ("a short chain", whole.replacen("standing 4 ", "standing 4 AAAA", 1), 5),
        ("a path too long", whole.replacen("path 1", "path 257", 1), 6),
        ("a path too short", whole.replacen("path 1", "path 0", 1), 7),
        ("a proof too long", whole.replacen("proof ", "proof 99", 1), at("proof ")),
        ("no statement", whole.replacen("statement", "statements", 1), at("statement")),
        ("another count", whole.replacen("end 4", "end 3", 1), at("end")),
        ("nothing", String::new(), 1),
    ];
    for (why, text, at) in cases {
        let refused =
            Reader::new(text.as_bytes()).and_then(|reader| check(reader, &log_key(), &[]));
        assert!(
            matches!(refused, Err(BundleError::Line(line)) if line == at),
            "{why}: {refused:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_bit_of_a_history_may_change(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut log = Told::of(20);
        let header = log.state(BEN, 1);
        let mut text = log.history(&header).into_bytes();
        let at = at.index(text.len());
        text[at] ^= 1 << bit;
        let checked = Reader::new(&text[..]).and_then(|reader| check(reader, &log_key(), &[]));
        if let Ok(report) = checked {
            let reader = Reader::new(&text[..]).unwrap();
            prop_assert!(report.verdict != Verdict::Valid || reader.header().key != log_key());
        }
    }

    #[test]
    fn arbitrary_text_is_no_history(text in "\\PC{0,200}", lines in prop::collection::vec("[a-z0-9 +=]{0,40}", 0..12)) {
        let _ = Reader::new(text.as_bytes()).and_then(|reader| check(reader, &log_key(), &[]));
        let lines = format!("{FORMAT}\nkey {}\n{}", log_key(), lines.join("\n"));
        let _ = Reader::new(lines.as_bytes()).and_then(|reader| check(reader, &log_key(), &[]));
    }
}
