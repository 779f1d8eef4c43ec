//! Test benches: a whole hospital's certificates, and forgeries with any field set as a test wants
//! it.

use hsm::{Sm2Signer, sm2::SecretKey};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    Authority, Certificate, Issuer, Name, Order, Profile, Serial, algorithm,
    chain::Anchors,
    crl::{Changes, Crl, Edition, Revocation, Scope},
    der::{Reader, bit_string, sequence, tag, tlv, write_time},
    extension::{BasicConstraints, ExtendedKeyUsage, Extensions, KeyIdentifier, KeyUsage},
};

/// When everything was issued.
pub(crate) const ISSUED: OffsetDateTime = datetime!(2026-11-23 08:00:00 UTC);
/// A day later.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-24 08:00:00 UTC);

pub(crate) const DOCTOR: &str = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21";
pub(crate) const DESK: &str = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e22";

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_be_bytes(&[number; 32]).expect("in range")
}

pub(crate) fn serial(number: u8) -> Serial {
    Serial::from_random([number; 16])
}

pub(crate) struct Hospital {
    pub(crate) root: Issuer,
    pub(crate) people: Issuer,
    pub(crate) devices: Issuer,
    pub(crate) doctor: Certificate,
    pub(crate) desk: Certificate,
}

pub(crate) const ROOT_KEY: u8 = 1;
pub(crate) const PEOPLE_KEY: u8 = 2;
pub(crate) const DEVICES_KEY: u8 = 3;
pub(crate) const DOCTOR_KEY: u8 = 4;
pub(crate) const DESK_KEY: u8 = 5;

impl Hospital {
    pub(crate) fn new() -> Self {
        let order = |profile, subject: Name, of: u8| Order {
            profile,
            subject,
            public_key: key(of).public().clone(),
            days: None,
            identifiers: Vec::new(),
        };
        let authority = |name| Name::of_authority("Test health region", name).expect("a good name");
        let root = Issuer::draft_root(
            order(Profile::Root, authority("root"), ROOT_KEY),
            serial(1),
            ISSUED,
        )
        .and_then(|draft| draft.sign(&key(ROOT_KEY)))
        .and_then(|root| Issuer::new(root, Authority::Root))
        .expect("a root");
        let below = |name, of, kind| {
            root.draft(order(Profile::IssuingAuthority, authority(name), of), serial(of), ISSUED)
                .and_then(|draft| draft.sign(&key(ROOT_KEY)))
                .and_then(|certificate| Issuer::new(certificate, kind))
                .and_then(|issuer| issuer.with_crl_url("http://ca.example.invalid/crl"))
                .expect("an issuing authority")
        };
        let people = below("people", PEOPLE_KEY, Authority::People);
        let devices = below("devices", DEVICES_KEY, Authority::Devices);
        let identity = |role, id| Name::of_identity("县人民医院", role, id).expect("a good name");
        let doctor = people
            .draft(
                order(Profile::Person, identity("doctor", DOCTOR), DOCTOR_KEY),
                serial(DOCTOR_KEY),
                ISSUED,
            )
            .and_then(|draft| draft.sign(&key(PEOPLE_KEY)))
            .expect("a doctor");
        let desk = devices
            .draft(
                order(Profile::Device, identity("desk", DESK), DESK_KEY),
                serial(DESK_KEY),
                ISSUED,
            )
            .and_then(|draft| draft.sign(&key(DEVICES_KEY)))
            .expect("a desk");
        Self { root, people, devices, doctor, desk }
    }

    /// The lists of all three authorities, of which that of the people has these entries.
    pub(crate) fn crls(&self, number: u64, revoked: &[Revocation]) -> Vec<Crl> {
        [
            (&self.root, ROOT_KEY, &[][..]),
            (&self.people, PEOPLE_KEY, revoked),
            (&self.devices, DEVICES_KEY, &[]),
        ]
        .map(|(issuer, of, revoked)| crl(issuer, of, number, revoked))
        .into()
    }

    /// Everything known, nothing revoked.
    pub(crate) fn anchors(&self) -> Anchors {
        let mut anchors = Anchors::new(self.root.certificate().clone()).expect("a root");
        anchors.add_issuer(self.people.certificate().clone()).expect("vouched for");
        anchors.add_issuer(self.devices.certificate().clone()).expect("vouched for");
        self.crls(1, &[])
            .into_iter()
            .try_for_each(|crl| anchors.add_crl(crl))
            .expect("made by them");
        anchors
    }
}

