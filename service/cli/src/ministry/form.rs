//! How a platform wants to be told about certificates (数字证书服务管理平台接入规范), as data: operations, namespaces, names of
//! elements, forms of dates, codes. Its description is not public, so that what is shipped is a guess that a province
//! corrects line by line.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::{
    UtcOffset,
    format_description::{self, OwnedFormatItem},
};

use super::query;

/// The form that is shipped.
pub(crate) const SHIPPED: &str = include_str!("ministry.toml");
/// Largest form, bytes.
pub(crate) const MAX_LEN: u64 = 64 * 1024;
/// Most fields of a record.
const MOST_FIELDS: usize = 64;
/// Most octets of a namespace or text.
const LONGEST: usize = 256;

/// Why a text is not a form.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadForm {
    /// Not TOML, an unknown key, or one that is missing.
    #[error("the form is not as it should be: {0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// A key has a value that cannot be used.
    #[error("`{key}`: {why}")]
    Value { key: &'static str, why: &'static str },
}

/// A form, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawForm {
    soap: RawSoap,
    dates: RawDates,
    certificates: Interface,
    blacklist: Interface,
    query: Query,
    codes: Codes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSoap {
    version: String,
    namespace: String,
    prefix: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDates {
    format: String,
    offset_hours: i8,
}

/// One of the interfaces by which a platform is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interface {
    /// The operation.
    pub(crate) operation: String,
    /// The element around the records; none when empty.
    #[serde(default)]
    pub(crate) list: String,
    /// The element of one record.
    pub(crate) record: String,
    /// What it has, in this order.
    pub(crate) fields: Vec<Field>,
}

/// The interface by which a platform asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    /// The operation of a question.
    operation: String,
    /// Its element with a serial number.
    serial: String,
    /// Its element with an identifier of the holder.
    identifier: String,
    /// The element of the answer: its operation, list, record and fields.
    pub(crate) answer: Interface,
}

/// One element of a record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) element: String,
    /// What it has.
    pub(crate) value: Value,
    /// Which extension, of [`Value::Identifier`]; the first there is when absent.
    pub(crate) oid: Option<String>,
    /// The text of [`Value::Text`].
    pub(crate) text: Option<String>,
}

/// What an element of a record can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Value {
    /// Serial number, hexadecimal.
    Serial,
    /// Name of the issuer.
    Issuer,
    /// Name of the holder, whole.
    Subject,
    /// Its common name.
    SubjectName,
    /// Its organization.
    SubjectOrganization,
    /// Its organizational unit.
    SubjectUnit,
    /// Code of the kind of holder: one of six.
    Kind,
    /// Code of signing or encryption.
    Use,
    /// First second of its validity.
    NotBefore,
    /// Last second of its validity.
    NotAfter,
    /// Text of an identifying extension.
    Identifier,
    /// The certificate, DER in base64.
    Certificate,
    /// SM3 of the certificate, hexadecimal.
    Sm3,
    /// Of an encryption certificate, the serial number of the signing one.
    PairOf,
    /// Code of how the certificate stands.
    Status,
    /// Code of the reason of a revocation.
    Reason,
    /// When its standing changed.
    ChangedAt,
    /// Number of the change.
    Change,
    /// A text of the form's own.
    Text,
}

/// Codes of a platform, by the words that are known here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Codes {
    /// Of [`KINDS`].
    pub(crate) kind: BTreeMap<String, String>,
    /// Of [`USES`].
    #[serde(rename = "use")]
    pub(crate) key_use: BTreeMap<String, String>,
    /// Of [`STATES`].
    pub(crate) status: BTreeMap<String, String>,
    /// Of [`REASONS`].
    pub(crate) reason: BTreeMap<String, String>,
}

/// The six kinds of certificates of the health sector.
pub(crate) const KINDS: [&str; 6] = [
    "internal_organization",
    "internal_person",
    "internal_device",
    "external_organization",
    "external_person",
    "external_device",
];
/// What a key is for.
pub(crate) const USES: [&str; 2] = ["signing", "encryption"];
/// How a certificate stands.
pub(crate) const STATES: [&str; 6] =
    ["good", "expired", "revoked", "suspended", "released", "unknown"];
