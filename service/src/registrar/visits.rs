//! Visits: the frame in which a resident's data may be used.

use audit::Outcome;

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::{Needs, Reason},
    policy::{Act, Denial},
    store::{self, Change, IdentityId, PresenceId, Receipt, Visit, VisitFilter, VisitId},
    vocabulary::{Relation, Role},
};

/// Most clinicians that a visit names.
const MOST_ATTENDING: usize = 20;

/// A visit to be opened.
pub struct NewVisit {
    /// Presence of the resident's card.
    pub presence: PresenceId,
    /// Department.
    pub department: String,
    /// Reason, without personal data.
    pub reason: String,
    /// Who treats the resident.
    pub attending: Vec<IdentityId>,
}

impl Registrar {
    /// Opens a visit for the resident whose card the caller just read.
    ///
    /// # Errors
    /// PRESENCE_INVALID; IDENTITY_NOT_FOUND for somebody attending who is no clinician of the
    /// caller's institution; ROLE_NOT_ALLOWED.
    pub async fn open_visit(
        &self,
        caller: &Caller,
        order: NewVisit,
    ) -> Result<(Visit, Receipt), Error> {
        self.allow(caller, Act::VisitOpen).await?;
        if order.attending.len() > MOST_ATTENDING {
            return Err(Error::Field { field: "attending", needs: Needs::Attending });
        }
        let presence = self
            .store
            .presence(order.presence)
            .await?
            .filter(|presence| {
                presence.session == caller.holder.session && presence.expires_at > caller.now
            })
            .ok_or(Reason::PRESENCE_INVALID)?;
        for identity in &order.attending {
            self.store
                .identity(*identity)
                .await?
                .filter(|record| {
                    record.institution == caller.holder.institution
                        && [Role::Doctor, Role::Nurse].map(Role::as_str).contains(&&*record.role)
                })
                .ok_or(Reason::IDENTITY_NOT_FOUND)?;
        }
        let visit = store::NewVisit {
            id: VisitId::generate(),
            resident: presence.resident,
            institution: caller.holder.institution,
            department: order.department,
            reason: order.reason,
            attending: order.attending,
            opened_at: caller.now,
        };
        let id = visit.id;
        let entry = self
            .entry(caller, Act::VisitOpen, Outcome::Granted)
            .about(visit.resident.to_string())
            .in_visit(id.to_string())
            .on("visit", id.to_string())
            .with("card", presence.card.to_string())
            .with("presence", order.presence.to_string());
        let receipt = self.store.record_visit_opened(visit, entry).await?;
        Ok((self.known_visit(id).await?, receipt))
    }

    /// A visit of the caller's institution.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND; OTHER_INSTITUTION; ROLE_NOT_ALLOWED.
    pub async fn visit(&self, caller: &Caller, id: VisitId) -> Result<Visit, Error> {
        self.allow(caller, Act::VisitRead).await?;
        self.visit_of(caller, Act::VisitRead, id).await
    }

    /// Open visits: for clinicians those they have a relation to, for desks all of their institution.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn visits(
        &self,
        caller: &Caller,
        after: Option<VisitId>,
        limit: u32,
    ) -> Result<Vec<Visit>, Error> {
        self.allow(caller, Act::VisitRead).await?;
        let holder = &caller.holder;
        let clinician = matches!(holder.role, Role::Doctor | Role::Nurse)
            .then(|| (holder.identity, holder.department.clone()));
        let filter = VisitFilter { institution: holder.institution, clinician };
        Ok(self.store.open_visits(filter, after, limit).await?)
    }

    /// Closes a visit, and with it its tokens.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND; OTHER_INSTITUTION; STATE_CONFLICT when it is closed; ROLE_NOT_ALLOWED.
    pub async fn close_visit(
        &self,
        caller: &Caller,
        id: VisitId,
    ) -> Result<(Visit, Receipt), Error> {
        self.allow(caller, Act::VisitClose).await?;
        let visit = self.visit_of(caller, Act::VisitClose, id).await?;
        let entry = self
            .entry(caller, Act::VisitClose, Outcome::Granted)
            .about(visit.resident.to_string())
            .in_visit(id.to_string())
            .on("visit", id.to_string());
        let Change::Recorded(receipt) =
            self.store.record_visit_closed(id, caller.now, entry).await?
        else {
            return Err(Reason::STATE_CONFLICT.into());
        };
        Ok((self.known_visit(id).await?, receipt))
    }

    /// A visit, if it belongs to the caller's institution; a refusal is left in the log.
    pub(super) async fn visit_of(
        &self,
        caller: &Caller,
        act: Act,
        id: VisitId,
    ) -> Result<Visit, Error> {
        let visit = self.known_visit(id).await?;
        if visit.institution == caller.holder.institution {
            return Ok(visit);
        }
        self.refuse_in_visit(caller, act, &visit, Denial::OtherInstitution).await
    }

    /// Leaves a refusal within a visit in the log, and says no.
    pub(super) async fn refuse_in_visit<T>(
        &self,
        caller: &Caller,
        act: Act,
        visit: &Visit,
        denial: Denial,
    ) -> Result<T, Error> {
        let entry = self
            .entry(caller, act, Outcome::Refused)
            .about(visit.resident.to_string())
            .in_visit(visit.id.to_string())
            .under(self.policy_hash.as_str(), denial.rule());
        self.record_act(entry).await?;
        Err(denial.into())
    }

    async fn known_visit(&self, id: VisitId) -> Result<Visit, Error> {
        let visit = self.store.visit(id).await?;
        visit.ok_or(Reason::VISIT_NOT_FOUND.into())
    }
}

/// What ties the caller to the resident of a visit.
pub(super) fn relations(caller: &Caller, visit: &Visit) -> Vec<Relation> {
    let holder = &caller.holder;
    let attending = visit.attending.contains(&holder.identity).then_some(Relation::Attending);
    let department = (!holder.department.is_empty()
        && visit.institution == holder.institution
        && visit.department == holder.department)
        .then_some(Relation::Department);
    attending.into_iter().chain(department).collect()
}
