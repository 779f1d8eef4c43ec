//! National TLS (RFC 8998): the service knows by the certificate of this identity who connects.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use national_tls::{CannotSign, HandshakeKey, certified};
use rustls::{ClientConfig, pki_types::CertificateDer};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::connection::roots;
use crate::{
    failure::Failure,
    identity::{Certificate, ClientKey},
    text::problems,
};

/// Longest wait for the service's word on our certificate. One that says nothing has accepted it.
const PATIENCE: Duration = Duration::from_secs(3);

/// What an identity shows.
pub(super) struct Credentials {
    pub(super) key: ClientKey,
    pub(super) certificate: Certificate,
}

/// The same, lent to a connection.
struct Lent(Arc<Credentials>);

impl HandshakeKey for Lent {
    fn public_key(&self) -> Vec<u8> {
        self.0.key.public_key_der()
    }

    fn sign(&self, identifier: &str, message: &[u8]) -> Result<Vec<u8>, CannotSign> {
        self.0.key.sign_as(identifier, message).ok_or(CannotSign)
    }
}

/// Settings of a line on which this identity shows its certificate, and believes what `root` lets serve.
pub(super) fn config(own: &Arc<Credentials>, root: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let chain = vec![CertificateDer::from(own.certificate.der().to_vec())];
    let own = certified(chain, Lent(Arc::clone(own)))
        .map_err(|error| Failure::of(problems::CERTIFICATE_OTHER_KEY).about(error))?;
    let roots = roots(root, problems::NATIONAL_ROOT_MALFORMED)?;
    let mut config = national_tls::client(roots, own)
        .map_err(|error| Failure::of(problems::NATIONAL_ROOT_MALFORMED).about(error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Waits until the service has accepted our certificate, which it looks at after our end of the handshake:
/// it says yes with a ticket, and no with an alert.
pub(super) async fn accepted(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    let (tcp, connection) = stream.get_mut();
    let verdict = async {
        while connection.tls13_tickets_received() == 0 {
            tcp.readable().await?;
            match connection.read_tls(&mut Arrived(tcp)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            let state = connection
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if state.plaintext_bytes_to_read() > 0 {
                break;
            }
        }
        Ok(())
    };
    timeout(PATIENCE, verdict).await.unwrap_or(Ok(()))
}

/// What is there already.
struct Arrived<'a>(&'a TcpStream);

impl Read for Arrived<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}
