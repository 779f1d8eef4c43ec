use std::fs;

use hsm::Sm2Signer;
use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::{
    Certificate, algorithm,
    chain::{Anchors, Purpose},
    crl::{Reason, Revocation},
    der::{oid as write_oid, sequence, set_of, tag, tlv, write_time},
    extension::KeyUsage,
    oid,
    workshop::{
        DESK_KEY, DOCTOR_KEY, Forgery, Hospital, ISSUED, NOW, PEOPLE_KEY, ROOT_KEY, crl, key,
        serial,
    },
};
use hsm::{sm2::Signature, sm3};
use time::{Duration, OffsetDateTime};

const RECORD: &[u8] = "病程记录: 患者病情平稳".as_bytes();
const SIGNED: OffsetDateTime = datetime!(2026-11-23 09:30:00 UTC);

fn sign(attributes: &SignedAttributes, of: u8) -> Signature {
    let key = key(of);
    key.sign(&key.digest(attributes.der())).expect("software keys sign")
}

fn message(hospital: &Hospital) -> Vec<u8> {
    let attributes = SignedAttributes::prepare(&hospital.doctor, &sm3::digest(RECORD), SIGNED);
    let signature = sign(&attributes, DOCTOR_KEY);
    SignedData::complete(&attributes, &hospital.doctor, [hospital.people.certificate()], &signature)
        .expect("complete")
}

fn verify(der: &[u8], anchors: &Anchors) -> Result<Signer, CmsError> {
    SignedData::parse(der)?.verify(&sm3::digest(RECORD), anchors, Binding::Required, None, NOW)
}

#[test]
fn a_signature_in_two_steps_verifies() {
    let hospital = Hospital::new();
    let attributes = SignedAttributes::prepare(&hospital.doctor, &sm3::digest(RECORD), SIGNED);
    // What the signer's own program does before it signs: find its digest in what it was sent.
    let seen = SignedAttributes::parse(attributes.der()).expect("well formed");
    assert_eq!(*seen.record_digest(), sm3::digest(RECORD));
    assert_eq!(seen.signing_time(), SIGNED);
    assert_eq!(seen.names(&hospital.doctor), Some(true));
    assert_eq!(seen.names(&hospital.desk), Some(false));

    let der = message(&hospital);
    let signer = verify(&der, &hospital.anchors()).expect("good");
    assert_eq!((signer.certificate, signer.signing_time), (hospital.doctor.clone(), SIGNED));
    assert_eq!(SignedData::parse(&der).expect("well formed").content(), None);
    let shown = format!("{:?}", SignedData::parse(&der).expect("well formed"));
    assert_eq!(
        shown,
        "SignedData(by 44040404040404040404040404040404, 2026-11-23 9:30:00.0 +00:00:00)"
    );
    let without_issuers = {
        let signature = sign(&attributes, DOCTOR_KEY);
        SignedData::complete(&attributes, &hospital.doctor, [], &signature).expect("complete")
    };
    assert!(verify(&without_issuers, &hospital.anchors()).is_ok());
}

#[test]
fn a_signature_that_does_not_belong_is_not_completed() {
    let hospital = Hospital::new();
    let attributes = SignedAttributes::prepare(&hospital.doctor, &sm3::digest(RECORD), SIGNED);
    let others =
        SignedAttributes::prepare(&hospital.doctor, &sm3::digest(b"another record"), SIGNED);
    for (signer, signature, why) in [
        (&hospital.doctor, sign(&attributes, DESK_KEY), CmsError::BadSignature),
        (&hospital.doctor, sign(&others, DOCTOR_KEY), CmsError::BadSignature),
        (&hospital.desk, sign(&attributes, DESK_KEY), CmsError::OtherCertificate),
    ] {
        assert_eq!(SignedData::complete(&attributes, signer, [], &signature), Err(why));
    }
}

