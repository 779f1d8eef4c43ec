//! What a session does: safe code, between values.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

use hsm::random::{RandomSource as _, SystemRandom};
use hsm::sdf::{Code, Layout, algorithm};
use hsm::sm2::{Ciphertext, PublicKey, Signature, SignerId};
use hsm::sm3::Hasher;
use hsm::sm4::Sm4Key;
use zeroize::Zeroizing;

use crate::device::Device;
use crate::fault::Fault;
use crate::handles;

/// Keys that one session may hold.
const MOST_KEYS: usize = 256;
/// Bits of a session key.
const KEY_BITS: u32 = 128;

/// A session on a device.
pub(crate) struct Session {
    device: Arc<Device>,
    /// Indexes whose private keys may be used.
    rights: BTreeSet<u32>,
    /// The digest that is being computed.
    hash: Option<Hasher>,
    /// Session keys (会话密钥) by handle.
    keys: BTreeMap<usize, Sm4Key>,
}

impl Session {
    pub(crate) fn new(device: Arc<Device>) -> Self {
        Self { device, rights: BTreeSet::new(), hash: None, keys: BTreeMap::new() }
    }

    /// See [`Device::fault`].
    pub(crate) fn fault(&self) -> Result<Option<Fault>, Code> {
        self.device.fault()
    }

    pub(crate) fn layout(&self) -> Layout {
        self.device.layout
    }

    pub(crate) fn take_right(&mut self, index: u32, code: &[u8]) -> Result<(), Code> {
        self.device.admits(index, code)?;
        self.rights.insert(index);
        Ok(())
    }

    pub(crate) fn give_right_up(&mut self, index: u32) -> Result<(), Code> {
        self.device.is_locked(index)?;
        self.rights.remove(&index);
        Ok(())
    }

    fn check_right(&self, index: u32) -> Result<(), Code> {
        let free = !self.device.is_locked(index)? || self.rights.contains(&index);
        if free { Ok(()) } else { Err(Code::PrivateKeyDenied) }
    }

    pub(crate) fn signing_key(&self, index: u32) -> Result<PublicKey, Code> {
        Ok(self.device.signer(index)?.public_key().clone())
    }

    pub(crate) fn encryption_key(&self, index: u32) -> Result<PublicKey, Code> {
        Ok(self.device.decrypter(index)?.public_key().clone())
    }

    pub(crate) fn sign(&self, index: u32, e: &[u8]) -> Result<Signature, Code> {
        let signer = self.device.signer(index)?;
        self.check_right(index)?;
        let e = e.try_into().map_err(|_| Code::InArgument)?;
        let signature = signer.sign(e).map_err(|_| Code::Sign)?;
        // Whoever pulls the device out in the middle of this gets no answer.
        match self.device.fault()? {
            Some(Fault::Garbled) => {
                let mut raw = *signature.as_raw();
                raw[63] ^= 1;
                Signature::from_raw(&raw).map_err(|_| Code::Sign)
            }
            _ => Ok(signature),
        }
    }

    pub(crate) fn verify(key: &PublicKey, e: &[u8], signature: &Signature) -> Result<(), Code> {
        let e = e.try_into().map_err(|_| Code::InArgument)?;
        key.verify(e, signature).map_err(|_| Code::Verify)
    }

    pub(crate) fn encrypt(key: &PublicKey, data: &[u8]) -> Result<Ciphertext, Code> {
        let der = key.encrypt(data).map_err(|_| Code::InArgument)?;
        Ciphertext::from_der(&der).map_err(|_| Code::PublicKeyOperation)
    }

    pub(crate) fn decrypt(
        &self,
        index: u32,
        ciphertext: &Ciphertext,
    ) -> Result<Zeroizing<Vec<u8>>, Code> {
        let decrypter = self.device.decrypter(index)?;
        self.check_right(index)?;
        decrypter.decrypt(ciphertext).map_err(|_| Code::Ciphertext)
    }

    /// A fresh session key, encrypted for `recipient`, and its handle.
    pub(crate) fn generate_key(
        &mut self,
        bits: u32,
        recipient: &PublicKey,
    ) -> Result<(Ciphertext, usize), Code> {
        if bits != KEY_BITS {
            return Err(Code::KeyType);
        }
        let mut octets = Zeroizing::new([0; 16]);
        SystemRandom.fill(&mut octets[..]).map_err(|_| Code::Random)?;
        let ciphertext = Self::encrypt(recipient, &octets[..])?;
        Ok((ciphertext, self.keep(&octets)?))
    }

    /// Takes a session key over that was encrypted for an index; its handle.
    pub(crate) fn import_key(
        &mut self,
        index: u32,
        ciphertext: &Ciphertext,
    ) -> Result<usize, Code> {
        let octets = self.decrypt(index, ciphertext)?;
        let octets = octets.as_slice().try_into().map_err(|_| Code::KeyType)?;
        self.keep(octets)
    }

    fn keep(&mut self, octets: &[u8; 16]) -> Result<usize, Code> {
        if self.keys.len() >= MOST_KEYS {
            return Err(Code::NoRoom);
        }
        let Ok(key) = Sm4Key::fill(|place| {
            *place = *octets;
            Ok::<(), Infallible>(())
        });
        let number = handles::number();
        self.keys.insert(number, key);
        Ok(number)
    }

    pub(crate) fn key(&self, handle: usize) -> Result<&Sm4Key, Code> {
        self.keys.get(&handle).ok_or(Code::NoSuchKey)
    }

    pub(crate) fn destroy_key(&mut self, handle: usize) -> Result<(), Code> {
        self.keys.remove(&handle).map(drop).ok_or(Code::NoSuchKey)
    }

    /// Begins a digest; with the Z of a signer when there is an identifier (预处理1).
    pub(crate) fn begin_hash(
        &mut self,
        algorithm: u32,
        signer: Option<(&PublicKey, &[u8])>,
    ) -> Result<(), Code> {
        if algorithm != algorithm::SM3 {
            return Err(Code::AlgorithmNotSupported);
        }
        let mut hasher = Hasher::new();
        if let Some((key, id)) = signer {
            let id = SignerId::new(id).map_err(|_| Code::InArgument)?;
            hasher.update(&key.za(&id));
        }
        self.hash = Some(hasher);
        Ok(())
    }

    pub(crate) fn update_hash(&mut self, data: &[u8]) -> Result<(), Code> {
        self.hash.as_mut().ok_or(Code::Step)?.update(data);
        Ok(())
    }

    pub(crate) fn end_hash(&mut self) -> Result<[u8; 32], Code> {
        Ok(self.hash.take().ok_or(Code::Step)?.finalize())
    }
}

/// Whether a number names SM2 signatures, in any of the ways that are met.
pub(crate) fn signs(number: u32) -> Result<(), Code> {
    use algorithm::{SM2, SM2_SIGN, SM3_SM2, SM3_SM2_OLD};
    match number {
        SM2 | SM2_SIGN | SM3_SM2 | SM3_SM2_OLD => Ok(()),
        _ => Err(Code::AlgorithmNotSupported),
    }
}

/// Whether a number names SM2 encryption.
pub(crate) fn encrypts(number: u32) -> Result<(), Code> {
    match number {
        algorithm::SM2 | algorithm::SM2_ENCRYPT => Ok(()),
        _ => Err(Code::AlgorithmNotSupported),
    }
}
