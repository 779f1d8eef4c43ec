//! What the cross-process tests stand on. In reading order: a [`private`] PC/SC daemon for each test; a [`hospital`]
//! with service, people and cards, and the [`card_list`] as a desk keeps it; C [`programs`] and those in [`python`]; a [`failing_disk`], and an [`old_log`]; devices in software ([`softsdf`], [`softhsm`]); [`grpc`], also over the [`national`] listener, the card [`relay`]
//! and the bench for [`issuing`], for calls that the command line would never make; plain [`http`], a [`browser`], and a [`resource_server`] that is shown [`tokens`]; what [`openssl`] says; and the
//! [`contract`] suites, one per trait.

#![warn(missing_docs)]

pub mod browser;
pub mod card_list;
pub mod city;
pub mod contract;
pub mod counter;
pub mod failing_disk;
pub mod grpc;
pub mod hospital;
pub mod http;
pub mod issuing;
pub mod national;
pub mod old_log;
pub mod openssl;
pub mod private;
pub mod programs;
pub mod python;
pub mod relay;
pub mod resource_server;
pub mod softhsm;
pub mod softsdf;
pub mod syslog;
pub mod tokens;
