//! Requests of software on this machine: each waits until its card can be worked on, and is then
//! done at that card's seat.

use std::{path::Path, sync::Arc, time::Instant};

use card::agent::{Answer, Order, Refusal, Request};
use tokio::sync::oneshot::Sender;

use super::{
    Desk,
    event::Shown,
    interface::{Asked, Interface},
    table::{Place, Presence, Unclear},
    work::Report,
};
use crate::failure::Failure;

/// The open socket, and what is asked there.
#[derive(Default)]
pub(super) struct Counter {
    interface: Option<Interface>,
    waiting: Vec<Asked>,
}

impl Counter {
    /// The next request; never, when nobody can ask. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Asked {
        if let Some(interface) = &mut self.interface
            && let Some(asked) = interface.next().await
        {
            return asked;
        }
        std::future::pending().await
    }

    pub(super) fn keep(&mut self, asked: Asked) {
        self.waiting.push(asked);
    }

    /// When the first of those that wait is given up.
    pub(super) fn overdue(&self) -> Option<Instant> {
        self.waiting.iter().map(|asked| asked.until).min()
    }
}

impl Desk {
    /// Lets software on this machine ask.
    pub(super) fn open_counter(&mut self, path: &Path) -> Result<(), Failure> {
        self.counter.interface = Some(Interface::open(path)?);
        self.tell(&Shown::Interface(path));
        Ok(())
    }

    /// Does what can be done now of what is asked.
    pub(super) fn attend(&mut self) {
        for Asked { request, answer, until } in std::mem::take(&mut self.counter.waiting) {
            // Whoever asked may be gone.
            if answer.is_closed() {
                continue;
            }
            let unclear = match &request {
                Request::PowerOn { reader } => match self.table.meant(reader) {
                    Ok(Place { card, atr, .. }) => {
                        self.answer(answer, Answer::Card { card, atr });
                        continue;
                    }
                    Err(unclear) => unclear,
                },
                Request::Card(_, order) if self.is_beyond(order) => {
                    self.answer(answer, Answer::Refused(Refusal::Away));
                    continue;
                }
                Request::Card(card, order) => match self.table.place(*card) {
                    Ok(place) => {
                        self.begin(order.clone(), place, answer);
                        continue;
                    }
                    Err(unclear) => unclear,
                },
            };
            match unclear {
                Unclear::NotYet if Instant::now() < until => {
                    self.counter.waiting.push(Asked { request, answer, until });
                }
                unclear => self.answer(answer, Answer::Refused(refusal(unclear))),
            }
        }
    }

    /// Whether it needs the service while that is away.
    fn is_beyond(&self, order: &Order) -> bool {
        self.presence() != Presence::Here && *order != Order::Free
    }

    fn begin(&mut self, order: Order, place: Place, answer: Sender<Answer>) {
        let Place { reader, atr, .. } = place;
        let mut seat = self.seat(&reader);
        self.table.serve(&reader);
        let service = Arc::clone(&self.service);
        self.jobs.spawn_local(async move {
            let served = seat.serve(&service, atr, order).await;
            Report::Served(seat, Box::new(served), answer)
        });
    }

    /// Tells whoever asked, as far as they still listen.
    pub(super) fn answer(&self, to: Sender<Answer>, answer: Answer) {
        self.metrics.request(match answer {
            Answer::Refused(_) => "refused",
            _ => "answered",
        });
        let _ = to.send(answer);
    }
}

fn refusal(unclear: Unclear) -> Refusal {
    match unclear {
        Unclear::NoCard => Refusal::NoCard,
        Unclear::Several => Refusal::SeveralCards,
        Unclear::NotYet | Unclear::Aside => Refusal::CardFailed,
    }
}
