use std::str::FromStr as _;

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::identity::{ClientKey, sample};

const NOW: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);
const DIGEST: [u8; 32] = [3; 32];
const NONCE: [u8; 16] = [0x85; 16];

/// What a reply is made of; a case changes one thing.
struct Parts {
    issuer_key: ClientKey,
    key: ClientKey,
    /// Who signs the stamper's certificate, and who the stamp; 0 is the issuer.
    signers: (usize, usize),
    purposes: Vec<ObjectIdentifier>,
    critical: bool,
    /// A further extension, critical.
    more: Option<(ObjectIdentifier, &'static [u8])>,
    /// Digest of the certificate that the stamper means.
    meant: Option<[u8; 32]>,
    kind: ObjectIdentifier,
    digest: [u8; 32],
    signed_digest: Option<[u8; 32]>,
    nonce: [u8; 16],
    time: &'static str,
}

impl Parts {
    fn good() -> Self {
        Self {
            issuer_key: ClientKey::generate().unwrap(),
            key: ClientKey::generate().unwrap(),
            signers: (0, 1),
            purposes: vec![TIME_STAMPING],
            critical: true,
            more: None,
            meant: None,
            kind: SIGNED_DATA[0],
            digest: DIGEST,
            signed_digest: None,
            nonce: NONCE,
            time: "20261126080000.25Z",
        }
    }

    fn issuers(&self) -> [Certificate; 1] {
        let issuer = sample::certificate_of(&self.issuer_key, 1, "CN=issuer,O=county");
        [Certificate::from_der(issuer.der()).unwrap()]
    }

    fn sign(&self, signer: usize, octets: &[u8]) -> Vec<u8> {
        let signer = [&self.issuer_key, &self.key][signer];
        let raw = signer.sign(octets);
        sm2::dsa::Signature::try_from(&raw[..]).unwrap().to_der().to_bytes().to_vec()
    }

    fn stamper(&self) -> Certificate {
        let extension = |extn_id, critical, value: &[u8]| {
            let extn_value = OctetString::new(value).unwrap();
            Extension { extn_id, critical, extn_value }
        };
        let purposes = ExtendedKeyUsage(self.purposes.clone()).to_der().unwrap();
        let mut extensions = vec![extension(ExtendedKeyUsage::OID, self.critical, &purposes)];
        extensions.extend(self.more.map(|(oid, value)| extension(oid, true, value)));
        let extensions = extensions.to_der().unwrap();
        let body = sample::body_of(&self.key, 2, "CN=stamper", &extensions);
        let signature = BitString::from_bytes(&self.sign(self.signers.0, &body)).unwrap();
        let signature = signature.to_der().unwrap();
        let der = sample::tlv(0x30, &[body, sample::algorithm(), signature].concat());
        Certificate::from_der(&der).unwrap()
    }

    fn reply(&self) -> Vec<u8> {
        let sm3 = AlgorithmIdentifierOwned { oid: SM3, parameters: None };
        let statement = Statement {
            version: 1,
            policy: Any::from_der(&[6, 2, 0x69, 42]).unwrap(),
            imprint: imprint(&self.digest).unwrap(),
            serial: Uint::new(&[0x40, 7]).unwrap(),
            time: Any::new(Tag::GeneralizedTime, self.time.as_bytes()).unwrap(),
            accuracy: Some(Accuracy { seconds: Some(1), millis: Some(500), micros: None }),
            ordered: false,
            nonce: Some(Uint::new(&self.nonce).unwrap()),
            stamper: None,
            extensions: None,
        };
        let content = statement.to_der().unwrap();
        let digest = self.signed_digest.unwrap_or_else(|| Sm3::digest(&content).into());
        let attribute = |oid, value: Vec<u8>| Attribute {
            oid,
            values: SetOfVec::try_from(vec![Any::from_der(&value).unwrap()]).unwrap(),
        };
        let certificate = self.stamper();
        let meant = self.meant.unwrap_or_else(|| Sm3::digest(certificate.to_der().unwrap()).into());
        let meant = CertificateId {
            algorithm: sm3.clone(),
            digest: OctetString::new(meant).unwrap(),
            issuer: None,
        };
        let meant = SigningCertificate { ids: vec![meant], policies: None };
        let attributes = SetOfVec::try_from(vec![
            attribute(SIGNING_CERTIFICATE, meant.to_der().unwrap()),
            attribute(CONTENT_TYPE, TST_INFO.to_der().unwrap()),
            attribute(MESSAGE_DIGEST, OctetString::new(digest).unwrap().to_der().unwrap()),
        ])
        .unwrap();
        let signature = self.sign(self.signers.1, &attributes.to_der().unwrap());
        let signer = SignerInfo {
            version: 1,
            signer: IssuerAndSerial {
                issuer: Name::from_str("CN=issuer,O=county").unwrap(),
                serial: certificate.tbs_certificate().serial_number().clone(),
            },
            digest: sm3.clone(),
            attributes,
            algorithm: certificate.signature_algorithm().clone(),
            signature: OctetString::new(signature).unwrap(),
        };
        let any = |der: Vec<u8>| SetOfVec::try_from(vec![Any::from_der(&der).unwrap()]).unwrap();
        let content = SignedData {
            version: 3,
            digests: SetOfVec::try_from(vec![sm3]).unwrap(),
            encapsulated: Encapsulated {
                kind: TST_INFO,
                content: OctetString::new(content).unwrap(),
            },
            certificates: any(certificate.to_der().unwrap()),
            signers: any(signer.to_der().unwrap()),
        };
        let token = Some(Token { kind: self.kind, content });
        Reply { status: Status { status: 0, text: None, failure: None }, token }.to_der().unwrap()
    }

