//! `Cards.Issue`: rows come in, verdicts go out, and blank cards are driven, several at once. Each
//! card has a task of its own; this one reads the stream.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc, time::Duration};

use card::{
    Atr,
    batch::{BadField, Row, Why},
    layout::Profile,
};
use proto::v1::{
    self, issue_request::Event, issue_response::Step, relay_request, relay_response, slot_step,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Status, Streaming};
use zeroize::Zeroizing;

use super::{
    IDLE, MAX_READER, MOST_STREAMS, PATIENCE, failure_message,
    wire::{Driven, End},
};
use crate::{
    api::{
        Desk, bearer,
        convert::{id, receipt},
    },
    catalogue::{Needs, Reason},
    clock,
    registrar::{
        BatchOrder, BatchView, Begun, Caller, CardFailure, CardVerdict, Error, HandedRow,
        RowVerdict,
    },
    serve::Share,
    store::{BatchId, Receipt, RowState, bounded},
};

/// Rows that are put on record together, at most.
const GROUP: usize = 64;
/// How long rows that came are kept for others to come.
const GATHER: Duration = Duration::from_millis(50);
/// Readers of one stream.
const MOST_SLOTS: u32 = 64;
/// Events of a slot that may wait for its card's task.
const UNREAD: usize = 4;

type Steps = mpsc::Sender<Result<v1::IssueResponse, Status>>;

/// Serves one stream until the caller ends it or breaks its rules, or the session is over.
///
/// # Errors
/// RATE_LIMITED when the session has enough streams already.
pub(in crate::api) fn serve(
    desk: Desk,
    caller: Caller,
    request: Request<Streaming<v1::IssueRequest>>,
) -> Result<mpsc::Receiver<Result<v1::IssueResponse, Status>>, Error> {
    let token = Zeroizing::new(bearer(request.metadata())?.to_owned());
    let share = desk
        .relays
        .streams
        .take(caller.holder.session, MOST_STREAMS)
        .ok_or(Reason::RATE_LIMITED)?;
    let (steps, stream) = mpsc::channel(64);
    let issue = Issue {
        desk,
        caller,
        token,
        _share: share,
        steps,
        batch: None,
        rows: Vec::new(),
        slots: HashMap::new(),
        cards: JoinSet::new(),
    };
    tokio::spawn(bounded(issue.run(request.into_inner())));
    Ok(stream)
}

struct Issue {
    desk: Desk,
    caller: Caller,
    token: Zeroizing<String>,
    _share: Share<[u8; 32]>,
    steps: Steps,
    batch: Option<BatchId>,
    /// Rows that came and are not on record yet.
    rows: Vec<HandedRow>,
    /// Where the events of a slot go while a card is driven there.
    slots: HashMap<u32, mpsc::Sender<Result<v1::RelayRequest, Status>>>,
    cards: JoinSet<()>,
}

impl Issue {
    async fn run(
        mut self,
        mut events: impl Stream<Item = Result<v1::IssueRequest, Status>> + Unpin,
    ) {
        let mut gathered = Instant::now();
        loop {
            let until = match self.rows.is_empty() {
                true => Instant::now() + IDLE,
                false => gathered + GATHER,
            };
            let message = match timeout_at(until, events.next()).await {
                Ok(Some(Ok(message))) => message.event,
                Ok(Some(Err(_)) | None) => break,
                // Nothing more came to go with these rows.
                Err(_) if !self.rows.is_empty() => match self.flush().await {
                    Ok(()) => continue,
                    Err(error) => return self.end(error).await,
                },
                Err(_) => break,
            };
            if self.rows.is_empty() {
                gathered = Instant::now();
            }
            if let Err(error) = self.take(message).await {
                return self.end(error).await;
            }
            while self.cards.try_join_next().is_some() {}
        }
        // What was handed in is kept; cards that are being driven have lost their reader.
        if let Err(error) = self.flush().await {
            tracing::info!(cause = crate::telemetry::chain(&error), "the last rows of a stream");
        }
        self.slots.clear();
        while self.cards.join_next().await.is_some() {}
    }

    async fn take(&mut self, event: Option<Event>) -> Result<(), Error> {
        match (event, self.batch) {
            (Some(Event::Open(open)), None) => self.open(open).await,
            (Some(Event::Row(row)), Some(_)) => {
                self.rows.push(handed(row)?);
                if self.rows.len() == GROUP { self.flush().await } else { Ok(()) }
            }
            (Some(Event::Card(card)), Some(batch)) => {
                self.flush().await?;
                self.card(batch, card).await
            }
            (Some(Event::Close(_)), Some(batch)) => {
                self.flush().await?;
                self.check_session().await?;
                let (manifest, recorded) =
                    self.desk.registrar.close_batch(&self.caller, batch).await?;
                let receipt = recorded.and_then(receipt);
                self.say(Step::Closed(v1::ManifestResponse { manifest, receipt })).await
            }
            _ => Err(Reason::RELAY_PROTOCOL.into()),
        }
    }

