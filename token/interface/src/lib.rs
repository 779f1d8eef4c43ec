//! `libhealthcard_token`: the verifier of access tokens as a C library, for resource servers that are not written in Rust.
//! What it decides is [`access_token`]'s to decide: nothing is read here that is not read there.
//!
//! - [`ffi`]: the exported functions, one line each, and with `ffi::parameter` all unsafe code.
//! - `handles`: verifiers by number.
//! - [`Code`]: what functions answer, with its reason and its texts.
//! - [`header`]: the C header, made from the same lines.
//!
//! It is a crate of its own because it is a C ABI, with the unsafe code that takes.
#![warn(missing_docs)]

mod code;
pub mod ffi;
mod handles;
mod header;

pub use code::Code;
pub use header::text as header;
