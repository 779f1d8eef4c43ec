//! How fast a log is checked: entries a second, on one core.
#![expect(missing_docs, reason = "criterion's macros make an undocumented function")]

use std::{collections::BTreeMap, convert::Infallible, hint::black_box};

use audit::{
    Actor, Entry, Outcome,
    check::{Leaf, Log, Verdict, check},
    checkpoint::{Checkpoint, VerifierKey},
    table::{ANCHOR, Columns},
    tile::{TileId, WIDTH},
    tree::{Frontier, leaf_hash, leaf_hashes, subtree_hash},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sm2::dsa::{Signature, SigningKey, signature::Signer as _};

const SIZE: u64 = 20_000;
const NAME: &str = "log.example";

struct Memory {
    leaves: Vec<Leaf>,
    tiles: BTreeMap<TileId, Vec<u8>>,
    checkpoints: Vec<(u64, String)>,
}

/// One reading of a log in memory.
struct Reading<'a> {
    log: &'a Memory,
    leaves: usize,
    checkpoints: usize,
    tiles: usize,
}

impl Log for Reading<'_> {
    type Error = Infallible;

    fn next_checkpoint(&mut self) -> Result<Option<(u64, String)>, Infallible> {
        self.checkpoints += 1;
        Ok(self.log.checkpoints.get(self.checkpoints - 1).cloned())
    }

    fn next_leaf(&mut self) -> Result<Option<Leaf>, Infallible> {
        self.leaves += 1;
        Ok(self.log.leaves.get(self.leaves - 1).cloned())
    }

    fn next_tile(&mut self) -> Result<Option<(i64, i64)>, Infallible> {
        self.tiles += 1;
        let tile = self.log.tiles.keys().nth(self.tiles - 1);
        Ok(tile.map(|id| (id.level.into(), id.index.cast_signed())))
    }

    fn tile(&mut self, id: TileId) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.log.tiles.get(&id).cloned())
    }
}

/// An entry as long as that of a token.
fn entry(n: u64) -> Entry {
    let id = |kind: u64| format!("01936b1e-7c00-7000-8{kind:03x}-{n:012x}");
    let actor = Actor {
        identity: Some(id(1)),
        certificate: Some("5f0123456789abcdef".into()),
        role: Some("doctor".into()),
        institution: Some(id(2)),
        address: Some("10.0.0.7".into()),
    };
    Entry::new(id(0), "2026-11-23T08:00:00.000000Z", "token.issue", Outcome::Granted, actor)
        .about(id(3))
        .in_visit(id(4))
        .for_purpose("treatment")
        .under("9c".repeat(32), "attending")
        .on("token", id(5))
        .with("grade", "3")
}

fn log(key: &SigningKey, verifier: &VerifierKey) -> Memory {
    let mut frontier = Frontier::new();
    let mut row = Vec::new();
    let mut log = Memory { leaves: Vec::new(), tiles: BTreeMap::new(), checkpoints: Vec::new() };
    for size in 0..=SIZE {
        if let Some(position) = size.checked_sub(1) {
            let entry = entry(position);
            let columns = Some(Columns::of(&entry));
            let bytes = entry.encode().expect("a well-formed entry");
            row.push(leaf_hash(&bytes));
            frontier.push(leaf_hash(&bytes));
            log.leaves.push(Leaf { position, entry: bytes, columns });
        }
        if size % ANCHOR == 0 || size == SIZE {
            let checkpoint = Checkpoint { origin: NAME.into(), size, root: frontier.root() };
            let sign = |text: &[u8]| -> Result<[u8; 64], Infallible> {
                let signature: Signature = key.sign(text);
                Ok(signature.to_bytes().into())
            };
            let Ok(note) = checkpoint.sign(verifier, sign);
            log.checkpoints.push((size, note));
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

fn checking(c: &mut Criterion) {
    let secret = sm2::SecretKey::from_slice(&[1; 32]).expect("a secret key in range");
    let key = SigningKey::new("1234567812345678", &secret).expect("a short identifier");
    let public_key = key.verifying_key().to_sec1_bytes();
    let public_key = public_key.as_ref().try_into().expect("an uncompressed point");
    let verifier = VerifierKey::new(NAME, public_key).expect("a valid key");
    let log = log(&key, &verifier);
    let mut group = c.benchmark_group("audit");
    group.throughput(Throughput::Elements(SIZE)).sample_size(10);
    group.bench_function("check", |b| {
        b.iter(|| {
            let mut reading = Reading { log: &log, leaves: 0, checkpoints: 0, tiles: 0 };
            let Ok(report) = check(&mut reading, &verifier, &[]);
            assert_eq!(report.verdict, Verdict::Valid);
            black_box(report)
        })
    });
    let bytes = &log.leaves[0].entry;
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode", |b| b.iter(|| Entry::decode(black_box(bytes))));
    group.bench_function("leaf hash", |b| b.iter(|| leaf_hash(black_box(bytes))));
    let eight: Vec<&[u8]> = log.leaves.iter().take(8).map(|leaf| &*leaf.entry).collect();
    group.throughput(Throughput::Elements(8));
    group.bench_function("eight leaf hashes", |b| b.iter(|| leaf_hashes(black_box(&eight))));
    group.finish();
}

criterion_group!(benches, checking);
criterion_main!(benches);
