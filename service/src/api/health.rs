//! Whether the service can do its work: `grpc.health.v1` and `/healthz`. Nothing is granted that
//! cannot be recorded, so a service whose log cannot grow serves nobody.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use hsm_device::DeviceState;
use proto::v1::{
    admin_server, audit_server, cards_server, consents_server, desks_server, emergencies_server,
    enrolments_server, identities_server, key_centre_server, referrals_server, residents_server,
    sessions_server, signing_server, tokens_server, visits_server, warnings_server,
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::{HealthReporter, health_reporter},
};

use super::MAX_STRANGERS_REQUEST;
use crate::clock::{self, UtcTime, rfc3339};
use crate::disk::{DiskState, Level, Reserve};
use crate::registrar::{ListName, Registrar, ScrubState};
use crate::store::Pace;

/// The service as a whole, and each of its parts: all need the log.
const PARTS: [&str; 17] = [
    "",
    sessions_server::SERVICE_NAME,
    identities_server::SERVICE_NAME,
    enrolments_server::SERVICE_NAME,
    key_centre_server::SERVICE_NAME,
    residents_server::SERVICE_NAME,
    cards_server::SERVICE_NAME,
    desks_server::SERVICE_NAME,
    visits_server::SERVICE_NAME,
    consents_server::SERVICE_NAME,
    referrals_server::SERVICE_NAME,
    emergencies_server::SERVICE_NAME,
    warnings_server::SERVICE_NAME,
    tokens_server::SERVICE_NAME,
    signing_server::SERVICE_NAME,
    audit_server::SERVICE_NAME,
    admin_server::SERVICE_NAME,
];
/// How soon those who watch hear of a change of which nothing tells: of a device.
const LOOK: Duration = Duration::from_secs(1);

/// `grpc.health.v1.Health` of this service, kept true for as long as there is a registrar.
pub(super) async fn service(registrar: &Arc<Registrar>) -> HealthServer<impl Health> {
    let (reporter, server) = health_reporter();
    tell(&reporter, registrar).await;
    let writability = registrar.store().writability();
    tokio::spawn(watch(reporter, Arc::downgrade(registrar), writability));
    server.max_decoding_message_size(MAX_STRANGERS_REQUEST)
}

async fn watch(
    reporter: HealthReporter,
    registrar: Weak<Registrar>,
    mut writability: watch::Receiver<bool>,
) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            Ok(()) = writability.changed() => {}
        }
        let Some(registrar) = registrar.upgrade() else { break };
        tell(&reporter, &registrar).await;
    }
}

async fn tell(reporter: &HealthReporter, registrar: &Registrar) {
    let status = match obstacle(registrar) {
        None => ServingStatus::Serving,
        Some(_) => ServingStatus::NotServing,
    };
    for part in PARTS {
        reporter.set_service_status(part, status).await;
    }
}

/// Why nothing can be granted.
fn obstacle(registrar: &Registrar) -> Option<String> {
    if registrar.tested().is_err() {
        return Some("the self-tests failed: nothing is signed\n".to_owned());
    }
    if let Some(device) = registrar.lost_log_device() {
        return Some(format!("the device {device}, which signs the log, is lost\n"));
    }
    let store = registrar.store();
    if let Some(trouble) = store.trouble() {
        let (zh, en) = trouble.words();
        return Some(format!("the log cannot be written: {en} · {zh}\n"));
    }
    let Pace { stuck, waits, .. } = store.pace();
    let seconds = waits.unwrap_or_default().as_secs();
    stuck.then(|| {
        format!(
            "the log cannot be written: the disk does not answer for {seconds} s · 磁盘无响应\n"
        )
    })
}

/// What of the disk needs somebody.
fn disk(state: &DiskState, pace: &Pace) -> String {
    let mut lines = String::new();
    if state.level != Level::Enough
        && let Some(free) = state.free
    {
        let (level, free) = (state.level, free / (1024 * 1024));
        lines += &format!("the disk of the database has {free} MiB left: {level} · 磁盘空间不足\n");
    }
    match state.reserve {
        Reserve::Off | Reserve::Laid => {}
        Reserve::Absent => lines += "there is no reserve on the disk · 磁盘预留空间缺失\n",
        Reserve::Obstructed => {
            lines +=
                "something stands in the place of the reserve on the disk · 磁盘预留空间无法建立\n";
        }
    }
    if pace.slow {
        let slowest = pace.slowest.as_millis();
        lines += &format!("the disk is slow: a commit took {slowest} ms · 磁盘写入缓慢\n");
    }
    lines
}

