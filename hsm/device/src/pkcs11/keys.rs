//! What keys in a token do.

use std::convert::Infallible;
use std::sync::Arc;

use cryptoki::error::RvError;
use cryptoki::object::{ObjectClass, ObjectHandle};
use hsm::random::{RandomSource as _, SystemRandom};
use hsm::sm2::{PreparedKey, PublicKey, Signature};
use hsm::sm4::{NONCE_LENGTH, Sm4Key};
use hsm::{CardMaster, DataSealer, IndexKey, KeyError, MacKey, Sm2Signer};
use zeroize::Zeroizing;

use super::Pkcs11Error;
use super::session::{TokenDriver, TokenSession};
use crate::pool::Pool;

/// What precedes the nonce of what was sealed: the form, and the version, of which there is one.
const HEAD: [u8; 5] = [1, 0, 0, 0, 1];

/// A secret key, and the mechanism it computes by.
pub(super) struct TokenKey {
    pub(super) pool: Arc<Pool<TokenDriver>>,
    pub(super) label: String,
    pub(super) mechanism: u64,
}

impl TokenKey {
    /// Works on a session with the key.
    fn with<T>(
        &self,
        class: ObjectClass,
        work: impl FnOnce(&mut TokenSession, ObjectHandle) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        self.pool.with(|session| {
            let key = session.find(&self.label, class)?;
            work(session, key)
        })
    }

    fn wrong(&self, expected: &'static str) -> Pkcs11Error {
        Pkcs11Error::Answer { key: self.label.clone(), expected }
    }

    fn hmac(&self, message: &[u8]) -> Result<[u8; 32], KeyError> {
        Ok(self.with(ObjectClass::SECRET_KEY, |session, key| {
            let mac = session.sign(self.mechanism, key, message)?;
            mac.try_into().map_err(|_| self.wrong("HMAC of 32 octets"))
        })?)
    }

    fn open_in(
        &self,
        session: &mut TokenSession,
        key: ObjectHandle,
        (aad, nonce, rest): (&[u8], &[u8], &[u8]),
    ) -> Result<Zeroizing<Vec<u8>>, Pkcs11Error> {
        let opened = session.open(self.mechanism, key, nonce, aad, rest);
        let Err(error) = opened else { return opened };
        // Modules have several codes for what is not authentic, and use some of them for faults too. A
        // token that opens what it sealed has none.
        let suspect = matches!(
            error.code(),
            Some(
                RvError::EncryptedDataInvalid
                    | RvError::EncryptedDataLenRange
                    | RvError::FunctionFailed
                    | RvError::GeneralError
            )
        );
        if !suspect {
            return Err(error);
        }
        let mut nonce = [0; NONCE_LENGTH];
        let opens = SystemRandom.fill(&mut nonce).is_ok() && {
            let sealed = session.seal(self.mechanism, key, &nonce, b"probe", b"probe");
            sealed.is_ok_and(|sealed| {
                session.open(self.mechanism, key, &nonce, b"probe", &sealed).is_ok()
            })
        };
        Err(if opens { Pkcs11Error::NotAuthentic } else { error })
    }
}

impl DataSealer for TokenKey {
    fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE_LENGTH];
        SystemRandom.fill(&mut nonce).map_err(|none| KeyError::Device(Box::new(none)))?;
        let sealed = self.with(ObjectClass::SECRET_KEY, |session, key| {
            session.seal(self.mechanism, key, &nonce, aad, plaintext)
        })?;
        Ok([&HEAD[..], &nonce, &sealed].concat())
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (head, rest) = sealed.split_first_chunk::<5>().ok_or(KeyError::NotAuthentic)?;
        let [form, version @ ..] = *head;
        if form != HEAD[0] {
            return Err(KeyError::NotAuthentic);
        }
        if *head != HEAD {
            return Err(KeyError::UnknownVersion(u32::from_be_bytes(version)));
        }
        let (nonce, rest) =
            rest.split_first_chunk::<NONCE_LENGTH>().ok_or(KeyError::NotAuthentic)?;
        if rest.len() < hsm::sm4::TAG_LENGTH {
            return Err(KeyError::NotAuthentic);
        }
        Ok(self.with(ObjectClass::SECRET_KEY, |session, key| {
            self.open_in(session, key, (aad, nonce, rest))
        })?)
    }
}

impl IndexKey for TokenKey {
    fn index(&self, domain: &str, value: &[u8]) -> Result<[u8; 32], KeyError> {
        let length = (domain.len() as u64).to_be_bytes();
        let message = Zeroizing::new([&length[..], domain.as_bytes(), value].concat());
        self.hmac(&message)
    }
}

impl MacKey for TokenKey {
    fn mac(&self, parts: &[&[u8]]) -> Result<[u8; 32], KeyError> {
        self.hmac(&Zeroizing::new(parts.concat()))
    }
}

impl TokenKey {
    /// The diversified key as octets: the first step in the token, the others with what it gave.
    fn diversify(&self, blocks: &[[u8; 16]]) -> Result<Zeroizing<[u8; 16]>, KeyError> {
        let (first, others) = blocks.split_first().ok_or(KeyError::NothingToDeriveFrom)?;
        let encrypted = self.with(ObjectClass::SECRET_KEY, |session, key| {
            session.encrypt(self.mechanism, key, first)
        })?;
        let octets: &[u8; 16] =
            encrypted.as_slice().try_into().map_err(|_| self.wrong("block of 16 octets"))?;
        let mut octets = Zeroizing::new(*octets);
        for block in others {
            let key = key_of(&octets);
            *octets = *block;
            key.encrypt_block(&mut octets);
        }
        Ok(octets)
    }
}

fn key_of(octets: &[u8; 16]) -> Sm4Key {
    let Ok(key) = Sm4Key::fill(|place| {
        *place = *octets;
        Ok::<(), Infallible>(())
    });
    key
}

impl CardMaster for TokenKey {
    fn derive(&self, blocks: &[[u8; 16]]) -> Result<Sm4Key, KeyError> {
        Ok(key_of(&*self.diversify(blocks)?))
    }

    fn derive_wrapped(
        &self,
        blocks: &[[u8; 16]],
        transport: &Sm4Key,
    ) -> Result<[u8; 16], KeyError> {
        let mut key = self.diversify(blocks)?;
        transport.encrypt_block(&mut key);
        Ok(*key)
    }
}

/// A key that signs, with its public key.
pub(super) struct TokenSigner {
    pub(super) key: TokenKey,
    pub(super) public: PreparedKey,
}

impl Sm2Signer for TokenSigner {
    fn public_key(&self) -> &PublicKey {
        self.public.public_key()
    }

    fn sign(&self, e: &[u8; 32]) -> Result<Signature, KeyError> {
        Ok(self.key.with(ObjectClass::PRIVATE_KEY, |session, key| {
            let octets = session.sign(self.key.mechanism, key, e)?;
            let signature = Signature::from_raw(&octets);
            let signature = signature.map_err(|_| self.key.wrong("SM2 signature"))?;
            let wrong = |_| Pkcs11Error::WrongSignature(self.key.label.clone());
            self.public.verify(e, &signature).map_err(wrong)?;
            Ok(signature)
        })?)
    }
}
