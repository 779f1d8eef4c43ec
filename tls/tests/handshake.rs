//! Both ends in one process: who is let in, who is not, and what a session that is resumed brings.

#![expect(clippy::unwrap_used, reason = "the helpers of a test end where the test does")]

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use ca::{Certificate, Profile};
use hsm::{Sm2Signer, sm2::SecretKey};
use national_tls::{
    CannotSign, HandshakeKey, SM4_CCM_SM3, SM4_GCM_SM3, certified, client, client_with, provider,
    server,
};
use rustls::{
    AlertDescription, CertificateError, CipherSuite, ClientConfig, ClientConnection,
    ConnectionCommon, Error, HandshakeKind, NamedGroup, PeerIncompatible, RootCertStore,
    ServerConfig, ServerConnection, SideData, SignatureScheme, SupportedCipherSuite,
    client::ResolvesClientCert,
    crypto::CryptoProvider,
    pki_types::ServerName,
    server::danger::ClientCertVerifier,
    sign::{CertifiedKey, SingleCertAndKey},
};
use time::Duration;

use county::{Clients, County, der, lent, now};

mod county;

fn served(clients: Arc<dyn ClientCertVerifier>, own: CertifiedKey) -> Arc<ServerConfig> {
    Arc::new(server(clients, Arc::new(SingleCertAndKey::from(own))).unwrap())
}

