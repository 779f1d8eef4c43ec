//! Referrals (转诊): the institution that keeps a resident's data sends them to another, whose doctors then see it.

use audit::{Entry, Outcome};
use time::Duration;

use super::{Caller, Error, Registrar, visits::standing};
use crate::{
    catalogue::{Needs, Reason},
    policy::{Act, Denial},
    store::{Change, InstitutionId, NewReferral, Receipt, Referral, ReferralId, VisitId},
};

/// How long data is seen on the ground of a referral, at most.
const LONGEST: Duration = Duration::days(90);

impl Registrar {
    /// Sends the resident of an open visit to another institution.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND, and what keeps the caller from working in it; INSTITUTION_NOT_FOUND; FIELD_INVALID;
    /// ROLE_NOT_ALLOWED.
    pub async fn refer(
        &self,
        caller: &Caller,
        visit: VisitId,
        recipient: InstitutionId,
        lasts: Duration,
    ) -> Result<(Referral, Receipt), Error> {
        self.allow(caller, Act::ReferralMake).await?;
        if lasts <= Duration::ZERO || lasts > LONGEST {
            return Err(Error::Field { field: "days", needs: Needs::ReferralDays });
        }
        let visit = self.visit_asked_for(caller, Act::ReferralMake, visit).await?;
        let entry = |outcome| {
            let entry = self.entry_in(caller, Act::ReferralMake, outcome, &visit);
            entry.with("recipient", recipient.to_string())
        };
        let refused = || entry(Outcome::Refused);
        if let Err(denial) = standing(caller, &visit).may_work() {
            return self.refuse(refused(), denial).await;
        }
        if recipient == visit.institution {
            return Err(Error::Field { field: "recipient_id", needs: Needs::OtherInstitution });
        }
        if self.store.institution(recipient).await?.is_none() {
            return self.refuse(refused(), Reason::INSTITUTION_NOT_FOUND).await;
        }
        let made = NewReferral {
            id: ReferralId::generate(),
            resident: visit.resident,
            visit: visit.id,
            institution: visit.institution,
            recipient,
            identity: caller.holder.identity,
            made_at: caller.now,
            ends_at: caller.now + lasts,
        };
        let granted = entry(Outcome::Granted)
            .on("referral", made.id.to_string())
            .with("ends", made.ends_at.unix_timestamp().to_string());
        let answer = self.store.record_referral(made.clone(), granted).await;
        let receipt = self.settle(refused(), answer).await?;
        Ok((Referral { made, ended_at: None }, receipt))
    }

    /// Ends a referral of the caller's institution, and with it what rests on it.
    ///
    /// # Errors
    /// REFERRAL_NOT_FOUND; OTHER_INSTITUTION; STATE_CONFLICT when it is over; ROLE_NOT_ALLOWED.
    pub async fn end_referral(
        &self,
        caller: &Caller,
        id: ReferralId,
    ) -> Result<(Referral, Receipt), Error> {
        self.allow(caller, Act::ReferralEnd).await?;
        let entry =
            |outcome| self.entry(caller, Act::ReferralEnd, outcome).on("referral", id.to_string());
        let Some(referral) = self.store.referral(id).await? else {
            return self.refuse(entry(Outcome::Refused), Reason::REFERRAL_NOT_FOUND).await;
        };
        let about = |entry: Entry| {
            let made = &referral.made;
            entry.about(made.resident.to_string()).in_visit(made.visit.to_string())
        };
        if referral.made.institution != caller.holder.institution {
            return self.refuse(about(entry(Outcome::Refused)), Denial::OtherInstitution).await;
        }
        let (by, granted) = (caller.holder.identity, about(entry(Outcome::Granted)));
        match self.store.record_referral_ended(id, by, caller.now, granted).await? {
            Change::Recorded(receipt) => {
                Ok((Referral { ended_at: Some(caller.now), ..referral }, receipt))
            }
            Change::None => {
                self.refuse(about(entry(Outcome::Refused)), Reason::STATE_CONFLICT).await
            }
        }
    }

    /// Referrals of the resident of a visit from or to the caller's institution, the newest first. The reading is in
    /// the log before the answer.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND; OTHER_INSTITUTION; NO_RELATION; ROLE_NOT_ALLOWED.
    pub async fn referrals(
        &self,
        caller: &Caller,
        visit: VisitId,
    ) -> Result<(Vec<Referral>, Receipt), Error> {
        self.allow(caller, Act::ReferralRead).await?;
        let visit = self.visit_seen(caller, Act::ReferralRead, visit).await?;
        let found = self.store.referrals_of(visit.resident, visit.institution).await?;
        let entry = self
            .entry_in(caller, Act::ReferralRead, Outcome::Granted, &visit)
            .with("referrals", found.len().to_string());
        Ok((found, self.record_act(entry).await?))
    }
}
