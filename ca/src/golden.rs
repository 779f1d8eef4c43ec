//! Golden files: what is signed, field by field, for each profile. Others rely on these octets, so
//! a change of them should be seen by a person. `REWRITE_GOLDEN=1 cargo test -p ca golden` writes
//! them anew.

use std::{env, fmt::Write, fs, path::Path};

use hsm::sm3;
use time::{Duration, macros::datetime};

use crate::{
    Authority, Digest, Document, Encoding, IdentifyingExtension, Issuer, Name, Order, Profile,
    Serial,
    cms::{SignedAttributes, World},
    crl::{Changes, Edition, Reason, Revocation, Scope},
    der::{Reader, tag},
    ocsp::{self, CertificateId, Status},
    timestamp,
    workshop::{DEVICES_KEY, DOCTOR, Hospital, ISSUED, NOW, PEOPLE_KEY, key},
};

#[test]
fn what_is_signed_is_what_it_was() {
    let hospital = Hospital::new();
    let order = |profile, subject| Order {
        profile,
        subject,
        public_key: key(60).public().clone(),
        days: None,
        identifiers: identifiers(profile),
    };
    let serial = || Serial::from_random([0x5a; 16]);
    let identity = |role| Name::of_identity("县人民医院", role, DOCTOR).expect("a good name");
    let authority = |name| Name::of_authority("Test health region", name).expect("a good name");
    let root = Issuer::draft_root(order(Profile::Root, authority("root")), serial(), ISSUED);
    check("root", root.expect("a draft").body());

    let institutions = hospital.root.certificate().clone();
    let institutions = Issuer::new(institutions, Authority::Institutions).expect("an authority");
    let devices = hospital.devices.clone().with_issuer_url("http://ca.example.invalid/devices.cer");
    let devices = devices
        .and_then(|devices| devices.with_status_url("http://ca.example.invalid/ocsp"))
        .expect("good addresses");
    for (file, issuer, profile, subject) in [
        ("issuing", &hospital.root, Profile::IssuingAuthority, authority("people")),
        ("institution", &institutions, Profile::Institution, identity("institution")),
        ("person", &hospital.people, Profile::Person, identity("nurse")),
        ("device", &devices, Profile::Device, identity("desk")),
        ("system", &devices, Profile::System, identity("system")),
        ("person_encryption", &hospital.people, Profile::PersonEncryption, identity("nurse")),
        ("service", &devices, Profile::Service, authority("healthcard")),
        ("status_responder", &devices, Profile::StatusResponder, authority("devices-ocsp")),
        ("time_stamping", &devices, Profile::TimeStamping, authority("tsa")),
    ] {
        let draft = issuer.draft(order(profile, subject), serial(), ISSUED).expect(file);
        check(file, draft.body());
    }

    let edition =
        Edition { number: 300, this_update: ISSUED, next_update: ISSUED + Duration::days(7) };
    let revoked = [(1, Reason::KeyCompromise), (2, Reason::Unspecified)].map(|(number, reason)| {
        Revocation { serial: crate::workshop::serial(number), at: NOW, reason }
    });
    check(
        "crl",
        hospital.people.draft_crl(edition, &Scope::All, None, &revoked).expect("a draft").body(),
    );

    let range = Scope::Points(vec!["http://ca.example.invalid/people-41.crl".to_owned()]);
    let delta_url = Some("http://ca.example.invalid/people-41-delta.crl");
    let of_range = hospital.people.draft_crl(edition, &range, delta_url, &revoked);
    check("crl_range", of_range.expect("a draft").body());
    let changes = Changes { revoked: revoked.into(), released: vec![crate::workshop::serial(3)] };
    let delta = hospital.people.draft_delta_crl(edition, &range, 299, &changes);
    check("crl_delta", delta.expect("a draft").body());

    check("ocsp", &status_body(&hospital));
    check("timestamp", &statement(&hospital));

    // The thumbprint in it depends on a signature, which need not be the same twice.
    let signed_at = datetime!(2026-11-23 09:30:00 UTC);
    let attributes =
        SignedAttributes::prepare(&hospital.doctor, &sm3::digest(b"record"), signed_at);
    let listing = listing(attributes.der());
    let thumbprint: String =
        hospital.doctor.thumbprint().iter().map(|octet| format!("{octet:02x}")).collect();
    assert!(listing.contains(&thumbprint));
    compare("attributes", &listing.replace(&thumbprint, "(SM3 of the certificate)"));
}

/// What identifies a holder, as the shipped table of the service has it, and of a person an `IdentifyCode` as well.
fn identifiers(profile: Profile) -> Vec<IdentifyingExtension> {
    let entity = |text| ("1.2.86.21.1.1", Encoding::Utf8, text);
    let rows = match profile {
        Profile::Person | Profile::PersonEncryption => vec![
            entity("1@0000JM0AEBAGBAFAYDQQCIKBMGA2DQPCA"),
            ("1.2.156.10260.4.1.1", Encoding::IdentifyCode(Document::OfficerCard), "D-017"),
        ],
        Profile::Device | Profile::System => vec![entity("1@0000SB0AEBAGBAFAYDQQCIKBMGA2DQPCA")],
        // The example printed in GB 32100-2015.
        Profile::Institution => {
            vec![("1.2.156.10260.4.1.4", Encoding::Printable, "91350100M000100Y43")]
        }
        _ => Vec::new(),
    };
    let made = rows.into_iter().map(|(oid, encoding, text)| {
        let oid = oid.parse().expect("a good identifier");
        IdentifyingExtension::new(oid, encoding, text).expect("good text")
    });
    made.collect()
}

