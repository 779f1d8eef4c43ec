use std::str::FromStr as _;

use time::macros::datetime;
use x509_cert::ext::Extension;

use super::*;
use crate::identity::{ClientKey, sample};

const NOW: OffsetDateTime = datetime!(2026-11-26 08:00 UTC);
const NONCE_OCTETS: [u8; 32] = [7; 32];

/// What a response is made of; a case changes one thing.
struct Parts {
    issuer_key: ClientKey,
    key: ClientKey,
    /// Who signs the responder's certificate, and who the response; 0 is the issuer.
    signers: (usize, usize),
    purpose: ObjectIdentifier,
    no_check: ObjectIdentifier,
    /// Serial number that is answered about.
    serial: u8,
    nonce: [u8; 32],
    status: CertificateStatus,
    times: (OffsetDateTime, OffsetDateTime),
    critical: bool,
}

impl Parts {
    fn good() -> Self {
        Self {
            issuer_key: ClientKey::generate().unwrap(),
            key: ClientKey::generate().unwrap(),
            signers: (0, 1),
            purpose: OCSP_SIGNING,
            no_check: NO_CHECK,
            serial: 9,
            nonce: NONCE_OCTETS,
            status: CertificateStatus::Good(Null),
            times: (NOW, NOW + Duration::HOUR),
            critical: false,
        }
    }

    fn issuer(&self) -> Certificate {
        let issuer = sample::certificate_of(&self.issuer_key, 1, "CN=issuer,O=county");
        Certificate::from_der(issuer.der()).unwrap()
    }

    fn sign(&self, signer: usize, octets: &[u8]) -> BitString {
        let signer = [&self.issuer_key, &self.key][signer];
        BitString::from_bytes(
            &Signature::try_from(&signer.sign(octets)[..]).unwrap().to_der().to_bytes(),
        )
        .unwrap()
    }

    fn responder(&self) -> Certificate {
        let extension = |extn_id, value: Vec<u8>| Extension {
            extn_id,
            critical: false,
            extn_value: OctetString::new(value).unwrap(),
        };
        let extensions: Extensions = vec![
            extension(
                ObjectIdentifier::new_unwrap("2.5.29.37"),
                ExtendedKeyUsage(vec![self.purpose]).to_der().unwrap(),
            ),
            extension(self.no_check, vec![5, 0]),
        ];
        let body = sample::body_of(&self.key, 2, "CN=responder", &extensions.to_der().unwrap());
        let signature = self.sign(self.signers.0, &body).to_der().unwrap();
        let der = sample::tlv(0x30, &[body, sample::algorithm(), signature].concat());
        Certificate::from_der(&der).unwrap()
    }

    fn response(self) -> Vec<u8> {
        let issuer = self.issuer();
        let question = question(&issuer, self.serial, &self.nonce);
        let time = |at: OffsetDateTime| {
            let since = at - OffsetDateTime::UNIX_EPOCH;
            GeneralizedTime::from_unix_duration(since.unsigned_abs()).unwrap()
        };
        let extension = Extension {
            extn_id: if self.critical { NO_CHECK } else { NONCE },
            critical: self.critical,
            extn_value: question.nonce.clone().unwrap(),
        };
        let nonce = question.nonce.unwrap();
        let nonce = Extension { extn_id: NONCE, critical: false, extn_value: nonce };
        let data = ResponseData {
            responder: ResponderId::Name(Name::from_str("CN=responder").unwrap()),
            produced_at: time(self.times.0),
            list: vec![SingleResponse {
                id: question.id,
                status: match &self.status {
                    CertificateStatus::Good(_) => CertificateStatus::Good(Null),
                    CertificateStatus::Unknown(_) => CertificateStatus::Unknown(Null),
                    CertificateStatus::Revoked(Revoked { at, reason }) => {
                        CertificateStatus::Revoked(Revoked { at: *at, reason: *reason })
                    }
                },
                this_update: time(self.times.0),
                next_update: time(self.times.1),
                extensions: self.critical.then(|| vec![extension]),
            }],
            extensions: Some(vec![nonce]),
        };
        let basic = BasicResponse {
            signature: self.sign(self.signers.1, &data.to_der().unwrap()),
            data,
            algorithm: AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None },
            certificates: Some(vec![self.responder()]),
        };
        let response = OctetString::new(basic.to_der().unwrap()).unwrap();
        let bytes = Some(ResponseBytes { kind: BASIC, response });
        OcspResponse { status: ResponseStatus::Successful, bytes }.to_der().unwrap()
    }
}

fn question<'a>(issuer: &'a Certificate, serial: u8, nonce: &[u8; 32]) -> Question<'a> {
    Question::new(issuer, &SerialNumber::new(&[serial]).unwrap(), nonce).unwrap()
}

