//! The line to the service: TCP, and TLS 1.3 in front of HTTP/2.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::{
    Address, Security,
    national::{self, Credentials},
};
use crate::{
    failure::{Failure, root_cause},
    files,
    text::{Problem, problems},
};

/// Longest wait for the line to stand.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Where the authority of the server's certificate is kept.
#[derive(Clone, Debug)]
pub(crate) struct TlsCa {
    pub(crate) named: Option<PathBuf>,
    /// Beside the identity; used when none is named.
    pub(crate) beside: PathBuf,
}

impl TlsCa {
    /// The file that there is.
    fn file(&self, otherwise: Problem) -> Result<&Path, Failure> {
        match &self.named {
            Some(named) => Ok(named),
            None if self.beside.exists() => Ok(&self.beside),
            None => Err(otherwise.into()),
        }
    }
}

/// Why the line does not stand.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("{0}")]
    Dial(#[source] io::Error),
    #[error("no connection within {} s", CONNECT_PATIENCE.as_secs())]
    TooSlow,
    #[error("{0}")]
    Handshake(#[source] io::Error),
}

trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// Connects, so that a service that is not there is noticed at once.
pub(super) async fn connect(
    address: &Address,
    tls_ca: &TlsCa,
    own: Option<&Arc<Credentials>>,
    patience: Duration,
) -> Result<Channel, Failure> {
    let tls = match address.security {
        Security::Tls => Some((tls_config(tls_ca)?, server_name(address)?)),
        Security::National => {
            let own = own.ok_or(problems::CERTIFICATE_MISSING)?;
            let root = tls_ca.file(problems::NATIONAL_ROOT_MISSING)?;
            Some((national::config(own, root)?, server_name(address)?))
        }
        Security::InsecurePlaintext => None,
    };
    // The scheme stays `http`: TLS is ours, done below the transport.
    let endpoint = Endpoint::from_shared(format!("http://{}", address.authority()))
        .map_err(|_| Failure::of(problems::SERVER_ADDRESS_MALFORMED))?
        .timeout(patience)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    let (target, security) = ((address.host.clone(), address.port), address.security);
    let dial = move |_: Uri| {
        let (target, tls) = (target.clone(), tls.clone());
        async move {
            let standing = timeout(CONNECT_PATIENCE, line(target, tls, security)).await;
            standing.unwrap_or(Err(LineError::TooSlow)).map(TokioIo::new)
        }
    };
    endpoint.connect_with_connector(service_fn(dial)).await.map_err(|error| explain(&error))
}

async fn line(
    (host, port): (String, u16),
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    security: Security,
) -> Result<Box<dyn Line>, LineError> {
    let tcp = TcpStream::connect((host, port)).await.map_err(LineError::Dial)?;
    tcp.set_nodelay(true).map_err(LineError::Dial)?;
    match tls {
        None => Ok(Box::new(tcp)),
        Some((config, name)) => {
            let stream = TlsConnector::from(config).connect(name, tcp).await;
            let mut stream = stream.map_err(LineError::Handshake)?;
            if security == Security::National {
                national::accepted(&mut stream).await.map_err(LineError::Handshake)?;
            }
            Ok(Box::new(stream))
        }
    }
}

/// TLS 1.3 only, and only under the authority that was named.
fn tls_config(tls_ca: &TlsCa) -> Result<Arc<ClientConfig>, Failure> {
    let roots = roots(tls_ca.file(problems::TLS_CA_MISSING)?, problems::TLS_CA_MALFORMED)?;
    let mut config = tls13(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// TLS 1.3 and nothing before, with whoever these vouch for.
pub(crate) fn tls13(roots: RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has suites of TLS 1.3")
        .with_root_certificates(roots)
}

pub(crate) fn roots(path: &Path, otherwise: Problem) -> Result<RootCertStore, Failure> {
    let malformed = || Failure::of(otherwise).about(path.display());
    let pem = files::read(path, 256 * 1024)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|_| malformed())?).map_err(|_| malformed())?;
    }
    if roots.is_empty() { Err(malformed()) } else { Ok(roots) }
}

fn server_name(address: &Address) -> Result<ServerName<'static>, Failure> {
    ServerName::try_from(address.host.clone())
        .map_err(|_| Failure::of(problems::SERVER_ADDRESS_MALFORMED).about(&address.host))
}

/// Tells a service that is away from one that cannot be trusted.
fn explain(error: &(dyn Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(found) = cause {
        if let Some(LineError::Handshake(below)) = found.downcast_ref() {
            let told = below.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            return Failure::of(told.map_or(problems::SERVICE_UNREACHABLE, problem)).about(below);
        }
        cause = found.source();
    }
    Failure::of(problems::SERVICE_UNREACHABLE).about(root_cause(error))
}

/// What a handshake that failed means to whoever connects. Alerts about certificates are about ours.
fn problem(told: &rustls::Error) -> Problem {
    use rustls::AlertDescription as Alert;
    match told {
        rustls::Error::InvalidCertificate(_) => problems::SERVICE_UNTRUSTED,
        rustls::Error::AlertReceived(Alert::CertificateRevoked) => problems::CERTIFICATE_REVOKED,
        rustls::Error::AlertReceived(Alert::CertificateExpired) => problems::CERTIFICATE_EXPIRED,
        rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => problems::CERTIFICATE_NOT_ACCEPTED,
        _ => problems::SERVICE_UNREACHABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn service_that_is_away_is_reported_as_such() {
        // A port that was free a moment ago and that nobody listens on.
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let address = Address::parse(&format!("http://127.0.0.1:{port}"), true).unwrap();
        let tls_ca = TlsCa { named: None, beside: PathBuf::new() };
        let failure = connect(&address, &tls_ca, None, CONNECT_PATIENCE).await.unwrap_err();
        assert_eq!(failure.reason, "SERVICE_UNREACHABLE");
        assert_eq!(failure.exit.code(), 3);
    }

    #[tokio::test]
    async fn https_needs_an_authority() {
        let dir = tempfile::tempdir().unwrap();
        let address = Address::parse("https://localhost", false).unwrap();
        let ca = dir.path().join("tls-ca.pem");
        let missing = TlsCa { named: None, beside: ca.clone() };
        let failure = connect(&address, &missing, None, CONNECT_PATIENCE).await.unwrap_err();
        assert_eq!(failure.reason, "TLS_CA_MISSING");
        std::fs::write(&ca, "no certificate").unwrap();
        let empty = TlsCa { named: Some(ca), beside: PathBuf::new() };
        let failure = connect(&address, &empty, None, CONNECT_PATIENCE).await.unwrap_err();
        assert_eq!(failure.reason, "TLS_CA_MALFORMED");
    }
}