/// Reasons of a revocation (RFC 5280, 5.3.1), and the numbers they have there.
pub(crate) const REASONS: [(&str, u32); 7] = [
    ("unspecified", 0),
    ("key_compromise", 1),
    ("affiliation_changed", 3),
    ("superseded", 4),
    ("cessation_of_operation", 5),
    ("suspended", 6),
    ("released", 8),
];

/// A form, checked: whatever is made with it is well-formed.
#[derive(Debug)]
pub(crate) struct Form {
    /// Namespace of the envelope.
    pub(crate) envelope: &'static str,
    /// Namespace of operations and elements.
    pub(crate) namespace: String,
    /// Its prefix.
    pub(crate) prefix: String,
    /// How times are written.
    pub(crate) time: OwnedFormatItem,
    /// The offset in which they are written.
    pub(crate) offset: UtcOffset,
    /// Telling of certificates.
    pub(crate) certificates: Interface,
    /// Telling of revocations.
    pub(crate) blacklist: Interface,
    /// Answering.
    pub(crate) query: Query,
    /// Codes.
    pub(crate) codes: Codes,
}

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// [`BadForm`].
    pub(crate) fn parse(text: &str) -> Result<Self, BadForm> {
        let raw: RawForm = toml::from_str(text).map_err(Box::new)?;
        let envelope = match raw.soap.version.as_str() {
            "1.1" => "http://schemas.xmlsoap.org/soap/envelope/",
            "1.2" => "http://www.w3.org/2003/05/soap-envelope",
            _ => return Err(BadForm::Value { key: "soap.version", why: "1.1 or 1.2" }),
        };
        if raw.soap.namespace.is_empty() || !is_text(&raw.soap.namespace) {
            return Err(BadForm::Value { key: "soap.namespace", why: "a namespace" });
        }
        if !is_name(&raw.soap.prefix) || ["soap", "xml", "xmlns"].contains(&&*raw.soap.prefix) {
            return Err(BadForm::Value {
                key: "soap.prefix",
                why: "a prefix, other than soap and xml",
            });
        }
        let time = format_description::parse_owned::<2>(&raw.dates.format);
        let time = time.map_err(|_| BadForm::Value {
            key: "dates.format",
            why: "such as [year]-[month]-[day] [hour]:[minute]:[second]",
        })?;
        let offset = UtcOffset::from_hms(raw.dates.offset_hours, 0, 0);
        let offset = offset.map_err(|_| BadForm::Value {
            key: "dates.offset_hours",
            why: "-25 to 25; 8 is the time of China",
        })?;
        // Whether it can be written at all: a form may ask for what a time does not have.
        let written = time::OffsetDateTime::UNIX_EPOCH.format(&time);
        if !written.is_ok_and(|text| is_text(&text)) {
            return Err(BadForm::Value { key: "dates.format", why: "parts that a time has" });
        }
        raw.certificates.check("certificates")?;
        raw.blacklist.check("blacklist")?;
        raw.query.answer.check("query.answer")?;
        let names = [&raw.query.operation, &raw.query.serial, &raw.query.identifier];
        if !names.iter().all(|name| is_name(name)) || raw.query.serial == raw.query.identifier {
            return Err(BadForm::Value { key: "query", why: "names of three elements" });
        }
        raw.codes.check()?;
        Ok(Self {
            envelope,
            namespace: raw.soap.namespace,
            prefix: raw.soap.prefix,
            time,
            offset,
            certificates: raw.certificates,
            blacklist: raw.blacklist,
            query: raw.query,
            codes: raw.codes,
        })
    }

    /// What the parts of a question are called.
    pub(crate) fn names(&self) -> query::Names<'_> {
        query::Names {
            envelope: self.envelope,
            namespace: &self.namespace,
            operation: &self.query.operation,
            serial: &self.query.serial,
            identifier: &self.query.identifier,
        }
    }
}

