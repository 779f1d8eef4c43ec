//! Keys in cryptographic devices (密码设备), loaded at run time: servers and cards with the C interface
//! of GM/T 0018 ([`sdf`]), and tokens with that of PKCS#11 ([`pkcs11`]).
//!
//! A device answers the traits of [`hsm`]; what it has no keys for, it says
//! ([`KeyError::NotSupported`](hsm::KeyError::NotSupported)). When it is lost, whatever needs a private
//! key fails with a typed error, public keys stay known, so that verification goes on, and the next call
//! finds the device again when it is back. No answer of a device is believed unchecked: points are on
//! the curve, and a signature leaves this crate only once it verified.
//!
//! It is a crate of its own because it calls foreign code; all unsafe code is in `sdf/ffi.rs`.
#![warn(missing_docs)]

pub mod pkcs11;
mod pool;
pub mod sdf;

pub use pool::DeviceState;
