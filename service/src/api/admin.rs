//! `Admin`: state of the service.

use std::time::Duration;

use proto::v1::{self, admin_server::Admin};
use tonic::{Request, Response};

use super::{Desk, Reply, convert::timestamp};
use crate::{
    disk::DiskState,
    registrar::{ScrubState, WitnessState},
    store::{Pace, ScrubFinding},
};

#[tonic::async_trait]
impl Admin for Desk {
    async fn status(&self, request: Request<v1::StatusRequest>) -> Reply<v1::StatusResponse> {
        let caller = self.caller(&request).await?;
        let status = self.registrar.status(&caller).await?;
        let keys = status
            .keys
            .into_iter()
            .map(|key| v1::KeyState {
                reference: key.reference.to_string(),
                key_use: key.key_use.to_string(),
                version: key.version,
            })
            .collect();
        Ok(Response::new(v1::StatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(timestamp(status.started_at)),
            log_size: status.log_size,
            commits: status.commits,
            committed_leaves: status.committed_leaves,
            open_sessions: status.open_sessions,
            keys,
            rules: Some(v1::RulesState {
                name: status.rules.name,
                version: status.rules.version,
                digest: status.rules.digest,
            }),
            witnesses: status.witnesses.into_iter().map(witness).collect(),
            scrub: Some(scrub(status.scrub)),
            disk: Some(disk(&status.disk, &status.pace)),
        }))
    }
}

fn disk(disk: &DiskState, pace: &Pace) -> v1::DiskState {
    let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    v1::DiskState {
        free: disk.free,
        level: disk.level.as_str().to_owned(),
        reserve: disk.reserve.as_str().to_owned(),
        reserve_size: disk.reserve_size,
        reserve_given_up_at: disk.given_up.map(timestamp),
        last_commit_at: pace.last.map(|(at, _)| timestamp(at)),
        last_commit_microseconds: pace.last.map_or(0, |(_, took)| microseconds(took)),
        slowest_commit_microseconds: microseconds(pace.slowest),
        waiting_microseconds: pace.waits.map_or(0, microseconds),
        slow: pace.slow,
    }
}

fn witness(state: WitnessState) -> v1::WitnessState {
    v1::WitnessState {
        witness: state.witness,
        size: state.last.map_or(0, |(size, _)| size),
        signed_at: state.last.map(|(_, at)| timestamp(at)),
        late: state.late,
    }
}

fn scrub(state: ScrubState) -> v1::ScrubState {
    let ScrubState { place, findings, beyond } = state;
    v1::ScrubState {
        position: place.position,
        done_at: place.done.map(|(at, _)| timestamp(at)),
        done_size: place.done.map_or(0, |(_, size)| size),
        findings: findings.into_iter().map(finding).collect(),
        more_findings: beyond,
    }
}

fn finding(found: ScrubFinding) -> v1::LogFinding {
    let (kind, numbers) = found.finding.parts();
    v1::LogFinding {
        kind: kind.to_owned(),
        numbers,
        message: found.finding.to_string(),
        found_at: Some(timestamp(found.found_at)),
        log_position: found.position,
    }
}
