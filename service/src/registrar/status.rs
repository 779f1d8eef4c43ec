//! State of the service, for operators.

use audit::Outcome;

use super::{Caller, Error, Registrar, RulesInForce, ScrubState, WitnessState};
use crate::{clock::UtcTime, disk::DiskState, policy::Act, store::Pace};

/// State of the service.
pub struct ServiceStatus {
    /// When it was started.
    pub started_at: UtcTime,
    /// Leaves in the log.
    pub log_size: u64,
    /// Commits to disk since the start.
    pub commits: u64,
    /// Leaves those commits carried.
    pub committed_leaves: u64,
    /// Sessions that are open.
    pub open_sessions: u64,
    /// The keys in the keystore.
    pub keys: Vec<hsm::KeyDescription>,
    /// The rules in force.
    pub rules: RulesInForce,
    /// Whoever signs the log as a witness.
    pub witnesses: Vec<WitnessState>,
    /// How the log was found to be.
    pub scrub: ScrubState,
    /// How the disk stands.
    pub disk: DiskState,
    /// How commits go.
    pub pace: Pace,
}

impl Registrar {
    /// The state of the service.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn status(&self, caller: &Caller) -> Result<ServiceStatus, Error> {
        self.allow(caller, Act::ServiceStatus).await?;
        self.record_act(self.entry(caller, Act::ServiceStatus, Outcome::Granted)).await?;
        let stats = self.store.stats();
        Ok(ServiceStatus {
            started_at: self.started_at,
            log_size: self.store.log_size(),
            commits: stats.commits,
            committed_leaves: stats.committed_leaves,
            open_sessions: self.store.open_sessions(caller.now).await?,
            keys: self.keys.keystore().list(),
            rules: self.rules_in_force(),
            witnesses: self.witness_states(caller.now),
            scrub: self.scrub_state(),
            disk: self.disk.state(),
            pace: self.store.pace(),
        })
    }
}
