//! What happens to cards at desks, for whoever watches: the last events in memory, each with a
//! number, so that a watcher who lost its connection goes on where it was.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::v1;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tonic::{Request, Status};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Desk, convert::timestamp};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    registrar::{Caller, CardFailure, Error, Presence, Reconciled},
    serve::{Share, Shares},
    store::{CardId, IdentityId, InstitutionId, Receipt, ResidentId},
    vocabulary::Role,
};

pub(super) use proto::v1::card_event::Kind;

/// Events that are kept.
const KEPT: usize = 16 * 1024;
/// Watches that a session may have.
const MOST_WATCHES: usize = 4;
/// How often a watcher's session is looked at when nothing happens.
const SESSION_CHECK: Duration = Duration::from_secs(60);
/// Longest that a watcher may take to read an event.
const PATIENCE: Duration = Duration::from_secs(30);

/// The last events.
pub(super) struct Events {
    /// Tells the events of this process from those of another.
    epoch: Uuid,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
    watches: Arc<Shares<[u8; 32]>>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Happened>,
    /// Number of the newest; the first is 1.
    newest: u64,
}

/// Something that happened to a card in a reader.
#[derive(Clone)]
pub(super) struct Happened {
    at: UtcTime,
    desk: IdentityId,
    institution: InstitutionId,
    reader: String,
    kind: Kind,
    reason: &'static str,
    card: Option<CardId>,
    resident: Option<ResidentId>,
    receipt: Option<Receipt>,
}

impl Happened {
    pub(super) fn at(caller: &Caller, reader: &str, kind: Kind) -> Self {
        Self {
            at: caller.now,
            desk: caller.holder.identity,
            institution: caller.holder.institution,
            reader: reader.to_owned(),
            kind,
            reason: "",
            card: None,
            resident: None,
            receipt: None,
        }
    }

    pub(super) fn of(self, presence: &Presence, receipt: &Receipt) -> Self {
        let (card, resident) = (presence.evidence.card(), Some(presence.resident));
        Self { card, resident, receipt: Some(receipt.clone()), ..self }
    }

    pub(super) fn because(self, failure: &CardFailure) -> Self {
        let receipt = failure.receipt.clone();
        Self { reason: failure.reason.text().reason, receipt, ..self }
    }

    pub(super) fn reconciled(self, reading: &Reconciled) -> Self {
        let (card, resident) = reading.card.unzip();
        Self { card, resident, receipt: reading.receipt.clone(), ..self }
    }
}

/// Whose events somebody sees.
#[derive(Clone, Copy)]
enum Scope {
    Desk(IdentityId),
    Institution(InstitutionId),
}

impl Scope {
    fn of(caller: &Caller) -> Self {
        match caller.holder.role {
            Role::Desk => Self::Desk(caller.holder.identity),
            _ => Self::Institution(caller.holder.institution),
        }
    }

    fn has(self, event: &Happened) -> bool {
        match self {
            Self::Desk(desk) => event.desk == desk,
            Self::Institution(institution) => event.institution == institution,
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            epoch: Uuid::now_v7(),
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
            watches: Arc::default(),
        }
    }
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(&self, event: Happened) {
        let newest = {
            let mut kept = self.lock();
            if kept.events.len() == KEPT {
                kept.events.pop_front();
            }
            kept.events.push_back(event);
            kept.newest += 1;
            kept.newest
        };
        self.newest.send_replace(newest);
    }

    /// What comes after an event in somebody's sight, and the number of the last one that was
    /// looked at; nothing when some of what came after it is no longer kept.
    fn after(&self, seen: u64, scope: Scope) -> Option<(Vec<(u64, Happened)>, u64)> {
        let kept = self.lock();
        let first = kept.newest - kept.events.len() as u64 + 1;
        if seen > kept.newest || seen + 1 < first {
            return None;
        }
        let skipped = (seen + 1 - first) as usize;
        let fresh = (seen + 1..).zip(kept.events.iter().skip(skipped));
        let seen: Vec<_> = fresh
            .filter(|(_, event)| scope.has(event))
            .map(|(number, event)| (number, event.clone()))
            .collect();
        Some((seen, kept.newest))
    }

    fn cursor(&self, number: u64) -> String {
        format!("{}.{number}", self.epoch.simple())
    }

    /// The number in a cursor of this process; an empty one stands for the newest event.
    fn number(&self, cursor: &str) -> Option<u64> {
        if cursor.is_empty() {
            return Some(self.lock().newest);
        }
        let (epoch, number) = cursor.split_once('.')?;
        let number: u64 = number.parse().ok()?;
        (epoch.parse::<Uuid>() == Ok(self.epoch) && self.cursor(number) == cursor).then_some(number)
    }

    fn message(&self, number: u64, event: Happened) -> v1::CardEvent {
        let text = |id: Option<String>| id.unwrap_or_default();
        v1::CardEvent {
            cursor: self.cursor(number),
            at: Some(timestamp(event.at)),
            desk_id: event.desk.to_string(),
            reader: event.reader,
            kind: event.kind.into(),
            reason: event.reason.to_owned(),
            card_id: text(event.card.map(String::from)),
            resident_id: text(event.resident.map(String::from)),
            receipt: event.receipt.and_then(super::convert::receipt),
        }
    }
}