impl Interface {
    fn check(&self, key: &'static str) -> Result<(), BadForm> {
        let bad = |why| BadForm::Value { key, why };
        let list = self.list.is_empty() || is_name(&self.list);
        if !list || !is_name(&self.operation) || !is_name(&self.record) {
            return Err(bad("operation, list and record are names of elements"));
        }
        if !(1..=MOST_FIELDS).contains(&self.fields.len()) {
            return Err(bad("1 to 64 fields"));
        }
        for field in &self.fields {
            if !is_name(&field.element) {
                return Err(bad("`element` is the name of an element"));
            }
            if field.text.is_some() != (field.value == Value::Text)
                || !field.text.as_deref().is_none_or(is_text)
            {
                return Err(bad("`text` goes with the value \"text\" alone, up to 256 octets"));
            }
            if field.oid.is_some() && field.value != Value::Identifier {
                return Err(bad("`oid` goes with the value \"identifier\" alone"));
            }
        }
        Ok(())
    }
}

impl Codes {
    fn check(&self) -> Result<(), BadForm> {
        let check = |key, codes: &BTreeMap<String, String>, words: &[&str]| {
            let whole =
                words.len() == codes.len() && words.iter().all(|it| codes.contains_key(*it));
            if !whole {
                return Err(BadForm::Value {
                    key,
                    why: "a code for each of its words, and no other",
                });
            }
            match codes.values().all(|code| is_text(code)) {
                true => Ok(()),
                false => Err(BadForm::Value { key, why: "codes of up to 256 octets" }),
            }
        };
        check("codes.kind", &self.kind, &KINDS)?;
        check("codes.use", &self.key_use, &USES)?;
        check("codes.status", &self.status, &STATES)?;
        check("codes.reason", &self.reason, &REASONS.map(|(word, _)| word))
    }
}

/// A name without a prefix: ASCII, or the ideographs that XML takes for letters.
fn is_name(text: &str) -> bool {
    let letter =
        |c: char| c.is_ascii_alphabetic() || c == '_' || ('\u{4e00}'..='\u{9fa5}').contains(&c);
    let first = text.chars().next().is_some_and(letter);
    first
        && text.len() <= 64
        && text.chars().all(|c| letter(c) || c.is_ascii_digit() || "-.".contains(c))
}

/// Text that may stand in an element.
fn is_text(text: &str) -> bool {
    text.len() <= LONGEST
        && !text.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_form_is_good() {
        let form = Form::parse(SHIPPED).unwrap();
        assert_eq!(form.names().operation, form.query.operation);
    }

    #[test]
    fn a_form_that_would_make_bad_documents_is_refused_by_name() {
        let change = |from: &str, to: &str| {
            let changed = SHIPPED.replacen(from, to, 1);
            assert_ne!(changed, SHIPPED, "{from}");
            Form::parse(&changed).unwrap_err().to_string()
        };
        for (from, to, expected) in [
            ("version = \"1.1\"", "version = \"2.0\"", "`soap.version`"),
            ("namespace = \"", "namespace = \"\\u0001", "`soap.namespace`"),
            ("prefix = \"m\"", "prefix = \"soap\"", "`soap.prefix`"),
            ("prefix = \"m\"", "prefix = \"m:\"", "`soap.prefix`"),
            ("[year]", "[yaer]", "`dates.format`"),
            ("offset_hours = 8", "offset_hours = 26", "`dates.offset_hours`"),
            ("operation = \"", "operation = \"1", "`certificates`"),
            ("record = \"", "record = \"a b", "`certificates`"),
            ("element = \"", "element = \"<", "`certificates`"),
            ("value = \"serial\"", "value = \"serial\", text = \"1\"", "`certificates`"),
            ("value = \"serial\"", "value = \"serial\", oid = \"1.2.3\"", "`certificates`"),
            ("value = \"serial\"", "value = \"text\"", "`certificates`"),
            ("value = \"serial\"", "value = \"id_number\"", "unknown variant `id_number`"),
            ("external_device = ", "external_thing = ", "`codes.kind`"),
            ("good = ", "", "the form is not as it should be"),
            ("[dates]", "[dates]\nlocale = \"zh\"", "unknown field `locale`"),
        ] {
            let said = change(from, to);
            assert!(said.contains(expected), "{said} for {expected}");
        }
    }
}
