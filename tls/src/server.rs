//! A server: who its clients are is the verifier's to say.

use std::sync::Arc;

use rustls::{
    Error, ServerConfig,
    server::{ResolvesServerCert, danger::ClientCertVerifier},
    version::TLS13,
};

use crate::{resumption::Remembered, suite::provider};

/// Settings of a server that shows what `own` has, and lets in whom `clients` accepts. It remembers sessions for a while,
/// so that who was let in a moment ago comes in without certificates: `clients` is not asked again, the caller has to
/// look at them (`peer_certificates`) when the handshake was such a one. Nothing is taken before its handshake is whole
/// (no early data).
///
/// # Errors
/// None that depends on the arguments.
pub fn server(
    clients: Arc<dyn ClientCertVerifier>,
    own: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(own);
    config.session_storage = Arc::new(Remembered::default());
    config.send_tls13_tickets = 1;
    config.max_early_data_size = 0;
    Ok(config)
}
