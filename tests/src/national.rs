//! The national listener of a hospital, and who connects to it by hand.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use national_tls::certified;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedCipherSuite};
use service::demo::programs::{Finished, Program};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::grpc::Holder;
use crate::hospital::Hospital;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the service again with a national listener; its address.
///
/// # Panics
/// When it does not start.
pub fn open(hospital: &mut Hospital) -> String {
    hospital.reconfigure(|text| format!("{text}\n[national]\nlisten = \"127.0.0.1:0\"\n"));
    address(hospital)
}

/// Where a service listens that was started a moment ago.
///
/// # Panics
/// When it does not say so.
pub fn address(hospital: &mut Hospital) -> String {
    let server = hospital.stage.server().expect("it runs");
    let told = server.wait_for("where it listens nationally", PATIENCE, |line| {
        line.strip_prefix("national listener on ").map(str::to_owned)
    });
    told.expect("a national listener")
}

/// Settings of somebody who connects by hand: the suites, the root of `hospital`, and a certificate of anybody's.
///
/// # Panics
/// When key and certificate do not belong together.
#[must_use]
pub fn client(
    hospital: &Hospital,
    holder: &Holder,
    suites: &[SupportedCipherSuite],
) -> Arc<ClientConfig> {
    let root = CertificateDer::from_pem_file(hospital.stage.path("data/root.pem"));
    let mut roots = RootCertStore::empty();
    roots.add(root.expect("root.pem")).expect("a certificate");
    let chain = vec![CertificateDer::from(holder.certificate.clone())];
    let own = certified(chain, holder.key()).expect("a pair");
    let provider = CryptoProvider { cipher_suites: suites.to_vec(), ..national_tls::provider() };
    let mut config = national_tls::client_with(provider, roots, own).expect("settings");
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// A connection after its handshake, as far as this end is concerned.
///
/// # Errors
/// What the handshake failed with.
pub async fn dial(config: &Arc<ClientConfig>, address: &str) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::clone(config)).connect(name, tcp).await
}

/// A channel over one such connection, which is not made again when it ends.
///
/// # Panics
/// When it cannot be made.
pub async fn over(stream: TlsStream<TcpStream>) -> Channel {
    let mut stream = Some(TokioIo::new(stream));
    let once = tower::service_fn(move |_| {
        let stream = stream.take().ok_or(io::Error::from(io::ErrorKind::NotConnected));
        async move { stream }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    endpoint.connect_with_connector(once).await.expect("the connection stands")
}

/// `healthcard` over national TLS in somebody's name.
#[must_use]
pub fn command(hospital: &Hospital, address: &str, who: &str, arguments: &[&str]) -> Command {
    let mut command = hospital.stage.programs().command(Program::Healthcard);
    command.args(["--json", "--lang", "en", "--server", &format!("national://{address}")]);
    command.arg("--national-root").arg(hospital.stage.path("data/root.pem"));
    command.arg("--as").arg(hospital.stage.identity(who)).args(arguments);
    command
}

/// Runs it.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn healthcard(
    hospital: &Hospital,
    address: &str,
    who: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Finished {
    let mut command = command(hospital, address, who, arguments);
    command.envs(environment.iter().copied());
    hospital.stage.programs().finish(Program::Healthcard, command).expect("it runs")
}
