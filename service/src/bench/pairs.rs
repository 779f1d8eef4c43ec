//! How many certificate pairs a second, from request to answer, recorded and audited.

use std::{path::Path, sync::Arc, time::Duration};

use hsm::sm2::SecretKey;
use proto::v1::{self, identities_client::IdentitiesClient};
use serde_json::{Value, json};
use tonic::{Request, metadata::MetadataValue};

use super::{
    BenchError,
    ground::Ground,
    measure::{Measured, milliseconds, rate, ratio},
    tokens::{CALLERS, CONNECTIONS, connections, cores, sm2_alone},
};

pub(super) async fn ask(
    directory: &Path,
    seconds: u64,
) -> Result<Vec<(String, Value)>, BenchError> {
    let time = Duration::from_secs(seconds);
    let ground = Ground::make(directory).await?;
    let sm2 = sm2_alone(time)?;
    let channels = connections(&ground).await?;
    let bearer = Arc::new(ground.log_in(&channels[0], &ground.operator).await?);
    let identity = ground.doctor_id.to_string();
    let callers = (0..CALLERS).map(|caller| {
        let client = IdentitiesClient::new(channels[caller % CONNECTIONS].clone());
        let (bearer, identity) = (Arc::clone(&bearer), identity.clone());
        move || enroll(client.clone(), Arc::clone(&bearer), identity.clone())
    });
    let before = ground.store().stats();
    let pairs = Measured::during(time, callers.collect()).await?;
    let after = ground.store().stats();
    let held = ground.store().key_counts().await?;
    ground.end().await?;
    if held.in_use != pairs.count() as u64 {
        return Err("another number of encryption keys in use than of pairs".into());
    }

    let commits = (after.commits - before.commits) as f64;
    Ok(vec![
        ("pairs/s from key and request to answer, 64 callers".into(), rate(pairs.per_second())),
        ("  p50, ms".into(), milliseconds(pairs.percentile(50))),
        ("  p99, ms".into(), milliseconds(pairs.percentile(99))),
        ("  commits to disk for each pair".into(), ratio(commits, pairs.count() as f64)),
        ("SM2 signatures/s, all cores".into(), rate(sm2)),
        ("cores; the callers run on the same ones".into(), json!(cores())),
    ])
}

/// What a holder does, and the service with it: a key, a request for it, and the answer.
async fn enroll(
    mut client: IdentitiesClient<tonic::transport::Channel>,
    bearer: Arc<MetadataValue<tonic::metadata::Ascii>>,
    identity_id: String,
) -> Result<(), BenchError> {
    let key = SecretKey::generate();
    let request = ca::request::request(&ca::Name::of_authority("bench", "holder")?, &key)?;
    let mut request = Request::new(v1::EnrollRequest { identity_id, request, valid_days: 0 });
    request.metadata_mut().insert("authorization", (*bearer).clone());
    let answer = client.enroll_pair(request).await?.into_inner();
    if answer.answer.is_empty() { Err("an answer without content".into()) } else { Ok(()) }
}
