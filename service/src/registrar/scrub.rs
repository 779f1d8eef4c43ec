//! The service goes over its own log in the background, round after round, to see whether it still is what was signed.
//! What is not is told, and stops nobody.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use audit::{Entry, Outcome, check::Finding};

use super::{Error, Registrar, entry_by, service_actor};
use crate::{
    clock::{self, UtcTime},
    config,
    policy::Act,
    store::{Change, ScrubFinding, ScrubPlace},
};

/// Entries that are looked at in one go, a multiple of those from one kept checkpoint to the next.
const STRIDE: u64 = 1024;
/// How often at most it is kept where the round is: so much is looked at again after a restart.
const KEPT: Duration = Duration::from_secs(60);
/// Findings on record and in the log; of more it is only said that there are.
const MOST: usize = 100;

/// Where the round is, and what was found.
#[derive(Debug)]
pub(super) struct Scrub {
    rules: config::Scrub,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    place: ScrubPlace,
    findings: Vec<ScrubFinding>,
    /// Found in this round, and more than are kept.
    beyond: BTreeSet<Finding>,
    kept_at: Option<Instant>,
}

/// How the log was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrubState {
    /// Where the round is.
    pub place: ScrubPlace,
    /// What is not as it was signed.
    pub findings: Vec<ScrubFinding>,
    /// How many more there are.
    pub beyond: u64,
}

impl Scrub {
    pub(super) fn new(rules: config::Scrub) -> Self {
        Self { rules, state: Mutex::default() }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Registrar {
    /// Takes up where the round was, and what was found, before the service was started.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn recall_scrub(&self) -> Result<(), Error> {
        let place = self.store.scrub_place().await?;
        let findings = self.store.scrub_findings().await?;
        self.scrub.with(|state| {
            *state = State { place, findings, ..State::default() };
        });
        Ok(())
    }

    /// Where the round is, and what was found.
    #[must_use]
    pub fn scrub_state(&self) -> ScrubState {
        self.scrub.with(|state| ScrubState {
            place: state.place,
            findings: state.findings.clone(),
            beyond: state.beyond.len() as u64,
        })
    }

    /// Looks at what comes next; answers how long to wait with what comes then.
    ///
    /// # Errors
    /// [`Error::Store`] when the log cannot be read or written: the same comes next.
    pub async fn scrub_on(&self, now: UtcTime) -> Result<Duration, Error> {
        let ScrubPlace { round, position: from, done } = self.scrub.with(|state| state.place);
        // A copy of before may have been put in the place of a longer log.
        let from = if from > self.store.log_size() { 0 } else { from };
        let report = self.store.check_part(from, STRIDE).await?;
        let findings = &report.findings;
        for finding in &findings.listed {
            self.tell(*finding, round, now).await?;
        }
        let until = from + STRIDE;
        let over = until >= report.size;
        if over && !self.store.is_removed_kept().await? {
            self.tell(Finding::RemovedAltered, round, now).await?;
        }
        let place = match over {
            false => ScrubPlace { round, position: until, done },
            true => {
                let done = Some((now, report.size));
                ScrubPlace { round: round + 1, position: 0, done }
            }
        };
        let keep = self.scrub.with(|state| {
            state.place = place;
            over || state.kept_at.is_none_or(|at| at.elapsed() >= KEPT)
        });
        if keep {
            self.keep_scrub().await?;
        }
        Ok(self.scrub.rules.pause(report.leaves.max(1), report.size))
    }

    /// Keeps where the round is.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn keep_scrub(&self) -> Result<(), Error> {
        let place = self.scrub.with(|state| state.place);
        self.store.keep_scrub_place(place).await?;
        let findings = self.store.scrub_findings().await?;
        self.scrub.with(|state| {
            state.findings = findings;
            state.kept_at = Some(clock::count());
            if place.position == 0 {
                state.beyond.clear();
            }
        });
        Ok(())
    }

    /// Says once that something is not as it was signed.
    async fn tell(&self, finding: Finding, round: u64, now: UtcTime) -> Result<(), Error> {
        let known = self.scrub.with(|state| {
            let known = state.findings.iter().any(|it| it.finding == finding);
            if !known && state.findings.len() >= MOST {
                // The set is as large as what is told of: that there is more is enough.
                if state.beyond.len() < MOST {
                    state.beyond.insert(finding);
                }
                return None;
            }
            Some(known)
        });
        let Some(known) = known else { return Ok(()) };
        let entry = self.damage(finding, now);
        let recorded = self.store.record_scrub_finding(finding, round, now, entry).await?;
        if let Change::Recorded(receipt) = recorded {
            let position = receipt.position;
            tracing::error!(%finding, position, "the log is not what was signed");
            if !known {
                let found = ScrubFinding { finding, found_at: now, position };
                self.scrub.with(|state| state.findings.push(found));
            }
        }
        Ok(())
    }

    /// The entry that says so.
    fn damage(&self, finding: Finding, now: UtcTime) -> Entry {
        let (kind, numbers) = finding.parts();
        let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        entry_by(service_actor(&self.name), Act::AuditScrub, Outcome::Failed, now)
            .with("alert", "log-damaged")
            .with("kind", kind)
            .with("numbers", numbers.join(" "))
            .with("finding", finding.to_string())
    }
}
