//! `libsoftsdf`: the software keystore as a cryptographic device (密码设备) with the C interface of
//! GM/T 0018-2012, for programs that are developed where no such device is at hand, and for tests.
//!
//! It is no cryptographic module: its keys are in a file and in the memory of whoever loads it. What it
//! does not do, it says: RSA, key agreement, key-encryption keys, files, and private keys in clear
//! answer `SDR_NOTSUPPORT`.
//!
//! - [`ffi`]: the exported functions, one line each, and with its modules all unsafe code.
//! - `device`, `session`: what they do. `handles`: devices and sessions by number.
//! - `settings`: which keys there are, from the file that the environment variable `SOFTSDF_CONFIG`
//!   names, else `softsdf.toml` beside the library. `fault`: how it is pulled out.
//! - [`header`]: the C header, made from the same lines.
//!
//! It is a crate of its own because it is a C ABI, with the unsafe code that takes.
#![warn(missing_docs)]

mod device;
mod fault;
pub mod ffi;
mod handles;
mod header;
mod session;
mod settings;
mod symmetric;

pub use header::text as header;
