//! How many answers about certificates a second, from those that are kept ready.

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    body::{self, Body},
    http::{Request, header},
};
use ca::{
    Certificate, Digest,
    ocsp::{self, CertificateId, Response},
};
use proto::v1::{AuthoritiesRequest, identities_client::IdentitiesClient};
use serde_json::{Value, json};
use tonic::transport::Channel;
use tower::{Service as _, ServiceExt as _};

use super::{
    BenchError,
    ground::Ground,
    measure::{Measured, milliseconds, rate, ratio},
    tokens::{CALLERS, CONNECTIONS, Call, SMALL, connections, cores, echo_callers},
};

pub(super) async fn ask(
    directory: &Path,
    seconds: u64,
) -> Result<Vec<(String, Value)>, BenchError> {
    let time = Duration::from_secs(seconds);
    let ground = Ground::make(directory).await?;
    let echo = echo_callers(connections(&ground).await?, SMALL);
    let echo = Measured::during(time, echo).await?;
    let status = Measured::during(time, callers(&ground).await?).await?;
    ground.end().await?;
    Ok(vec![
        ("answers/s, 64 callers".into(), rate(status.per_second())),
        ("  p50, ms".into(), milliseconds(status.percentile(50))),
        ("  p99, ms".into(), milliseconds(status.percentile(99))),
        ("bare tonic echo/s, 64 callers, same TLS".into(), rate(echo.per_second())),
        ("answers : bare echo".into(), ratio(status.per_second(), echo.per_second())),
        ("cores; the callers run on the same ones".into(), json!(cores())),
    ])
}

/// Whoever asks about the doctor's certificate, again and again: the answer is the one that is kept.
async fn callers(ground: &Ground) -> Result<Vec<Call>, BenchError> {
    let channels = connections(ground).await?;
    let doctor = Certificate::parse(&ground.doctor.certificate)?;
    let mut identities = IdentitiesClient::new(channels[0].clone());
    let known = identities.authorities(AuthoritiesRequest {}).await?.into_inner().issuers;
    let known = known.iter().map(|der| Certificate::parse(der)).collect::<Result<Vec<_>, _>>()?;
    let issuer = known.iter().find(|known| known.subject() == doctor.issuer());
    let issuer = issuer.ok_or("the doctor's certificate is nobody's")?;
    let id = CertificateId::new(Digest::Sm3, issuer, doctor.serial());
    let question = ocsp::question(&[id], None);
    let kept = Arc::new(answer(channels[0].clone(), question.clone()).await?);
    Response::parse(&kept)?;
    Ok((0..CALLERS)
        .map(|caller| -> Call {
            let channel = channels[caller % CONNECTIONS].clone();
            let (question, kept) = (question.clone(), Arc::clone(&kept));
            Box::new(move || {
                let (channel, question) = (channel.clone(), question.clone());
                let kept = Arc::clone(&kept);
                Box::pin(async move {
                    match answer(channel, question).await? == *kept {
                        true => Ok(()),
                        false => Err("the answer is not the one that was kept".into()),
                    }
                })
            })
        })
        .collect())
}

async fn answer(mut channel: Channel, question: Vec<u8>) -> Result<body::Bytes, BenchError> {
    let request = Request::post("/ocsp")
        .header(header::CONTENT_TYPE, "application/ocsp-request")
        .body(tonic::body::Body::new(Body::from(question)))?;
    let response = channel.ready().await?.call(request).await?;
    Ok(body::to_bytes(Body::new(response.into_body()), Response::MAX_LEN).await?)
}
