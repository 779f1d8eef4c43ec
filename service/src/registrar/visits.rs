//! Visits: the frame in which a resident's data may be used.

use audit::{Entry, Outcome};

use super::{Caller, Error, Registrar, cards};
use crate::{
    catalogue::{Needs, Reason},
    policy::{Act, Domain, Standing},
    store::{
        self, Change, Evidence, IdentityId, InstitutionId, Obstacle, PresenceId, Receipt,
        StoreError, Visit, VisitFilter, VisitId,
    },
    vocabulary::{Frame, Relation, Role},
};

/// Most clinicians that a visit names.
const MOST_ATTENDING: usize = 20;

/// A visit to be opened.
pub struct NewVisit {
    /// Presence of the resident's card, or of the resident with a code.
    pub presence: PresenceId,
    /// Department.
    pub department: String,
    /// Reason, without personal data.
    pub reason: String,
    /// Who treats the resident.
    pub attending: Vec<IdentityId>,
}

impl Registrar {
    /// Opens a visit for the resident whose card the caller just read, or whose code they verified.
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
        let refused = || self.entry(caller, Act::VisitOpen, Outcome::Refused);
        let presence = self.store.presence(order.presence).await?.filter(|presence| {
            presence.session == caller.holder.session && presence.expires_at > caller.now
        });
        let Some(presence) = presence else {
            return self.refuse(refused(), Reason::PRESENCE_INVALID).await;
        };
        let refused = || refused().about(presence.resident.to_string());
        for identity in &order.attending {
            let treats = self.store.identity(*identity).await?.is_some_and(|record| {
                record.institution == caller.holder.institution
                    && [Role::Doctor, Role::Nurse].map(Role::as_str).contains(&&*record.role)
            });
            if !treats {
                return self.refuse(refused(), Reason::IDENTITY_NOT_FOUND).await;
            }
        }
        let visit = store::NewVisit {
            id: VisitId::generate(),
            resident: presence.resident,
            institution: caller.holder.institution,
            presence: order.presence,
            evidence: presence.evidence,
            session: caller.holder.session,
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
            .with("evidence", presence.evidence.as_str())
            .with("presence", order.presence.to_string());
        let entry = match presence.evidence {
            Evidence::Card(card) => entry.with("card", card.to_string()),
            Evidence::DynamicCode(card) | Evidence::SignedCode(card) => {
                entry.with("electronic-card", card.to_string())
            }
        };
        let answer = self.store.record_visit_opened(visit, entry).await;
        let receipt = match answer {
            // A card that was lost a moment ago, or a presence used before, says so by its own name.
            Err(StoreError::Conflict(Obstacle::CardStatus | Obstacle::ElectronicCardStatus)) => {
                return self.refuse(cards::alert(refused()), Reason::CARD_NOT_ACTIVE).await;
            }
            Err(StoreError::Conflict(Obstacle::PresenceUsed | Obstacle::PresenceOver)) => {
                return self.refuse(refused(), Reason::PRESENCE_INVALID).await;
            }
            answer => self.settle(refused(), answer).await?,
        };
        Ok((self.known_visit(id).await?, receipt))
    }

    /// A visit: for clinicians one they have a relation to, for desks one of their institution. The
    /// reading is in the log before the answer.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND; OTHER_INSTITUTION; NO_RELATION; ROLE_NOT_ALLOWED.
    pub async fn visit(&self, caller: &Caller, id: VisitId) -> Result<(Visit, Receipt), Error> {
        self.allow(caller, Act::VisitRead).await?;
        let visit = self.visit_seen(caller, Act::VisitRead, id).await?;
        let receipt = self
            .record_act(self.entry_in(caller, Act::VisitRead, Outcome::Granted, &visit))
            .await?;
        Ok((visit, receipt))
    }

    /// Open visits: for clinicians those they have a relation to, for desks all of their
    /// institution. The reading is in the log before the answer.
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
        let visits = self.store.open_visits(filter, after, limit).await?;
        let entry = self
            .entry(caller, Act::VisitRead, Outcome::Granted)
            .with("visits", visits.len().to_string());
        self.record_act(entry).await?;
        Ok(visits)
    }

    /// Closes a visit, and with it its tokens.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND; OTHER_INSTITUTION; NO_RELATION; STATE_CONFLICT when it is closed;
    /// ROLE_NOT_ALLOWED.
    pub async fn close_visit(
        &self,
        caller: &Caller,
        id: VisitId,
    ) -> Result<(Visit, Receipt), Error> {
        self.allow(caller, Act::VisitClose).await?;
        let visit = self.visit_seen(caller, Act::VisitClose, id).await?;
        let entry = |outcome| self.entry_in(caller, Act::VisitClose, outcome, &visit);
        let granted = entry(Outcome::Granted);
        match self.store.record_visit_closed(id, caller.now, granted).await? {
            Change::Recorded(receipt) => Ok((self.known_visit(id).await?, receipt)),
            Change::None => self.refuse(entry(Outcome::Refused), Reason::STATE_CONFLICT).await,
        }
    }

    /// A visit that the caller may see; otherwise a refusal is left in the log.
    pub(super) async fn visit_seen(
        &self,
        caller: &Caller,
        act: Act,
        id: VisitId,
    ) -> Result<Visit, Error> {
        let visit = self.visit_asked_for(caller, act, id).await?;
        match standing(caller, &visit).may_see() {
            Ok(()) => Ok(visit),
            Err(denial) => {
                self.refuse(self.entry_in(caller, act, Outcome::Refused, &visit), denial).await
            }
        }
    }

    /// A visit, seen by nobody yet; that there is none is left in the log.
    pub(super) async fn visit_asked_for(
        &self,
        caller: &Caller,
        act: Act,
        id: VisitId,
    ) -> Result<Visit, Error> {
        match self.store.visit(id).await? {
            Some(visit) => Ok(visit),
            None => {
                let entry = self.entry(caller, act, Outcome::Refused).in_visit(id.to_string());
                self.refuse(entry, Reason::VISIT_NOT_FOUND).await
            }
        }
    }

    /// An entry for an act within a visit.
    pub(super) fn entry_in(
        &self,
        caller: &Caller,
        act: Act,
        outcome: Outcome,
        visit: &Visit,
    ) -> Entry {
        self.entry(caller, act, outcome)
            .about(visit.resident.to_string())
            .in_visit(visit.id.to_string())
            .on("visit", visit.id.to_string())
    }

    async fn known_visit(&self, id: VisitId) -> Result<Visit, Error> {
        let visit = self.store.visit(id).await?;
        visit.ok_or(Reason::VISIT_NOT_FOUND.into())
    }
}

/// How the caller stands to a visit.
pub(super) fn standing(caller: &Caller, visit: &Visit) -> Standing {
    let holder = &caller.holder;
    let same_institution = visit.institution == holder.institution;
    let domain = |institution: InstitutionId, region: &str| Domain {
        institution: institution.to_string(),
        region: region.to_owned(),
    };
    let attending = visit.attending.contains(&holder.identity).then_some(Relation::Attending);
    let in_department =
        same_institution && !holder.department.is_empty() && visit.department == holder.department;
    Standing {
        role: holder.role,
        own: domain(holder.institution, &holder.region),
        records: domain(visit.institution, &visit.region),
        frame: Frame::Visit,
        here: same_institution,
        visit_open: visit.closed_at.is_none(),
        objected: false,
        relations: attending
            .into_iter()
            .chain(in_department.then_some(Relation::Department))
            .collect(),
    }
}
