//! Emergency accesses (紧急访问): begun at once, and answered for afterwards.

use audit::{Entry, Outcome};
use time::Duration;

use super::{
    Caller, Error, Registrar, entry_by, erasures::unless_erased, personal::Remark, service_actor,
};
use crate::{
    catalogue::Reason,
    clock::{UtcTime, date_at_desk},
    emergency::EmergencyState,
    policy::{Act, Denial},
    store::{
        Change, Emergency, EmergencyId, EmergencyReview, NewEmergency, Obstacle, Receipt,
        ResidentId, StoreError, VisitId,
    },
    vocabulary::{EmergencyReason, Finding, Role},
};

/// By what a resident is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The resident.
    Resident(ResidentId),
    /// A visit at the caller's own institution.
    Visit(VisitId),
}

/// An emergency access to be begun.
pub struct EmergencyOrder {
    /// For whom.
    pub whom: Whom,
    /// Why.
    pub reason: EmergencyReason,
    /// The same in words.
    pub note: String,
}

/// What people wrote about one.
#[derive(Default)]
pub struct EmergencyNotes {
    /// Why it was begun.
    pub note: String,
    /// The account of whoever began it; empty until it is given.
    pub account: String,
    /// On what the finding rests; empty until there is one.
    pub finding: String,
}

/// An emergency access on record.
pub struct EmergencyRecord {
    /// What is on record.
    pub on_record: Emergency,
    /// How it stands at the time of the call.
    pub state: EmergencyState,
    /// What was written, for those who may read it.
    pub notes: Option<EmergencyNotes>,
}

/// What a resident is told of one.
pub struct EmergencyNotice {
    /// What is on record.
    pub on_record: Emergency,
    /// Name of the institution where it was begun.
    pub institution: String,
}

impl Registrar {
    /// Begins an emergency access for one resident. How many a person began stands in nobody's way before it is more
    /// than anybody can need: before that it is told to the duty officer.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; VISIT_NOT_FOUND; OTHER_INSTITUTION for a visit elsewhere; EMERGENCIES_TOO_MANY;
    /// ROLE_NOT_ALLOWED.
    pub async fn begin_emergency(
        &self,
        caller: &Caller,
        order: EmergencyOrder,
    ) -> Result<(EmergencyRecord, Receipt), Error> {
        self.allow(caller, Act::EmergencyBegin).await?;
        let refused = || self.entry(caller, Act::EmergencyBegin, Outcome::Refused);
        let (resident, visit) = match order.whom {
            Whom::Resident(resident) => (resident, None),
            Whom::Visit(id) => {
                let visit = self.visit_asked_for(caller, Act::EmergencyBegin, id).await?;
                if visit.institution != caller.holder.institution {
                    let entry =
                        self.entry_in(caller, Act::EmergencyBegin, Outcome::Refused, &visit);
                    return self.refuse(entry, Denial::OtherInstitution).await;
                }
                (visit.resident, Some(id))
            }
        };
        let refused = || refused().about(resident.to_string());
        let row = self.resident_asked_for(resident, &refused).await?;
        let (id, rules) = (EmergencyId::generate(), self.policy.emergency());
        // Tokens speak in whole seconds: those within it end just when it does.
        let ends_at = caller.now + rules.lasts;
        let ends_at = ends_at - Duration::nanoseconds(ends_at.nanosecond().into());
        let account_due = ends_at + rules.review;
        let begun = NewEmergency {
            id,
            resident,
            visit,
            institution: caller.holder.institution,
            identity: caller.holder.identity,
            role: caller.holder.role,
            reason: order.reason,
            sealed_note: self.personal.seal_remark(&row, Remark::Emergency(id), &order.note)?,
            begun_at: caller.now,
            ends_at,
            account_due,
            finding_due: account_due + rules.review,
        };
        let before = self.store.emergencies_begun(caller.holder.identity, caller.now).await?;
        let alert = |entry: Entry| match before >= rules.told_above {
            true => entry.with("alert", "emergencies-of-one-person"),
            false => entry,
        };
        let why = |entry: Entry| {
            let entry = match visit {
                Some(visit) => entry.in_visit(visit.to_string()),
                None => entry,
            };
            alert(entry)
                .with("emergency-reason", order.reason.as_str())
                .with("begun-within-an-hour", before.to_string())
        };
        let entry = why(self.entry_on(caller, Act::EmergencyBegin, Outcome::Granted, &begun))
            .under(self.policy_hash.as_str(), "emergency")
            .with("ends", ends_at.unix_timestamp().to_string());
        let (session, most) = (caller.holder.session, rules.most);
        let answer = self.store.record_emergency(begun, session, most, entry).await;
        let receipt = self.settle(why(refused()), answer).await?;
        Ok((self.emergency_on_record(caller, id).await?, receipt))
    }

