//! Logs of any shape that nobody tampered with raise no alarm.

use super::*;
use crate::{
    bundle::{self, Header, Reader, write_end, write_entry},
    checkpoint::Checkpoint,
    entry::{MAX_DETAIL, MAX_TEXT},
    tree::{Node, left_nodes, right_nodes},
};

const LOGS: u64 = 1000;
/// Sizes near which something changes: tiles become full, checkpoints are kept.
const TURNS: [u64; 6] = [1, 256, 512, 1024, 1280, 2048];
/// The log that is the first to have a tile of level 2.
const HIGH: u64 = WIDTH * WIDTH;
/// Pieces that texts are made of.
const PIECES: [&str; 8] = ["a", "0193", "\"", "\\", "护士", "é", "\u{2028}", " {}"];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn often(&mut self) -> bool {
        self.below(3) > 0
    }

    fn text(&mut self) -> String {
        let longest = if self.below(50) == 0 { MAX_TEXT } else { 40 };
        let pieces = 1 + self.below(longest as u64);
        let mut text = String::new();
        for _ in 0..pieces {
            let piece = PIECES[self.below(PIECES.len() as u64) as usize];
            if text.len() + piece.len() <= longest {
                text.push_str(piece);
            }
        }
        text
    }

    fn some(&mut self) -> Option<String> {
        self.often().then(|| self.text())
    }

    fn size(&mut self, log: u64) -> u64 {
        match log {
            // One whose tiles have a third level: more would take too long.
            0 => HIGH + 1,
            _ if self.below(10) > 0 => self.below(80),
            _ => {
                let turn = TURNS[self.below(TURNS.len() as u64) as usize];
                (turn + self.below(5)).saturating_sub(2)
            }
        }
    }

    fn entry(&mut self, position: u64) -> Entry {
        let outcome = [Outcome::Granted, Outcome::Refused, Outcome::Failed][self.below(3) as usize];
        let actor = match self.often() {
            true => Actor {
                identity: self.some(),
                certificate: self.some(),
                role: self.some(),
                institution: self.some(),
                address: self.some(),
            },
            false => Actor::default(),
        };
        let id = format!("01936b1e-7c00-7000-8000-{position:012x}");
        // Clocks jump.
        let (day, second) = (1 + self.below(28), self.below(60));
        let at = format!("20{:02}-02-{day:02}T23:59:{second:02}.000001Z", self.below(100));
        let mut entry = Entry::new(id, at, "token.issue", outcome, actor);
        (entry.resident, entry.visit, entry.purpose) = (self.some(), self.some(), self.some());
        if self.often() {
            entry = entry.under(self.text(), self.text());
        }
        if self.often() {
            entry = entry.on(self.text(), self.text());
        }
        let details = if self.below(20) == 0 { MAX_DETAIL as u64 } else { self.below(4) };
        for n in 0..details {
            let value = self.text().chars().take(20).collect::<String>();
            entry = entry.with(format!("detail-{n}"), value);
        }
        entry
    }
}

/// A log, the root at each size, and the keys that signed it one after the other.
struct Honest {
    log: Memory,
    roots: Vec<Hash>,
    keys: Vec<u8>,
}

