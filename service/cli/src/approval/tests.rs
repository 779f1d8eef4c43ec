use der::{Encode as _, asn1::BitString};
use time::macros::datetime;

use super::*;
use crate::identity::{certificate_request, sample};

const NOW: OffsetDateTime = datetime!(2026-11-27 08:00 UTC);
const ENTERER: &str = "01936f00-0000-7000-8000-0000000000e1";
const REVIEWER: &str = "01936f00-0000-7000-8000-0000000000e2";
const NURSE: &str = "01936f00-0000-7000-8000-0000000000aa";
const HOSPITAL: &str = "01936f00-0000-7000-8000-0000000000bb";

/// Two operators, a nurse, and who certified them.
struct Office {
    issuer: ClientKey,
    keys: [ClientKey; 3],
}

impl Office {
    fn new() -> Self {
        let key = || ClientKey::generate().unwrap();
        Self { issuer: key(), keys: [key(), key(), key()] }
    }

    fn issuers(&self) -> [Issuer; 1] {
        let issuer = sample::certificate_of(&self.issuer, 1, "CN=issuer,O=county");
        [Issuer::from_der(issuer.der()).unwrap()]
    }

    fn certificate(&self, holder: usize, subject: &str) -> Vec<u8> {
        let none = sample::tlv(0x30, &[]);
        let body = sample::body_of(&self.keys[holder], 7, subject, &none);
        let signature = BitString::from_bytes(&self.issuer.sign_der(&body)).unwrap();
        sample::tlv(0x30, &[body, sample::algorithm(), signature.to_der().unwrap()].concat())
    }

    fn operator(&self, holder: usize, id: &str) -> Vec<u8> {
        self.certificate(holder, &format!("CN={id},OU=operator,O={HOSPITAL},C=CN"))
    }

    fn statement(&self) -> Statement {
        let identity = v1::Identity {
            identity_id: NURSE.to_owned(),
            institution_id: HOSPITAL.to_owned(),
            role: v1::Role::Nurse.into(),
            ..v1::Identity::default()
        };
        let entry = Entry {
            id: "e",
            service: "county",
            identity: &identity,
            certificates: v1::CertificateSet::Signing,
            days: 0,
            request: &certificate_request(&self.keys[2]).unwrap(),
        };
        entry.statement(NOW).unwrap()
    }

    /// An enrolment that was approved, as the service gives it.
    fn enrolment(&self) -> v1::Enrolment {
        let statement = self.statement();
        let entry = v1::SignedStatement {
            identity_id: ENTERER.to_owned(),
            certificate: self.operator(0, ENTERER),
            ..sign(&self.keys[0], &statement)
        };
        let review = self.reviewed(&review(&statement, &entry, None, NOW));
        v1::Enrolment {
            enrolment_id: "e".to_owned(),
            identity_id: NURSE.to_owned(),
            certificates: v1::CertificateSet::Signing.into(),
            state: State::Approved.into(),
            entry: Some(entry),
            review: Some(review),
            serial: "07".to_owned(),
            certificate: self.certificate(2, &format!("CN={NURSE},OU=nurse,O={HOSPITAL},C=CN")),
            ..v1::Enrolment::default()
        }
    }

    fn reviewed(&self, statement: &Statement) -> v1::SignedStatement {
        v1::SignedStatement {
            identity_id: REVIEWER.to_owned(),
            certificate: self.operator(1, REVIEWER),
            ..sign(&self.keys[1], statement)
        }
    }
}

#[test]
fn two_signatures_about_one_certificate_are_good() {
    let office = Office::new();
    let found = approvals(&office.enrolment(), "county", &office.issuers()).unwrap();
    assert_eq!(found.entry, office.statement());
    assert_eq!(found.entry.at, "2026-11-27T08:00:00.000000Z");
    assert!(matches!(found.review.unwrap().step, Step::Approval { .. }));

    let mut rejected = office.enrolment();
    let entry = rejected.entry.clone().unwrap();
    let why = review(&office.statement(), &entry, Some("科室有误"), NOW);
    rejected.review = Some(office.reviewed(&why));
    rejected.rejection = "科室有误".to_owned();
    rejected.state = State::Rejected.into();
    (rejected.serial, rejected.certificate) = (String::new(), Vec::new());
    approvals(&rejected, "county", &office.issuers()).unwrap();
    rejected.rejection = "其他理由".to_owned();
    let refused = approvals(&rejected, "county", &office.issuers()).unwrap_err();
    assert_eq!(refused.reason, "APPROVAL_NOT_GENUINE");
}

