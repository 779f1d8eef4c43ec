//! Agreeing on a secret with keys for one time: plain Diffie-Hellman on the curve, as TLS 1.3 uses it (RFC 8446, 7.4.2;
//! RFC 8998, 3.2). It is not the key exchange of GB/T 32918.3, and authenticates nobody.

use super::point::{Point, random_scalar};
use super::{MalformedPublicKey, PublicKey};
use sm2::Scalar;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A key pair for one agreement: wiped when dropped, used up by it.
pub struct EphemeralKey {
    secret: Box<Zeroizing<Scalar>>,
    public: PublicKey,
}

impl EphemeralKey {
    /// A fresh pair from the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        let secret = Box::new(random_scalar());
        let public = PublicKey::new(Point::base_multiple(&secret));
        Self { secret, public }
    }

    /// What the other side is told.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The x-coordinate of the common point with the other side's key, 04 ‖ X ‖ Y.
    ///
    /// # Errors
    /// [`MalformedPublicKey::Point`] as in [`PublicKey::from_sec1`].
    pub fn agree(self, other: &[u8]) -> Result<Zeroizing<[u8; 32]>, MalformedPublicKey> {
        let other = Point::from_sec1(other).ok_or(MalformedPublicKey::Point)?;
        let mut common = other.multiple(&self.secret);
        let secret = Zeroizing::new(*common.x());
        common.zeroize();
        Ok(secret)
    }
}

impl fmt::Debug for EphemeralKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EphemeralKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_scalar(octets: &[u8; 32]) -> EphemeralKey {
        let secret = Box::new(Zeroizing::new(crate::sm2::point::scalar(octets).unwrap()));
        let public = PublicKey::new(Point::base_multiple(&secret));
        EphemeralKey { secret, public }
    }

    #[test]
    fn both_sides_have_the_same_secret_and_others_another() {
        let (one, other, third) =
            (EphemeralKey::generate(), EphemeralKey::generate(), EphemeralKey::generate());
        let (at_one, at_other) = (*one.public_key().as_sec1(), *other.public_key().as_sec1());
        let at_third = third.agree(&at_one).unwrap();
        let secret = one.agree(&at_other).unwrap();
        assert_eq!(secret, other.agree(&at_one).unwrap());
        assert_ne!(secret, at_third);
    }

    #[test]
    fn with_the_number_one_the_secret_is_the_other_coordinate() {
        let mut one = [0; 32];
        one[31] = 1;
        let other = EphemeralKey::generate();
        let point = *other.public_key().as_sec1();
        let secret = of_scalar(&one).agree(&point).unwrap();
        assert_eq!(secret[..], point[1..33]);
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        let good = *EphemeralKey::generate().public_key().as_sec1();
        let mut off_curve = good;
        off_curve[64] ^= 1;
        let compressed = [&[2 + (good[64] & 1)][..], &good[1..33]].concat();
        let mut hybrid = good;
        hybrid[0] = 6 + (good[64] & 1);
        let longer = [&good[..], &[0]].concat();
        let beyond = [[4].as_slice(), &[0xFF; 32], &good[33..]].concat();
        let cases: [(&str, &[u8]); 8] = [
            ("nothing", &[]),
            ("infinity", &[0]),
            ("infinity in 65 octets", &[0; 65]),
            ("off the curve", &off_curve),
            ("compressed", &compressed),
            ("hybrid", &hybrid),
            ("an octet more", &longer),
            ("a coordinate not below p", &beyond),
        ];
        for (what, point) in cases {
            let refused = EphemeralKey::generate().agree(point);
            assert_eq!(refused, Err(MalformedPublicKey::Point), "{what}");
        }
    }
}