    async fn open(&mut self, open: v1::OpenBatch) -> Result<(), Error> {
        let batch: BatchId = id("batch_id", &open.batch_id)?;
        let digest = open.input_digest.try_into();
        let digest =
            digest.map_err(|_| Error::Field { field: "input_digest", needs: Needs::Sm3Digest })?;
        if !(1..=card::batch::MAX_ROWS).contains(&open.rows) {
            return Err(Error::Field { field: "rows", needs: Needs::BatchRows });
        }
        let profile = match v1::CardCapacity::try_from(open.capacity) {
            Ok(v1::CardCapacity::Unspecified | v1::CardCapacity::CardCapacity32k) => Profile::Full,
            Ok(v1::CardCapacity::CardCapacity16k) => Profile::Reduced,
            Err(_) => return Err(Error::Field { field: "capacity", needs: Needs::ListedValue }),
        };
        let order = BatchOrder { id: batch, input_digest: digest, rows: open.rows, profile };
        let registrar = Arc::clone(&self.desk.registrar);
        let (view, recorded) = registrar.open_batch(&self.caller, order).await?;
        self.batch = Some(batch);
        self.say(Step::State(state(view, recorded))).await?;
        for verdict in registrar.row_verdicts(&self.caller, batch).await? {
            self.say(Step::Verdict(row_verdict(verdict, None))).await?;
        }
        Ok(())
    }

    /// Puts the rows that came on record, and says what came of each.
    async fn flush(&mut self) -> Result<(), Error> {
        let rows = std::mem::take(&mut self.rows);
        let (false, Some(batch)) = (rows.is_empty(), self.batch) else { return Ok(()) };
        self.check_session().await?;
        let (verdicts, recorded) = self.desk.registrar.hand_in(&self.caller, batch, rows).await?;
        for verdict in verdicts {
            self.say(Step::Verdict(row_verdict(verdict, Some(recorded.clone())))).await?;
        }
        Ok(())
    }

    /// What happened in a slot: a new card, or something for the card that is driven there.
    async fn card(&mut self, batch: BatchId, card: v1::BlankCard) -> Result<(), Error> {
        let v1::BlankCard { slot, row, event } = card;
        let event = event.ok_or(Reason::RELAY_PROTOCOL)?;
        if slot >= MOST_SLOTS {
            return Err(Reason::RELAY_PROTOCOL.into());
        }
        let Some(relay_request::Event::Inserted(inserted)) = event.event else {
            // What comes for a card that is done with is late, and no fault.
            if let Some(events) = self.slots.get(&slot)
                && let Err(mpsc::error::TrySendError::Full(_)) = events.try_send(Ok(event))
            {
                return Err(Reason::RELAY_PROTOCOL.into());
            }
            return Ok(());
        };
        if inserted.reader.len() > MAX_READER || inserted.reader.chars().any(char::is_control) {
            return Err(Reason::RELAY_PROTOCOL.into());
        }
        // The card before it is let go of first, so that a slot has one at a time.
        if let Some(before) = self.slots.get(&slot)
            && timeout(PATIENCE, before.closed()).await.is_err()
        {
            return Err(Reason::RELAY_PROTOCOL.into());
        }
        self.check_session().await?;
        let (events, received) = mpsc::channel(UNREAD);
        self.slots.insert(slot, events);
        let slot = Slot {
            desk: self.desk.clone(),
            caller: self.caller.clone(),
            batch,
            slot,
            steps: self.steps.clone(),
        };
        let named = (row > 0).then_some(row);
        let making = slot.make(inserted.atr, named, ReceiverStream::new(received));
        self.cards.spawn(bounded(making));
        Ok(())
    }

    async fn check_session(&mut self) -> Result<(), Error> {
        let origin = self.caller.origin.clone();
        self.caller = self.desk.registrar.caller(&self.token, origin, clock::now()).await?;
        Ok(())
    }

    async fn say(&self, step: Step) -> Result<(), Error> {
        say(&self.steps, step).await.ok_or(Reason::READER_GONE.into())
    }

