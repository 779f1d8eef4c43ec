use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{failure::Failure, text::problems};

/// Ctrl-C, or the request of a supervisor to end.
pub(crate) struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    pub(crate) fn new() -> Result<Self, Failure> {
        let unavailable = |error| Failure::of(problems::SIGNALS_UNAVAILABLE).about(error);
        let listen = |kind| signal(kind).map_err(unavailable);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    pub(crate) async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
