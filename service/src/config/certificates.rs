//! What certificates say of their holders besides the name: a table of identifying extensions.

use ca::{BadIdentifier, Document, Encoding, IdentifierOid, IdentifyingExtension, Profile};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Most rows of the table.
const MOST_ROWS: usize = 16;
/// Most rows that one certificate has.
const MOST_OF_ONE: usize = 8;
/// Most octets of what stands before a value.
const LONGEST_PREFIX: usize = 32;
/// Where the code of the authority goes.
const CODE: &str = "{ca}";

/// Names of the settings.
const TABLE: &str = "certificates.identifiers";
const OID: &str = "certificates.identifiers.*.oid";
const PREFIX: &str = "certificates.identifiers.*.prefix";
const ENCODING: &str = "certificates.identifiers.*.encoding";
const PROFILES: &str = "certificates.identifiers.*.profiles";

/// How certificates say who their holders are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawCertificates {
    /// Four digits of this authority in entity unique identifiers (实体唯一标识); 0000 has nobody.
    pub ca_code: String,
    /// Extensions that identify, in the order in which certificates have them; none when empty.
    pub identifiers: Vec<RawIdentifier>,
}

/// One identifying extension. It is never critical.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawIdentifier {
    /// Object identifier of the extension.
    pub oid: String,
    /// How its text is written.
    pub encoding: RawEncoding,
    /// What stands before the value; `{ca}` is the authority's code.
    #[serde(default)]
    pub prefix: String,
    /// Which value of the record it has.
    pub value: IdentifierSource,
    /// Kinds of certificates that have it; encryption certificates as the signing ones they make a pair with.
    pub profiles: Vec<IdentifiedProfile>,
}

/// See [`RawIdentifier::encoding`].
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawEncoding {
    /// UTF8String.
    Utf8,
    /// PrintableString.
    Printable,
    /// IA5String.
    Ia5,
    /// `IdentifyCode` of GM/T 0015, with the choice of a resident's card.
    IdentifyCodeResident,
    /// With the choice of an officer's card.
    IdentifyCodeOfficer,
    /// With the choice of a passport.
    IdentifyCodePassport,
}

/// A value of the record that can identify. The ID number is not among them: the service keeps a keyed digest of it
/// alone, and certificates go to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierSource {
    /// A keyed pseudonym: the same in all certificates of one person.
    Pseudonym,
    /// Number within the institution (工号).
    StaffNumber,
    /// Unified social credit code of the institution (统一社会信用代码).
    CreditCode,
    /// Identifier of the institution here.
    InstitutionId,
    /// Identifier of the identity here, which the name has as well.
    IdentityId,
}

/// Kinds of certificates that can have identifying extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifiedProfile {
    /// Staff.
    Person,
    /// Institutions.
    Institution,
    /// Desks.
    Device,
    /// Systems.
    System,
}

impl Default for RawCertificates {
    /// Persons and devices have the entity unique identifier with a pseudonym, and institutions their credit code.
    /// The kinds `JM` (假名, pseudonym) and `SB` (设备, device) are ours: `SF` says that an ID number follows.
    fn default() -> Self {
        use IdentifiedProfile::{Device, Institution, Person, System};
        let entity = |prefix: &str, profiles: &[IdentifiedProfile]| RawIdentifier {
            oid: "1.2.86.21.1.1".to_owned(),
            encoding: RawEncoding::Utf8,
            prefix: prefix.to_owned(),
            value: IdentifierSource::Pseudonym,
            profiles: profiles.to_vec(),
        };
        let credit_code = RawIdentifier {
            oid: "1.2.156.10260.4.1.4".to_owned(),
            encoding: RawEncoding::Printable,
            prefix: String::new(),
            value: IdentifierSource::CreditCode,
            profiles: vec![Institution],
        };
        let persons = entity("1@{ca}JM0", &[Person]);
        let devices = entity("1@{ca}SB0", &[Device, System]);
        Self { ca_code: "0000".to_owned(), identifiers: vec![persons, devices, credit_code] }
    }
}

/// How certificates say who their holders are, checked.
#[derive(Debug, Clone)]
pub struct CertificateRules {
    rows: Vec<IdentifierRow>,
}

/// One identifying extension, checked.
#[derive(Debug, Clone)]
pub struct IdentifierRow {
    oid: IdentifierOid,
    encoding: Encoding,
    prefix: String,
    /// Which value of the record it has.
    pub value: IdentifierSource,
    profiles: Vec<Profile>,
}

impl IdentifierRow {
    /// Which extension.
    #[must_use]
    pub fn oid(&self) -> IdentifierOid {
        self.oid
    }

