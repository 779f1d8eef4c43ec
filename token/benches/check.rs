//! What checking a token offline takes, beside one SM2 verification in the same run. A check verifies two signatures: the
//! token's with a prepared key, the proof's with a key that is met once.
#![expect(missing_docs, reason = "criterion's macros write functions without them")]

use std::{
    cell::Cell,
    hint::black_box,
    time::{Duration, Instant},
};

use access_token::{
    KeySet, Verifier, jws,
    keys::thumbprint,
    proof::{self, Request},
};
use criterion::{Criterion, criterion_group, criterion_main};
use hsm::{
    Sm2Signer as _,
    sm2::{SecretKey, SignerId},
};
use serde_json::json;

const NOW: i64 = 1_795_680_000;
const REQUEST: Request<'static> =
    Request { method: "GET", uri: "https://emr.example/fhir/Patient/0195f4c0" };

fn check(criterion: &mut Criterion) {
    let (issuer, holder) = (SecretKey::generate(), SecretKey::generate());
    let token = token(&issuer, &holder);
    let keys = || -> KeySet { [issuer.public_key()].into_iter().collect() };
    let proof = |number: u64| {
        let name = format!("{number:032}");
        let input = proof::signing_input(holder.public_key(), &token, REQUEST, &name, NOW);
        let e = holder.public_key().digest(&proof::signer_id(), input.as_bytes());
        jws::signed(input, &holder.sign(&e).expect("a key in memory"))
    };

    let mut group = criterion.benchmark_group("offline");
    let key = issuer.public_key();
    let signed = token.rsplit_once('.').expect("three parts").0.as_bytes();
    let e = key.digest(&SignerId::DEFAULT, signed);
    let signature = issuer.sign(&e).expect("a key in memory");
    group.bench_function("one SM2 verification", |b| {
        b.iter(|| key.verify(black_box(&e), &signature))
    });
    let set = keys();
    group
        .bench_function("read a token", |b| b.iter(|| access_token::read(black_box(&token), &set)));
    let number = Cell::new(0);
    group.bench_function("check a token with its proof", |b| {
        let verifier =
            Verifier::new("desk.example", "emr.example", keys()).remember_proofs(usize::MAX);
        b.iter_batched(
            || {
                number.set(number.get() + 1);
                proof(number.get())
            },
            |proof| verifier.check(&token, Some(&proof), REQUEST, NOW).expect("it is good"),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();

    // The ratios, from one loop: what else the machine does then falls on all alike.
    let verifier = Verifier::new("desk.example", "emr.example", keys());
    let [mut one, mut read, mut whole] = [Duration::ZERO; 3];
    for number in 0..2000 {
        let proof = proof(number);
        one += timed(|| key.verify(&e, &signature).is_ok());
        read += timed(|| access_token::read(&token, &set).is_ok());
        whole += timed(|| verifier.check(&token, Some(&proof), REQUEST, NOW).is_ok());
    }
    let ratio = |time: Duration| time.as_secs_f64() / one.as_secs_f64();
    println!("read a token: {:.2} of one SM2 verification", ratio(read));
    println!("check a token with its proof: {:.2} of one SM2 verification", ratio(whole));
}

fn timed(work: impl FnOnce() -> bool) -> Duration {
    let start = Instant::now();
    assert!(black_box(work()));
    start.elapsed()
}

fn token(issuer: &SecretKey, holder: &SecretKey) -> String {
    let id = "0195f4c0-0000-7000-8000-000000000001";
    let claims = json!({
        "iss": "desk.example", "sub": id, "aud": "emr.example", "iat": NOW, "nbf": NOW, "exp": NOW + 900, "jti": id,
        "cnf": {"jkt#SM3": thumbprint(holder.public_key())}, "role": "doctor", "institution": id, "resident": id,
        "visit": id, "purpose": "treatment",
        "data": {"grade": 3, "classes": ["health", "care"], "domain": id}, "proofing": "certificate", "mask": "none",
        "policy": {"hash": "00".repeat(32), "rule": "doctor-treats"}, "log": id,
    });
    let input = jws::signing_input(access_token::TYPE, &thumbprint(issuer.public_key()), &claims);
    let signature = issuer.sign(&issuer.digest(input.as_bytes())).expect("a key in memory");
    jws::signed(input, &signature)
}

criterion_group!(benches, check);
criterion_main!(benches);
