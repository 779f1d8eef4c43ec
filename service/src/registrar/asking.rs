//! What a decision about data is asked within, and everything on record that bears on it.

use std::time::Duration;

use audit::{Entry, Outcome};

use super::{Caller, Error, Registrar, Wanted, visits::standing};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    emergency::EmergencyState,
    policy::{Act, Domain, Grant, Standing, looked_for},
    store::{
        ConsentId, EmergencyId, GuardianshipId, InstitutionId, ReferralId, ResidentId, Sought,
        VisitId,
    },
    vocabulary::{ConsentKind, ConsentState, Frame, Relation},
};

/// What an access is within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// A visit.
    Visit(VisitId),
    /// A consent, without a visit.
    Consent(ConsentId),
    /// An emergency access of the caller's own.
    Emergency(EmergencyId),
}

/// What is asked, with everything on record that bears on it.
pub(super) struct Asked {
    pub(super) standing: Standing,
    pub(super) resident: ResidentId,
    pub(super) visit: Option<VisitId>,
    /// Where there is no visit.
    pub(super) consent: Option<ConsentId>,
    pub(super) emergency: Option<EmergencyId>,
    /// When the frame ends by itself, if it does.
    ends_at: Option<UtcTime>,
    permit: Option<(ConsentId, UtcTime)>,
    contract: Option<(ConsentId, UtcTime)>,
    referral: Option<(ReferralId, UtcTime)>,
    /// What was looked for of the caller as a person, and found.
    looked_for: Vec<Relation>,
    guardianship: Option<(GuardianshipId, UtcTime)>,
}

/// What a grant ends with, besides the frame.
pub(super) struct Rests {
    pub(super) consent: Option<ConsentId>,
    pub(super) referral: Option<ReferralId>,
    pub(super) guardianship: Option<GuardianshipId>,
    pub(super) until: Option<UtcTime>,
}

impl Asked {
    /// What this grant rests on.
    pub(super) fn rests_on(&self, grant: &Grant) -> Rests {
        let by = |relation| grant.relations.contains(&relation);
        // Where there is nothing else that it is within, it is within the consent, whatever the rule asks for.
        let within = self.standing.frame == Frame::Consent;
        let consent = match (within || by(Relation::Consent), by(Relation::FamilyDoctor)) {
            (true, _) => self.permit,
            (false, true) => self.contract,
            (false, false) => None,
        };
        let referral = self.referral.filter(|_| by(Relation::Referral));
        let guardianship = self.guardianship.filter(|_| by(Relation::Guardian));
        let ends = [
            consent.map(|it| it.1),
            referral.map(|it| it.1),
            guardianship.map(|it| it.1),
            self.ends_at,
        ];
        Rests {
            consent: consent.map(|it| it.0),
            referral: referral.map(|it| it.0),
            guardianship: guardianship.map(|it| it.0),
            until: ends.into_iter().flatten().min(),
        }
    }
}

impl Registrar {
    /// Everything on record that bears on what is wanted.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND; CONSENT_NOT_FOUND and EMERGENCY_NOT_FOUND, also for somebody else's; CONSENT_OVER;
    /// EMERGENCY_OVER; INSTITUTION_NOT_FOUND.
    pub(super) async fn asked(
        &self,
        caller: &Caller,
        act: Act,
        wanted: &Wanted,
    ) -> Result<Asked, Error> {
        let mut asked = match wanted.within {
            Within::Visit(visit) => {
                let visit = self.visit_asked_for(caller, act, visit).await?;
                let standing = standing(caller, &visit);
                Asked { visit: Some(visit.id), ..Asked::new(standing, visit.resident) }
            }
            Within::Consent(consent) => self.asked_by_consent(caller, act, consent).await?,
            Within::Emergency(emergency) => self.asked_in_emergency(caller, act, emergency).await?,
        };
        if let Some(records) = wanted.records {
            let keeper = self.keeper(caller, act, &asked, records).await?;
            asked.standing.records = keeper;
        }
        self.tied(caller, act, wanted, &mut asked).await?;
        Ok(asked)
    }

