use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::pcsc::{Context, Disposition, Scope};

use super::{Lent, PcscCard, TransportError, exclusive};
use crate::atr::Atr;

pub(super) type Act = Box<dyn FnOnce(&mut Place) + Send>;

/// A thread of its own for one reader, with a PC/SC context of its own. Whatever a card does to it,
/// only this thread waits. It ends when the worker is dropped, after what it is doing.
pub struct Worker {
    acts: Sender<Act>,
    thread: JoinHandle<()>,
}

/// The reader as its worker has it: nobody else can reach it.
pub struct Place {
    reader: String,
    context: Option<Context>,
    card: Option<PcscCard>,
}

/// Whether something that was ordered is still to be done. Clones are about the same order.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    withdrawn: Arc<AtomicBool>,
}

impl Wanted {
    /// Takes the order back.
    pub fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::SeqCst);
    }

    /// Whether it was not taken back.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.withdrawn.load(Ordering::SeqCst)
    }
}

impl Worker {
    /// Starts a worker for the reader with this name. Nothing is asked of the reader yet.
    ///
    /// # Errors
    /// [`TransportError::Failed`] when the system gives no thread.
    pub fn start(reader: &str) -> Result<Self, TransportError> {
        let (acts, orders) = mpsc::channel();
        let place = Place { reader: reader.to_owned(), context: None, card: None };
        let thread = thread::Builder::new()
            .name("reader".to_owned())
            .spawn(move || work(place, &orders))
            .map_err(|error| TransportError::Failed(error.to_string()))?;
        Ok(Self { acts, thread })
    }

    /// Has the worker do something next. It may never come to it, when a card keeps it waiting:
    /// `act` is then dropped with the worker.
    pub fn act(&self, act: impl FnOnce(&mut Place) + Send + 'static) {
        // A worker that has ended drops the act, which tells whoever waits for it.
        let _ = self.acts.send(Box::new(act));
    }

    /// The card that it holds, for a conversation on another thread. A command may take as long as
    /// `patience`.
    pub fn lend(&self, atr: Atr, patience: Duration) -> Lent {
        Lent::new(self.acts.clone(), atr, patience)
    }

    /// Gives the worker up: it does nothing more once what it is doing is done, and lets go of the
    /// card then. The handle tells whether it has come to that.
    pub fn abandon(self) -> JoinHandle<()> {
        self.thread
    }
}

fn work(mut place: Place, orders: &Receiver<Act>) {
    while let Ok(act) = orders.recv() {
        act(&mut place);
    }
}

impl Place {
    /// Takes hold of the card that is in the reader now, letting go of any other.
    ///
    /// # Errors
    /// As for [`PcscCard::connect`].
    pub fn connect(&mut self) -> Result<&mut PcscCard, TransportError> {
        self.card = None;
        let connected =
            self.context().and_then(|context| PcscCard::connect_over(&context, &self.reader));
        match connected {
            Ok(card) => Ok(self.card.insert(card)),
            Err(error) => {
                self.distrust(&error);
                Err(error)
            }
        }
    }

    /// The card that was taken hold of.
    ///
    /// # Errors
    /// [`TransportError::CardRemoved`] when there is none.
    pub fn card(&mut self) -> Result<&mut PcscCard, TransportError> {
        self.card.as_mut().ok_or(TransportError::CardRemoved)
    }

    /// Lets go of the card, which resets it.
    pub fn release(&mut self) {
        self.card = None;
    }

    /// Takes the power from whatever is in the reader, so that the next card, or the same one
    /// put in again, starts afresh. Not if it is no longer `wanted` once the reader was taken hold
    /// of, which can take long: by then another card may be there.
    ///
    /// # Errors
    /// As for [`PcscCard::connect`].
    pub fn power_off(&mut self, wanted: &Wanted) -> Result<(), TransportError> {
        self.card = None;
        let done = self.context().and_then(|context| {
            let card = exclusive(&context, &self.reader)?;
            let fate = match wanted.is_wanted() {
                true => Disposition::UnpowerCard,
                false => Disposition::LeaveCard,
            };
            card.disconnect(fate).map_err(|(_, error)| error.into())
        });
        if let Err(error) = &done {
            self.distrust(error);
        }
        done
    }

    fn context(&mut self) -> Result<Context, TransportError> {
        if self.context.is_none() {
            self.context = Some(Context::establish(Scope::User)?);
        }
        self.context.clone().ok_or(TransportError::ReaderGone)
    }

    /// A context that failed is never used again, whatever it says of itself.
    fn distrust(&mut self, error: &TransportError) {
        if matches!(error, TransportError::ReaderGone | TransportError::Failed(_)) {
            self.context = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_acts_in_order_and_ends_when_it_is_given_up() {
        let worker = Worker::start("none").unwrap();
        let (tell, told) = mpsc::channel();
        for number in 0..3 {
            let tell = tell.clone();
            worker.act(move |place| {
                let there = place.card().is_ok();
                tell.send((number, there)).unwrap();
            });
        }
        let order: Vec<_> = told.iter().take(3).collect();
        assert_eq!(order, [(0, false), (1, false), (2, false)]);
        worker.abandon().join().unwrap();
    }

    #[test]
    fn what_is_lent_speaks_through_the_worker_and_waits_no_longer_than_it_may() {
        use crate::transport::Transport as _;

        let worker = Worker::start("none").unwrap();
        let atr = Atr::parse(&hex_literal::hex!("3B00")).unwrap();
        let command = crate::apdu::Apdu::new([0x00, 0xA4, 0x00, 0x00]);
        let mut lent = worker.lend(atr.clone(), Duration::from_secs(60));
        assert!(matches!(lent.transmit(&command), Err(TransportError::CardRemoved)));
        drop(lent);
        // A card that never answers.
        let mut lent = worker.lend(atr, Duration::from_millis(10));
        let (release, released) = mpsc::channel::<()>();
        worker.act(move |_| {
            let _ = released.recv();
        });
        assert!(matches!(lent.transmit(&command), Err(TransportError::Timeout)));
        drop(release);
        assert!(
            matches!(lent.transmit(&command), Err(TransportError::Timeout)),
            "an answer that came late is not taken for that of the next command"
        );
        drop(lent);
        worker.abandon().join().unwrap();
    }

    #[test]
    fn a_worker_that_waits_is_given_up_without_waiting() {
        let worker = Worker::start("none").unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        worker.act(move |_| {
            let _ = released.recv();
        });
        worker.act(move |_| tell.send(()).unwrap());
        let thread = worker.abandon();
        assert!(!thread.is_finished());
        drop(release);
        thread.join().unwrap();
        // What was ordered before it was given up is still done: the order was accepted.
        assert!(told.recv().is_ok());
    }
}
