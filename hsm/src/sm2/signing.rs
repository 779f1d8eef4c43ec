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
use zeroize::{Zeroize, Zeroizing};

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
        // B1, B2
        let [r, s] = signature.halves().map(scalar);
        let (Some(r), Some(s)) = (r, s) else { return Err(BadSignature) };
        // B5: without this check one pair would fit every key.
        let t = r + s;
        if bool::from(t.is_zero()) {
            return Err(BadSignature);
        }
        // B6; infinity has no x, and taking 0 for it would let e = r pass.
        let sum = self.point().base_multiple_plus(&s, &t).ok_or(BadSignature)?;
        // B7
        let x1 = sum.x().into();
        if reduced(e) + reduced(&x1) == r { Ok(()) } else { Err(BadSignature) }
    }
}

/// Signs *e* with a hedged nonce.
pub(super) fn sign(key: &SecretKey, e: &[u8; 32]) -> Signature {
    let mut noise = Zeroizing::new([0; 32]);
    random::fill(&mut noise[..]);
    let d: Zeroizing<[u8; 32]> = key.to_be_bytes();
    // The loop runs once but for chances of about 2⁻³² (k ≥ n) and 2⁻²⁵⁶ (A5, A6).
    let mut counter = 0_u32;
    loop {
        // A3
        let candidate = Zeroizing::new(sm3::hmac(&d[..], &[&noise[..], e, &counter.to_be_bytes()]));
        if let Some(k) = scalar(&candidate).map(Zeroizing::new)
            && let Some(signature) = sign_with_nonce(key, e, &k)
        {
            return signature;
        }
        counter += 1;
    }
}

/// Steps A4 to A7 with a given nonce; nothing when the standard asks for another one.
pub(crate) fn sign_with_nonce(key: &SecretKey, e: &[u8; 32], k: &Scalar) -> Option<Signature> {
    // A4
    let x1 = ProjectivePoint::mul_by_generator(k).to_affine().x().into();
    // A5
    let r = reduced(e) + reduced(&x1);
    let mut r_plus_k = Zeroizing::new(r + *k);
    if bool::from(r.is_zero() | r_plus_k.is_zero()) {
        return None;
    }
    // A6, rearranged so that d enters only through the prepared inverse:
    // (1+d)⁻¹ (k - rd) = (1+d)⁻¹ (k + r) - r
    let s = *key.inverse() * *r_plus_k - r;
    r_plus_k.zeroize();
    if bool::from(s.is_zero()) {
        return None;
    }
    // A7
    Some(Signature::from_scalars(&r, &s))
}
