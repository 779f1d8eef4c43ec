//! `/tsa`: time stamps over HTTP (RFC 3161, 3.4). Who has a session says so with `authorization: Bearer
//! <token>`; others get stamps where the settings give them to anybody, at a rate.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use ca::timestamp::Query;
use tokio::time::timeout;

use super::{rate::PeerRate, token_of};
use crate::{
    clock,
    registrar::{Caller, Error, Origin, Peer, Registrar},
};

const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";
/// Longest that a query may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// What stamps are given from.
#[derive(Clone)]
pub(super) struct Stamps {
    pub(super) registrar: Arc<Registrar>,
    pub(super) rate: Arc<PeerRate>,
}

pub(super) async fn post(
    State(Stamps { registrar, rate }): State<Stamps>,
    Extension(peer): Extension<SocketAddr>,
    national: Option<Extension<Arc<Peer>>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let origin = Origin { address: peer.ip(), peer: national.map(|Extension(peer)| peer) };
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != QUERY) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    // A token that nobody has costs a look into the database, and a stamp a flush of the disk.
    if !rate.admit(peer.ip(), clock::now()) {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().ok());
    let caller = match authorization {
        None if registrar.stamps_for_anybody() => None,
        given => match caller(&registrar, given.flatten(), origin).await {
            Ok(caller) => Some(caller),
            Err(error) => return refused(&error),
        },
    };
    let query = match timeout(ARRIVAL, to_bytes(body, Query::MAX_LEN)).await {
        Ok(Ok(query)) => query,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    match registrar.stamp_time(caller.as_ref(), peer.ip(), &query).await {
        Ok(reply) => {
            let headers = [(header::CONTENT_TYPE, REPLY), (header::CACHE_CONTROL, "no-store")];
            (headers, reply).into_response()
        }
        Err(error) => refused(&error),
    }
}

async fn caller(
    registrar: &Registrar,
    authorization: Option<&str>,
    origin: Origin,
) -> Result<Caller, Error> {
    registrar.caller(token_of(authorization)?, origin, clock::now()).await
}

/// Who may not is told by the code alone.
fn refused(error: &Error) -> Response {
    match error {
        Error::Refused(_) => {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
        }
        Error::Denied(_) => StatusCode::FORBIDDEN.into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
