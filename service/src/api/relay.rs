//! The relay: the service drives a card in a reader far away, and the agent only carries bytes.
//!
//! One task reads a stream, sends its steps and knows whose turn it is; `wire` has the thread that
//! a card is driven on. Nothing waits without end: not for an answer, not for an agent that does
//! not read, not for a card.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use card::{Atr, IdentityReading, ReadError, session::Dump};
use proto::v1::{self, card_removed::Cause, relay_request::Event, relay_response::Step};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Status, Streaming};
use zeroize::Zeroizing;

use super::{
    Desk,
    cards::reading,
    convert::receipt,
    emergencies::notices,
    events::{Happened, Kind},
};
use crate::{
    catalogue::Reason,
    clock,
    registrar::{Caller, CardFailure, DumpOrder, Error, WriteOrder, WriteOutcome},
    serve::{Share, Shares},
    store::bounded,
};

mod dump;
pub(super) mod issue;
mod wire;
mod write;

use wire::{Driven, End};

/// Longest that a card and the network may take for one command, and an agent to read a step.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest that an idle stream is kept; agents that are alive send cards or open a new one.
const IDLE: Duration = Duration::from_secs(24 * 3600);
/// Cards that are driven at once. Each has a thread, and the records need threads too.
const MOST_CARDS: usize = 64;
/// Blank cards that are written at once. They wait for each other and not for desks, nor desks for
/// them.
const MOST_BLANKS: usize = 32;
/// Streams that a session may have: a desk keeps one for each of its readers, up to twelve, and one
/// to hear of the service itself; some more may be taking the place of others.
const MOST_STREAMS: usize = 16;
/// Longest name of a reader, octets.
const MAX_READER: usize = 128;

type Steps = mpsc::Sender<Result<v1::RelayResponse, Status>>;

/// What all relays of the service share.
pub(super) struct Relays {
    cards: Arc<Semaphore>,
    blanks: Arc<Semaphore>,
    streams: Arc<Shares<[u8; 32]>>,
}

impl Default for Relays {
    fn default() -> Self {
        let [cards, blanks] = [MOST_CARDS, MOST_BLANKS].map(|most| Arc::new(Semaphore::new(most)));
        Self { cards, blanks, streams: Arc::default() }
    }
}

/// Serves one relay stream until the agent ends it or breaks its rules, or its session is over.
///
/// # Errors
/// RATE_LIMITED when the session has enough streams already.
pub(super) fn serve(
    desk: Desk,
    caller: Caller,
    request: Request<Streaming<v1::RelayRequest>>,
) -> Result<mpsc::Receiver<Result<v1::RelayResponse, Status>>, Error> {
    let token = Zeroizing::new(super::bearer(request.metadata())?.to_owned());
    let share = desk
        .relays
        .streams
        .take(caller.holder.session, MOST_STREAMS)
        .ok_or(Reason::RATE_LIMITED)?;
    let (steps, stream) = mpsc::channel(4);
    let relay = Relay { desk, caller, token, _share: share, steps, reader: String::new() };
    tokio::spawn(bounded(relay.run(request.into_inner())));
    Ok(stream)
}

/// More of a card than who holds it, and whether its bytes are wanted too.
type Wanted = (DumpOrder, bool);

struct Relay {
    desk: Desk,
    caller: Caller,
    token: Zeroizing<String>,
    /// Given back before the stream ends, so that its agent can open the next one at once.
    _share: Share<[u8; 32]>,
    steps: Steps,
    /// Where the last card was put in; empty once it is known to be out.
    reader: String,
}

impl Relay {
    async fn run(
        mut self,
        mut events: impl Stream<Item = Result<v1::RelayRequest, Status>> + Unpin,
    ) {
        // The last card's last command came to nothing, but its answer may still be on its way.
        let mut owed = false;
        while let Ok(Some(Ok(message))) = timeout(IDLE, events.next()).await {
            let flow = match message.event {
                Some(Event::Inserted(card)) => self.card(card, &mut events, &mut owed).await,
                // The last card, whose verdict is out.
                Some(Event::Removed(removed)) => {
                    self.card_left(removed.cause());
                    ControlFlow::Continue(())
                }
                Some(Event::Response(_)) if owed => {
                    owed = false;
                    ControlFlow::Continue(())
                }
                Some(Event::Response(_)) | None => self.broken(Reason::RELAY_PROTOCOL).await,
            };
            if flow.is_break() {
                break;
            }
        }
    }

