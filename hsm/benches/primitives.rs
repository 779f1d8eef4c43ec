//! What one operation costs. `cargo bench -p hsm`
#![expect(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hsm::sm2::{Ciphertext, PublicKey, SecretKey, Signature};
use hsm::sm4::Sm4Key;
use hsm::{Sm2Decrypter, Sm2Signer, kdf, sm3};
use std::hint::black_box;

fn sm2(c: &mut Criterion) {
    let key = SecretKey::generate();
    let e = key.digest(b"a record");
    let signature = key.sign(&e).unwrap();
    let der = signature.to_der();
    let ciphertext = Ciphertext::from_der(&key.public().encrypt(&[7; 16]).unwrap()).unwrap();
    let spki = key.public().to_spki_der();

    let mut group = c.benchmark_group("sm2");
    group.bench_function("sign", |b| b.iter(|| key.sign(black_box(&e))));
    group.bench_function("verify", |b| b.iter(|| key.public().verify(black_box(&e), &signature)));
    let prepared = key.public().prepare();
    group.bench_function("verify prepared", |b| {
        b.iter(|| prepared.verify(black_box(&e), &signature));
    });
    group.bench_function("prepare", |b| b.iter(|| key.public().prepare()));
    group.bench_function("generate", |b| b.iter(SecretKey::generate));
    group.bench_function("encrypt 16", |b| b.iter(|| key.public().encrypt(black_box(&[7; 16]))));
    group.bench_function("decrypt 16", |b| b.iter(|| key.decrypt(black_box(&ciphertext))));
    group.bench_function("read spki", |b| b.iter(|| PublicKey::from_spki_der(black_box(&spki))));
    group.bench_function("read signature", |b| b.iter(|| Signature::from_der(black_box(&der))));
    group.bench_function("digest 64", |b| b.iter(|| key.digest(black_box(&[7; 64]))));
    group.finish();
}

fn symmetric(c: &mut Criterion) {
    let key = Sm4Key::generate();
    for length in [64, 1024, 65_536] {
        let data = vec![7; length];
        let sealed = key.seal(b"place", &data);
        let mut group = c.benchmark_group(format!("{length} octets"));
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function("sm3", |b| b.iter(|| sm3::digest(black_box(&data))));
        group.bench_function("seal", |b| b.iter(|| key.seal(b"place", black_box(&data))));
        group.bench_function("open", |b| b.iter(|| key.open(b"place", black_box(&sealed))));
        group.finish();
    }
    c.bench_function("hmac 32", |b| b.iter(|| sm3::hmac(&[1; 32], &[black_box(&[7; 32])])));
    c.bench_function("derive 2", |b| {
        b.iter_batched(|| [[1; 16]; 2], |blocks| key.derive(&blocks), BatchSize::SmallInput);
    });
    c.bench_function("pbkdf2 10000", |b| {
        let iterations = 10_000.try_into().unwrap();
        b.iter(|| kdf::pbkdf2::<32>(black_box(b"passphrase"), b"salt", iterations));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = sm2, symmetric
}
criterion_main!(benches);
