use std::{fmt, str::FromStr};

use crate::der::{Oid, Reader, tag, tlv};

/// Under which policy a time is stamped (TSAPolicyId): an object identifier, shown with dots. Arcs may
/// be as large as those below 2.25, which are UUIDs.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    /// The whole element.
    der: Vec<u8>,
}

/// Text is not an object identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an object identifier is two or more numbers with dots between them")]
pub struct BadPolicy;

impl Policy {
    pub(super) fn of(oid: Oid<'_>) -> Self {
        Self { der: tlv(tag::OID, &[oid.octets()]) }
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }
}

impl FromStr for Policy {
    type Err = BadPolicy;

    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        let arc = |digits: &str| {
            let plain = digits.bytes().all(|digit| digit.is_ascii_digit());
            let minimal = digits == "0" || !digits.starts_with('0');
            if plain && minimal { digits.parse::<u128>().ok() } else { None }
        };
        let arcs = text.split('.').map(arc).collect::<Option<Vec<u128>>>().ok_or(BadPolicy)?;
        let [top, second, rest @ ..] = &arcs[..] else { return Err(BadPolicy) };
        // X.690, 8.19.4: the first two are one number.
        if *top > 2 || (*top < 2 && *second > 39) {
            return Err(BadPolicy);
        }
        let first = second.checked_add(top * 40).ok_or(BadPolicy)?;
        let content: Vec<u8> =
            std::iter::once(&first).chain(rest).flat_map(|arc| base128(*arc)).collect();
        let der = tlv(tag::OID, &[&content]);
        Reader::new(&der).oid().map_err(|_| BadPolicy)?;
        Ok(Self { der })
    }
}

/// Seven bits an octet, the most significant first, all but the last marked.
fn base128(mut number: u128) -> Vec<u8> {
    let mut octets = vec![(number & 0x7f) as u8];
    while number > 0x7f {
        number >>= 7;
        octets.push((number & 0x7f) as u8 | 0x80);
    }
    octets.reverse();
    octets
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Reader::new(&self.der).oid().expect("it was read or written here").fmt(f)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({self})")
    }
}
