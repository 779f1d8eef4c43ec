use std::fmt;

use const_oid::ObjectIdentifier;

use crate::{
    der::{DerError, Reader, Text, oid, read_text, sequence, tag, tlv},
    id_number::holds_id_number,
    oid,
};

/// Distinguished name (可辨别名称) of a certificate's subject or issuer (RFC 5280, 4.1.2.4).
///
/// Names are equal when their octets are: an issuer copies the name from its own certificate, so
/// nothing less is needed, and no two names are confused by folding case or spaces. `Debug` shows
/// no text, since names of foreign certificates are often those of people.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// The whole SEQUENCE.
    der: Vec<u8>,
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Attribute {
    /// The whole OBJECT IDENTIFIER element.
    kind: Vec<u8>,
    value: String,
}

/// Why a name for a new certificate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadName {
    /// The common name of an identity is its pseudonym, a UUID in lower case with hyphens.
    #[error("the common name of an identity must be a UUID in lower case")]
    NotPseudonym,
    /// A part is empty, longer than 64 characters (X.520 upper bounds), or holds control
    /// characters.
    #[error("a part of the name is empty, longer than 64 characters or not printable")]
    Part,
    /// A part contains what reads as a resident identity number.
    #[error("a part of the name contains a resident identity number")]
    IdNumber,
}

impl Name {
    /// Name of a person, institution, device or system: C=CN, O=`institution`, OU=`role`, CN=`id`.
    ///
    /// Certificates travel with every signature, so the name says who is meant only to those who
    /// hold the records: `id` is a pseudonym, `institution` an identifier or the name of the
    /// institution.
    ///
    /// # Errors
    /// [`BadName`], when a part is not what this says.
    pub fn of_identity(institution: &str, role: &str, id: &str) -> Result<Self, BadName> {
        if !is_uuid(id) {
            return Err(BadName::NotPseudonym);
        }
        Self::build(institution, Some(role), id)
    }

    /// Name of an authority or a service: C=CN, O=`organization`, CN=`common_name`.
    ///
    /// # Errors
    /// [`BadName`], when a part is not printable, too long or personal.
    pub fn of_authority(organization: &str, common_name: &str) -> Result<Self, BadName> {
        Self::build(organization, None, common_name)
    }

    fn build(organization: &str, unit: Option<&str>, common_name: &str) -> Result<Self, BadName> {
        let mut sets = attribute(&oid::COUNTRY, tag::PRINTABLE_STRING, "CN");
        let unit = unit.map(|unit| (oid::ORGANIZATIONAL_UNIT, unit));
        let parts =
            [Some((oid::ORGANIZATION, organization)), unit, Some((oid::COMMON_NAME, common_name))];
        for (kind, value) in parts.into_iter().flatten() {
            // Upper bounds of X.520 are 64 characters; 256 octets hold as many in any script.
            if value.chars().count() > 64 || read_text(Text::Utf8, value.as_bytes()).is_err() {
                return Err(BadName::Part);
            }
            if holds_id_number(value) {
                return Err(BadName::IdNumber);
            }
            sets.extend(attribute(&kind, tag::UTF8_STRING, value));
        }
        Ok(Self::read(&sequence(&[&sets])).expect("a name built from checked parts reads back"))
    }

    /// Reads a whole element, which may be the empty name.
    pub(crate) fn read(der: &[u8]) -> Result<Self, DerError> {
        let mut sets = Reader::only(der, tag::SEQUENCE)?;
        let mut attributes = Vec::new();
        while !sets.is_empty() {
            let elements = sets.nested(tag::SET)?.set_elements(4)?;
            if elements.is_empty() || attributes.len() + elements.len() > 16 {
                return Err(DerError::Count);
            }
            for element in elements {
                let mut pair = Reader::only(element, tag::SEQUENCE)?;
                let kind = pair.clone().element(tag::OID)?.to_vec();
                pair.oid()?;
                let (string, content, _) = pair.any()?;
                pair.end()?;
                let value = read_text(Text::of_tag(string)?, content)?.to_owned();
                attributes.push(Attribute { kind, value });
            }
        }
        Ok(Self { der: der.to_vec(), attributes })
    }

    /// The name as an ASN.1 `Name`, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the name has no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// CN: pseudonym of the identity in our certificates, often a person's name in foreign ones.
    pub fn common_name(&self) -> Option<&str> {
        self.only(&oid::COMMON_NAME)
    }

    /// O: institution.
    pub fn organization(&self) -> Option<&str> {
        self.only(&oid::ORGANIZATION)
    }

    /// OU: role in our certificates, department in some foreign ones.
    pub fn organizational_unit(&self) -> Option<&str> {
        self.only(&oid::ORGANIZATIONAL_UNIT)
    }

