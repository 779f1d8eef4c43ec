//! How long a call waits for the disk. Behind a flush that does not come back nobody waits for ever: the call is left
//! to itself, so that what follows its commit still follows, and its caller hears that the outcome is not known.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::time::timeout;
use tonic::Status;

use crate::{
    catalogue::Reason,
    registrar::{Error, Registrar},
};

/// Of a call over gRPC.
pub(super) async fn of_grpc(
    State(registrar): State<Arc<Registrar>>,
    request: Request,
    next: Next,
) -> Response {
    answer(&registrar, next.run(request)).await.unwrap_or_else(|| unknown().into_http())
}

/// Of a request of another protocol.
pub(super) async fn of_http(
    State(registrar): State<Arc<Registrar>>,
    request: Request,
    next: Next,
) -> Response {
    let answered = answer(&registrar, next.run(request)).await;
    answered.unwrap_or_else(|| StatusCode::GATEWAY_TIMEOUT.into_response())
}

/// What is said to whoever does not wait any more.
pub(super) fn unknown() -> Status {
    Error::from(Reason::OUTCOME_UNKNOWN).into()
}

/// The answer of a call; none once it has taken longer than anybody waits, and the disk is what it takes. Work that
/// only computes takes its time. A fact that waits for the disk is taken back before, so that its caller hears that
/// nothing was done.
pub(super) async fn answer<T: Send + 'static>(
    registrar: &Registrar,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let store = registrar.store();
    let patience = store.limits().patience;
    let mut work = Box::pin(work);
    let mut wait = patience + patience / 2;
    loop {
        match timeout(wait, &mut work).await {
            Ok(answer) => return Some(answer),
            Err(_) if store.pace().stuck => break,
            Err(_) => wait = patience / 4,
        }
    }
    tokio::spawn(work);
    None
}
