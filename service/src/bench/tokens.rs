//! How many tokens a second, and of what the machine could do with SM2 alone.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use hsm::{Sm2Signer as _, sm2::SecretKey};
use proto::v1::{self, tokens_client::TokensClient};
use serde_json::{Value, json};
use tonic::{Request, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_prost::ProstCodec;

use super::{
    BenchError,
    ground::Ground,
    measure::{Measured, milliseconds, rate, ratio},
};

/// Callers at once, and the connections they share.
pub(super) const CALLERS: usize = 64;
pub(super) const CONNECTIONS: usize = 4;
/// Octets of a small request.
pub(super) const SMALL: usize = 100;
/// The resource server that tokens are for.
const AUDIENCE: &str = "emr.example";

pub(super) async fn ask(
    directory: &Path,
    seconds: u64,
) -> Result<Vec<(String, Value)>, BenchError> {
    let time = Duration::from_secs(seconds);
    let ground = Ground::make(directory).await?;
    let sm2 = sm2_alone(time)?;
    let echo = echo_callers(connections(&ground).await?, SMALL);
    let echo = Measured::during(time, echo).await?;
    let alone = Measured::during(time, token_callers(&ground, 1).await?).await?;
    let before = ground.store().stats();
    let many = Measured::during(time, token_callers(&ground, CALLERS).await?).await?;
    let after = ground.store().stats();
    let (introspections, octets) = introspection_callers(&ground).await?;
    let introspected = Measured::during(time, introspections).await?;
    let large = echo_callers(connections(&ground).await?, octets);
    let large = Measured::during(time, large).await?;
    ground.end().await?;

    let commits = (after.commits - before.commits) as f64;
    let tokens = many.count() as f64;
    // One signature for the token, and its share of the checkpoint of its group.
    let limit = sm2 / (1.0 + commits / tokens);
    Ok(vec![
        ("tokens/s, 64 callers".into(), rate(many.per_second())),
        ("  p50, ms".into(), milliseconds(many.percentile(50))),
        ("  p99, ms".into(), milliseconds(many.percentile(99))),
        ("  commits to disk for each token".into(), ratio(commits, tokens)),
        ("tokens/s, 1 caller".into(), rate(alone.per_second())),
        ("  p50, ms".to_owned() + " (1 caller)", milliseconds(alone.percentile(50))),
        ("  p99, ms".to_owned() + " (1 caller)", milliseconds(alone.percentile(99))),
        ("SM2 signatures/s, all cores".into(), rate(sm2)),
        ("tokens/s that SM2 alone allows".into(), rate(limit)),
        ("tokens (64 callers) : SM2 alone".into(), ratio(many.per_second(), limit)),
        ("bare tonic echo/s, 64 callers, same TLS".into(), rate(echo.per_second())),
        ("  p50, ms (echo)".into(), milliseconds(echo.percentile(50))),
        ("tokens (64 callers) : bare echo".into(), ratio(many.per_second(), echo.per_second())),
        ("introspections/s, 64 callers".into(), rate(introspected.per_second())),
        ("  p99, ms (introspections)".into(), milliseconds(introspected.percentile(99))),
        ("bare echo/s, requests as long as these".into(), rate(large.per_second())),
        ("introspections : bare echo".into(), ratio(introspected.per_second(), large.per_second())),
        ("cores; the callers run on the same ones".into(), json!(cores())),
    ])
}

pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Signatures a second with every core at it.
pub(super) fn sm2_alone(time: Duration) -> Result<f64, BenchError> {
    let key = SecretKey::generate();
    let begin = Instant::now();
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores())
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0_u64;
                    let mut e = [7; 32];
                    while begin.elapsed() < time {
                        e[..8].copy_from_slice(&count.to_be_bytes());
                        key.sign(&e)?;
                        count += 1;
                    }
                    Ok::<_, hsm::KeyError>(count)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a signing thread ended early"))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let total = counts.into_iter().sum::<Result<u64, _>>()?;
    Ok(total as f64 / begin.elapsed().as_secs_f64())
}

