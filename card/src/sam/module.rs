use std::sync::{Mutex, MutexGuard, PoisonError};

use hsm::sm2::Signature;

use super::{Cipher, Delivery, Hash, Sam, SamError, SignDigest};
use crate::apdu::Status;
use crate::command::CardError;
use crate::key::{CardFactors, CardKey, KeyVersion};
use crate::record_signature::{RecordSigner, SignError};
use crate::security::{KeySession, SecurityError, SecurityModule};
use crate::transport::{LinkError, Transport};

/// A security module that is a SAM.
///
/// Its temporary key is taken to serve one CIPHER only: cards in the field are driven so, and
/// whether a second one of the same kind would be answered is not established.
pub struct SamSecurityModule<T>(Mutex<Shared<T>>);

struct Shared<T> {
    sam: Sam<T>,
    /// Number of the session whose key is the temporary one and was not used yet.
    ready: Option<u64>,
    /// Number of the next session.
    next: u64,
}

impl<T: Transport + Send> SamSecurityModule<T> {
    /// The module over `sam`.
    pub fn new(sam: Sam<T>) -> Self {
        Self(Mutex::new(Shared { sam, ready: None, next: 0 }))
    }

    /// Lets `act` talk to the SAM between two sessions.
    pub fn with_sam<R>(&self, act: impl FnOnce(&mut Sam<T>) -> R) -> R {
        let mut shared = self.lock();
        shared.ready = None;
        act(&mut shared.sam)
    }

    fn lock(&self) -> MutexGuard<'_, Shared<T>> {
        // Whatever a panic left undone, the next DELIVERY starts over.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Transport> Shared<T> {
    fn deliver(&mut self, session: u64, delivery: &Delivery) -> Result<(), SamError> {
        self.ready = None;
        self.sam.enter(super::APPLICATION)?;
        self.sam.run(delivery)?;
        self.ready = Some(session);
        Ok(())
    }

    /// One CIPHER, with the session's key as the temporary one.
    fn cipher(
        &mut self,
        session: u64,
        delivery: &Delivery,
        cipher: &Cipher<'_>,
    ) -> Result<Vec<u8>, SamError> {
        if self.ready.take() != Some(session) {
            self.deliver(session, delivery)?;
            self.ready = None;
        }
        Ok(self.sam.fetch(cipher)?)
    }
}

impl<T: Transport + Send> SecurityModule for SamSecurityModule<T> {
    fn session(
        &self,
        key: CardKey,
        version: KeyVersion,
        factors: &CardFactors,
        challenge: &[u8; 8],
    ) -> Result<Box<dyn KeySession + '_>, SecurityError> {
        let missing = SecurityError::NoKey { key, version };
        let Some(delivery) = Delivery::new(key, version, factors, challenge) else {
            return Err(missing);
        };
        let mut shared = self.lock();
        let number = shared.next;
        shared.next += 1;
        match shared.deliver(number, &delivery) {
            Ok(()) => {}
            Err(SamError::Link(LinkError::Card(CardError::Refused(Status::KeyNotFound)))) => {
                return Err(missing);
            }
            Err(other) => return Err(other.into()),
        }
        drop(shared);
        Ok(Box::new(SamSession { module: self, number, delivery }))
    }
}

/// A session key inside a SAM.
struct SamSession<'m, T> {
    module: &'m SamSecurityModule<T>,
    number: u64,
    delivery: Delivery,
}

impl<T: Transport + Send> SamSession<'_, T> {
    fn cipher(&self, cipher: &Cipher<'_>) -> Result<Vec<u8>, SecurityError> {
        Ok(self.module.lock().cipher(self.number, &self.delivery, cipher)?)
    }
}

impl<T: Transport + Send> KeySession for SamSession<'_, T> {
    fn cryptogram(&mut self, data: &[u8; 8]) -> Result<[u8; 8], SecurityError> {
        let mut block = [0; 16];
        block[..8].copy_from_slice(data);
        let encrypted = self.cipher(&Cipher::Encrypt(&[block]))?;
        Ok(std::array::from_fn(|at| encrypted[at] ^ encrypted[at + 8]))
    }

    fn encrypt(&mut self, blocks: &[[u8; 16]]) -> Result<Vec<u8>, SecurityError> {
        let mut encrypted = Vec::with_capacity(16 * blocks.len());
        for part in blocks.chunks(Cipher::ENCRYPT_BLOCKS) {
            encrypted.extend(self.cipher(&Cipher::Encrypt(part))?);
        }
        Ok(encrypted)
    }

    fn mac(&mut self, blocks: &[[u8; 16]]) -> Result<[u8; 4], SecurityError> {
        let mut chain = [0; 16];
        let mut parts = blocks.chunks(Cipher::MAC_BLOCKS).peekable();
        let mut mac = [0; 4];
        while let Some(part) = parts.next() {
            let answer = self.cipher(&Cipher::Mac { from: chain, blocks: part })?;
            mac.copy_from_slice(&answer[..4]);
            if parts.peek().is_some() {
                // A SAM that gives the MAC alone cannot go on from it.
                let found = answer.len();
                let short = || LinkError::Card(CardError::Length { expected: 16, found });
                chain = answer.try_into().map_err(|_| SamError::Link(short()))?;
            }
        }
        Ok(mac)
    }
}

impl<T: Transport + Send> RecordSigner for SamSecurityModule<T> {
    fn certificate(&self) -> Result<[u8; 190], SignError> {
        Ok(self.with_sam(Sam::certificate)?)
    }

    fn sign(&self, data: &[u8]) -> Result<Signature, SignError> {
        Ok(self.with_sam(|sam| sam.sign(data))?)
    }
}

impl<T: Transport> Sam<T> {
    /// Digests `data` in the SAM and signs the digest, without any identifier (health-card.md, 10,
    /// no. 13). The PIN must have been presented since it was powered.
    ///
    /// # Errors
    /// [`SamError::PinNeeded`] before the PIN.
    pub fn sign(&mut self, data: &[u8]) -> Result<Signature, SamError> {
        let mut parts = data.chunks(Hash::PART).peekable();
        let mut digest = Vec::new();
        while let Some(part) = parts.next() {
            digest = self.fetch(&Hash { part, last: parts.peek().is_none() })?;
        }
        self.sign_digest(&digest.try_into().map_err(|_| SamError::NoSignature)?)
    }

    /// Signs a digest that was made elsewhere.
    ///
    /// # Errors
    /// As for [`sign`](Self::sign).
    pub fn sign_digest(&mut self, digest: &[u8; 32]) -> Result<Signature, SamError> {
        let signature = match self.fetch(&SignDigest(digest)) {
            Err(LinkError::Card(CardError::Refused(Status::NotAllowed))) => {
                return Err(SamError::PinNeeded);
            }
            other => other?,
        };
        Signature::from_raw(&signature).map_err(|_| SamError::NoSignature)
    }
}