    async fn end(mut self, error: Error) {
        // Cards first: what they did is on record before the stream ends.
        self.slots.clear();
        while self.cards.join_next().await.is_some() {}
        let _ = timeout(PATIENCE, self.steps.send(Err(error.into()))).await;
    }
}

async fn say(steps: &Steps, step: Step) -> Option<()> {
    let response = v1::IssueResponse { step: Some(step) };
    timeout(PATIENCE, steps.send(Ok(response))).await.ok()?.ok()
}

/// One blank card in one slot.
struct Slot {
    desk: Desk,
    caller: Caller,
    batch: BatchId,
    slot: u32,
    steps: Steps,
}

impl Slot {
    async fn make(
        mut self,
        atr: Vec<u8>,
        named: Option<u32>,
        events: ReceiverStream<Result<v1::RelayRequest, Status>>,
    ) {
        let flow = self.drive(atr, named, events).await;
        if let ControlFlow::Break(failure) = flow {
            let failure = slot_step::Step::Failure(failure_message(failure));
            self.say(failure).await;
        }
    }

    async fn drive(
        &mut self,
        atr: Vec<u8>,
        named: Option<u32>,
        mut events: ReceiverStream<Result<v1::RelayRequest, Status>>,
    ) -> ControlFlow<CardFailure> {
        let registrar = Arc::clone(&self.desk.registrar);
        let parsed = Atr::parse(&atr).ok();
        let known = parsed.and_then(|atr| Some((atr.card_factor().ok()?, atr)));
        let Some((factor, atr)) = known else {
            let failure = registrar.card_unreadable(&self.caller, Reason::NOT_HEALTH_CARD).await;
            return ControlFlow::Break(failure);
        };
        // Before the chip is bound to a row: what cannot be written now is left as it is.
        let place = Arc::clone(&self.desk.relays.blanks).acquire_owned();
        let Ok(Ok(place)) = timeout(PATIENCE, place).await else {
            return ControlFlow::Break(CardFailure { reason: Reason::RATE_LIMITED, receipt: None });
        };
        let begun = registrar.begin_card(&self.caller, self.batch, factor, named).await;
        let Begun { stopped, job } = match begun {
            Ok(begun) => begun,
            Err(error) => return ControlFlow::Break(failed(error)),
        };
        for (verdict, receipt) in stopped {
            self.verdict(verdict, Some(receipt)).await;
        }
        let Some(job) = job else {
            let failure = CardFailure { reason: Reason::NO_ROW_WAITS, receipt: None };
            return ControlFlow::Break(failure);
        };
        self.verdict(RowVerdict::writing(job.row()), None).await;
        let maker = Arc::clone(&registrar);
        let (tell, told) = oneshot::channel();
        let driven = Driven::start(atr, None, place, move |wire, _| {
            let made = maker.make_card(&job, wire);
            let _ = tell.send((job, made));
        });
        let (asking, mut asked) = mpsc::channel::<Result<v1::RelayResponse, Status>>(1);
        let (steps, slot) = (self.steps.clone(), self.slot);
        let forward = async move {
            while let Some(Ok(step)) = asked.recv().await {
                let Some(relay_response::Step::Command(command)) = step.step else { continue };
                let step = Some(slot_step::Step::Command(command));
                if say(&steps, Step::Card(v1::SlotStep { slot, step })).await.is_none() {
                    return;
                }
            }
        };
        let carry = async {
            let end = driven.carry(&mut events, &asking).await;
            // What comes for this card from now on is late, and the slot is free for the next.
            drop((asking, events));
            end
        };
        let (end, ()) = tokio::join!(carry, forward);
        // However the stream ended: what was done to the card goes on record.
        let Ok((job, made)) = told.await else {
            let reason = Reason::INTERNAL;
            return ControlFlow::Break(CardFailure { reason, receipt: None });
        };
        self.caller.now = clock::now();
        match (registrar.card_made(&self.caller, job, made).await, end) {
            (Ok(CardVerdict::Interrupted { receipt, .. }), End::Broken(reason)) => {
                ControlFlow::Break(CardFailure { reason, receipt: Some(receipt) })
            }
            (Ok(verdict), _) => self.told(verdict).await,
            (Err(error), _) => ControlFlow::Break(failed(error)),
        }
    }

