//! `Admin`: state of the service.

use proto::v1::{self, admin_server::Admin};
use tonic::{Request, Response};

use super::{Desk, Reply, convert::timestamp};
use crate::registrar::WitnessState;

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
