//! What C hands over and gets back: every pointer is looked at here.

use std::ffi::{CStr, c_char, c_int, c_uchar, c_ulong};

use crate::code::Code;
use crate::field::Characters;

/// The longest text that is looked at: the fields of a whole record in hex, and more.
const MAX_TEXT: usize = 8192;

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
    InText(*const c_char) = "const char *";
    OutText(*mut c_char) = "char *";
    InBytes(*const c_uchar) = "const unsigned char *";
    OutBytes(*mut c_uchar) = "unsigned char *";
    Int(c_int) = "int ";
    Byte(c_uchar) = "unsigned char ";
    Length(c_ulong) = "unsigned long ";
    OutInt(*mut c_int) = "int *";
    OutLong(*mut c_ulong) = "unsigned long *";
}

impl InText {
    /// The text; `None` for a null pointer.
    ///
    /// # Safety
    /// The pointer is null, or its text ends with NUL and lives until the function returns.
    pub(super) unsafe fn given<'c>(self) -> Result<Option<&'c [u8]>, Code> {
        if self.0.is_null() {
            return Ok(None);
        }
        // SAFETY: not null; the header asks for a NUL at the end.
        let text = unsafe { CStr::from_ptr(self.0) }.to_bytes();
        if text.len() > MAX_TEXT { Err(Code::Parameter) } else { Ok(Some(text)) }
    }

    /// # Safety
    /// As for [`given`](Self::given).
    pub(super) unsafe fn read<'c>(self) -> Result<&'c [u8], Code> {
        // SAFETY: passed on to the caller.
        unsafe { self.given() }?.ok_or(Code::Parameter)
    }
}

impl InBytes {
    /// # Safety
    /// The pointer is null, or has `length` bytes that live until the function returns.
    pub(super) unsafe fn read<'c>(self, length: usize) -> Result<&'c [u8], Code> {
        if self.0.is_null() || length > MAX_TEXT {
            return Err(Code::Parameter);
        }
        // SAFETY: not null; the header asks for `length` bytes.
        Ok(unsafe { std::slice::from_raw_parts(self.0, length) })
    }
}

impl OutBytes {
    /// Whether there is somewhere to write.
    pub(super) fn is_given(self) -> Result<(), Code> {
        if self.0.is_null() { Err(Code::Parameter) } else { Ok(()) }
    }

    /// # Safety
    /// The pointer is null, or has room for the bytes.
    pub(super) unsafe fn write(self, bytes: &[u8]) -> Result<(), Code> {
        self.is_given()?;
        // SAFETY: not null; the header names the room, which is at least as long as any answer.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0, bytes.len()) };
        Ok(())
    }
}

impl OutText {
    /// Writes the characters and a NUL.
    ///
    /// # Safety
    /// The pointer is null, or has room for the characters and a NUL.
    pub(super) unsafe fn write(self, characters: &[u8]) -> Result<(), Code> {
        // SAFETY: passed on to the caller.
        unsafe { self.write_raw(characters) }?;
        // SAFETY: not null, or nothing was written; the header asks for room behind the characters.
        unsafe { self.0.add(characters.len()).write(0) };
        Ok(())
    }

    /// Writes bytes as they are, with no NUL.
    ///
    /// # Safety
    /// The pointer is null, or has room for the bytes.
    pub(super) unsafe fn write_raw(self, bytes: &[u8]) -> Result<(), Code> {
        // SAFETY: passed on to the caller.
        unsafe { OutBytes(self.0.cast()).write(bytes) }
    }
}

macro_rules! out_number {
    ($($name:ident: $number:ty;)+) => {$(
        impl $name {
            /// Whether there is somewhere to write.
            pub(super) fn is_given(self) -> Result<(), Code> {
                if self.0.is_null() { Err(Code::Parameter) } else { Ok(()) }
            }

            /// # Safety
            /// The pointer is null, or points to a number.
            pub(super) unsafe fn write(self, number: $number) -> Result<(), Code> {
                self.is_given()?;
                // SAFETY: not null; the header asks for a number there.
                unsafe { self.0.write(number) };
                Ok(())
            }
        }
    )+};
}

out_number! {
    OutInt: c_int;
    OutLong: c_ulong;
}

/// Writes the fields into the buffers.
///
/// # Safety
/// Each pointer is null, or has room for the field in its form and a NUL.
pub(super) unsafe fn give(fields: &[Characters], buffers: &[OutText]) -> Result<(), Code> {
    if fields.len() != buffers.len() {
        return Err(Code::ReadRecord);
    }
    for (field, buffer) in fields.iter().zip(buffers) {
        // SAFETY: passed on to the caller.
        unsafe { buffer.write(field) }?;
    }
    Ok(())
}

/// The texts that are given; `None` for those that are null or empty.
///
/// # Safety
/// Each pointer is null, or its text ends with NUL.
pub(super) unsafe fn take<'c>(texts: &[InText]) -> Result<Vec<Option<&'c [u8]>>, Code> {
    // SAFETY: passed on to the caller.
    let given = texts.iter().map(|text| unsafe { text.given() });
    given.map(|text| text.map(|text| text.filter(|text| !text.is_empty()))).collect()
}