#[test]
fn a_signer_who_could_not_have_signed_is_refused() {
    let hospital = Hospital::new();
    let anchors = hospital.anchors();
    let read = SignedData::parse(&message(&hospital)).expect("well formed");
    let digest = sm3::digest(RECORD);
    let minute = Duration::MINUTE;
    let doctor = || hospital.doctor.serial().clone();
    #[rustfmt::skip]
    let cases = [
        ("as it should be", digest, None, NOW, None),
        ("seen by a clock that is a little behind", digest, Some(SIGNED - minute), NOW, None),
        ("another record", sm3::digest(b"another record"), None, NOW, Some(CmsError::OtherRecord)),
        ("seen before it was signed", digest, Some(SIGNED - minute * 6), NOW, Some(CmsError::FutureTime)),
        ("signed in the time to come", digest, None, SIGNED - minute * 6, Some(CmsError::FutureTime)),
        ("seen before the certificate was issued", digest, Some(ISSUED - minute), NOW, Some(CmsError::FutureTime)),
    ];
    for (what, digest, witnessed, now, why) in cases {
        assert_eq!(
            read.verify(&digest, &anchors, Binding::Required, witnessed, now).err(),
            why,
            "{what}"
        );
    }
    let lost = Revocation { serial: doctor(), at: SIGNED + minute, reason: Reason::KeyCompromise };
    let mut anchors = anchors;
    anchors
        .add_crl(crl(&hospital.people, PEOPLE_KEY, 2, std::slice::from_ref(&lost)))
        .expect("newer");
    let refused =
        CmsError::Chain(ChainError::Revoked { serial: doctor(), at: lost.at, reason: lost.reason });
    let at = |witnessed| read.verify(&digest, &anchors, Binding::Required, witnessed, NOW).err();
    assert_eq!(at(None), Some(refused.clone()), "whoever found the key can claim any time");
    assert_eq!(at(Some(lost.at)), Some(refused));
    assert_eq!(at(Some(SIGNED)), None, "the log saw it before the key was lost");
}

#[test]
fn a_desk_does_not_sign_records() {
    let hospital = Hospital::new();
    let attributes = SignedAttributes::prepare(&hospital.desk, &sm3::digest(RECORD), SIGNED);
    let signature = sign(&attributes, DESK_KEY);
    let der = SignedData::complete(&attributes, &hospital.desk, [], &signature).expect("complete");
    let why = ChainError::WrongKeyUsage { serial: hospital.desk.serial().clone() };
    assert_eq!(verify(&der, &hospital.anchors()).err(), Some(CmsError::Chain(why)));
}

/// Two certificates for one key: the signature says which of them it was made with.
#[test]
fn another_certificate_for_the_same_key_cannot_be_put_in() {
    let hospital = Hospital::new();
    let other = Forgery::of(&hospital).certificate();
    assert_eq!(other.public_key(), hospital.doctor.public_key());
    assert!(hospital.anchors().verify(&other, Purpose::SignRecord, NOW).is_ok());
    let attributes = SignedAttributes::prepare(&hospital.doctor, &sm3::digest(RECORD), SIGNED);
    let parts = Parts {
        certificates: vec![other.der().to_vec()],
        signer: other,
        ..Parts::good(&hospital, attributes.der())
    };
    assert_eq!(verify(&parts.der(), &hospital.anchors()).err(), Some(CmsError::OtherCertificate));
}

/// The parts of a message, each as a test wants it.
struct Parts {
    outer: Vec<u8>,
    version: u8,
    digests: Vec<Vec<u8>>,
    content: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    crls: Vec<u8>,
    signer: Certificate,
    signer_version: u8,
    signer_digest: Vec<u8>,
    attributes: Vec<u8>,
    signature_algorithm: Vec<u8>,
    signature: Vec<u8>,
    unsigned: Vec<u8>,
    signers: usize,
}

