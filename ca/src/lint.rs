//! What every certificate must be, looked at before its issuer signs it (签发前检查): the octets that will be signed
//! are read back, and a table of rules is held against them. The rules do not know how the octets came to be.

use hsm::sm2::PublicKey;
use time::Duration;

use crate::{
    Certificate, CertificateError, KeyUsage, Name,
    extension::{ExtendedKeyUsage, KeyIdentifier},
    identifying,
};

/// Longest life of a certificate, that of a root (published practice statements).
const LONGEST: Duration = Duration::days(30 * 366);

/// Why a certificate is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LintError {
    /// What would be signed cannot be read as a certificate.
    #[error("reading what would be signed")]
    Unreadable(#[from] CertificateError),
    /// A rule of the table does not hold.
    #[error("the certificate would break the rule {rule}: {says}")]
    Broken {
        /// Name of the rule.
        rule: &'static str,
        /// What it asks for, and where that is written.
        says: &'static str,
    },
}

/// One rule: its name, what it asks for, and whether a certificate has it.
type Rule = (&'static str, &'static str, fn(&Certificate, &Signer<'_>) -> bool);

/// Who is about to sign.
struct Signer<'a> {
    name: &'a Name,
    key: &'a PublicKey,
    identifier: KeyIdentifier,
}

impl Signer<'_> {
    fn is_holder_of(&self, certificate: &Certificate) -> bool {
        certificate.public_key() == self.key
    }
}

#[rustfmt::skip]
static RULES: [Rule; 15] = [
    ("serial-length", "8 to 20 octets (RFC 5280, 4.1.2.2; 64 random bits)",
        |it, _| (8..=20).contains(&it.serial().octets().len())),
    ("issuer-name", "names its signer as issuer (RFC 5280, 4.1.2.4)",
        |it, signer| it.issuer() == signer.name),
    ("validity", "ends after it begins, within thirty years (RFC 5280, 4.1.2.5)",
        |it, _| it.not_before() < it.not_after() && it.not_after() - it.not_before() <= LONGEST),
    ("own-key", "the key of its signer only in the signer's own certificate",
        |it, signer| !signer.is_holder_of(it) || it.subject() == it.issuer()),
    ("own-name", "the name of its signer only for an authority: its own, or one that links two of its keys (RFC 4210, 4.4)",
        |it, _| it.subject() != it.issuer() || it.is_ca()),
    ("subject-key-identifier", "identifies its key (RFC 5280, 4.2.1.2)",
        |it, _| it.key_identifier() == Some(&KeyIdentifier::of(it.public_key()))),
    ("authority-key-identifier", "identifies its signer's key, unless that is its own (RFC 5280, 4.2.1.1)",
        |it, signer| match it.authority_key_identifier() {
            Some(identifier) => *identifier == signer.identifier,
            None => signer.is_holder_of(it),
        }),
    ("key-usage", "says what the key may do (GM/T 0015, keyUsage)",
        |it, _| it.key_usage().is_some()),
    ("authority-usage", "signs certificates and lists exactly if it is an authority's (RFC 5280, 4.2.1.3)",
        |it, _| has(it, AUTHORITY) == it.is_ca() && (it.is_ca() || !has_any(it, AUTHORITY))),
    ("path-length", "an authority says how many may follow below it",
        |it, _| it.is_ca() == it.path_length().is_some()),
    ("one-side-of-a-pair", "a key signs or encrypts, never both (GM/T 0034, dual certificates)",
        |it, _| !(has_any(it, SIGNS) && has_any(it, ENCRYPTS))),
    ("purposes-fit", "purposes are for keys that sign, and only those of nobody's other copy",
        |it, _| it.purposes().is_empty() || has_any(it, SIGNS)),
    ("records-bind", "signs records or stamps times exactly if it binds its holder (RFC 9336; RFC 3161, 2.3)",
        |it, _| has_any(it, KeyUsage::CONTENT_COMMITMENT) == it.purposes().iter().any(|purpose| BINDS.contains(purpose))),
    ("identifiers-are-of-holders", "says who the holder is besides the name only of an identity (GM/T 0015, identity extensions)",
        |it, _| it.others().is_empty() || it.subject().is_identity()),
    ("identifiers-are-plain", "identifies with short text in which no resident identity number is: whoever gets a signature has it",
        |it, _| it.others().iter().all(|other| identifying::is_plain(&other.value))),
];

const AUTHORITY: KeyUsage = KeyUsage::CERTIFICATE_SIGNING.and(KeyUsage::CRL_SIGNING);
const SIGNS: KeyUsage =
    KeyUsage::DIGITAL_SIGNATURE.and(KeyUsage::CONTENT_COMMITMENT).and(AUTHORITY);
const ENCRYPTS: KeyUsage =
    KeyUsage::KEY_ENCIPHERMENT.and(KeyUsage::DATA_ENCIPHERMENT).and(KeyUsage::KEY_AGREEMENT);
const BINDS: [ExtendedKeyUsage; 2] =
    [ExtendedKeyUsage::DocumentSigning, ExtendedKeyUsage::TimeStamping];

