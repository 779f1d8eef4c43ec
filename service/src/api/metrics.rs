//! `/metrics`: numbers for whoever watches the service, and how calls are counted for them.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use hsm_device::DeviceState;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tokio::sync::Mutex;

use crate::{
    clock::{self, UtcTime},
    config::MetricsReaders,
    disk::{DiskState, Level, Reserve},
    metrics::{Calls, GRPC, HTTP, Kind, MEDIA_TYPE, Text},
    registrar::{Figures, Registrar, ScrubState},
    store::Pace,
};

/// How long numbers are given out again: readers ask every few seconds, and each look is one into the records.
const KEPT: Duration = Duration::from_secs(1);
/// What other protocols fetch, by the first part of the path.
const ROUTES: [&str; 12] = [
    "ca",
    "cards",
    "crl",
    "healthz",
    "introspect",
    "jwks.json",
    "metrics",
    "ocsp",
    "revoke",
    "token",
    "token-revocations",
    "tsa",
];
/// Outcome of a call that nobody waited for (CANCELLED), in place of a status.
const CANCELLED: usize = 1;

/// The calls that there were, and what was last given out.
pub(super) struct Metrics {
    registrar: Arc<Registrar>,
    grpc: Calls,
    http: Calls,
    kept: Mutex<Option<(Instant, String)>>,
}

