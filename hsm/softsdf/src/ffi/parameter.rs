//! What C hands over and gets back: every pointer is looked at here.

use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::slice;

use hsm::sdf::{Code, Layout};
use hsm::sm2::{Ciphertext, PublicKey, Signature};

use crate::device::MAX_DATA;
use crate::symmetric::BLOCK;

/// A parameter as C passes it.
pub(super) trait Parameter {
    /// Its type in the header.
    const C: &'static str;
}

macro_rules! parameters {
    ($($name:ident($inner:ty) = $c:literal;)+) => {$(
        #[repr(transparent)]
        #[derive(Clone, Copy)]
        #[doc = concat!("`", $c, "` of C.")]
        pub struct $name(pub(super) $inner);

        impl Parameter for $name {
            const C: &'static str = $c;
        }
    )+};
}

parameters! {
    Handle(*mut c_void) = "void *";
    OutHandle(*mut *mut c_void) = "void **";
    Number(c_uint) = "unsigned int ";
    OutNumber(*mut c_uint) = "unsigned int *";
    In(*const c_uchar) = "const unsigned char *";
    Out(*mut c_uchar) = "unsigned char *";
    InOutBlock(*mut c_uchar) = "unsigned char *";
    OutInformation(*mut c_uchar) = "DEVICEINFO *";
    InPublicKey(*const c_uchar) = "const ECCrefPublicKey *";
    OutPublicKey(*mut c_uchar) = "ECCrefPublicKey *";
    OutPrivateKey(*mut c_uchar) = "ECCrefPrivateKey *";
    InSignature(*const c_uchar) = "const ECCSignature *";
    OutSignature(*mut c_uchar) = "ECCSignature *";
    InCipher(*const c_uchar) = "const ECCCipher *";
    OutCipher(*mut c_uchar) = "ECCCipher *";
    InRsaPublicKey(*const c_uchar) = "const RSArefPublicKey *";
    OutRsaPublicKey(*mut c_uchar) = "RSArefPublicKey *";
    OutRsaPrivateKey(*mut c_uchar) = "RSArefPrivateKey *";
}

/// # Safety
/// The pointer is null, or has `length` octets that live until the function returns.
unsafe fn octets<'c>(pointer: *const c_uchar, length: usize) -> Result<&'c [u8], Code> {
    if pointer.is_null() {
        return Err(Code::InArgument);
    }
    // SAFETY: not null; the header asks for that many octets.
    Ok(unsafe { slice::from_raw_parts(pointer, length) })
}

/// # Safety
/// The pointer is null, or has room for the octets.
unsafe fn write(pointer: *mut c_uchar, octets: &[u8]) -> Result<(), Code> {
    if pointer.is_null() {
        return Err(Code::OutArgument);
    }
    // SAFETY: not null; the header names the room. Structures are packed: octets need no alignment.
    unsafe { std::ptr::copy_nonoverlapping(octets.as_ptr(), pointer, octets.len()) };
    Ok(())
}

macro_rules! outputs {
    ($($name:ident)+) => {$(
        impl $name {
            /// Whether there is somewhere to write.
            pub(super) fn is_given(self) -> Result<(), Code> {
                if self.0.is_null() { Err(Code::OutArgument) } else { Ok(()) }
            }
        }
    )+};
}

outputs! { Out OutHandle OutNumber OutSignature OutCipher }

impl In {
    /// # Safety
    /// The pointer is null, or has `length` octets that live until the function returns.
    pub(super) unsafe fn read<'c>(self, length: Number) -> Result<&'c [u8], Code> {
        if length.0 > MAX_DATA {
            return Err(Code::InArgument);
        }
        if length.0 == 0 {
            return Ok(&[]);
        }
        // SAFETY: passed on to the caller.
        unsafe { octets(self.0, length.0 as usize) }
    }
}

impl Out {
    /// # Safety
    /// The pointer is null, or has room for the octets.
    pub(super) unsafe fn write(self, octets: &[u8]) -> Result<(), Code> {
        // SAFETY: passed on to the caller.
        unsafe { write(self.0, octets) }
    }
}

impl OutInformation {
    /// # Safety
    /// The pointer is null, or points to a DEVICEINFO.
    pub(super) unsafe fn write(self, information: &[u8]) -> Result<(), Code> {
        // SAFETY: passed on to the caller.
        unsafe { write(self.0, information) }
    }
}