#[test]
fn what_does_not_hold_together_is_not_believed() {
    let office = Office::new();
    type Change = fn(&mut v1::Enrolment, &Office);
    let cases: [(&str, Change); 15] = [
        ("no entry", |it, _| it.entry = None),
        ("approved by nobody", |it, _| it.review = None),
        ("approved by who entered it", |it, office| {
            let entry = it.entry.clone().unwrap();
            let again = review(&office.statement(), &entry, None, NOW);
            let signed = sign(&office.keys[0], &again);
            it.review = Some(v1::SignedStatement {
                text: signed.text,
                signature: signed.signature,
                ..entry
            });
        }),
        ("another entry than was approved", |it, office| {
            let later =
                Statement { at: written(NOW + time::Duration::SECOND), ..office.statement() };
            let signed = sign(&office.keys[0], &later);
            let before = it.entry.clone().unwrap();
            it.entry = Some(v1::SignedStatement {
                text: signed.text,
                signature: signed.signature,
                ..before
            });
        }),
        ("a review of another person", |it, office| {
            let entry = it.entry.clone().unwrap();
            let other = Statement { identity: REVIEWER.into(), ..office.statement() };
            it.review = Some(office.reviewed(&review(&other, &entry, None, NOW)));
        }),
        ("signed in the name of another", |it, _| {
            it.review.as_mut().unwrap().identity_id = NURSE.into();
        }),
        ("entered by a nurse", |it, office| {
            let subject = format!("CN={ENTERER},OU=nurse,O={HOSPITAL},C=CN");
            it.entry.as_mut().unwrap().certificate = office.certificate(0, &subject);
        }),
        ("reviewed by an auditor", |it, office| {
            let subject = format!("CN={REVIEWER},OU=auditor,O={HOSPITAL},C=CN");
            it.review.as_mut().unwrap().certificate = office.certificate(1, &subject);
        }),
        ("signed after the certificate", |it, office| {
            let entry = it.entry.clone().unwrap();
            let late = datetime!(2090-01-01 08:00 UTC);
            it.review = Some(office.reviewed(&review(&office.statement(), &entry, None, late)));
        }),
        ("a bit of a signature", |it, _| it.entry.as_mut().unwrap().signature[9] ^= 1),
        ("another enrolment", |it, _| it.enrolment_id = "f".into()),
        ("a pair", |it, _| it.certificates = v1::CertificateSet::Pair.into()),
        ("a certificate for another key", |it, office| {
            it.certificate =
                office.certificate(1, &format!("CN={NURSE},OU=nurse,O={HOSPITAL},C=CN"));
        }),
        ("a certificate that says something else", |it, office| {
            let identifier = v1::CertificateIdentifier {
                oid: "1.2.86.21.1.1".into(),
                value: vec![0x0C, 1, 0x41],
                ..v1::CertificateIdentifier::default()
            };
            let identifiers = Some(told(&[identifier]).unwrap());
            let stated = Statement { identifiers, ..office.statement() };
            let entry = v1::SignedStatement {
                identity_id: ENTERER.to_owned(),
                certificate: office.operator(0, ENTERER),
                ..sign(&office.keys[0], &stated)
            };
            it.review = Some(office.reviewed(&review(&stated, &entry, None, NOW)));
            it.entry = Some(entry);
        }),
        ("a certificate with another role", |it, office| {
            it.certificate =
                office.certificate(2, &format!("CN={NURSE},OU=operator,O={HOSPITAL},C=CN"));
        }),
    ];
    for (what, change) in cases {
        let mut enrolment = office.enrolment();
        change(&mut enrolment, &office);
        let refused = approvals(&enrolment, "county", &office.issuers()).unwrap_err();
        assert_eq!(refused.reason, "APPROVAL_NOT_GENUINE", "{what}");
    }
    let elsewhere = approvals(&office.enrolment(), "other", &office.issuers()).unwrap_err();
    assert_eq!(elsewhere.reason, "APPROVAL_NOT_GENUINE");
    let unknown = approvals(&office.enrolment(), "county", &[]).unwrap_err();
    assert_eq!(unknown.reason, "APPROVAL_ISSUER_UNKNOWN");
    // Who certified the signers is another one of the same name.
    let forged = Office::new().issuers();
    let refused = approvals(&office.enrolment(), "county", &forged).unwrap_err();
    assert_eq!(refused.reason, "APPROVAL_NOT_GENUINE");
}
