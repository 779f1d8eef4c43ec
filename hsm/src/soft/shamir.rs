//! Shamir's secret sharing over GF(2⁸) (A. Shamir, How to share a secret, 1979): each octet of the
//! secret is the value at 0 of a random polynomial, each share the values at its index.
//!
//! Fewer shares than the polynomials have coefficients say nothing of the secret, whatever the
//! computing power. The field is that of FIPS 197, 4.2; its product is computed bit by bit, without
//! tables or branches that depend on secrets.

use crate::random;
use zeroize::{Zeroize, Zeroizing};

/// The octets of a secret, and of each share of it.
pub(super) type Octets = Zeroizing<[u8; 32]>;

/// Splits a secret: the shares of index 1 to `count`, of which any `threshold` give it back.
pub(super) fn split(secret: &[u8; 32], threshold: u8, count: u8) -> Vec<Octets> {
    // The coefficients of x, x², …; those of 1 are the secret.
    let mut coefficients: Vec<[u8; 32]> = vec![[0; 32]; usize::from(threshold) - 1];
    coefficients.iter_mut().for_each(|octets| random::fill(octets));
    let shares = (1..=count).map(|index| value_at(index, secret, &coefficients)).collect();
    coefficients.zeroize();
    shares
}

/// The polynomials at `index`, by Horner's rule.
fn value_at(index: u8, secret: &[u8; 32], coefficients: &[[u8; 32]]) -> Octets {
    let mut value = Octets::default();
    for octets in coefficients.iter().rev().chain([secret]) {
        for (value, octet) in value.iter_mut().zip(octets) {
            *value = product(*value, index) ^ octet;
        }
    }
    value
}

/// The secret of these shares, each with its index: Lagrange's interpolation at 0. The indices are
/// different, and none is 0.
pub(super) fn combine(shares: &[(u8, &[u8; 32])]) -> Octets {
    let mut secret = Octets::default();
    for (index, share) in shares {
        // Π x / (x - index) over the other indices x; subtraction is XOR.
        let weight = shares
            .iter()
            .map(|(other, _)| *other)
            .filter(|other| other != index)
            .fold(1, |weight, other| product(weight, product(other, inverse(other ^ index))));
        for (secret, octet) in secret.iter_mut().zip(*share) {
            *secret ^= product(*octet, weight);
        }
    }
    secret
}

/// The product modulo x⁸ + x⁴ + x³ + x + 1.
fn product(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & mask(b >> bit & 1);
        a = (a << 1) ^ (0x1b & mask(a >> 7));
    }
    product
}

/// 0 of 0, all ones of 1.
fn mask(bit: u8) -> u8 {
    0_u8.wrapping_sub(bit)
}

/// The inverse, a²⁵⁴; 0 of 0.
fn inverse(a: u8) -> u8 {
    // 254 = 2 + 4 + … + 128
    let (mut inverse, mut power) = (1, a);
    for _ in 1..8 {
        power = product(power, power);
        inverse = product(inverse, power);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_field_is_that_of_fips_197() {
        // 4.2 and 4.2.1
        for (a, b, expected) in [(0x57, 0x83, 0xc1), (0x57, 0x13, 0xfe), (0, 0x57, 0)] {
            assert_eq!((product(a, b), product(b, a)), (expected, expected));
        }
        for a in 1..=u8::MAX {
            assert_eq!(product(a, inverse(a)), 1, "{a}");
        }
    }

    /// Computed with tables of logarithms to the base 3, which share nothing with this code.
    #[test]
    fn shares_are_the_values_of_the_polynomials() {
        let secret: [u8; 32] = std::array::from_fn(|i| i as u8);
        let first = std::array::from_fn(|i| (7 * i + 3) as u8);
        let second = std::array::from_fn(|i| (251 * i + 90) as u8);
        let shares = [
            (1, "595e43505d62170401666b78454a7f6c696e93606d72675451767b08151a0f7c"),
            (5, "825170ec2d864e89e093e225f9a2ab371ecda15f9e95670069f786ba702b8224"),
            (16, "efe738f72fd2b2cd45a7631c22f2c30c8f87daed35fe4900887db99cef3f3820"),
        ];
        for (index, expected) in shares {
            let share = value_at(index, &secret, &[first, second]);
            assert_eq!(hex::encode(&share[..]), expected, "{index}");
        }
    }

    /// With one share of two any secret is as possible as any other: for each there is one line.
    #[test]
    fn less_than_the_threshold_says_nothing() {
        for (index, share) in [(1, 0x00), (2, 0x5a), (255, 0xff)] {
            for secret in 0..=u8::MAX {
                let lines = (0..=u8::MAX).filter(|c| secret ^ product(*c, index) == share);
                assert_eq!(lines.count(), 1, "{secret} from {share} at {index}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_threshold_of_the_shares_gives_the_secret(
            secret in any::<[u8; 32]>(),
            threshold in 2..=16_u8,
            more in 0..=14_u8,
            order in any::<prop::sample::Index>(),
        ) {
            let count = (threshold + more).min(16);
            let shares = split(&secret, threshold, count);
            let mut all: Vec<(u8, &[u8; 32])> =
                (1..).zip(&shares).map(|(index, share)| (index, &**share)).collect();
            all.rotate_left(order.index(usize::from(count)));
            let enough = usize::from(threshold);
            prop_assert_eq!(*combine(&all[..enough]), secret);
            // One less gives the secret with a chance of 2⁻²⁵⁶.
            prop_assert_ne!(*combine(&all[..enough - 1]), secret);
        }
    }
}
