use std::fs;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::{
    der::{oid as write_oid, sequence, tlv, unsigned},
    extension::{write, write_critical},
    workshop::{DOCTOR_KEY, Forgery, Hospital, ISSUED, PEOPLE_KEY, key, serial},
};

/// Certificates of other makers, and what openssl says about them.
#[test]
fn certificates_of_other_makers_are_read() {
    #[rustfmt::skip]
    let cases = [
        // file                issuer               serial  cn                        authority path
        // signs records
        ("openssl/root.pem",    "openssl/root.pem",  "1001", "Test SM2 Root",           true,  None,       false),
        ("openssl/inter.pem",   "openssl/root.pem",  "2001", "Test SM2 Intermediate",   true,  Some(0),    false),
        ("openssl/sign.pem",    "openssl/inter.pem", "3001", "张测试",                  false, None,       true),
        ("openssl/enc.pem",     "openssl/inter.pem", "3002", "张测试",                  false, None,       false),
        ("openssl/tls.pem",     "openssl/inter.pem", "3003", "localhost",               false, None,       false),
        ("openssl/ocsp.pem",    "openssl/inter.pem", "3004", "Test OCSP responder",     false, None,       false),
        ("openssl/tsa.pem",     "openssl/inter.pem", "3005", "Test TSA",                false, None,       true),
        ("openssl/revoked.pem", "openssl/inter.pem", "3006", "Revoked holder",          false, None,       true),
        ("gmssl/root.pem",      "gmssl/root.pem",    "",     "GmSSL test root",         true,  None,       false),
        ("gmssl/sign.pem",      "gmssl/root.pem",    "",     "GmSSL test signer",       false, None,       true),
    ];
    let read = |file: &str| {
        let path = format!("{}/../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
        Certificate::from_pem(&fs::read_to_string(path).expect("the vector is there")).expect(file)
    };
    for (file, issuer, serial, name, authority, path, signs) in cases {
        let (certificate, issuer) = (read(file), read(issuer));
        assert!(certificate.is_signed_by(issuer.public_key()), "{file}");
        assert!(serial.is_empty() || certificate.serial().to_string() == serial, "{file}");
        assert_eq!(certificate.subject().common_name(), Some(name), "{file}");
        assert_eq!((certificate.is_ca(), certificate.path_length()), (authority, path), "{file}");
        let usage = certificate.key_usage().expect("all of them say");
        assert_eq!(usage.contains(KeyUsage::CONTENT_COMMITMENT), signs, "{file}");
        let again = Certificate::from_pem(&certificate.to_pem()).expect("what is written is read");
        assert_eq!(again, certificate, "{file}");
    }
    let sign = read("openssl/sign.pem");
    assert_eq!(sign.not_before(), datetime!(2026-11-22 17:41:52 UTC));
    assert_eq!(sign.not_after(), datetime!(2036-11-19 17:41:52 UTC));
    assert_eq!(sign.crl_url(), Some("http://crl.example.invalid/inter.crl"));
    assert_eq!(sign.authority_key_identifier(), read("openssl/inter.pem").key_identifier());
    // Names of people do not reach a log.
    assert_eq!(format!("{sign:?}"), "Certificate(3001, authority: false)");
}

type Change = fn(&mut Forgery);

#[test]
fn a_field_that_is_not_as_it_should_be_is_refused() {
    use CertificateError as E;
    #[rustfmt::skip]
    let cases: &[(&str, Change, E)] = &[
        ("RFC 5280, 4.1.2.1: version 1", |f| f.version = Vec::new(), E::Version),
        ("RFC 5280, 4.1.2.1: version 2", |f| f.version[4] = 1, E::Version),
        ("RFC 5280, 4.1.2.2: serial 0", |f| f.serial = unsigned(&[0]), E::Der(DerError::Integer)),
        ("RFC 5280, 4.1.2.2: negative serial", |f| f.serial = tlv(tag::INTEGER, &[&[0x80]]), E::Der(DerError::Integer)),
        ("RFC 5280, 4.1.2.2: serial of 21 octets", |f| f.serial = unsigned(&[0x81; 20]), E::Der(DerError::Integer)),
        ("X.690, 8.3.2: padded serial", |f| f.serial = tlv(tag::INTEGER, &[&[0, 1]]), E::Der(DerError::Integer)),
        ("RFC 5280, 4.1.1.2: other algorithm inside", |f| f.inner_algorithm = algorithm::sm3(), E::Algorithm),
        ("RFC 5280, 4.1.1.2: other algorithm outside", |f| f.outer_algorithm = algorithm::sm3(), E::Algorithm),
        ("RFC 5280, 4.1.1.2: NULL outside only", |f| f.outer_algorithm = with_null(), E::Algorithm),
        ("ECDSA with SHA-256", |f| { f.inner_algorithm = ecdsa(); f.outer_algorithm = ecdsa() }, E::Algorithm),
        ("RFC 5280, 4.1.2.4: no issuer", |f| f.issuer = sequence(&[]), E::NoName),
        ("RFC 5280, 4.1.2.6: no subject", |f| f.subject = sequence(&[]), E::NoName),
        ("ends before it begins", |f| f.validity = (ISSUED, ISSUED - time::Duration::SECOND), E::Validity),
        ("P-256 key", |f| f.key = p256(), E::Key),
        ("key with trailing octets", |f| f.key = sequence(&[&f.key.clone()[2..], &[5, 0]]), E::Key),
        ("unknown critical extension", |f| f.more_extensions = write_critical(&oid::SM3, &[5, 0]), E::UnknownCritical { oid: "1.2.156.10197.1.401".into() }),
        ("RFC 5280, 4.2.1.10: name constraints", |f| f.more_extensions = write_critical(&const_oid::ObjectIdentifier::new_unwrap("2.5.29.30"), &[0x30, 0]), E::UnknownCritical { oid: "2.5.29.30".into() }),
        ("RFC 5280, 4.2: extension twice", |f| f.more_extensions = write_critical(&oid::KEY_USAGE, &[3, 2, 6, 0xc0]), E::Der(DerError::Order)),
        ("authority, not critical", not_critical, E::NotCritical),
        ("path length without authority", path_without_authority, E::Der(DerError::Trailing)),
        ("key usage without a bit", |f| { f.extensions.key_usage = None; f.more_extensions = write_critical(&oid::KEY_USAGE, &[3, 1, 0]) }, E::Der(DerError::BitString)),
        ("trailing octets after key usage", |f| { f.extensions.key_usage = None; f.more_extensions = write_critical(&oid::KEY_USAGE, &[3, 2, 6, 0xc0, 0]) }, E::Der(DerError::Trailing)),
    ];
    let hospital = Hospital::new();
    assert!(
        Certificate::parse(&Forgery::of(&hospital).der()).is_ok(),
        "the forgery is good before it is changed"
    );
    for (what, change, why) in cases {
        let mut forgery = Forgery::of(&hospital);
        change(&mut forgery);
        assert_eq!(Certificate::parse(&forgery.der()).err().as_ref(), Some(why), "{what}");
    }
}

#[test]
fn parameters_null_are_read_when_they_stand_in_both_places() {
    let mut forgery = Forgery::of(&Hospital::new());
    forgery.inner_algorithm = with_null();
    forgery.outer_algorithm = with_null();
    let certificate = forgery.certificate();
    assert!(certificate.is_signed_by(key(PEOPLE_KEY).public()));
    assert_eq!(certificate.public_key(), key(DOCTOR_KEY).public());
    assert_eq!(*certificate.serial(), serial(9));
}

#[test]
fn more_or_less_octets_are_refused() {
    let der = Hospital::new().doctor.der().to_vec();
    for length in 0..der.len() {
        assert!(Certificate::parse(&der[..length]).is_err(), "{length} octets");
    }
    let longer = [&der[..], &[0]].concat();
    assert_eq!(Certificate::parse(&longer).err(), Some(CertificateError::Der(DerError::Trailing)));
    let huge = vec![0x30; Certificate::MAX_LEN + 1];
    assert_eq!(Certificate::parse(&huge).err(), Some(CertificateError::TooLong));
}

/// Each octet of a certificate is signed, or fixed by what is.
#[test]
fn no_octet_can_be_changed() {
    let hospital = Hospital::new();
    let issuer = hospital.people.certificate().public_key();
    let der = hospital.doctor.der();
    let mut read = 0;
    for at in 0..der.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = der.to_vec();
            changed[at] ^= change;
            if let Ok(certificate) = Certificate::parse(&changed) {
                read += 1;
                assert!(!certificate.is_signed_by(issuer), "octet {at}, change {change:02x}");
            }
        }
    }
    // Otherwise nothing was shown about signatures.
    assert!(read > 100, "{read} changed certificates were well formed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_octets_are_no_certificate(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Certificate::parse(&octets).is_err());
    }
}

fn with_null() -> Vec<u8> {
    sequence(&[&write_oid(&oid::SM2_WITH_SM3), &[tag::NULL, 0]])
}

fn ecdsa() -> Vec<u8> {
    sequence(&[&write_oid(&const_oid::ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"))])
}

/// The SM2 point under the name of P-256.
fn p256() -> Vec<u8> {
    let algorithm = sequence(&[
        &write_oid(&const_oid::ObjectIdentifier::new_unwrap("1.2.840.10045.2.1")),
        &write_oid(&const_oid::ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7")),
    ]);
    sequence(&[&algorithm, &crate::der::bit_string(key(DOCTOR_KEY).public().as_sec1())])
}

/// Replaces the first extension, basicConstraints, by one that may be ignored.
fn not_critical(forgery: &mut Forgery) {
    forgery.skip_constraints = true;
    forgery.more_extensions = write(&oid::BASIC_CONSTRAINTS, &[0x30, 3, 1, 1, 0xff]);
}

fn path_without_authority(forgery: &mut Forgery) {
    forgery.skip_constraints = true;
    forgery.more_extensions = write_critical(&oid::BASIC_CONSTRAINTS, &[0x30, 3, 2, 1, 0]);
}