    async fn asked_by_consent(
        &self,
        caller: &Caller,
        act: Act,
        id: ConsentId,
    ) -> Result<Asked, Error> {
        let consent = self.consent_asked_for(caller, act, id).await?;
        let (given, holder) = (&consent.given, &caller.holder);
        let standing = at_home(caller, Frame::Consent, Vec::new());
        let mut asked = Asked { consent: Some(id), ..Asked::new(standing, given.resident) };
        let refused = || self.entry_asked(caller, act, Outcome::Refused, &asked);
        let permits =
            given.kind == ConsentKind::Permit && given.is_for(holder.institution, holder.identity);
        if !permits {
            return self.refuse(refused(), Reason::CONSENT_NOT_FOUND).await;
        }
        if consent.state(caller.now) != ConsentState::InForce {
            return self.refuse(refused(), Reason::CONSENT_OVER).await;
        }
        if let Some(records) = given.records {
            let keeper = self.keeper(caller, act, &asked, records).await?;
            asked.standing.records = keeper;
        }
        Ok(asked)
    }

    /// Where no institution is named, the one that registered the resident is taken to keep the data.
    async fn asked_in_emergency(
        &self,
        caller: &Caller,
        act: Act,
        id: EmergencyId,
    ) -> Result<Asked, Error> {
        let emergency = self.emergency_asked_for(caller, act, id).await?;
        let begun = &emergency.begun;
        let standing = at_home(caller, Frame::Emergency, vec![Relation::Emergency]);
        let mut asked = Asked {
            emergency: Some(id),
            ends_at: Some(begun.ends_at),
            ..Asked::new(standing, begun.resident)
        };
        let refused = || self.entry_asked(caller, act, Outcome::Refused, &asked);
        // Only under the identity that began it: the token is bound to that.
        if begun.identity != caller.holder.identity {
            return self.refuse(refused(), Reason::EMERGENCY_NOT_FOUND).await;
        }
        if emergency.state(caller.now) != EmergencyState::Running {
            return self.refuse(refused(), Reason::EMERGENCY_OVER).await;
        }
        let records = self.known_resident(begun.resident).await?.institution;
        let keeper = self.keeper(caller, act, &asked, records).await?;
        asked.standing.records = keeper;
        Ok(asked)
    }

    /// The domain of an institution that keeps data.
    async fn keeper(
        &self,
        caller: &Caller,
        act: Act,
        asked: &Asked,
        records: InstitutionId,
    ) -> Result<Domain, Error> {
        let institution = records.to_string();
        if institution == asked.standing.records.institution {
            return Ok(asked.standing.records.clone());
        }
        match self.store.institution(records).await? {
            Some(keeper) => Ok(Domain { institution, region: keeper.region }),
            None => {
                let entry = self.entry_asked(caller, act, Outcome::Refused, asked);
                self.refuse(entry, Reason::INSTITUTION_NOT_FOUND).await
            }
        }
    }

    /// Consents and referrals that tie the caller to the resident, who the caller is to them, and objections.
    async fn tied(
        &self,
        caller: &Caller,
        act: Act,
        wanted: &Wanted,
        asked: &mut Asked,
    ) -> Result<(), Error> {
        let (holder, now) = (&caller.holder, caller.now);
        // Identifiers of this service's own records are always ones.
        let Ok(records) = asked.standing.records.institution.parse() else { return Ok(()) };
        let sought = Sought {
            institution: holder.institution,
            person: holder.identity,
            purpose: wanted.purpose,
            classes: &wanted.classes,
            grade: wanted.grade,
            records,
        };
        let consents = self.store.consents_about(asked.resident, holder.institution, now).await?;
        asked.standing.objected = consents.iter().any(|it| it.objects_to(&sought));
        let within = |id| asked.consent.is_none_or(|only| only == id);
        let permit = consents.iter().find(|it| within(it.given.id) && it.covers(&sought));
        asked.permit = permit.map(|it| (it.given.id, it.given.ends_at));
        let contract = consents.iter().find(|it| it.contracts(&sought));
        asked.contract = contract.map(|it| (it.given.id, it.given.ends_at));
        if records != holder.institution {
            let resident = asked.resident;
            let referral = self.store.referral_between(resident, records, holder.institution, now);
            let referral = referral.await?;
            asked.referral = referral.map(|it| (it.made.id, it.made.ends_at));
        }
        let ties = [
            (Relation::Referral, asked.referral.is_some()),
            (Relation::FamilyDoctor, asked.contract.is_some()),
            (Relation::Consent, asked.permit.is_some()),
        ];
        let ties = ties.into_iter().filter(|(_, tied)| *tied).map(|(relation, _)| relation);
        asked.standing.relations.extend(ties);
        let looked_for = self.policy.looks_for(act, holder.role, wanted.purpose);
        let in_person = self.in_person(caller, looked_for, asked.resident).await?;
        asked.standing.relations.extend(in_person.relations());
        asked.guardianship = in_person.guardianship;
        asked.looked_for = looked_for.to_vec();
        Ok(())
    }

