//! A card at the other end of a stream: commands go out, and for each of them one answer comes in.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as answers},
    time::{Duration, Instant},
};

use card::{Apdu, Atr, Response, Transport, TransportError};
use proto::v1::{self, card_removed::Cause, relay_request::Event, relay_response::Step};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::{PATIENCE, Steps};
use crate::catalogue::Reason;

/// Longest that one card is driven.
const WHOLE_CARD: Duration = Duration::from_secs(30);
/// Most octets of an answer: 256 of data and the status word.
const MAX_RESPONSE: usize = 258;
/// What may wait for the card's thread: the answer it asked for, and that the card has left since.
const UNREAD: usize = 2;

type Answer = Result<v1::CardResponse, TransportError>;

/// A card that is being driven on a thread of its own, which may wait and whose waits all end.
pub(super) struct Driven<T> {
    commands: mpsc::Receiver<v1::CardCommand>,
    answers: answers::SyncSender<Answer>,
    outcome: JoinHandle<T>,
}

/// How the work on a card ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End<T> {
    /// Whoever drove the card is done with it.
    Done {
        /// What came of it.
        outcome: T,
        /// Its last command is still unanswered; the answer may yet come.
        owed: bool,
        /// The agent said that the card can be driven no more, and why.
        removed: Option<Cause>,
    },
    /// The agent broke the stream or its rules. No more can be said with it.
    Broken(Reason),
}

impl<T: Send + 'static> Driven<T> {
    /// Starts on a card, with the SAM beside it if there is one. `place` is kept until the thread
    /// has ended, however the stream goes.
    pub(super) fn start(
        atr: Atr,
        sam: Option<Atr>,
        place: OwnedSemaphorePermit,
        drive: impl FnOnce(&mut Wire, Option<Wire>) -> T + Send + 'static,
    ) -> Self {
        let (asking, commands) = mpsc::channel(1);
        let (answers, answered) = answers::sync_channel(UNREAD);
        let until = Instant::now() + WHOLE_CARD;
        let line = Line { commands: asking, answers: answered, until, card_microseconds: 0 };
        let line = Arc::new(Mutex::new(line));
        let wire = |slot, atr| Wire { atr, slot, line: Arc::clone(&line) };
        let sam = sam.map(|atr| wire(v1::CardSlot::Sam, atr));
        let mut card = wire(v1::CardSlot::Card, atr);
        let outcome = tokio::task::spawn_blocking(move || {
            let _place = place;
            drive(&mut card, sam)
        });
        Self { commands, answers, outcome }
    }

    /// Carries commands and answers until the card is done or the agent cannot be gone on with.
    pub(super) async fn carry(
        mut self,
        events: &mut (impl Stream<Item = Result<v1::RelayRequest, Status>> + Unpin),
        steps: &Steps,
    ) -> End<T> {
        let mut owed = false;
        loop {
            tokio::select! {
                biased;
                outcome = &mut self.outcome => return done(outcome, owed, None),
                Some(command) = self.commands.recv() => {
                    let step = Some(Step::Command(command));
                    match timeout(PATIENCE, steps.send(Ok(v1::RelayResponse { step }))).await {
                        Ok(Ok(())) => owed = true,
                        Ok(Err(_)) => return End::Broken(Reason::READER_GONE),
                        // The agent does not read what it is sent.
                        Err(_) => return End::Broken(Reason::CARD_TIMEOUT),
                    }
                }
                message = events.next() => match message.map(|read| read.map(|it| it.event)) {
                    Some(Ok(Some(Event::Response(answer)))) if owed => {
                        owed = false;
                        // A thread that has given up listens no more, and is done.
                        let _ = self.answers.try_send(Ok(answer));
                    }
                    Some(Ok(Some(Event::Removed(removed)))) => {
                        let _ = self.answers.try_send(Err(gone(&removed)));
                        return done(self.outcome.await, false, Some(removed.cause()));
                    }
                    // An answer to no command, another card, or nothing.
                    Some(Ok(_)) => return End::Broken(Reason::RELAY_PROTOCOL),
                    Some(Err(_)) | None => return End::Broken(Reason::CARD_REMOVED),
                },
            }
        }
    }
}

fn done<T>(
    outcome: Result<T, tokio::task::JoinError>,
    owed: bool,
    removed: Option<Cause>,
) -> End<T> {
    match outcome {
        Ok(outcome) => End::Done { outcome, owed, removed },
        Err(_) => End::Broken(Reason::INTERNAL),
    }
}

fn gone(removed: &v1::CardRemoved) -> TransportError {
    match removed.cause() {
        Cause::Reader => TransportError::ReaderGone,
        Cause::Garbage | Cause::Flood => TransportError::Garbage { length: 0 },
        Cause::Timeout => TransportError::Timeout,
        Cause::Card | Cause::Unspecified => TransportError::CardRemoved,
    }
}

/// A card as its thread sees it: the one that was inserted, or the SAM. Both are at the end of one
/// stream, and one command is under way at a time.
pub(super) struct Wire {
    atr: Atr,
    slot: v1::CardSlot,
    line: Arc<Mutex<Line>>,
}

/// The stream as the card's thread sees it.
struct Line {
    commands: mpsc::Sender<v1::CardCommand>,
    answers: answers::Receiver<Answer>,
    until: Instant,
    card_microseconds: u64,
}

