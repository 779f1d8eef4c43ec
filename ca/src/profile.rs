//! What each kind of certificate contains, as a table.

use crate::extension::{ExtendedKeyUsage, KeyUsage};

/// Which authority an issuing key belongs to. Each signs its own kinds of certificates and no
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authority {
    /// The root (根 CA): vouches for the issuing authorities.
    Root,
    /// Issues to clinicians and other staff (人员).
    People,
    /// Issues to institutions (机构).
    Institutions,
    /// Issues to desks, systems and the service itself (设备).
    Devices,
}

/// Kind of certificate, one of the six of the health sector (卫生系统数字证书格式规范) or an authority's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The root's own certificate, signed by itself.
    Root,
    /// An authority below the root.
    IssuingAuthority,
    /// An institution's seal-like key: logs in, signs records.
    Institution,
    /// A clinician or another member of staff: logs in, signs records.
    Person,
    /// The device of a front desk: logs in, signs no record.
    Device,
    /// A system of an institution, such as an EMR: logs in, signs no record.
    System,
    /// The service itself: answers on the national listener and signs for itself.
    Service,
    /// Answers for its issuer what the status of the issuer's certificates is (OCSP). Short-lived,
    /// as it is never revoked (id-pkix-ocsp-nocheck).
    StatusResponder,
    /// Says when something was seen (时间戳服务机构, TSA).
    TimeStamping,
    /// The encryption certificate (加密证书) that goes with one of [`Institution`](Self::Institution).
    InstitutionEncryption,
    /// The encryption certificate that goes with one of [`Person`](Self::Person).
    PersonEncryption,
    /// The encryption certificate that goes with one of [`Device`](Self::Device).
    DeviceEncryption,
    /// The encryption certificate that goes with one of [`System`](Self::System).
    SystemEncryption,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Who may sign such a certificate; `None` where each authority signs its own.
    pub(crate) issued_by: Option<Authority>,
    /// Most days of validity, and what is given when nothing is asked for.
    pub(crate) days: u32,
    pub(crate) key_usage: KeyUsage,
    /// Purposes; empty for authorities, whose keys are not restricted by them.
    pub(crate) purposes: &'static [ExtendedKeyUsage],
    /// Whether the purposes are critical.
    pub(crate) purposes_critical: bool,
    /// Whether the certificate says that it is never revoked.
    pub(crate) no_check: bool,
    /// Whether the holder is an authority, and how many may follow below it.
    pub(crate) path_length: Option<u8>,
    /// Whose name the subject is.
    pub(crate) subject: Subject,
}

/// What the subject of a certificate has to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// [`Name::of_authority`](crate::Name::of_authority).
    Authority,
    /// [`Name::of_identity`](crate::Name::of_identity).
    Identity,
}

const AUTHORITY: KeyUsage = KeyUsage::CERTIFICATE_SIGNING.and(KeyUsage::CRL_SIGNING);
const BINDING: KeyUsage = KeyUsage::DIGITAL_SIGNATURE.and(KeyUsage::CONTENT_COMMITMENT);
const PRESENCE: KeyUsage = KeyUsage::DIGITAL_SIGNATURE;
/// Nothing that signs: others keep a copy of these keys.
const SECRECY: KeyUsage =
    KeyUsage::KEY_ENCIPHERMENT.and(KeyUsage::DATA_ENCIPHERMENT).and(KeyUsage::KEY_AGREEMENT);

use ExtendedKeyUsage::{ClientAuth, DocumentSigning, OcspSigning, ServerAuth, TimeStamping};

const ROOT: Option<Authority> = Some(Authority::Root);
const PEOPLE: Option<Authority> = Some(Authority::People);
const INSTITUTIONS: Option<Authority> = Some(Authority::Institutions);
const DEVICES: Option<Authority> = Some(Authority::Devices);

