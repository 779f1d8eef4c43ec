//! Histories of residents of whom entries were removed after their term.

use super::*;
use crate::segment::{CLOSE, ENTER, Instant, REJECT, REMOVE, Removal, Segment, Step};

const REMOVED: u64 = 20;

/// An entry of when the term is over.
fn later(n: u64, action: &str) -> Entry {
    let mut entry = blank(n, action);
    entry.at = Instant::read(&entry.at).unwrap().months_later(6).unwrap().to_string();
    entry
}

/// A log whose first entries were removed, and what its history says before its entries.
fn told() -> (Told, Header) {
    let mut log = Told::of(40);
    let mut index = log.index(REMOVED);
    let root = log.frontier(0, REMOVED).root();
    let segment = Segment { first: 0, until: REMOVED, root, index_root: index.root() };
    let newest = Instant::read(&blank(0, CLOSE).at).unwrap();
    let closing = segment.in_entry(Step::Closed { newest }, blank(40, CLOSE));
    log.leaves.push(closing.encode().unwrap());
    log.leaves.push(segment.in_entry(Step::Entered, later(41, ENTER)).encode().unwrap());
    let removal = Removal { since: newest, months: 6, kept: 0, closed_at: 40, entered_at: 41 };
    let removal = segment.in_entry(Step::Removed(removal), later(42, REMOVE));
    let removal = removal.encode().unwrap();
    log.leaves.push(removal.clone());
    let mut header = log.state(ANN, 1);
    let (standing, path) = index.prove(&key(ANN)).unwrap();
    let size = log.leaves.len() as u64;
    header.before = Some(Before {
        standing,
        path,
        removal: Line { position: 42, hash: leaf_hash(&removal), entry: removal },
        proof: inclusion_proof(&mut log, 42, size).unwrap(),
    });
    (log, header)
}

#[test]
fn a_history_of_which_something_was_removed_is_checked_alone() {
    let (log, header) = told();
    let history = log.history(&header);
    assert!(history.starts_with(FORMAT_2));
    let reader = Reader::new(history.as_bytes()).unwrap();
    assert_eq!(*reader.header(), header);
    let report = check(reader, &log_key(), &[]).unwrap();
    // Entries 0, 3 … 18 are gone; 21 … 39 are there.
    assert_eq!((report.verdict, report.leaves), (Verdict::Valid, 7));
    assert_eq!(header.before.unwrap().standing.count, 7);
}

