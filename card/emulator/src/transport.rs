//! The card without a reader.

use ::card::{Apdu, Atr, Response, Transport, TransportError};

use crate::card::{Card, Outcome};
use crate::chip::Chip;

/// A card as a transport of its own: one command, one answer, no wire between.
pub struct InMemory<C = Card> {
    card: C,
    atr: Atr,
    gone: bool,
}

impl<C: Chip> InMemory<C> {
    /// Powers the card.
    pub fn new(mut card: C) -> Self {
        card.reset();
        Self { atr: card.atr().clone(), card, gone: false }
    }

    /// The card, to change its behaviour.
    pub fn card(&mut self) -> &mut C {
        &mut self.card
    }

    /// Takes the card out and puts it in again.
    pub fn reinsert(&mut self) {
        self.card.reset();
        self.gone = false;
    }
}

impl<C: Chip> Transport for InMemory<C> {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        if self.gone {
            return Err(TransportError::CardRemoved);
        }
        match self.card.exchange(&command.to_bytes()) {
            // There is no wire here, and nobody who would wait.
            Outcome::Answer(bytes) | Outcome::Late(_, bytes) => Ok(Response::parse(&bytes)?),
            Outcome::Silent => Err(TransportError::Timeout),
            Outcome::Gone => {
                self.gone = true;
                Err(TransportError::CardRemoved)
            }
        }
    }
}