/// Lets one end's octets arrive at the other.
fn carry<A: SideData, B: SideData>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
) -> Result<(), Error> {
    let mut octets = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut octets).unwrap();
    }
    let mut octets = &octets[..];
    while !octets.is_empty() {
        to.read_tls(&mut octets).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// What each end has to say once nothing more is on its way.
struct Met {
    client: Result<ClientConnection, Error>,
    server: Result<ServerConnection, Error>,
}

fn meet(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Met {
    let name = ServerName::try_from("service").unwrap();
    let mut here = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut there = ServerConnection::new(Arc::clone(server)).unwrap();
    let (mut at_client, mut at_server) = (Ok(()), Ok(()));
    for _ in 0..6 {
        if at_server.is_ok() {
            at_server = carry(&mut here, &mut there);
        }
        // An end that gave up still sends its alert.
        if at_client.is_ok() {
            at_client = carry(&mut there, &mut here);
        }
    }
    Met { client: at_client.map(|()| here), server: at_server.map(|()| there) }
}

/// Both ends of a connection that stands; something was said both ways.
#[track_caller]
fn standing(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> (ClientConnection, ServerConnection) {
    let Met { client, server } = meet(client, server);
    let (mut here, mut there) = (client.unwrap(), server.unwrap());
    let mut heard = [0; 5];
    here.writer().write_all(b"hello").unwrap();
    carry(&mut here, &mut there).unwrap();
    there.reader().read_exact(&mut heard).unwrap();
    there.writer().write_all(&heard).unwrap();
    carry(&mut there, &mut here).unwrap();
    here.reader().read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    (here, there)
}

fn county() -> (County, Arc<Clients>, Arc<ServerConfig>) {
    let county = County::found("county");
    let clients = county.clients();
    let server = served(clients.clone(), county.holder(Profile::Service));
    (county, clients, server)
}

fn caller(county: &County, own: CertifiedKey) -> Arc<ClientConfig> {
    Arc::new(client(county.roots(), own).unwrap())
}

#[test]
fn both_suites_and_every_kind_of_holder_that_logs_in() {
    let (county, _, server) = county();
    let suites: [(SupportedCipherSuite, u16); 2] = [(SM4_GCM_SM3, 0x00C6), (SM4_CCM_SM3, 0x00C7)];
    for (suite, number) in suites {
        for profile in [Profile::Person, Profile::Device, Profile::System] {
            let own = county.holder(profile);
            let leaf = own.cert[0].clone();
            let provider = CryptoProvider { cipher_suites: vec![suite], ..provider() };
            let config = client_with(provider, county.roots(), own).unwrap();
            let (here, there) = standing(&Arc::new(config), &server);
            let chosen = CipherSuite::Unknown(number);
            assert_eq!(here.negotiated_cipher_suite().unwrap().suite(), chosen);
            let group = here.negotiated_key_exchange_group().unwrap().name();
            assert_eq!(group, NamedGroup::Unknown(41));
            assert_eq!(there.peer_certificates().unwrap()[0], leaf, "{profile:?}");
        }
    }
}

fn refused(alert: AlertDescription) -> Option<Error> {
    Some(Error::AlertReceived(alert))
}

fn invalid(error: CertificateError) -> Option<Error> {
    Some(Error::InvalidCertificate(error))
}

#[test]
fn whom_the_service_does_not_know_is_not_let_in() {
    let (county, clients, server) = county();
    let other = County::found("county");
    let of = |profile| county.holder(profile);
    let expired = {
        let key = SecretKey::generate();
        let chain = county.certify(Profile::Person, &key, now() - Duration::days(31));
        certified(chain.iter().map(der).collect(), lent(key)).unwrap()
    };
    let revoked = of(Profile::Person);
    county.revoke(&clients, &Certificate::parse(&revoked.cert[0]).unwrap());
    let cases = [
        ("revoked", revoked, CertificateError::Revoked, AlertDescription::CertificateRevoked),
        ("expired", expired, CertificateError::Expired, AlertDescription::CertificateExpired),
        (
            "of another county of the same name",
            other.holder(Profile::Person),
            CertificateError::UnknownIssuer,
            AlertDescription::UnknownCA,
        ),
        (
            "an encryption certificate",
            of(Profile::PersonEncryption),
            CertificateError::UnknownIssuer,
            AlertDescription::UnknownCA,
        ),
    ];
    for (what, own, why, alert) in cases {
        let met = meet(&caller(&county, own), &server);
        assert_eq!(met.server.err(), invalid(why), "{what}");
        assert_eq!(met.client.err(), refused(alert), "{what}");
    }
}

#[test]
fn nobody_without_a_certificate_is_let_in() {
    let (county, _, server) = county();
    let mut config = Arc::unwrap_or_clone(caller(&county, county.holder(Profile::Person)));
    config.client_auth_cert_resolver = Arc::new(NoCertificate);
    let met = meet(&Arc::new(config), &server);
    assert_eq!(met.server.err(), Some(Error::NoCertificatesPresented));
    assert_eq!(met.client.err(), refused(AlertDescription::CertificateRequired));
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[test]
fn only_the_service_is_believed_to_be_the_service() {
    let (county, clients, _) = county();
    let expired = {
        let key = SecretKey::generate();
        let chain = county.certify(Profile::Service, &key, now() - Duration::days(31));
        certified(chain.iter().map(der).collect(), lent(key)).unwrap()
    };
    let cases = [
        ("a desk", county.holder(Profile::Device), invalid(CertificateError::InvalidPurpose)),
        (
            "who has an encryption certificate, which names no purpose",
            county.holder(Profile::DeviceEncryption),
            invalid(CertificateError::InvalidPurpose),
        ),
        (
            "another county's of the same name",
            County::found("county").holder(Profile::Service),
            invalid(CertificateError::BadSignature),
        ),
        ("the service, whose certificate ended", expired, invalid(CertificateError::Expired)),
    ];
    for (what, own, expected) in cases {
        let met =
            meet(&caller(&county, county.holder(Profile::Person)), &served(clients.clone(), own));
        assert_eq!(met.client.err(), expected, "{what}");
        assert!(met.server.is_err(), "{what}");
    }
}

/// Signs handshakes with the identifier of certificates.
struct WrongIdentifier(Arc<dyn Sm2Signer>);

impl HandshakeKey for WrongIdentifier {
    fn public_key(&self) -> Vec<u8> {
        HandshakeKey::public_key(&self.0)
    }

    fn sign(&self, identifier: &str, message: &[u8]) -> Result<Vec<u8>, CannotSign> {
        assert_eq!(identifier, "TLSv1.3+GM+Cipher+Suite");
        HandshakeKey::sign(&self.0, "1234567812345678", message)
    }
}

#[test]
fn a_handshake_that_is_signed_with_the_wrong_identifier_is_refused_by_both_ends() {
    let (county, clients, server) = county();
    let wrong = |profile| {
        let key = SecretKey::generate();
        let chain = county.certify(profile, &key, now());
        certified(chain.iter().map(der).collect(), WrongIdentifier(lent(key))).unwrap()
    };
    let met = meet(&caller(&county, wrong(Profile::Person)), &server);
    assert_eq!(met.server.err(), invalid(CertificateError::BadSignature));
    assert_eq!(met.client.err(), refused(AlertDescription::DecryptError));
    let server = served(clients, wrong(Profile::Service));
    let met = meet(&caller(&county, county.holder(Profile::Person)), &server);
    assert_eq!(met.client.err(), invalid(CertificateError::BadSignature));
}

/// A key that is not there when it is asked.
struct Lost(Arc<dyn Sm2Signer>);

impl HandshakeKey for Lost {
    fn public_key(&self) -> Vec<u8> {
        HandshakeKey::public_key(&self.0)
    }

    fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, CannotSign> {
        Err(CannotSign)
    }
}

#[test]
fn a_key_that_is_lost_ends_the_handshake_and_one_of_another_certificate_is_noticed() {
    let (county, clients, _) = county();
    let key = SecretKey::generate();
    let chain = county.certify(Profile::Service, &key, now());
    let chain: Vec<_> = chain.iter().map(der).collect();
    let other = certified(chain.clone(), lent(SecretKey::generate()));
    assert!(matches!(other, Err(Error::InconsistentKeys(_))), "{other:?}");
    let server = served(clients, certified(chain, Lost(lent(key))).unwrap());
    let met = meet(&caller(&county, county.holder(Profile::Person)), &server);
    assert_eq!(met.server.err(), Some(Error::General(CannotSign.to_string())));
    assert!(met.client.is_err() || met.client.unwrap().is_handshaking());
}

#[test]
fn ordinary_clients_and_servers_have_nothing_in_common_with_national_ones() {
    let (county, _, server) = county();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let ordinary = ClientConfig::builder_with_provider(ring)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(county.roots())
        .with_no_client_auth();
    let met = meet(&Arc::new(ordinary), &server);
    let incompatible = PeerIncompatible::NoKxGroupsInCommon;
    assert_eq!(met.server.err(), Some(Error::PeerIncompatible(incompatible)));
    assert_eq!(met.client.err(), refused(AlertDescription::HandshakeFailure));
    let none = client(RootCertStore::empty(), county.holder(Profile::Person));
    assert!(none.is_err(), "a client that believes nobody is none");
}

#[test]
fn a_session_is_resumed_once_and_brings_the_certificate_of_its_first_handshake() {
    let (county, _, server) = county();
    let own = county.holder(Profile::Person);
    let leaf = own.cert[0].clone();
    let client = caller(&county, own);
    let (_, there) = standing(&client, &server);
    assert_eq!(there.handshake_kind(), Some(HandshakeKind::Full));
    for round in 0..3 {
        let (here, there) = standing(&client, &server);
        assert_eq!(here.handshake_kind(), Some(HandshakeKind::Resumed), "{round}");
        assert_eq!(there.handshake_kind(), Some(HandshakeKind::Resumed), "{round}");
        assert_eq!(there.peer_certificates().unwrap()[0], leaf);
    }
    // Another service does not know it, and says nothing of it.
    let other = served(county.clients(), county.holder(Profile::Service));
    let (here, _) = standing(&client, &other);
    assert_eq!(here.handshake_kind(), Some(HandshakeKind::Full));
}

#[test]
fn much_goes_both_ways() {
    let (county, _, server) = county();
    let (mut here, mut there) = standing(&caller(&county, county.holder(Profile::Person)), &server);
    let sent: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let mut heard = Vec::new();
    for part in sent.chunks(16_000) {
        here.writer().write_all(part).unwrap();
        carry(&mut here, &mut there).unwrap();
        let mut part = vec![0; part.len()];
        there.reader().read_exact(&mut part).unwrap();
        heard.extend(part);
    }
    assert_eq!(heard, sent);
}
