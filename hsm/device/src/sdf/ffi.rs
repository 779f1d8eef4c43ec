//! The foreign calls, each made safe: lengths are of this module's own buffers, codes become errors at
//! once, handles close on drop.
//!
//! What this rests on: the library keeps to the types of GM/T 0018, writes no more than its largest
//! structures, and is called by one thread a session.
#![expect(unsafe_code, reason = "the device's library is foreign code")]

#[cfg(test)]
pub(super) mod double;

use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use hsm::sdf::{CIPHER_HEAD, Code, MAX_CIPHER, MAX_STRUCTURE, algorithm};
use libloading::Library;
use zeroize::Zeroizing;

use super::SdfError;
use super::settings::DecryptOrder;

/// What the library gives as a device or a session.
struct Handle(*mut c_void);

// SAFETY: a handle is a name. That one thread at a time uses what it names is kept by `Device`, whose
// handle is behind a mutex, and by `Session`, which is not `Sync`.
unsafe impl Send for Handle {}

macro_rules! functions {
    ($($field:ident = $symbol:literal ($($parameter:ty),*);)+) => {
        /// The functions of a loaded library.
        pub(super) struct Functions {
            $($field: unsafe extern "C" fn($($parameter),*) -> c_int,)+
            /// Not in the standard: some devices have no such function.
            decrypt: Option<unsafe extern "C" fn(
                *mut c_void, c_uint, c_uint, *const c_uchar, *mut c_uchar, *mut c_uint
            ) -> c_int>,
            /// Never unloaded: libraries of devices start threads, which would go on in code that is gone.
            _library: ManuallyDrop<Library>,
        }

        impl Functions {
            /// Loads a library.
            pub(super) fn load(path: &Path) -> Result<Arc<Self>, SdfError> {
                let failed = |source| SdfError::Library { library: path.to_owned(), source };
                // SAFETY: whoever sets the path trusts the library's constructors; there is no other way
                // to use a device.
                let library = unsafe { Library::new(path) }.map_err(failed)?;
                let library = ManuallyDrop::new(library);
                // SAFETY: the types are those of GM/T 0018; the pointers live as long as the library,
                // which is never unloaded.
                $(let $field = *unsafe { library.get($symbol) }.map_err(failed)?;)+
                // SAFETY: as above.
                let decrypt = unsafe { library.get(b"SDF_InternalDecrypt_ECC\0") };
                let decrypt = decrypt.ok().map(|function| *function);
                Ok(Arc::new(Self { $($field,)+ decrypt, _library: library }))
            }
        }
    };
}

functions! {
    open_device = b"SDF_OpenDevice\0" (*mut *mut c_void);
    close_device = b"SDF_CloseDevice\0" (*mut c_void);
    open_session = b"SDF_OpenSession\0" (*mut c_void, *mut *mut c_void);
    close_session = b"SDF_CloseSession\0" (*mut c_void);
    take_right = b"SDF_GetPrivateKeyAccessRight\0" (*mut c_void, c_uint, *const c_uchar, c_uint);
    signing_key = b"SDF_ExportSignPublicKey_ECC\0" (*mut c_void, c_uint, *mut c_uchar);
    encryption_key = b"SDF_ExportEncPublicKey_ECC\0" (*mut c_void, c_uint, *mut c_uchar);
    sign = b"SDF_InternalSign_ECC\0" (*mut c_void, c_uint, *const c_uchar, c_uint, *mut c_uchar);
    verify = b"SDF_ExternalVerify_ECC\0"
        (*mut c_void, c_uint, *const c_uchar, *const c_uchar, c_uint, *const c_uchar);
}

/// Octets for a structure of fixed length: room for twice the largest, whatever the settings say of it.
type Structure = [u8; 2 * MAX_STRUCTURE];

/// What a function's number means.
fn check(function: &'static str, number: c_int) -> Result<(), SdfError> {
    let number = number.cast_unsigned();
    match (number, Code::numbered(number)) {
        (0, _) => Ok(()),
        (_, Some(code)) => Err(SdfError::Refused { function, code }),
        (_, None) => Err(SdfError::Vendor { function, number }),
    }
}

/// Octets that are given: their number fits, they are keys and digests.
fn length(octets: &[u8]) -> c_uint {
    c_uint::try_from(octets.len()).unwrap_or(0)
}

/// An open device.
pub(super) struct Device {
    handle: Mutex<Handle>,
    functions: Arc<Functions>,
}

impl Device {
    pub(super) fn open(functions: &Arc<Functions>) -> Result<Self, SdfError> {
        let mut handle = ptr::null_mut();
        // SAFETY: `handle` is a place for the answer.
        let answer = unsafe { (functions.open_device)(&raw mut handle) };
        check("SDF_OpenDevice", answer)?;
        let handle = Mutex::new(Handle(handle));
        Ok(Self { handle, functions: Arc::clone(functions) })
    }

