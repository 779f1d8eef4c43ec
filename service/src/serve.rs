//! The listener: TLS 1.3 in front of one router that answers gRPC, gRPC-web and plain HTTP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, middleware::from_fn_with_state};
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

mod calls;
mod shares;

use crate::national::National;
use calls::{Calls, Quiet};
pub(crate) use shares::{Share, Shares, network};

/// Connections that are served at once; more wait in the system's queue.
const MOST_CONNECTIONS: usize = 1024;
/// Connections that one peer may have: an IPv4 address or an IPv6 /64.
const MOST_OF_A_PEER: usize = 64;
/// The same for this machine, where a proxy or the hospital's own programs may run.
const MOST_OF_THIS_MACHINE: usize = 512;
/// Calls that one connection may have under way.
const MOST_CALLS: u32 = 128;
/// Longest a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest the headers of a request may take, and a ping may stay unanswered.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a connection may be quiet before it has to make room.
const QUIET: Quiet =
    Quiet { first: PATIENCE, idle: Duration::from_secs(5 * 60), farewell: Duration::from_secs(2) };
/// Octets that a peer may send ahead of their being read, by call and by connection: what a
/// connection can make this service keep for calls it has not looked at.
const CALL_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// How connections are protected.
pub enum Protection {
    /// TLS 1.3 with an ordinary certificate.
    Tls(Arc<ServerConfig>),
    /// TLS 1.3 with the national algorithms, and certificates of both ends.
    National(Arc<National>),
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
    let protection = Arc::new(protection);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let peers = Arc::new(Shares::default());
    loop {
        let accepting = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            (Ok(place), accepted) = accepting => (place, accepted),
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
        let Some(share) = peers.take(network(peer.ip()), most_of(peer.ip())) else {
            tracing::debug!(%peer, "too many connections of one peer");
            continue;
        };
        let (protection, router, stop) = (Arc::clone(&protection), router.clone(), stop.clone());
        tokio::spawn(async move {
            let _held = (place, share);
            if let Err(error) = connection(stream, peer, &protection, router, stop).await {
                tracing::debug!(error, "a connection ended");
            }
        });
    }
    // Whoever comes now is better told at once than kept in a queue that nobody serves.
    drop(listener);
    let all = u32::try_from(MOST_CONNECTIONS).unwrap_or(u32::MAX);
    if timeout(PATIENCE, places.acquire_many(all)).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

fn most_of(peer: IpAddr) -> usize {
    match peer.to_canonical().is_loopback() {
        true => MOST_OF_THIS_MACHINE,
        false => MOST_OF_A_PEER,
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    protection: &Protection,
    router: axum::Router,
    stop: watch::Receiver<bool>,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    match protection {
        Protection::InsecurePlaintext => http(stream, peer, router, stop, QUIET).await,
        Protection::Tls(config) => {
            let acceptor = TlsAcceptor::from(Arc::clone(config));
            let stream = timeout(HANDSHAKE, acceptor.accept(stream))
                .await
                .map_err(|_| "the handshake took too long".to_owned())?
                .map_err(|e| format!("handshake: {e}"))?;
            http(stream, peer, router, stop, QUIET).await
        }
        Protection::National(national) => {
            if !national.admits(peer.ip()) {
                return Err("too many handshakes of one peer".to_owned());
            }
            let (stream, router) = national.accept(stream, peer, HANDSHAKE, router).await?;
            http(stream, peer, router, stop, QUIET).await
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: axum::Router,
    mut stop: watch::Receiver<bool>,
    limits: Quiet,
) -> Result<(), String> {
    let calls = Calls::new();
    let counted = from_fn_with_state(calls.clone(), calls::counted);
    let service = TowerToHyperService::new(router.layer(Extension(peer)).layer(counted));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_CALLS)
        .initial_stream_window_size(CALL_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PATIENCE)
        .keep_alive_timeout(PATIENCE);
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(served);
    let quiet = tokio::select! {
        ended = served.as_mut() => return ended.map_err(|e| e.to_string()),
        _ = stop.wait_for(|stop| *stop) => false,
        () = calls.quiet(limits) => true,
    };
    served.as_mut().graceful_shutdown();
    let ended = match quiet {
        true => {
            timeout(limits.farewell, served).await.map_err(|_| "quiet for too long".to_owned())?
        }
        false => served.await,
    };
    ended.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_millis(1);
    /// Start of an HTTP/2 connection and empty settings (RFC 9113, 3.4).
    const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    /// What a peer hears who says this and then nothing.
    async fn heard(said: &[u8], limits: Quiet) -> Vec<u8> {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let router = axum::Router::new().route("/", axum::routing::get(|| async { "an answer" }));
        let (_stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(http(ours, peer, router, stopped, limits));
        theirs.write_all(said).await.unwrap();
        let mut heard = Vec::new();
        timeout(NEVER, theirs.read_to_end(&mut heard)).await.unwrap().unwrap();
        let _ = serving.await.unwrap();
        heard
    }

    #[tokio::test]
    async fn whoever_never_calls_has_to_make_room() {
        let limits = Quiet { first: SOON, idle: NEVER, farewell: SOON };
        for said in [&b""[..], b"P", b"PRI * HTTP/2.0", b"GET / HTTP/1.1\r\n", HELLO] {
            let heard = heard(said, limits).await;
            assert!(!heard.windows(6).any(|six| six == b"200 OK"), "{said:?}");
        }
    }

    #[tokio::test]
    async fn whoever_called_once_has_to_make_room_later() {
        let limits = Quiet { first: NEVER, idle: SOON, farewell: SOON };
        let heard = heard(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", limits).await;
        assert!(heard.starts_with(b"HTTP/1.1 200 OK\r\n") && heard.ends_with(b"an answer"));
    }
}
