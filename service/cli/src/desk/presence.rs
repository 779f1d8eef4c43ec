//! The service, which comes and goes: it is looked for, told what was seen without it, and asked for
//! what is needed when it is away.

use std::{sync::Arc, time::Instant};

use proto::v1::Reconciled;

use super::{
    Desk, REFRESH,
    alone::Said,
    event::Shown,
    offline::{prepare, reconcile},
    relay::Relay,
    work::Report,
};
use crate::{clock, exit::Exit, failure::Failure};

impl Desk {
    /// Looks for the service in the background: a network that swallows everything takes its time.
    pub(super) fn seek_service(&mut self) {
        self.seeking = true;
        let service = Arc::clone(&self.service);
        self.jobs.spawn_local(async move { Report::Line(Relay::open(&service).await) });
    }

    /// A refusal, such as that of a revoked certificate, ends the desk: waiting would not change it.
    pub(super) fn found_service(&mut self, found: Result<Relay, Failure>) -> Result<(), Failure> {
        self.seeking = false;
        match found {
            Ok(line) => {
                self.tell(&Shown::ServiceBack);
                self.take_line(line);
                Ok(())
            }
            Err(failure) if failure.exit == Exit::Unreachable => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// The service is there: what it should know is told, and what is needed without it asked for.
    pub(super) fn take_line(&mut self, line: Relay) {
        self.line = Some(line);
        self.table.service_back();
        self.prepare();
    }

    /// Brings up to date what is needed without the service, and tells it what is still to be told.
    pub(super) fn prepare(&mut self) {
        self.refresh_at = Instant::now() + REFRESH;
        let (service, held) = (Arc::clone(&self.service), self.offline.list());
        self.jobs.spawn_local(async move { Report::Prepared(prepare(&service, held).await) });
        self.reconcile();
    }

    /// Tells the service what was seen without it, some at a time.
    fn reconcile(&mut self) {
        let readings = self.offline.first();
        if !readings.is_empty() && !self.reconciling {
            self.reconciling = true;
            let service = Arc::clone(&self.service);
            self.jobs.spawn_local(async move {
                Report::Reconciled(reconcile(&service, readings).await)
            });
        }
    }

    /// Readings are forgotten once the service has them. It knows them again if this is cut short.
    pub(super) fn reconciled(&mut self, told: Result<Vec<Reconciled>, Failure>) {
        self.reconciling = false;
        match told {
            Ok(told) => {
                let settled = self.offline.settle(told.len());
                self.tell(&Shown::Reconciled(&told));
                match settled {
                    Ok(()) => self.reconcile(),
                    // The disk is full, or gone: cards are read all the same, and these are told
                    // again when the service is next found.
                    Err(failure) => self.tell(&Shown::NoOffline(&failure)),
                }
            }
            Err(failure) if failure.exit == Exit::Unreachable => self.lose_service(&failure),
            // Told again when the desk is next brought up to date; to do so at once would change nothing.
            Err(failure) => self.tell(&Shown::NoOffline(&failure)),
        }
    }

    /// Keeps and shows what was seen of a card without the service.
    pub(super) fn seen_offline(&mut self, reader: &str, said: Said) -> Option<Exit> {
        let since = self.table.seen_offline(reader)?;
        match self.offline.note(said, clock::now()) {
            Ok(seen) => {
                let refused = seen.refusal().is_some();
                self.metrics.card(if refused { "offline-refused" } else { "offline" });
                self.tell(&Shown::Offline { reader, seen: &seen, since });
                self.after_card(if refused { Exit::Refused } else { Exit::Unreachable })
            }
            Err(failure) => {
                self.tell(&Shown::NoOffline(&failure));
                self.after_card(failure.exit)
            }
        }
    }

    pub(super) fn lose_service(&mut self, failure: &Failure) {
        // Streams that have nothing to do are over as well; the others will notice.
        for seat in self.seats.values_mut().flatten() {
            seat.relay = None;
        }
        if self.line.take().is_some() {
            self.metrics.service_lost();
            self.tell(&Shown::ServiceLost(failure));
            self.seek_service();
        }
    }
}
