//! The desk agent: it watches readers and relays bytes between a card and the service. It holds no
//! card key, chooses no command and understands no answer; the person comes from the service.

mod event;
mod relay;
mod watch;

use std::time::{Duration, Instant};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

use self::{
    event::{Shown, tell},
    relay::{Outcome, Relay},
    watch::{Sight, Watch},
};
use crate::{
    context::{self, Context},
    exit::Exit,
    failure::Failure,
    show,
    text::{self, problems},
};

/// How long to wait before the service is looked for again.
const RETRY: Duration = Duration::from_secs(1);

/// When the desk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Interrupted,
    FirstCard,
}

/// A card that waits to be read.
#[derive(Debug)]
struct Waiting {
    reader: String,
    atr: Vec<u8>,
    since: Instant,
    attempt: Attempt,
}

/// A card during whose reading the service was lost is read once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    First,
    Last,
}

/// The desk at work.
struct Desk<'a> {
    context: &'a Context,
    until: Until,
    watch: Watch,
    relay: Option<Relay>,
    /// Cards in a reader that were not read yet, in the order they came.
    waiting: Vec<Waiting>,
}

/// Runs the desk until it is interrupted, or for one card.
pub(crate) async fn run(
    context: &Context,
    reader: Option<String>,
    until: Until,
) -> context::Outcome {
    // A desk that cannot log in is told at once; a service that goes later is waited for.
    let relay = Relay::open(&context.service).await?;
    let watch = Watch::start(reader);
    let mut desk = Desk { context, until, watch, relay: Some(relay), waiting: Vec::new() };
    let mut interrupted = Interruption::new()?;
    let ended = tokio::select! {
        ended = desk.work() => ended,
        () = interrupted.came() => Ok(Exit::Done),
    };
    desk.watch.stop();
    tell(context.screen, &Shown::Ended);
    ended
}

/// Waits for one card and answers with its reading.
pub(crate) async fn read_one(
    context: &Context,
    reader: Option<String>,
    patience: Duration,
) -> context::Outcome {
    let screen = context.screen;
    let mut relay = Relay::open(&context.service).await?;
    let mut watch = Watch::start(reader);
    let mut interrupted = Interruption::new()?;
    let card = tokio::select! {
        card = timeout(patience, first_card(&mut watch, || screen.hint(text::DESK_READY))) => card,
        () = interrupted.came() => return Err(problems::INTERRUPTED.into()),
    };
    watch.stop();
    let card = card.map_err(|_| Failure::of(problems::CARD_TIMEOUT))??;
    match relay.read(&card.reader, card.atr).await? {
        Outcome::Reading(reading) => {
            context.answer("CardReading", &*reading, &show::reading(&reading))
        }
        Outcome::Refused(refused) => Err(event::failure(&refused)),
    }
}