#[test]
fn nothing_passes_as_removed_that_was_not() {
    let (mut log, header) = told();
    let whole = log.history(&header);
    let with = |change: &dyn Fn(&mut Header, &mut Before)| {
        let mut header = header.clone();
        let mut before = header.before.take().unwrap();
        change(&mut header, &mut before);
        header.before = Some(before);
        header
    };
    let lines: Vec<String> = whole.lines().map(|line| format!("{line}\n")).collect();
    let first = lines.iter().position(|line| line.starts_with("21 ")).unwrap();
    let left_out = [&lines[..first], &lines[first + 1..]].concat().concat();
    let left_out = left_out.replace("end 7", "end 6");
    assert_eq!(findings(&left_out), [Finding::LeftOut { entries: 1 }]);
    // Said to have been removed with the others, the next one is missed.
    let standing = log.index(22).prove(&key(ANN)).unwrap().0;
    let hidden = with(&|_, before| before.standing = standing).write();
    let hidden = String::from_utf8(hidden).unwrap() + &lines[first + 1..].concat();
    assert_eq!(findings(&hidden.replace("end 7", "end 6")), [Finding::ProofAltered]);
    // So it is when nothing is said of what was removed.
    let unsaid = Header { before: None, ..header.clone() }.write();
    let unsaid = String::from_utf8(unsaid).unwrap() + &lines[first..].concat();
    assert_eq!(findings(&unsaid), [Finding::LeftOut { entries: 7 }]);
    // An entry of before that came back.
    let mut line = Vec::new();
    write_entry(&mut line, 18, &log.leaves[18]);
    let mut back = lines.clone();
    back.insert(first, String::from_utf8(line).unwrap());
    assert_eq!(
        findings(&back.concat().replace("end 7", "end 8")),
        [Finding::Inserted { position: 18 }]
    );
    let size = log.leaves.len() as u64;
    let closing =
        Line { position: 40, hash: leaf_hash(&log.leaves[40]), entry: log.leaves[40].clone() };
    let proof = inclusion_proof(&mut log, 40, size).unwrap();
    type Change<'a> = &'a dyn Fn(&mut Header, &mut Before);
    let cases: [(&str, Change<'_>); 7] = [
        ("another count", &|_, before| before.standing.count += 1),
        ("another chain", &|_, before| before.standing.chain[5] ^= 1),
        ("another path", &|_, before| before.path[0][0] ^= 1),
        ("another place", &|_, before| before.removal.position += 1),
        ("another proof", &|_, before| before.proof[1][0] ^= 1),
        ("no removal", &|_, before| {
            (before.removal, before.proof) = (closing.clone(), proof.clone());
        }),
        ("after what the statement counts", &|header, _| header.index.size = 19),
    ];
    for (what, change) in cases {
        let text = log.history(&with(change));
        assert!(findings(&text).contains(&Finding::ProofAltered), "{what}");
    }
}

#[test]
fn what_it_says_of_what_was_removed_is_refused_at_its_line() {
    let (log, header) = told();
    let whole = log.history(&header);
    let at = |word: &str| whole.lines().position(|line| line.starts_with(word)).unwrap() as u64 + 1;
    let before = at("before ");
    let line = |at: u64| whole.lines().nth(at as usize - 1).unwrap();
    let before_path = format!("{}\n{}\n", line(before), line(before + 1));
    let too_long = format!("{}\npath 257\n", line(before));
    #[rustfmt::skip]
    let cases = [
        ("of the version before", whole.replacen("v2", "v1", 1), before),
        ("no number", whole.replacen("before 7", "before -7", 1), before),
        ("a path too long", whole.replacen(&before_path, &too_long, 1), before + 1),
        ("no removal", whole.replacen("removal ", "removals ", 1), at("removal ")),
        ("no entry", whole.replacen("removal 42 ", "removal 42", 1), at("removal ")),
    ];
    for (why, text, line) in cases {
        let refused = Reader::new(text.as_bytes()).map(|_| ());
        assert!(matches!(refused, Err(BundleError::Line(at)) if at == line), "{why}: {refused:?}");
    }
}

/// Files for all checkers to agree on. `UPDATE_GOLDEN=1 cargo test -p audit` writes them anew.
#[test]
fn the_vectors_are_judged_so() {
    let (mut log, header) = told();
    let history = log.history(&header);
    // A segment that is closed with another index than there was, and one that is none.
    let untrue = Segment { first: 20, until: 40, root: [1; 32], index_root: [2; 32] };
    let position = log.leaves.len() as u64;
    let newest = Instant::read(&blank(0, CLOSE).at).unwrap();
    let closing = untrue.in_entry(Step::Closed { newest }, blank(position, CLOSE));
    log.leaves.push(closing.encode().unwrap());
    log.leaves.push(blank(position + 1, CLOSE).encode().unwrap());
    // One that is closed by a clock that is behind the entries, and one that does not begin where that ends.
    let index_root = log.index(position + 2).root();
    let newest = Instant::read(&later(0, CLOSE).at).unwrap();
    let right = Segment { first: 40, until: position + 2, root: [3; 32], index_root };
    for (segment, at) in [(right, position + 2), (Segment { first: 42, ..right }, position + 3)] {
        let closing = segment.in_entry(Step::Closed { newest }, blank(at, CLOSE));
        log.leaves.push(closing.encode().unwrap());
    }
    // A rejection of nothing, and one.
    log.leaves.push(blank(position + 4, REJECT).encode().unwrap());
    let rejecting =
        right.in_entry(Step::Rejected { entered_at: position + 2 }, blank(position + 5, REJECT));
    log.leaves.push(rejecting.encode().unwrap());
    let whole = String::from_utf8(log.bundle()).unwrap();
    let folder =
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/history"));
    for (name, made) in [("history-removed.txt", &history), ("log-with-segments.txt", &whole)] {
        let file = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, made).unwrap();
        }
        // Signatures are other ones each time.
        let kept = std::fs::read_to_string(&file).unwrap();
        let unsigned = |text: &str| -> String {
            text.lines().filter(|line| !line.starts_with('\u{2014}')).collect()
        };
        assert_eq!(unsigned(&kept), unsigned(made), "{name}");
    }
    let kept = std::fs::read(folder.join("history-removed.txt")).unwrap();
    let report = check(Reader::new(&kept[..]).unwrap(), &log_key(), &[]).unwrap();
    assert_eq!(report.verdict, Verdict::Valid);
    let kept = std::fs::read(folder.join("log-with-segments.txt")).unwrap();
    let reader = bundle::Reader::new(&kept[..]).unwrap();
    let Verdict::Tampered(found) = bundle::check(reader, &log_key(), &[]).unwrap().verdict else {
        panic!()
    };
    let mut found = found.listed;
    found.sort();
    let wrong = [1, 3, 4].map(|more| Finding::SegmentWrong { position: position + more });
    assert_eq!(found, [&[Finding::IndexWrong { position }][..], &wrong].concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_bit_of_it_may_change(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (log, header) = told();
        let mut text = log.history(&header).into_bytes();
        let at = at.index(text.len());
        text[at] ^= 1 << bit;
        let checked = Reader::new(&text[..]).and_then(|reader| check(reader, &log_key(), &[]));
        if let Ok(report) = checked {
            let reader = Reader::new(&text[..]).unwrap();
            prop_assert!(report.verdict != Verdict::Valid || reader.header().key != log_key());
        }
    }
}
