//! How things stand, as numbers for whoever watches the service. Nothing of it is about anybody.

use std::sync::atomic::Ordering;

use hsm_device::DeviceState;
use time::Duration;

use super::{Registrar, ScrubState};
use crate::{
    clock::UtcTime,
    config::MetricsReaders,
    disk::DiskState,
    store::{Pace, Stats},
};

/// Longer than any revocation list that is renewed.
const FAR: Duration = Duration::days(3660);

/// How things stand.
#[derive(Debug)]
pub(crate) struct Figures {
    /// When the service was started.
    pub(crate) started_at: UtcTime,
    /// Leaves in the log.
    pub(crate) log_size: u64,
    /// Leaves that were looked at for warnings.
    pub(crate) watched: u64,
    /// Commits since the start.
    pub(crate) stats: Stats,
    /// Whether the log can be written.
    pub(crate) writable: bool,
    /// How the disk stands.
    pub(crate) disk: DiskState,
    /// How commits go.
    pub(crate) pace: Pace,
    /// Whether the self-tests went well.
    pub(crate) tested: bool,
    /// Whether keys of the keystore can be used.
    pub(crate) unlocked: bool,
    /// How each cryptographic device is.
    pub(crate) devices: Vec<DeviceState>,
    /// When the first complete revocation list ends; nothing where there is none.
    pub(crate) lists_end: Option<UtcTime>,
    /// Revocation lists that should be there, and are not.
    pub(crate) lists_missing: usize,
    /// When the certificate ends that times are stamped with.
    pub(crate) stamps_end: Option<UtcTime>,
    /// When the first certificate ends that tells the status of others.
    pub(crate) responders_end: Option<UtcTime>,
    /// Sessions that are open; nothing where the records cannot be read.
    pub(crate) open_sessions: Option<u64>,
    /// Witnesses whose last signature is older than the settings allow.
    pub(crate) witnesses_late: usize,
    /// How the log was found to be.
    pub(crate) scrub: ScrubState,
    /// Encryption keys that were made ahead, likewise.
    pub(crate) spare_keys: Option<u64>,
}

impl Registrar {
    /// Who is given them.
    pub(crate) fn metrics_readers(&self) -> MetricsReaders {
        self.metrics
    }

    /// How things stand. It leaves nothing in the log.
    pub(crate) async fn figures(&self, now: UtcTime) -> Figures {
        let lists = self.authorities.lists_over_by(now + FAR);
        Figures {
            started_at: self.started_at,
            log_size: self.store.log_size(),
            watched: self.watched.load(Ordering::Relaxed),
            stats: self.store.stats(),
            writable: self.store.is_writable(),
            disk: self.disk.state(),
            pace: self.store.pace(),
            tested: self.tested().is_ok(),
            unlocked: self.keys.index().is_ok(),
            devices: self.devices().states().map(|(_, state)| state).collect(),
            lists_end: lists.iter().filter_map(|(_, end)| *end).min(),
            lists_missing: lists.iter().filter(|(_, end)| end.is_none()).count(),
            stamps_end: self.stamping.end(),
            responders_end: self.responders.first_end(),
            witnesses_late: self.witness_states(now).iter().filter(|it| it.late).count(),
            scrub: self.scrub_state(),
            open_sessions: self.store.open_sessions(now).await.ok(),
            spare_keys: self.store.key_counts().await.ok().map(|counts| counts.spare),
        }
    }
}
