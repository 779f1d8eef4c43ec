//! How long it takes to put the clinicians of a hospital on record and certify them (批量入职): registered, entered by one
//! operator and reviewed by another, each call over gRPC, recorded and audited.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hsm::sm2::SecretKey;
use proto::v1::{self, enrolments_client::EnrolmentsClient, identities_client::IdentitiesClient};
use serde_json::{Value, json};
use tonic::{Request, transport::Channel};

use super::{
    BenchError,
    ground::Ground,
    measure::{Measured, milliseconds, rate, ratio},
    tokens::{CALLERS, CONNECTIONS, connections, cores},
    two_persons::{Operators, Wanted, identifiers_of},
};
use crate::vocabulary::{CertificateSet, Role};

/// A large hospital.
const LARGE: f64 = 10_000.0;

pub(super) async fn ask(directory: &Path, people: u32) -> Result<Vec<(String, Value)>, BenchError> {
    let ground = Ground::make(directory).await?;
    let channels = connections(&ground).await?;
    let bearers = [
        ground.log_in(&channels[0], &ground.operator).await?,
        ground.log_in(&channels[0], &ground.reviewer).await?,
    ];
    // Their keys are the clinicians' own affair: made before it is measured.
    let name = ca::Name::of_authority("bench", "holder")?;
    let requests = (0..people).map(|_| ca::request::request(&name, &SecretKey::generate()));
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(requests.collect::<Result<_, _>>()?);
    let before = ground.store().stats();
    let (ground, next) = (Arc::new(ground), Arc::new(AtomicUsize::new(0)));
    let callers = (0..CALLERS).map(|caller| {
        let channel = channels[caller % CONNECTIONS].clone();
        let identities = IdentitiesClient::new(channel.clone());
        let (ground, bearers) = (Arc::clone(&ground), bearers.clone());
        let client = EnrolmentsClient::new(channel);
        let operators = Operators { client, bearers, ground };
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        move || {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let request = requests.get(at).cloned().ok_or("more people than there are");
            engage(identities.clone(), operators.clone(), at, request)
        }
    });
    let engaged = Measured::times(people.into(), callers.collect()).await?;
    let after = ground.store().stats();
    Arc::into_inner(ground).ok_or("a caller is left")?.end().await?;

    let commits = (after.commits - before.commits) as f64;
    let seconds = f64::from(people) / engaged.per_second();
    Ok(vec![
        (
            "clinicians/s registered, entered and reviewed, 64 in flight".into(),
            rate(engaged.per_second()),
        ),
        ("  p50, ms".into(), milliseconds(engaged.percentile(50))),
        ("  p99, ms".into(), milliseconds(engaged.percentile(99))),
        ("  commits to disk for each clinician".into(), ratio(commits, f64::from(people))),
        ("clinicians that it was measured with".into(), json!(people)),
        ("  seconds for all of them".into(), ratio(seconds, 1.0)),
        ("seconds for 10,000 at this rate".into(), rate(LARGE / engaged.per_second())),
        ("cores; the callers run on the same ones".into(), json!(cores())),
    ])
}

/// What two operators do for one clinician.
async fn engage(
    mut identities: IdentitiesClient<Channel>,
    mut operators: Operators,
    at: usize,
    request: Result<Vec<u8>, &'static str>,
) -> Result<(), BenchError> {
    let ground = Arc::clone(&operators.ground);
    let mut order = Request::new(v1::RegisterIdentityRequest {
        institution_id: ground.hospital.to_string(),
        role: v1::Role::Nurse.into(),
        name: "测试".to_owned(),
        number: format!("B{at}"),
        department: "内科".to_owned(),
        ..v1::RegisterIdentityRequest::default()
    });
    order.metadata_mut().insert("authorization", operators.bearers[0].clone());
    let identity = identities.register(order).await?.into_inner().identity_id;
    let identifiers = identifiers_of(&ground.registrar, identity.parse()?).await?;
    let wanted = Wanted {
        service: ground.registrar.name(),
        identity,
        institution: ground.hospital.to_string(),
        role: Role::Nurse,
        certificates: CertificateSet::Signing,
        request: request?,
        identifiers,
    };
    let issued = operators.issue(wanted).await?;
    if issued.certificate.is_empty() { Err("an answer without content".into()) } else { Ok(()) }
}