/// What of it does not sign, though the rest of it does its work.
fn lost_devices(registrar: &Registrar) -> String {
    let lost = registrar.devices().states().filter(|(_, state)| *state == DeviceState::Lost);
    lost.map(|(device, _)| format!("the device {device} is lost: its keys do not sign\n")).collect()
}

/// Which revocation lists end soon: whoever they tell of gets in until then.
fn ending_lists(lists: &[(ListName, Option<UtcTime>)]) -> String {
    let line = |(list, end): &(ListName, Option<UtcTime>)| match end {
        Some(end) => {
            format!("the revocation list {list} ends at {} and was not renewed\n", rfc3339(*end))
        }
        None => format!("there is no revocation list {list}\n"),
    };
    lists.iter().map(line).collect()
}

/// That the log is not what was signed; nothing where it is, as far as it was looked at.
fn damage(state: &ScrubState) -> String {
    let ScrubState { findings, beyond, .. } = state;
    match findings.first() {
        None => String::new(),
        Some(first) => {
            let count = findings.len() as u64 + beyond;
            format!("the log is not what was signed ({count} findings): {}\n", first.finding)
        }
    }
}

/// `/healthz`: 200 and what needs somebody soon (a disk that is slow or has little room, lost devices, lists that end, a
/// damaged log), or 503 and why nothing can be granted.
pub(super) async fn healthz(State(registrar): State<Arc<Registrar>>) -> Response {
    match obstacle(&registrar) {
        None => {
            let lists = ending_lists(&registrar.ending_lists(clock::now()));
            let disk = disk(&registrar.disk().state(), &registrar.store().pace());
            let damage = damage(&registrar.scrub_state());
            format!("ok\n{disk}{}{lists}{damage}", lost_devices(&registrar)).into_response()
        }
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message as _;
    use prost_types::FileDescriptorSet;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_list_that_ends_is_named_with_its_end() {
        let name = |text: &str| text.parse::<ListName>().unwrap();
        let ends = [
            (name("ca-people-4a"), Some(datetime!(2026-11-29 08:00 UTC))),
            (name("ca-root"), None),
        ];
        assert_eq!(
            ending_lists(&ends),
            "the revocation list ca-people-4a ends at 2026-11-29T08:00:00.000000Z and was not renewed\n\
             there is no revocation list ca-root\n"
        );
        assert_eq!(ending_lists(&[]), "");
    }

    #[test]
    fn of_the_disk_what_needs_somebody_is_said() {
        let sound = DiskState {
            free: Some(3 << 30),
            level: Level::Enough,
            reserve: Reserve::Laid,
            reserve_size: 1,
            given_up: None,
        };
        assert_eq!(disk(&sound, &Pace::default()), "");
        let full = DiskState {
            free: Some(5 << 20),
            level: Level::Critical,
            reserve: Reserve::Absent,
            ..sound
        };
        let slow = Pace { slow: true, slowest: Duration::from_millis(1500), ..Pace::default() };
        assert_eq!(
            disk(&full, &slow),
            "the disk of the database has 5 MiB left: critical · 磁盘空间不足\n\
             there is no reserve on the disk · 磁盘预留空间缺失\n\
             the disk is slow: a commit took 1500 ms · 磁盘写入缓慢\n"
        );
    }

    #[test]
    fn every_service_of_the_interface_is_a_part() {
        let interface = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
        let services = interface.file.iter().flat_map(|file| {
            let named = |service| format!("{}.{}", file.package(), service);
            file.service.iter().map(move |service| named(service.name()))
        });
        let parts = PARTS.iter().filter(|part| !part.is_empty()).map(|&part| part.to_owned());
        assert_eq!(parts.collect::<BTreeSet<_>>(), services.collect());
    }
}
