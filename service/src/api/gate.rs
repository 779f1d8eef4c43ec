//! The gate before all gRPC services. From the headers alone it turns away who has no session, so
//! that strangers cannot make the service read, keep or look up much.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::header::AUTHORIZATION,
    middleware::Next,
    response::Response,
};
use tokio::time::timeout;
use tonic::Status;
use zeroize::Zeroizing;

use super::{Desk, MAX_REQUEST, MAX_STRANGERS_REQUEST, origin_of, token_of};
use crate::{
    catalogue::Reason,
    clock,
    registrar::{Caller, Error, Origin},
};

/// Calls that need no session: they open one, or answer what anybody may know.
const OPEN: [&str; 8] = [
    "/healthcard.v1.Sessions/Challenge",
    "/healthcard.v1.Sessions/Open",
    "/healthcard.v1.Identities/Authorities",
    "/healthcard.v1.Tokens/Keys",
    "/healthcard.v1.Cards/StatusList",
    "/healthcard.v1.Audit/Checkpoint",
    "/healthcard.v1.Audit/Growth",
    "/healthcard.v1.Audit/Cosign",
];
/// Services that need no session.
const OPEN_SERVICES: [&str; 2] = ["/grpc.health.v1.Health/", REFLECTION];
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/";
/// The calls whose requests come one after another for as long as they last (so do those of
/// reflection); all others have one request.
const STREAMS: [&str; 2] = ["/healthcard.v1.Cards/Relay", "/healthcard.v1.Cards/Issue"];
/// Longest that a request may take to arrive.
pub(super) const ARRIVAL: Duration = Duration::from_secs(10);
/// Octets of gRPC's own before a message.
const PREFIX: usize = 5;
/// Characters of a session's token: 32 octets in base64url.
const TOKEN: usize = 43;
/// Tokens that are remembered; past that, all are forgotten.
const MOST: usize = 50_000;

/// What the gate knows.
#[derive(Clone)]
pub(super) struct Gate {
    desk: Desk,
    /// Digests of tokens that were good when last seen. Any other is one try of its address, since
    /// it may take a look into the database to find that it is nobody's.
    known: Arc<Mutex<HashSet<[u8; 32]>>>,
}

/// Lets a call through, or refuses it in the words its service would have used.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.admit(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_http(),
    }
}

impl Gate {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, known: Arc::default() }
    }

    async fn admit(&self, request: Request) -> Result<Request, Status> {
        let path = request.uri().path();
        let open = is_open(path);
        let one_message = !STREAMS.contains(&path) && !path.starts_with(REFLECTION);
        if !open {
            let (token, origin) = session_of(&request)?;
            self.caller_of(&token, origin).await?;
        }
        match one_message {
            true => received(request, if open { MAX_STRANGERS_REQUEST } else { MAX_REQUEST }).await,
            false => Ok(request),
        }
    }

    /// Who calls, by the session's token. The service asks again when the whole of a gRPC request is there.
    pub(super) async fn caller_of(&self, token: &str, origin: Origin) -> Result<Caller, Error> {
        let (digest, now) = (hsm::sm3::digest(token.as_bytes()), clock::now());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().contains(&digest) && !self.desk.logins.admit(origin.address, now) {
            return Err(Reason::RATE_LIMITED.into());
        }
        match self.desk.registrar.caller(token, origin, now).await {
            Ok(caller) => {
                let mut known = known();
                if known.len() >= MOST {
                    known.clear();
                }
                known.insert(digest);
                Ok(caller)
            }
            Err(error) => {
                known().remove(&digest);
                Err(error)
            }
        }
    }
}

/// The token that a call bears, if it has the form of one, and where the call comes from.
pub(super) fn session_of(request: &Request) -> Result<(Zeroizing<String>, Origin), Error> {
    let header = request.headers().get(AUTHORIZATION);
    let token = token_of(header.and_then(|value| value.to_str().ok()))?;
    if !has_form(token) {
        return Err(Reason::SESSION_INVALID.into());
    }
    let origin = origin_of(request.extensions())?;
    Ok((Zeroizing::new(token.to_owned()), origin))
}

fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || OPEN_SERVICES.iter().any(|service| path.starts_with(service))
}

fn has_form(token: &str) -> bool {
    token.len() == TOKEN
        && token.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

/// The request with its one message, all there.
async fn received(request: Request, most: usize) -> Result<Request, Status> {
    let (parts, body) = request.into_parts();
    let body = timeout(ARRIVAL, to_bytes(body, most + PREFIX))
        .await
        .map_err(|_| Status::deadline_exceeded("the request took too long to arrive"))?
        .map_err(|_| Status::out_of_range(format!("a request has at most {most} octets")))?;
    Ok(Request::from_parts(parts, Body::from(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_may_call() {
        let open = [
            "/healthcard.v1.Sessions/Challenge",
            "/healthcard.v1.Sessions/Open",
            "/healthcard.v1.Identities/Authorities",
            "/healthcard.v1.Tokens/Keys",
            "/healthcard.v1.Cards/StatusList",
            "/healthcard.v1.Audit/Checkpoint",
            "/healthcard.v1.Audit/Growth",
            "/healthcard.v1.Audit/Cosign",
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ];
        let closed = [
            "/healthcard.v1.Sessions/Close",
            "/healthcard.v1.Sessions/OpenX",
            "/healthcard.v1.Sessions/Open/",
            "/healthcard.v1.Sessions/open",
            "//healthcard.v1.Sessions/Open",
            "/healthcard.v1.Cards/Relay",
            "/healthcard.v1.Audit/Search",
            "/healthcard.v1.Audit/Consistency",
            "/healthcard.v1.Admin/Status",
            "/grpc.health.v1.HealthX/Check",
            "",
            "/",
        ];
        assert_eq!(open.map(is_open), [true; 11]);
        assert_eq!(closed.map(is_open), [false; 12]);
    }

    #[test]
    fn tokens_have_one_form() {
        let good = "AZaz09-_".repeat(6)[..TOKEN].to_owned();
        assert!(has_form(&good));
        let with = |last: &str| format!("{}{last}", &good[..TOKEN - last.len()]);
        for bad in ["", "x", &good[1..], &format!("{good}A"), &with("+"), &with("="), &with("é")] {
            assert!(!has_form(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_request_is_read_to_its_limit() {
        let request = |octets: usize| Request::new(Body::from(vec![7; octets]));
        let read = received(request(100 + PREFIX), 100).await.unwrap();
        assert_eq!(to_bytes(read.into_body(), usize::MAX).await.unwrap().len(), 100 + PREFIX);
        let refused = received(request(101 + PREFIX), 100).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::OutOfRange);
    }
}