    /// Tells what came of the card.
    async fn told(&self, verdict: CardVerdict) -> ControlFlow<CardFailure> {
        match verdict {
            CardVerdict::Issued { row, card, chip_serial, transcript, receipt } => {
                let verdict = RowVerdict {
                    number: row,
                    state: RowState::Issued,
                    reasons: Vec::new(),
                    card: Some((card.to_string(), chip_serial)),
                    transcript: Some(transcript),
                };
                self.verdict(verdict, Some(receipt)).await;
                self.say(slot_step::Step::Made(row)).await;
                ControlFlow::Continue(())
            }
            CardVerdict::RowHeld { verdict, receipt } => {
                self.verdict(verdict, Some(receipt.clone())).await;
                ControlFlow::Break(CardFailure {
                    reason: Reason::CARD_SPOILED,
                    receipt: Some(receipt),
                })
            }
            CardVerdict::RowRefused { row, why: (field, why), receipt } => {
                let verdict = RowVerdict {
                    number: row,
                    state: RowState::Refused,
                    reasons: vec![(field.to_owned(), why)],
                    card: None,
                    transcript: None,
                };
                self.verdict(verdict, Some(receipt.clone())).await;
                ControlFlow::Break(CardFailure {
                    reason: Reason::CARD_SPOILED,
                    receipt: Some(receipt),
                })
            }
            CardVerdict::Spoiled { row, reason, receipt } => {
                let verdict = RowVerdict { state: RowState::Waiting, ..RowVerdict::writing(row) };
                self.verdict(verdict, None).await;
                ControlFlow::Break(CardFailure { reason, receipt: Some(receipt) })
            }
            CardVerdict::Interrupted { reason, receipt, .. } => {
                ControlFlow::Break(CardFailure { reason, receipt: Some(receipt) })
            }
        }
    }

    async fn verdict(&self, verdict: RowVerdict, receipt: Option<Receipt>) {
        // A caller that does not listen is noticed where its next event is read.
        let _ = say(&self.steps, Step::Verdict(row_verdict(verdict, receipt))).await;
    }

    async fn say(&self, step: slot_step::Step) {
        let step = v1::SlotStep { slot: self.slot, step: Some(step) };
        let _ = say(&self.steps, Step::Card(step)).await;
    }
}

fn failed(error: Error) -> CardFailure {
    let cause = crate::telemetry::chain(&error);
    tracing::info!(cause, "a blank card was not taken");
    CardFailure { reason: error.reason(), receipt: None }
}

/// A row as it was handed in.
fn handed(row: v1::BatchRow) -> Result<HandedRow, Error> {
    let v1::BatchRow { number, fields, photo, unreadable, unreadable_field } = row;
    if !unreadable.is_empty() {
        let why = Why::named(&unreadable)
            .ok_or(Error::Field { field: "unreadable", needs: Needs::ListedValue })?;
        let column = card::batch::Column::named(&unreadable_field);
        let bad = column.map_or_else(|| BadField::row(why), |column| BadField::of(&column, why));
        return Ok(HandedRow { number, row: Err(bad) });
    }
    let fields = Zeroizing::new(Fields(fields));
    let row = Row::of(fields.0.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let row = match photo.is_empty() {
        true => row,
        false => row.map(|row| row.with_photo(photo)),
    };
    Ok(HandedRow { number, row })
}

/// What a message brought, wiped once it is a row.
struct Fields(HashMap<String, String>);

impl zeroize::Zeroize for Fields {
    fn zeroize(&mut self) {
        self.0.values_mut().for_each(zeroize::Zeroize::zeroize);
    }
}

fn state(view: BatchView, recorded: Option<Receipt>) -> v1::BatchState {
    v1::BatchState {
        rows: view.rows,
        handed_in: view.handed,
        waiting: view.waiting,
        writing: view.writing,
        issued: view.issued,
        refused: view.refused,
        held: view.held,
        closed: view.closed,
        receipt: recorded.and_then(receipt),
    }
}

fn row_verdict(verdict: RowVerdict, recorded: Option<Receipt>) -> v1::RowVerdict {
    let state = match verdict.state {
        RowState::Waiting => v1::RowState::Waiting,
        RowState::Held => v1::RowState::Held,
        RowState::Writing => v1::RowState::Writing,
        RowState::Issued => v1::RowState::Issued,
        RowState::Refused => v1::RowState::Refused,
    };
    let reasons = verdict.reasons.into_iter().map(|(field, why)| v1::RowReason {
        field,
        code: why.code().to_owned(),
        message_zh: why.zh().to_owned(),
        message_en: why.en().to_owned(),
    });
    let (card_id, chip_serial) = verdict.card.unwrap_or_default();
    v1::RowVerdict {
        row: verdict.number,
        state: state.into(),
        reasons: reasons.collect(),
        card_id,
        chip_serial,
        transcript: verdict.transcript.map(Vec::from).unwrap_or_default(),
        receipt: recorded.and_then(receipt),
    }
}
