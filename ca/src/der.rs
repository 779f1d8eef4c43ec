//! Distinguished Encoding Rules (X.690), read strictly and written plainly.
//!
//! General decoders take some input that DER forbids: unsorted sets, unused bits that are not zero,
//! padded OID arcs, defaults spelled out. Each of those gives one certificate two encodings, and
//! with it two thumbprints. This reader has no such second encodings: what it accepts, the writer
//! would write again octet for octet.

mod read;
mod text;
mod time;
mod write;

pub use read::DerError;
pub(crate) use read::{Oid, Reader, integer};
pub(crate) use text::{Text, read_text};
pub(crate) use time::{read_generalized_time, read_time, write_generalized_time, write_time};
pub(crate) use write::{bit_string, boolean_true, oid, sequence, set_of, tlv, unsigned};

/// Identifier octets used by the formats of this crate.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[n] IMPLICIT` of a primitive type.
    pub(crate) const fn context(n: u8) -> u8 {
        0x80 | n
    }

    /// `[n] EXPLICIT`, or `[n] IMPLICIT` of a SEQUENCE or SET.
    pub(crate) const fn constructed(n: u8) -> u8 {
        0xa0 | n
    }
}

#[cfg(test)]
mod tests;
