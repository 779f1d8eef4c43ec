//! Public-key encryption (GB/T 32918.4-2016, 6 and 7), for keys and other short secrets.

use super::point::{Point, random_scalar};
use super::{Ciphertext, PublicKey, SecretKey};
use crate::sm3::Hasher;
use sm2::Scalar;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest plaintext, in octets. SM2 encrypts keys; what is longer is sealed under such a key.
pub const MAX_PLAINTEXT: usize = 65_536;

/// The ciphertext was not made for this key, or was changed. One answer for every cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the ciphertext does not decrypt")]
pub struct BadCiphertext;

/// The plaintext is empty or longer than [`MAX_PLAINTEXT`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("SM2 encrypts 1 to {MAX_PLAINTEXT} octets, not {0}")]
pub struct NotEncryptable(
    /// The length that was given.
    pub usize,
);

impl PublicKey {
    /// Encrypts `plaintext` for the holder of the secret key; gives SM2Cipher in DER.
    ///
    /// # Errors
    /// [`NotEncryptable`] when `plaintext` is empty or longer than [`MAX_PLAINTEXT`].
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>, NotEncryptable> {
        if plaintext.is_empty() || plaintext.len() > MAX_PLAINTEXT {
            return Err(NotEncryptable(plaintext.len()));
        }
        loop {
            // A1; repeated for one nonce in 256 when the plaintext is a single octet (A5).
            if let Some(ciphertext) = encrypt_with_nonce(self, plaintext, &random_scalar()) {
                return Ok(ciphertext.to_der());
            }
        }
    }
}

/// Steps A2 to A8 with a given nonce; nothing when the key stream is zero and another is asked for.
pub(crate) fn encrypt_with_nonce(
    key: &PublicKey,
    plaintext: &[u8],
    k: &Scalar,
) -> Option<Ciphertext> {
    let c1 = Point::base_multiple(k); // A2
    let shared = Zeroizing::new(key.point().multiple(k)); // A3, A4: no infinity, the cofactor is 1
    let mut c2 = key_stream(&shared.sec1()[1..], plaintext.len()); // A5
    if all_zero(&c2) {
        return None;
    }
    xor(&mut c2, plaintext); // A6
    Some(Ciphertext { c1, c3: check(&shared, plaintext), c2: c2.to_vec() }) // A7, A8
}

/// Steps B1 to B7; B1 was done when the ciphertext was read.
pub(super) fn decrypt(
    key: &SecretKey,
    ciphertext: &Ciphertext,
) -> Result<Zeroizing<Vec<u8>>, BadCiphertext> {
    let shared = Zeroizing::new(ciphertext.c1.multiple(key.d())); // B2, B3
    let mut plaintext = key_stream(&shared.sec1()[1..], ciphertext.c2.len()); // B4
    if all_zero(&plaintext) {
        return Err(BadCiphertext);
    }
    xor(&mut plaintext, &ciphertext.c2); // B5
    // B6
    if bool::from(check(&shared, &plaintext)[..].ct_eq(&ciphertext.c3[..])) {
        Ok(plaintext)
    } else {
        Err(BadCiphertext)
    }
}

/// The key derivation function of SM2: SM3(Z ‖ 1) ‖ SM3(Z ‖ 2) ‖ …, cut to `length` octets
/// (GB/T 32918.4-2016, 5.4.3).
pub(crate) fn key_stream(z: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut stream = Zeroizing::new(vec![0; length]);
    for (block, counter) in stream.chunks_mut(32).zip(1_u32..) {
        let mut hasher = Hasher::new();
        hasher.update(z);
        hasher.update(&counter.to_be_bytes());
        block.copy_from_slice(&Zeroizing::new(hasher.finalize())[..block.len()]);
    }
    stream
}

/// C3 = SM3(x2 ‖ M ‖ y2).
fn check(shared: &Point, plaintext: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(shared.x());
    hasher.update(plaintext);
    hasher.update(shared.y());
    hasher.finalize()
}

fn all_zero(octets: &[u8]) -> bool {
    octets.iter().fold(0, |any, octet| any | octet) == 0
}

fn xor(target: &mut [u8], other: &[u8]) {
    target.iter_mut().zip(other).for_each(|(target, other)| *target ^= other);
}