impl Honest {
    fn new(random: &mut Random, size: u64) -> Self {
        let mut log = Memory::new(0);
        let mut frontier = Frontier::new();
        let mut roots = vec![frontier.root()];
        let mut row = Vec::new();
        for position in 0..size {
            let entry = random.entry(position);
            let columns = Some(Columns::of(&entry));
            let bytes = entry.encode().unwrap();
            row.push(leaf_hash(&bytes));
            frontier.push(leaf_hash(&bytes));
            roots.push(frontier.root());
            log.leaves.push(Leaf { position, entry: bytes, columns });
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
        // Another key takes over now and then, and signs what is kept once more.
        let keys: Vec<u8> = (1..=1 + random.below(3) as u8).collect();
        let mut takeovers: Vec<u64> = keys[1..].iter().map(|_| random.below(size + 1)).collect();
        takeovers.sort_unstable();
        log.checkpoints.clear();
        for at in (0..=size).filter(|at| at % ANCHOR == 0 || *at == size) {
            let first = takeovers.iter().filter(|takeover| **takeover < at).count();
            let signed = keys[first..].iter().rev();
            let notes: Vec<_> = signed.map(|key| signed_by(*key, at, roots[at as usize])).collect();
            let others = notes[1..].iter().map(|note| note.rsplit_once("\n\n").unwrap().1);
            log.checkpoints.insert(at, notes[0].clone() + &others.collect::<String>());
        }
        Self { log, roots, keys }
    }

    fn size(&self) -> u64 {
        self.log.size()
    }

    /// The key in use.
    fn key(&self) -> u8 {
        self.keys[self.keys.len() - 1]
    }

    /// A checkpoint of some size up to now, as somebody may have kept it.
    fn held(&self, size: u64) -> String {
        signed_by(self.key(), size, self.roots[size as usize])
    }

    fn bundle(&self, from: u64, until: u64) -> Vec<u8> {
        let (size, key) = (self.size(), verifier(self.key()));
        let hash = |node: Node| {
            let mut frontier = Frontier::new();
            let leaves = &self.log.leaves[node.begin() as usize..node.end() as usize];
            leaves.iter().for_each(|leaf| frontier.push(leaf_hash(&leaf.entry)));
            frontier.root()
        };
        let checkpoint = self.log.checkpoints[&size].clone();
        let left = left_nodes(from).into_iter().map(hash).collect();
        let right = right_nodes(until, size).into_iter().map(hash).collect();
        let header = Header { key, from, until, size, left, right, checkpoint };
        let mut out = header.write().into_bytes();
        for leaf in &self.log.leaves[from as usize..until as usize] {
            write_entry(&mut out, leaf.position, &leaf.entry);
        }
        write_end(&mut out, until - from);
        out
    }
}

fn verifier(seed: u8) -> VerifierKey {
    testing::verifier(testing::NAME, &testing::signing_key(seed))
}

fn signed_by(seed: u8, size: u64, root: Hash) -> String {
    let checkpoint = Checkpoint { origin: testing::NAME.into(), size, root };
    testing::sign(&checkpoint, testing::NAME, &testing::signing_key(seed))
}

#[test]
fn a_thousand_honest_logs_raise_no_alarm() {
    for log in 0..LOGS {
        let mut random = Random(log);
        let size = random.size(log);
        let honest = Honest::new(&mut random, size);
        let held = [random.below(size + 1), size].map(|size| honest.held(size));
        let report = check(&mut honest.log.clone(), &verifier(honest.key()), &held).unwrap();
        assert_eq!((report.verdict, report.leaves), (Verdict::Valid, size), "log {log} of {size}");
        // Whoever has a key of before is told that it does not suffice, and nothing worse.
        let earlier = check(&mut honest.log.clone(), &verifier(1), &[]).unwrap().verdict;
        let short = |gap: &Gap| matches!(gap, Gap::Succeeded { .. });
        let told = match &earlier {
            Verdict::Valid => true,
            Verdict::Unverifiable(gaps) => honest.keys.len() > 1 && gaps.iter().all(short),
            Verdict::Tampered(_) => false,
        };
        assert!(told, "log {log} of {size}, first key: {earlier:?}");

        let ends = [random.below(size + 1), random.below(size + 1)];
        let (from, until) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let bundle = honest.bundle(from, until);
        let held = [from + random.below(until - from + 1), size].map(|size| honest.held(size));
        let reader = Reader::new(&bundle[..]).unwrap();
        let report = bundle::check(reader, &verifier(honest.key()), &held).unwrap();
        let range = format!("log {log} of {size}, {from} to {until}");
        assert_eq!((report.verdict, report.leaves), (Verdict::Valid, until - from), "{range}");
    }
}