#[test]
fn a_genuine_answer_says_how_the_certificate_stands() {
    let at = datetime!(2026-11-25 08:00 UTC);
    let since =
        GeneralizedTime::from_unix_duration((at - OffsetDateTime::UNIX_EPOCH).unsigned_abs());
    let since = since.unwrap();
    let revoked = |reason| CertificateStatus::Revoked(Revoked { at: since, reason });
    for (status, standing) in [
        (CertificateStatus::Good(Null), Standing::Good),
        (CertificateStatus::Unknown(Null), Standing::Unknown),
        (revoked(Some(CrlReason::KeyCompromise)), Standing::Revoked(at, Some(1))),
        (revoked(None), Standing::Revoked(at, None)),
    ] {
        let parts = Parts { status, ..Parts::good() };
        let issuer = parts.issuer();
        let answer = question(&issuer, 9, &NONCE_OCTETS).read(&parts.response(), NOW).unwrap();
        assert_eq!(answer.standing, standing);
        assert_eq!((answer.this_update, answer.next_update), (NOW, NOW + Duration::HOUR));
    }
}

#[test]
fn an_answer_that_is_not_the_issuers_or_not_to_this_question_is_refused() {
    let foreign = problems::STATUS_NOT_GENUINE;
    let client_auth = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
    let late = NOW - Duration::HOUR;
    let cases: Vec<(&str, Parts, Problem)> = vec![
        ("certified by itself", Parts { signers: (1, 1), ..Parts::good() }, foreign),
        ("signed by another key", Parts { signers: (0, 0), ..Parts::good() }, foreign),
        ("certified for logins", Parts { purpose: client_auth, ..Parts::good() }, foreign),
        ("revocable", Parts { no_check: client_auth, ..Parts::good() }, foreign),
        ("about another certificate", Parts { serial: 8, ..Parts::good() }, foreign),
        ("to another question", Parts { nonce: [8; 32], ..Parts::good() }, foreign),
        ("not understood", Parts { critical: true, ..Parts::good() }, foreign),
        (
            "over",
            Parts { times: (late, NOW - TOLERANCE - Duration::SECOND), ..Parts::good() },
            problems::STATUS_STALE,
        ),
        (
            "yet to come",
            Parts {
                times: (NOW + TOLERANCE + Duration::SECOND, NOW + Duration::HOUR),
                ..Parts::good()
            },
            problems::STATUS_STALE,
        ),
    ];
    for (what, parts, problem) in cases {
        let issuer = parts.issuer();
        let refused = question(&issuer, 9, &NONCE_OCTETS).read(&parts.response(), NOW);
        assert_eq!(refused, Err(problem), "{what}");
    }
}

#[test]
fn a_service_that_says_nothing_is_told_apart() {
    let issuer = Parts::good().issuer();
    let question = question(&issuer, 9, &NONCE_OCTETS);
    for (code, problem) in [
        (1, problems::STATUS_UNAVAILABLE),
        (3, problems::STATUS_UNAVAILABLE),
        (4, problems::SERVICE_ANSWER_MALFORMED),
        (6, problems::STATUS_FOREIGN),
        (0, problems::SERVICE_ANSWER_MALFORMED),
    ] {
        assert_eq!(question.read(&[0x30, 3, 0x0a, 1, code], NOW), Err(problem), "{code}");
    }
    assert_eq!(question.read(&vec![0x30; LIMIT + 1], NOW), Err(problems::SERVICE_ANSWER_MALFORMED));
}

#[test]
fn no_octet_can_be_changed() {
    let parts = Parts::good();
    let issuer = parts.issuer();
    let question = question(&issuer, 9, &NONCE_OCTETS);
    let response = parts.response();
    for at in 0..response.len() {
        let mut changed = response.clone();
        changed[at] ^= 1;
        assert!(question.read(&changed, NOW).is_err(), "octet {at}");
        assert!(question.read(&response[..at], NOW).is_err(), "{at} octets");
    }
}

/// Whoever keeps an answer has the question no more, and takes it for the time it was given at.
#[test]
fn an_answer_that_was_kept_is_read_as_it_was_then() {
    let issuer = Parts::good();
    let (authority, response) = (issuer.issuer(), issuer.response());
    let serial = |number| SerialNumber::new(&[number]).unwrap();
    let asked = |number| Question::asked(&authority, &serial(number)).unwrap();
    assert_eq!(asked(9).read(&response, NOW).unwrap().standing, Standing::Good);
    assert_eq!(asked(8).read(&response, NOW), Err(problems::STATUS_NOT_GENUINE));
    let later = NOW + Duration::HOUR + TOLERANCE + Duration::SECOND;
    assert_eq!(asked(9).read(&response, later), Err(problems::STATUS_STALE));
    let other = Parts::good().issuer();
    let question = Question::asked(&other, &serial(9)).unwrap();
    assert!(question.read(&response, NOW).is_err(), "another authority of the same name");
}
