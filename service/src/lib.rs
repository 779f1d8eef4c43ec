//! The health card service (居民健康卡身份服务): it drives cards, knows who is who, decides who may see
//! whose data, signs the decision, and leaves a proof of every act.
//!
//! In the order a request meets them:
//!
//! - [`config`], [`start`], [`serve`]: settings, putting the service together, the listener.
//! - [`api`]: one file per gRPC service: parse, call, render; [`catalogue`] has the words.
//! - [`policy`]: may this caller do this? Pure. [`rules`]: an institution's own, signed.
//! - [`registrar`]: the work itself; [`token`] is the form of access tokens, `code`
//!   has the keys of electronic cards' codes.
//! - [`store`]: facts and the log, in SQLite; [`card_life`] is the life of a card, as it keeps to it.
//! - [`emergency`]: the life of an emergency access.
//! - [`numbers`], [`likeness`]: other numbers of a resident, and when two residents look like one.
//! - [`devices`]: which of the keys are in cryptographic devices.
//! - [`generation`]: the keys that an authority has one after another.
//! - [`keys`], [`vocabulary`], [`clock`], [`telemetry`]: what all of them share; [`memory`] keeps the keys in it.
//!
//! [`card_issuer`] is the service as card issuer; [`key_list`] is what an operator sees of its keys,
//! [`key_change`] what happens to them, [`ceremony`] what witnesses take away.
//! [`init`] makes a service, [`demo`] plays a visit with one, [`mod@bench`] measures one.

pub mod api;
mod aside;
pub mod bench;
pub mod card_issuer;
pub mod card_life;
pub mod catalogue;
pub mod ceremony;
pub mod clock;
mod clock_watch;
mod code;
pub mod config;
pub mod demo;
pub mod devices;
pub mod disk;
pub mod emergency;
pub mod generation;
pub mod init;
pub mod key_change;
pub mod key_list;
pub mod keys;
pub mod likeness;
pub mod log_needs;
pub mod memory;
mod metrics;
pub mod national;
pub mod numbers;
pub mod policy;
mod rate;
pub mod registrar;
pub mod rules;
pub mod serve;
pub mod start;
pub mod store;
pub mod telemetry;
pub mod token;
pub mod vocabulary;
pub mod warnings;
