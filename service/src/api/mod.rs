//! One file per gRPC service: parse, call, render. The rule lives in `policy`, the work in
//! `registrar`; `status` maps errors, `convert` the words and times that many messages share.

use std::{net::SocketAddr, sync::Arc};

use axum::http::Extensions;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use crate::{
    catalogue::Reason,
    clock,
    registrar::{Caller, Error, Origin, Peer, Registrar},
};

mod admin;
mod audit;
mod card_changes;
mod card_list;
mod cards;
mod certificate_records;
mod codes;
mod consents;
mod convert;
mod desks;
mod emergencies;
mod enrolments;
mod events;
mod following;
mod gate;
mod health;
mod identities;
mod key_centre;
mod metrics;
mod oauth;
mod ocsp;
mod patience;
mod rate;
mod receipts;
mod referrals;
mod relay;
mod residents;
mod router;
mod segments;
mod sessions;
mod signing;
mod status;
mod tokens;
mod tsa;
mod visits;
mod warnings;

#[cfg(test)]
pub(crate) use metrics::calls;
pub use router::{RouterError, router};

/// What a handler answers.
type Reply<T> = Result<Response<T>, Status>;

/// Largest request that is read.
const MAX_REQUEST: usize = 256 * 1024;
/// Largest request that is read from somebody without a session.
const MAX_STRANGERS_REQUEST: usize = 16 * 1024;

/// State that all handlers share.
#[derive(Clone)]
struct Desk {
    registrar: Arc<Registrar>,
    logins: Arc<rate::PeerRate>,
    relays: Arc<relay::Relays>,
    events: Arc<events::Events>,
    warnings: Arc<following::Followers>,
    log_followers: Arc<following::Followers>,
}

impl Desk {
    /// The caller's session, from `authorization: Bearer <token>`.
    async fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let token = bearer(request.metadata())?;
        let origin = origin_of(request.extensions())?;
        Ok(self.registrar.caller(token, origin, clock::now()).await?)
    }

    /// Lets a stranger ask something that costs more than to look it up, as often as a login may be tried.
    fn admit_stranger<T>(&self, request: &Request<T>) -> Result<(), Error> {
        match self.logins.admit(peer(request)?.ip(), clock::now()) {
            true => Ok(()),
            false => Err(Reason::RATE_LIMITED.into()),
        }
    }
}

fn bearer(metadata: &MetadataMap) -> Result<&str, Error> {
    token_of(metadata.get("authorization").and_then(|value| value.to_str().ok()))
}

/// The token in the value of an `authorization` header.
fn token_of(authorization: Option<&str>) -> Result<&str, Error> {
    authorization
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(Error::Refused(Reason::SESSION_MISSING))
}

/// The address that the listener noted for this connection.
fn peer<T>(request: &Request<T>) -> Result<SocketAddr, Error> {
    peer_of(request.extensions().get())
}

/// Where a call comes from, as the listener noted it for this connection.
fn origin_of(noted: &Extensions) -> Result<Origin, Error> {
    let address = peer_of(noted.get())?.ip();
    Ok(Origin { address, peer: noted.get::<Arc<Peer>>().cloned() })
}

fn peer_of(noted: Option<&SocketAddr>) -> Result<SocketAddr, Error> {
    noted
        .copied()
        .ok_or(Error::Internal { what: "a connection without its peer's address", source: None })
}
