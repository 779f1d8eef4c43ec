//! Which certificates of an authority a revocation list is about.

use std::{fmt, str::FromStr};

use super::CrlError;
use crate::{
    BadSerial, Certificate, IssueError, Serial,
    der::{Reader, sequence, tag, tlv},
    extension::{self, read_uris, uri},
    issuer::checked_url,
    oid,
};

/// Which certificates of an authority a list is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All of them.
    #[default]
    All,
    /// Those that name one of these addresses as the place of their list (issuingDistributionPoint;
    /// RFC 5280, 5.2.5).
    Points(Vec<String>),
}

impl Scope {
    /// Most addresses that a list may name.
    pub const MAX_POINTS: usize = 64;

    /// Whether a list of this scope speaks of this certificate, so that absence from it means
    /// something.
    pub fn covers(&self, certificate: &Certificate) -> bool {
        match self {
            Self::All => true,
            Self::Points(points) => {
                certificate.crl_url().is_some_and(|url| points.iter().any(|point| point == url))
            }
        }
    }

    /// Whether this is a scope of the same kind that leaves out nothing of the other.
    pub(crate) fn widens(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::Points(these), Self::Points(those)) => those.iter().all(|it| these.contains(it)),
            _ => false,
        }
    }

    /// IssuingDistributionPoint with a full name and nothing else: other fields narrow a list to kinds
    /// of certificates, to reasons, or widen it to other authorities.
    pub(super) fn read(value: &[u8]) -> Result<Self, CrlError> {
        let mut fields = Reader::only(value, tag::SEQUENCE)?;
        let name = fields.optional(tag::constructed(0))?.ok_or(CrlError::Scope)?;
        let mut name = Reader::new(name);
        let full = name.optional(tag::constructed(0))?.ok_or(CrlError::Scope)?;
        if !name.is_empty() || !fields.is_empty() {
            return Err(CrlError::Scope);
        }
        let points = read_uris(Reader::new(full), Self::MAX_POINTS)?.ok_or(CrlError::Scope)?;
        Ok(Self::Points(points))
    }

    /// The extension; nothing for a list about all.
    pub(super) fn write(&self) -> Result<Vec<u8>, IssueError> {
        let Self::Points(points) = self else { return Ok(Vec::new()) };
        if !(1..=Self::MAX_POINTS).contains(&points.len()) {
            return Err(IssueError::BadList);
        }
        let mut names = Vec::new();
        for point in points {
            names.extend(uri(&checked_url(point)?));
        }
        let name = tlv(tag::constructed(0), &[&tlv(tag::constructed(0), &[&names])]);
        Ok(extension::write_critical(&oid::ISSUING_DISTRIBUTION_POINT, &sequence(&[&name])))
    }
}

/// One of 64 ranges of serial numbers (序列号区段): those that begin with the same octet.
///
/// [`Serial::from_random`] gives six random bits of the first octet, so that a range has a
/// sixty-fourth of an authority's certificates. It is shown as the octet, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialRange(u8);

impl SerialRange {
    /// The range that a serial number is in.
    pub fn of(serial: &Serial) -> Self {
        Self(serial.octets().first().map_or(0x40, |first| first & 0x3f | 0x40))
    }

    /// All ranges, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        (0x40..0x80).map(Self)
    }
}

impl fmt::Display for SerialRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

impl FromStr for SerialRange {
    type Err = BadSerial;

    fn from_str(text: &str) -> Result<Self, BadSerial> {
        Self::all().find(|range| range.to_string() == text).ok_or(BadSerial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_fall_into_sixty_four_ranges() {
        assert_eq!(SerialRange::all().count(), 64);
        for range in SerialRange::all() {
            assert_eq!(range.to_string().parse(), Ok(range));
            assert_eq!(SerialRange::of(&format!("{range}00").parse().unwrap()), range);
        }
        for (octet, range) in [(0x00, "40"), (0x3f, "7f"), (0x85, "45"), (0xff, "7f")] {
            assert_eq!(SerialRange::of(&Serial::from_random([octet; 16])).to_string(), range);
        }
        for text in ["", "4", "3f", "80", "4A", "040", "４a"] {
            assert_eq!(text.parse::<SerialRange>(), Err(BadSerial), "{text}");
        }
    }
}
