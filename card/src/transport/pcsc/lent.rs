use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use super::worker::Act;
use super::{Transport, TransportError};
use crate::apdu::{Apdu, Response};
use crate::atr::Atr;

/// The card that a [`Worker`](super::Worker) holds, for a conversation on another thread: the worker
/// sends each command, and is waited for no longer than a card may take. The worker does not end
/// before what was lent is dropped.
pub struct Lent {
    acts: Sender<Act>,
    atr: Atr,
    patience: Duration,
    /// A command was not answered in time: the next one would wait behind it.
    hung: bool,
}

impl Lent {
    pub(super) fn new(acts: Sender<Act>, atr: Atr, patience: Duration) -> Self {
        Self { acts, atr, patience, hung: false }
    }
}

impl Transport for Lent {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        if self.hung {
            return Err(TransportError::Timeout);
        }
        let (tell, told) = mpsc::channel();
        let command = command.clone();
        let act: Act = Box::new(move |place| {
            // Nobody listens any more once the time has passed.
            let _ = tell.send(place.card().and_then(|card| card.transmit(&command)));
        });
        self.acts.send(act).map_err(|_| TransportError::ReaderGone)?;
        match told.recv_timeout(self.patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                self.hung = true;
                Err(TransportError::Timeout)
            }
            Err(RecvTimeoutError::Disconnected) => Err(TransportError::ReaderGone),
        }
    }
}
