//! gRPC by hand, for calls that the command line would never make.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use hsm::Sm2Signer;
use hsm::sm2::SecretKey;
use hyper_util::rt::TokioIo;
use proto::v1::sessions_client::SessionsClient;
use proto::v1::{ChallengeRequest, ChallengeResponse, OpenSessionRequest};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use service::demo::stage::Stage;
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

/// A channel that carries somebody's session.
pub type Caller = InterceptedService<Channel, Bearer>;

/// Connects to the service of a stage, over TLS 1.3.
///
/// # Panics
/// When it cannot be reached.
pub async fn connect(stage: &Stage) -> Channel {
    connect_from(stage, Ipv4Addr::LOCALHOST).await
}

/// The same, from another address of this machine.
///
/// # Panics
/// When it cannot be reached.
pub async fn connect_from(stage: &Stage, own: Ipv4Addr) -> Channel {
    let authority = CertificateDer::from_pem_file(stage.tls_authority()).expect("ca.pem");
    let mut roots = RootCertStore::empty();
    roots.add(authority).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let address = stage.url().replacen("https://", "", 1).parse().expect("an address");
    let dial = tower::service_fn(move |_| {
        let (connector, address): (_, SocketAddr) = (connector.clone(), address);
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind((own, 0).into())?;
            let tcp = socket.connect(address).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::try_from("localhost").expect("a name");
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, tcp).await?))
        }
    });
    // TLS is under the connector; to tonic the connection is plain.
    Endpoint::from_shared(stage.url().replacen("https", "http", 1))
        .expect("a URL")
        .connect_with_connector(dial)
        .await
        .expect("the service answers")
}

/// Adds the session's secret to every call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<tonic::metadata::Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Certificate and key of somebody, as the command line keeps them.
pub struct Holder {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    key: Arc<dyn Sm2Signer>,
}

impl Holder {
    /// Any certificate with any key.
    #[must_use]
    pub fn new(certificate: Vec<u8>, key: Arc<dyn Sm2Signer>) -> Self {
        Self { certificate, key }
    }

    /// Reads them from an identity's directory.
    ///
    /// # Panics
    /// When they are not there.
    #[must_use]
    pub fn read(directory: &Path) -> Self {
        let certificate = std::fs::read(directory.join("certificate.der")).expect("certificate");
        let key = std::fs::read_to_string(directory.join("key.pem")).expect("key");
        let key = SecretKey::from_pkcs8_pem(&key).expect("an SM2 key");
        Self { certificate, key: Arc::new(key) }
    }

    /// The key, as a keystore lends it.
    #[must_use]
    pub fn key(&self) -> Arc<dyn Sm2Signer> {
        Arc::clone(&self.key)
    }

    /// An answer to a challenge.
    ///
    /// # Panics
    /// Never: the key is in memory.
    #[must_use]
    pub fn answer(&self, challenge: &ChallengeResponse) -> OpenSessionRequest {
        let mut message =
            format!("healthcard.v1.Sessions/Open\n{}\n", challenge.service).into_bytes();
        message.extend(&challenge.challenge);
        OpenSessionRequest {
            challenge: challenge.challenge.clone(),
            certificate: self.certificate.clone(),
            signature: self.sign(&message),
            lease_seconds: 0,
        }
    }

    /// r ‖ s over a message, with the default identifier.
    ///
    /// # Panics
    /// Never: the key is in memory.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let e = self.key.digest(message);
        self.key.sign(&e).expect("a key in memory signs").as_raw().to_vec()
    }
}

/// Logs somebody in.
///
/// # Panics
/// When they are not let in.
pub async fn log_in(stage: &Stage, who: &str) -> Caller {
    log_in_from(stage, who, Ipv4Addr::LOCALHOST).await
}

/// The same, from another address of this machine.
///
/// # Panics
/// When they are not let in.
pub async fn log_in_from(stage: &Stage, who: &str, own: Ipv4Addr) -> Caller {
    let channel = connect_from(stage, own).await;
    let holder = Holder::read(&stage.identity(who));
    let token = open_session(&channel, &holder).await.expect("a session");
    bearing(channel, &token)
}

/// Tries to log somebody in; the session's secret.
///
/// # Errors
/// What the service says.
pub async fn open_session(channel: &Channel, holder: &Holder) -> Result<String, Status> {
    let mut sessions = SessionsClient::new(channel.clone());
    let certificate = holder.certificate.clone();
    let challenge = sessions.challenge(ChallengeRequest { certificate }).await?.into_inner();
    Ok(sessions.open(holder.answer(&challenge)).await?.into_inner().token)
}

/// A channel that carries this session.
///
/// # Panics
/// When the secret is not ASCII.
#[must_use]
pub fn bearing(channel: Channel, token: &str) -> Caller {
    let value = format!("Bearer {token}").parse().expect("the session's secret is ASCII");
    InterceptedService::new(channel, Bearer(value))
}

/// The stable reason of a refusal.
///
/// # Panics
/// When it has none.
#[must_use]
#[track_caller]
pub fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no reason in {status}"));
    assert_eq!(info.domain, "healthcard.v1");
    info.reason
}

/// What came over HTTP.
pub struct Fetched {
    /// Status code.
    pub status: u16,
    headers: tonic::codegen::http::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Fetched {
    /// A header's text; empty when it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// `GET` of a path, over the same connection as gRPC.
///
/// # Panics
/// When there is no answer.
pub async fn fetch(mut channel: Channel, path: &str, headers: &[(&str, &str)]) -> Fetched {
    use tonic::codegen::{Body as _, Service as _, http};
    let mut request = http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(tonic::body::Body::empty()).expect("a request");
    std::future::poll_fn(|context| channel.poll_ready(context)).await.expect("a connection");
    let (parts, body) = channel.call(request).await.expect("an answer").into_parts();
    let (mut body, mut bytes) = (Box::pin(body), Vec::new());
    while let Some(frame) = std::future::poll_fn(|it| body.as_mut().poll_frame(it)).await {
        if let Ok(data) = frame.expect("a frame").into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Fetched { status: parts.status.as_u16(), headers: parts.headers, body: bytes }
}
