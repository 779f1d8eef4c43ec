//! The traits that software keys and devices answer.

use super::{KeyDescription, KeyError, KeyRef, KeyUse};
use crate::sm2::{Ciphertext, PublicKey, SecretKey, Signature, SignerId};
use crate::sm4::Sm4Key;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A key that signs with SM2 and never leaves its keystore.
pub trait Sm2Signer: Send + Sync {
    /// The public key to verify with.
    fn public_key(&self) -> &PublicKey;

    /// The value *e* = SM3(Z ‖ `message`), 32 octets, big-endian, with Z over this key and the
    /// default identifier (GB/T 32918.2-2016, 5.5 and 6.1, steps A1 and A2).
    fn digest(&self, message: &[u8]) -> [u8; 32] {
        self.public_key().digest(&SignerId::DEFAULT, message)
    }

    /// Signs *e* (6.1, steps A3 to A7).
    ///
    /// # Errors
    /// [`KeyError::Locked`] while the device waits for its operator: worth another try.
    /// [`KeyError::Gone`] when the key was destroyed: final. Software keys do not fail.
    fn sign(&self, e: &[u8; 32]) -> Result<Signature, KeyError>;
}

/// A key that decrypts with SM2 and never leaves its keystore.
pub trait Sm2Decrypter: Send + Sync {
    /// The public key to encrypt with.
    fn public_key(&self) -> &PublicKey;

    /// Decrypts (GB/T 32918.4-2016, 7.1).
    ///
    /// # Errors
    /// [`KeyError::NotAuthentic`] when the ciphertext was changed or is for another key; otherwise
    /// as for [`Sm2Signer::sign`].
    fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Zeroizing<Vec<u8>>, KeyError>;
}

/// A key that seals data at rest.
pub trait DataSealer: Send + Sync {
    /// Encrypts and authenticates `plaintext`, and authenticates `aad`, the identity of the place
    /// where the result is kept. The result names the version of the key.
    ///
    /// # Errors
    /// As for [`Sm2Signer::sign`].
    fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Checks and decrypts what any version of this key sealed for the same `aad`.
    ///
    /// # Errors
    /// [`KeyError::NotAuthentic`] when anything was changed or belongs elsewhere,
    /// [`KeyError::UnknownVersion`] when the version it names is not here.
    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError>;

    /// Seals a data key, so that its octets need not be seen outside.
    ///
    /// # Errors
    /// As for [`seal`](Self::seal).
    fn seal_key(&self, aad: &[u8], key: &Sm4Key) -> Result<Vec<u8>, KeyError> {
        self.seal(aad, key.expose())
    }

    /// Opens a data key that [`seal_key`](Self::seal_key) sealed.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and [`KeyError::NotAuthentic`] when what was sealed is no key.
    fn open_key(&self, aad: &[u8], sealed: &[u8]) -> Result<Sm4Key, KeyError> {
        let octets = self.open(aad, sealed)?;
        Sm4Key::fill(|key| {
            let octets = octets.as_slice().try_into().map_err(|_| KeyError::NotAuthentic)?;
            *key = octets;
            Ok(())
        })
    }

    /// Seals an SM2 key pair that is held for its owner, so that its secret need not be seen outside.
    ///
    /// # Errors
    /// As for [`seal`](Self::seal).
    fn seal_pair(&self, aad: &[u8], secret: &SecretKey) -> Result<Vec<u8>, KeyError> {
        self.seal(aad, &secret.to_be_bytes()[..])
    }

    /// Opens a key pair that [`seal_pair`](Self::seal_pair) sealed.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and [`KeyError::NotAuthentic`] when what was sealed is no key.
    fn open_pair(&self, aad: &[u8], sealed: &[u8]) -> Result<SecretKey, KeyError> {
        SecretKey::from_be_bytes(&self.open(aad, sealed)?).map_err(|_| KeyError::NotAuthentic)
    }
}

