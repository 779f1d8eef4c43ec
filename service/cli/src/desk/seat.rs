//! A reader and its own stream to the service: what is done there, one thing at a time, while the
//! other readers go on.

use card::{CardError, FreeReading, ReadError, TransportError, read_free, recognise_card};

use super::{
    event::local_failure,
    reader::{Quarantine, Reader, Trouble},
    relay::{Ended, Outcome, Relay},
    sam::SamReader,
};
use crate::{
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

    /// Reads what anyone may read of the card.
    pub(super) async fn read_free(&mut self) -> Result<FreeReading, Ended> {
        let read = self
            .reader
            .ask(|place| {
                let read = place.connect().map(|card| read_free(card));
                place.release();
                read
            })
            .await;
        let (problem, quarantine) = match read {
            Ok(Ok(Ok(reading))) => return Ok(reading),
            Ok(Ok(Err(ReadError::NotHealthCard(_)))) => (problems::NOT_HEALTH_CARD, None),
            Ok(Ok(Err(ReadError::Refused { source: CardError::Endless, .. }))) => {
                (problems::CARD_FLOODING, Some(Quarantine::Flooding))
            }
            Ok(Ok(Err(ReadError::Removed { .. })) | Err(TransportError::CardRemoved)) => {
                (problems::CARD_REMOVED, None)
            }
            Ok(Err(TransportError::Busy)) => (problems::CARD_BUSY, None),
            Ok(Ok(Err(_)) | Err(_)) | Err(Trouble::Transport(_)) => {
                (problems::CARD_UNREADABLE, None)
            }
            Err(Trouble::Quarantine(why)) => (problems::CARD_HUNG, Some(why)),
            Err(Trouble::Exhausted) => (problems::READERS_EXHAUSTED, None),
        };
        Err(refused(problem, quarantine))
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
            Ok(Ok(Err(ReadError::NotHealthCard(_)))) => {
                Some(refused(problems::NOT_HEALTH_CARD, None))
            }
            Ok(Ok(Err(ReadError::Refused { source: CardError::Endless, .. }))) => {
                Some(refused(problems::CARD_FLOODING, Some(Quarantine::Flooding)))
            }
            Err(Trouble::Quarantine(why)) => Some(refused(problems::CARD_HUNG, Some(why))),
            _ => None,
        }
    }
}

fn refused(problem: Problem, quarantine: Option<Quarantine>) -> Ended {
    Ended { outcome: Outcome::Refused(Box::new(local_failure(problem))), quarantine }
}
