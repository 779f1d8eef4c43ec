//! The desk's state and counters, for Prometheus. Nothing in them names a person or a card.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use time::OffsetDateTime;
use tokio::net::TcpListener;

use super::{reader::Quarantine, reset::Reset};
use crate::{clock, failure::Failure, text::problems};

/// Upper ends of the buckets of command times, seconds; the last is the deadline.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabel {
    cause: &'static str,
}

/// How many readers are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ReaderStates {
    pub(super) empty: usize,
    /// Something is being done with the card.
    pub(super) busy: usize,
    /// The card waits: for the service, or for an answer which one is meant.
    pub(super) waiting: usize,
    /// What came of the card was shown.
    pub(super) shown: usize,
    /// The card counts for nothing until it is out.
    pub(super) aside: usize,
}

/// Counted from the start of the desk. Cheap to clone.
#[derive(Clone)]
pub(super) struct Metrics {
    readers: Family<StateLabel, Gauge>,
    cards: Family<OutcomeLabel, Counter>,
    requests: Family<OutcomeLabel, Counter>,
    quarantined: Family<CauseLabel, Counter>,
    resets: Family<OutcomeLabel, Counter>,
    daemon_losses: Counter,
    daemon_returns: Counter,
    service_losses: Counter,
    connected: Gauge,
    spool: Gauge,
    abandoned: Gauge,
    commands: Histogram,
    /// When the list was issued, seconds since 1970; 0 when there is none.
    list_issued: Arc<AtomicI64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            readers: Family::default(),
            cards: Family::default(),
            requests: Family::default(),
            quarantined: Family::default(),
            resets: Family::default(),
            daemon_losses: Counter::default(),
            daemon_returns: Counter::default(),
            service_losses: Counter::default(),
            connected: Gauge::default(),
            spool: Gauge::default(),
            abandoned: Gauge::default(),
            commands: Histogram::new(BUCKETS),
            list_issued: Arc::default(),
        }
    }

    pub(super) fn readers(&self, states: ReaderStates) {
        let ReaderStates { empty, busy, waiting, shown, aside } = states;
        for (state, count) in [
            ("empty", empty),
            ("busy", busy),
            ("waiting", waiting),
            ("shown", shown),
            ("aside", aside),
        ] {
            self.readers.get_or_create(&StateLabel { state }).set(number(count));
        }
    }

    /// A card was shown: `read`, `refused`, and without the service `offline` or `offline-refused`.
    pub(super) fn card(&self, outcome: &'static str) {
        self.cards.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Software on this machine asked: `answered` or `refused`.
    pub(super) fn request(&self, outcome: &'static str) {
        self.requests.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(super) fn quarantined(&self, why: Quarantine) {
        self.quarantined.get_or_create(&CauseLabel { cause: why.word() }).inc();
    }

    pub(super) fn reset(&self, reset: Reset) {
        let outcome = match reset {
            Reset::Done => "done",
            Reset::Withdrawn => "withdrawn",
            Reset::Stuck => "stuck",
        };
        self.resets.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(super) fn daemon_lost(&self) {
        self.daemon_losses.inc();
    }

    pub(super) fn daemon_back(&self) {
        self.daemon_returns.inc();
    }

    pub(super) fn service_lost(&self) {
        self.service_losses.inc();
    }

    pub(super) fn state(&self, connected: bool, spool: usize, abandoned: usize) {
        self.connected.set(i64::from(connected));
        self.spool.set(number(spool));
        self.abandoned.set(number(abandoned));
    }

    pub(super) fn list(&self, issued_at: Option<OffsetDateTime>) {
        let seconds = issued_at.map_or(0, OffsetDateTime::unix_timestamp);
        self.list_issued.store(seconds, Ordering::Relaxed);
    }

    pub(super) fn command(&self, taken: Duration) {
        self.commands.observe(taken.as_secs_f64());
    }

    /// Offers the metrics at an address, until the desk ends.
    pub(super) async fn offer(&self, address: SocketAddr) -> Result<SocketAddr, Failure> {
        let unavailable =
            |error| Failure::of(problems::METRICS_UNAVAILABLE).about(address).about(error);
        let listener = TcpListener::bind(address).await.map_err(unavailable)?;
        let bound = listener.local_addr().map_err(unavailable)?;
        let age: Gauge = Gauge::default();
        let offered = Arc::new(Offered {
            registry: self.registry(age.clone()),
            age,
            list_issued: Arc::clone(&self.list_issued),
        });
        let router = Router::new().route("/metrics", get(metrics)).with_state(offered);
        // Ends with the process.
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(bound)
    }

    fn registry(&self, age: Gauge) -> Registry {
        let mut registry = Registry::with_prefix("healthcard_desk");
        registry.register("readers", "Readers by state", self.readers.clone());
        registry.register("cards", "Cards shown, by outcome", self.cards.clone());
        registry.register(
            "requests",
            "Requests of software on this machine, by outcome",
            self.requests.clone(),
        );
        registry.register(
            "quarantined",
            "Cards left alone until they are out, by cause",
            self.quarantined.clone(),
        );
        registry.register("resets", "Resets of readers, by outcome", self.resets.clone());
        registry.register(
            "daemon_losses",
            "Times that the smart card service was lost",
            self.daemon_losses.clone(),
        );
        registry.register(
            "daemon_returns",
            "Times that the smart card service was found",
            self.daemon_returns.clone(),
        );
        registry.register(
            "service_losses",
            "Times that the healthcard service was lost",
            self.service_losses.clone(),
        );
        registry.register(
            "connected",
            "1 while the healthcard service can be asked",
            self.connected.clone(),
        );
        registry.register(
            "spool_readings",
            "Readings made without the service that it does not have yet",
            self.spool.clone(),
        );
        registry.register(
            "abandoned_workers",
            "Threads that wait for cards that never answered",
            self.abandoned.clone(),
        );
        registry.register(
            "status_list_age_seconds",
            "Age of the list of cards that are not to be served; -1 when there is none",
            age,
        );
        registry.register(
            "command_seconds",
            "What reader and card took for a command",
            self.commands.clone(),
        );
        registry
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

struct Offered {
    registry: Registry,
    age: Gauge,
    list_issued: Arc<AtomicI64>,
}

async fn metrics(State(offered): State<Arc<Offered>>) -> impl IntoResponse {
    let issued = offered.list_issued.load(Ordering::Relaxed);
    let age = if issued == 0 { -1 } else { clock::now().unix_timestamp() - issued };
    offered.age.set(age);
    let mut text = String::new();
    // Writing into a text does not fail.
    let _ = encode(&mut text, &offered.registry);
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::new();
        metrics.readers(ReaderStates { empty: 1, busy: 0, waiting: 0, shown: 2, aside: 1 });
        metrics.card("read");
        metrics.card("read");
        metrics.request("answered");
        metrics.quarantined(Quarantine::Hung);
        metrics.reset(Reset::Done);
        metrics.command(Duration::from_millis(3));
        metrics.state(true, 5, 0);
        let mut text = String::new();
        encode(&mut text, &metrics.registry(Gauge::default())).unwrap();
        for line in [
            "healthcard_desk_readers{state=\"shown\"} 2",
            "healthcard_desk_cards_total{outcome=\"read\"} 2",
            "healthcard_desk_requests_total{outcome=\"answered\"} 1",
            "healthcard_desk_quarantined_total{cause=\"hung\"} 1",
            "healthcard_desk_resets_total{outcome=\"done\"} 1",
            "healthcard_desk_spool_readings 5",
            "healthcard_desk_command_seconds_bucket{le=\"0.005\"} 1",
            "healthcard_desk_command_seconds_bucket{le=\"0.0025\"} 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
