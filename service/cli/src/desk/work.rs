//! What is done at the readers in the background, and what the desk makes of it.

use std::sync::Arc;

use card::agent::Answer;
use proto::v1::Reconciled;
use tokio::{sync::oneshot::Sender, task::JoinError};

use super::{
    Desk, MOST_STREAMS,
    alone::Said,
    event::Shown,
    offline::Given,
    reader::Reader,
    relay::{Ended, Relay},
    reset::{Reset, reset},
    sam::Restored,
    seat::Seat,
    serve::Served,
    table::Step,
};
use crate::{exit::Exit, failure::Failure};

/// What was done in the background.
pub(super) enum Report {
    Recognised(Seat, Option<Ended>),
    Read(Seat, Result<Ended, Failure>),
    Served(Seat, Box<Served>, Sender<Answer>),
    Reset(String, Reset),
    Line(Result<Relay, Failure>),
    Alone(Seat, Result<Said, Ended>),
    Prepared(Result<Given, Failure>),
    Reconciled(Result<Vec<Reconciled>, Failure>),
    Sam(Result<Restored, Failure>),
}

impl Desk {
    /// Takes a step, or has it taken in the background.
    pub(super) fn take(&mut self, step: Step) -> Option<Exit> {
        match step {
            Step::Recognise { reader } => {
                let mut seat = self.seat(&reader);
                self.jobs.spawn_local(async move {
                    let refused = seat.recognise().await;
                    Report::Recognised(seat, refused)
                });
                None
            }
            Step::Read { reader, atr } => {
                let mut seat = self.seat(&reader);
                let service = Arc::clone(&self.service);
                self.jobs.spawn_local(async move {
                    let ended = seat.read(&service, atr).await;
                    Report::Read(seat, ended)
                });
                None
            }
            Step::ReadOffline { reader } => {
                let mut seat = self.seat(&reader);
                self.jobs.spawn_local(async move {
                    let said = seat.read_alone().await;
                    Report::Alone(seat, said)
                });
                None
            }
            Step::Show { reader, since, outcome } => self.show(&reader, since, &outcome),
            Step::Ask { readers } => {
                if self.can_answer() {
                    self.answers.listen();
                }
                self.tell(&Shown::Choose(&readers));
                None
            }
        }
    }

    /// The seat of a reader, for somebody who brings it back.
    pub(super) fn seat(&mut self, reader: &str) -> Seat {
        let mut seat = self.seats.insert(reader.to_owned(), None).flatten().unwrap_or_else(|| {
            let reader = Reader::new(reader, self.abandoned.clone(), self.metrics.clone());
            Seat { reader, relay: None, sam: self.sam.clone() }
        });
        if let Some(resetting) = self.resets.remove(reader) {
            seat.reader.come_after(resetting);
        }
        if seat.relay.is_none() {
            seat.relay = self.spare_stream();
        }
        seat
    }

    /// The stream of a reader that has nothing to do, when there are enough of them.
    fn spare_stream(&mut self) -> Option<Relay> {
        let has = |seat: &&mut Option<Seat>| seat.as_ref().is_none_or(|seat| seat.relay.is_some());
        if self.seats.values_mut().filter(has).count() <= MOST_STREAMS {
            return None;
        }
        self.seats.values_mut().flatten().find_map(|seat| seat.relay.take())
    }

    /// Takes note of what was done.
    pub(super) fn heed(
        &mut self,
        report: Result<Report, JoinError>,
    ) -> Result<Option<Exit>, Failure> {
        let report = match report {
            Ok(report) => report,
            // Nothing is cut off: it ended by a panic.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let (seat, step) = match report {
            Report::Recognised(seat, refused) => {
                let why = refused.as_ref().and_then(|refused| refused.quarantine);
                let step = self.table.recognised(seat.reader.name(), refused);
                (seat, (step, why))
            }
            Report::Read(seat, Ok(ended)) => {
                let why = ended.quarantine;
                let step = self.table.read(seat.reader.name(), ended);
                (seat, (step, why))
            }
            Report::Read(seat, Err(failure)) => {
                self.lose_service(&failure);
                let again = self.table.unread(seat.reader.name());
                self.settle(seat);
                return Ok(if again { None } else { self.after_card(failure.exit) });
            }
            Report::Served(seat, served, to) => {
                let Served { answer, quarantine, lost } = *served;
                self.table.served(seat.reader.name(), quarantine);
                self.answer(to, answer);
                if let Some(failure) = lost {
                    self.lose_service(&failure);
                }
                (seat, (None, quarantine))
            }
            Report::Reset(reader, reset) => {
                self.resets.remove(&reader);
                self.metrics.reset(reset);
                if reset != Reset::Withdrawn {
                    self.tell(&Shown::Reset(&reader, reset));
                }
                return Ok(None);
            }
            Report::Line(found) => return self.found_service(found).map(|()| None),
            Report::Alone(seat, Ok(said)) => {
                let shown = self.seen_offline(seat.reader.name(), said);
                return Ok(shown.or_else(|| self.settle(seat)));
            }
            Report::Alone(seat, Err(ended)) => {
                let why = ended.quarantine;
                let step = self.table.read(seat.reader.name(), ended);
                (seat, (step, why))
            }
            Report::Prepared(given) => {
                if let Err(failure) = given.and_then(|given| self.offline.keep(given)) {
                    self.tell(&Shown::NoOffline(&failure));
                }
                return Ok(None);
            }
            Report::Reconciled(told) => {
                self.reconciled(told);
                return Ok(None);
            }
            Report::Sam(restored) => {
                self.sam_restored(&restored);
                return Ok(None);
            }
        };
        let (step, quarantine) = step;
        let reader = seat.reader.name().to_owned();
        let shown = step.and_then(|step| self.take(step));
        if let Some(why) = quarantine {
            self.metrics.quarantined(why);
            self.tell(&Shown::Quarantined(&reader, why));
            let name = reader.clone();
            let fresh = Reader::new(&name, self.abandoned.clone(), self.metrics.clone());
            let (resetting, work) = reset(fresh);
            self.jobs.spawn_local(async move { Report::Reset(name, work.await) });
            self.resets.insert(reader, resetting);
        }
        Ok(shown.or_else(|| self.settle(seat)))
    }

    /// Puts a seat back, and takes note of what was seen there meanwhile.
    fn settle(&mut self, seat: Seat) -> Option<Exit> {
        let reader = seat.reader.name().to_owned();
        self.seats.insert(reader.clone(), Some(seat));
        let (mine, others) = std::mem::take(&mut self.deferred)
            .into_iter()
            .partition(|(_, sight)| sight.reader() == Some(reader.as_str()));
        self.deferred = others;
        let mine: Vec<_> = mine;
        mine.into_iter().find_map(|(at, sight)| self.notice(at, sight))
    }
}