    /// A session; whoever has it holds the device, which is closed after it.
    pub(super) fn session(&self) -> Result<Session, SdfError> {
        let device = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut handle = ptr::null_mut();
        // SAFETY: the device is open, by one thread at a time; `handle` is a place for the answer.
        let answer = unsafe { (self.functions.open_session)(device.0, &raw mut handle) };
        check("SDF_OpenSession", answer)?;
        Ok(Session { handle: Handle(handle), functions: Arc::clone(&self.functions) })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let handle = self.handle.get_mut().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the device is open, and its sessions are closed: `Pool` keeps it for as long as one is
        // there. A device that is lost refuses; there is nothing to be done about that.
        let _ = unsafe { (self.functions.close_device)(handle.0) };
    }
}

/// An open session; with one thread at a time, as it is not `Sync`.
pub(super) struct Session {
    handle: Handle,
    functions: Arc<Functions>,
}

impl Session {
    pub(super) fn take_right(&mut self, index: u32, code: &[u8]) -> Result<(), SdfError> {
        let take = self.functions.take_right;
        // SAFETY: the session is open; the code has that length and is not kept.
        let answer = unsafe { take(self.handle.0, index, code.as_ptr(), length(code)) };
        check("SDF_GetPrivateKeyAccessRight", answer)
    }

    pub(super) fn signing_key(&mut self, index: u32) -> Result<Structure, SdfError> {
        let mut key: Structure = [0; _];
        let export = self.functions.signing_key;
        // SAFETY: the session is open; there is room for the largest structure.
        let answer = unsafe { export(self.handle.0, index, key.as_mut_ptr()) };
        check("SDF_ExportSignPublicKey_ECC", answer)?;
        Ok(key)
    }

    pub(super) fn encryption_key(&mut self, index: u32) -> Result<Structure, SdfError> {
        let mut key: Structure = [0; _];
        let export = self.functions.encryption_key;
        // SAFETY: as above.
        let answer = unsafe { export(self.handle.0, index, key.as_mut_ptr()) };
        check("SDF_ExportEncPublicKey_ECC", answer)?;
        Ok(key)
    }

    pub(super) fn sign(&mut self, index: u32, e: &[u8; 32]) -> Result<Structure, SdfError> {
        let mut signature: Structure = [0; _];
        let (sign, place) = (self.functions.sign, signature.as_mut_ptr());
        // SAFETY: the session is open; `e` has that length; there is room for the largest structure.
        let answer = unsafe { sign(self.handle.0, index, e.as_ptr(), length(e), place) };
        check("SDF_InternalSign_ECC", answer)?;
        Ok(signature)
    }

    /// Has a signature verified; `key` and `signature` are structures of any layout.
    pub(super) fn verify(
        &mut self,
        number: u32,
        key: &[u8],
        e: &[u8; 32],
        signature: &[u8],
    ) -> Result<(), SdfError> {
        // A device of a wider layout than the settings say reads on.
        let (mut wide_key, mut wide_signature): (Structure, Structure) = ([0; _], [0; _]);
        wide_key[..key.len()].copy_from_slice(key);
        wide_signature[..signature.len()].copy_from_slice(signature);
        let (key, signature) = (wide_key.as_ptr(), wide_signature.as_ptr());
        let verify = self.functions.verify;
        // SAFETY: the session is open; `e` has that length; the structures are as long as the largest.
        let answer =
            unsafe { verify(self.handle.0, number, key, e.as_ptr(), length(e), signature) };
        check("SDF_ExternalVerify_ECC", answer)
    }

    /// Decrypts `cipher`, an ECCCipher with at most [`MAX_CIPHER`] octets of C.
    pub(super) fn decrypt(
        &mut self,
        index: u32,
        order: DecryptOrder,
        cipher: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SdfError> {
        const FUNCTION: &str = "SDF_InternalDecrypt_ECC";
        let missing = SdfError::Refused { function: FUNCTION, code: Code::NotSupported };
        let decrypt = self.functions.decrypt.ok_or(missing)?;
        let mut wide = Zeroizing::new(vec![0; CIPHER_HEAD + 2 * MAX_CIPHER]);
        wide[..cipher.len()].copy_from_slice(cipher);
        let mut data = Zeroizing::new(vec![0; 2 * MAX_CIPHER]);
        let mut written = length(&data);
        let (first, second) = match order {
            DecryptOrder::IndexFirst => (index, algorithm::SM2_ENCRYPT),
            DecryptOrder::AlgorithmFirst => (algorithm::SM2_ENCRYPT, index),
        };
        let (place, count) = (data.as_mut_ptr(), &raw mut written);
        // SAFETY: the session is open; the ciphertext has zeros behind it for a device of a wider
        // layout; what is decrypted is no longer than C, for which there is room twice.
        let answer = unsafe { decrypt(self.handle.0, first, second, wide.as_ptr(), place, count) };
        check(FUNCTION, answer)?;
        let written = usize::try_from(written).ok().filter(|written| *written <= data.len());
        let too_long = hsm::sdf::BadLayout("more octets than there is room for");
        let written = written.ok_or(SdfError::Answer { function: FUNCTION, source: too_long })?;
        data.truncate(written);
        Ok(data)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the session is open. A device that is lost refuses; there is nothing to be done.
        let _ = unsafe { (self.functions.close_session)(self.handle.0) };
    }
}
