//! Signatures as values: 64 octets, or DER, and no third way.

use super::asn1::{self, NotDer, Reader};
use super::point::scalar;
use sm2::Scalar;
use std::fmt;

/// An SM2 signature with *r* and *s* in [1, n-1].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Reads *r* ‖ *s*, 32 octets each, big-endian: the form of tokens and devices.
    ///
    /// # Errors
    /// [`MalformedSignature::Length`] unless 64 octets, [`MalformedSignature::OutOfRange`] when a
    /// half is 0 or not below *n*.
    pub fn from_raw(octets: &[u8]) -> Result<Self, MalformedSignature> {
        let raw = octets.try_into().map_err(|_| MalformedSignature::Length(octets.len()))?;
        let signature = Self(raw);
        let [r, s] = signature.halves();
        scalar(r).and(scalar(s)).map(|_| signature).ok_or(MalformedSignature::OutOfRange)
    }

    /// Reads SM2Signature ::= SEQUENCE { R INTEGER, S INTEGER } in DER (GM/T 0009-2012, 7.3): the
    /// form of certificates and CMS.
    ///
    /// # Errors
    /// [`MalformedSignature::Encoding`] unless it is the one DER encoding of two non-negative
    /// numbers of up to 256 bits, [`MalformedSignature::OutOfRange`] when one is 0 or not below *n*.
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedSignature> {
        let raw = raw_from_der(der).map_err(|_| MalformedSignature::Encoding)?;
        Self::from_raw(&raw)
    }

    /// *r* ‖ *s*.
    #[must_use]
    pub fn as_raw(&self) -> &[u8; 64] {
        &self.0
    }

    /// SM2Signature in DER, 8 to 72 octets.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let [r, s] = self.halves();
        asn1::element(asn1::SEQUENCE, &[&asn1::number(r), &asn1::number(s)]).to_vec()
    }

    /// *r* and *s* as computed.
    pub(super) fn from_scalars(r: &Scalar, s: &Scalar) -> Self {
        let mut raw = [0; 64];
        raw[..32].copy_from_slice(&r.to_bytes());
        raw[32..].copy_from_slice(&s.to_bytes());
        Self(raw)
    }

    /// *r* and *s*, 32 octets each.
    pub(super) fn halves(&self) -> [&[u8; 32]; 2] {
        let ([r, s], []) = self.0.as_chunks() else { unreachable!("64 octets are two halves") };
        [r, s]
    }
}

fn raw_from_der(der: &[u8]) -> Result<[u8; 64], NotDer> {
    let mut outer = Reader::new(der);
    let mut numbers = outer.sequence()?;
    outer.end()?;
    let mut raw = [0; 64];
    raw[..32].copy_from_slice(&numbers.number()?);
    raw[32..].copy_from_slice(&numbers.number()?);
    numbers.end()?;
    Ok(raw)
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str(")")
    }
}

/// Why octets are not an SM2 signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedSignature {
    /// Not 64 octets.
    #[error("a signature r‖s has 64 octets, not {0}")]
    Length(usize),
    /// Not the DER of two numbers.
    #[error("not the DER of an SM2 signature")]
    Encoding,
    /// *r* or *s* is 0, or not below the order of the curve.
    #[error("r or s is out of range")]
    OutOfRange,
}