impl Parts {
    /// `set`: the attributes as they are signed.
    fn good(hospital: &Hospital, set: &[u8]) -> Self {
        let doctor = key(DOCTOR_KEY);
        let signature = doctor.sign(&doctor.digest(set)).expect("software keys sign");
        let mut attributes = set.to_vec();
        attributes[0] = tag::constructed(0);
        Self {
            outer: write_oid(&oid::SIGNED_DATA),
            version: 1,
            digests: vec![algorithm::sm3()],
            content: write_oid(&oid::DATA),
            certificates: vec![hospital.doctor.der().to_vec()],
            crls: Vec::new(),
            signer: hospital.doctor.clone(),
            signer_version: 1,
            signer_digest: algorithm::sm3(),
            attributes,
            signature_algorithm: algorithm::sm2_with_sm3(),
            signature: signature.to_der(),
            unsigned: Vec::new(),
            signers: 1,
        }
    }

    fn der(&self) -> Vec<u8> {
        let info = |version: u8| {
            sequence(&[
                &[tag::INTEGER, 1, version],
                &sequence(&[self.signer.issuer().der(), &self.signer.serial().write()]),
                &self.signer_digest,
                &self.attributes,
                &self.signature_algorithm,
                &tlv(tag::OCTET_STRING, &[&self.signature]),
                &self.unsigned,
            ])
        };
        let infos = (0..self.signers as u8).map(|more| info(self.signer_version + more)).collect();
        let certificates = match &self.certificates[..] {
            [] => Vec::new(),
            certificates => set_of(tag::constructed(0), certificates.to_vec()),
        };
        let signed_data = sequence(&[
            &[tag::INTEGER, 1, self.version],
            &set_of(tag::SET, self.digests.clone()),
            &sequence(&[&self.content]),
            &certificates,
            &self.crls,
            &set_of(tag::SET, infos),
        ]);
        sequence(&[&self.outer, &tlv(tag::constructed(0), &[&signed_data])])
    }
}

type Change = fn(&mut Parts, &Hospital);

#[test]
fn a_part_that_is_not_as_it_should_be_is_refused() {
    use CmsError as E;
    #[rustfmt::skip]
    let cases: &[(&str, Change, Option<CmsError>)] = &[
        ("as it should be", |_, _| {}, None),
        ("not signed data", |p, _| p.outer = write_oid(&oid::DATA), Some(E::ContentType)),
        ("GM/T 0010 outside, RFC 5652 inside", |p, _| p.outer = write_oid(&oid::GM_SIGNED_DATA), Some(E::ContentType)),
        ("RFC 5652, 5.1: version 3", |p, _| p.version = 3, Some(E::ContentType)),
        ("no digest algorithm", |p, _| p.digests.clear(), Some(E::Algorithm)),
        ("two digest algorithms", |p, _| p.digests.push(algorithm::sm2_with_sm3()), Some(E::Der(DerError::Count))),
        ("another digest algorithm", |p, _| p.digests = vec![algorithm::sm2_with_sm3()], Some(E::Algorithm)),
        ("another digest algorithm of the signer", |p, _| p.signer_digest = algorithm::sm2_with_sm3(), Some(E::Algorithm)),
        ("another signature algorithm", |p, _| p.signature_algorithm = algorithm::sm3(), Some(E::Algorithm)),
        ("content of another type", |p, _| p.content = write_oid(&oid::SIGNED_DATA), Some(E::ContentType)),
        ("content of another type than the attribute says", |p, _| p.content = write_oid(&oid::GM_DATA), Some(E::ContentType)),
        ("the record attached", |p, _| p.content = attached(RECORD), None),
        ("another record attached", |p, _| p.content = attached(b"another"), Some(E::OtherRecord)),
        ("no certificate", |p, _| p.certificates.clear(), Some(E::NoCertificate)),
        ("another's certificate only", |p, h| p.certificates = vec![h.desk.der().to_vec()], Some(E::NoCertificate)),
        ("certificate that is none", |p, _| p.certificates.push(sequence(&[])), Some(E::Certificate(CertificateError::Der(DerError::Tag { expected: 0x30 })))),
        ("a stranger's certificate too", |p, h| p.certificates.push(h.desk.der().to_vec()), Some(E::StrangeCertificate)),
        ("the authorities' certificates too", |p, h| p.certificates.extend([h.people.certificate().der().to_vec(), h.root.certificate().der().to_vec()]), None),
        ("revocation lists", |p, h| p.crls = tlv(0xa1, &[h.crls(1, &[])[0].der()]), Some(E::Unsigned)),
        ("no signer", |p, _| p.signers = 0, Some(E::Signers(0))),
        ("two signers", |p, _| p.signers = 2, Some(E::Signers(2))),
        ("RFC 5652, 5.3: signer version 3", |p, _| p.signer_version = 3, Some(E::ContentType)),
        ("no signed attributes", |p, _| p.attributes.clear(), Some(E::NoAttributes)),
        ("unsigned attributes", |p, _| p.unsigned = tlv(0xa1, &[&sequence(&[])]), Some(E::Unsigned)),
        ("raw signature", |p, _| p.signature = vec![7; 64], Some(E::Signature)),
        ("another's signature", |p, _| p.signature = key(DESK_KEY).sign(&[9; 32]).expect("signs").to_der(), Some(E::BadSignature)),
    ];
    let hospital = Hospital::new();
    let anchors = hospital.anchors();
    let attributes = SignedAttributes::prepare(&hospital.doctor, &sm3::digest(RECORD), SIGNED);
    for (what, change, why) in cases {
        let mut parts = Parts::good(&hospital, attributes.der());
        change(&mut parts, &hospital);
        assert_eq!(verify(&parts.der(), &anchors).err().as_ref(), why.as_ref(), "{what}");
    }
    assert_eq!(SignedData::parse(&vec![0x30; SignedData::MAX_LEN + 1]).err(), Some(E::TooLong));
}