    fn read(&self) -> Result<Stamp, Problem> {
        read(&self.reply(), &DIGEST, Some(&NONCE), &self.issuers(), NOW)
    }
}

#[test]
fn a_genuine_stamp_says_when() {
    for kind in SIGNED_DATA {
        let stamp = Parts { kind, ..Parts::good() }.read().unwrap();
        assert_eq!(stamp.at, datetime!(2026-11-26 08:00:00.25 UTC));
        assert_eq!(stamp.accuracy, Some(Duration::milliseconds(1500)));
        assert_eq!((stamp.serial.as_str(), stamp.stamper.as_str()), ("4007", "02"));
    }
    let signs: &[u8] = &[3, 2, 6, 0xc0];
    assert!(Parts { more: Some((KeyUsage::OID, signs)), ..Parts::good() }.read().is_ok());
}

#[test]
fn a_stamp_that_is_false_in_any_way_is_refused() {
    let foreign = problems::STAMP_NOT_GENUINE;
    let client_auth = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
    let both = vec![TIME_STAMPING, client_auth];
    let name_constraints = ObjectIdentifier::new_unwrap("2.5.29.30");
    let good = Parts::good;
    #[rustfmt::skip]
    let cases: Vec<(&str, Parts, Problem)> = vec![
        ("another file", Parts { digest: [4; 32], ..good() }, problems::STAMP_OTHER_FILE),
        ("another query", Parts { nonce: [9; 16], ..good() }, foreign),
        ("certified by itself", Parts { signers: (1, 1), ..good() }, foreign),
        ("signed by another key", Parts { signers: (0, 0), ..good() }, foreign),
        ("certified for logins", Parts { purposes: vec![client_auth], ..good() }, foreign),
        ("certified for more", Parts { purposes: both, ..good() }, foreign),
        ("not critical", Parts { critical: false, ..good() }, foreign),
        ("critical and unknown", Parts { more: Some((name_constraints, &[0x30, 0])), ..good() }, foreign),
        ("a key for certificates", Parts { more: Some((KeyUsage::OID, &[3, 2, 2, 4])), ..good() }, foreign),
        ("an authority", Parts { more: Some((BasicConstraints::OID, &[0x30, 3, 1, 1, 0xff])), ..good() }, foreign),
        ("another certificate", Parts { meant: Some([1; 32]), ..good() }, foreign),
        ("another statement", Parts { signed_digest: Some([1; 32]), ..good() }, foreign),
        ("yet to come", Parts { time: "20261126080501Z", ..good() }, foreign),
        ("before the certificate", Parts { time: "19691231235959Z", ..good() }, foreign),
        ("no such day", Parts { time: "20260230080000Z", ..good() }, problems::STAMP_MALFORMED),
        ("local time", Parts { time: "20261126080000", ..good() }, problems::STAMP_MALFORMED),
        ("another message", Parts { kind: TST_INFO, ..good() }, problems::STAMP_MALFORMED),
    ];
    for (what, parts, problem) in cases {
        assert_eq!(parts.read(), Err(problem), "{what}");
    }
    let parts = Parts::good();
    let unknown = read(&parts.reply(), &DIGEST, None, &[], NOW);
    assert_eq!(unknown, Err(problems::STAMP_ISSUER_UNKNOWN));
    // Rejected, with and without a reason.
    for reply in [&[0x30, 5, 0x30, 3, 2, 1, 2][..], &[0x30, 9, 0x30, 7, 2, 1, 2, 3, 2, 5, 0x20]] {
        let refused = read(reply, &DIGEST, None, &[], NOW);
        assert_eq!(refused, Err(problems::TIME_NOT_STAMPED));
    }
    let long = read(&vec![0x30; LIMIT + 1], &DIGEST, None, &[], NOW);
    assert_eq!(long, Err(problems::STAMP_MALFORMED));
}

#[test]
fn no_octet_can_be_changed() {
    let parts = Parts::good();
    let (reply, issuers) = (parts.reply(), parts.issuers());
    for at in 0..reply.len() {
        let mut changed = reply.clone();
        changed[at] ^= 1;
        // Granted with modifications is granted.
        let verdict = read(&changed, &DIGEST, Some(&NONCE), &issuers, NOW);
        assert_eq!(verdict.is_ok(), at == 8, "octet {at}: {verdict:?}");
        assert!(read(&reply[..at], &DIGEST, None, &issuers, NOW).is_err(), "{at} octets");
    }
}

proptest! {
    #[test]
    fn random_octets_are_no_stamp(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&octets, &DIGEST, None, &[], NOW).is_err());
    }
}
