//! A client: the one root that it believes, and its own certificate.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use webpki::{EndEntityCert, KeyUsage};
use x509_cert::{
    Certificate,
    der::{Decode as _, oid::db::rfc5280::ID_KP_SERVER_AUTH},
    ext::pkix::ExtendedKeyUsage,
};

use crate::{signature::ALGORITHMS, suite::provider};

/// Settings of a client that shows `own`, and connects to what `roots` let serve: whose certificate names that purpose.
/// The name of the host is not asked for: such a root lets only the service itself serve, wherever it is.
///
/// # Errors
/// [`Error::General`] without a root.
pub fn client(roots: RootCertStore, own: CertifiedKey) -> Result<ClientConfig, Error> {
    client_with(provider(), roots, own)
}

/// The same with another provider, such as one of a single suite.
///
/// # Errors
/// As for [`client`].
pub fn client_with(
    provider: CryptoProvider,
    roots: RootCertStore,
    own: CertifiedKey,
) -> Result<ClientConfig, Error> {
    if roots.is_empty() {
        return Err(Error::General("no root to believe".to_owned()));
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Rooted(roots)))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))))
}

/// Believes who may serve below one of these roots.
#[derive(Debug)]
struct Rooted(RootCertStore);

impl ServerCertVerifier for Rooted {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        EndEntityCert::try_from(certificate)
            .and_then(|leaf| {
                let (algorithms, roots) = (ALGORITHMS.all, &self.0.roots);
                let serves = KeyUsage::server_auth();
                leaf.verify_for_usage(algorithms, roots, others, now, serves, None, None).map(drop)
            })
            .map_err(refusal)?;
        names_serving(certificate)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("there is no national TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &ALGORITHMS)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ALGORITHMS.supported_schemes()
    }
}

/// Whether a certificate names the purpose of serving. One without purposes, which would be fit for all, is not enough:
/// so are those of encryption, whose key pairs their holders have.
fn names_serving(certificate: &[u8]) -> Result<(), CertificateError> {
    let certificate =
        Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let purposes = certificate.tbs_certificate().get_extension::<ExtendedKeyUsage>();
    match purposes.map_err(|_| CertificateError::BadEncoding)? {
        Some((_, purposes)) if purposes.0.contains(&ID_KP_SERVER_AUTH) => Ok(()),
        _ => Err(CertificateError::InvalidPurpose),
    }
}

/// What the other side, and the caller, are told of a certificate that is not believed.
fn refusal(error: webpki::Error) -> CertificateError {
    match error {
        webpki::Error::BadDer | webpki::Error::BadDerTime => CertificateError::BadEncoding,
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))),
    }
}
