//! What a witness shows to anybody who asks over HTTP: what it signed last, and what it was shown instead.

use std::{future::IntoFuture as _, net::SocketAddr};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::Memory;
use crate::{failure::Failure, text::problems};

/// The view of a witness.
pub(crate) struct View;

impl View {
    /// Offers it at an address, until the process ends.
    pub(crate) async fn offer(memory: Memory, address: SocketAddr) -> Result<SocketAddr, Failure> {
        let unavailable =
            |error| Failure::of(problems::VIEW_UNAVAILABLE).about(address).about(error);
        let listener = TcpListener::bind(address).await.map_err(unavailable)?;
        let bound = listener.local_addr().map_err(unavailable)?;
        let router = Router::new()
            .route("/checkpoint", get(checkpoint))
            .route("/evidence", get(evidence))
            .with_state(memory);
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(bound)
    }
}

async fn checkpoint(State(memory): State<Memory>) -> Response {
    shown(memory.held().map(|held| held.map(|(_, note)| note)))
}

async fn evidence(State(memory): State<Memory>) -> Response {
    shown(memory.evidence().and_then(|files| {
        let texts: Result<Vec<_>, _> = files.iter().map(|file| memory.text(file)).collect();
        Ok(Some(texts?.join("\n")).filter(|text| !text.is_empty()))
    }))
}

fn shown(text: Result<Option<String>, Failure>) -> Response {
    match text {
        Ok(Some(text)) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
