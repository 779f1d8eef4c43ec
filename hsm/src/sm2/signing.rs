//! Making and checking signatures over *e* (GB/T 32918.2-2016, 6 and 7).
//!
//! The nonce *k* is hedged: HMAC-SM3 under *d* over fresh random octets, *e* and a counter. With a
//! sound generator it is random, as the standard asks; with a broken or repeated one it is still
//! a secret function of *d* and *e*, as in RFC 6979, so that two digests never share it. A purely
//! deterministic *k* would let an attacker who disturbs one of two signatures over the same *e*
//! solve for *d*; the random octets make such pairs useless.

use super::point::{reduced, scalar};
use super::{PublicKey, SecretKey, Signature};
use crate::{random, sm3};
use sm2::elliptic_curve::Group;
use sm2::elliptic_curve::point::AffineCoordinates;
use sm2::{ProjectivePoint, Scalar};
use zeroize::Zeroizing;

/// The signature is not one of this key over this digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl PublicKey {
    /// Checks a signature over *e* (7.1, steps B1 to B7), in variable time: all of it is public.
    ///
    /// # Errors
    /// [`BadSignature`], and nothing more is to be said about it.
    pub fn verify(&self, e: &[u8; 32], signature: &Signature) -> Result<(), BadSignature> {
        verify(e, signature, |s, t| self.point().base_multiple_plus(s, t))
    }
}

/// Steps B1 to B7, with \[s\]G + \[t\]P computed by the caller.
pub(super) fn verify(
    e: &[u8; 32],
    signature: &Signature,
    sum: impl FnOnce(&Scalar, &Scalar) -> ProjectivePoint,
) -> Result<(), BadSignature> {
    // B1, B2
    let [r, s] = signature.halves().map(scalar);
    let (Some(r), Some(s)) = (r, s) else { return Err(BadSignature) };
    // B5: without this check one pair would fit every key.
    let t = r + s;
    if bool::from(t.is_zero()) {
        return Err(BadSignature);
    }
    // B6; infinity has no x, and taking 0 for it would let e = r pass.
    let sum = sum(&s, &t);
    if bool::from(sum.is_identity()) {
        return Err(BadSignature);
    }
    // B7
    let x1 = sum.to_affine().x().into();
    if reduced(e) + reduced(&x1) == r { Ok(()) } else { Err(BadSignature) }
}

/// Signs *e* with a hedged nonce.
pub(super) fn sign(key: &SecretKey, e: &[u8; 32]) -> Signature {
    let mut noise = Zeroizing::new([0; 32]);
    random::fill(&mut noise[..]);
    // The loop runs once but for chances of about 2⁻³² (k ≥ n) and 2⁻²⁵⁶ (A5, A6).
    let mut attempt = 0;
    loop {
        // A3
        if let Some(k) = nonce(key, &noise, e, attempt)
            && let Some(signature) = sign_with_nonce(key, e, &k)
        {
            return signature;
        }
        attempt += 1;
    }
}

/// A number in [1, n-1] that nobody without *d* can guess, whatever `noise` is.
fn nonce(
    key: &SecretKey,
    noise: &[u8; 32],
    e: &[u8; 32],
    attempt: u32,
) -> Option<Zeroizing<Scalar>> {
    let d = key.to_be_bytes();
    let candidate = Zeroizing::new(sm3::hmac(&d[..], &[noise, e, &attempt.to_be_bytes()]));
    scalar(&candidate).map(Zeroizing::new)
}

/// Steps A4 to A7 with a given nonce; nothing when the standard asks for another one.
pub(crate) fn sign_with_nonce(key: &SecretKey, e: &[u8; 32], k: &Scalar) -> Option<Signature> {
    // A4
    let x1 = ProjectivePoint::mul_by_generator(k).to_affine().x().into();
    // A5
    let r = reduced(e) + reduced(&x1);
    let r_plus_k = Zeroizing::new(r + *k);
    if bool::from(r.is_zero() | r_plus_k.is_zero()) {
        return None;
    }
    // A6, rearranged so that d enters only through the prepared inverse:
    // (1+d)⁻¹ (k - rd) = (1+d)⁻¹ (k + r) - r
    let s = *key.inverse() * *r_plus_k - r;
    if bool::from(s.is_zero()) {
        return None;
    }
    // A7
    Some(Signature::from_scalars(&r, &s))
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::*;
    use crate::{KeyError, Sm2Signer};
    use sm2::dsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
    use sm2::elliptic_curve::ff::PrimeField;

    fn x1(k: &Scalar) -> Scalar {
        reduced(Point::base_multiple(k).x())
    }

    #[test]
    fn the_nonce_depends_on_everything_it_must() {
        let (key, other) = (SecretKey::generate(), SecretKey::generate());
        let made = |key, noise, e, attempt| *nonce(key, &[noise; 32], &[e; 32], attempt).unwrap();
        let first = made(&key, 0, 0, 0);
        // Even with a generator that repeats itself, two digests or keys do not share a nonce.
        assert_eq!(made(&key, 0, 0, 0), first);
        assert_ne!(made(&key, 0, 1, 0), first);
        assert_ne!(made(&other, 0, 0, 0), first);
        assert_ne!(made(&key, 1, 0, 0), first);
        assert_ne!(made(&key, 0, 0, 1), first);
    }

    #[test]
    fn nonces_that_the_standard_refuses_are_refused() {
        let key = SecretKey::generate();
        let k = Scalar::from_u64(7);
        for (step, e) in [
            ("A5: r = 0", -x1(&k)),
            ("A5: r + k = n", -k - x1(&k)),
            // s = (1+d)⁻¹ (k + r) - r is 0 for r = k/d
            ("A6: s = 0", k * key.d().invert().unwrap() - x1(&k)),
        ] {
            assert!(sign_with_nonce(&key, &e.to_repr().into(), &k).is_none(), "{step}");
        }
        assert!(sign_with_nonce(&key, &[0; 32], &k).is_some());
    }

    /// The crate's own signatures and ours are the same thing.
    #[test]
    fn signatures_agree_with_the_crate() -> Result<(), KeyError> {
        for e in [[0; 32], [0x55; 32], [0xff; 32]] {
            let key = SecretKey::generate();
            let theirs = sm2::dsa::SigningKey::from_slice("", &key.to_be_bytes()[..]).unwrap();
            let signature: sm2::dsa::Signature = theirs.sign_prehash(&e).unwrap();
            let read = Signature::from_raw(&signature.to_bytes()).unwrap();
            assert_eq!(key.public().verify(&e, &read), Ok(()));

            let ours = sm2::dsa::Signature::from_slice(key.sign(&e)?.as_raw()).unwrap();
            assert!(theirs.verifying_key().verify_prehash(&e, &ours).is_ok());
        }
        Ok(())
    }
}
