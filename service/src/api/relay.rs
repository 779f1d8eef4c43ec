//! The relay: the service drives a card in a reader far away, and the agent only carries bytes.
//!
//! The stream is read in one task; a card is driven on a thread of its own, which may wait. Each
//! command must be answered in time, and a card gets a bounded number of them.

use std::{
    sync::{Arc, mpsc as sync_mpsc},
    time::Duration,
};

use card::{Apdu, Atr, ReadError, Response, Transport, TransportError};
use proto::v1::{self, card_removed::Cause, relay_request::Event, relay_response::Step};
use tokio::sync::mpsc;
use tonic::{Request, Status, Streaming};

use super::{Desk, cards::reading, convert::receipt};
use crate::{
    catalogue::Reason,
    clock,
    registrar::{Caller, CardFailure, Presence},
    store::Receipt,
};

/// Longest that a card and the network may take for one command.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest that an idle stream is kept; agents that are alive send cards or open a new one.
const IDLE: Duration = Duration::from_secs(24 * 3600);
/// Most octets of an answer: 256 of data and the status word.
const MAX_RESPONSE: usize = 258;

/// Most events that wait to be looked at.
const UNREAD: usize = 4;

type Steps = mpsc::Sender<Result<v1::RelayResponse, Status>>;

/// Serves one relay stream until the agent ends it or its session is over.
pub(super) fn serve(
    desk: Desk,
    caller: Caller,
    request: Request<Streaming<v1::RelayRequest>>,
) -> mpsc::Receiver<Result<v1::RelayResponse, Status>> {
    let (steps, stream) = mpsc::channel(4);
    let token = super::bearer(request.metadata()).map(str::to_owned);
    let mut events = request.into_inner();
    tokio::spawn(async move {
        let Ok(token) = token else { return };
        let mut relay = Relay { desk, caller, steps, running: None };
        while let Ok(Ok(Some(message))) = tokio::time::timeout(IDLE, events.message()).await {
            let Some(event) = message.event else { break };
            if let Event::Inserted(card) = event {
                // The session may have ended since the last card.
                let address = relay.caller.address;
                match relay.desk.registrar.caller(&token, address, clock::now()).await {
                    Ok(caller) => relay.caller = caller,
                    Err(error) => {
                        let _ = relay.steps.send(Err(error.into())).await;
                        break;
                    }
                }
                relay.inserted(card).await;
            } else if let Some(running) = &relay.running
                && let Err(sync_mpsc::TrySendError::Full(_)) = running.try_send(event)
            {
                // More answers than were asked for. (A card's thread that has ended is no
                // longer listening, and its verdict is on its way.)
                relay.running = None;
            }
        }
    });
    stream
}

struct Relay {
    desk: Desk,
    caller: Caller,
    steps: Steps,
    /// Where the answers for the running card go.
    running: Option<sync_mpsc::SyncSender<Event>>,
}

impl Relay {
    /// Starts on a card; whatever ran before ends, since its answers stop coming.
    async fn inserted(&mut self, inserted: v1::CardInserted) {
        let Ok(atr) = Atr::parse(&inserted.atr) else {
            self.running = None;
            let failure = CardFailure { reason: Reason::NOT_HEALTH_CARD, receipt: None };
            let _ = self.steps.send(Ok(failed(failure))).await;
            return;
        };
        let (answers, events) = sync_mpsc::sync_channel(UNREAD);
        self.running = Some(answers);
        let wire = Wire { atr, steps: self.steps.clone(), events, card_microseconds: 0 };
        let (desk, caller, steps) = (self.desk.clone(), self.caller.clone(), self.steps.clone());
        tokio::spawn(async move {
            let step = match drive(&desk, &caller, wire).await {
                Ok((presence, recorded)) => {
                    v1::RelayResponse { step: Some(Step::Reading(reading(presence, recorded))) }
                }
                Err(failure) => failed(failure),
            };
            let _ = steps.send(Ok(step)).await;
        });
    }
}

/// Reads one card to its end.
async fn drive(
    desk: &Desk,
    caller: &Caller,
    mut wire: Wire,
) -> Result<(Presence, Receipt), CardFailure> {
    let registrar = Arc::clone(&desk.registrar);
    let today = clock::date_at_desk(caller.now);
    let (read, wire) =
        tokio::task::spawn_blocking(move || (registrar.read_card(&mut wire, today), wire))
            .await
            .map_err(|_| CardFailure { reason: Reason::INTERNAL, receipt: None })?;
    // The reading is recorded at the time it ended.
    let caller = Caller { now: clock::now(), ..caller.clone() };
    match read {
        Ok(read) => desk.registrar.card_presented(&caller, read, wire.card_microseconds).await,
        Err(error) => Err(failure(desk, &caller, &error).await),
    }
}

async fn failure(desk: &Desk, caller: &Caller, error: &ReadError) -> CardFailure {
    let cause = crate::telemetry::chain(error);
    tracing::info!(cause, "a card brought no reading");
    desk.registrar.card_failed(caller, error).await
}

fn failed(failure: CardFailure) -> v1::RelayResponse {
    let text = failure.reason.text();
    v1::RelayResponse {
        step: Some(Step::Failure(v1::CardFailure {
            reason: text.reason.to_owned(),
            message_zh: text.zh.to_owned(),
            message_en: text.en.to_owned(),
            advice_zh: text.advice_zh.to_owned(),
            advice_en: text.advice_en.to_owned(),
            receipt: failure.receipt.and_then(receipt),
        })),
    }
}

/// A card at the other end of the stream.
struct Wire {
    atr: Atr,
    steps: Steps,
    events: sync_mpsc::Receiver<Event>,
    card_microseconds: u64,
}

impl Transport for Wire {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        match self.events.try_recv() {
            Err(sync_mpsc::TryRecvError::Empty) => {}
            Ok(Event::Response(_)) => {
                return Err(TransportError::Failed("an answer to no command".to_owned()));
            }
            Ok(_) | Err(sync_mpsc::TryRecvError::Disconnected) => {
                return Err(TransportError::CardRemoved);
            }
        }
        let step = Step::Command(v1::CardCommand { command: command.to_bytes() });
        self.steps
            .blocking_send(Ok(v1::RelayResponse { step: Some(step) }))
            .map_err(|_| TransportError::ReaderGone)?;
        match self.events.recv_timeout(PATIENCE) {
            Ok(Event::Response(answer)) => {
                self.card_microseconds =
                    self.card_microseconds.saturating_add(answer.card_microseconds);
                if answer.response.len() > MAX_RESPONSE {
                    return Err(TransportError::Garbage { length: answer.response.len() });
                }
                Ok(Response::parse(&answer.response)?)
            }
            Ok(Event::Removed(removed)) => Err(match removed.cause() {
                Cause::Reader => TransportError::ReaderGone,
                Cause::Garbage => TransportError::Garbage { length: 0 },
                Cause::Card | Cause::Unspecified => TransportError::CardRemoved,
            }),
            Ok(Event::Inserted(_)) => Err(TransportError::CardRemoved),
            Err(sync_mpsc::RecvTimeoutError::Timeout) => Err(TransportError::Timeout),
            // The stream ended, or another card was put in.
            Err(sync_mpsc::RecvTimeoutError::Disconnected) => Err(TransportError::CardRemoved),
        }
    }
}
