//! The token as it is opened, and what a session on it is asked.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::vendor_defined::{CKM_VENDOR_DEFINED, VendorDefinedMechanism};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;
use hsm::sm2::PublicKey;
use hsm::sm4::TAG_LENGTH;
use hsm::soft::Passphrase;
use zeroize::Zeroizing;

use super::Pkcs11Error;
use crate::pool::Driver;

/// How the token is opened.
pub(super) struct TokenDriver {
    pub(super) library: PathBuf,
    pub(super) token: String,
    pub(super) pin: Passphrase,
    /// The module, once it is loaded and initialized; it is never unloaded.
    pub(super) module: Mutex<Option<Pkcs11>>,
    /// The PIN was refused.
    pub(super) refused: AtomicBool,
}

/// An open token: logged in for as long as this session is open.
pub(super) struct Token {
    module: Pkcs11,
    slot: Slot,
    _login: Mutex<Session>,
}

/// A session, and the keys that it has found: a pair is two of one label.
pub(super) struct TokenSession {
    session: Session,
    found: Vec<(ObjectClass, String, ObjectHandle)>,
}

impl Driver for TokenDriver {
    type Device = Token;
    type Session = TokenSession;
    type Error = Pkcs11Error;

    fn open(&self) -> Result<Token, Pkcs11Error> {
        if self.refused.load(Ordering::Relaxed) {
            return Err(Pkcs11Error::PinRefused);
        }
        let module = self.module()?;
        let slot = self.slot(&module)?;
        let session = module.open_ro_session(slot)?;
        let pin = RawAuthPin::new(Box::new(self.pin.expose().to_vec()));
        match session.login_with_raw(UserType::User, &pin) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinLocked | RvError::PinLenRange,
                _,
            )) => {
                self.refused.store(true, Ordering::Relaxed);
                return Err(Pkcs11Error::PinRefused);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Token { module, slot, _login: Mutex::new(session) })
    }

    fn session(&self, token: &Arc<Token>) -> Result<TokenSession, Pkcs11Error> {
        let session = token.module.open_ro_session(token.slot)?;
        Ok(TokenSession { session, found: Vec::new() })
    }
}

impl TokenDriver {
    fn module(&self) -> Result<Pkcs11, Pkcs11Error> {
        let mut loaded = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = &*loaded {
            return Ok(module.clone());
        }
        let module = Pkcs11::new(&self.library)?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Somebody else in this process uses it.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(loaded.insert(module).clone())
    }

    fn slot(&self, module: &Pkcs11) -> Result<Slot, Pkcs11Error> {
        for slot in module.get_slots_with_token()? {
            if module.get_token_info(slot)?.label() == self.token {
                return Ok(slot);
            }
        }
        Err(Pkcs11Error::NoToken(self.token.clone()))
    }
}

impl TokenSession {
    /// The key of this label and class.
    pub(super) fn find(
        &mut self,
        label: &str,
        class: ObjectClass,
    ) -> Result<ObjectHandle, Pkcs11Error> {
        let mut known = self.found.iter();
        if let Some((_, _, key)) = known.find(|(of, name, _)| *of == class && name == label) {
            return Ok(*key);
        }
        let template = [Attribute::Label(label.as_bytes().to_vec()), Attribute::Class(class)];
        let found = self.session.find_objects(&template)?;
        // Of two keys of one label nobody knows which is meant.
        let [key] = found[..] else { return Err(Pkcs11Error::NoKey(label.to_owned())) };
        self.found.push((class, label.to_owned(), key));
        Ok(key)
    }

    /// The public key of this label.
    pub(super) fn public_key(&mut self, label: &str) -> Result<PublicKey, Pkcs11Error> {
        let key = self.find(label, ObjectClass::PUBLIC_KEY)?;
        let attributes = self.session.get_attributes(key, &[AttributeType::EcPoint])?;
        let wrong = || Pkcs11Error::Answer { key: label.to_owned(), expected: "SM2 public key" };
        let Some(Attribute::EcPoint(point)) = attributes.first() else { return Err(wrong()) };
        // An OCTET STRING in DER, or the point itself: both are met.
        let point = point.strip_prefix(&[0x04, 0x41]).unwrap_or(point);
        PublicKey::from_sec1(point).map_err(|_| wrong())
    }

    /// Signs or authenticates, by a mechanism without parameters.
    pub(super) fn sign(
        &mut self,
        number: u64,
        key: ObjectHandle,
        data: &[u8],
    ) -> Result<Vec<u8>, Pkcs11Error> {
        Ok(self.session.sign(&plain(number)?, key, data)?)
    }

    /// Encrypts, by a mechanism without parameters.
    pub(super) fn encrypt(
        &mut self,
        number: u64,
        key: ObjectHandle,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Pkcs11Error> {
        Ok(Zeroizing::new(self.session.encrypt(&plain(number)?, key, data)?))
    }

    /// Encrypts and authenticates, by a mechanism with the parameters of GCM.
    pub(super) fn seal(
        &mut self,
        number: u64,
        key: ObjectHandle,
        nonce: &[u8],
        aad: &[u8],
        data: &[u8],
    ) -> Result<Vec<u8>, Pkcs11Error> {
        let mut nonce = nonce.to_vec();
        let parameters = GcmParams::new(&mut nonce, aad, TAG_BITS.into())?;
        let mechanism = VendorDefinedMechanism::new(mechanism(number)?, Some(&parameters));
        Ok(self.session.encrypt(&Mechanism::VendorDefined(mechanism), key, data)?)
    }

    /// Checks and decrypts what [`seal`](Self::seal) gave.
    pub(super) fn open(
        &mut self,
        number: u64,
        key: ObjectHandle,
        nonce: &[u8],
        aad: &[u8],
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Pkcs11Error> {
        let mut nonce = nonce.to_vec();
        let parameters = GcmParams::new(&mut nonce, aad, TAG_BITS.into())?;
        let mechanism = VendorDefinedMechanism::new(mechanism(number)?, Some(&parameters));
        let opened = self.session.decrypt(&Mechanism::VendorDefined(mechanism), key, data);
        Ok(Zeroizing::new(opened?))
    }
}

/// Bits of a tag. Fixed: the input never chooses it.
const TAG_BITS: u64 = 8 * TAG_LENGTH as u64;

fn plain(number: u64) -> Result<Mechanism<'static>, Pkcs11Error> {
    let none = None::<&()>;
    Ok(Mechanism::VendorDefined(VendorDefinedMechanism::new(mechanism(number)?, none)))
}

/// A number of PKCS#11 or of a maker; parameters are given beside it, so that one way serves both.
fn mechanism(number: u64) -> Result<MechanismType, Pkcs11Error> {
    let found = if number >= CKM_VENDOR_DEFINED {
        MechanismType::new_vendor_defined(number)
    } else {
        MechanismType::try_from(number)
    };
    found.map_err(|_| Pkcs11Error::Mechanism(number))
}
