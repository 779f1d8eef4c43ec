//! What national TLS costs beside the ordinary one, in the same run: handshakes from the beginning and resumed, and calls.

use std::{
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use national_tls::certified;
use rustls::{
    ClientConfig, HandshakeKind, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint, Uri};

use super::{
    BenchError,
    ground::{Ground, Person},
    measure::{Measured, milliseconds, rate, ratio},
    tokens::{CONNECTIONS, Call, SMALL, cores, echo_callers},
};

/// Who shakes hands at once.
const CALLERS: usize = 8;

/// A listener, and how to connect to it.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) address: SocketAddr,
    pub(super) config: Arc<ClientConfig>,
}

impl Line {
    /// National TLS, as `person`, under this root.
    pub(super) fn national(
        address: SocketAddr,
        root: &[u8],
        person: &Person,
    ) -> Result<Self, BenchError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root))?;
        let chain = vec![CertificateDer::from(person.certificate.clone())];
        let key: Arc<dyn hsm::Sm2Signer> = person.key.clone();
        let mut config = national_tls::client(roots, certified(chain, key)?)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { address, config: Arc::new(config) })
    }

    async fn dial(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await
    }

    /// A connection that calls are made on.
    pub(super) async fn channel(&self) -> Result<Channel, BenchError> {
        let line = self.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let line = line.clone();
            async move { line.dial().await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        Ok(endpoint.connect_with_connector(connector).await?)
    }

    /// The same, with sessions of its own to resume.
    fn with(&self, resumption: Resumption) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = resumption;
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// A handshake up to where the server accepted it: it then sends a ticket.
    async fn shake(&self, kind: HandshakeKind) -> Result<(), BenchError> {
        let mut stream = self.dial().await?;
        let (tcp, connection) = stream.get_mut();
        if connection.handshake_kind() != Some(kind) {
            return Err(format!("no {kind:?} handshake").into());
        }
        while connection.tls13_tickets_received() == 0 {
            tcp.readable().await?;
            match connection.read_tls(&mut Arrived(tcp)) {
                Ok(0) => return Err("the server went away".into()),
                Ok(_) => {
                    connection.process_new_packets()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Callers who shake hands from the beginning, or resume.
    async fn callers(&self, kind: HandshakeKind) -> Result<Vec<Call>, BenchError> {
        let mut callers = Vec::new();
        for _ in 0..CALLERS {
            let line = match kind {
                HandshakeKind::Resumed => self.with(Resumption::in_memory_sessions(32)),
                _ => self.with(Resumption::disabled()),
            };
            if kind == HandshakeKind::Resumed {
                line.shake(HandshakeKind::Full).await?;
            }
            let call: Call = Box::new(move || {
                let line = line.clone();
                Box::pin(async move { line.shake(kind).await })
            });
            callers.push(call);
        }
        Ok(callers)
    }

    async fn channels(&self) -> Result<Vec<Channel>, BenchError> {
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(self.channel().await?);
        }
        Ok(channels)
    }
}

/// What is there already.
struct Arrived<'a>(&'a TcpStream);

impl Read for Arrived<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

pub(super) async fn ask(
    directory: &Path,
    seconds: u64,
) -> Result<Vec<(String, Value)>, BenchError> {
    let time = Duration::from_secs(seconds);
    let ground = Ground::make(directory).await?;
    let mut figures = Vec::new();
    let both = [("national", ground.national()?), ("ordinary", ground.ordinary())];
    for (what, kind) in [("full", HandshakeKind::Full), ("resumed", HandshakeKind::Resumed)] {
        let mut rates = Vec::new();
        for (name, line) in &both {
            let met = Measured::during(time, line.callers(kind).await?).await?;
            figures.push((
                format!("{name} handshakes/s, {what}, {CALLERS} callers"),
                rate(met.per_second()),
            ));
            figures.push(("  p50, ms".to_owned(), milliseconds(met.percentile(50))));
            rates.push(met.per_second());
        }
        figures
            .push((format!("{what} handshakes, national : ordinary"), ratio(rates[0], rates[1])));
    }
    let mut rates = Vec::new();
    for (name, line) in &both {
        let echo = Measured::during(time, echo_callers(line.channels().await?, SMALL)).await?;
        figures.push((format!("{name} calls/s, bare echo, 64 callers"), rate(echo.per_second())));
        rates.push(echo.per_second());
    }
    figures.push(("calls, national : ordinary".to_owned(), ratio(rates[0], rates[1])));
    figures.push(("cores; the callers run on the same ones".to_owned(), json!(cores())));
    ground.end().await?;
    Ok(figures)
}
