//! Sealing: SM4-GCM with a nonce of 12 and a tag of 16 octets (RFC 8998, 3.5.1).

use super::Sm4Key;
use crate::random;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AesGcm, KeyInit};
use zeroize::Zeroizing;

/// Octets of the nonce in front of sealed data.
pub const NONCE_LENGTH: usize = 12;
/// Octets of the tag behind sealed data. Fixed: the input never chooses it.
pub const TAG_LENGTH: usize = 16;
/// What sealing adds to the length of the plaintext.
pub const SEAL_OVERHEAD: usize = NONCE_LENGTH + TAG_LENGTH;

type Sm4Gcm = AesGcm<sm4::Sm4, U12, U16>;

/// The sealed octets, the associated data and the key do not belong together.
///
/// One answer for every cause, so that nothing can be learned from the difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the sealed data was changed, or belongs to another key or place")]
pub struct BadSeal;

impl Sm4Key {
    /// Encrypts and authenticates `plaintext`, and authenticates `aad` with it; gives
    /// nonce (12) ‖ ciphertext ‖ tag (16).
    ///
    /// The nonce is random. Of 2³² seals under one key two share a nonce with a chance of 2⁻³³, so
    /// keys are rotated long before that (NIST SP 800-38D, 8.3).
    ///
    /// # Panics
    /// When `plaintext` is longer than GCM allows, 2³⁶ - 32 octets.
    #[must_use]
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LENGTH];
        random::fill(&mut nonce);
        self.seal_with_nonce(&nonce, aad, plaintext)
    }

    /// Checks and decrypts what [`seal`](Self::seal) gave for the same `aad`.
    ///
    /// # Errors
    /// [`BadSeal`] when anything was changed, cut or exchanged; no plaintext is released.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadSeal> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(BadSeal)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LENGTH>().ok_or(BadSeal)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        self.gcm()
            .decrypt_inout_detached(nonce.into(), aad, plaintext.as_mut_slice().into(), tag.into())
            .map_err(|_| BadSeal)?;
        Ok(plaintext)
    }

    pub(crate) fn seal_with_nonce(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD);
        sealed.extend_from_slice(nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self
            .gcm()
            .encrypt_inout_detached(nonce.into(), aad, (&mut sealed[NONCE_LENGTH..]).into())
            .expect("plaintext within the 64 GiB of GCM");
        sealed.extend_from_slice(&tag);
        sealed
    }

    fn gcm(&self) -> Sm4Gcm {
        Sm4Gcm::new(self.expose().into())
    }
}
