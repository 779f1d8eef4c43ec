//! The reset of a reader whose card is left alone.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use card::{
    TransportError,
    transport::pcsc::{Place, Wanted},
};
use tokio::{sync::oneshot, time::sleep};

use super::reader::Reader;

/// How long it is tried for while the card still holds the reader, and how often.
const PATIENCE: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(250);

/// How the reset of a reader ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// The card has lost its power, or is gone: the reader is as good as new.
    Done,
    /// It was no longer needed.
    Withdrawn,
    /// The reader itself does not react.
    Stuck,
}

/// A reset that is under way. It is never cut off: what the reader was ordered could come to pass
/// later and hit the next card, so that waits for the end.
pub(super) struct Resetting {
    wanted: Wanted,
    ended: oneshot::Receiver<()>,
}

impl Resetting {
    /// Says that it is no longer needed: it is not tried again, and what is under way comes to its
    /// end without taking the power from the card.
    pub(super) fn withdraw(&self) {
        self.wanted.withdraw();
    }

    /// Waits for its end. Cancelling loses nothing.
    pub(super) async fn ended(&mut self) {
        // It ends by telling, or by being dropped.
        let _ = (&mut self.ended).await;
    }
}

/// Resets a reader over a fresh worker and context. A command that still runs holds the reader, so
/// this is tried until that ends.
pub(super) fn reset(reader: Reader) -> (Resetting, impl Future<Output = Reset>) {
    by(reader, Place::power_off)
}

/// The same with another way to take the power.
fn by<P>(reader: Reader, power_off: P) -> (Resetting, impl Future<Output = Reset>)
where
    P: FnOnce(&mut Place, &Wanted) -> Result<(), TransportError> + Clone + Send + 'static,
{
    let wanted = Wanted::default();
    let (tell, ended) = oneshot::channel();
    let order = wanted.clone();
    let work = async move {
        let reset = attempt(reader, &order, power_off).await;
        // Nobody may wait for it.
        let _ = tell.send(());
        reset
    };
    (Resetting { wanted, ended }, work)
}

async fn attempt<P>(mut reader: Reader, wanted: &Wanted, power_off: P) -> Reset
where
    P: FnOnce(&mut Place, &Wanted) -> Result<(), TransportError> + Clone + Send + 'static,
{
    let until = Instant::now() + PATIENCE;
    while wanted.is_wanted() {
        let (order, power_off) = (wanted.clone(), power_off.clone());
        match reader.ask(move |place| power_off(place, &order)).await {
            Ok(Ok(()) | Err(TransportError::CardRemoved | TransportError::ReaderGone)) => {
                return if wanted.is_wanted() { Reset::Done } else { Reset::Withdrawn };
            }
            Ok(Err(_)) if Instant::now() < until => sleep(RETRY).await,
            Ok(Err(_)) => return Reset::Stuck,
            Err(_) => {
                // The thread that was given up must not do it when nobody expects it any more.
                wanted.withdraw();
                return Reset::Stuck;
            }
        }
    }
    Reset::Withdrawn
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    };

    use tokio::time::timeout;

    use super::{
        super::{metrics::Metrics, reader::Abandoned},
        *,
    };

    fn reader() -> Reader {
        Reader::new("none", Abandoned::default(), Metrics::new())
    }

    #[tokio::test]
    async fn the_next_card_waits_for_the_end_of_a_reset_and_keeps_its_power() {
        let (begin, begun) = oneshot::channel();
        let (finish, finished) = mpsc::channel::<()>();
        let (begin, finished) = (Arc::new(Mutex::new(Some(begin))), Arc::new(Mutex::new(finished)));
        let kept = Arc::new(AtomicU32::new(0));
        let keeps = Arc::clone(&kept);
        // The reader takes its time to be taken hold of.
        let (resetting, work) = by(reader(), move |_: &mut Place, wanted: &Wanted| {
            begin.lock().unwrap().take().unwrap().send(()).unwrap();
            finished.lock().unwrap().recv().unwrap();
            keeps.fetch_add(u32::from(!wanted.is_wanted()), Ordering::SeqCst);
            Ok(())
        });
        let next = async {
            begun.await.unwrap();
            let mut next = reader();
            next.come_after(resetting);
            let mut read = Box::pin(next.ask(|_| ()));
            assert!(timeout(Duration::ZERO, &mut read).await.is_err(), "it did not wait");
            finish.send(()).unwrap();
            read.await.unwrap();
            assert_eq!(kept.load(Ordering::SeqCst), 1);
        };
        let (reset, ()) = tokio::join!(work, next);
        assert_eq!(reset, Reset::Withdrawn);
    }

    #[tokio::test]
    async fn a_reset_that_is_not_needed_is_not_tried() {
        let tries = Arc::new(AtomicU32::new(0));
        let busy_once = || {
            let tries = Arc::clone(&tries);
            move |_: &mut Place, _: &Wanted| match tries.fetch_add(1, Ordering::SeqCst) {
                0 => Err(TransportError::Busy),
                _ => Ok(()),
            }
        };
        let (resetting, work) = by(reader(), busy_once());
        resetting.withdraw();
        assert_eq!(work.await, Reset::Withdrawn);
        assert_eq!(tries.load(Ordering::SeqCst), 0);
        // One that is needed is tried until the reader can be had.
        let (_resetting, work) = by(reader(), busy_once());
        assert_eq!(work.await, Reset::Done);
        assert_eq!(tries.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_a_reader_that_hangs_was_ordered_is_taken_back() {
        let (_finish, finished) = mpsc::channel::<()>();
        let finished = Arc::new(Mutex::new(finished));
        let (resetting, work) = by(reader(), move |_: &mut Place, _: &Wanted| {
            let _ = finished.lock().unwrap().recv();
            Ok(())
        });
        assert_eq!(work.await, Reset::Stuck);
        assert!(!resetting.wanted.is_wanted());
    }
}
