use const_oid::ObjectIdentifier;

use super::tag;

/// One element: tag, length, and `parts` one after another.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length + 5);
    out.push(tag);
    let octets = length.to_be_bytes();
    let octets = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    match length {
        0..=0x7f => out.push(length as u8),
        _ => {
            out.push(0x80 | octets.len() as u8);
            out.extend_from_slice(octets);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, parts)
}

/// A SET OF under the given tag, its elements brought into order (X.690, 11.6).
pub(crate) fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    tlv(tag, &elements.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

pub(crate) fn oid(oid: &ObjectIdentifier) -> Vec<u8> {
    tlv(tag::OID, &[oid.as_bytes()])
}

/// A BIT STRING of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    tlv(tag::BIT_STRING, &[&[0], octets])
}

pub(crate) fn boolean_true() -> Vec<u8> {
    tlv(tag::BOOLEAN, &[&[0xff]])
}

/// A non-negative INTEGER from its big-endian magnitude, which may have leading zeros.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let digits = &magnitude[magnitude.iter().take_while(|octet| **octet == 0).count()..];
    match digits.first() {
        Some(first) if *first < 0x80 => tlv(tag::INTEGER, &[digits]),
        _ => tlv(tag::INTEGER, &[&[0], digits]),
    }
}
