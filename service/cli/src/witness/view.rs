//! What a witness shows to anybody who asks over HTTP: what it signed last, and what it was shown instead.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use super::Memory;
use crate::{failure::Failure, text::problems};

/// Connections that are served at once; others wait to be accepted.
const MOST_CONNECTIONS: usize = 32;
/// Longest that a connection lasts.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted.
const RETRY: Duration = Duration::from_millis(200);

/// The view of a witness: ready texts, which nobody's asking makes anew.
pub(crate) struct View {
    shown: watch::Sender<Arc<Shown>>,
}

#[derive(Debug, Default)]
struct Shown {
    checkpoint: String,
    evidence: String,
}

impl View {
    /// Offers it at an address, until the process ends.
    pub(crate) async fn offer(address: SocketAddr) -> Result<(Self, SocketAddr), Failure> {
        let unavailable =
            |error| Failure::of(problems::VIEW_UNAVAILABLE).about(address).about(error);
        let listener = TcpListener::bind(address).await.map_err(unavailable)?;
        let bound = listener.local_addr().map_err(unavailable)?;
        let (shown, texts) = watch::channel(Arc::default());
        let router = Router::new()
            .route("/checkpoint", get(checkpoint))
            .route("/evidence", get(evidence))
            .with_state(texts);
        tokio::spawn(serve(listener, router));
        Ok((Self { shown }, bound))
    }

    /// Shows what is remembered now; what cannot be read stays as it was.
    pub(crate) fn show(&self, memory: &Memory) {
        if let Ok(held) = memory.held() {
            let checkpoint = held.map(|held| held.note).unwrap_or_default();
            let evidence = memory.evidence_text();
            self.shown.send_replace(Arc::new(Shown { checkpoint, evidence }));
        }
    }
}

async fn serve(listener: TcpListener, router: Router) {
    let seats = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(RETRY).await;
            continue;
        };
        let router = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _seat = seat;
            let connection = Builder::new(TokioExecutor::new()).http1_only();
            // Whoever is slow, or speaks something else, has had their time.
            let _ =
                timeout(PATIENCE, connection.serve_connection(TokioIo::new(stream), router)).await;
        });
    }
}

type Texts = State<watch::Receiver<Arc<Shown>>>;

async fn checkpoint(State(texts): Texts) -> Response {
    told(texts.borrow().checkpoint.clone())
}

async fn evidence(State(texts): Texts) -> Response {
    told(texts.borrow().evidence.clone())
}

fn told(text: String) -> Response {
    match text.is_empty() {
        true => StatusCode::NOT_FOUND.into_response(),
        false => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response(),
    }
}