    /// Ends one before its time, and its tokens with it: whoever began it may, and an operator.
    ///
    /// # Errors
    /// EMERGENCY_NOT_FOUND, also for somebody else's; EMERGENCY_OVER; ROLE_NOT_ALLOWED.
    pub async fn end_emergency(
        &self,
        caller: &Caller,
        id: EmergencyId,
    ) -> Result<(EmergencyRecord, Receipt), Error> {
        self.allow(caller, Act::EmergencyEnd).await?;
        let emergency = match caller.holder.role {
            Role::Operator => self.emergency_asked_for(caller, Act::EmergencyEnd, id).await?,
            _ => self.own_emergency(caller, Act::EmergencyEnd, id).await?,
        };
        let entry = |outcome| self.entry_on(caller, Act::EmergencyEnd, outcome, &emergency.begun);
        let by = caller.holder.identity;
        let granted = entry(Outcome::Granted).with("how", "person");
        match self.store.record_emergency_ended(id, caller.now, by, granted).await {
            Err(StoreError::Conflict(Obstacle::EmergencyState)) => {
                self.refuse(entry(Outcome::Refused), Reason::EMERGENCY_OVER).await
            }
            answer => Ok((self.emergency_on_record(caller, id).await?, answer?)),
        }
    }

    /// Takes the account of whoever began it, once it is over.
    ///
    /// # Errors
    /// EMERGENCY_NOT_FOUND, also for somebody else's; STATE_CONFLICT while it lasts, and when there is an account or a
    /// finding; ROLE_NOT_ALLOWED.
    pub async fn account_for_emergency(
        &self,
        caller: &Caller,
        id: EmergencyId,
        note: &str,
    ) -> Result<(EmergencyRecord, Receipt), Error> {
        self.allow(caller, Act::EmergencyAccount).await?;
        let emergency = self.own_emergency(caller, Act::EmergencyAccount, id).await?;
        let entry =
            |outcome| self.entry_on(caller, Act::EmergencyAccount, outcome, &emergency.begun);
        let sealed = self.seal_note(&emergency, Remark::EmergencyAccount(id), note).await?;
        let late = emergency.state(caller.now) == EmergencyState::AccountOverdue;
        let granted = entry(Outcome::Granted).with("late", if late { "yes" } else { "no" });
        let due = caller.now + self.policy.emergency().review;
        let answer =
            self.store.record_emergency_accounted(id, caller.now, sealed, due, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        Ok((self.emergency_on_record(caller, id).await?, receipt))
    }

    /// Takes the finding of another person: once there is an account, or when that is late.
    ///
    /// # Errors
    /// EMERGENCY_NOT_FOUND; SECOND_PERSON_REQUIRED for whoever began it; STATE_CONFLICT when it is not to be reviewed
    /// yet, or was; ROLE_NOT_ALLOWED.
    pub async fn review_emergency(
        &self,
        caller: &Caller,
        id: EmergencyId,
        finding: Finding,
        note: &str,
    ) -> Result<(EmergencyRecord, Receipt), Error> {
        self.allow(caller, Act::EmergencyReview).await?;
        let emergency = self.emergency_asked_for(caller, Act::EmergencyReview, id).await?;
        let entry =
            |outcome| self.entry_on(caller, Act::EmergencyReview, outcome, &emergency.begun);
        let review = EmergencyReview {
            at: caller.now,
            by: caller.holder.identity,
            finding,
            sealed_note: self.seal_note(&emergency, Remark::EmergencyFinding(id), note).await?,
        };
        let accounted = if emergency.account.is_some() { "yes" } else { "no" };
        let granted = entry(Outcome::Granted)
            .with("finding", finding.as_str())
            .with("accounted", accounted)
            .with("begun-by", emergency.begun.identity.to_string());
        let answer = self.store.record_emergency_reviewed(id, review, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        Ok((self.emergency_on_record(caller, id).await?, receipt))
    }

    /// One: for a person of theirs, for whoever reviews or runs the service. What was written is for the first two. The
    /// reading is in the log before the answer.
    ///
    /// # Errors
    /// EMERGENCY_NOT_FOUND, also for somebody else's; ROLE_NOT_ALLOWED.
    pub async fn emergency(
        &self,
        caller: &Caller,
        id: EmergencyId,
    ) -> Result<(EmergencyRecord, Receipt), Error> {
        self.allow(caller, Act::EmergencyRead).await?;
        let emergency = match self.oversees(caller) {
            true => self.emergency_asked_for(caller, Act::EmergencyRead, id).await?,
            false => self.own_emergency(caller, Act::EmergencyRead, id).await?,
        };
        let notes = match caller.holder.role {
            Role::Operator => None,
            _ => Some(self.notes(&emergency).await?),
        };
        let entry = self.entry_on(caller, Act::EmergencyRead, Outcome::Granted, &emergency.begun);
        let receipt = self.record_act(entry).await?;
        let state = emergency.state(caller.now);
        Ok((EmergencyRecord { on_record: emergency, state, notes }, receipt))
    }

    /// Those of a person's own; for whoever reviews or runs the service those that have no finding. The reading is in the
    /// log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn emergencies(
        &self,
        caller: &Caller,
        after: Option<EmergencyId>,
        limit: u32,
    ) -> Result<Vec<EmergencyRecord>, Error> {
        self.allow(caller, Act::EmergencyRead).await?;
        let found = match self.oversees(caller) {
            true => self.store.emergencies_owed(after, limit).await?,
            false => self.store.emergencies_of(caller.holder.identity, after, limit).await?,
        };
        let entry = self
            .entry(caller, Act::EmergencyRead, Outcome::Granted)
            .with("emergencies", found.len().to_string());
        self.record_act(entry).await?;
        let told = |on_record: Emergency| {
            let state = on_record.state(caller.now);
            EmergencyRecord { on_record, state, notes: None }
        };
        Ok(found.into_iter().map(told).collect())
    }

    /// What a resident has not been told yet, for whoever reads their record at a desk.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn notices(&self, resident: ResidentId) -> Result<Vec<EmergencyNotice>, Error> {
        let mut notices = Vec::new();
        for on_record in self.store.emergencies_untold(resident).await? {
            let institution = self.store.institution(on_record.begun.institution).await?;
            let institution = institution.map(|it| it.name).unwrap_or_default();
            notices.push(EmergencyNotice { on_record, institution });
        }
        Ok(notices)
    }