pub(super) type Call = Box<
    dyn FnMut() -> std::pin::Pin<Box<dyn Future<Output = Result<(), BenchError>> + Send>> + Send,
>;

pub(super) async fn connections(ground: &Ground) -> Result<Vec<Channel>, BenchError> {
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(ground.connect().await?);
    }
    Ok(channels)
}

async fn token_callers(ground: &Ground, callers: usize) -> Result<Vec<Call>, BenchError> {
    let channels = connections(ground).await?;
    let bearer = Arc::new(ground.log_in(&channels[0], &ground.doctor).await?);
    let order = token_order(ground);
    Ok((0..callers)
        .map(|caller| -> Call {
            let tokens = TokensClient::new(channels[caller % CONNECTIONS].clone());
            let (bearer, order) = (Arc::clone(&bearer), order.clone());
            Box::new(move || {
                let (mut tokens, mut request) = (tokens.clone(), Request::new(order.clone()));
                request.metadata_mut().insert("authorization", (*bearer).clone());
                Box::pin(async move {
                    tokens.issue(request).await?;
                    Ok(())
                })
            })
        })
        .collect())
}

/// A token for the doctor's open visit.
pub(super) fn token_order(ground: &Ground) -> v1::IssueTokenRequest {
    v1::IssueTokenRequest {
        visit_id: ground.visit.to_string(),
        purpose: v1::Purpose::Treatment.into(),
        grade: 3,
        classes: vec![v1::DataClass::Health.into(), v1::DataClass::Care.into()],
        audience: AUDIENCE.to_owned(),
        lifetime_seconds: 0,
        ..v1::IssueTokenRequest::default()
    }
}

/// Callers who ask whether one token is good, and the octets of what they ask with.
async fn introspection_callers(ground: &Ground) -> Result<(Vec<Call>, usize), BenchError> {
    let channels = connections(ground).await?;
    let bearer = Arc::new(ground.log_in(&channels[0], &ground.doctor).await?);
    let mut request = Request::new(token_order(ground));
    request.metadata_mut().insert("authorization", (*bearer).clone());
    let issued = TokensClient::new(channels[0].clone()).issue(request).await?.into_inner();
    let octets = issued.token.len() + AUDIENCE.len();
    let question = v1::IntrospectTokenRequest {
        token: issued.token,
        audience: AUDIENCE.to_owned(),
        ..v1::IntrospectTokenRequest::default()
    };
    let caller = |caller: usize| -> Call {
        let tokens = TokensClient::new(channels[caller % CONNECTIONS].clone());
        let (bearer, question) = (Arc::clone(&bearer), question.clone());
        Box::new(move || {
            let (mut tokens, mut request) = (tokens.clone(), Request::new(question.clone()));
            request.metadata_mut().insert("authorization", (*bearer).clone());
            Box::pin(async move {
                match tokens.introspect(request).await?.into_inner().active {
                    true => Ok(()),
                    false => Err("a good token was said to be none".into()),
                }
            })
        })
    };
    Ok(((0..CALLERS).map(caller).collect(), octets))
}

/// Callers of the bare echo, with requests of so many octets.
pub(super) fn echo_callers(channels: Vec<Channel>, octets: usize) -> Vec<Call> {
    (0..CALLERS)
        .map(|caller| -> Call {
            let client = tonic::client::Grpc::new(channels[caller % CONNECTIONS].clone());
            Box::new(move || {
                let mut client = client.clone();
                Box::pin(async move {
                    client.ready().await?;
                    let codec = ProstCodec::<Vec<u8>, Vec<u8>>::default();
                    let path = PathAndQuery::from_static(super::echo::PATH);
                    client.unary(Request::new(vec![b'a'; octets]), path, codec).await?;
                    Ok(())
                })
            })
        })
        .collect()
}