/// The first card; `ready` is called once there is a reader to put it into.
async fn first_card(watch: &mut Watch, ready: impl FnOnce()) -> Result<Waiting, Failure> {
    let mut ready = Some(ready);
    while let Some((since, sight)) = watch.next().await {
        match sight {
            Sight::Card { reader, atr } => {
                return Ok(Waiting { reader, atr, since, attempt: Attempt::First });
            }
            Sight::Unreadable { .. } => return Err(problems::CARD_UNREADABLE.into()),
            Sight::ServiceLost => return Err(problems::READER_SERVICE_UNAVAILABLE.into()),
            Sight::Readers(readers) if readers.is_empty() => {
                return Err(problems::READER_MISSING.into());
            }
            Sight::Readers(_) => {
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
            Sight::Removed { .. } => {}
        }
    }
    Err(problems::INTERRUPTED.into())
}

impl Desk<'_> {
    async fn work(&mut self) -> context::Outcome {
        loop {
            self.find_service().await?;
            while !self.waiting.is_empty() && self.relay.is_some() {
                let card = self.waiting.remove(0);
                if let Some(exit) = self.read(card).await {
                    return Ok(exit);
                }
            }
            let sight = match &mut self.relay {
                // While the desk is idle, a stream that ends says that the service is gone.
                Some(relay) => tokio::select! {
                    sight = self.watch.next() => sight,
                    failure = relay.ended() => {
                        self.lose_service(&failure);
                        continue;
                    }
                },
                None => match timeout(RETRY, self.watch.next()).await {
                    Ok(sight) => sight,
                    Err(_) => continue,
                },
            };
            let Some((at, sight)) = sight else { return Ok(Exit::Done) };
            if let Some(exit) = self.notice(at, sight) {
                return Ok(exit);
            }
        }
    }

    /// Connects again, if the service was lost and is back. A refusal, such as that of a revoked
    /// certificate, ends the desk: waiting would not change it.
    async fn find_service(&mut self) -> Result<(), Failure> {
        if self.relay.is_some() {
            return Ok(());
        }
        match Relay::open(&self.context.service).await {
            Ok(relay) => {
                self.relay = Some(relay);
                self.tell(&Shown::ServiceBack);
                Ok(())
            }
            Err(failure) if failure.exit == Exit::Unreachable => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    fn lose_service(&mut self, failure: &Failure) {
        self.relay = None;
        self.tell(&Shown::ServiceLost(failure));
    }

    /// Takes note of what happened at the readers.
    fn notice(&mut self, since: Instant, sight: Sight) -> Option<Exit> {
        self.tell(&Shown::Sight(&sight));
        match sight {
            Sight::Card { reader, atr } => {
                self.waiting.push(Waiting { reader, atr, since, attempt: Attempt::First });
                None
            }
            Sight::Removed { reader } => {
                self.waiting.retain(|card| card.reader != reader);
                None
            }
            Sight::Unreadable { .. } => self.after_card(Exit::Refused),
            Sight::Readers(_) | Sight::ServiceLost => None,
        }
    }

    /// Reads one card and shows what came of it.
    async fn read(&mut self, card: Waiting) -> Option<Exit> {
        let relay = self.relay.as_mut()?;
        match relay.read(&card.reader, card.atr.clone()).await {
            Ok(outcome) => {
                let exit = match outcome {
                    Outcome::Reading(_) => Exit::Done,
                    Outcome::Refused(_) => Exit::Refused,
                };
                let Waiting { reader, since, .. } = card;
                self.tell(&Shown::Outcome { reader: &reader, outcome: &outcome, since });
                self.after_card(exit)
            }
            Err(failure) => {
                self.lose_service(&failure);
                match card.attempt {
                    // Read again when the service is back, if the card is still there.
                    Attempt::First => {
                        self.waiting.insert(0, Waiting { attempt: Attempt::Last, ..card });
                        None
                    }
                    Attempt::Last => self.after_card(failure.exit),
                }
            }
        }
    }

    fn after_card(&self, exit: Exit) -> Option<Exit> {
        (self.until == Until::FirstCard).then_some(exit)
    }

    fn tell(&self, shown: &Shown<'_>) {
        tell(self.context.screen, shown);
    }
}

/// Ctrl-C, or the request of a supervisor to end.
struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    fn new() -> Result<Self, Failure> {
        let unavailable = |error| Failure::of(problems::SIGNALS_UNAVAILABLE).about(error);
        let listen = |kind| signal(kind).map_err(unavailable);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn one_is_asked_for_the_card_once_there_is_a_reader() {
        let reader = || "Desk 1".to_owned();
        let readers =
            |names: &[&str]| Sight::Readers(names.iter().map(|name| (*name).to_owned()).collect());
        let card = || Sight::Card { reader: reader(), atr: vec![0x3b] };
        let cases = [
            (vec![readers(&["Desk 1"]), card()], Ok(()), 1),
            (vec![readers(&["Desk 1"]), readers(&["Desk 1", "Desk 2"]), card()], Ok(()), 1),
            (vec![readers(&[])], Err("READER_MISSING"), 0),
            (vec![Sight::ServiceLost], Err("READER_SERVICE_UNAVAILABLE"), 0),
            (
                vec![readers(&["Desk 1"]), Sight::Unreadable { reader: reader() }],
                Err("CARD_UNREADABLE"),
                1,
            ),
        ];
        for (sights, expected, asked) in cases {
            let told = format!("{sights:?}");
            let (mut watch, count) = (Watch::of(sights), Cell::new(0));
            let found = first_card(&mut watch, || count.set(count.get() + 1)).await;
            let found = found.map(drop).map_err(|failure| failure.reason.clone());
            assert_eq!(found, expected.map_err(str::to_owned), "{told}");
            assert_eq!(count.get(), asked, "{told}");
        }
    }
}
