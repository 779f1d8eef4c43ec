//! How soon a token that was ended is refused: by introspection, and by two resource servers that check offline with
//! snapshots of their own.

use std::{path::Path, sync::Arc, time::Duration};

use access_token::{KeySet, Refusal, Verifier, proof};
use proto::v1::{self, tokens_client::TokensClient};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, interval_at},
};
use tonic::Request;

use super::{
    BenchError,
    ground::Ground,
    measure::{Measured, milliseconds, ratio},
    tokens::token_order,
};
use crate::clock;

/// Tokens that are ended.
const ROUNDS: u32 = 40;
/// Servers, each with a snapshot of its own.
const SERVERS: u32 = 2;
/// How often a server fetches another snapshot.
const FETCH: Duration = Duration::from_secs(1);
/// How often it is asked whether it takes the token.
const ASK: Duration = Duration::from_millis(1);
/// By when a token has to be refused.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) async fn ask(directory: &Path) -> Result<Vec<(String, Value)>, BenchError> {
    let ground = Ground::make(directory).await?;
    let channel = ground.connect().await?;
    let bearer = ground.log_in(&channel, &ground.doctor).await?;
    let keys = ground.registrar.token_keys();
    let mut servers = Vec::new();
    let mut fetching = JoinSet::new();
    for server in 0..SERVERS {
        let keys = KeySet::from_json(keys.as_bytes())?;
        let audience = token_order(&ground).audience;
        let verifier = Arc::new(Verifier::new(ground.registrar.name(), &audience, keys));
        servers.push(Arc::clone(&verifier));
        let registrar = Arc::clone(&ground.registrar);
        fetching.spawn(async move {
            // They did not start at the same moment.
            let mut turns = interval_at(Instant::now() + FETCH * server / SERVERS, FETCH);
            loop {
                turns.tick().await;
                if let Ok(snapshot) = registrar.token_revocations().await {
                    drop(verifier.take_snapshot(&snapshot, clock::now().unix_timestamp()));
                }
            }
        });
    }
    let (mut introspected, mut first, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let begin = Instant::now();
    // Not in step with the servers.
    let mut rounds = interval(FETCH * 15 / 7);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..ROUNDS {
        rounds.tick().await;
        let mut tokens = TokensClient::new(channel.clone());
        let mut order = Request::new(token_order(&ground));
        order.metadata_mut().insert("authorization", bearer.clone());
        let issued = tokens.issue(order).await?.into_inner();
        // With a token that is good, all that is missing is a proof.
        let takes = |server: &Verifier| {
            let asked = proof::Request { method: "GET", uri: "https://emr.example/" };
            let now = clock::now().unix_timestamp();
            server.check(&issued.token, None, asked, now) == Err(Refusal::ProofMissing)
        };
        if !servers.iter().all(|server| takes(server)) {
            return Err("a good token was refused".into());
        }
        let mut end = Request::new(v1::RevokeTokenRequest { token_id: issued.token_id.clone() });
        end.metadata_mut().insert("authorization", bearer.clone());
        tokens.revoke(end).await?;
        let ended = Instant::now();
        let mut question = Request::new(v1::IntrospectTokenRequest {
            token: issued.token.clone(),
            audience: token_order(&ground).audience,
            ..v1::IntrospectTokenRequest::default()
        });
        question.metadata_mut().insert("authorization", bearer.clone());
        if tokens.introspect(question).await?.into_inner().active {
            return Err("a token that was ended was said to be good".into());
        }
        introspected.push(ended.elapsed());
        let mut refused = 0;
        let mut asking = interval(ASK);
        while refused < servers.len() {
            let refusing = servers.iter().filter(|server| !takes(server)).count();
            if refused == 0 && refusing > 0 {
                first.push(ended.elapsed());
            }
            refused = refusing;
            asking.tick().await;
        }
        all.push(ended.elapsed());
    }
    fetching.shutdown().await;
    ground.end().await?;
    let [introspected, first, all] =
        [introspected, first, all].map(|times| Measured::of(times, begin.elapsed()));
    Ok(vec![
        (
            "from the end of a token to inactive by introspection, p99, ms".into(),
            milliseconds(introspected.percentile(99)),
        ),
        (
            "to the first of two offline servers that refuses it, p50, ms".into(),
            milliseconds(first.percentile(50)),
        ),
        ("to both of them, p50, ms".into(), milliseconds(all.percentile(50))),
        ("to both of them, p99, ms".into(), milliseconds(all.percentile(99))),
        (
            "  p99 : the five seconds that are allowed".into(),
            ratio(all.percentile(99).as_secs_f64(), LIMIT.as_secs_f64()),
        ),
        ("tokens that were ended".into(), json!(ROUNDS)),
    ])
}
