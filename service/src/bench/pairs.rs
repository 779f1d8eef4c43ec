//! How many certificate pairs a second, from request to answer, entered by one and reviewed by another, recorded
//! and audited.

use std::{path::Path, sync::Arc, time::Duration};

use hsm::sm2::SecretKey;
use proto::v1::enrolments_client::EnrolmentsClient;
use serde_json::{Value, json};

use super::{
    BenchError,
    ground::Ground,
    measure::{Measured, milliseconds, rate, ratio},
    tokens::{CALLERS, CONNECTIONS, connections, cores, sm2_alone},
    two_persons::{Operators, Wanted, identifiers_of},
};
use crate::vocabulary::{CertificateSet, Role};

pub(super) async fn ask(
    directory: &Path,
    seconds: u64,
) -> Result<Vec<(String, Value)>, BenchError> {
    let time = Duration::from_secs(seconds);
    let ground = Ground::make(directory).await?;
    let sm2 = sm2_alone(time)?;
    let channels = connections(&ground).await?;
    let bearers = [
        ground.log_in(&channels[0], &ground.operator).await?,
        ground.log_in(&channels[0], &ground.reviewer).await?,
    ];
    let before = ground.store().stats();
    let ground = Arc::new(ground);
    let callers = (0..CALLERS).map(|caller| {
        let client = EnrolmentsClient::new(channels[caller % CONNECTIONS].clone());
        let (ground, bearers) = (Arc::clone(&ground), bearers.clone());
        let operators = Operators { client, bearers, ground };
        move || enrol(operators.clone())
    });
    let pairs = Measured::during(time, callers.collect()).await?;
    let after = ground.store().stats();
    let held = ground.store().key_counts().await?;
    Arc::into_inner(ground).ok_or("a caller is left")?.end().await?;
    if held.in_use != pairs.count() as u64 {
        return Err("another number of encryption keys in use than of pairs".into());
    }

    let commits = (after.commits - before.commits) as f64;
    Ok(vec![
        (
            "pairs/s from key to answer, entered and reviewed, 64 callers".into(),
            rate(pairs.per_second()),
        ),
        ("  p50, ms".into(), milliseconds(pairs.percentile(50))),
        ("  p99, ms".into(), milliseconds(pairs.percentile(99))),
        ("  commits to disk for each pair".into(), ratio(commits, pairs.count() as f64)),
        ("SM2 signatures/s, all cores".into(), rate(sm2)),
        ("cores; the callers run on the same ones".into(), json!(cores())),
    ])
}

/// What a holder, two operators and the service do: a key, a request for it, an entry, a review, and the answer.
async fn enrol(mut operators: Operators) -> Result<(), BenchError> {
    let ground = Arc::clone(&operators.ground);
    let key = SecretKey::generate();
    let wanted = Wanted {
        service: ground.registrar.name(),
        identity: ground.doctor_id.to_string(),
        institution: ground.hospital.to_string(),
        role: Role::Doctor,
        certificates: CertificateSet::Pair,
        request: ca::request::request(&ca::Name::of_authority("bench", "holder")?, &key)?,
        identifiers: identifiers_of(&ground.registrar, ground.doctor_id).await?,
    };
    let issued = operators.issue(wanted).await?;
    if issued.answer.is_empty() { Err("an answer without content".into()) } else { Ok(()) }
}
