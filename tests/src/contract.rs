//! Suites written once per trait and run against every implementer.

pub mod keys;
pub mod security;
pub mod transport;
