//! The tamper-evident log (审计日志) of a health card service, as an outsider can check it.
//!
//! Every act leaves an [`entry`], whose very bytes are a leaf of a Merkle [`tree`] over SM3. The
//! tree's hashes are kept in [`tile`]s, its root is signed in a [`checkpoint`] with SM2, and by witnesses
//! with a [`cosignature`]; [`table`]
//! says how a service keeps all three. A range of the log travels as a [`bundle`], and with all that is needed to check it
//! years later as a [`package`]; what somebody did there as a [`receipt`]; what is too old to be kept leaves it by
//! [`segment`]s. [`check`] tells
//! whether a log is whole, and if not, which entry was changed, removed, inserted or moved; a [`page`] does so in a
//! browser. The
//! log's key also signs the [`manifest`] of each batch of cards, which is checked the same way; the
//! transcript of a key [`ceremony`] is checked with the root certificate, an [`approval`] of a
//! certificate with those of the two who signed it, and the manifest of [`rules`] of access with the
//! key that signs them. Nothing here needs the service.
#![warn(missing_docs)]

pub mod approval;
pub mod bundle;
pub mod ceremony;
pub mod check;
pub mod checkpoint;
pub mod cosignature;
pub mod entry;
pub mod history;
pub mod index;
mod lines;
pub mod manifest;
pub mod note;
pub mod package;
pub mod page;
pub mod receipt;
pub mod report;
pub mod rules;
pub mod segment;
mod signed;
pub mod table;
#[cfg(test)]
mod testing;
pub mod tile;
pub mod tree;

pub use entry::{Actor, Entry, EntryError, Object, Outcome, Policy};
