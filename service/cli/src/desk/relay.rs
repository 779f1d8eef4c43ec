//! The stream to the service: it sends commands, the card's raw answers go back.

use std::time::Duration;

use card::{apdu::Apdu, transport::TransportError};
use proto::v1::{
    CardChanges, CardCommand, CardDump, CardFailure, CardInserted, CardReading, CardRemoved,
    CardResponse, CardSlot, CardWritten, RelayRequest, RelayResponse, WholeCard,
    card_removed::Cause, cards_client::CardsClient, relay_request, relay_response,
};
use tokio::{
    sync::mpsc::{self, Sender},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    event::local_failure,
    reader::{Quarantine, Reader, Trouble},
    sam::SamReader,
};
use crate::{
    failure::Failure,
    service::Service,
    text::{Problem, problems},
};

/// Longest wait for the service's next step.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest reader name that the service takes, bytes.
const LONGEST_NAME: usize = 128;

/// One stream; it serves one card after another.
pub(super) struct Relay {
    outgoing: Sender<RelayRequest>,
    incoming: Streaming<RelayResponse>,
}

/// What came of a card.
#[derive(Debug)]
pub(super) enum Outcome {
    Reading(Box<CardReading>),
    Refused(Box<CardFailure>),
}

/// How the work on a card ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// Why it is to be left alone from now on.
    pub(super) quarantine: Option<Quarantine>,
}

/// A card that was not read out or written, and why.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) failure: Box<CardFailure>,
    /// Why it is to be left alone from now on.
    pub(super) quarantine: Option<Quarantine>,
}

/// What stood between the service and the card.
#[derive(Clone, Copy, Default)]
struct Stopped {
    /// What only this side knows to say.
    local: Option<Problem>,
    quarantine: Option<Quarantine>,
}

impl Relay {
    /// Opens the stream, logging in if need be.
    pub(super) async fn open(service: &Service) -> Result<Self, Failure> {
        service
            .ask(async |channel| {
                let (outgoing, requests) = mpsc::channel(4);
                let relayed =
                    CardsClient::new(channel).relay(ReceiverStream::new(requests)).await?;
                Ok(relayed.map(|incoming| Self { outgoing, incoming }))
            })
            .await
    }

    /// Whether nothing is known against the stream.
    pub(super) fn is_open(&self) -> bool {
        !self.outgoing.is_closed()
    }

    /// Ends when the stream does, with the reason. Cancelling loses nothing: between two cards the
    /// service has nothing to say.
    pub(super) async fn ended(&mut self) -> Failure {
        match self.incoming.message().await {
            Err(status) => status.into(),
            Ok(None) => problems::SERVICE_UNREACHABLE.into(),
            Ok(Some(_)) => problems::SERVICE_ANSWER_MALFORMED.into(),
        }
    }

    /// Lets the service read the card in `reader`. Fails when the service is lost; the card's own
    /// failures are an outcome.
    pub(super) async fn read(
        &mut self,
        reader: &mut Reader,
        sam: Option<&SamReader>,
        atr: Vec<u8>,
    ) -> Result<Ended, Failure> {
        let inserted = CardInserted { atr, ..CardInserted::default() };
        let (step, stopped) = self.drive(reader, sam, inserted).await?;
        let outcome = match step {
            relay_response::Step::Reading(reading) => Outcome::Reading(Box::new(reading)),
            other => Outcome::Refused(refused(other, stopped)?.failure),
        };
        Ok(Ended { outcome, quarantine: stopped.and_then(|it| it.quarantine) })
    }

    /// The same for more of the card than who holds it.
    pub(super) async fn dump(
        &mut self,
        reader: &mut Reader,
        sam: Option<&SamReader>,
        atr: Vec<u8>,
        order: WholeCard,
    ) -> Result<Result<CardDump, Refused>, Failure> {
        let inserted = CardInserted { atr, whole: Some(order), ..CardInserted::default() };
        match self.drive(reader, sam, inserted).await? {
            (relay_response::Step::Dump(dump), _) => Ok(Ok(dump)),
            (other, stopped) => Ok(Err(refused(other, stopped)?)),
        }
    }

    /// Lets the service write changes on the card.
    pub(super) async fn write(
        &mut self,
        reader: &mut Reader,
        sam: Option<&SamReader>,
        atr: Vec<u8>,
        changes: CardChanges,
    ) -> Result<Result<CardWritten, Refused>, Failure> {
        let inserted = CardInserted { atr, changes: Some(changes), ..CardInserted::default() };
        match self.drive(reader, sam, inserted).await? {
            (relay_response::Step::Written(written), _) => Ok(Ok(written)),
            (other, stopped) => Ok(Err(refused(other, stopped)?)),
        }
    }

    async fn drive(
        &mut self,
        reader: &mut Reader,
        sam: Option<&SamReader>,
        inserted: CardInserted,
    ) -> Result<(relay_response::Step, Option<Stopped>), Failure> {
        let inserted = CardInserted {
            reader: shortened(reader.name()),
            sam_atr: sam.map(SamReader::atr).unwrap_or_default(),
            ..inserted
        };
        let ended = self.converse(reader, sam, inserted).await;
        reader.release();
        ended
    }