/// What is signed about three certificates.
fn status_body(hospital: &Hospital) -> Vec<u8> {
    let people = hospital.people.certificate();
    let order = Order {
        profile: Profile::StatusResponder,
        subject: Name::of_authority("Test health region", "people-ocsp").expect("a good name"),
        public_key: key(60).public().clone(),
        days: None,
        identifiers: Vec::new(),
    };
    let certificate = hospital
        .people
        .draft(order, Serial::from_random([0x5a; 16]), ISSUED)
        .and_then(|draft| draft.sign(&key(PEOPLE_KEY)))
        .expect("signed");
    let responder = ocsp::Responder::new(certificate, people).expect("may answer");
    let revoked = Status::Revoked { at: NOW, reason: Reason::KeyCompromise };
    let answers =
        [(Digest::Sm3, Status::Good), (Digest::Sha256, revoked), (Digest::Sha1, Status::Unknown)]
            .map(|(digest, status)| {
                let id = CertificateId::new(digest, people, &crate::workshop::serial(1));
                ocsp::Answer { id, status }
            });
    let period = ocsp::Period { this_update: NOW, next_update: NOW + Duration::HOUR };
    let nonce = ocsp::Nonce::new(&[7; 16]).expect("16 octets");
    responder.draft(&answers, period, Some(&nonce)).body().to_vec()
}

/// What is stated in a time stamp.
fn statement(hospital: &Hospital) -> Vec<u8> {
    let order = Order {
        profile: Profile::TimeStamping,
        subject: Name::of_authority("Test health region", "tsa").expect("a good name"),
        public_key: key(60).public().clone(),
        days: None,
        identifiers: Vec::new(),
    };
    let certificate = hospital
        .devices
        .draft(order, Serial::from_random([0x5a; 16]), ISSUED)
        .and_then(|draft| draft.sign(&key(DEVICES_KEY)))
        .expect("signed");
    let stamper = timestamp::Stamper::new(certificate).expect("may stamp");
    let imprint = timestamp::Imprint::of(Digest::Sm3, b"record");
    let nonce = timestamp::Nonce::new([9; 16]);
    let query = timestamp::Query::parse(&timestamp::query(&imprint, Some(&nonce)));
    let terms = timestamp::Terms {
        policy: "2.25.42".parse().expect("an identifier"),
        accuracy: Duration::milliseconds(1500),
        world: World::Rfc5652,
    };
    let at = NOW + Duration::milliseconds(250);
    let draft = stamper.draft(&query.expect("well formed"), &terms, crate::workshop::serial(7), at);
    draft.statement().to_vec()
}

fn check(file: &str, der: &[u8]) {
    compare(file, &listing(der));
}

fn compare(file: &str, listing: &str) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{file}.txt"));
    if env::var_os("REWRITE_GOLDEN").is_some() {
        fs::write(&path, listing).expect("the folder can be written");
    }
    let golden = fs::read_to_string(&path).expect("the golden file is there");
    assert_eq!(listing, golden, "{file}");
}

fn listing(der: &[u8]) -> String {
    let mut out = String::new();
    list(Reader::new(der), 0, &mut out);
    out
}

/// One line an element, what it contains below it. OCTET STRINGs that hold DER are opened, but not
/// digests, which may look like it by chance.
fn list(mut elements: Reader<'_>, depth: usize, out: &mut String) {
    while !elements.is_empty() {
        let (kind, content, element) = elements.any().expect("DER");
        write!(out, "{:1$}", "", depth * 2).expect("memory");
        let inside = Reader::new(content);
        let digest = matches!(content.len(), 20 | 32);
        let wraps_der = || kind == tag::OCTET_STRING && !digest && is_one_element(content);
        let name = match kind {
            tag::BOOLEAN => "BOOLEAN",
            tag::INTEGER => "INTEGER",
            tag::BIT_STRING => "BIT STRING",
            tag::OCTET_STRING => "OCTET STRING",
            tag::ENUMERATED => "ENUMERATED",
            tag::SEQUENCE => "SEQUENCE",
            tag::SET => "SET",
            tag::OID => {
                let oid = Reader::new(element).oid().expect("DER");
                writeln!(out, "OID {oid}").expect("memory");
                continue;
            }
            tag::UTF8_STRING
            | tag::PRINTABLE_STRING
            | tag::UTC_TIME
            | tag::GENERALIZED_TIME
            | 0x86 => {
                let text = str::from_utf8(content).expect("text");
                writeln!(out, "{kind:02x} {text:?}").expect("memory");
                continue;
            }
            _ => &format!("[{}]", kind & 0x1f),
        };
        if kind & 0x20 != 0 || wraps_der() {
            writeln!(out, "{name}").expect("memory");
            list(inside, depth + 1, out);
        } else {
            let hex: String = content.iter().map(|octet| format!("{octet:02x}")).collect();
            writeln!(out, "{name} {hex}").expect("memory");
        }
    }
}

fn is_one_element(content: &[u8]) -> bool {
    let mut inside = Reader::new(content);
    inside.any().is_ok() && inside.end().is_ok()
}
