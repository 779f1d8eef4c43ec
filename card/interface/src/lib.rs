//! `libhealthcard`: the ministry's application interface (居民健康卡应用接口技术规范, 2012) as a C library,
//! so that hospital software written for it works with this card and reader unchanged.
//!
//! - [`ffi`]: the exported functions, one line each, and with `ffi::parameter` all unsafe code.
//! - `desk`: what they do with a card at a station: in a reader with a SAM beside it, or through the desk agent.
//! - `field`, `code`: fields as C strings, and error codes.
//! - [`header`]: the C header, made from the same lines.
//!
//! It is a crate of its own because it is a C ABI, with the unsafe code that takes.
#![warn(missing_docs)]

mod code;
mod desk;
pub mod ffi;
mod field;
mod handles;
mod header;

pub use code::Code;
pub use header::text as header;
