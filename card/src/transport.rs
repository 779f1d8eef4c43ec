//! The wire to a card, and how a conversation over it is kept within bounds.

mod link;
#[cfg(feature = "pcsc")]
pub mod pcsc;
pub mod transcript;

pub use link::{Link, LinkError};

use crate::apdu::{Apdu, BadResponse, Response};
use crate::atr::Atr;

/// A powered card: commands go in, answers come out. PC/SC, a relay to another machine and the
/// emulator implement it. One command, one answer: chaining is the business of [`Link`].
pub trait Transport {
    /// The card's answer to reset.
    fn atr(&self) -> &Atr;

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    /// [`TransportError`] when no answer came. Whether the card acted on the command is then
    /// unknown.
    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError>;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn atr(&self) -> &Atr {
        (**self).atr()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        (**self).transmit(command)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn atr(&self) -> &Atr {
        (**self).atr()
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        (**self).transmit(command)
    }
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The card was taken out, or lost its power or its place in the field.
    #[error("the card was removed")]
    CardRemoved,
    /// The reader was unplugged, or the service behind it stopped.
    #[error("the reader is gone")]
    ReaderGone,
    /// Another program holds the card.
    #[error("another program is using the card")]
    Busy,
    /// The card did not answer in time.
    #[error("the card did not answer in time")]
    Timeout,
    /// What came is no answer of a card.
    #[error("the card's answer is garbage: {length} bytes")]
    Garbage {
        /// How many bytes came.
        length: usize,
    },
    /// Anything else that went wrong below.
    #[error("the reader failed: {0}")]
    Failed(String),
}

impl From<BadResponse> for TransportError {
    fn from(BadResponse { length }: BadResponse) -> Self {
        Self::Garbage { length }
    }
}
