//! The listener: TLS 1.3 in front of one router that answers gRPC, gRPC-web and plain HTTP.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Extension;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Connections that are served at once; more wait in the system's queue.
const MOST_CONNECTIONS: usize = 1024;
/// Calls that one connection may have under way.
const MOST_CALLS: u32 = 128;
/// Longest a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest the headers of a request may take, and a ping may stay unanswered.
const PATIENCE: Duration = Duration::from_secs(20);

/// How connections are protected.
pub enum Protection {
    /// TLS 1.3 with an ordinary certificate.
    Tls(Arc<ServerConfig>),
    /// None. For tests and for a proxy on the same machine.
    InsecurePlaintext,
}

/// Why the listener could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// A file of the certificate or key is missing or is not PEM.
    #[error("reading {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key are not acceptable.
    #[error("using the TLS certificate and key")]
    Tls(#[from] rustls::Error),
    /// The address cannot be listened on.
    #[error("listening on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Reads certificate chain and key for TLS 1.3.
///
/// # Errors
/// [`ListenError::File`] and [`ListenError::Tls`].
pub fn tls(certificate: &Path, key: &Path) -> Result<Protection, ListenError> {
    let file = |path: &Path, source| ListenError::File { path: path.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| file(certificate, e))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| file(key, e))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Protection::Tls(Arc::new(config)))
}

/// Takes the address.
///
/// # Errors
/// [`ListenError::Bind`].
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| ListenError::Bind { address, source })
}

/// Serves `router` until `stop` turns true, then lets calls under way finish for a while.
pub async fn serve(
    listener: TcpListener,
    protection: Protection,
    router: axum::Router,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = match protection {
        Protection::Tls(config) => Some(TlsAcceptor::from(config)),
        Protection::InsecurePlaintext => None,
    };
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or the peer left again: neither ends the service. The
                // pause keeps a lasting shortage from spinning; a stop ends it.
                tracing::warn!(%error, "accepting a connection");
                let _ = timeout(PAUSE, stop.wait_for(|stop| *stop)).await;
                continue;
            }
        };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection(stream, peer, acceptor, router, stop).await {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
    let all = u32::try_from(MOST_CONNECTIONS).unwrap_or(u32::MAX);
    if timeout(PATIENCE, places.acquire_many(all)).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: axum::Router,
    stop: watch::Receiver<bool>,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    match acceptor {
        None => http(stream, peer, router, stop).await,
        Some(acceptor) => {
            let stream = timeout(HANDSHAKE, acceptor.accept(stream))
                .await
                .map_err(|_| "the handshake took too long".to_owned())?
                .map_err(|e| format!("handshake: {e}"))?;
            http(stream, peer, router, stop).await
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: axum::Router,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_CALLS)
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE);
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(served);
    tokio::select! {
        ended = served.as_mut() => return ended.map_err(|e| e.to_string()),
        _ = stop.wait_for(|stop| *stop) => served.as_mut().graceful_shutdown(),
    }
    served.await.map_err(|e| e.to_string())
}
