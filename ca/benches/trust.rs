//! What it costs to judge a certificate, beside OpenSSL, and to make revocation lists. `cargo bench -p ca`
#![expect(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::{
    hint::black_box,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use ca::{
    Authority, Certificate, Issuer, Name, Order, Profile, Serial,
    chain::{self, Anchors, Purpose},
    crl::{Changes, Crl, Edition, Reason, Revocation, Scope},
    pem,
};
use criterion::{Criterion, criterion_group, criterion_main};
use hsm::sm2::SecretKey;
use time::{OffsetDateTime, macros::datetime};

const ISSUED: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);
const NOW: OffsetDateTime = datetime!(2026-11-24 08:00 UTC);

/// A root, the authority for people below it, and a doctor.
struct County {
    root: Certificate,
    people: Issuer,
    people_key: SecretKey,
    doctor: Certificate,
    /// The lists of both authorities.
    lists: [Crl; 2],
}

impl County {
    fn found() -> Self {
        let [root_key, people_key, doctor_key] = [(); 3].map(|()| SecretKey::generate());
        let order = |profile, subject, key: &SecretKey| Order {
            profile,
            subject,
            public_key: key.public().clone(),
            days: None,
            identifiers: Vec::new(),
        };
        let authority = |name| Name::of_authority("Test health region", name).unwrap();
        let root = order(Profile::Root, authority("root"), &root_key);
        let root = Issuer::draft_root(root, serial(1), ISSUED).unwrap().sign(&root_key).unwrap();
        let root = Issuer::new(root, Authority::Root).unwrap();
        let people = order(Profile::IssuingAuthority, authority("people"), &people_key);
        let people = root.draft(people, serial(2), ISSUED).unwrap().sign(&root_key).unwrap();
        let people = Issuer::new(people, Authority::People).unwrap();
        let doctor =
            Name::of_identity("县人民医院", "doctor", "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21");
        let doctor = order(Profile::Person, doctor.unwrap(), &doctor_key);
        let doctor = people.draft(doctor, serial(3), ISSUED).unwrap().sign(&people_key).unwrap();
        let list = |issuer: &Issuer, key: &SecretKey| {
            issuer
                .draft_crl(edition(), &Scope::All, None, &revocations(100))
                .unwrap()
                .sign(key)
                .unwrap()
        };
        let lists = [list(&root, &root_key), list(&people, &people_key)];
        Self { root: root.certificate().clone(), people, people_key, doctor, lists }
    }

    /// What OpenSSL reads.
    fn write(&self, directory: &Path) {
        let people = self.people.certificate();
        for (name, it) in [("people", people), ("doctor", &self.doctor)] {
            let path = directory.join(name).with_extension("pem");
            std::fs::write(path, pem::encode("CERTIFICATE", it.der())).unwrap();
        }
    }
}

fn serial(number: u32) -> Serial {
    let mut octets = [0x5a; 16];
    octets[12..].copy_from_slice(&number.to_be_bytes());
    Serial::from_random(octets)
}

fn edition() -> Edition {
    Edition { number: 7, this_update: ISSUED, next_update: ISSUED + time::Duration::days(7) }
}

/// Of certificates that are not the doctor's.
fn revocations(count: u32) -> Vec<Revocation> {
    let revoked = |number| Revocation {
        serial: serial(number + 1000),
        at: ISSUED,
        reason: Reason::CessationOfOperation,
    };
    (0..count).map(revoked).collect()
}

/// One process of OpenSSL that verifies the doctor's certificate so many times. Version 3.0 takes the
/// identifier of the signer for the last certificate alone, so that the authority is trusted here and
/// there are no lists.
fn openssl(directory: &Path, times: u64) -> Duration {
    let mut command = Command::new("openssl");
    command.current_dir(directory).args(["verify", "-vfyopt", "distid:1234567812345678"]);
    command.args(["-attime", &NOW.unix_timestamp().to_string()]);
    command.args(["-partial_chain", "-CAfile", "people.pem"]);
    command.args(std::iter::repeat_n("doctor.pem", usize::try_from(times).unwrap()));
    let began = Instant::now();
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    began.elapsed()
}

fn chains(c: &mut Criterion) {
    let county = County::found();
    let directory = tempfile::tempdir().unwrap();
    county.write(directory.path());
    let mut anchors = Anchors::new(county.root.clone()).unwrap();
    anchors.add_issuer(county.people.certificate().clone()).unwrap();
    county.lists.iter().for_each(|list| anchors.add_crl(list.clone()).unwrap());

    // Root, issuing authority, doctor, and the lists of both: five signatures, of which one is left
    // to verify where the others were before. OpenSSL verifies one.
    let mut group = c.benchmark_group("chain of three");
    group.bench_function("authorities and lists kept", |b| {
        b.iter(|| {
            let doctor = Certificate::parse(black_box(county.doctor.der())).unwrap();
            anchors.verify(&doctor, Purpose::Login, NOW).unwrap()
        });
    });
    let people = [county.people.certificate().clone()];
    group.bench_function("everything verified", |b| {
        b.iter(|| {
            let doctor = Certificate::parse(black_box(county.doctor.der())).unwrap();
            let lists = &county.lists;
            chain::verify(&doctor, &people, &county.root, lists, Purpose::Login, NOW).unwrap()
        });
    });
    let start: Duration = (0..5).map(|_| openssl(directory.path(), 1)).min().unwrap();
    group.bench_function("OpenSSL, the last certificate", |b| {
        // The start of the process, and the reading of the authority, are not counted.
        b.iter_custom(|times| openssl(directory.path(), times + 1).saturating_sub(start));
    });
    group.finish();
}

fn lists(c: &mut Criterion) {
    let county = County::found();
    let mut group = c.benchmark_group("revocation list");
    for count in [1_000, 100_000] {
        let revoked = revocations(count);
        let make = || {
            let draft = county.people.draft_crl(edition(), &Scope::All, None, &revoked).unwrap();
            draft.sign(&county.people_key).unwrap()
        };
        group.bench_function(format!("make, {count}"), |b| b.iter(make));
        let list = make();
        group.bench_function(format!("read and verify, {count}"), |b| {
            b.iter(|| {
                let list = Crl::parse(black_box(list.der())).unwrap();
                list.verify(county.people.certificate()).unwrap();
            });
        });
    }
    // What has changed since the last list that somebody may still hold.
    let changes = Changes { revoked: revocations(1_000), released: Vec::new() };
    group.bench_function("make what has changed, 1000", |b| {
        b.iter(|| {
            let draft = county.people.draft_delta_crl(edition(), &Scope::All, 6, &changes).unwrap();
            draft.sign(&county.people_key).unwrap()
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(3))
        .sample_size(20);
    targets = chains, lists
}
criterion_main!(benches);
