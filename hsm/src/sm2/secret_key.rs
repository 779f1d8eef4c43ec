//! Secret keys in memory.

use super::encryption::decrypt;
use super::point::{Point, random_scalar, scalar};
use super::{Ciphertext, PublicKey, Signature, signing};
use crate::key::{KeyError, Sm2Decrypter, Sm2Signer};
use sm2::Scalar;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// An SM2 secret key *d* in [1, n-2], with its public key.
///
/// Wiped when dropped; not `Clone`, not comparable, never printed. It is the software answer to
/// [`Sm2Signer`] and [`Sm2Decrypter`]; what keeps keys for longer is a [`Keystore`](crate::Keystore).
pub struct SecretKey {
    scalars: Box<Scalars>,
    public: PublicKey,
}

/// What must be wiped, in one place on the heap.
struct Scalars {
    d: Scalar,
    /// (1 + d)⁻¹, which every signature needs.
    inverse: Scalar,
}

impl SecretKey {
    /// A fresh key from the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        loop {
            // n-1 is drawn with a chance of 2⁻²⁵⁶ and drawn again.
            if let Some(key) = Self::from_scalar(&random_scalar()) {
                return key;
            }
        }
    }

    /// Reads *d* as 32 octets, big-endian.
    ///
    /// # Errors
    /// [`OutOfRange`] unless there are 32 octets and 1 ≤ *d* ≤ *n* - 2. With *d* = *n* - 1 there is
    /// no (1 + *d*)⁻¹ to sign with (GM/T 0009-2012, 5.1).
    pub fn from_be_bytes(octets: &[u8]) -> Result<Self, OutOfRange> {
        let octets = octets.try_into().map_err(|_| OutOfRange)?;
        let d = scalar(octets).map(Zeroizing::new).ok_or(OutOfRange)?;
        Self::from_scalar(&d).ok_or(OutOfRange)
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// *d*, 32 octets, big-endian: for writing the key where it is kept.
    pub(crate) fn to_be_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut octets = Zeroizing::new([0; 32]);
        let mut d = self.scalars.d.to_bytes();
        octets.copy_from_slice(&d);
        d.zeroize();
        octets
    }

    pub(super) fn d(&self) -> &Scalar {
        &self.scalars.d
    }

    /// (1 + d)⁻¹.
    pub(super) fn inverse(&self) -> &Scalar {
        &self.scalars.inverse
    }

    fn from_scalar(d: &Scalar) -> Option<Self> {
        let inverse: Option<Scalar> = (*d + Scalar::ONE).invert().into();
        let scalars = Box::new(Scalars { d: *d, inverse: inverse? });
        Some(Self { public: PublicKey::new(Point::base_multiple(d)), scalars })
    }
}

impl Drop for Scalars {
    fn drop(&mut self) {
        self.d.zeroize();
        self.inverse.zeroize();
    }
}

impl Sm2Signer for SecretKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, e: &[u8; 32]) -> Result<Signature, KeyError> {
        Ok(signing::sign(self, e))
    }
}

impl Sm2Decrypter for SecretKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        decrypt(self, ciphertext).map_err(|_| KeyError::NotAuthentic)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The number is not in [1, n-2], or not of 32 octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an SM2 secret key: out of range")]
pub struct OutOfRange;