    /// Executes the service's commands until it says how the card ends.
    async fn converse(
        &mut self,
        reader: &mut Reader,
        sam: Option<&SamReader>,
        inserted: CardInserted,
    ) -> Result<(relay_response::Step, Option<Stopped>), Failure> {
        // The service chooses its first command while the reader takes hold of the card.
        let atr = inserted.atr.clone();
        self.send(relay_request::Event::Inserted(inserted)).await?;
        let mut stopped = match reader.connect_to(&atr).await {
            Ok(()) => None,
            Err(trouble) => Some(self.give_up(&trouble).await?),
        };
        loop {
            match self.step().await? {
                relay_response::Step::Command(command) => {
                    // A command sent before the service heard of it is not answered.
                    if stopped.is_none() {
                        stopped = self.execute(reader, sam, &command).await?;
                    }
                }
                end => return Ok((end, stopped)),
            }
        }
    }

    /// Executes one command; why there will be no other, if that is so.
    async fn execute(
        &mut self,
        reader: &mut Reader,
        sam: Option<&SamReader>,
        command: &CardCommand,
    ) -> Result<Option<Stopped>, Failure> {
        let for_sam = command.slot() == CardSlot::Sam;
        let bytes = &command.command;
        let command = Apdu::parse(bytes)
            .ok()
            .filter(|parsed| parsed.to_bytes() == *bytes)
            .ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
        let answer = match (for_sam, sam) {
            (false, _) => reader.transmit(command).await,
            (true, Some(sam)) => sam.transmit(command).await,
            (true, None) => return Err(problems::SERVICE_ANSWER_MALFORMED.into()),
        };
        match answer {
            Ok((response, taken)) => {
                let card_microseconds = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
                let response = CardResponse { response, card_microseconds };
                self.send(relay_request::Event::Response(response)).await?;
                Ok(None)
            }
            // The card is not to blame for its SAM.
            Err(_) if for_sam => {
                self.removed(Cause::Reader).await?;
                Ok(Some(Stopped { local: Some(problems::SAM_UNREADABLE), quarantine: None }))
            }
            Err(trouble) => {
                reader.release();
                Ok(Some(self.give_up(&trouble).await?))
            }
        }
    }

    /// Tells the service that there is no card to talk to, and why.
    async fn give_up(&mut self, trouble: &Trouble) -> Result<Stopped, Failure> {
        let (cause, stopped) = judge(trouble);
        self.removed(cause).await?;
        Ok(stopped)
    }

    async fn removed(&self, cause: Cause) -> Result<(), Failure> {
        self.send(relay_request::Event::Removed(CardRemoved { cause: cause.into() })).await
    }

    /// Tells the service that the last card is out. It may go unheard: the stream may be over.
    pub(super) fn card_left(&self) {
        let removed = CardRemoved { cause: Cause::Card.into() };
        let event = Some(relay_request::Event::Removed(removed));
        let _ = self.outgoing.try_send(RelayRequest { event });
    }

    async fn send(&self, event: relay_request::Event) -> Result<(), Failure> {
        let request = RelayRequest { event: Some(event) };
        self.outgoing.send(request).await.map_err(|_| problems::SERVICE_UNREACHABLE.into())
    }

    async fn step(&mut self) -> Result<relay_response::Step, Failure> {
        let next = timeout(PATIENCE, self.incoming.message());
        let next = next.await.map_err(|_| Failure::of(problems::SERVICE_TIMEOUT))??;
        let next = next.ok_or(problems::SERVICE_UNREACHABLE)?;
        next.step.ok_or_else(|| problems::SERVICE_ANSWER_MALFORMED.into())
    }
}

/// Why nothing came of a card; any other end is none that was asked for.
fn refused(step: relay_response::Step, stopped: Option<Stopped>) -> Result<Refused, Failure> {
    let Stopped { local, quarantine } = stopped.unwrap_or_default();
    match step {
        relay_response::Step::Failure(told) => {
            Ok(Refused { failure: Box::new(local.map_or(told, local_failure)), quarantine })
        }
        _ => Err(problems::SERVICE_ANSWER_MALFORMED.into()),
    }
}

/// What the service is told, and what this side knows better.
fn judge(trouble: &Trouble) -> (Cause, Stopped) {
    let known = |problem| Stopped { local: Some(problem), quarantine: None };
    let quarantined = |why| Stopped { local: None, quarantine: Some(why) };
    match trouble {
        Trouble::Transport(TransportError::CardRemoved) => (Cause::Card, Stopped::default()),
        Trouble::Transport(TransportError::Garbage { .. }) => (Cause::Garbage, Stopped::default()),
        Trouble::Transport(TransportError::Busy) => (Cause::Reader, known(problems::CARD_BUSY)),
        Trouble::Transport(_) => (Cause::Reader, Stopped::default()),
        Trouble::Quarantine(why @ Quarantine::Hung) => (Cause::Timeout, quarantined(*why)),
        Trouble::Quarantine(why @ Quarantine::Flooding) => (Cause::Flood, quarantined(*why)),
        Trouble::Exhausted => (Cause::Reader, known(problems::READERS_EXHAUSTED)),
    }
}

/// What the service is told of a reader or card that failed.
pub(super) fn cause(trouble: &Trouble) -> Cause {
    judge(trouble).0
}

/// A name for people, cut at a character.
pub(super) fn shortened(reader: &str) -> String {
    let mut end = reader.len().min(LONGEST_NAME);
    while !reader.is_char_boundary(end) {
        end -= 1;
    }
    reader[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_at_a_character() {
        assert_eq!(shortened("Virtual PCD 00 00"), "Virtual PCD 00 00");
        assert_eq!(shortened(&"读".repeat(50)), "读".repeat(42));
        assert_eq!(shortened(&"a".repeat(129)).len(), 128);
    }
}