impl InOutBlock {
    /// A block; nothing for a null pointer.
    ///
    /// # Safety
    /// The pointer is null, or has 16 octets.
    pub(super) unsafe fn read(self) -> Result<Option<[u8; BLOCK]>, Code> {
        if self.0.is_null() {
            return Ok(None);
        }
        // SAFETY: not null; the header asks for a block.
        let block = unsafe { octets(self.0, BLOCK) }?;
        Ok(block.try_into().ok())
    }

    /// Writes what the next piece goes on from, where a block was read.
    ///
    /// # Safety
    /// As for [`read`](Self::read).
    pub(super) unsafe fn write(self, block: Option<&[u8; BLOCK]>) -> Result<(), Code> {
        match block {
            None => Ok(()),
            // SAFETY: passed on to the caller.
            Some(block) => unsafe { write(self.0, block) },
        }
    }
}

impl OutNumber {
    /// # Safety
    /// The pointer is null, or points to a number.
    pub(super) unsafe fn write(self, number: usize) -> Result<(), Code> {
        self.is_given()?;
        let number = c_uint::try_from(number).map_err(|_| Code::OutArgument)?;
        // SAFETY: not null; the header asks for a number there.
        unsafe { self.0.write_unaligned(number) };
        Ok(())
    }
}

impl OutHandle {
    /// # Safety
    /// The pointer is null, or points to a handle.
    pub(super) unsafe fn write(self, number: usize) -> Result<(), Code> {
        self.is_given()?;
        // SAFETY: not null; the header asks for a handle there.
        unsafe { self.0.write_unaligned(std::ptr::without_provenance_mut(number)) };
        Ok(())
    }
}

impl InPublicKey {
    /// # Safety
    /// The pointer is null, or points to an ECCrefPublicKey.
    pub(super) unsafe fn read(self, layout: Layout) -> Result<PublicKey, Code> {
        // SAFETY: passed on to the caller.
        let octets = unsafe { octets(self.0, layout.public_key_length()) }?;
        layout.read_public_key(octets).map_err(|_| Code::Key)
    }
}

impl OutPublicKey {
    /// # Safety
    /// The pointer is null, or points to an ECCrefPublicKey.
    pub(super) unsafe fn write(self, layout: Layout, key: &PublicKey) -> Result<(), Code> {
        // SAFETY: passed on to the caller.
        unsafe { write(self.0, &layout.public_key(key)) }
    }
}

impl InSignature {
    /// # Safety
    /// The pointer is null, or points to an ECCSignature.
    pub(super) unsafe fn read(self, layout: Layout) -> Result<Signature, Code> {
        // SAFETY: passed on to the caller.
        let octets = unsafe { octets(self.0, layout.signature_length()) }?;
        layout.read_signature(octets).map_err(|_| Code::Verify)
    }
}

impl OutSignature {
    /// # Safety
    /// The pointer is null, or points to an ECCSignature.
    pub(super) unsafe fn write(self, layout: Layout, signature: &Signature) -> Result<(), Code> {
        // SAFETY: passed on to the caller.
        unsafe { write(self.0, &layout.signature(signature)) }
    }
}

impl InCipher {
    /// # Safety
    /// The pointer is null, or points to an ECCCipher with as many octets of C as its L says.
    pub(super) unsafe fn read(self, layout: Layout) -> Result<Ciphertext, Code> {
        // SAFETY: passed on to the caller.
        let head = unsafe { octets(self.0, layout.cipher_head()) }?;
        let length = layout.cipher_length(head).map_err(|_| Code::Ciphertext)?;
        // SAFETY: passed on to the caller; the length is bounded.
        let octets = unsafe { octets(self.0, layout.cipher_head() + length) }?;
        layout.read_cipher(octets).map_err(|_| Code::Ciphertext)
    }
}

impl OutCipher {
    /// # Safety
    /// The pointer is null, or points to an ECCCipher with room for C.
    pub(super) unsafe fn write(self, layout: Layout, ciphertext: &Ciphertext) -> Result<(), Code> {
        let octets = layout.cipher(ciphertext).map_err(|_| Code::NoRoom)?;
        // SAFETY: passed on to the caller.
        unsafe { write(self.0, &octets) }
    }
}

/// The number of a code as the caller sees it: all fit, the highest is 0x0100001E.
pub(super) fn answer(outcome: Result<(), Code>) -> c_int {
    outcome.map_or_else(|code| code.number() as c_int, |()| 0)
}
