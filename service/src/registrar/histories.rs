//! Access histories (查阅记录): all that the log has about a resident, for the resident who is here or who speaks for them.

use std::collections::BTreeSet;

use audit::{Entry, Outcome, history::Statement};

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Reason,
    policy::Act,
    store::{HistoryDraft, HistoryFound, IdentityId, InstitutionId, PresenceId, ResidentId},
    vocabulary::GuardianScope,
};

/// How often a history is read again because the log had more about the resident meanwhile.
const TURNS: u32 = 8;

/// A history, and who the people in it are.
pub struct AccessHistory {
    /// The file, as [`audit::history`] says.
    pub file: Vec<u8>,
    /// Those who acted, as far as they are on record.
    pub actors: Vec<HistoryActor>,
}

/// Somebody who acted. The log has only their number.
pub struct HistoryActor {
    /// Their number in the log.
    pub identity: IdentityId,
    /// Name on record.
    pub name: String,
    /// Where they work.
    pub institution: InstitutionId,
    /// What that is called.
    pub institution_name: String,
}

impl Registrar {
    /// All that the log has about a resident, with the proof that nothing is left out, for the resident who is here or for
    /// a guardian who may see their accesses. That it was given out is in the log, with what the index of residents was.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; PRESENCE_INVALID; NOT_THEIR_GUARDIAN when somebody else is here; GUARDIAN_NEEDED of a child;
    /// CARD_NOT_ACTIVE; HISTORY_NOT_READY while the index does not come as far as the log; HISTORY_TOO_LONG;
    /// ROLE_NOT_ALLOWED.
    pub async fn resident_history(
        &self,
        caller: &Caller,
        resident: ResidentId,
        presence: PresenceId,
    ) -> Result<AccessHistory, Error> {
        self.allow(caller, Act::ResidentHistory).await?;
        let entry =
            |outcome| self.entry(caller, Act::ResidentHistory, outcome).about(resident.to_string());
        let refused = || entry(Outcome::Refused);
        let here = self
            .speaks_for(caller, resident, presence, GuardianScope::SeeAccesses, refused)
            .await?;
        let given_to = if here.resident == resident { "resident" } else { "guardian" };
        let stated = |outcome| {
            let entry = entry(outcome).with("presence", presence.to_string());
            entry.with("given-to", given_to)
        };
        let (granted, failed) = (|| stated(Outcome::Granted), || stated(Outcome::Failed));
        let (found, index, entry, position) =
            self.stated_history(resident, granted, failed).await?;
        let people = found.entries.iter().filter_map(|it| Entry::decode(&it.entry).ok());
        let actors = self.actors(people.filter_map(|entry| entry.actor.identity).collect()).await?;
        let file = self.store.history_file(resident, index, found, &entry, position).await?;
        Ok(AccessHistory { file, actors })
    }

    /// What the log has about a resident, and that it is given out: the index it was read from, the entry that states
    /// it, and the place of that. Nothing about the resident comes between.
    async fn stated_history(
        &self,
        resident: ResidentId,
        granted: impl Fn() -> Entry,
        failed: impl Fn() -> Entry,
    ) -> Result<(HistoryFound, Statement, Entry, u64), Error> {
        for _ in 0..TURNS {
            let HistoryDraft { index, found } = self.store.history(resident).await?;
            let Some(found) = found else {
                // Nothing shows that there is nothing, so that it was asked for is what there is.
                self.record_act(failed()).await?;
                continue;
            };
            let entry = index.in_entry(granted());
            let recorded = self.store.record_history(entry.clone(), resident, index).await?;
            if let Some(receipt) = recorded {
                return Ok((found, index, entry, receipt.position));
            }
        }
        Err(Reason::HISTORY_NOT_READY.into())
    }

    /// Who these are, as far as they are on record: the service itself is not.
    async fn actors(&self, people: BTreeSet<String>) -> Result<Vec<HistoryActor>, Error> {
        let mut actors = Vec::new();
        for identity in people.iter().filter_map(|id| id.parse().ok()) {
            let Some(row) = self.store.identity(identity).await? else { continue };
            let name = self.personal.open_staff_name(row.id, &row.sealed_name)?;
            let institution = self.store.institution(row.institution).await?;
            let institution_name = institution.map(|it| it.name).unwrap_or_default();
            actors.push(HistoryActor {
                identity,
                name,
                institution: row.institution,
                institution_name,
            });
        }
        Ok(actors)
    }
}
