//! What keys do, and how they are asked for, without saying where they are.

mod description;
mod error;
mod reference;
mod state;
mod traits;
mod usage;

pub use description::{BadLabel, CheckValue, KeyDescription, Label};
pub use error::KeyError;
pub use reference::{BadKeyRef, KeyRef};
pub use state::{Transition, VersionState};
pub use traits::{CardMaster, DataSealer, IndexKey, Keystore, MacKey, Sm2Decrypter, Sm2Signer};
pub use usage::{KeyAlgorithm, KeyUse, UnknownUse};