fn attached(record: &[u8]) -> Vec<u8> {
    let explicit = tlv(tag::constructed(0), &[&tlv(tag::OCTET_STRING, &[record])]);
    [write_oid(&oid::DATA), explicit].concat()
}

fn attribute(kind: &const_oid::ObjectIdentifier, values: &[&[u8]]) -> Vec<u8> {
    sequence(&[&write_oid(kind), &tlv(tag::SET, values)])
}

#[test]
fn attributes_that_say_something_else_are_refused() {
    use CmsError as E;
    let hospital = Hospital::new();
    let digest = tlv(tag::OCTET_STRING, &[&sm3::digest(RECORD)]);
    let content_type = attribute(&oid::CONTENT_TYPE, &[&write_oid(&oid::DATA)]);
    let time = attribute(&oid::SIGNING_TIME, &[&write_time(SIGNED)]);
    let message_digest = attribute(&oid::MESSAGE_DIGEST, &[&digest]);
    let protection = |digest: Vec<u8>, signature: Vec<u8>| {
        let mut signature = signature;
        signature[0] = 0xa1;
        attribute(&oid::ALGORITHM_PROTECTION, &[&sequence(&[&digest, &signature])])
    };
    let bound =
        |id: &[u8]| attribute(&oid::SIGNING_CERTIFICATE_V2, &[&sequence(&[&sequence(&[id])])]);
    let thumbprint = tlv(tag::OCTET_STRING, &[&hospital.doctor.thumbprint()]);
    let id = sequence(&[&algorithm::sm3(), &thumbprint]);
    let set = |more: &[Vec<u8>]| {
        set_of(
            tag::SET,
            [&[content_type.clone(), time.clone(), message_digest.clone()], more].concat(),
        )
    };
    let refused = |oid: &const_oid::ObjectIdentifier| Some(E::Attribute { oid: oid.to_string() });
    let late = attribute(&oid::SIGNING_TIME, &[&write_time(NOW)]);
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, Option<CmsError>)> = vec![
        ("the least there is", set(&[]), None),
        ("with the certificate", set(&[bound(&id)]), None),
        ("with the algorithms (RFC 6211)", set(&[protection(algorithm::sm3(), algorithm::sm2_with_sm3())]), None),
        ("with other algorithms", set(&[protection(algorithm::sm3(), algorithm::sm3())]), Some(E::Algorithm)),
        ("no content type", set_of(tag::SET, vec![time.clone(), message_digest.clone()]), Some(E::MissingAttribute("contentType"))),
        ("no digest", set_of(tag::SET, vec![time.clone(), content_type.clone()]), Some(E::MissingAttribute("messageDigest"))),
        ("no time", set_of(tag::SET, vec![content_type.clone(), message_digest.clone()]), Some(E::MissingAttribute("signingTime"))),
        ("two times", set(&[late]), refused(&oid::SIGNING_TIME)),
        ("two values", set_of(tag::SET, vec![content_type.clone(), time.clone(), attribute(&oid::MESSAGE_DIGEST, &[&digest, &digest])]), refused(&oid::MESSAGE_DIGEST)),
        ("digest of 20 octets", set_of(tag::SET, vec![content_type.clone(), time.clone(), attribute(&oid::MESSAGE_DIGEST, &[&tlv(4, &[&[0; 20]])])]), Some(E::Algorithm)),
        ("unknown attribute", set(&[attribute(&oid::SM3, &[&[5, 0]])]), refused(&oid::SM3)),
        ("certificate under SHA-256, the default", set(&[bound(&sequence(&[&thumbprint]))]), Some(E::Der(DerError::Tag { expected: 0x30 }))),
        ("two certificates", set(&[bound(&[&id[..], &id].concat())]), Some(E::Der(DerError::Trailing))),
        ("out of order", tlv(tag::SET, &[&time, &content_type, &message_digest]), Some(E::Der(DerError::Order))),
        ("a SEQUENCE", sequence(&[&content_type, &time, &message_digest]), Some(E::Der(DerError::Tag { expected: 0x31 }))),
    ];
    for (what, der, why) in cases {
        assert_eq!(SignedAttributes::parse(&der).err(), why, "{what}");
    }
    // Without a certificate in the attributes it depends on what the reader asks for.
    let read = SignedData::parse(&Parts::good(&hospital, &set(&[])).der()).expect("well formed");
    let verify =
        |binding| read.verify(&sm3::digest(RECORD), &hospital.anchors(), binding, None, NOW).err();
    assert_eq!(verify(Binding::Required), Some(E::MissingAttribute("signingCertificateV2")));
    assert_eq!(verify(Binding::IfPresent), None);
}

