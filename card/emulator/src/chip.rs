//! What is in a slot: a user card, or a SAM.

use ::card::Atr;

use crate::card::{Card, Outcome};
use crate::sam::Sam;

/// Something that is powered, answers commands and forgets when it is reset.
pub trait Chip: Send {
    /// The answer to reset.
    fn atr(&self) -> &Atr;

    /// Power off, power on, reset.
    fn reset(&mut self);

    /// Answers one command, as bytes.
    fn exchange(&mut self, command: &[u8]) -> Outcome;
}

impl Chip for Card {
    fn atr(&self) -> &Atr {
        self.atr()
    }

    fn reset(&mut self) {
        self.reset();
    }

    fn exchange(&mut self, command: &[u8]) -> Outcome {
        self.exchange(command)
    }
}

impl Chip for Sam {
    fn atr(&self) -> &Atr {
        self.atr()
    }

    fn reset(&mut self) {
        self.reset();
    }

    fn exchange(&mut self, command: &[u8]) -> Outcome {
        self.exchange(command)
    }
}