    /// What stands before the value.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Words of the kinds of signing certificates that have it.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        let kinds = KINDS.iter().filter(|(profile, _)| self.profiles.contains(profile));
        kinds.map(|(_, word)| *word)
    }

    /// The extension with this value.
    ///
    /// # Errors
    /// [`BadIdentifier`] for a value that cannot be written so, or that certificates must not have.
    pub fn extension(&self, value: &str) -> Result<IdentifyingExtension, BadIdentifier> {
        let text = format!("{}{value}", self.prefix);
        IdentifyingExtension::new(self.oid, self.encoding, &text)
    }
}

/// Kinds of signing certificates, with their words in the settings.
const KINDS: [(Profile, &str); 4] = [
    (Profile::Person, "person"),
    (Profile::Institution, "institution"),
    (Profile::Device, "device"),
    (Profile::System, "system"),
];

impl IdentifierSource {
    /// Its word in the settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pseudonym => "pseudonym",
            Self::StaffNumber => "staff_number",
            Self::CreditCode => "credit_code",
            Self::InstitutionId => "institution_id",
            Self::IdentityId => "identity_id",
        }
    }
}

impl CertificateRules {
    /// All of them, in their order.
    #[must_use]
    pub fn rows(&self) -> &[IdentifierRow] {
        &self.rows
    }

    /// What a certificate of this kind has, in its order.
    pub fn rows_of(&self, profile: Profile) -> impl Iterator<Item = &IdentifierRow> {
        self.rows.iter().filter(move |row| row.profiles.contains(&profile))
    }

    /// Extensions by which holders are identified, now or in certificates of before and of others.
    #[must_use]
    pub fn oids(&self) -> Vec<IdentifierOid> {
        let mut oids: Vec<IdentifierOid> = Vec::new();
        for oid in self.rows.iter().map(|row| row.oid).chain(IdentifierOid::known()) {
            if !oids.contains(&oid) {
                oids.push(oid);
            }
        }
        oids
    }

    pub(super) fn check(raw: RawCertificates) -> Result<Self, ConfigError> {
        let code = raw.ca_code;
        if code.len() != 4 || !code.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(refused("certificates.ca_code", "four digits"));
        }
        if raw.identifiers.len() > MOST_ROWS {
            return Err(refused(TABLE, "at most 16"));
        }
        let rows = raw.identifiers.into_iter().map(|row| IdentifierRow::check(row, &code));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let rules = Self { rows };
        for (profile, _) in KINDS {
            let oids: Vec<_> = rules.rows_of(profile).map(|row| row.oid).collect();
            if oids.len() > MOST_OF_ONE {
                return Err(refused(PROFILES, "at most 8 extensions of one kind of certificate"));
            }
            if oids.iter().enumerate().any(|(at, oid)| oids[..at].contains(oid)) {
                return Err(refused(OID, "one row for each kind of certificate"));
            }
        }
        Ok(rules)
    }
}

impl IdentifierRow {
    fn check(raw: RawIdentifier, code: &str) -> Result<Self, ConfigError> {
        let oid = raw.oid.parse().map_err(|error| match error {
            BadIdentifier::Taken => {
                refused(OID, "none that has a meaning of its own in certificates")
            }
            _ => refused(OID, "an object identifier, such as 1.2.86.21.1.1"),
        })?;
        let prefix = raw.prefix.replace(CODE, code);
        if prefix.len() > LONGEST_PREFIX || prefix.contains(['{', '}']) {
            return Err(refused(
                PREFIX,
                "at most 32 octets, with {ca} for the code and no other braces",
            ));
        }
        // The kind of what follows stands after `1@` and the code; SF is an ID number.
        if prefix.starts_with("1@") && prefix.get(6..8) == Some("SF") {
            return Err(refused(PREFIX, "another kind than SF: no ID number follows, ever"));
        }
        let encoding = match raw.encoding {
            RawEncoding::Utf8 => Encoding::Utf8,
            RawEncoding::Printable => Encoding::Printable,
            RawEncoding::Ia5 => Encoding::Ia5,
            RawEncoding::IdentifyCodeResident => Encoding::IdentifyCode(Document::ResidentCard),
            RawEncoding::IdentifyCodeOfficer => Encoding::IdentifyCode(Document::OfficerCard),
            RawEncoding::IdentifyCodePassport => Encoding::IdentifyCode(Document::Passport),
        };
        if raw.profiles.is_empty() {
            return Err(refused(PROFILES, "person, institution, device or system"));
        }
        let profiles = raw.profiles.iter().flat_map(|profile| profile.kinds()).collect();
        let row = Self { oid, encoding, prefix, value: raw.value, profiles };
        // A value of each kind, with the characters that it may have.
        let sample = match raw.value {
            IdentifierSource::StaffNumber => "医",
            _ => "A-1",
        };
        match row.extension(sample) {
            Ok(_) => Ok(row),
            Err(BadIdentifier::IdNumber) => Err(refused(PREFIX, "no ID number")),
            Err(_) => Err(refused(ENCODING, "one that has the characters of prefix and value")),
        }
    }
}