/// Messages made by Bouncy Castle 1.72, with certificates made by the openssl command.
#[test]
fn messages_of_another_maker_are_read() {
    let read = |file: &str| {
        fs::read(format!("{}/../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"))).expect(file)
    };
    let pem = |file: &str| {
        Certificate::from_pem(&String::from_utf8(read(file)).expect("text")).expect(file)
    };
    let (root, inter) = (pem("openssl/root.pem"), pem("openssl/inter.pem"));
    let mut anchors = Anchors::new(root.clone()).expect("a root");
    anchors.add_issuer(inter).expect("vouched for");
    anchors
        .add_crl(crate::crl::Crl::parse(&read("openssl/inter.crl.der")).expect("a list"))
        .expect("theirs");
    let record = read("openssl/message.bin");
    for (file, content) in [
        ("bouncycastle/cms.attached.der", Some(&record[..])),
        ("bouncycastle/cms.detached.der", None),
    ] {
        let message = SignedData::parse(&read(file)).expect(file);
        assert_eq!(message.content(), content, "{file}");
        assert_eq!(*message.attributes().record_digest(), sm3::digest(&record), "{file}");
        assert_eq!(message.signer().subject().common_name(), Some("张测试"), "{file}");
        let verify = |digest, binding| message.verify(&digest, &anchors, binding, None, NOW).err();
        assert_eq!(
            verify(sm3::digest(b""), Binding::IfPresent),
            Some(CmsError::OtherRecord),
            "{file}"
        );
        let unbound = Some(CmsError::MissingAttribute("signingCertificateV2"));
        assert_eq!(verify(sm3::digest(&record), Binding::Required), unbound, "{file}");
        // All is right up to the root's revocation list, which the vectors do not have.
        let missing = CmsError::Chain(ChainError::CrlMissing { issuer: root.serial().clone() });
        assert_eq!(verify(sm3::digest(&record), Binding::IfPresent), Some(missing), "{file}");
    }
    // GmSSL signs without attributes, over something else than the record: read nowhere.
    assert_eq!(
        SignedData::parse(&read("gmssl/cms.signed.der")).err(),
        Some(CmsError::NoAttributes)
    );
}

