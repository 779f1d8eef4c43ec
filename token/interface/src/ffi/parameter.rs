//! What C hands over and gets back: every pointer is looked at here.

use std::ffi::{c_char, c_int, c_uchar, c_void};
use std::slice;

use crate::code::Code;

/// Longest text that is looked at, octets.
const MAX_TEXT: usize = 2048;
/// Longest address of a request, octets: more than servers take.
pub(super) const MAX_ADDRESS: usize = 16 * 1024;

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
    InText(*const c_char) = "const char *";
    In(*const c_uchar) = "const unsigned char *";
    Out(*mut c_uchar) = "unsigned char *";
    Size(usize) = "size_t ";
    OutSize(*mut usize) = "size_t *";
    Seconds(i64) = "int64_t ";
    OutSeconds(*mut i64) = "int64_t *";
    Number(c_int) = "int ";
}

impl InText {
    /// The text. No more of it is looked at than may be there.
    ///
    /// # Safety
    /// The pointer is null, or its text ends with NUL and lives until the function returns.
    pub(super) unsafe fn read<'c>(self) -> Result<&'c str, Code> {
        // SAFETY: passed on to the caller.
        unsafe { self.read_at_most(MAX_TEXT) }
    }

    /// The same of another length.
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn read_at_most<'c>(self, most: usize) -> Result<&'c str, Code> {
        if self.0.is_null() {
            return Err(Code::Argument);
        }
        // SAFETY: not null; each octet before the first NUL is there, and so is that.
        let ends = |at: &usize| unsafe { self.0.add(*at).read() } == 0;
        let length = (0..=most).find(ends).ok_or(Code::Argument)?;
        // SAFETY: so many octets were just looked at.
        let octets = unsafe { slice::from_raw_parts(self.0.cast(), length) };
        std::str::from_utf8(octets).map_err(|_| Code::Argument)
    }
}

impl In {
    /// The octets, at most `most`; `too_long` for more, of which none is looked at.
    ///
    /// # Safety
    /// The pointer is null, or has `length` octets that live until the function returns.
    pub(super) unsafe fn read<'c>(
        self,
        length: Size,
        most: usize,
        too_long: Code,
    ) -> Result<&'c [u8], Code> {
        if self.0.is_null() {
            return Err(Code::Argument);
        }
        if length.0 > most {
            return Err(too_long);
        }
        // SAFETY: not null; the header asks for that many octets.
        Ok(unsafe { slice::from_raw_parts(self.0, length.0) })
    }
}

impl Out {
    /// Whether there is somewhere to write.
    pub(super) fn is_given(self) -> Result<(), Code> {
        if self.0.is_null() { Err(Code::Argument) } else { Ok(()) }
    }

    /// # Safety
    /// The pointer is null, or has room for the octets.
    pub(super) unsafe fn write(self, octets: &[u8]) -> Result<(), Code> {
        self.is_given()?;
        // SAFETY: not null; the room was compared with what the header asks for.
        unsafe { std::ptr::copy_nonoverlapping(octets.as_ptr(), self.0, octets.len()) };
        Ok(())
    }
}

macro_rules! outputs {
    ($($name:ident($value:ty);)+) => {$(
        impl $name {
            /// Whether there is somewhere to write.
            pub(super) fn is_given(self) -> Result<(), Code> {
                if self.0.is_null() { Err(Code::Argument) } else { Ok(()) }
            }

            /// # Safety
            /// The pointer is null, or points to such a value.
            pub(super) unsafe fn put(self, value: $value) -> Result<(), Code> {
                self.is_given()?;
                // SAFETY: not null; the header asks for such a value there.
                unsafe { self.0.write_unaligned(value) };
                Ok(())
            }
        }
    )+};
}

outputs! {
    OutHandle(*mut c_void);
    OutSize(usize);
    OutSeconds(i64);
}