    /// Drives one card to its verdict.
    async fn card(
        &mut self,
        card: v1::CardInserted,
        events: &mut (impl Stream<Item = Result<v1::RelayRequest, Status>> + Unpin),
        owed: &mut bool,
    ) -> ControlFlow<()> {
        *owed = false;
        // The session may have ended since the last card.
        if let Err(error) = self.check_session().await {
            return self.ended(error).await;
        }
        if card.reader.len() > MAX_READER || card.reader.chars().any(char::is_control) {
            return self.broken(Reason::RELAY_PROTOCOL).await;
        }
        self.reader = card.reader;
        self.happened(Kind::Inserted);
        let Ok(atr) = Atr::parse(&card.atr) else {
            return self.unreadable(Reason::NOT_HEALTH_CARD).await;
        };
        let place = Arc::clone(&self.desk.relays.cards).acquire_owned();
        let Ok(Ok(place)) = timeout(PATIENCE, place).await else {
            return self.unreadable(Reason::RATE_LIMITED).await;
        };
        let Ok(sam) = self.sam(&card.sam_atr) else {
            return self.unreadable(Reason::SAM_MISSING).await;
        };
        let changes = match &card.changes {
            None => None,
            Some(message) => match self.changes(message).await {
                Ok(order) => Some(Arc::new(order)),
                Err(refused) => return self.say(refused).await,
            },
        };
        // Writing has its own rule; for anything else the card is read.
        let wanted = match &changes {
            Some(_) => Ok(None),
            None => self.wanted(card.whole.as_ref()).await,
        };
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(error) => {
                let failure = CardFailure::refused(&error);
                self.refused(&failure);
                return self.say(failed(failure)).await;
            }
        };
        let files = wanted.as_ref().map(|(order, _)| order.files.clone());
        let registrar = Arc::clone(&self.desk.registrar);
        let today = clock::date_at_desk(self.caller.now);
        let (again, sam_again) = (atr.clone(), sam.clone());
        let driven = Driven::start(atr, sam, place, move |wire, sam| {
            let module = registrar.module_at(sam.map(|sam| Box::new(sam) as _));
            let read = module.and_then(|module| match &files {
                None => registrar.read_card(wire, &module, today).map(|read| (read, None)),
                Some(files) => registrar
                    .read_whole_card(wire, &module, today, files)
                    .map(|(read, dump)| (read, Some(dump))),
            });
            (read, wire.card_microseconds())
        });
        match driven.carry(events, &self.steps).await {
            End::Done { outcome: (read, card_microseconds), owed: still_owed, removed } => {
                *owed = still_owed;
                let flow = match changes {
                    None => self.verdict(read, wanted.as_ref(), card_microseconds).await,
                    Some(order) if removed.is_none() => {
                        let read = read.map(|(read, _)| read);
                        self.write(read, (again, sam_again), order, events, owed).await
                    }
                    // The card left after its last answer: nothing was begun.
                    Some(_) => self.unreadable(Reason::CARD_REMOVED).await,
                };
                if let Some(cause) = removed {
                    self.card_left(cause);
                }
                flow
            }
            End::Broken(reason) => self.broken(reason).await,
        }
    }

    /// The SAM at the desk, when the settings ask for one; an error when it is not there.
    fn sam(&self, atr: &[u8]) -> Result<Option<Atr>, ()> {
        match self.desk.registrar.needs_sam() {
            false => Ok(None),
            true => Atr::parse(atr).map(Some).map_err(|_| ()),
        }
    }

    /// The changes asked for, when they are acceptable and the caller may make them: before the
    /// card is touched.
    async fn changes(&self, message: &v1::CardChanges) -> Result<WriteOrder, Step> {
        let order = write::order(message)
            .map_err(|refused| failed_at(CardFailure::refused(&refused.error), refused.detail))?;
        match self.desk.registrar.may_write_card(&self.caller, &order).await {
            Ok(()) => Ok(order),
            Err(error) => Err(failed(CardFailure::refused(&error))),
        }
    }

    /// Writes changes on the card that was just read.
    async fn write(
        &mut self,
        read: Result<IdentityReading, ReadError>,
        (atr, sam): (Atr, Option<Atr>),
        order: Arc<WriteOrder>,
        events: &mut (impl Stream<Item = Result<v1::RelayRequest, Status>> + Unpin),
        owed: &mut bool,
    ) -> ControlFlow<()> {
        if let Err(error) = self.check_session().await {
            self.record(error.reason()).await;
            return self.ended(error).await;
        }
        let registrar = Arc::clone(&self.desk.registrar);
        let begun = match &read {
            Ok(read) => registrar.begin_write(&self.caller, &order, read).await,
            Err(error) => {
                let cause = crate::telemetry::chain(error);
                tracing::info!(cause, "a card was not written");
                Err(registrar.card_failed(&self.caller, error).await)
            }
        };
        let card = match begun {
            Ok(card) => card,
            Err(failure) => return self.say(failed(failure)).await,
        };
        let place = Arc::clone(&self.desk.relays.cards).acquire_owned();
        let Ok(Ok(place)) = timeout(PATIENCE, place).await else {
            return self.unreadable(Reason::RATE_LIMITED).await;
        };
        let (driving, target, orders) = (Arc::clone(&registrar), card.clone(), order.clone());
        let driven = Driven::start(atr, sam, place, move |wire, sam| {
            let outcome = match driving.module_at(sam.map(|sam| Box::new(sam) as _)) {
                Ok(module) => driving.write_card(wire, &module, &orders, &target),
                Err(error) => WriteOutcome::without_card(error),
            };
            (outcome, wire.card_microseconds())
        });
        let (outcome, card_microseconds) = match driven.carry(events, &self.steps).await {
            End::Done { outcome, owed: still_owed, removed } => {
                *owed = still_owed;
                if let Some(cause) = removed {
                    self.card_left(cause);
                }
                outcome
            }
            End::Broken(reason) => {
                // What was written is unknown here; the log says that writing began.
                let _ = registrar.write_broken(&self.caller, &order, &card, reason).await;
                return self.broken(reason).await;
            }
        };
        let caller = Caller { now: clock::now(), ..self.caller.clone() };
        match registrar.card_written(&caller, &order, &card, &outcome).await {
            Ok(recorded) => {
                let written = write::written(&card, &outcome, card_microseconds, recorded);
                self.say(Step::Written(written)).await
            }
            Err(failure) => {
                let detail = outcome.result.as_ref().err().map(ToString::to_string);
                self.say(failed_at(failure, detail.unwrap_or_default())).await
            }
        }
    }

    /// Records what came of a card, and tells it.
    async fn verdict(
        &mut self,
        read: Result<(IdentityReading, Option<Dump>), ReadError>,
        wanted: Option<&Wanted>,
        card_microseconds: u64,
    ) -> ControlFlow<()> {
        // The session may have ended meanwhile: then nobody is left who may know the person.
        if let Err(error) = self.check_session().await {
            self.record(error.reason()).await;
            return self.ended(error).await;
        }
        let registrar = &self.desk.registrar;
        let step = match (read, wanted) {
            (Ok((read, Some(dump))), Some((order, raw))) => {
                let told = registrar.card_dumped(&self.caller, order, &read, &dump).await;
                let issuer = &registrar.card_issuer().certificate;
                told.map(|told| {
                    Step::Dump(dump::dumped(&dump, *raw, issuer, card_microseconds, told))
                })
            }
            (Ok((read, _)), _) => {
                let presented =
                    registrar.card_presented(&self.caller, read, card_microseconds).await;
                match presented {
                    Ok((presence, recorded)) => {
                        let happened = Happened::at(&self.caller, &self.reader, Kind::Read);
                        self.desk.events.publish(happened.of(&presence, &recorded));
                        let notices = notices(registrar, presence.resident).await;
                        let reading = reading(presence, recorded);
                        Ok(Step::Reading(v1::CardReading { notices, ..reading }))
                    }
                    Err(failure) => Err(failure),
                }
            }
            (Err(error), _) => {
                let cause = crate::telemetry::chain(&error);
                tracing::info!(cause, "a card brought no reading");
                Err(registrar.card_failed(&self.caller, &error).await)
            }
        };
        match step {
            Ok(step) => self.say(step).await,
            Err(failure) => {
                self.refused(&failure);
                self.say(failed(failure)).await
            }
        }
    }

    /// What is wanted of a card, when the caller may have it.
    async fn wanted(&self, whole: Option<&v1::WholeCard>) -> Result<Option<Wanted>, Error> {
        let registrar = &self.desk.registrar;
        let Some(whole) = whole else {
            return registrar.may_read_cards(&self.caller).await.map(|()| None);
        };
        let order = dump::order(whole)?;
        registrar.may_dump(&self.caller, &order).await?;
        Ok(Some((order, whole.raw)))
    }

    /// Notes who the session's holder is now, and the time.
    async fn check_session(&mut self) -> Result<(), Error> {
        let origin = self.caller.origin.clone();
        self.caller = self.desk.registrar.caller(&self.token, origin, clock::now()).await?;
        Ok(())
    }

    /// A card that could not be driven; the next one may be.
    async fn unreadable(&self, reason: Reason) -> ControlFlow<()> {
        let failure = self.record(reason).await;
        self.refused(&failure);
        self.say(failed(failure)).await
    }

    /// The agent broke the stream or its rules: it is told why, as far as it listens.
    async fn broken(&self, reason: Reason) -> ControlFlow<()> {
        tracing::info!(reason = reason.text().reason, "a relay was broken");
        let _ = self.unreadable(reason).await;
        ControlFlow::Break(())
    }

    fn refused(&self, failure: &CardFailure) {
        if !self.reader.is_empty() {
            let happened = Happened::at(&self.caller, &self.reader, Kind::Refused);
            self.desk.events.publish(happened.because(failure));
        }
    }

    /// The agent can do no more with the last card, or saw it leave.
    fn card_left(&mut self, cause: Cause) {
        match cause {
            Cause::Timeout | Cause::Flood => self.happened(Kind::Quarantined),
            Cause::Card | Cause::Reader | Cause::Unspecified if !self.reader.is_empty() => {
                self.happened(Kind::Removed);
                self.reader.clear();
            }
            Cause::Card | Cause::Reader | Cause::Unspecified | Cause::Garbage => {}
        }
    }

    fn happened(&self, kind: Kind) {
        let now = Caller { now: clock::now(), ..self.caller.clone() };
        self.desk.events.publish(Happened::at(&now, &self.reader, kind));
    }

    async fn ended(&self, error: Error) -> ControlFlow<()> {
        let _ = timeout(PATIENCE, self.steps.send(Err(error.into()))).await;
        ControlFlow::Break(())
    }

    async fn record(&self, reason: Reason) -> CardFailure {
        let caller = Caller { now: clock::now(), ..self.caller.clone() };
        self.desk.registrar.card_unreadable(&caller, reason).await
    }

    async fn say(&self, step: Step) -> ControlFlow<()> {
        let step = v1::RelayResponse { step: Some(step) };
        match timeout(PATIENCE, self.steps.send(Ok(step))).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            Ok(Err(_)) | Err(_) => ControlFlow::Break(()),
        }
    }
}

fn failed(failure: CardFailure) -> Step {
    failed_at(failure, String::new())
}

fn failed_at(failure: CardFailure, detail: String) -> Step {
    Step::Failure(v1::CardFailure { detail, ..failure_message(failure) })
}

fn failure_message(failure: CardFailure) -> v1::CardFailure {
    let text = failure.reason.text();
    v1::CardFailure {
        reason: text.reason.to_owned(),
        message_zh: text.zh.to_owned(),
        message_en: text.en.to_owned(),
        advice_zh: text.advice_zh.to_owned(),
        advice_en: text.advice_en.to_owned(),
        receipt: failure.receipt.and_then(receipt),
        detail: String::new(),
    }
}