#[test]
fn the_content_types_of_the_national_standard_are_read() {
    let hospital = Hospital::new();
    let attributes = set_of(
        tag::SET,
        vec![
            attribute(&oid::CONTENT_TYPE, &[&write_oid(&oid::GM_DATA)]),
            attribute(&oid::SIGNING_TIME, &[&write_time(SIGNED)]),
            attribute(&oid::MESSAGE_DIGEST, &[&tlv(tag::OCTET_STRING, &[&sm3::digest(RECORD)])]),
        ],
    );
    let mut parts = Parts::good(&hospital, &attributes);
    (parts.outer, parts.content) = (write_oid(&oid::GM_SIGNED_DATA), write_oid(&oid::GM_DATA));
    let read = SignedData::parse(&parts.der()).expect("well formed");
    assert!(
        read.verify(&sm3::digest(RECORD), &hospital.anchors(), Binding::IfPresent, None, NOW)
            .is_ok()
    );
    assert_eq!(*read.signer().serial(), serial(DOCTOR_KEY));
    assert!(
        read.signer().key_usage().is_some_and(|usage| usage.contains(KeyUsage::CONTENT_COMMITMENT))
    );
}

#[test]
fn no_octet_can_be_changed() {
    let hospital = Hospital::new();
    let anchors = hospital.anchors();
    let der = message(&hospital);
    assert!(verify(&der, &anchors).is_ok());
    let mut read = 0;
    for at in 0..der.len() {
        for change in [0x01, 0x80] {
            let mut changed = der.clone();
            changed[at] ^= change;
            if let Ok(message) = SignedData::parse(&changed) {
                read += 1;
                let result =
                    message.verify(&sm3::digest(RECORD), &anchors, Binding::Required, None, NOW);
                assert!(result.is_err(), "octet {at}, change {change:02x}");
            }
        }
        assert!(SignedData::parse(&der[..at]).is_err(), "{at} octets");
    }
    assert!(read > 100, "{read} changed messages were well formed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_octets_are_no_message(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(SignedData::parse(&octets).is_err());
        prop_assert!(SignedAttributes::parse(&octets).is_err());
    }

    #[test]
    fn attributes_say_what_they_were_made_of(digest: [u8; 32], seconds in 0_i64..2_000_000_000) {
        let hospital = Hospital::new();
        let at = ISSUED + Duration::seconds(seconds);
        let made = SignedAttributes::prepare(&hospital.doctor, &digest, at);
        let read = SignedAttributes::parse(made.der()).expect("well formed");
        prop_assert_eq!(read.record_digest(), &digest);
        prop_assert_eq!(read.signing_time(), at);
        prop_assert_eq!(read, made);
    }
}

/// Which certificate of a renewed authority came with a signature does not matter, as long as it is one.
#[test]
fn either_certificate_of_a_renewed_authority_may_come_along() {
    let hospital = Hospital::new();
    let (root, people) = (hospital.root.certificate(), hospital.people.certificate());
    let mut renewed =
        Forgery::authority(&hospital, PEOPLE_KEY, (root.subject(), ROOT_KEY), people.subject());
    renewed.serial = serial(70).write();
    let renewed = renewed.certificate();
    let attributes = SignedAttributes::prepare(&hospital.doctor, &sm3::digest(RECORD), SIGNED);
    let signature = sign(&attributes, DOCTOR_KEY);
    let der = SignedData::complete(&attributes, &hospital.doctor, [&renewed], &signature);
    let der = der.expect("complete");
    let mut anchors = hospital.anchors();
    assert_eq!(verify(&der, &anchors).err(), Some(CmsError::StrangeCertificate));
    anchors.add_issuer(renewed).expect("vouched for");
    assert!(verify(&der, &anchors).is_ok() && verify(&message(&hospital), &anchors).is_ok());
}
