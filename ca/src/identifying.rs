//! Extensions that say who the holder of a certificate is, in the words of others: the health sector's entity unique
//! identifier (实体唯一标识) and the identity extensions of GM/T 0015. No text is public that fixes them for all, so which
//! ones a certificate has is a table of whoever issues it; here is how one is written, and how those of others are read.

use std::{fmt, str::FromStr};

use const_oid::ObjectIdentifier;

use crate::{
    Certificate,
    der::{DerError, Oid, Reader, Text, read_text, tag, tlv},
    extension,
    id_number::holds_id_number,
};

/// Arcs whose extensions have a meaning of their own: those of X.509 and of the Internet's profile.
const TAKEN: [&str; 2] = ["2.5.29.", "1.3.6.1.5.5.7."];

/// Extensions of others that are known to identify: which of them a certificate has depends on its authority and year.
#[rustfmt::skip]
const KNOWN: [&str; 18] = [
    // Entity unique identifier (实体唯一标识) and two of authorities, as provincial clients read them.
    "1.2.86.21.1.1", "1.2.86.21.1.3", "1.3.6.1.4.1.18760.1.12.11",
    // GM/T 0015-2012: IdentifyCode, insurance, business registration, organization and taxation numbers.
    "1.2.156.10260.4.1.1", "1.2.156.10260.4.1.2", "1.2.156.10260.4.1.3", "1.2.156.10260.4.1.4", "1.2.156.10260.4.1.5",
    // GM/T 0015-2023, from one source: resident number, passport, unified social credit code.
    "1.2.156.10260.4.1.1.1", "1.2.156.10260.4.1.1.2", "1.2.156.10260.4.4",
    // The same fields in older certificates.
    "1.2.86.11.7.1", "1.2.86.11.7.2", "1.2.86.11.7.3", "1.2.86.11.7.4", "1.2.86.11.7.5",
    // Two local ones.
    "2.16.156.112548", "1.2.156.1.8888.148",
];

/// Object identifier of an extension that identifies; never one that this crate writes or reads for something else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdentifierOid(ObjectIdentifier);

/// Why an identifier of a holder was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadIdentifier {
    /// Not numbers with dots between them, or longer than 32 octets.
    #[error("an object identifier is three or more numbers with dots between them")]
    Oid,
    /// An extension that means something else.
    #[error("the extension has a meaning of its own in certificates")]
    Taken,
    /// Empty, or longer than [`IdentifyingExtension::MAX_LEN`].
    #[error("an identifier has 1 to {} octets", IdentifyingExtension::MAX_LEN)]
    Length,
    /// A character that its string type does not have, or that cannot be seen.
    #[error("the identifier has characters that its encoding does not have")]
    Character,
    /// It contains what reads as a resident identity number, which certificates carry to everybody.
    #[error("the identifier contains a resident identity number")]
    IdNumber,
}

impl IdentifierOid {
    /// Those that are known to identify, in certificates of whatever authority.
    pub fn known() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|text| text.parse().expect("the table has good identifiers"))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for IdentifierOid {
    type Err = BadIdentifier;

    fn from_str(text: &str) -> Result<Self, BadIdentifier> {
        let oid = ObjectIdentifier::new(text).map_err(|_| BadIdentifier::Oid)?;
        // One spelling, within what is read, and below an arc that somebody registered.
        let registered = text.matches('.').count() >= 2;
        if !registered || oid.to_string() != text || oid.as_bytes().len() > Oid::MAX_LEN {
            return Err(BadIdentifier::Oid);
        }
        if TAKEN.iter().any(|arc| text.starts_with(arc)) {
            return Err(BadIdentifier::Taken);
        }
        Ok(Self(oid))
    }
}

impl fmt::Display for IdentifierOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for IdentifierOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentifierOid({})", self.0)
    }
}

/// Whose number an `IdentifyCode` says it is (GM/T 0015-2012).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// `residenterCardNumber [0] PrintableString`.
    ResidentCard,
    /// `militaryOfficerCardNumber [1] UTF8String`.
    OfficerCard,
    /// `passportNumber [2] PrintableString`.
    Passport,
}

impl Document {
    const ALL: [Self; 3] = [Self::ResidentCard, Self::OfficerCard, Self::Passport];

    fn number(self) -> u8 {
        match self {
            Self::ResidentCard => 0,
            Self::OfficerCard => 1,
            Self::Passport => 2,
        }
    }

    fn text(self) -> Text {
        match self {
            Self::OfficerCard => Text::Utf8,
            Self::ResidentCard | Self::Passport => Text::Printable,
        }
    }
}

/// How the text of an identifier is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF8String.
    Utf8,
    /// PrintableString.
    Printable,
    /// IA5String.
    Ia5,
    /// A choice of `IdentifyCode`, tagged EXPLICIT.
    IdentifyCode(Document),
}