type Told = mpsc::Sender<Result<v1::CardEvent, Status>>;

/// Serves one watch until the watcher ends it, falls behind, or its session is over.
///
/// # Errors
/// RATE_LIMITED; EVENTS_MISSED.
pub(super) fn serve(
    desk: &Desk,
    caller: &Caller,
    request: &Request<v1::CardEventsRequest>,
) -> Result<mpsc::Receiver<Result<v1::CardEvent, Status>>, Error> {
    let events = &desk.events;
    let share = events.watches.take(caller.holder.session, MOST_WATCHES);
    let share = share.ok_or(Reason::RATE_LIMITED)?;
    let scope = Scope::of(caller);
    let seen = events.number(&request.get_ref().cursor).ok_or(Reason::EVENTS_MISSED)?;
    events.after(seen, scope).ok_or(Reason::EVENTS_MISSED)?;
    let token = Zeroizing::new(super::bearer(request.metadata())?.to_owned());
    let (told, stream) = mpsc::channel(16);
    let watch = Watch { desk: desk.clone(), caller: caller.clone(), token, told, _share: share };
    tokio::spawn(watch.run(seen, scope));
    Ok(stream)
}

struct Watch {
    desk: Desk,
    caller: Caller,
    token: Zeroizing<String>,
    told: Told,
    _share: Share<[u8; 32]>,
}

impl Watch {
    async fn run(self, mut seen: u64, scope: Scope) {
        let events = &self.desk.events;
        let mut newest = events.newest.subscribe();
        let beginning = v1::CardEvent { cursor: events.cursor(seen), ..v1::CardEvent::default() };
        if !self.tell(Ok(beginning)).await {
            return;
        }
        loop {
            newest.mark_unchanged();
            let Some((fresh, last)) = events.after(seen, scope) else {
                self.tell(Err(Error::from(Reason::EVENTS_MISSED).into())).await;
                return;
            };
            // Whoever's session is over learns no more.
            let origin = self.caller.origin.clone();
            let session = self.desk.registrar.caller(&self.token, origin, clock::now()).await;
            if let Err(error) = session {
                self.tell(Err(error.into())).await;
                return;
            }
            for (number, event) in fresh {
                if !self.tell(Ok(events.message(number, event))).await {
                    return;
                }
            }
            seen = last;
            tokio::select! {
                _ = timeout(SESSION_CHECK, newest.changed()) => {}
                () = self.told.closed() => return,
            }
        }
    }

    /// Whether the watcher took it.
    async fn tell(&self, event: Result<v1::CardEvent, Status>) -> bool {
        matches!(timeout(PATIENCE, self.told.send(event)).await, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happened(desk: IdentityId, institution: InstitutionId) -> Happened {
        let (reader, kind) = ("reader".to_owned(), Kind::Inserted);
        let at = clock::now();
        Happened {
            at,
            desk,
            institution,
            reader,
            kind,
            reason: "",
            card: None,
            resident: None,
            receipt: None,
        }
    }

    fn numbers(seen: Option<(Vec<(u64, Happened)>, u64)>) -> Option<(Vec<u64>, u64)> {
        seen.map(|(seen, last)| (seen.into_iter().map(|(number, _)| number).collect(), last))
    }

    #[test]
    fn a_watch_goes_on_without_a_gap_or_a_repeat() {
        let events = Events::default();
        let (desk, here) = (IdentityId::generate(), InstitutionId::generate());
        let scope = Scope::Institution(here);
        assert_eq!(numbers(events.after(0, scope)), Some((vec![], 0)));
        for institution in [here, InstitutionId::generate(), here] {
            events.publish(happened(desk, institution));
        }
        assert_eq!(numbers(events.after(0, scope)), Some((vec![1, 3], 3)));
        assert_eq!(numbers(events.after(1, scope)), Some((vec![3], 3)));
        assert_eq!(numbers(events.after(3, scope)), Some((vec![], 3)));
        assert_eq!(numbers(events.after(0, Scope::Desk(desk))), Some((vec![1, 2, 3], 3)));
        assert_eq!(
            numbers(events.after(0, Scope::Desk(IdentityId::generate()))),
            Some((vec![], 3))
        );
        assert_eq!(numbers(events.after(4, scope)), None, "an event that was never told");
        for _ in 0..KEPT {
            events.publish(happened(desk, here));
        }
        assert_eq!(numbers(events.after(2, scope)), None, "the third is gone");
        let (kept, last) = numbers(events.after(3, scope)).unwrap();
        assert_eq!((kept.len(), last), (KEPT, KEPT as u64 + 3));
    }

    #[test]
    fn cursors_are_those_of_this_process() {
        let events = Events::default();
        let (desk, here) = (IdentityId::generate(), InstitutionId::generate());
        events.publish(happened(desk, here));
        assert_eq!(events.number(""), Some(1));
        assert_eq!(events.number(&events.cursor(1)), Some(1));
        let other = Events::default().cursor(1);
        let upper = events.cursor(1).to_uppercase();
        let padded = events.cursor(1).replace('.', ".0");
        for text in [other.as_str(), &upper, &padded, "1", ".1", "x.1"] {
            assert_eq!(events.number(text), None, "{text}");
        }
    }
}