    /// Says that the resident was told. Their record has to be open to the caller.
    ///
    /// # Errors
    /// EMERGENCY_NOT_FOUND; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn tell_emergency(
        &self,
        caller: &Caller,
        id: EmergencyId,
    ) -> Result<Option<Receipt>, Error> {
        self.allow(caller, Act::EmergencyTell).await?;
        let emergency = self.emergency_asked_for(caller, Act::EmergencyTell, id).await?;
        self.resident_open(caller, Act::EmergencyTell, emergency.begun.resident).await?;
        let entry = self.entry_on(caller, Act::EmergencyTell, Outcome::Granted, &emergency.begun);
        let by = caller.holder.identity;
        Ok(match self.store.record_emergency_told(id, caller.now, by, entry).await? {
            Change::Recorded(receipt) => Some(receipt),
            Change::None => None,
        })
    }

    /// Puts into the log which of them ended by themselves, and once a day what is late: both as the service itself.
    ///
    /// # Errors
    /// [`Error::Store`]; what is left is done at the next turn.
    pub async fn keep_emergencies(&self, now: UtcTime) -> Result<(), Error> {
        for emergency in self.store.emergencies_over(now).await? {
            let ended = emergency.begun.ends_at.unix_timestamp().to_string();
            let entry = self.own_entry(Act::EmergencyEnd, &emergency, now);
            let entry = entry.with("how", "time").with("ended", ended);
            self.store.record_emergency_over(emergency.begun.id, entry).await?;
        }
        let day = date_at_desk(now);
        for emergency in self.store.emergencies_late(now, day).await? {
            let late = emergency.state(now);
            let entry = self
                .own_entry(Act::EmergencyRemind, &emergency, now)
                .with("alert", format!("emergency-{late}"))
                .with("begun-by", emergency.begun.identity.to_string())
                .with("institution", emergency.begun.institution.to_string());
            let id = emergency.begun.id;
            self.store.record_emergency_reminded(id, late, now, day, entry).await?;
        }
        Ok(())
    }

    /// Whether the caller sees those of others.
    fn oversees(&self, caller: &Caller) -> bool {
        let role = caller.holder.role;
        role == Role::Operator || self.policy.may(role, Act::EmergencyReview).is_ok()
    }

    /// One that the caller began, also by another identity of theirs; otherwise a refusal is left in the log.
    async fn own_emergency(
        &self,
        caller: &Caller,
        act: Act,
        id: EmergencyId,
    ) -> Result<Emergency, Error> {
        let emergency = self.emergency_asked_for(caller, act, id).await?;
        let (own, whose) = (caller.holder.identity, emergency.begun.identity);
        match self.store.is_same_person(own, whose).await? {
            true => Ok(emergency),
            false => {
                let entry = self.entry_on(caller, act, Outcome::Refused, &emergency.begun);
                self.refuse(entry, Reason::EMERGENCY_NOT_FOUND).await
            }
        }
    }

    /// One, seen by nobody yet; that there is none is left in the log.
    pub(super) async fn emergency_asked_for(
        &self,
        caller: &Caller,
        act: Act,
        id: EmergencyId,
    ) -> Result<Emergency, Error> {
        match self.store.emergency(id).await? {
            Some(emergency) => Ok(emergency),
            None => {
                let entry = self.entry(caller, act, Outcome::Refused);
                let entry = entry.on("emergency", id.to_string());
                self.refuse(entry, Reason::EMERGENCY_NOT_FOUND).await
            }
        }
    }

    async fn emergency_on_record(
        &self,
        caller: &Caller,
        id: EmergencyId,
    ) -> Result<EmergencyRecord, Error> {
        let on_record = self.store.emergency(id).await?.ok_or(Reason::EMERGENCY_NOT_FOUND)?;
        let state = on_record.state(caller.now);
        Ok(EmergencyRecord { on_record, state, notes: None })
    }

    /// What somebody wrote about one, under the resident's key. Of a resident who was erased in an older copy of the
    /// database nothing can be kept in words: that it was accounted for or reviewed is.
    async fn seal_note(
        &self,
        emergency: &Emergency,
        remark: Remark,
        note: &str,
    ) -> Result<Vec<u8>, Error> {
        match unless_erased(self.store.resident(emergency.begun.resident).await)? {
            Some(row) => Ok(self.personal.seal_remark(&row, remark, note)?),
            None => Ok(Vec::new()),
        }
    }

    async fn notes(&self, emergency: &Emergency) -> Result<EmergencyNotes, Error> {
        let id = emergency.begun.id;
        let Some(row) = unless_erased(self.store.resident(emergency.begun.resident).await)? else {
            return Ok(EmergencyNotes::default());
        };
        let open = |remark, sealed: Option<&[u8]>| match sealed {
            Some(sealed) => self.personal.open_remark(&row, remark, sealed),
            None => Ok(String::new()),
        };
        let account = emergency.account.as_ref().map(|(_, sealed)| &sealed[..]);
        let finding = emergency.review.as_ref().map(|review| &review.sealed_note[..]);
        Ok(EmergencyNotes {
            note: open(Remark::Emergency(id), Some(&emergency.begun.sealed_note))?,
            account: open(Remark::EmergencyAccount(id), account)?,
            finding: open(Remark::EmergencyFinding(id), finding)?,
        })
    }

    fn entry_on(
        &self,
        caller: &Caller,
        act: Act,
        outcome: Outcome,
        emergency: &NewEmergency,
    ) -> Entry {
        self.entry(caller, act, outcome)
            .about(emergency.resident.to_string())
            .on("emergency", emergency.id.to_string())
    }

    fn own_entry(&self, act: Act, emergency: &Emergency, now: UtcTime) -> Entry {
        entry_by(service_actor(&self.name), act, Outcome::Granted, now)
            .about(emergency.begun.resident.to_string())
            .on("emergency", emergency.begun.id.to_string())
    }
}