impl IdentifiedProfile {
    /// The signing certificates, and the encryption certificates of their pairs.
    fn kinds(self) -> impl Iterator<Item = Profile> {
        let signing = match self {
            Self::Person => Profile::Person,
            Self::Institution => Profile::Institution,
            Self::Device => Profile::Device,
            Self::System => Profile::System,
        };
        [Some(signing), signing.encryption()].into_iter().flatten()
    }
}

fn refused(setting: &'static str, why: &'static str) -> ConfigError {
    ConfigError::Value { setting, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<CertificateRules, ConfigError> {
        CertificateRules::check(toml::from_str(text).expect("well formed"))
    }

    #[test]
    fn the_shipped_table_is_good_and_without_id_numbers() {
        let rules = check("ca_code = '5013'").unwrap();
        let prefix = |profile| rules.rows_of(profile).next().map(|row| row.prefix.clone());
        for (profile, expected) in [
            (Profile::Person, Some("1@5013JM0")),
            (Profile::PersonEncryption, Some("1@5013JM0")),
            (Profile::SystemEncryption, Some("1@5013SB0")),
            (Profile::Institution, Some("")),
            (Profile::Service, None),
            (Profile::IssuingAuthority, None),
        ] {
            assert_eq!(prefix(profile).as_deref(), expected, "{profile:?}");
        }
        // Readers cut the first nine characters off.
        assert_eq!("1@5013JM0".len(), 9);
        assert!(check("identifiers = []").unwrap().rows.is_empty());
    }

    #[test]
    fn rows_that_cannot_be_written_are_refused_by_name() {
        let row = |more: &str| format!("[[identifiers]]\nvalue = 'pseudonym'\n{more}");
        let person = "profiles = ['person']\n";
        let good = format!("oid = '1.2.86.21.1.1'\nencoding = 'utf8'\n{person}");
        assert!(check(&row(&good)).is_ok());
        let cases = [
            ("ca_code = '50130'".to_owned(), "certificates.ca_code"),
            ("ca_code = '五〇一三'".to_owned(), "certificates.ca_code"),
            (row(&good).repeat(17), "certificates.identifiers"),
            (row(&good).repeat(2), "certificates.identifiers.*.oid"),
            (row(&good.replace("86.21", "86,21")), "certificates.identifiers.*.oid"),
            (row(&good.replace("1.2.86.21.1.1", "2.5.29.17")), "certificates.identifiers.*.oid"),
            (
                row(&good.replace("1.2.86.21.1.1", "1.3.6.1.5.5.7.1.1")),
                "certificates.identifiers.*.oid",
            ),
            (row(&good.replace("['person']", "[]")), "certificates.identifiers.*.profiles"),
            (
                row(&format!("{good}prefix = '{}'", "1".repeat(33))),
                "certificates.identifiers.*.prefix",
            ),
            (row(&format!("{good}prefix = '{{id}}'")), "certificates.identifiers.*.prefix"),
            (row(&format!("{good}prefix = '1@{{ca}}SF0'")), "certificates.identifiers.*.prefix"),
            (
                row(&format!("{good}prefix = '11010519491231002X'")),
                "certificates.identifiers.*.prefix",
            ),
            (row(&format!("{good}prefix = \"\\n\"")), "certificates.identifiers.*.encoding"),
            (
                row(&format!("{good}prefix = '1@'").replace("utf8", "printable")),
                "certificates.identifiers.*.encoding",
            ),
            (
                row(&good.replace("utf8", "ia5")).replace("pseudonym", "staff_number"),
                "certificates.identifiers.*.encoding",
            ),
        ];
        for (text, expected) in cases {
            let error = check(&text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{expected}`")), "{error} for {expected}");
        }
        let many: String =
            (1..=9).map(|arc| row(&good.replace("21.1.1", &format!("21.1.{arc}")))).collect();
        let error = check(&many).unwrap_err().to_string();
        assert!(error.contains("identifiers.*.profiles"), "{error}");
    }
}
