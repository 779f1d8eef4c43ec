use proptest::prelude::*;
use sm3::Digest as _;
use time::macros::datetime;

use super::*;
use crate::identity::{
    ClientKey,
    sample::{self, tlv},
};

const NOW: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);

fn certificate(serial: u8) -> Certificate {
    sample::certificate(&ClientKey::generate().unwrap(), serial)
}

fn attribute(kind: ObjectIdentifier, value: Vec<u8>) -> Vec<u8> {
    tlv(0x30, &[kind.to_der().unwrap(), tlv(0x31, &value)].concat())
}

/// Sorted as DER wants it.
fn set(mut attributes: Vec<Vec<u8>>) -> Vec<u8> {
    attributes.sort();
    tlv(0x31, &attributes.concat())
}

fn reference(to: &Certificate, hash: ObjectIdentifier) -> Vec<u8> {
    let (issuer, serial) = to.issuer_and_serial_der().unwrap();
    let issuer_serial = tlv(0x30, &[tlv(0x30, &tlv(0xa4, &issuer)), serial].concat());
    let algorithm = AlgorithmIdentifierOwned { oid: hash, parameters: None }.to_der().unwrap();
    let parts = [algorithm, tlv(4, &to.digest()), issuer_serial];
    tlv(0x30, &tlv(0x30, &tlv(0x30, &parts.concat())))
}

fn utc(text: &str) -> Vec<u8> {
    tlv(0x17, text.as_bytes())
}

struct Case {
    content: Vec<u8>,
    digest: Vec<u8>,
    time: Vec<u8>,
    certificate: Vec<u8>,
}

impl Case {
    fn good(digest: &[u8; 32], signer: &Certificate) -> Self {
        Self {
            content: attribute(CONTENT_TYPE, DATA.to_der().unwrap()),
            digest: attribute(MESSAGE_DIGEST, tlv(4, digest)),
            time: attribute(SIGNING_TIME, utc("261123080000Z")),
            certificate: attribute(SIGNING_CERTIFICATE_V2, reference(signer, SM3)),
        }
    }

    fn all(self) -> Vec<Vec<u8>> {
        vec![self.content, self.digest, self.time, self.certificate]
    }
}

#[test]
fn own_record_certificate_and_time_are_accepted() {
    let signer = certificate(5);
    let digest = sm3::Sm3::digest(b"record").into();
    let attributes = set(Case::good(&digest, &signer).all());
    assert_eq!(check(&attributes, &digest, &signer, NOW), Ok(()));
    assert_eq!(check(&attributes, &digest, &signer, NOW + TOLERANCE), Ok(()));
}

#[test]
fn anything_else_is_not_signed() {
    let signer = certificate(5);
    let other = certificate(6);
    let digest: [u8; 32] = sm3::Sm3::digest(b"record").into();
    let good = || Case::good(&digest, &signer);
    let signed_data = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
    let sha256 = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
    let extra = attribute(ObjectIdentifier::new_unwrap("1.2.3"), tlv(4, b"x"));
    let with = |change: &dyn Fn(&mut Case)| {
        let mut case = good();
        change(&mut case);
        set(case.all())
    };
    let cases: Vec<(&str, Vec<u8>, Problem)> = vec![
        ("nothing", Vec::new(), problems::ATTRIBUTES_MALFORMED),
        ("an empty set", set(Vec::new()), problems::ATTRIBUTES_MALFORMED),
        ("one octet more", [set(good().all()), vec![0]].concat(), problems::ATTRIBUTES_MALFORMED),
        (
            "an attribute nobody asked for",
            set([good().all(), vec![extra.clone()]].concat()),
            problems::ATTRIBUTES_MALFORMED,
        ),
        (
            "one attribute replaced",
            with(&|case| case.time = extra.clone()),
            problems::ATTRIBUTES_MALFORMED,
        ),
        (
            "unsorted",
            {
                let mut attributes = good().all();
                attributes.sort();
                attributes.reverse();
                tlv(0x31, &attributes.concat())
            },
            problems::ATTRIBUTES_MALFORMED,
        ),
        (
            "two digests in one attribute",
            with(&|case| {
                let mut values = [tlv(4, &digest), tlv(4, &[0; 32])];
                values.sort();
                case.digest = attribute(MESSAGE_DIGEST, values.concat());
            }),
            problems::ATTRIBUTES_MALFORMED,
        ),
        (
            "another record",
            with(&|case| case.digest = attribute(MESSAGE_DIGEST, tlv(4, &[7; 32]))),
            problems::ATTRIBUTES_OTHER_RECORD,
        ),
        (
            "a digest cut short",
            with(&|case| case.digest = attribute(MESSAGE_DIGEST, tlv(4, &digest[..31]))),
            problems::ATTRIBUTES_OTHER_RECORD,
        ),
        (
            "another content type",
            with(&|case| case.content = attribute(CONTENT_TYPE, signed_data.to_der().unwrap())),
            problems::ATTRIBUTES_OTHER_CONTENT,
        ),
        (
            "another certificate",
            with(&|case| {
                case.certificate = attribute(SIGNING_CERTIFICATE_V2, reference(&other, SM3))
            }),
            problems::ATTRIBUTES_OTHER_SIGNER,
        ),
        (
            "another hash",
            with(&|case| {
                case.certificate = attribute(SIGNING_CERTIFICATE_V2, reference(&signer, sha256));
            }),
            problems::ATTRIBUTES_OTHER_SIGNER,
        ),
        (
            "yesterday",
            with(&|case| case.time = attribute(SIGNING_TIME, utc("261122080000Z"))),
            problems::ATTRIBUTES_OTHER_TIME,
        ),
        (
            "in eleven minutes",
            with(&|case| case.time = attribute(SIGNING_TIME, utc("261123081100Z"))),
            problems::ATTRIBUTES_OTHER_TIME,
        ),
    ];
    for (what, attributes, problem) in cases {
        assert_eq!(check(&attributes, &digest, &signer, NOW), Err(problem), "{what}");
    }
}

#[test]
fn every_changed_bit_is_refused() {
    let signer = certificate(5);
    let digest = sm3::Sm3::digest(b"record").into();
    let attributes = set(Case::good(&digest, &signer).all());
    for bit in 0..attributes.len() * 8 {
        let mut changed = attributes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let verdict = check(&changed, &digest, &signer, NOW);
        // Another second within the tolerance is another text with the same good meaning.
        let other_time = Values::parse(&changed)
            .is_some_and(|values| values.signing_time != NOW && verdict.is_ok());
        assert!(verdict.is_err() || other_time, "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_not_signed(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(Values::parse(&bytes).is_none());
        prop_assert!(Values::parse(&tlv(0x31, &bytes)).is_none());
    }
}
