//! Suites written once per trait and run against every implementer.

pub mod transport;
