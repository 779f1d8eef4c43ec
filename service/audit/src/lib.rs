//! The tamper-evident log (审计日志) of a health card service, as an outsider can check it.
//!
//! Every act leaves an [`entry`], whose very bytes are a leaf of a Merkle [`tree`] over SM3. The
//! tree's hashes are kept in [`tile`]s, its root is signed in a [`checkpoint`] with SM2; [`table`]
//! says how a service keeps all three. Nothing here needs the service.
#![warn(missing_docs)]

pub mod checkpoint;
pub mod entry;
pub mod table;
pub mod tile;
pub mod tree;

pub use entry::{Actor, Entry, EntryError, Object, Outcome, Policy};
