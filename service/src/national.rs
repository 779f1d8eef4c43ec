//! The national listener (RFC 8998): certificates of both ends. The registrar says who may connect, from what it has in
//! memory; whoever resumes a session is looked at again, and is told at the first call.

use std::{
    cell::RefCell,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, Router, body::Body};
use ca::Certificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, HandshakeKind,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::verify_tls13_signature,
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tonic::Status;

use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    rate::Buckets,
    registrar::{Error, Peer, Registrar},
    serve::network,
    telemetry,
};

/// Handshakes that one peer may begin at once, and that come back each second: each costs a signature and a
/// multiplication before it is known who asks. This machine may have as many as it likes.
const HANDSHAKES: (f64, f64) = (200.0, 20.0);
/// Peers that are remembered.
const MOST: usize = 10_000;

/// What the listener needs beside its address.
pub struct National {
    registrar: Arc<Registrar>,
    acceptor: TlsAcceptor,
    handshakes: Handshakes,
}

tokio::task_local! {
    /// Whom the handshake of this task refused, and why.
    static REFUSED: RefCell<Option<(Certificate, Reason)>>;
}

impl National {
    /// A listener whose callers this registrar knows.
    ///
    /// # Errors
    /// [`TlsError`], when this build lacks what it takes.
    pub fn new(registrar: Arc<Registrar>) -> Result<Self, TlsError> {
        let clients = Arc::new(Judge(Arc::clone(&registrar)));
        let mut config = national_tls::server(clients, Arc::new(Own(Arc::clone(&registrar))))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            registrar,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: Handshakes::new(),
        })
    }

    /// Whether this address may begin one more handshake now.
    pub(crate) fn admits(&self, address: IpAddr) -> bool {
        self.handshakes.admit(address, clock::now())
    }

    /// Makes the connection, and the router for it: calls know who is at the other end.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        patience: Duration,
        router: Router,
    ) -> Result<(TlsStream<TcpStream>, Router), String> {
        let shaken = REFUSED.scope(RefCell::default(), async {
            let shaken = timeout(patience, self.acceptor.accept(stream)).await;
            (shaken, REFUSED.with(RefCell::take))
        });
        let (shaken, refused) = shaken.await;
        if let Some((certificate, reason)) = refused {
            self.record(&certificate, reason, from).await;
        }
        let stream = shaken
            .map_err(|_| "the handshake took too long".to_owned())?
            .map_err(|e| format!("handshake: {e}"))?;
        let connection = stream.get_ref().1;
        let leaf = connection.peer_certificates().and_then(|chain| chain.first());
        let leaf = leaf.ok_or("a connection without a certificate")?;
        let certificate = Certificate::parse(leaf).map_err(|e| e.to_string())?;
        // A session that is resumed brings the certificate of its first handshake, which may have been
        // revoked since.
        let admitted = match connection.handshake_kind() {
            Some(HandshakeKind::Resumed) => self.registrar.admit_peer(&certificate, clock::now()),
            _ => Ok(()),
        };
        let router = match admitted {
            Ok(()) => router.layer(Extension(Arc::new(Peer::of(&certificate)))),
            Err(error) => {
                self.record(&certificate, error.reason(), from).await;
                refusing(error.reason())
            }
        };
        Ok((stream, router))
    }

    async fn record(&self, certificate: &Certificate, reason: Reason, from: SocketAddr) {
        tracing::info!(%from, reason = reason.text().reason, "a national peer was refused");
        let now = clock::now();
        let recorded = self.registrar.record_refused_peer(certificate, reason, from.ip(), now);
        if let Err(error) = recorded.await {
            tracing::error!(cause = telemetry::chain(&error), "recording a refused peer");
        }
    }
}

/// How many handshakes each address began of late.
struct Handshakes(Buckets<IpAddr>);

impl Handshakes {
    fn new() -> Self {
        Self(Buckets::new(HANDSHAKES.0, HANDSHAKES.1, MOST))
    }

    fn admit(&self, address: IpAddr, now: UtcTime) -> bool {
        address.to_canonical().is_loopback() || self.0.admit(network(address), now)
    }
}

/// Says no to every call.
fn refusing(reason: Reason) -> Router {
    let say = move || async move { Status::from(Error::from(reason)).into_http::<Body>() };
    Router::new().fallback(say)
}

/// Shows the service's certificate, the one of now.
struct Own(Arc<Registrar>);

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.shown()
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(..)")
    }
}

/// Lets in whom the registrar admits.
struct Judge(Arc<Registrar>);

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge(..)")
    }
}

impl ClientCertVerifier for Judge {
    /// None: who has several certificates knows which is of this service.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let certificate =
            Certificate::parse(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let Err(error) = self.0.admit_peer(&certificate, clock::now()) else {
            return Ok(ClientCertVerified::assertion());
        };
        let reason = error.reason();
        // Outside a handshake of ours there is nobody to tell.
        let _ = REFUSED.try_with(|refused| refused.replace(Some((certificate, reason))));
        Err(alert(reason).into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("there is no national TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = national_tls::signature_verification();
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        national_tls::signature_verification().supported_schemes()
    }
}

/// The alert that stands for a reason: TLS has no word for most of them.
fn alert(reason: Reason) -> CertificateError {
    match reason {
        Reason::CERTIFICATE_REVOKED | Reason::CERTIFICATE_SUSPENDED => CertificateError::Revoked,
        Reason::CERTIFICATE_EXPIRED => CertificateError::Expired,
        Reason::CERTIFICATE_NOT_YET_VALID => CertificateError::NotValidYet,
        Reason::CERTIFICATE_WRONG_USE => CertificateError::InvalidPurpose,
        Reason::REVOCATION_LIST_STALE => CertificateError::UnknownRevocationStatus,
        _ => CertificateError::UnknownIssuer,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn one_address_begins_so_many_handshakes_and_takes_none_from_others() {
        let (handshakes, now) = (Handshakes::new(), datetime!(2026-11-27 08:00 UTC));
        let [far, other, here] =
            ["10.0.0.1", "10.0.0.2", "::ffff:127.0.0.1"].map(|it| it.parse().unwrap());
        let begun = |address, now| (0..1000).filter(|_| handshakes.admit(address, now)).count();
        assert_eq!((begun(far, now), begun(other, now), begun(here, now)), (200, 200, 1000));
        assert_eq!(begun(far, now + Duration::from_secs(1)), 20);
    }

    #[test]
    fn what_is_wrong_with_a_certificate_has_its_alert() {
        let alert = |reason| rustls::AlertDescription::from(alert(reason));
        use rustls::AlertDescription as Alert;
        let cases = [
            (Reason::CERTIFICATE_REVOKED, Alert::CertificateRevoked),
            (Reason::CERTIFICATE_SUSPENDED, Alert::CertificateRevoked),
            (Reason::CERTIFICATE_EXPIRED, Alert::CertificateExpired),
            (Reason::CERTIFICATE_NOT_YET_VALID, Alert::CertificateExpired),
            (Reason::CERTIFICATE_WRONG_USE, Alert::UnsupportedCertificate),
            (Reason::CERTIFICATE_UNTRUSTED, Alert::UnknownCA),
            (Reason::REVOCATION_LIST_STALE, Alert::UnknownCA),
        ];
        for (reason, expected) in cases {
            assert_eq!(alert(reason), expected, "{reason:?}");
        }
    }
}