/// Periods: end entities 1 to 3 years, issuing authorities 10, the root 20 to 30, as published
/// practice statements have them.
#[rustfmt::skip]
static TABLE: [(Profile, Rules); 13] = [
    (Profile::Root,             Rules { issued_by: ROOT,         days: 20 * 365, key_usage: AUTHORITY, purposes: &[],                            purposes_critical: false, no_check: false, path_length: Some(1), subject: Subject::Authority }),
    (Profile::IssuingAuthority, Rules { issued_by: ROOT,         days: 10 * 365, key_usage: AUTHORITY, purposes: &[],                            purposes_critical: false, no_check: false, path_length: Some(0), subject: Subject::Authority }),
    (Profile::Institution,      Rules { issued_by: INSTITUTIONS, days: 3 * 365,  key_usage: BINDING,   purposes: &[ClientAuth, DocumentSigning], purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
    (Profile::Person,           Rules { issued_by: PEOPLE,       days: 2 * 365,  key_usage: BINDING,   purposes: &[ClientAuth, DocumentSigning], purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
    (Profile::Device,           Rules { issued_by: DEVICES,      days: 2 * 365,  key_usage: PRESENCE,  purposes: &[ClientAuth],                  purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
    (Profile::System,           Rules { issued_by: DEVICES,      days: 2 * 365,  key_usage: PRESENCE,  purposes: &[ClientAuth],                  purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
    (Profile::Service,          Rules { issued_by: DEVICES,      days: 365,      key_usage: PRESENCE,  purposes: &[ServerAuth, ClientAuth],      purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Authority }),
    (Profile::StatusResponder,  Rules { issued_by: None,         days: 90,       key_usage: PRESENCE,  purposes: &[OcspSigning],                 purposes_critical: false, no_check: true,  path_length: None,    subject: Subject::Authority }),
    (Profile::TimeStamping,     Rules { issued_by: DEVICES,      days: 3 * 365,  key_usage: BINDING,   purposes: &[TimeStamping],                purposes_critical: true,  no_check: false, path_length: None,    subject: Subject::Authority }),
    (Profile::InstitutionEncryption, Rules { issued_by: INSTITUTIONS, days: 3 * 365 , key_usage: SECRECY,   purposes: &[],                            purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
    (Profile::PersonEncryption, Rules { issued_by: PEOPLE, days: 2 * 365 , key_usage: SECRECY,   purposes: &[],                            purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
    (Profile::DeviceEncryption, Rules { issued_by: DEVICES, days: 2 * 365 , key_usage: SECRECY,   purposes: &[],                            purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
    (Profile::SystemEncryption, Rules { issued_by: DEVICES, days: 2 * 365 , key_usage: SECRECY,   purposes: &[],                            purposes_critical: false, no_check: false, path_length: None,    subject: Subject::Identity }),
];

impl Profile {
    /// Most days a certificate of this kind is valid, and what it gets when nothing else is asked
    /// for.
    pub fn days(self) -> u32 {
        self.rules().days
    }

    /// The one authority that signs certificates of this kind; `None` where each signs its own.
    pub fn issued_by(self) -> Option<Authority> {
        self.rules().issued_by
    }

    /// The kind of encryption certificate that makes a pair (双证书) with a signing certificate of this
    /// kind; `None` for kinds that come alone. Both have the same holder, authority and validity.
    pub fn encryption(self) -> Option<Self> {
        match self {
            Self::Institution => Some(Self::InstitutionEncryption),
            Self::Person => Some(Self::PersonEncryption),
            Self::Device => Some(Self::DeviceEncryption),
            Self::System => Some(Self::SystemEncryption),
            Self::Root
            | Self::IssuingAuthority
            | Self::Service
            | Self::StatusResponder
            | Self::TimeStamping
            | Self::InstitutionEncryption
            | Self::PersonEncryption
            | Self::DeviceEncryption
            | Self::SystemEncryption => None,
        }
    }

    pub(crate) fn rules(self) -> &'static Rules {
        let row = TABLE.iter().find(|(profile, _)| *profile == self);
        &row.expect("the table has a row for each profile").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_one_row() {
        for profile in [
            Profile::Root,
            Profile::IssuingAuthority,
            Profile::Institution,
            Profile::Person,
            Profile::Device,
            Profile::System,
            Profile::Service,
            Profile::StatusResponder,
            Profile::TimeStamping,
            Profile::InstitutionEncryption,
            Profile::PersonEncryption,
            Profile::DeviceEncryption,
            Profile::SystemEncryption,
        ] {
            assert_eq!(TABLE.iter().filter(|(row, _)| *row == profile).count(), 1, "{profile:?}");
        }
    }

    #[test]
    fn only_authorities_sign_certificates_and_only_binding_keys_sign_records() {
        for (profile, rules) in &TABLE {
            let authority = matches!(profile, Profile::Root | Profile::IssuingAuthority);
            assert_eq!(rules.path_length.is_some(), authority, "{profile:?}");
            assert_eq!(
                rules.key_usage.contains(KeyUsage::CERTIFICATE_SIGNING),
                authority,
                "{profile:?}"
            );
            let binds = [DocumentSigning, TimeStamping];
            assert_eq!(
                rules.key_usage.contains(KeyUsage::CONTENT_COMMITMENT),
                rules.purposes.iter().any(|purpose| binds.contains(purpose)),
                "{profile:?}"
            );
        }
    }

    #[test]
    fn the_two_of_a_pair_differ_in_what_their_keys_do_and_in_nothing_else() {
        let signs = [
            KeyUsage::DIGITAL_SIGNATURE,
            KeyUsage::CONTENT_COMMITMENT,
            KeyUsage::CERTIFICATE_SIGNING,
            KeyUsage::CRL_SIGNING,
        ];
        let mut pairs = 0;
        for (profile, signing) in &TABLE {
            let Some(encryption) = profile.encryption().map(Profile::rules) else { continue };
            assert_eq!(encryption.issued_by, signing.issued_by, "{profile:?}");
            assert_eq!(encryption.days, signing.days, "{profile:?}");
            assert_eq!(encryption.subject, signing.subject, "{profile:?}");
            assert!(signing.key_usage.contains(KeyUsage::DIGITAL_SIGNATURE), "{profile:?}");
            assert!(!signs.iter().any(|bit| encryption.key_usage.contains(*bit)), "{profile:?}");
            assert!(encryption.key_usage.contains(SECRECY) && encryption.purposes.is_empty());
            pairs += 1;
        }
        assert_eq!(pairs, 4);
    }
}