    /// Whether this is what [`of_identity`](Self::of_identity) makes, attribute for attribute.
    pub(crate) fn is_identity(&self) -> bool {
        match (self.organization(), self.organizational_unit(), self.common_name()) {
            (Some(institution), Some(role), Some(id)) => {
                Self::of_identity(institution, role, id).as_ref() == Ok(self)
            }
            _ => false,
        }
    }

    /// Value of an attribute that occurs exactly once; of two, neither is the right one.
    fn only(&self, kind: &ObjectIdentifier) -> Option<&str> {
        let kind = oid(kind);
        let mut values = self.attributes.iter().filter(|attribute| attribute.kind == kind);
        let first = values.next()?;
        values.next().is_none().then_some(first.value.as_str())
    }
}

/// As RFC 4514 writes names, but in the order of the certificate. Holds personal data when the
/// certificate does.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [
            (oid::COUNTRY, "C"),
            (oid::ORGANIZATION, "O"),
            (oid::ORGANIZATIONAL_UNIT, "OU"),
            (oid::COMMON_NAME, "CN"),
        ]
        .map(|(kind, label)| (oid(&kind), label));
        for (at, Attribute { kind, value }) in self.attributes.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            match known.iter().find(|(oid, _)| oid == kind) {
                Some((_, label)) => write!(f, "{label}=")?,
                None => {
                    let oid = Reader::new(kind).oid().map_err(|_| fmt::Error)?;
                    write!(f, "{oid}=")?;
                }
            }
            for character in value.chars() {
                if r#",+"\<>;="#.contains(character) {
                    f.write_str("\\")?;
                }
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({} attributes)", self.attributes.len())
    }
}

/// A RelativeDistinguishedName of one attribute.
fn attribute(kind: &ObjectIdentifier, string: u8, value: &str) -> Vec<u8> {
    let pair = sequence(&[&oid(kind), &tlv(string, &[value.as_bytes()])]);
    tlv(tag::SET, &[&pair])
}

/// RFC 9562, section 4, in the one spelling it asks writers to use.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, octet)| match at {
            8 | 13 | 18 | 23 => octet == b'-',
            _ => matches!(octet, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21";

    #[test]
    fn the_name_of_an_identity_reads_back() {
        let name = Name::of_identity("县人民医院", "doctor", ID).expect("a good name");
        assert_eq!(Name::read(name.der()), Ok(name.clone()));
        assert_eq!(name.common_name(), Some(ID));
        assert_eq!(name.organization(), Some("县人民医院"));
        assert_eq!(name.organizational_unit(), Some("doctor"));
        assert_eq!(name.to_string(), format!("C=CN,O=县人民医院,OU=doctor,CN={ID}"));
        assert_eq!(format!("{name:?}"), "Name(4 attributes)");
    }

    #[test]
    fn a_name_that_says_too_much_or_too_little_is_refused() {
        let long = "医".repeat(65);
        for (institution, role, id, why) in [
            ("hospital", "doctor", "Zhang San", BadName::NotPseudonym),
            ("hospital", "doctor", "01932F6A-7C1E-7D2A-9B55-3F1D0C8A4E21", BadName::NotPseudonym),
            ("hospital", "doctor", "01932f6a77c1e77d2a79b5573f1d0c8a4e21", BadName::NotPseudonym),
            ("", "doctor", ID, BadName::Part),
            ("hospital", "", ID, BadName::Part),
            (&long, "doctor", ID, BadName::Part),
            ("hospital\n", "doctor", ID, BadName::Part),
            // The example printed in GB 11643-1999, A.1, with other characters around it.
            ("no. 11010519491231002X", "doctor", ID, BadName::IdNumber),
            ("hospital", "11010519491231002x", ID, BadName::IdNumber),
            ("hospital", "１１０１０５１９４９１２３１００２Ｘ", ID, BadName::IdNumber),
            // Of the same person, in the form before.
            ("no. 110105491231002", "doctor", ID, BadName::IdNumber),
        ] {
            assert_eq!(
                Name::of_identity(institution, role, id),
                Err(why),
                "{institution:?} {role:?}"
            );
        }
        // One digit of the number changed: 18 digits that are no identity number.
        assert!(Name::of_authority("11010519491231003X", "root").is_ok());
    }

    #[test]
    fn a_value_that_occurs_twice_has_no_right_one() {
        let twice = [
            attribute(&oid::COMMON_NAME, tag::UTF8_STRING, "a"),
            attribute(&oid::COMMON_NAME, tag::UTF8_STRING, "b"),
        ];
        let name = Name::read(&sequence(&[&twice.concat()])).expect("well formed");
        assert_eq!(name.common_name(), None);
        assert_eq!(name.to_string(), "CN=a,CN=b");
    }

    #[test]
    fn special_characters_are_escaped() {
        let name = Name::of_authority("a, b", "c=\"d\"").expect("printable");
        assert_eq!(name.to_string(), r#"C=CN,O=a\, b,CN=c\=\"d\""#);
    }
}
