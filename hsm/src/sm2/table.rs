//! Multiples of one point, computed once, so that multiplying it costs additions only. Looking up
//! takes time that depends on the number: tables are for verifying, never for secrets.

use sm2::elliptic_curve::BatchNormalize;
use sm2::{AffinePoint, ProjectivePoint, Scalar};
use std::sync::LazyLock;

/// The multiples of the base point, 170 KiB, made at first use.
pub(super) static BASE: LazyLock<Table<7>> = LazyLock::new(|| Table::new(&AffinePoint::GENERATOR));

/// For each window of `W` bits of a number, the multiples 1 to 2^(W-1) of the point at the place
/// of that window.
#[derive(Clone)]
pub(super) struct Table<const W: usize>(Vec<AffinePoint>);

impl<const W: usize> Table<W> {
    /// One window more than 256 bits need, if `W` divides 256: digits are signed and carry.
    const WINDOWS: usize = 256 / W + 1;
    /// The multiples of a window.
    const MULTIPLES: usize = 1 << (W - 1);

    pub(super) fn new(point: &AffinePoint) -> Self {
        let mut multiples = Vec::with_capacity(Self::WINDOWS * Self::MULTIPLES);
        let mut unit = ProjectivePoint::from(*point);
        for _ in 0..Self::WINDOWS {
            let mut multiple = unit;
            multiples.push(multiple);
            for _ in 1..Self::MULTIPLES {
                multiple += unit;
                multiples.push(multiple);
            }
            // 2^(W-1) of this window, twice, is 1 of the next.
            unit = multiple + multiple;
        }
        Self(ProjectivePoint::batch_normalize(multiples.as_slice()))
    }

    /// `sum` + \[k\]P, in variable time.
    pub(super) fn add_multiple(&self, mut sum: ProjectivePoint, k: &Scalar) -> ProjectivePoint {
        for (digit, multiples) in digits::<W>(k).zip(self.0.chunks_exact(Self::MULTIPLES)) {
            match digit {
                0 => {}
                1.. => sum += multiples[digit as usize - 1],
                ..0 => sum -= multiples[digit.unsigned_abs() as usize - 1],
            }
        }
        sum
    }
}

/// The digits of a number, lowest first, each from -2^(W-1) + 1 to 2^(W-1).
fn digits<const W: usize>(k: &Scalar) -> impl Iterator<Item = i32> {
    let octets = k.to_bytes();
    let bit = move |place: usize| match octets.get(31_usize.wrapping_sub(place / 8)) {
        Some(octet) => i32::from(octet >> (place % 8) & 1),
        None => 0,
    };
    let mut carry = 0;
    (0..Table::<W>::WINDOWS).map(move |window| {
        let unsigned = (0..W).rev().fold(0, |digit, place| digit << 1 | bit(window * W + place));
        let digit = unsigned + carry;
        carry = i32::from(digit > 1 << (W - 1));
        digit - (carry << W)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sm2::FieldBytes;
    use sm2::elliptic_curve::Group;
    use sm2::elliptic_curve::ops::Reduce;

    fn scalar(octets: [u8; 32]) -> Scalar {
        Scalar::reduce(&FieldBytes::from(octets))
    }

    fn check<const W: usize>(k: &Scalar) {
        let digits: Vec<i32> = digits::<W>(k).collect();
        let bound = 1 << (W - 1);
        assert!(digits.iter().all(|digit| (-bound < *digit) && (*digit <= bound)), "{digits:?}");
        let value = digits.iter().rev().fold(Scalar::ZERO, |value, digit| {
            let size = Scalar::from(u64::from(digit.unsigned_abs()));
            let shifted = (0..W).fold(value, |value, _| value.double());
            if *digit < 0 { shifted - size } else { shifted + size }
        });
        assert_eq!(value, *k, "width {W}");
    }

    #[test]
    fn digits_make_up_the_number() {
        let n_minus_1 = -Scalar::ONE;
        for k in [Scalar::ZERO, Scalar::ONE, n_minus_1, n_minus_1 - Scalar::ONE].into_iter().chain(
            (0..256).map(|place| {
                let mut octets = [0; 32];
                octets[place / 8] = 1 << (place % 8);
                scalar(octets)
            }),
        ) {
            check::<4>(&k);
            check::<5>(&k);
            check::<7>(&k);
            check::<8>(&k);
        }
    }

    #[test]
    fn sums_that_meet_themselves_are_right() {
        let g = ProjectivePoint::GENERATOR;
        assert_eq!(BASE.add_multiple(g, &Scalar::ONE), g.double());
        assert!(bool::from(BASE.add_multiple(g, &-Scalar::ONE).is_identity()));
        assert!(bool::from(
            BASE.add_multiple(ProjectivePoint::IDENTITY, &Scalar::ZERO).is_identity()
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn multiples_agree_with_the_crate(point: [u8; 32], k: [u8; 32]) {
            let (point, k) = (scalar(point), scalar(k));
            let start = ProjectivePoint::GENERATOR.double();
            prop_assert_eq!(
                BASE.add_multiple(start, &k),
                start + ProjectivePoint::mul_by_generator(&k)
            );
            let point = ProjectivePoint::mul_by_generator(&point);
            let table = Table::<5>::new(&point.to_affine());
            prop_assert_eq!(table.add_multiple(start, &k), start + point * k);
        }
    }
}