    /// An entry about what is asked.
    pub(super) fn entry_asked(
        &self,
        caller: &Caller,
        act: Act,
        outcome: Outcome,
        asked: &Asked,
    ) -> Entry {
        let entry = self.entry(caller, act, outcome).about(asked.resident.to_string());
        match (asked.visit, asked.consent, asked.emergency) {
            (Some(visit), ..) => entry.in_visit(visit.to_string()).on("visit", visit.to_string()),
            (None, Some(consent), _) => entry.on("consent", consent.to_string()),
            (None, None, Some(emergency)) => entry.on("emergency", emergency.to_string()),
            (None, None, None) => entry,
        }
    }
}

impl Asked {
    fn new(standing: Standing, resident: ResidentId) -> Self {
        Self {
            standing,
            resident,
            visit: None,
            consent: None,
            emergency: None,
            ends_at: None,
            permit: None,
            contract: None,
            referral: None,
            looked_for: Vec::new(),
            guardianship: None,
        }
    }
}

/// How the caller stands to what is theirs without a visit, of data of their own institution.
fn at_home(caller: &Caller, frame: Frame, relations: Vec<Relation>) -> Standing {
    let holder = &caller.holder;
    let own = Domain { institution: holder.institution.to_string(), region: holder.region.clone() };
    Standing {
        role: holder.role,
        records: own.clone(),
        own,
        frame,
        here: true,
        visit_open: true,
        objected: false,
        relations,
    }
}

/// The entry has everything that the decision was made on: with the rules of that digest it is made again.
pub(super) fn decided_on(entry: Entry, asked: &Asked, wanted: &Wanted) -> Entry {
    let entry = wanted.request(&asked.standing, Duration::ZERO).recorded(entry);
    let entry = looked_for(entry, &asked.looked_for);
    let consent = asked.permit.or(asked.contract).map(|it| it.0.to_string());
    let referral = asked.referral.map(|it| it.0.to_string());
    let emergency = asked.emergency.map(String::from);
    let guardianship = asked.guardianship.map(|it| it.0.to_string());
    let rests = [
        ("consent", consent),
        ("referral", referral),
        ("emergency", emergency),
        ("guardianship", guardianship),
    ];
    let rests = rests.into_iter().filter_map(|(name, id)| Some((name, id?)));
    rests.fold(entry, |entry, (name, id)| entry.with(name, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::now,
        policy::{AccessRequest, Policy},
        vocabulary::{DataClass, Grade, Purpose, Role},
    };

    /// A token ends no later than the relation that opened the data, and is not cut short by one that did not.
    #[test]
    fn a_grant_rests_on_the_guardianship_that_it_takes() {
        let own = Domain { institution: "one".to_owned(), region: "330106".to_owned() };
        let standing = Standing {
            role: Role::Doctor,
            records: own.clone(),
            own,
            frame: Frame::Visit,
            here: true,
            visit_open: true,
            objected: false,
            relations: vec![Relation::Attending, Relation::Guardian],
        };
        let (guardianship, last) = (GuardianshipId::generate(), now());
        let asked = Asked {
            guardianship: Some((guardianship, last)),
            ..Asked::new(standing, ResidentId::generate())
        };
        for (purpose, rests_on) in
            [(Purpose::PatientRequest, Some((guardianship, last))), (Purpose::Treatment, None)]
        {
            let grant = Policy::shipped().unwrap().access(&AccessRequest {
                standing: &asked.standing,
                purpose,
                grade: Grade::LOWEST,
                classes: &[DataClass::Health],
                lifetime: Duration::ZERO,
            });
            let rests = asked.rests_on(&grant.unwrap());
            assert_eq!(rests.guardianship.zip(rests.until), rests_on, "{purpose}");
        }
    }
}
