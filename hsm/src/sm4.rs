//! SM4 keys and the modes the product needs (GB/T 32907-2016).
//!
//! For data at rest there is one way, [`Sm4Key::seal`] and [`Sm4Key::open`]. The bare block and the
//! modes without authentication exist because cards compute with them; they are not for storage.

mod blocks;
mod seal;

use crate::random;
use sm4::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use blocks::NotWholeBlocks;
pub use seal::{BadSeal, NONCE_LENGTH, SEAL_OVERHEAD, TAG_LENGTH};

/// A 128-bit SM4 key held in memory: wiped when dropped, never printed, never copied.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Sm4Key(Box<[u8; 16]>);

impl Sm4Key {
    /// Lets `write` fill the key where it will stay, so that no copy lingers on the stack.
    ///
    /// # Errors
    /// Those of `write`; what was written is wiped.
    pub fn fill<E>(write: impl FnOnce(&mut [u8; 16]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self(Box::new([0; 16]));
        write(&mut key.0)?;
        Ok(key)
    }

    /// A fresh key from the operating system's generator.
    #[must_use]
    pub fn generate() -> Self {
        Self::made(|key| random::fill(key))
    }

    /// Diversifies the key: *K'* = E(*K*, block), and again under *K'* for each further block.
    ///
    /// Without blocks there is nothing to diversify by, and the result is the key itself; whoever
    /// passes on blocks from elsewhere checks for that, as [`CardMaster`](crate::CardMaster) does.
    #[must_use]
    pub fn derive(&self, blocks: &[[u8; 16]]) -> Self {
        Self::made(|derived| {
            derived.copy_from_slice(self.expose());
            for block in blocks {
                let cipher = sm4::Sm4::new((&*derived).into());
                derived.copy_from_slice(block);
                cipher.encrypt_block(derived.into());
            }
        })
    }

    /// Encrypts one block in place.
    pub fn encrypt_block(&self, block: &mut [u8; 16]) {
        self.cipher().encrypt_block(block.into());
    }

    /// Decrypts one block in place.
    pub fn decrypt_block(&self, block: &mut [u8; 16]) {
        self.cipher().decrypt_block(block.into());
    }

    /// The key as bytes: the one word to search for when asking who sees them.
    pub(crate) fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// The expanded key, which wipes itself too.
    fn cipher(&self) -> sm4::Sm4 {
        sm4::Sm4::new(self.expose().into())
    }

    fn made(write: impl FnOnce(&mut [u8; 16])) -> Self {
        let mut key = Self(Box::new([0; 16]));
        write(&mut key.0);
        key
    }
}

impl std::fmt::Debug for Sm4Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sm4Key(..)")
    }
}
