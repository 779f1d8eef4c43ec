//! Ciphertexts as values: C1, C3 and C2, from DER or from devices.

use super::asn1::{self, NotDer, Reader};
use super::encryption::MAX_PLAINTEXT;
use super::point::Point;
use std::fmt;

/// An SM2 ciphertext: a point of the curve, a digest, and 1 to [`MAX_PLAINTEXT`] octets.
#[derive(Clone)]
pub struct Ciphertext {
    pub(super) c1: Point,
    pub(super) c3: [u8; 32],
    pub(super) c2: Vec<u8>,
}

impl Ciphertext {
    /// Reads SM2Cipher ::= SEQUENCE { X INTEGER, Y INTEGER, HASH OCTET STRING (32), CipherText OCTET
    /// STRING } in DER (GM/T 0009-2012, 7.2).
    ///
    /// # Errors
    /// [`MalformedCiphertext::Encoding`] for anything but its one DER encoding, the others as in
    /// [`from_c1c3c2`](Self::from_c1c3c2).
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedCiphertext> {
        let (x, y, c3, c2) = fields(der).map_err(|_| MalformedCiphertext::Encoding)?;
        let c1 = Point::from_coordinates(&x, &y).ok_or(MalformedCiphertext::Point)?;
        Self::new(c1, c3, c2)
    }

    /// Reads C1 ‖ C3 ‖ C2 with an uncompressed C1 (GB/T 32918.4-2016, 6.1). The order of the text
    /// of 2010, C1 ‖ C2 ‖ C3, cannot be told apart here: it fails to decrypt.
    ///
    /// # Errors
    /// [`MalformedCiphertext::Point`] when C1 is missing, compressed, hybrid or off the curve;
    /// [`MalformedCiphertext::Encoding`] when C3 is not there; [`MalformedCiphertext::Length`] when
    /// C2 is empty or longer than [`MAX_PLAINTEXT`].
    pub fn from_c1c3c2(octets: &[u8]) -> Result<Self, MalformedCiphertext> {
        let (c1, rest) = octets.split_first_chunk::<65>().ok_or(MalformedCiphertext::Point)?;
        let c1 = Point::from_sec1(c1).ok_or(MalformedCiphertext::Point)?;
        let (c3, c2) = rest.split_first_chunk().ok_or(MalformedCiphertext::Encoding)?;
        Self::new(c1, *c3, c2)
    }

    /// SM2Cipher in DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let x = asn1::number(self.c1.x());
        let y = asn1::number(self.c1.y());
        let c3 = asn1::element(asn1::OCTET_STRING, &[&self.c3]);
        let c2 = asn1::element(asn1::OCTET_STRING, &[&self.c2]);
        asn1::element(asn1::SEQUENCE, &[&x, &y, &c3, &c2]).to_vec()
    }

    /// C1 ‖ C3 ‖ C2.
    #[must_use]
    pub fn to_c1c3c2(&self) -> Vec<u8> {
        [self.c1.sec1().as_slice(), &self.c3, &self.c2].concat()
    }

    fn new(c1: Point, c3: [u8; 32], c2: &[u8]) -> Result<Self, MalformedCiphertext> {
        if c2.is_empty() || c2.len() > MAX_PLAINTEXT {
            return Err(MalformedCiphertext::Length(c2.len()));
        }
        Ok(Self { c1, c3, c2: c2.to_vec() })
    }
}

type Fields<'a> = ([u8; 32], [u8; 32], [u8; 32], &'a [u8]);

fn fields(der: &[u8]) -> Result<Fields<'_>, NotDer> {
    let mut outer = Reader::new(der);
    let mut cipher = outer.sequence()?;
    outer.end()?;
    let (x, y) = (cipher.number()?, cipher.number()?);
    let c3 = cipher.element(asn1::OCTET_STRING)?.try_into().map_err(|_| NotDer)?;
    let c2 = cipher.element(asn1::OCTET_STRING)?;
    cipher.end()?;
    Ok((x, y, c3, c2))
}

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ciphertext({} octets)", self.c2.len())
    }
}

/// Why octets are not an SM2 ciphertext.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedCiphertext {
    /// Not DER of the four fields, or cut short.
    #[error("not the encoding of an SM2 ciphertext")]
    Encoding,
    /// C1 is not an uncompressed point of the curve (step B1).
    #[error("C1 is not an uncompressed point of the SM2 curve")]
    Point,
    /// C2 is empty or too long.
    #[error("an SM2 ciphertext carries 1 to {MAX_PLAINTEXT} octets, not {0}")]
    Length(usize),
}