impl Wire {
    /// What reader and card took so far, as the agent says; the SAM's time included.
    pub(super) fn card_microseconds(&self) -> u64 {
        self.line().card_microseconds
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Wire {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        let command = v1::CardCommand { command: command.to_bytes(), slot: self.slot.into() };
        self.line().transmit(command)
    }
}

impl Line {
    fn transmit(&mut self, command: v1::CardCommand) -> Result<Response, TransportError> {
        // A card that has left since its last answer gets no command.
        match self.answers.try_recv() {
            Err(answers::TryRecvError::Empty) => {}
            Err(answers::TryRecvError::Disconnected) => return Err(TransportError::CardRemoved),
            Ok(Err(gone)) => return Err(gone),
            Ok(Ok(_)) => return Err(TransportError::Failed("an answer to no command".to_owned())),
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TransportError::Timeout);
        }
        self.commands.try_send(command).map_err(|_| TransportError::ReaderGone)?;
        let answer = match self.answers.recv_timeout(left.min(PATIENCE)) {
            Ok(answer) => answer?,
            Err(answers::RecvTimeoutError::Timeout) => return Err(TransportError::Timeout),
            Err(answers::RecvTimeoutError::Disconnected) => {
                return Err(TransportError::CardRemoved);
            }
        };
        self.card_microseconds = self.card_microseconds.saturating_add(answer.card_microseconds);
        match answer.response.len() {
            length if length > MAX_RESPONSE => Err(TransportError::Garbage { length }),
            _ => Ok(Response::parse(&answer.response)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    fn atr() -> Atr {
        Atr::parse(&[0x3B, 0x00]).unwrap()
    }

    fn command() -> Apdu {
        Apdu::parse(&[0x00, 0x84, 0x00, 0x00, 0x08]).unwrap()
    }

    fn answer() -> Option<Event> {
        let response = v1::CardResponse { response: vec![0x90, 0x00], card_microseconds: 3 };
        Some(Event::Response(response))
    }

    fn removed(cause: Cause) -> Option<Event> {
        Some(Event::Removed(v1::CardRemoved { cause: cause.into() }))
    }

    /// What the card's thread made of one command: the time that the card took, or the error.
    fn one_command(wire: &mut Wire) -> Result<u64, String> {
        wire.transmit(&command()).map_err(|error| error.to_string())?;
        Ok(wire.card_microseconds())
    }

    /// Says `early` before the thread may send its command, and `reply` once the command came.
    async fn play(
        early: Vec<Option<Event>>,
        reply: Vec<Option<Event>>,
    ) -> End<Result<u64, String>> {
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let (hold, held) = answers::channel::<()>();
        // When there is nothing early, the thread need not wait.
        let hold = (!early.is_empty()).then_some(hold);
        let driven = Driven::start(atr(), None, place, move |wire, _| {
            let _ = held.recv();
            one_command(wire)
        });
        let (steps, mut sent) = mpsc::channel(4);
        let (events, received) = mpsc::channel(8);
        let say = async |said: Vec<Option<Event>>| {
            for event in said {
                events.send(Ok(v1::RelayRequest { event })).await.unwrap();
            }
        };
        say(early).await;
        let mut stream = ReceiverStream::new(received);
        let carrying = driven.carry(&mut stream, &steps);
        let agent = async {
            if hold.is_none() {
                sent.recv().await.expect("a command").unwrap();
                say(reply).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            end = carrying => end,
            () = agent => unreachable!("it waits for ever"),
        }
    }

    #[tokio::test]
    async fn one_answer_for_each_command() {
        let done = |outcome| End::Done { outcome, owed: false, removed: None };
        let failed = |error: &str, cause| {
            let outcome = Err(error.to_owned());
            End::Done { outcome, owed: false, removed: Some(cause) }
        };
        let broken = || End::Broken(Reason::RELAY_PROTOCOL);
        let inserted = || Some(Event::Inserted(v1::CardInserted::default()));
        #[rustfmt::skip]
        let cases = [
            ("an answer", vec![], vec![answer()], done(Ok(3))),
            ("the card left", vec![], vec![removed(Cause::Card)], failed("the card was removed", Cause::Card)),
            ("the reader left", vec![], vec![removed(Cause::Reader)], failed("the reader is gone", Cause::Reader)),
            ("the card is mute", vec![], vec![removed(Cause::Timeout)], failed("the card did not answer in time", Cause::Timeout)),
            ("the card floods", vec![], vec![removed(Cause::Flood)], failed("the card's answer is garbage: 0 bytes", Cause::Flood)),
            ("an answer too soon", vec![answer()], vec![], broken()),
            ("another card", vec![], vec![inserted()], broken()),
            ("another card too soon", vec![inserted()], vec![], broken()),
            ("nothing", vec![], vec![None], broken()),
        ];
        for (what, early, reply, end) in cases {
            assert_eq!(play(early, reply).await, end, "{what}");
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_takes_the_card_with_it() {
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let driven = Driven::start(atr(), None, place, |wire, _| one_command(wire));
        let (steps, _sent) = mpsc::channel(1);
        let end = driven.carry(&mut tokio_stream::empty(), &steps).await;
        assert_eq!(end, End::Broken(Reason::CARD_REMOVED));
    }

    #[test]
    fn a_card_that_took_its_time_gets_no_further_command() {
        let (asking, mut commands) = mpsc::channel(1);
        let (_answers, answered) = answers::sync_channel(UNREAD);
        let until = Instant::now();
        let line = Line { commands: asking, answers: answered, until, card_microseconds: 0 };
        let line = Arc::new(Mutex::new(line));
        let mut wire = Wire { atr: atr(), slot: v1::CardSlot::Card, line };
        assert!(matches!(wire.transmit(&command()), Err(TransportError::Timeout)));
        assert!(commands.try_recv().is_err(), "nothing was sent");
    }
}
