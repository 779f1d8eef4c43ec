//! The line to a repository: syslog over TLS (RFC 5425), each message after its length in octets. Each end shows a
//! certificate (node authentication, ITI-19).

use std::{io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Forward;
use crate::{
    failure::Failure,
    files,
    service::{roots, tls13},
    text::{Problem, problems},
};

/// Port of syslog over TLS (RFC 5425, 4.1).
const PORT: u16 = 6514;
/// Longest that the line takes to stand, a message to leave, or the other end to close.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon whoever does not accept a certificate closes the line.
const VERDICT: Duration = Duration::from_millis(500);
/// Largest file of a certificate or key, bytes.
const LIMIT: u64 = 256 * 1024;

/// A line that is open.
pub(super) struct Repository {
    write: WriteHalf<TlsStream<TcpStream>>,
    read: ReadHalf<TlsStream<TcpStream>>,
}

impl Repository {
    pub(super) async fn connect(order: &Forward) -> Result<Self, Failure> {
        let (host, port) = address(&order.to)?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::of(problems::REPOSITORY_ADDRESS_MALFORMED).about(&order.to))?;
        let tls = TlsConnector::from(config(order)?);
        let standing = timeout(PATIENCE, async {
            let tcp = TcpStream::connect((host, port)).await.map_err(|error| away(&error))?;
            tls.connect(name, tcp).await.map_err(|error| refused(&error))
        });
        let line = standing.await.map_err(|_| problems::REPOSITORY_UNREACHABLE)??;
        let (read, write) = tokio::io::split(line);
        let mut repository = Self { write, read };
        // In TLS 1.3 this end is done before the other has looked at its certificate.
        match timeout(VERDICT, repository.closed()).await {
            Ok(_) => Err(problems::NODE_NOT_ACCEPTED.into()),
            Err(_) => Ok(repository),
        }
    }

    pub(super) async fn send(&mut self, message: &str) -> Result<(), Failure> {
        let frame = format!("{} {message}", message.len());
        self.within(async |write| write.write_all(frame.as_bytes()).await).await
    }

    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        self.within(async |write| write.flush().await).await
    }

    /// Waits until the other end is gone. It has nothing to say (RFC 5425, 4.3).
    pub(super) async fn closed(&mut self) -> Failure {
        let mut octet = [0; 64];
        loop {
            match self.read.read(&mut octet).await {
                Ok(0) => return problems::REPOSITORY_UNREACHABLE.into(),
                Ok(_) => {}
                Err(error) => return refused(&error),
            }
        }
    }

    /// Says that nothing more comes, and waits until the other end has read that.
    pub(super) async fn close(&mut self) -> Result<(), Failure> {
        self.within(async |write| write.shutdown().await).await?;
        let gone = async {
            let mut octet = [0; 64];
            loop {
                match self.read.read(&mut octet).await {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    // It closed without a word of TLS. Had it not read all, the line would have been reset.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                    Err(error) => return Err(away(&error)),
                }
            }
        };
        timeout(PATIENCE, gone).await.map_err(|_| problems::REPOSITORY_UNREACHABLE)?
    }

    async fn within(
        &mut self,
        act: impl AsyncFnOnce(&mut WriteHalf<TlsStream<TcpStream>>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        match timeout(PATIENCE, act(&mut self.write)).await {
            Ok(done) => done.map_err(|error| refused(&error)),
            Err(_) => Err(problems::REPOSITORY_UNREACHABLE.into()),
        }
    }
}

/// Host and port.
fn address(text: &str) -> Result<(&str, u16), Failure> {
    let malformed = || Failure::of(problems::REPOSITORY_ADDRESS_MALFORMED).about(text);
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address in brackets without a port.
        Some(_) if text.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let port = port.map_or(Ok(PORT), str::parse).map_err(|_| malformed())?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { Err(malformed()) } else { Ok((host, port)) }
}

/// Shows the certificate of this node, and believes whom the repository's authority vouches for.
fn config(order: &Forward) -> Result<Arc<ClientConfig>, Failure> {
    let wrong = |path: &std::path::Path| {
        Failure::of(problems::NODE_CERTIFICATE_MALFORMED).about(path.display())
    };
    let roots = roots(&order.repository_ca, problems::TLS_CA_MALFORMED)?;
    let chain = files::read(&order.node_certificate, LIMIT)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong(&order.node_certificate))?;
    let key = files::read(&order.node_key, LIMIT)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| wrong(&order.node_key))?;
    let config = tls13(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|_| wrong(&order.node_certificate))?;
    Ok(Arc::new(config))
}

fn away(error: &io::Error) -> Failure {
    Failure::of(problems::REPOSITORY_UNREACHABLE).about(error)
}

/// Tells a repository that is away from one that is not trusted, or does not trust this node.
fn refused(error: &io::Error) -> Failure {
    let told = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let problem: Problem = match told {
        Some(rustls::Error::InvalidCertificate(_)) => problems::REPOSITORY_UNTRUSTED,
        Some(rustls::Error::AlertReceived(_)) => problems::NODE_NOT_ACCEPTED,
        _ => problems::REPOSITORY_UNREACHABLE,
    };
    Failure::of(problem).about(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let cases = [
            ("arr.example", Some(("arr.example", 6514))),
            ("arr.example:1", Some(("arr.example", 1))),
            ("[::1]", Some(("::1", 6514))),
            ("[::1]:99", Some(("::1", 99))),
            ("", None),
            (":6514", None),
            ("arr.example:", None),
            ("arr.example:x", None),
            ("arr.example:70000", None),
        ];
        for (text, expected) in cases {
            assert_eq!(address(text).ok(), expected, "{text}");
        }
    }
}
