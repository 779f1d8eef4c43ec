//! Both ends of national TLS hear anything at all in place of a handshake; shares and signatures too.
#![no_main]

use std::sync::{Arc, LazyLock};

use ca::Profile;
use national_tls::{client, provider, server, signature_verification};
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, pki_types::ServerName,
    sign::SingleCertAndKey,
};

#[expect(dead_code, reason = "nobody is revoked here")]
#[path = "../../../tls/tests/county/mod.rs"]
mod county;

struct Ends {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

static ENDS: LazyLock<Ends> = LazyLock::new(|| {
    let county = county::County::found("county");
    let own = Arc::new(SingleCertAndKey::from(county.holder(Profile::Service)));
    Ends {
        client: Arc::new(client(county.roots(), county.holder(Profile::Person)).unwrap()),
        server: Arc::new(server(county.clients(), own).unwrap()),
    }
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut there = ServerConnection::new(Arc::clone(&ENDS.server)).unwrap();
    hear(&mut there, data);
    assert!(there.is_handshaking());
    let name = ServerName::try_from("service").unwrap();
    let mut here = ClientConnection::new(Arc::clone(&ENDS.client), name).unwrap();
    hear(&mut here, data);
    assert!(here.is_handshaking());

    let exchange = provider().kx_groups[0].start().unwrap();
    let agreed = exchange.complete(data).is_ok();
    assert!(!agreed || data.len() == 65);
    for verification in signature_verification().all {
        assert!(verification.verify_signature(&[4; 65], b"message", data).is_err());
    }
});

/// Octets as they come from the network.
fn hear<D: rustls::SideData>(end: &mut rustls::ConnectionCommon<D>, mut octets: &[u8]) {
    while !octets.is_empty() && end.read_tls(&mut octets).is_ok_and(|read| read > 0) {
        if end.process_new_packets().is_err() {
            return;
        }
    }
}