impl Encoding {
    fn text(self) -> Text {
        match self {
            Self::Utf8 => Text::Utf8,
            Self::Printable => Text::Printable,
            Self::Ia5 => Text::Ia5,
            Self::IdentifyCode(document) => document.text(),
        }
    }
}

/// One extension that says who the holder is. It is never critical, and never has a resident identity number.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentifyingExtension {
    oid: IdentifierOid,
    text: String,
    value: Vec<u8>,
}

impl IdentifyingExtension {
    /// Most octets of its text.
    pub const MAX_LEN: usize = 128;

    /// An extension with this text.
    ///
    /// # Errors
    /// [`BadIdentifier`], for what is wrong with the text.
    pub fn new(oid: IdentifierOid, encoding: Encoding, text: &str) -> Result<Self, BadIdentifier> {
        if !(1..=Self::MAX_LEN).contains(&text.len()) {
            return Err(BadIdentifier::Length);
        }
        let string = encoding.text();
        read_text(string, text.as_bytes()).map_err(|_| BadIdentifier::Character)?;
        if holds_id_number(text) {
            return Err(BadIdentifier::IdNumber);
        }
        let inner = tlv(string.tag(), &[text.as_bytes()]);
        let value = match encoding {
            Encoding::IdentifyCode(document) => tlv(tag::constructed(document.number()), &[&inner]),
            Encoding::Utf8 | Encoding::Printable | Encoding::Ia5 => inner,
        };
        Ok(Self { oid, text: text.to_owned(), value })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which extension.
    pub fn oid(&self) -> IdentifierOid {
        self.oid
    }

    /// Its value, DER.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// All of it (`Extension`; RFC 5280, 4.1), DER, as it stands in a certificate.
    pub fn der(&self) -> Vec<u8> {
        extension::write(&self.oid.0, &self.value)
    }
}

impl fmt::Debug for IdentifyingExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentifyingExtension({}, {} octets)", self.oid, self.value.len())
    }
}

/// What an extension of a certificate says about its holder.
#[derive(Clone, PartialEq, Eq)]
pub struct Identifier {
    /// Which extension.
    pub oid: IdentifierOid,
    /// Its text; `None` for a value that is no text as it is known here.
    pub text: Option<String>,
    /// Whose number it says it is, where it does.
    pub document: Option<Document>,
    /// The value of the extension as it is, DER or not.
    pub raw: Vec<u8>,
}

impl Identifier {
    fn read(oid: IdentifierOid, raw: &[u8]) -> Self {
        let (text, document) = read_value(raw)
            .map_or((None, None), |(text, document)| (Some(text.to_owned()), document));
        Self { oid, text, document, raw: raw.to_vec() }
    }
}

/// Shows no text: that of a foreign certificate is often an ID number.
impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({}, {} octets)", self.oid, self.raw.len())
    }
}

impl Certificate {
    /// What the extensions of `table` say about the holder, in the order of the table. Authorities write them in more
    /// ways than one: an `IdentifyCode` is read EXPLICIT, IMPLICIT, or as its string alone.
    pub fn identifiers(&self, table: &[IdentifierOid]) -> Vec<Identifier> {
        let found = table.iter().filter_map(|oid| {
            let other = self.others().iter().find(|other| oid.as_bytes() == other.oid)?;
            Some(Identifier::read(*oid, &other.value))
        });
        found.collect()
    }
}

impl Certificate {
    /// The texts of all extensions that identify, whatever table they were made by.
    pub fn identifier_texts(&self) -> impl Iterator<Item = &str> {
        let read = self.others().iter().filter_map(|other| read_value(&other.value).ok());
        read.map(|(text, _)| text)
    }
}

/// Whether a value is one that may be signed: text that is read here, not too long, without an ID number.
pub(crate) fn is_plain(value: &[u8]) -> bool {
    read_value(value).is_ok_and(|(text, _)| {
        text.len() <= IdentifyingExtension::MAX_LEN && !holds_id_number(text)
    })
}

fn read_value(value: &[u8]) -> Result<(&str, Option<Document>), DerError> {
    let mut outer = Reader::new(value);
    let (kind, content, _) = outer.any()?;
    outer.end()?;
    let Some(document) = Document::ALL
        .into_iter()
        .find(|it| [tag::constructed(it.number()), tag::context(it.number())].contains(&kind))
    else {
        return Ok((read_text(Text::of_tag(kind)?, content)?, None));
    };
    let text = document.text();
    let content = match kind == tag::constructed(document.number()) {
        true => {
            let mut inner = Reader::new(content);
            let explicit = inner.value(text.tag())?;
            inner.end()?;
            explicit
        }
        false => content,
    };
    Ok((read_text(text, content)?, Some(document)))
}

#[cfg(test)]
mod tests;