/// A list made at [`ISSUED`], good for a week.
pub(crate) fn crl(issuer: &Issuer, of: u8, number: u64, revoked: &[Revocation]) -> Crl {
    let edition = Edition { number, this_update: ISSUED, next_update: ISSUED + Duration::days(7) };
    issuer
        .draft_crl(edition, &Scope::All, None, revoked)
        .and_then(|draft| draft.sign(&key(of)))
        .expect("a list")
}

/// What has changed since list `base`, told at [`ISSUED`].
pub(crate) fn delta(issuer: &Issuer, of: u8, (base, number): (u64, u64), changes: &Changes) -> Crl {
    let edition = Edition { number, this_update: ISSUED, next_update: ISSUED + Duration::days(7) };
    issuer
        .draft_delta_crl(edition, &Scope::All, base, changes)
        .and_then(|draft| draft.sign(&key(of)))
        .expect("a delta list")
}

/// A certificate with any field set as a test wants it. Begins as what the people's authority would
/// issue to a doctor.
pub(crate) struct Forgery {
    pub(crate) version: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) inner_algorithm: Vec<u8>,
    pub(crate) outer_algorithm: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) validity: (OffsetDateTime, OffsetDateTime),
    pub(crate) subject: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) extensions: Extensions,
    /// Leaves out basicConstraints, which are written first.
    pub(crate) skip_constraints: bool,
    /// Written after `extensions`.
    pub(crate) more_extensions: Vec<u8>,
    pub(crate) signer: u8,
}

impl Forgery {
    pub(crate) fn of(hospital: &Hospital) -> Self {
        Self {
            version: tlv(tag::constructed(0), &[&[tag::INTEGER, 1, 2]]),
            serial: serial(9).write(),
            inner_algorithm: algorithm::sm2_with_sm3(),
            outer_algorithm: algorithm::sm2_with_sm3(),
            issuer: hospital.people.certificate().subject().der().to_vec(),
            validity: (ISSUED, ISSUED + Duration::days(365)),
            subject: hospital.doctor.subject().der().to_vec(),
            key: key(DOCTOR_KEY).public().to_spki_der(),
            extensions: Extensions {
                key_usage: Some(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::CONTENT_COMMITMENT),
                purposes: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::DocumentSigning],
                subject_key: Some(KeyIdentifier::of(key(DOCTOR_KEY).public())),
                authority_key: Some(KeyIdentifier::of(key(PEOPLE_KEY).public())),
                ..Extensions::none()
            },
            skip_constraints: false,
            more_extensions: Vec::new(),
            signer: PEOPLE_KEY,
        }
    }

    /// An authority with key `of`, below the one with key `signer` and name `issuer`.
    pub(crate) fn authority(
        hospital: &Hospital,
        of: u8,
        (issuer, signer): (&Name, u8),
        name: &Name,
    ) -> Self {
        let mut forgery = Self::of(hospital);
        forgery.serial = serial(of).write();
        forgery.issuer = issuer.der().to_vec();
        forgery.subject = name.der().to_vec();
        forgery.key = key(of).public().to_spki_der();
        forgery.signer = signer;
        forgery.extensions = Extensions {
            constraints: BasicConstraints::Authority { path_length: None },
            key_usage: Some(KeyUsage::CERTIFICATE_SIGNING | KeyUsage::CRL_SIGNING),
            subject_key: Some(KeyIdentifier::of(key(of).public())),
            authority_key: Some(KeyIdentifier::of(key(signer).public())),
            ..Extensions::none()
        };
        forgery
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let written = self.extensions.write();
        let mut list = Reader::only(&written, tag::SEQUENCE).expect("a SEQUENCE");
        let constraints = list.element(tag::SEQUENCE).expect("they are always written");
        let rest = list.rest();
        let mut list = if self.skip_constraints { Vec::new() } else { constraints.to_vec() };
        list.extend(rest);
        list.extend(&self.more_extensions);
        let body = sequence(&[
            &self.version,
            &self.serial,
            &self.inner_algorithm,
            &self.issuer,
            &sequence(&[&write_time(self.validity.0), &write_time(self.validity.1)]),
            &self.subject,
            &self.key,
            &tlv(tag::constructed(3), &[&sequence(&[&list])]),
        ]);
        let key = key(self.signer);
        let signature = key.sign(&key.digest(&body)).expect("software keys sign");
        sequence(&[&body, &self.outer_algorithm, &bit_string(&signature.to_der())])
    }

    pub(crate) fn certificate(&self) -> Certificate {
        Certificate::parse(&self.der()).expect("well formed")
    }
}
