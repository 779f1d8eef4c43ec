//! Points of the curve and numbers modulo its order: the seam to the crate that computes.

use super::table::BASE;
use crate::random;
use sm2::elliptic_curve::Group;
use sm2::elliptic_curve::ff::PrimeField;
use sm2::elliptic_curve::ops::{MulVartime, Reduce};
use sm2::elliptic_curve::sec1::ToSec1Point;
use sm2::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};
use zeroize::Zeroizing;

/// A point of the curve, never the one at infinity. The order is prime and the cofactor 1, so its
/// multiples by numbers in [1, n-1] are such points again.
#[derive(Clone)]
pub(crate) struct Point {
    sec1: [u8; 65],
    affine: AffinePoint,
}

impl Point {
    /// Reads 04 ‖ X ‖ Y with both coordinates below *p* and on the curve.
    pub(crate) fn from_sec1(octets: &[u8]) -> Option<Self> {
        let sec1: [u8; 65] = octets.try_into().ok()?;
        // The crate would take compressed points too: one key, one encoding.
        if sec1[0] != 0x04 {
            return None;
        }
        let affine = *sm2::PublicKey::from_sec1_bytes(&sec1).ok()?.as_affine();
        Some(Self { sec1, affine })
    }

    /// Reads two coordinates.
    pub(crate) fn from_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        let mut sec1 = [4; 65];
        sec1[1..33].copy_from_slice(x);
        sec1[33..].copy_from_slice(y);
        Self::from_sec1(&sec1)
    }

    /// \[k\]G in constant time, for `k` other than 0.
    pub(crate) fn base_multiple(k: &Scalar) -> Self {
        Self::from_affine(ProjectivePoint::mul_by_generator(k).to_affine())
    }

    /// \[k\]P in constant time, for `k` other than 0.
    pub(crate) fn multiple(&self, k: &Scalar) -> Self {
        Self::from_affine((ProjectivePoint::from(self.affine) * k).to_affine())
    }

    /// \[s\]G + \[t\]P in variable time: for public values only. It may be infinity.
    pub(super) fn base_multiple_plus(&self, s: &Scalar, t: &Scalar) -> ProjectivePoint {
        BASE.add_multiple(ProjectivePoint::from(self.affine).mul_vartime(t), s)
    }

    pub(super) fn affine(&self) -> &AffinePoint {
        &self.affine
    }

    pub(crate) fn sec1(&self) -> &[u8; 65] {
        &self.sec1
    }

    pub(crate) fn x(&self) -> &[u8; 32] {
        self.sec1[1..].first_chunk().expect("65 octets")
    }

    pub(crate) fn y(&self) -> &[u8; 32] {
        self.sec1.last_chunk().expect("65 octets")
    }

    fn from_affine(affine: AffinePoint) -> Self {
        let encoded = affine.to_sec1_point(false);
        let sec1 = encoded.as_bytes().try_into().expect("not infinity, not compressed");
        Self { sec1, affine }
    }
}

impl zeroize::Zeroize for Point {
    fn zeroize(&mut self) {
        self.sec1.zeroize();
        self.affine = AffinePoint::GENERATOR;
    }
}

/// A number in [1, n-1]; nothing otherwise.
pub(crate) fn scalar(octets: &[u8; 32]) -> Option<Scalar> {
    let scalar: Option<Scalar> = Scalar::from_repr(FieldBytes::from(*octets)).into();
    scalar.filter(|scalar| !bool::from(scalar.is_zero()))
}

/// The number modulo *n*: digests and x-coordinates may exceed it.
pub(super) fn reduced(octets: &[u8; 32]) -> Scalar {
    Scalar::reduce(&FieldBytes::from(*octets))
}

/// A random number in [1, n-1], by rejection: about one draw in 2³² is repeated.
pub(super) fn random_scalar() -> Zeroizing<Scalar> {
    let mut octets = Zeroizing::new([0; 32]);
    loop {
        random::fill(&mut octets[..]);
        if let Some(scalar) = scalar(&octets) {
            return Zeroizing::new(scalar);
        }
    }
}
