//! A county's certificates: a root, two authorities below it, and whomever they certify. `tests/interop-tls` has it too.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use ca::{
    Authority, Certificate, ChainError, Issuer, Name, Order, Profile, Serial,
    chain::{Anchors, Purpose},
    crl::{Edition, Reason, Revocation, Scope},
};
use hsm::{Sm2Signer, sm2::SecretKey};
use national_tls::{certified, signature_verification};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::verify_tls13_signature,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::CertifiedKey,
};
use time::{Duration, OffsetDateTime};

pub(crate) struct County {
    pub(crate) root: Certificate,
    root_key: SecretKey,
    issuers: [(Issuer, SecretKey); 2],
    numbers: AtomicU64,
}

pub(crate) fn now() -> OffsetDateTime {
    let seconds = i64::try_from(UnixTime::now().as_secs()).unwrap();
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// The key as a keystore lends it.
pub(crate) fn lent(key: SecretKey) -> Arc<dyn Sm2Signer> {
    Arc::new(key)
}

pub(crate) fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.der().to_vec())
}

fn serial(number: u64) -> Serial {
    let mut octets = [1; 16];
    octets[8..].copy_from_slice(&number.to_be_bytes());
    Serial::from_random(octets)
}

fn order(profile: Profile, subject: Name, key: &SecretKey) -> Order {
    Order {
        profile,
        subject,
        public_key: key.public().clone(),
        days: Some(30),
        identifiers: Vec::new(),
    }
}

impl County {
    pub(crate) fn found(name: &str) -> Self {
        let founded = now() - Duration::days(60);
        let root_key = SecretKey::generate();
        let named = |common| Name::of_authority(name, common).unwrap();
        let root = order(Profile::Root, named("root"), &root_key);
        let root = Issuer::draft_root(Order { days: None, ..root }, serial(1), founded).unwrap();
        let root = root.sign(&root_key).unwrap();
        let above = Issuer::new(root.clone(), Authority::Root).unwrap();
        let authorities = [(Authority::People, "people", 2), (Authority::Devices, "devices", 3)];
        let issuers = authorities.map(|(authority, common, number)| {
            let key = SecretKey::generate();
            let below = order(Profile::IssuingAuthority, named(common), &key);
            let below = Order { days: None, ..below };
            let below = above.draft(below, serial(number), founded).unwrap();
            (Issuer::new(below.sign(&root_key).unwrap(), authority).unwrap(), key)
        });
        Self { root, root_key, issuers, numbers: AtomicU64::new(4) }
    }

    /// A certificate for this key, valid for a month from `from`, with the authority's.
    pub(crate) fn certify(
        &self,
        profile: Profile,
        key: &SecretKey,
        from: OffsetDateTime,
    ) -> [Certificate; 2] {
        let subject = match profile {
            Profile::Service => Name::of_authority("county", "national").unwrap(),
            _ => {
                let id = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21";
                Name::of_identity("institution", "doctor", id).unwrap()
            }
        };
        let (issuer, above) = self
            .issuers
            .iter()
            .find(|(issuer, _)| Some(issuer.authority()) == profile.issued_by())
            .expect("one of the two");
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let draft = issuer.draft(order(profile, subject, key), serial(number), from).unwrap();
        [draft.sign(above).unwrap(), issuer.certificate().clone()]
    }

    /// Somebody with a fresh key, certified now.
    pub(crate) fn holder(&self, profile: Profile) -> CertifiedKey {
        let key = SecretKey::generate();
        let chain = self.certify(profile, &key, now());
        certified(chain.iter().map(der).collect(), lent(key)).unwrap()
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(der(&self.root)).unwrap();
        roots
    }

    /// What its service knows: everybody, and nobody revoked.
    pub(crate) fn clients(&self) -> Arc<Clients> {
        let mut anchors = Anchors::new(self.root.clone()).unwrap();
        for (issuer, _) in &self.issuers {
            anchors.add_issuer(issuer.certificate().clone()).unwrap();
        }
        let clients = Clients { anchors: Mutex::new(anchors) };
        self.publish(&clients, 1, &[]);
        Arc::new(clients)
    }

    /// Revokes a certificate; the lists of all authorities, PEM.
    pub(crate) fn revoke(&self, clients: &Clients, certificate: &Certificate) -> String {
        let serial = certificate.serial().clone();
        let revocation = Revocation { serial, at: now(), reason: Reason::KeyCompromise };
        self.publish(clients, 2, &[revocation])
    }

    fn publish(&self, clients: &Clients, number: u64, revoked: &[Revocation]) -> String {
        let this_update = now() - Duration::minutes(5);
        let edition = Edition { number, this_update, next_update: this_update + Duration::days(7) };
        let root = Issuer::new(self.root.clone(), Authority::Root).unwrap();
        let all = self.issuers.iter().map(|(issuer, key)| (issuer, key, revoked));
        let mut lists = String::new();
        for (issuer, key, revoked) in all.chain([(&root, &self.root_key, &[][..])]) {
            let list =
                issuer.draft_crl(edition, &Scope::All, None, revoked).unwrap().sign(key).unwrap();
            lists.push_str(&ca::pem::encode("X509 CRL", list.der()));
            clients.anchors.lock().unwrap().add_crl(list).unwrap();
        }
        lists
    }
}

/// Lets in whom the county certified for logging in, and did not revoke.
pub(crate) struct Clients {
    anchors: Mutex<Anchors>,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients(..)")
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let certificate =
            Certificate::parse(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let anchors = self.anchors.lock().unwrap();
        match anchors.verify(&certificate, Purpose::Login, now()) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(ChainError::Revoked { .. }) => Err(CertificateError::Revoked.into()),
            Err(ChainError::Expired { .. }) => Err(CertificateError::Expired.into()),
            Err(_) => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        unreachable!("TLS 1.3 alone")
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &signature_verification())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signature_verification().supported_schemes()
    }
}
