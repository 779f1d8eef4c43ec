//! A card in the hands of a test: the relay as a desk agent speaks it, with every answer up to the test.

use std::path::Path;

use card_emulator::{Card, Image};
use proto::v1::card_removed::Cause;
use proto::v1::cards_client::CardsClient;
use proto::v1::relay_request::Event;
use proto::v1::relay_response::Step;
use proto::v1::visits_client::VisitsClient;
use proto::v1::{
    CardFailure, CardInserted, CardReading, CardRemoved, CardResponse, OpenVisitRequest,
    RelayRequest, RelayResponse,
};
use service::demo::people::{DEPARTMENT, DESK, DOCTOR};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::grpc::{Caller, log_in};
use crate::hospital::Hospital;

/// What comes back from the reader for one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The card's answer, status word included.
    Card(Vec<u8>),
    /// None, because of this.
    Gone(Cause),
}

/// What the service made of a card.
#[derive(Debug)]
pub enum Outcome {
    /// A person.
    Reading(Box<CardReading>),
    /// A refusal with its reason.
    Failure(CardFailure),
    /// The whole stream was ended.
    Ended(Status),
}

impl Outcome {
    /// The stable reason of a failure.
    ///
    /// # Panics
    /// When it is no failure.
    #[must_use]
    #[track_caller]
    pub fn reason(&self) -> String {
        match self {
            Self::Failure(failure) => failure.reason.clone(),
            Self::Ended(status) => crate::grpc::reason(status),
            Self::Reading(_) => panic!("a reading came where a failure had to"),
        }
    }

    /// The reading.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn reading(self) -> CardReading {
        match self {
            Self::Reading(reading) => *reading,
            other => panic!("no reading but {other:?}"),
        }
    }
}

/// An open relay.
pub struct Relay {
    events: mpsc::Sender<RelayRequest>,
    steps: Streaming<RelayResponse>,
}

impl Relay {
    /// Opens one in somebody's name.
    ///
    /// # Errors
    /// The service's refusal.
    pub async fn open(caller: Caller) -> Result<Self, Status> {
        let (events, requests) = mpsc::channel(4);
        let steps = CardsClient::new(caller).relay(ReceiverStream::new(requests)).await?;
        Ok(Self { events, steps: steps.into_inner() })
    }

    /// Says that a card was inserted, and lets `card` answer each command; its number counts from 1.
    pub async fn present(
        &mut self,
        atr: &[u8],
        mut card: impl FnMut(u32, &[u8]) -> Answer,
    ) -> Outcome {
        let inserted = CardInserted {
            reader: "test reader".to_owned(),
            atr: atr.to_vec(),
            ..CardInserted::default()
        };
        self.send(Event::Inserted(inserted)).await;
        let mut number = 0;
        loop {
            let step = match self.steps.message().await {
                Ok(Some(response)) => response.step.expect("a step"),
                Ok(None) => return Outcome::Ended(Status::ok("the service closed the relay")),
                Err(status) => return Outcome::Ended(status),
            };
            match step {
                Step::Reading(reading) => return Outcome::Reading(Box::new(reading)),
                Step::Failure(failure) => return Outcome::Failure(failure),
                Step::Dump(_) => unreachable!("nobody asked for more than who holds it"),
                Step::Written(_) => unreachable!("no changes were asked for"),
                Step::Command(command) => {
                    number += 1;
                    let event = match card(number, &command.command) {
                        Answer::Card(response) => {
                            Event::Response(CardResponse { response, card_microseconds: 1 })
                        }
                        Answer::Gone(cause) => Event::Removed(CardRemoved { cause: cause.into() }),
                    };
                    self.send(event).await;
                }
            }
        }
    }

    /// Sends any event, also one that is out of order.
    pub async fn send(&self, event: Event) {
        // A relay that has ended says so when it is read.
        let _ = self.events.send(RelayRequest { event: Some(event) }).await;
    }
}

/// A card of an image file, in memory.
///
/// # Panics
/// When the file is no image.
#[must_use]
pub fn card(image: &Path) -> Card {
    let text = std::fs::read_to_string(image).expect("a card image");
    let image = Image::from_toml(&text).expect("a card image");
    // A challenge that repeats is the card's risk, not the service's.
    Card::new(image, Box::new(|challenge| *challenge = [7; 8]))
}

/// What a card answers to a command.
#[must_use]
pub fn answer(card: &mut Card, command: &[u8]) -> Answer {
    match card.exchange(command) {
        card_emulator::card::Outcome::Answer(bytes)
        | card_emulator::card::Outcome::Late(_, bytes) => Answer::Card(bytes),
        card_emulator::card::Outcome::Gone => Answer::Gone(Cause::Card),
        card_emulator::card::Outcome::Silent => Answer::Gone(Cause::Timeout),
    }
}

/// Presents a card that does what it does.
pub async fn present(relay: &mut Relay, card: &mut Card) -> Outcome {
    card.reset();
    let atr = card.atr().bytes().to_vec();
    relay.present(&atr, |_, command| answer(card, command)).await
}

/// Reads the patient's card at the desk and opens a visit, the doctor attending; the visit's id.
///
/// # Panics
/// When it is refused.
pub async fn open_visit(hospital: &Hospital) -> String {
    open_visit_at(hospital, DESK.key, hospital.staff[DOCTOR.key].clone()).await
}

/// The same at any desk, anybody attending.
///
/// # Panics
/// When it is refused.
pub async fn open_visit_at(hospital: &Hospital, desk: &str, attending: String) -> String {
    let desk = log_in(&hospital.stage, desk).await;
    let mut relay = Relay::open(desk.clone()).await.expect("a relay");
    let reading = present(&mut relay, &mut card(&hospital.card_image())).await.reading();
    let request = OpenVisitRequest {
        presence_id: reading.presence_id,
        department: DEPARTMENT.to_owned(),
        reason: "outpatient".to_owned(),
        attending: vec![attending],
    };
    let visit = VisitsClient::new(desk).open(request).await.expect("a visit");
    visit.into_inner().visit_id
}
