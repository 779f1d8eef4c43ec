//! How many calls there were, of which kind, what came of them, and how long they took.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Kind, Text};

/// Upper ends of what durations are counted by, in seconds as they are written and in microseconds.
const BUCKETS: [(&str, u64); 10] = [
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.005", 5_000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.05", 50_000),
    ("0.1", 100_000),
    ("0.5", 500_000),
    ("2.5", 2_500_000),
    ("10", 10_000_000),
];

/// What one kind of call is called, and what can come of it.
pub(crate) struct Form {
    requests: &'static str,
    requests_help: &'static str,
    durations: &'static str,
    durations_help: &'static str,
    label: &'static str,
    outcomes: &'static [&'static str],
}

/// Calls over gRPC, by method; outcomes by their numbers.
pub(crate) const GRPC: Form = Form {
    requests: "healthcard_rpc_requests_total",
    requests_help: "Calls over gRPC, by method and status.",
    durations: "healthcard_rpc_duration_seconds",
    durations_help: "Time until a call over gRPC was answered, or until a stream began.",
    label: "rpc",
    outcomes: &[
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ],
};

/// Requests of other protocols over HTTP, by route; outcomes by the first digit of their status.
pub(crate) const HTTP: Form = Form {
    requests: "healthcard_http_requests_total",
    requests_help: "Requests of other protocols over HTTP, by route and kind of status.",
    durations: "healthcard_http_duration_seconds",
    durations_help: "Time until a request of another protocol was answered.",
    label: "route",
    outcomes: &["1xx", "2xx", "3xx", "4xx", "5xx"],
};

/// The calls of one form. What is called by no name of the list is counted together.
pub(crate) struct Calls {
    form: &'static Form,
    known: BTreeMap<String, Tally>,
    other: Tally,
}

impl Calls {
    pub(crate) fn new(form: &'static Form, names: impl IntoIterator<Item = String>) -> Self {
        let tally = || Tally::new(form.outcomes.len());
        let known = names.into_iter().map(|name| (name, tally())).collect();
        Self { form, known, other: tally() }
    }

    /// Counts a call that was answered; an outcome that there is not is the last one.
    pub(crate) fn count(&self, name: &str, outcome: usize, took: Duration) {
        self.known.get(name).unwrap_or(&self.other).count(outcome, took);
    }

    /// Writes those that there were.
    pub(crate) fn write(&self, text: &mut Text) {
        let Form { requests, durations, label, .. } = *self.form;
        let other = [("other", &self.other)];
        let all = self.known.iter().map(|(name, tally)| (name.as_str(), tally)).chain(other);
        let seen: Vec<_> = all.filter(|(_, tally)| tally.sum() > 0).collect();
        text.family(requests, Kind::Counter, self.form.requests_help);
        for (name, tally) in &seen {
            for (outcome, count) in self.form.outcomes.iter().zip(&tally.outcomes) {
                if let count @ 1.. = count.load(Ordering::Relaxed) {
                    text.sample(requests, &[(label, name), ("outcome", outcome)], count);
                }
            }
        }
        text.family(durations, Kind::Histogram, self.form.durations_help);
        let (bucket, sum) = (format!("{durations}_bucket"), format!("{durations}_sum"));
        let total = format!("{durations}_count");
        for (name, tally) in &seen {
            let mut below = 0;
            for ((end, _), count) in BUCKETS.iter().zip(&tally.buckets) {
                below += count.load(Ordering::Relaxed);
                text.sample(&bucket, &[(label, name), ("le", end)], below);
            }
            // Calls are counted meanwhile: what is over all ends is never less than below the last.
            let all = tally.sum().max(below);
            text.sample(&bucket, &[(label, name), ("le", "+Inf")], all);
            let seconds = Duration::from_micros(tally.micros.load(Ordering::Relaxed));
            text.sample(&sum, &[(label, name)], seconds.as_secs_f64());
            text.sample(&total, &[(label, name)], all);
        }
    }
}

/// Counts of one name.
struct Tally {
    outcomes: Vec<AtomicU64>,
    /// How many took at most so long and longer than the one before.
    buckets: [AtomicU64; BUCKETS.len()],
    micros: AtomicU64,
}

impl Tally {
    fn new(outcomes: usize) -> Self {
        Self {
            outcomes: (0..outcomes).map(|_| AtomicU64::new(0)).collect(),
            buckets: Default::default(),
            micros: AtomicU64::new(0),
        }
    }

    fn count(&self, outcome: usize, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let outcome = self.outcomes.get(outcome).or(self.outcomes.last());
        if let Some(outcome) = outcome {
            outcome.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(at) = BUCKETS.iter().position(|(_, end)| micros <= *end) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn sum(&self) -> u64 {
        self.outcomes.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(calls: &Calls) -> String {
        let mut text = Text::default();
        calls.write(&mut text);
        text.finish()
    }

    #[test]
    fn calls_are_counted_by_name_and_outcome_and_their_durations_add_up() {
        let calls = Calls::new(&HTTP, ["/a".to_owned(), "/b".to_owned()]);
        calls.count("/a", 1, Duration::from_micros(1_000));
        calls.count("/a", 1, Duration::from_micros(1_001));
        calls.count("/a", 3, Duration::from_secs(60));
        let text = written(&calls);
        for line in [
            "healthcard_http_requests_total{route=\"/a\",outcome=\"2xx\"} 2",
            "healthcard_http_requests_total{route=\"/a\",outcome=\"4xx\"} 1",
            "healthcard_http_duration_seconds_bucket{route=\"/a\",le=\"0.001\"} 1",
            "healthcard_http_duration_seconds_bucket{route=\"/a\",le=\"0.0025\"} 2",
            "healthcard_http_duration_seconds_bucket{route=\"/a\",le=\"10\"} 2",
            "healthcard_http_duration_seconds_bucket{route=\"/a\",le=\"+Inf\"} 3",
            "healthcard_http_duration_seconds_sum{route=\"/a\"} 60.002001",
            "healthcard_http_duration_seconds_count{route=\"/a\"} 3",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains("/b"), "{text}");
    }

    #[test]
    fn names_that_are_not_known_make_no_series_of_their_own() {
        let calls = Calls::new(&GRPC, ["/healthcard.v1.Tokens/Issue".to_owned()]);
        for name in ["/healthcard.v1.Tokens/11010519491231002X", "/", ""] {
            calls.count(name, 12, Duration::ZERO);
        }
        calls.count("", 99, Duration::ZERO);
        let text = written(&calls);
        assert!(text.contains("{rpc=\"other\",outcome=\"UNIMPLEMENTED\"} 3\n"), "{text}");
        assert!(text.contains("{rpc=\"other\",outcome=\"UNAUTHENTICATED\"} 1\n"), "{text}");
        assert!(!text.contains("11010519491231002X"), "{text}");
    }
}