/// A key that makes blind indexes: equal values can be found without being readable.
pub trait IndexKey: Send + Sync {
    /// HMAC-SM3 over the length of `domain` (8 octets, big-endian), `domain` and `value`.
    ///
    /// The domain names the kind of value, so that an identity number and a phone number of the
    /// same digits have nothing in common.
    ///
    /// # Errors
    /// As for [`Sm2Signer::sign`].
    fn index(&self, domain: &str, value: &[u8]) -> Result<[u8; 32], KeyError>;
}

/// A key that authenticates what is handed out and comes back.
pub trait MacKey: Send + Sync {
    /// HMAC-SM3 over `parts`, one after the other without separators: the caller sees to it that no
    /// two messages are the same octets.
    ///
    /// # Errors
    /// As for [`Sm2Signer::sign`].
    fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], KeyError>;
}

/// A master key of cards: gives the keys of single cards, never itself.
pub trait CardMaster: Send + Sync {
    /// The key diversified by each of `blocks` in turn, in memory only.
    ///
    /// # Errors
    /// [`KeyError::NothingToDeriveFrom`] when `blocks` is empty; otherwise as for
    /// [`Sm2Signer::sign`].
    fn derive(&self, blocks: &[[u8; 16]]) -> Result<Sm4Key, KeyError>;

    /// The same key, encrypted as one block under `transport`: for loading it into a card.
    ///
    /// # Errors
    /// As for [`derive`](Self::derive).
    fn derive_wrapped(&self, blocks: &[[u8; 16]], transport: &Sm4Key)
    -> Result<[u8; 16], KeyError>;

    /// The check value (密钥校验值): the first three octets of what the key makes of a block of
    /// zeros, by which two parties see that they hold the same master.
    ///
    /// # Errors
    /// As for [`derive`](Self::derive).
    fn check_value(&self) -> Result<[u8; 3], KeyError> {
        let transport = Sm4Key::generate();
        let mut block = Zeroizing::new(self.derive_wrapped(&[[0; 16]], &transport)?);
        transport.decrypt_block(&mut block);
        let [a, b, c, ..] = *block;
        Ok([a, b, c])
    }
}

/// Where keys are kept. Every lookup names the use, and a key for another use is refused.
///
/// All lookups fail with [`KeyError::Unknown`] when there is no such key and with
/// [`KeyError::WrongUse`] when it is for something else.
pub trait Keystore: Send + Sync {
    /// The active version of a key that signs.
    ///
    /// # Errors
    /// [`KeyError::NotActive`] when there is none, [`KeyError::NotASigningUse`] when `key_use` is no use of an SM2 key, besides the above.
    fn signer(&self, key: &KeyRef, key_use: KeyUse) -> Result<Arc<dyn Sm2Signer>, KeyError>;

    /// A key for [`KeyUse::Decrypt`].
    ///
    /// # Errors
    /// [`KeyError::NotSupported`] where keystores of this kind have no such keys, besides the above;
    /// so for all lookups below.
    fn decrypter(&self, key: &KeyRef) -> Result<Arc<dyn Sm2Decrypter>, KeyError>;

    /// A key for [`KeyUse::SealData`], with all its versions.
    ///
    /// # Errors
    /// As above.
    fn sealer(&self, key: &KeyRef) -> Result<Arc<dyn DataSealer>, KeyError>;

    /// A key for [`KeyUse::Index`].
    ///
    /// # Errors
    /// As above.
    fn index_key(&self, key: &KeyRef) -> Result<Arc<dyn IndexKey>, KeyError>;

    /// A key for [`KeyUse::MacCodes`].
    ///
    /// # Errors
    /// As above.
    fn mac_key(&self, key: &KeyRef) -> Result<Arc<dyn MacKey>, KeyError>;

    /// A key for [`KeyUse::CardMaster`].
    ///
    /// # Errors
    /// As above.
    fn card_master(&self, key: &KeyRef) -> Result<Arc<dyn CardMaster>, KeyError>;

    /// Every version of every key, by name, newest version first.
    fn list(&self) -> Vec<KeyDescription>;
}
