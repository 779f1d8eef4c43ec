//! `Admin`: state of the service.

use proto::v1::{self, admin_server::Admin};
use tonic::{Request, Response};

use super::{Desk, Reply, convert::timestamp};
use crate::{
    registrar::{ScrubState, WitnessState},
    store::ScrubFinding,
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
        }))
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
