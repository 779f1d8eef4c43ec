//! Public keys and what they compute without any secret: Z, *e*, verification.

use super::asn1::{self, Reader, SM2_ALGORITHM};
use super::identity::SignerId;
use super::point::Point;
use crate::sm3::Hasher;
use std::fmt;
use std::hash::{Hash, Hasher as StdHasher};

/// ‖ a ‖ b ‖ xG ‖ yG of the recommended curve, as they enter Z (GB/T 32918.5-2017; RFC 8998, 3.2.1).
const CURVE: [u8; 128] = *b"\
    \xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfc\
    \x28\xe9\xfa\x9e\x9d\x9f\x5e\x34\x4d\x5a\x9e\x4b\xcf\x65\x09\xa7\
    \xf3\x97\x89\xf5\x15\xab\x8f\x92\xdd\xbc\xbd\x41\x4d\x94\x0e\x93\
    \x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94\
    \x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89\x33\x4c\x74\xc7\
    \xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53\
    \xd0\xa9\x87\x7c\xc6\x2a\x47\x40\x02\xdf\x32\xe5\x21\x39\xf0\xa0";

/// An SM2 public key: a point of the curve other than infinity.
#[derive(Clone)]
pub struct PublicKey {
    point: Point,
    /// Z under the default identifier, which nearly every signature uses.
    default_za: [u8; 32],
}

impl PublicKey {
    /// Reads 04 ‖ X ‖ Y, 65 octets. Compressed (02, 03) and hybrid (06, 07) forms are refused, so
    /// that one key has one encoding.
    ///
    /// # Errors
    /// [`MalformedPublicKey::Point`] for any other length or form, a coordinate not below *p*, or a
    /// point off the curve.
    pub fn from_sec1(octets: &[u8]) -> Result<Self, MalformedPublicKey> {
        Point::from_sec1(octets).map(Self::new).ok_or(MalformedPublicKey::Point)
    }

    /// Reads a SubjectPublicKeyInfo: id-ecPublicKey with the named curve 1.2.156.10197.1.301 and an
    /// uncompressed point. Explicit curve parameters are refused, even the right ones.
    ///
    /// # Errors
    /// [`MalformedPublicKey::Structure`] for any other algorithm or encoding,
    /// [`MalformedPublicKey::Point`] as in [`from_sec1`](Self::from_sec1).
    pub fn from_spki_der(der: &[u8]) -> Result<Self, MalformedPublicKey> {
        let point = spki_point(der).map_err(|_| MalformedPublicKey::Structure)?;
        Self::from_sec1(point)
    }

    /// The SubjectPublicKeyInfo, DER, 91 octets.
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        let key = asn1::element(asn1::BIT_STRING, &[&[0], self.as_sec1()]);
        asn1::element(asn1::SEQUENCE, &[SM2_ALGORITHM, &key]).to_vec()
    }

    /// 04 ‖ X ‖ Y.
    #[must_use]
    pub fn as_sec1(&self) -> &[u8; 65] {
        self.point.sec1()
    }

    /// Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ xG ‖ yG ‖ xA ‖ yA) (GB/T 32918.2-2016, 5.5).
    #[must_use]
    pub fn za(&self, id: &SignerId) -> [u8; 32] {
        if *id == SignerId::DEFAULT { self.default_za } else { za(id, &self.point) }
    }

    /// *e* = SM3(Z ‖ `message`), big-endian (6.1, steps A1 and A2).
    #[must_use]
    pub fn digest(&self, id: &SignerId, message: &[u8]) -> [u8; 32] {
        let mut hasher = Hasher::new();
        hasher.update(&self.za(id));
        hasher.update(message);
        hasher.finalize()
    }

    pub(super) fn new(point: Point) -> Self {
        let default_za = za(&SignerId::DEFAULT, &point);
        Self { point, default_za }
    }

    pub(super) fn point(&self) -> &Point {
        &self.point
    }
}

fn spki_point(der: &[u8]) -> Result<&[u8], asn1::NotDer> {
    let mut outer = Reader::new(der);
    let mut info = outer.sequence()?;
    outer.end()?;
    info.exactly(SM2_ALGORITHM)?;
    let point = info.bit_string()?;
    info.end()?;
    Ok(point)
}

fn za(id: &SignerId, point: &Point) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(&id.bits());
    hasher.update(id.octets());
    hasher.update(&CURVE);
    hasher.update(point.x());
    hasher.update(point.y());
    hasher.finalize()
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_sec1() == other.as_sec1()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: StdHasher>(&self, state: &mut H) {
        self.as_sec1().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    /// The first octets of X: enough to tell keys apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.point.x();
        write!(f, "PublicKey({a:02x}{b:02x}{c:02x}{d:02x}..)")
    }
}

/// Why octets are not an SM2 public key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedPublicKey {
    /// Not DER, another algorithm, another or an explicit curve, or octets too many.
    #[error("not a public key of the SM2 curve in DER")]
    Structure,
    /// Not 04 ‖ X ‖ Y of a point on the curve.
    #[error("not an uncompressed point of the SM2 curve")]
    Point,
}
