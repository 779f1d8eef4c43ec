//! The commands of the health card, each a type that knows how it is written and how its answer is
//! read. None performs I/O, so a reader, the emulator and a test share them.

mod authenticate;
pub mod personalise;
mod protected;
mod read;
mod select;
mod update;

pub use authenticate::{ExternalAuthenticate, GetChallenge, InternalAuthenticate};
pub use protected::{Blocking, BlockingError, Protected};
pub use read::{GetResponse, ReadBinary, ReadRecord};
pub use select::Select;
pub use update::{UpdateBinary, UpdateRecord};

use crate::apdu::{Apdu, Response, Status};

/// One instruction of the card.
pub trait Instruction {
    /// What a successful response says.
    type Answer;

    /// The command as sent.
    fn encode(&self) -> Apdu;

    /// Reads the card's response to this very command.
    ///
    /// # Errors
    /// [`CardError`] when the card refused, or answered something else.
    fn decode(&self, response: Response) -> Result<Self::Answer, CardError>;
}

/// Why a command brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// The card said no.
    #[error("the card answered {0}")]
    Refused(Status),
    /// The key was not proven.
    #[error("the card does not accept the key")]
    WrongKey {
        /// Tries that are left, when the card tells.
        tries_left: Option<u8>,
    },
    /// The key is blocked after too many failures.
    #[error("the key is blocked on this card")]
    KeyBlocked,
    /// The PIN is wrong.
    #[error("the PIN is wrong")]
    WrongPin {
        /// Tries that are left, when the card tells.
        tries_left: Option<u8>,
    },
    /// The PIN is blocked after too many failures.
    #[error("the PIN is blocked")]
    PinBlocked,
    /// The answer has not the size it must have.
    #[error("the card answered {found} bytes instead of {expected}")]
    Length {
        /// The size it must have.
        expected: u16,
        /// The size it has.
        found: usize,
    },
    /// The answer never ends: the card keeps asking for one more command.
    #[error("the card's answer does not end")]
    Endless,
}

/// Data of a successful response.
fn data(response: Response) -> Result<Vec<u8>, CardError> {
    match response.status {
        Status::Done => Ok(response.data),
        refused => Err(CardError::Refused(refused)),
    }
}

/// Data of a successful response that has one size.
fn exactly<const N: usize>(response: Response) -> Result<[u8; N], CardError> {
    let data = data(response)?;
    <[u8; N]>::try_from(data)
        .map_err(|data| CardError::Length { expected: N as u16, found: data.len() })
}

/// A successful response without data.
fn nothing(response: Response) -> Result<(), CardError> {
    exactly::<0>(response).map(|_| ())
}

#[cfg(test)]
mod tests;
