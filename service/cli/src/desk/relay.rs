//! The stream to the service: it sends commands, the card's raw answers go back.

use std::time::{Duration, Instant};

use card::{
    apdu::Apdu,
    transport::{Transport as _, TransportError, pcsc::PcscCard},
};
use proto::v1::{
    CardFailure, CardInserted, CardReading, CardRemoved, CardResponse, RelayRequest, RelayResponse,
    card_removed::Cause, cards_client::CardsClient, relay_request, relay_response,
};
use tokio::{
    sync::mpsc::{self, Sender},
    task::spawn_blocking,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::event::local_failure;
use crate::{
    failure::Failure,
    service::Service,
    text::{Problem, problems},
};

/// Longest wait for the service's next step.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest answer of a card that the service takes, status word included.
const LONGEST_ANSWER: usize = 258;
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
    pub(super) async fn read(&mut self, reader: &str, atr: Vec<u8>) -> Result<Outcome, Failure> {
        // The reader takes hold of the card while the service chooses its first command.
        let name = reader.to_owned();
        let connecting = spawn_blocking(move || PcscCard::connect(&name));
        let inserted = CardInserted { reader: shortened(reader), atr };
        self.send(relay_request::Event::Inserted(inserted)).await?;
        let mut held = match connecting.await {
            Ok(Ok(card)) => Ok(card),
            Ok(Err(error)) => Err(self.give_up(&error).await?),
            Err(_) => Err(self.give_up(&TransportError::ReaderGone).await?),
        };
        loop {
            let command = match self.step().await? {
                relay_response::Step::Command(command) => command.command,
                relay_response::Step::Reading(reading) => {
                    release(held.ok());
                    return Ok(Outcome::Reading(Box::new(reading)));
                }
                relay_response::Step::Failure(told) => {
                    let local = held.as_ref().err().copied().flatten();
                    release(held.ok());
                    return Ok(Outcome::Refused(Box::new(local.map_or(told, local_failure))));
                }
            };
            // A command sent before the service heard that the card is gone is not answered.
            if let Ok(card) = held {
                held = self.execute(card, &command).await?;
            }
        }
    }

    /// Executes one command; what is left of the card afterwards.
    async fn execute(
        &mut self,
        mut card: PcscCard,
        command: &[u8],
    ) -> Result<Result<PcscCard, Option<Problem>>, Failure> {
        let command = Apdu::parse(command)
            .ok()
            .filter(|parsed| parsed.to_bytes() == command)
            .ok_or(problems::SERVICE_ANSWER_MALFORMED)?;
        let executed = spawn_blocking(move || {
            let began = Instant::now();
            let answer = card.transmit(&command);
            (card, answer, began.elapsed())
        });
        let Ok((card, answer, taken)) = executed.await else {
            return Ok(Err(self.give_up(&TransportError::ReaderGone).await?));
        };
        let answer = answer.map(|response| response.to_bytes()).and_then(|bytes| {
            let length = bytes.len();
            if length > LONGEST_ANSWER {
                Err(TransportError::Garbage { length })
            } else {
                Ok(bytes)
            }
        });
        match answer {
            Ok(response) => {
                let card_microseconds = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
                let response = CardResponse { response, card_microseconds };
                self.send(relay_request::Event::Response(response)).await?;
                Ok(Ok(card))
            }
            Err(error) => {
                release(Some(card));
                Ok(Err(self.give_up(&error).await?))
            }
        }
    }

    /// Tells the service that there is no card to talk to, and why; what only this side knows.
    async fn give_up(&mut self, error: &TransportError) -> Result<Option<Problem>, Failure> {
        let (cause, local) = match error {
            TransportError::CardRemoved => (Cause::Card, None),
            TransportError::Garbage { .. } => (Cause::Garbage, None),
            TransportError::Busy => (Cause::Reader, Some(problems::CARD_BUSY)),
            _ => (Cause::Reader, None),
        };
        self.send(relay_request::Event::Removed(CardRemoved { cause: cause.into() })).await?;
        Ok(local)
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

/// Lets go of the card, which resets it, without keeping the person from the screen.
fn release(held: Option<PcscCard>) {
    if let Some(card) = held {
        drop(spawn_blocking(move || drop(card)));
    }
}

/// A name for people, cut at a character.
fn shortened(reader: &str) -> String {
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
