//! A reader as the desk uses it: through a worker that may be kept waiting, with a deadline for
//! everything that is asked of it.

use std::{
    cell::RefCell,
    rc::Rc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{metrics::Metrics, reset::Resetting};
use card::{
    Apdu, Atr, Status, Transport as _, TransportError,
    transport::pcsc::{Lent, Place, Worker},
};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// Longest that a card may take for one command, or a reader for one order.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// Longest answer of a card, status word included.
const LONGEST_ANSWER: usize = 258;
/// How many answers in a row may say that there is more. No answer of a health card needs more
/// than two.
const MOST_PARTS: u32 = 8;
/// Workers that wait for a card that never answers, at most. Each is a thread; one whose card is
/// taken out ends.
const MOST_ABANDONED: usize = 8;
/// How often a reader that is held is asked for, and how long between.
const CONNECT_TRIES: u32 = 5;
const CONNECT_RETRY: Duration = Duration::from_millis(200);
/// How long the end of a reset is waited for: longer than it takes to stop.
const RESET_END: Duration = Duration::from_secs(6);

/// Why a reader or its card did not do what was asked.
#[derive(Debug)]
pub(super) enum Trouble {
    Transport(TransportError),
    /// The card misbehaves in a way that no other command will mend.
    Quarantine(Quarantine),
    /// Too many workers wait for cards that never answer.
    Exhausted,
}

/// Why a card is left alone until it is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quarantine {
    /// It does not answer.
    Hung,
    /// Its answers do not end.
    Flooding,
}

impl Quarantine {
    /// The word in events and metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hung => "hung",
            Self::Flooding => "flooding",
        }
    }
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

/// The workers that were given up and have not ended yet.
#[derive(Clone, Default)]
pub(super) struct Abandoned(Rc<RefCell<Vec<JoinHandle<()>>>>);

impl Abandoned {
    pub(super) fn count(&self) -> usize {
        let mut waiting = self.0.borrow_mut();
        waiting.retain(|thread| !thread.is_finished());
        waiting.len()
    }

    fn add(&self, worker: Worker) {
        self.0.borrow_mut().push(worker.abandon());
    }
}

/// One reader.
pub(super) struct Reader {
    name: String,
    worker: Option<Worker>,
    abandoned: Abandoned,
    metrics: Metrics,
    /// Answers in a row that said there is more.
    parts: u32,
    /// A reset of this reader, whose end comes before everything else.
    resetting: Option<Resetting>,
}

impl Reader {
    pub(super) fn new(name: &str, abandoned: Abandoned, metrics: Metrics) -> Self {
        Self { name: name.to_owned(), worker: None, abandoned, metrics, parts: 0, resetting: None }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Has everything wait for the end of a reset, which is no longer needed.
    pub(super) fn come_after(&mut self, resetting: Resetting) {
        resetting.withdraw();
        self.resetting = Some(resetting);
    }

    /// Takes hold of the card; its answer to reset. Who held the reader last may be about to let go
    /// of it.
    pub(super) async fn connect(&mut self) -> Result<Atr, Trouble> {
        self.parts = 0;
        let connect = |place: &mut Place| place.connect().map(|card| card.atr().clone());
        for _ in 1..CONNECT_TRIES {
            match self.ask(connect).await? {
                Err(TransportError::Busy) => sleep(CONNECT_RETRY).await,
                connected => return Ok(connected?),
            }
        }
        Ok(self.ask(connect).await??)
    }

    /// Takes hold of the card that answered so when it was seen: another one may be there by now.
    pub(super) async fn connect_to(&mut self, atr: &[u8]) -> Result<(), Trouble> {
        let held = self.connect().await?;
        if is_of_another_card(atr, &held) {
            self.release();
            return Err(TransportError::CardRemoved.into());
        }
        Ok(())
    }

    /// The card that is held, with its answer to reset, for a conversation on another thread; nothing
    /// when none is.
    pub(super) fn lend(&self, atr: Atr) -> Option<Lent> {
        self.worker.as_ref().map(|worker| worker.lend(atr, DEADLINE))
    }

    /// Gives the worker up, whose card did not answer in time.
    pub(super) fn give_up(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.abandoned.add(worker);
        }
    }

    /// Sends a command to the card that is held; its raw answer and how long that took.
    pub(super) async fn transmit(&mut self, command: Apdu) -> Result<(Vec<u8>, Duration), Trouble> {
        let (answer, taken) = self
            .ask(move |place| {
                let began = Instant::now();
                let answer = place.card().and_then(|card| card.transmit(&command));
                (answer, began.elapsed())
            })
            .await?;
        self.metrics.command(taken);
        let answer = match answer {
            Err(TransportError::Garbage { length }) if length > LONGEST_ANSWER => {
                return Err(Trouble::Quarantine(Quarantine::Flooding));
            }
            answer => answer?,
        };
        let more = matches!(answer.status, Status::MoreData { .. });
        self.parts = if more { self.parts + 1 } else { 0 };
        if self.parts > MOST_PARTS {
            return Err(Trouble::Quarantine(Quarantine::Flooding));
        }
        Ok((answer.to_bytes(), taken))
    }

    /// Lets go of the card, which resets it, without waiting for that.
    pub(super) fn release(&mut self) {
        if let Some(worker) = &self.worker {
            worker.act(Place::release);
        }
    }

    /// Has the worker do something, unless the deadline passes first: the worker is then given up,
    /// and the next one is a new thread with a new context.
    pub(super) async fn ask<T: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut Place) -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        if let Some(resetting) = &mut self.resetting {
            let ended = timeout(RESET_END, resetting.ended()).await;
            ended.map_err(|_| TransportError::Busy)?;
            self.resetting = None;
        }
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None if self.abandoned.count() >= MOST_ABANDONED => return Err(Trouble::Exhausted),
            None => Worker::start(&self.name)?,
        };
        let (tell, told) = oneshot::channel();
        worker.act(move |place| {
            // Nobody listens any more once the deadline has passed.
            let _ = tell.send(act(place));
        });
        match timeout(DEADLINE, told).await {
            Ok(Ok(done)) => {
                self.worker = Some(worker);
                Ok(done)
            }
            // The thread ended without a word; there will be another.
            Ok(Err(_)) => Err(TransportError::ReaderGone.into()),
            Err(_) => {
                self.abandoned.add(worker);
                Err(Trouble::Quarantine(Quarantine::Hung))
            }
        }
    }
}

/// Whether an answer to reset names another card by its factor. The rest of it may change with the
/// way a card was reset.
fn is_of_another_card(seen: &[u8], held: &Atr) -> bool {
    let factor = |atr: &Atr| atr.card_factor().ok();
    let seen = Atr::parse(seen).ok().as_ref().and_then(factor);
    seen.is_some() && seen != factor(held)
}

#[cfg(test)]
mod tests {
    use card::CardFactor;

    use super::*;

    #[test]
    fn a_card_is_known_again_by_its_factor() {
        let atr = |factor| Atr::contactless(CardFactor(factor));
        let (held, other) = (atr([1; 8]), atr([2; 8]));
        assert!(!is_of_another_card(held.bytes(), &held));
        assert!(is_of_another_card(other.bytes(), &held));
        // What names no card cannot tell.
        assert!(!is_of_another_card(&[0x3b], &held));
    }
}
