//! Modes over whole blocks, as cards use them: ECB for keys, CBC-MAC for secure messages.

use super::Sm4Key;
use sm4::cipher::{BlockCipherDecrypt, BlockCipherEncrypt};
use zeroize::Zeroizing;

/// The data is not a whole, positive number of 16-octet blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} octets are not one or more blocks of 16")]
pub struct NotWholeBlocks(
    /// The length that was given.
    pub usize,
);

impl Sm4Key {
    /// Encrypts each block on its own (ECB). Equal blocks stay equal: for keys and random values.
    ///
    /// # Errors
    /// [`NotWholeBlocks`] when `data` is empty or not a multiple of 16 octets; the caller pads.
    pub fn encrypt_ecb(&self, data: &[u8]) -> Result<Vec<u8>, NotWholeBlocks> {
        let cipher = self.cipher();
        let mut result = whole(data)?.to_vec();
        for block in result.as_chunks_mut::<16>().0 {
            cipher.encrypt_block(block.into());
        }
        Ok(result)
    }

    /// Decrypts each block on its own (ECB).
    ///
    /// # Errors
    /// [`NotWholeBlocks`] when `data` is empty or not a multiple of 16 octets.
    pub fn decrypt_ecb(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotWholeBlocks> {
        let cipher = self.cipher();
        let mut result = Zeroizing::new(whole(data)?.to_vec());
        for block in result.as_chunks_mut::<16>().0 {
            cipher.decrypt_block(block.into());
        }
        Ok(result)
    }

    /// The last block of the CBC encryption of `data` from `iv`: a MAC under the padding and length
    /// rules of the caller (GB/T 15852.1-2020, algorithm 1).
    ///
    /// CBC-MAC is a MAC only among messages of one length, or of which none begins another.
    ///
    /// # Errors
    /// [`NotWholeBlocks`] when `data` is empty or not a multiple of 16 octets; the caller pads.
    pub fn cbc_mac_last_block(
        &self,
        iv: &[u8; 16],
        data: &[u8],
    ) -> Result<[u8; 16], NotWholeBlocks> {
        let cipher = self.cipher();
        let mut state = *iv;
        for block in whole(data)?.as_chunks::<16>().0 {
            state.iter_mut().zip(block).for_each(|(state, octet)| *state ^= octet);
            cipher.encrypt_block((&mut state).into());
        }
        Ok(state)
    }
}

fn whole(data: &[u8]) -> Result<&[u8], NotWholeBlocks> {
    if data.is_empty() || !data.len().is_multiple_of(16) {
        return Err(NotWholeBlocks(data.len()));
    }
    Ok(data)
}