impl Metrics {
    pub(super) fn new(registrar: Arc<Registrar>) -> Self {
        let known = [proto::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
        let routes = ROUTES.iter().map(|&route| route.to_owned());
        Self {
            registrar,
            grpc: Calls::new(&GRPC, known.into_iter().flat_map(methods)),
            http: Calls::new(&HTTP, routes),
            kept: Mutex::default(),
        }
    }

    fn admits(&self, peer: SocketAddr) -> bool {
        match self.registrar.metrics_readers() {
            MetricsReaders::Nobody => false,
            MetricsReaders::ThisMachine => peer.ip().to_canonical().is_loopback(),
            MetricsReaders::Anybody => true,
        }
    }

    async fn text(&self) -> String {
        let mut kept = self.kept.lock().await;
        if let Some((at, text)) = &*kept
            && at.elapsed() < KEPT
        {
            return text.clone();
        }
        let now = clock::now();
        let mut text = Text::default();
        write(&mut text, &self.registrar.figures(now).await, now);
        self.grpc.write(&mut text);
        self.http.write(&mut text);
        kept.insert((clock::count(), text.finish())).1.clone()
    }
}

/// Methods of an interface, as paths have them.
fn methods(descriptors: &[u8]) -> Vec<String> {
    let interface = FileDescriptorSet::decode(descriptors).unwrap_or_default();
    let mut methods = Vec::new();
    for file in &interface.file {
        for service in &file.service {
            let of = |method: &str| format!("{}.{}/{method}", file.package(), service.name());
            methods.extend(service.method.iter().map(|method| of(method.name())));
        }
    }
    methods
}

/// Every call and address there is, as they are counted.
#[cfg(test)]
pub(crate) fn calls() -> Vec<String> {
    let known = [proto::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET];
    let routes = ROUTES.iter().chain(&[".well-known"]).map(|route| format!("/{route}"));
    known.into_iter().flat_map(methods).chain(routes).collect()
}

/// Numbers for those who may have them; for others there are none here.
pub(super) async fn metrics(
    State(metrics): State<Arc<Metrics>>,
    Extension(peer): Extension<SocketAddr>,
) -> Response {
    match metrics.admits(peer) {
        true => ([(header::CONTENT_TYPE, MEDIA_TYPE)], metrics.text().await).into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Counts a call over gRPC.
pub(super) async fn of_grpc(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let mut counting = Counting::new(&metrics.grpc, name);
    let response = next.run(request).await;
    // A call that was refused has its status in the head, and one that was answered behind the answer.
    let status = response.headers().get("grpc-status").map(|status| status.to_str());
    counting.outcome = match status {
        None => 0,
        Some(status) => status.ok().and_then(|it| it.parse().ok()).unwrap_or(2),
    };
    response
}

/// Counts a request of another protocol.
pub(super) async fn of_http(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let name = request.uri().path().split('/').nth(1).unwrap_or_default().to_owned();
    let mut counting = Counting::new(&metrics.http, name);
    let response = next.run(request).await;
    counting.outcome = usize::from(response.status().as_u16() / 100).saturating_sub(1);
    response
}

/// A call under way, which is counted also when nobody waits for it any more.
struct Counting<'a> {
    calls: &'a Calls,
    name: String,
    began: Instant,
    outcome: usize,
}

impl<'a> Counting<'a> {
    fn new(calls: &'a Calls, name: String) -> Self {
        Self { calls, name, began: clock::count(), outcome: CANCELLED }
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.calls.count(&self.name, self.outcome, self.began.elapsed());
    }
}

/// Writes how things stand.
fn write(text: &mut Text, figures: &Figures, now: UtcTime) {
    let build = "healthcard_build_info";
    text.family(build, Kind::Gauge, "The version of the program.");
    text.sample(build, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    let started = figures.started_at.unix_timestamp();
    text.gauge("process_start_time_seconds", "When the service was started.", started);
    text.gauge("healthcard_log_leaves", "Leaves in the audit log.", figures.log_size);
    let watched = "Leaves that were looked at for warnings of misuse.";
    text.gauge("healthcard_log_leaves_watched", watched, figures.watched);
    let commits = figures.stats.commits;
    text.counter("healthcard_log_commits_total", "Commits to disk that carried leaves.", commits);
    // Between two readings, leaves by commits is how large a group was.
    let leaves = figures.stats.committed_leaves;
    text.counter("healthcard_log_committed_leaves_total", "Leaves that commits carried.", leaves);
    for (name, help, good) in [
        ("healthcard_log_writable", "Whether the audit log can be written.", figures.writable),
        ("healthcard_self_tests_passed", "Whether the self-tests went well.", figures.tested),
        (
            "healthcard_keystore_unlocked",
            "Whether keys of the keystore can be used.",
            figures.unlocked,
        ),
    ] {
        text.gauge(name, help, u8::from(good));
    }
    write_disk(text, &figures.disk, &figures.pace);
    let devices = "healthcard_devices";
    text.family(devices, Kind::Gauge, "Cryptographic devices, by how they are.");
    for (word, state) in [
        ("unused", DeviceState::Unused),
        ("ready", DeviceState::Ready),
        ("lost", DeviceState::Lost),
    ] {
        let count = figures.devices.iter().filter(|device| **device == state).count();
        text.sample(devices, &[("state", word)], count);
    }
    let ends = "healthcard_seconds_to_end";
    text.family(ends, Kind::Gauge, "Time until the first of its kind ends; below 0 it is over.");
    for (what, end) in [
        ("revocation_list", figures.lists_end),
        ("time_stamping_certificate", figures.stamps_end),
        ("responder_certificate", figures.responders_end),
    ] {
        if let Some(end) = end {
            text.sample(ends, &[("of", what)], (end - now).whole_seconds());
        }
    }
    let missing = "Revocation lists that should be there and are not.";
    text.gauge("healthcard_revocation_lists_missing", missing, figures.lists_missing);
    let late = "Witnesses of the log who signed longer ago than the settings allow.";
    text.gauge("healthcard_log_witnesses_late", late, figures.witnesses_late);
    let ScrubState { place, findings, beyond } = &figures.scrub;
    let at = "Leaves of the log that the round under way has gone over.";
    text.gauge("healthcard_log_scrub_position", at, place.position);
    let found = "What is not as it was signed in the log.";
    text.gauge("healthcard_log_scrub_findings", found, findings.len() as u64 + beyond);
    if let Some((at, size)) = place.done {
        let done = "When the last whole round over the log ended.";
        text.gauge("healthcard_log_scrub_done_timestamp_seconds", done, at.unix_timestamp());
        let size_of = "Leaves that the last whole round over the log went over.";
        text.gauge("healthcard_log_scrub_done_leaves", size_of, size);
    }
    for (name, help, count) in [
        ("healthcard_open_sessions", "Sessions that are open.", figures.open_sessions),
        (
            "healthcard_key_centre_spare_keys",
            "Encryption keys that were made ahead.",
            figures.spare_keys,
        ),
    ] {
        if let Some(count) = count {
            text.gauge(name, help, count);
        }
    }
}

/// Writes how the disk stands, and how fast it is.
fn write_disk(text: &mut Text, disk: &DiskState, pace: &Pace) {
    if let Some(free) = disk.free {
        let help = "Octets that are free on the disk of the database.";
        text.gauge("healthcard_disk_free_bytes", help, free);
    }
    let level = "healthcard_disk_level";
    text.family(level, Kind::Gauge, "How much room the disk has, by the settings.");
    for word in Level::ALL {
        let is = u8::from(disk.level == *word);
        text.sample(level, &[("level", word.as_str())], is);
    }
    let reserve = "healthcard_disk_reserve";
    text.family(reserve, Kind::Gauge, "How the reserve on the disk stands.");
    for word in Reserve::ALL {
        let is = u8::from(disk.reserve == *word);
        text.sample(reserve, &[("state", word.as_str())], is);
    }
    if let Some((at, took)) = pace.last {
        let help = "When the last commit was on disk.";
        text.gauge("healthcard_log_last_commit_timestamp_seconds", help, at.unix_timestamp());
        let help = "How long the last commit took.";
        text.gauge("healthcard_log_last_commit_seconds", help, took.as_secs_f64());
    }
    for (name, help, time) in [
        (
            "healthcard_log_slowest_commit_seconds",
            "How long the slowest commit took of the last five to ten minutes.",
            pace.slowest,
        ),
        (
            "healthcard_log_waiting_seconds",
            "How long whoever has waited longest waits for the commit under way.",
            pace.waits.unwrap_or_default(),
        ),
    ] {
        text.gauge(name, help, time.as_secs_f64());
    }
    let help = "Whether commits take longer than the settings allow.";
    text.gauge("healthcard_log_slow", help, u8::from(pace.slow));
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::store::{ScrubPlace, Stats};

    #[test]
    fn how_things_stand_is_written_whole() {
        let now = datetime!(2026-11-27 08:00 UTC);
        let figures = Figures {
            started_at: now,
            log_size: 7,
            watched: 5,
            stats: Stats { commits: 2, committed_leaves: 6 },
            writable: true,
            disk: DiskState {
                free: Some(4096),
                level: Level::Critical,
                reserve: Reserve::Absent,
                reserve_size: 64,
                given_up: None,
            },
            pace: Pace {
                last: Some((now, std::time::Duration::from_millis(3))),
                slowest: std::time::Duration::from_millis(1500),
                waits: None,
                slow: true,
                stuck: false,
            },
            tested: false,
            unlocked: true,
            devices: vec![DeviceState::Ready, DeviceState::Lost, DeviceState::Lost],
            lists_end: Some(now + Duration::HOUR),
            lists_missing: 0,
            stamps_end: Some(now - Duration::SECOND),
            responders_end: None,
            witnesses_late: 1,
            scrub: ScrubState {
                place: ScrubPlace { round: 2, position: 1024, done: Some((now, 7)) },
                findings: Vec::new(),
                beyond: 3,
            },
            open_sessions: None,
            spare_keys: Some(64),
        };
        let mut text = Text::default();
        write(&mut text, &figures, now);
        let text = text.finish();
        for line in [
            "process_start_time_seconds 1795766400",
            "healthcard_log_leaves 7",
            "healthcard_log_leaves_watched 5",
            "healthcard_log_commits_total 2",
            "healthcard_log_committed_leaves_total 6",
            "healthcard_log_writable 1",
            "healthcard_self_tests_passed 0",
            "healthcard_keystore_unlocked 1",
            "healthcard_devices{state=\"unused\"} 0",
            "healthcard_devices{state=\"lost\"} 2",
            "healthcard_seconds_to_end{of=\"revocation_list\"} 3600",
            "healthcard_seconds_to_end{of=\"time_stamping_certificate\"} -1",
            "healthcard_revocation_lists_missing 0",
            "healthcard_key_centre_spare_keys 64",
            "healthcard_log_witnesses_late 1",
            "healthcard_log_scrub_position 1024",
            "healthcard_log_scrub_findings 3",
            "healthcard_log_scrub_done_timestamp_seconds 1795766400",
            "healthcard_log_scrub_done_leaves 7",
            "healthcard_disk_free_bytes 4096",
            "healthcard_disk_level{level=\"low\"} 0",
            "healthcard_disk_level{level=\"critical\"} 1",
            "healthcard_disk_reserve{state=\"absent\"} 1",
            "healthcard_disk_reserve{state=\"laid\"} 0",
            "healthcard_log_last_commit_timestamp_seconds 1795766400",
            "healthcard_log_last_commit_seconds 0.003",
            "healthcard_log_slowest_commit_seconds 1.5",
            "healthcard_log_waiting_seconds 0",
            "healthcard_log_slow 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains("responder_certificate") && !text.contains("open_sessions"));
    }

    #[test]
    fn every_method_of_the_interface_has_a_name() {
        let all = methods(proto::DESCRIPTORS);
        for name in ["healthcard.v1.Tokens/Issue", "healthcard.v1.Cards/Relay"] {
            assert!(all.iter().any(|it| it == name), "{name}");
        }
    }
}
