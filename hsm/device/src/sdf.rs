//! Devices with the interface of GM/T 0018 (SDF), whose keys are called `sdf:3`.
//!
//! - [`SdfSettings`]: the library, the keys, and the peculiarities of its maker ([`Dialect`]).
//! - [`SdfDevice`]: the device as a keystore.
//! - [`SdfError`]: what went wrong; the codes of the standard are in it one to one.
//! - `ffi`: the foreign calls.

mod error;
mod ffi;
mod keystore;
mod settings;

pub use error::SdfError;
pub use keystore::{SCHEME, SdfDevice};
pub use settings::{DecryptOrder, Dialect, SdfKey, SdfSettings, SignatureNumber};