/// Holds the rules against a body that `key`, of this name and identifier, is about to sign.
pub(crate) fn check(
    body: &[u8],
    name: &Name,
    key: &PublicKey,
    identifier: KeyIdentifier,
) -> Result<(), LintError> {
    let certificate = Certificate::unsigned(body)?;
    let signer = Signer { name, key, identifier };
    match RULES.iter().find(|(.., holds)| !holds(&certificate, &signer)) {
        Some((rule, says, _)) => Err(LintError::Broken { rule, says }),
        None => Ok(()),
    }
}

fn has(certificate: &Certificate, uses: KeyUsage) -> bool {
    certificate.key_usage().is_some_and(|usage| usage.contains(uses))
}

fn has_any(certificate: &Certificate, uses: KeyUsage) -> bool {
    certificate.key_usage().is_some_and(|usage| usage.meets(uses))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::Duration;

    use super::*;
    use crate::{
        der::{tag, tlv},
        extension::{BasicConstraints, OtherExtension},
        workshop::{DEVICES_KEY, Forgery, Hospital, ISSUED, PEOPLE_KEY, key, serial},
    };

    fn broken(hospital: &Hospital, body: &[u8]) -> Option<&'static str> {
        let people = &hospital.people;
        let (name, key) = (people.certificate().subject(), people.certificate().public_key());
        match check(body, name, key, people.key_identifier()) {
            Ok(()) => None,
            Err(LintError::Broken { rule, .. }) => Some(rule),
            Err(LintError::Unreadable(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn each_rule_is_broken_by_what_it_is_for() {
        let hospital = Hospital::new();
        let good = Forgery::of(&hospital);
        assert_eq!(broken(&hospital, good.certificate().body()), None);
        type Change = fn(&mut Forgery, &Hospital);
        let cases: [(&str, Change); 15] = [
            ("serial-length", |it, _| it.serial = vec![tag::INTEGER, 1, 5]),
            ("issuer-name", |it, hospital| {
                it.issuer = hospital.devices.certificate().subject().der().to_vec();
            }),
            ("validity", |it, _| it.validity.1 = ISSUED + Duration::days(31 * 366)),
            ("own-key", |it, _| {
                it.key = key(PEOPLE_KEY).public().to_spki_der();
                it.extensions.subject_key = Some(KeyIdentifier::of(key(PEOPLE_KEY).public()));
            }),
            ("own-name", |it, _| it.subject.clone_from(&it.issuer)),
            ("subject-key-identifier", |it, _| it.extensions.subject_key = None),
            ("authority-key-identifier", |it, _| {
                it.extensions.authority_key = Some(KeyIdentifier::of(key(DEVICES_KEY).public()));
            }),
            ("key-usage", |it, _| it.extensions.key_usage = None),
            ("authority-usage", |it, _| {
                it.extensions.key_usage = Some(SIGNS);
            }),
            ("path-length", |it, _| {
                it.extensions.constraints = BasicConstraints::Authority { path_length: None };
                it.extensions.key_usage = Some(AUTHORITY);
                it.extensions.purposes.clear();
            }),
            ("one-side-of-a-pair", |it, _| {
                it.extensions.key_usage =
                    Some(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT);
            }),
            ("purposes-fit", |it, _| it.extensions.key_usage = Some(ENCRYPTS)),
            ("records-bind", |it, _| {
                it.extensions.key_usage = Some(KeyUsage::DIGITAL_SIGNATURE);
            }),
            ("identifiers-are-of-holders", |it, hospital| {
                it.subject = hospital.devices.certificate().subject().der().to_vec();
                it.extensions.others = vec![other(&[tag::PRINTABLE_STRING, 1, b'A'])];
            }),
            ("identifiers-are-plain", |it, _| {
                let number = tlv(tag::PRINTABLE_STRING, &[b"11010519491231002X"]);
                it.extensions.others = vec![other(&number)];
            }),
        ];
        for (rule, change) in cases {
            let mut forgery = Forgery::of(&hospital);
            change(&mut forgery, &hospital);
            assert_eq!(broken(&hospital, forgery.certificate().body()), Some(rule));
        }
        let shown: BTreeSet<_> = cases.iter().map(|(rule, _)| *rule).collect();
        assert_eq!(shown, RULES.iter().map(|(rule, ..)| *rule).collect());
    }

    fn other(value: &[u8]) -> OtherExtension {
        OtherExtension { oid: vec![0x2a, 0x56, 0x15, 1, 1], value: value.to_vec() }
    }

    #[test]
    fn what_cannot_be_read_is_not_signed() {
        let hospital = Hospital::new();
        let mut forgery = Forgery::of(&hospital);
        forgery.serial = serial(9).write();
        let mut body = forgery.certificate().body().to_vec();
        body.push(0);
        let people = hospital.people.certificate();
        let identifier = hospital.people.key_identifier();
        let refused = check(&body, people.subject(), people.public_key(), identifier);
        assert!(matches!(refused, Err(LintError::Unreadable(_))));
    }
}
