//! A reader and its own stream to the service: what is done there, one thing at a time, while the
//! other readers go on.

use card::{
    CardError, ReadError, Transport as _, TransportError, read_free, recognise_card,
    transport::pcsc::Place,
};

use super::{
    alone::Said,
    event::local_failure,
    reader::{Quarantine, Reader, Trouble},
    relay::{Ended, Outcome, Relay},
    sam::SamReader,
};
use crate::{
    clock,
    failure::Failure,
    service::Service,
    text::{Problem, problems},
};

pub(super) struct Seat {
    pub(super) reader: Reader,
    pub(super) relay: Option<Relay>,
    /// The desk's SAM.
    pub(super) sam: Option<SamReader>,
}

impl Seat {
    /// Lets the service read the card. Fails when the service is lost.
    pub(super) async fn read(&mut self, service: &Service, atr: Vec<u8>) -> Result<Ended, Failure> {
        let mut relay = self.stream(service).await?;
        let ended = relay.read(&mut self.reader, self.sam.as_ref(), atr).await?;
        self.relay = Some(relay);
        Ok(ended)
    }

    /// The stream that is there, or a new one. It is put back when it is still good afterwards.
    pub(super) async fn stream(&mut self, service: &Service) -> Result<Relay, Failure> {
        match self.relay.take().filter(Relay::is_open) {
            Some(relay) => Ok(relay),
            None => Relay::open(service).await,
        }
    }

    /// Reads the card without the service: what anyone may read, and with the desk's SAM whether it is
    /// genuine and whose it is.
    pub(super) async fn read_alone(&mut self) -> Result<Said, Ended> {
        let said = self.said().await;
        self.reader.release();
        said
    }

    async fn said(&mut self) -> Result<Said, Ended> {
        let read =
            |place: &mut Place| place.connect().map(|card| (card.atr().clone(), read_free(card)));
        let (atr, free) = match self.reader.ask(read).await {
            Ok(Ok((atr, Ok(free)))) => (atr, free),
            Ok(Ok((_, Err(error)))) => return Err(failed(&error)),
            Ok(Err(error)) => return Err(troubled(&error.into())),
            Err(trouble) => return Err(troubled(&trouble)),
        };
        let (Some(sam), Some(card)) = (&self.sam, self.reader.lend(atr)) else {
            return Ok(free.into());
        };
        let read = sam.read(card, clock::now().to_offset(clock::DESK).date()).await;
        if let Err(ReadError::Transport { source: TransportError::Timeout, .. }) = &read {
            self.reader.give_up();
            return Err(refused(problems::CARD_HUNG, Some(Quarantine::Hung)));
        }
        Said::judged(free, read).map_err(|error| failed(&error))
    }

    /// Finds out whether there is a health card, with what anyone may ask a card: why it counts for
    /// nothing, if it does. A card that fails in other ways is left to the service's judgement.
    pub(super) async fn recognise(&mut self) -> Option<Ended> {
        let looked = self
            .reader
            .ask(|place| {
                let looked = place.connect().map(|card| recognise_card(card));
                place.release();
                looked
            })
            .await;
        match looked {
            Ok(Ok(Err(
                error @ (ReadError::NotHealthCard(_)
                | ReadError::Refused { source: CardError::Endless, .. }),
            ))) => Some(failed(&error)),
            Err(trouble @ Trouble::Quarantine(_)) => Some(troubled(&trouble)),
            _ => None,
        }
    }
}

/// What is made of a card whose reading failed.
fn failed(error: &ReadError) -> Ended {
    let (problem, quarantine) = match error {
        ReadError::NotHealthCard(_) => (problems::NOT_HEALTH_CARD, None),
        ReadError::Refused { source: CardError::Endless, .. } => {
            (problems::CARD_FLOODING, Some(Quarantine::Flooding))
        }
        ReadError::Removed { .. } => (problems::CARD_REMOVED, None),
        _ => (problems::CARD_UNREADABLE, None),
    };
    refused(problem, quarantine)
}

/// What is made of a reader that did not do what was asked.
fn troubled(trouble: &Trouble) -> Ended {
    match trouble {
        Trouble::Transport(TransportError::CardRemoved) => refused(problems::CARD_REMOVED, None),
        Trouble::Transport(TransportError::Busy) => refused(problems::CARD_BUSY, None),
        Trouble::Transport(_) => refused(problems::CARD_UNREADABLE, None),
        Trouble::Quarantine(why) => refused(problems::CARD_HUNG, Some(*why)),
        Trouble::Exhausted => refused(problems::READERS_EXHAUSTED, None),
    }
}

fn refused(problem: Problem, quarantine: Option<Quarantine>) -> Ended {
    Ended { outcome: Outcome::Refused(Box::new(local_failure(problem))), quarantine }
}
