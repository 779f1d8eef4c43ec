//! The resident health card (居民健康卡): what it holds, how it is asked, and how a reading is trusted.
//!
//! In reading order:
//!
//! - [`layout`]: the facts of the card in one table: files, records, tags, lengths, access keys.
//! - [`value`], [`tlv`]: text, digits and dates as the card writes them, and the record around them.
//! - [`codes`], [`number`]: code tables, and numbers that carry their own check.
//! - [`data`]: what the files say, typed in both directions.
//! - [`apdu`], [`command`]: commands and answers; no I/O.
//! - [`atr`]: the answer to reset, and the diversification factor in it.
//! - [`key`], [`security`], [`messaging`]: the keys of a card, the module that computes with them,
//!   and protected updates.
//! - [`code`]: the electronic card's codes, as scanned from a screen.
//! - [`sam`]: the card that holds the masters at a desk, and how it serves as security module.
//! - [`certificate`], [`record_signature`]: the certificates of card issuers and SAMs, and the
//!   signatures of records.
//! - [`transport`]: the wire to a card, and [`transport::Link`], which talks over it.
//! - [`session`]: from a powered card to a trusted reading.
//! - [`mod@write`]: changes of an issued card, checked before a card is touched.
//! - [`status_list`]: the signed list of cards that are not to be served, for checking off line.
//! - [`batch`]: rows of people for whom cards are to be made, checked before a card is touched;
//!   `picture`: their photos (feature `pictures`).
//! - [`offline`]: what a desk saw without the service, sealed to it.
//! - [`agent`]: what software on a desk's machine asks of the desk's agent.
//! - [`personalise`]: a blank card becomes the card of one person.
//!
//! The crate reads no clock and draws no randomness: both are handed in (encryption in `offline`
//! takes its own in `hsm`). It performs I/O only in
//! `transport::pcsc` (feature `pcsc`).
#![warn(missing_docs)]

pub mod agent;
pub mod apdu;
pub mod atr;
pub mod batch;
pub mod certificate;
pub mod code;
pub mod codes;
pub mod command;
pub mod data;
pub mod key;
pub mod layout;
pub mod messaging;
pub mod number;
pub mod offline;
pub mod personalise;
#[cfg(feature = "pictures")]
pub mod picture;
pub mod record_signature;
pub mod sam;
pub mod security;
pub mod session;
pub mod status_list;
pub mod tlv;
pub mod transport;
pub mod value;
pub mod write;

pub use apdu::{Apdu, Response, Status};
pub use atr::{Atr, CardFactor};
pub use batch::CardOrder;
pub use codes::{EthnicGroup, Payment, Sex};
pub use command::{CardError, Instruction};
pub use data::{ContactData, Contents, HolderData, IssuerData, Photo, Value};
pub use key::{CardFactors, CardKey, KeyVersion, ProvinceFactor};
pub use number::{
    CardNumber, ChipSerial, CityCode, CreditCode, OrganizationCode, ResidentIdNumber,
};
pub use record_signature::{RecordSigner, SignError};
pub use sam::{Pin, Sam, SamError, SamSecurityModule};
pub use security::{
    Diversification, KeySession, SecurityError, SecurityModule, SoftSecurityModule,
};
pub use session::{FreeField, FreeReading, read_free, read_free_fields, recognise_card};
pub use session::{IdentityReading, ReadError, Session, read_identity, read_photo};
pub use status_list::StatusList;
pub use transport::{Transport, TransportError};
pub use value::{Name, Phone};
pub use write::{Changes, WriteError};
