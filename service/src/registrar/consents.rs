//! Consents (授权确认): given by a resident whose card is in the reader, or by who speaks for them; and withdrawn.

use audit::{Entry, Outcome};
use serde::Serialize;
use time::Duration;

use super::{Caller, Error, Registrar, guardians::birthday};
use crate::{
    catalogue::{Needs, Reason},
    clock::{UtcTime, date_at_desk},
    policy::{Act, Denial},
    store::{
        Change, Consent, ConsentId, IdentityId, InstitutionId, NewConsent, Presence, PresenceId,
        Receipt, ResidentId,
    },
    vocabulary::{ConsentKind, ConsentState, DataClass, Grade, GuardianScope, Purpose, Role},
};

/// Years at which a resident consents for themselves: Personal Information Protection Law (个人信息保护法), article 31.
const SPEAKS: i32 = 14;
/// The longest that a consent lasts.
const LONGEST: Duration = Duration::days(5 * 366);
/// What a family doctor follows (家庭医生签约服务): the rules say how far.
const FOLLOWED: [DataClass; 3] = [DataClass::Personal, DataClass::Health, DataClass::Care];
/// Type of the signed receipt.
pub(super) const RECEIPT: &str = "consent-receipt+jwt";

/// A consent to be put on record.
pub struct ConsentOrder {
    /// Whose data.
    pub resident: ResidentId,
    /// What stands for who gives it.
    pub presence: PresenceId,
    /// Whether they agree or object.
    pub kind: ConsentKind,
    /// What for.
    pub purpose: Purpose,
    /// Which kinds of data.
    pub classes: Vec<DataClass>,
    /// The highest grade; of an objection the lowest.
    pub grade: Grade,
    /// Who may see it.
    pub recipient: Option<InstitutionId>,
    /// The one person there who may.
    pub person: Option<IdentityId>,
    /// Who keeps the data.
    pub records: Option<InstitutionId>,
    /// How long.
    pub lasts: Duration,
}

/// A consent, as it stands at the time of the call.
pub struct ConsentRecord {
    /// As it is on record.
    pub consent: Consent,
    /// How it stands.
    pub state: ConsentState,
    /// A receipt that is checked without the service: compact JWS.
    pub signed: String,
    /// What the institutions in it are called.
    pub names: ConsentNames,
}

/// Names of the institutions in a consent; empty where there is none.
pub struct ConsentNames {
    /// Where it was recorded.
    pub institution: String,
    /// Who may see it.
    pub recipient: String,
    /// Who keeps the data.
    pub records: String,
}

/// Which consents are listed.
#[derive(Clone, Copy)]
pub enum Listed {
    /// Those of a resident whose record is open to the caller.
    Of(ResidentId),
    /// Those by which the caller may see data.
    Mine,
}

/// What the receipt says.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    kind: ConsentKind,
    state: ConsentState,
    resident: String,
    given_by: &'a str,
    given_at: i64,
    purpose: Purpose,
    classes: &'a [DataClass],
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<Grade>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<String>,
    institution: String,
    log_position: u64,
}

impl Registrar {
    /// Puts on record what a resident who is here, or their guardian who is, agrees or objects to.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; PRESENCE_INVALID; NOT_THEIR_GUARDIAN when somebody else is here; GUARDIAN_NEEDED of a child;
    /// INSTITUTION_NOT_FOUND; IDENTITY_NOT_FOUND; FIELD_INVALID; ROLE_NOT_ALLOWED.
    pub async fn grant_consent(
        &self,
        caller: &Caller,
        order: ConsentOrder,
    ) -> Result<(ConsentRecord, Receipt), Error> {
        self.allow(caller, Act::ConsentGrant).await?;
        let (id, order) = (ConsentId::generate(), order.checked()?);
        let entry = |outcome| {
            entry_about(self.entry(caller, Act::ConsentGrant, outcome), id, order.resident)
        };
        let refused = || entry(Outcome::Refused);
        let here = self
            .speaks_for(caller, order.resident, order.presence, GuardianScope::Consent, refused)
            .await?;
        let given = NewConsent {
            id,
            resident: order.resident,
            kind: order.kind,
            purpose: order.purpose,
            classes: order.classes.clone(),
            grade: order.grade,
            recipient: order.recipient,
            person: order.person,
            records: order.records,
            guardian: (here.resident != order.resident).then_some(here.resident),
            evidence: here.evidence.as_str().to_owned(),
            institution: caller.holder.institution,
            identity: caller.holder.identity,
            given_at: caller.now,
            ends_at: caller.now + order.lasts,
            witness_due: false,
        };
        self.check_recipient(&given, refused).await?;
        let given = NewConsent { witness_due: takes_witness(&given), ..given };
        let entry =
            described(entry(Outcome::Granted), &given).with("presence", order.presence.to_string());
        let answer = self.store.record_consent(given, caller.holder.session, entry).await;
        let receipt = self.settle(refused(), answer).await?;
        Ok((self.consent_as_it_stands(id, caller.now).await?, receipt))
    }

    /// A second person says that they saw it given: from then on it is in force.
    ///
    /// # Errors
    /// CONSENT_NOT_FOUND; SECOND_PERSON_REQUIRED for who recorded it or would see the data; CONSENT_OVER when it does
    /// not wait for anybody; OTHER_INSTITUTION; ROLE_NOT_ALLOWED.
    pub async fn witness_consent(
        &self,
        caller: &Caller,
        id: ConsentId,
    ) -> Result<(ConsentRecord, Receipt), Error> {
        self.allow(caller, Act::ConsentWitness).await?;
        let consent = self.consent_asked_for(caller, Act::ConsentWitness, id).await?;
        let entry = |outcome| {
            let entry = self.entry(caller, Act::ConsentWitness, outcome);
            entry_about(entry, id, consent.given.resident)
        };
        if consent.given.institution != caller.holder.institution {
            return self.refuse(entry(Outcome::Refused), Denial::OtherInstitution).await;
        }
        let (given, holder) = (&consent.given, &caller.holder);
        let reads = matches!(holder.role, Role::Doctor | Role::Nurse | Role::Researcher);
        if reads && given.is_for(holder.institution, holder.identity) {
            return self.refuse(entry(Outcome::Refused), Reason::SECOND_PERSON_REQUIRED).await;
        }
        let witness = holder.identity;
        let granted = entry(Outcome::Granted);
        let answer = self.store.record_consent_witnessed(id, witness, caller.now, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        Ok((self.consent_as_it_stands(id, caller.now).await?, receipt))
    }

    /// Withdraws a consent, for the resident who is here or their guardian who is. What rests on it ends with it.
    ///
    /// # Errors
    /// CONSENT_NOT_FOUND; PRESENCE_INVALID; NOT_THEIR_GUARDIAN; STATE_CONFLICT when it was withdrawn before;
    /// ROLE_NOT_ALLOWED.
    pub async fn withdraw_consent(
        &self,
        caller: &Caller,
        id: ConsentId,
        presence: PresenceId,
    ) -> Result<(ConsentRecord, Receipt), Error> {
        self.allow(caller, Act::ConsentWithdraw).await?;
        let consent = self.consent_asked_for(caller, Act::ConsentWithdraw, id).await?;
        let resident = consent.given.resident;
        let entry =
            |outcome| entry_about(self.entry(caller, Act::ConsentWithdraw, outcome), id, resident);
        let refused = || entry(Outcome::Refused);
        let scope = GuardianScope::Consent;
        let here = self.speaks_for(caller, resident, presence, scope, refused).await?;
        let own_objection =
            consent.given.kind == ConsentKind::Object && consent.given.guardian.is_none();
        if here.resident != resident && own_objection {
            return self.refuse(refused(), Reason::OBJECTION_OF_RESIDENT).await;
        }
        let granted = entry(Outcome::Granted)
            .with("given-by", if here.resident == resident { "resident" } else { "guardian" })
            .with("presence", presence.to_string());
        let by = caller.holder.identity;
        match self.store.record_consent_withdrawn(id, by, caller.now, granted).await? {
            Change::Recorded(receipt) => {
                Ok((self.consent_as_it_stands(id, caller.now).await?, receipt))
            }
            Change::None => self.refuse(refused(), Reason::STATE_CONFLICT).await,
        }
    }

    /// A consent: at desks one of a resident whose record is open to them, or that was given there; for others one by
    /// which they may see data. The reading is in the log before the answer.
    ///
    /// # Errors
    /// CONSENT_NOT_FOUND, also for one that is not the caller's; ROLE_NOT_ALLOWED.
    pub async fn consent(
        &self,
        caller: &Caller,
        id: ConsentId,
    ) -> Result<(ConsentRecord, Receipt), Error> {
        self.allow(caller, Act::ConsentRead).await?;
        let consent = self.consent_asked_for(caller, Act::ConsentRead, id).await?;
        let (given, holder) = (&consent.given, &caller.holder);
        let open = match holder.role {
            Role::Clerk | Role::Desk => {
                let registered = self.known_resident(given.resident).await?.institution;
                given.institution == holder.institution
                    || self.is_open_to(caller, registered, given.resident).await?
            }
            _ => given.is_for(holder.institution, holder.identity),
        };
        let entry = |outcome| {
            entry_about(self.entry(caller, Act::ConsentRead, outcome), id, given.resident)
        };
        if !open {
            return self.refuse(entry(Outcome::Refused), Reason::CONSENT_NOT_FOUND).await;
        }
        let receipt = self.record_act(entry(Outcome::Granted)).await?;
        Ok((self.told_consent(consent, caller.now).await?, receipt))
    }

    /// Consents, the newest first. The reading is in the log before the answer.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn consents(
        &self,
        caller: &Caller,
        listed: Listed,
        before: Option<ConsentId>,
        limit: u32,
    ) -> Result<Vec<ConsentRecord>, Error> {
        self.allow(caller, Act::ConsentRead).await?;
        let holder = &caller.holder;
        let entry = self.entry(caller, Act::ConsentRead, Outcome::Granted);
        let (entry, found) = match listed {
            Listed::Of(resident) if matches!(holder.role, Role::Clerk | Role::Desk) => {
                self.resident_open(caller, Act::ConsentRead, resident).await?;
                let found = self.store.consents_of(resident, before, limit).await?;
                (entry.about(resident.to_string()), found)
            }
            Listed::Of(resident) => {
                let refused = self.entry(caller, Act::ConsentRead, Outcome::Refused);
                let refused = refused.about(resident.to_string());
                return self.refuse(refused, Denial::Role).await;
            }
            Listed::Mine => {
                let (institution, person) = (holder.institution, holder.identity);
                (entry, self.store.consents_for(institution, person, before, limit).await?)
            }
        };
        self.record_act(entry.with("consents", found.len().to_string())).await?;
        let mut told = Vec::with_capacity(found.len());
        for consent in found {
            told.push(self.told_consent(consent, caller.now).await?);
        }
        Ok(told)
    }

    /// The presence in this session of a resident, or of a guardian who may do this in their place. What it rests on
    /// still stands: a card that was reported lost meanwhile is nobody's presence.
    pub(super) async fn speaks_for(
        &self,
        caller: &Caller,
        resident: ResidentId,
        presence: PresenceId,
        scope: GuardianScope,
        refused: impl Fn() -> Entry,
    ) -> Result<Presence, Error> {
        let record = self.resident_asked_for(resident, &refused).await?;
        let here = self.store.presence(presence).await?.filter(|presence| {
            presence.session == caller.holder.session && presence.expires_at > caller.now
        });
        let Some(here) = here else {
            return self.refuse(refused(), Reason::PRESENCE_INVALID).await;
        };
        if !self.is_active(here.evidence).await? {
            return self.refuse(refused(), Reason::CARD_NOT_ACTIVE).await;
        }
        let today = date_at_desk(caller.now);
        if here.resident == resident {
            let born = self.personal.open_resident(&record)?.birth_date();
            return match today < birthday(born, SPEAKS) {
                true => self.refuse(refused(), Reason::GUARDIAN_NEEDED).await,
                false => Ok(here),
            };
        }
        let guardians = self.store.guardians_of(resident).await?;
        let speaks = guardians
            .iter()
            .any(|it| it.made.guardian == here.resident && it.allows(scope, caller.now));
        match speaks {
            true => Ok(here),
            false => self.refuse(refused(), Reason::NOT_THEIR_GUARDIAN).await,
        }
    }

    /// Whoever is named in it is on record, and a person who is works there.
    async fn check_recipient(
        &self,
        given: &NewConsent,
        refused: impl Fn() -> Entry,
    ) -> Result<(), Error> {
        for institution in given.recipient.iter().chain(&given.records) {
            if self.store.institution(*institution).await?.is_none() {
                return self.refuse(refused(), Reason::INSTITUTION_NOT_FOUND).await;
            }
        }
        let Some(person) = given.person else { return Ok(()) };
        let sees = [Role::Doctor, Role::Nurse, Role::Researcher].map(Role::as_str);
        let known = self.store.identity(person).await?.is_some_and(|record| {
            Some(record.institution) == given.recipient && sees.contains(&&*record.role)
        });
        match known {
            true => Ok(()),
            false => self.refuse(refused(), Reason::IDENTITY_NOT_FOUND).await,
        }
    }

    pub(super) async fn consent_asked_for(
        &self,
        caller: &Caller,
        act: Act,
        id: ConsentId,
    ) -> Result<Consent, Error> {
        match self.store.consent(id).await? {
            Some(consent) => Ok(consent),
            None => {
                let entry = self.entry(caller, act, Outcome::Refused).on("consent", id.to_string());
                self.refuse(entry, Reason::CONSENT_NOT_FOUND).await
            }
        }
    }

    async fn consent_as_it_stands(
        &self,
        id: ConsentId,
        now: UtcTime,
    ) -> Result<ConsentRecord, Error> {
        let consent = self.store.consent(id).await?.ok_or(Reason::CONSENT_NOT_FOUND)?;
        self.told_consent(consent, now).await
    }

    async fn told_consent(&self, consent: Consent, now: UtcTime) -> Result<ConsentRecord, Error> {
        let (given, state) = (&consent.given, consent.state(now));
        let names = ConsentNames {
            institution: self.institution_name(Some(given.institution)).await?,
            recipient: self.institution_name(given.recipient).await?,
            records: self.institution_name(given.records).await?,
        };
        let claims = Claims {
            iss: &self.name,
            iat: now.unix_timestamp(),
            exp: given.ends_at.unix_timestamp(),
            jti: given.id.to_string(),
            kind: given.kind,
            state,
            resident: given.resident.to_string(),
            given_by: given_by(given),
            given_at: given.given_at.unix_timestamp(),
            purpose: given.purpose,
            classes: &given.classes,
            grade: Some(given.grade).filter(|_| given.kind != ConsentKind::FamilyDoctor),
            recipient: given.recipient.map(|it| it.to_string()),
            person: given.person.map(|it| it.to_string()),
            records: given.records.map(|it| it.to_string()),
            institution: given.institution.to_string(),
            log_position: consent.log_position,
        };
        let signed = self.tokens.sign_statement(RECEIPT, &claims)?;
        Ok(ConsentRecord { consent, state, signed, names })
    }

    async fn institution_name(&self, id: Option<InstitutionId>) -> Result<String, Error> {
        let Some(id) = id else { return Ok(String::new()) };
        Ok(self.store.institution(id).await?.map(|it| it.name).unwrap_or_default())
    }
}

impl ConsentOrder {
    /// The order as it is meant, or what is wrong with it.
    fn checked(self) -> Result<Self, Error> {
        let wrong = |field, needs| Err(Error::Field { field, needs });
        if self.lasts <= Duration::ZERO || self.lasts > LONGEST {
            return wrong("days", Needs::ConsentDays);
        }
        if self.person.is_some() && self.recipient.is_none() {
            return wrong("recipient_id", Needs::Recipient);
        }
        match self.kind {
            ConsentKind::Permit | ConsentKind::Object if self.classes.is_empty() => {
                wrong("classes", Needs::Classes)
            }
            ConsentKind::Permit if self.recipient.is_none() => {
                wrong("recipient_id", Needs::Recipient)
            }
            // Emergencies rest on no consent, and no objection stands in their way.
            _ if self.purpose == Purpose::Emergency => wrong("purpose", Needs::ConsentPurpose),
            ConsentKind::FamilyDoctor if self.person.is_none() => {
                wrong("person_id", Needs::FamilyDoctor)
            }
            ConsentKind::FamilyDoctor => Ok(Self {
                purpose: Purpose::Treatment,
                classes: FOLLOWED.to_vec(),
                grade: Grade::HIGHEST,
                ..self
            }),
            ConsentKind::Permit | ConsentKind::Object => Ok(self),
        }
    }
}

/// What goes further than most, or is said in another's place, is seen by two.
fn takes_witness(given: &NewConsent) -> bool {
    match given.kind {
        // To see less takes nobody's word but theirs.
        ConsentKind::Object => false,
        ConsentKind::FamilyDoctor => given.guardian.is_some(),
        ConsentKind::Permit => {
            given.guardian.is_some()
                || given.grade == Grade::HIGHEST
                || given.purpose == Purpose::Research
        }
    }
}

fn given_by(given: &NewConsent) -> &'static str {
    if given.guardian.is_some() { "guardian" } else { "resident" }
}

fn entry_about(entry: Entry, id: ConsentId, resident: ResidentId) -> Entry {
    entry.about(resident.to_string()).on("consent", id.to_string())
}

/// The entry has everything that was agreed to.
fn described(entry: Entry, given: &NewConsent) -> Entry {
    let classes: Vec<_> = given.classes.iter().map(|it| it.as_str()).collect();
    let mut entry = entry
        .for_purpose(given.purpose.as_str())
        .with("kind", given.kind.as_str())
        .with("classes", classes.join(","))
        .with("grade", given.grade.level().to_string())
        .with("given-by", given_by(given))
        .with("evidence", given.evidence.as_str())
        .with("witness", if given.witness_due { "due" } else { "not-due" })
        .with("ends", given.ends_at.unix_timestamp().to_string());
    let named = [
        ("recipient", given.recipient.map(|it| it.to_string())),
        ("person", given.person.map(|it| it.to_string())),
        ("records", given.records.map(|it| it.to_string())),
        ("guardian", given.guardian.map(|it| it.to_string())),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            entry = entry.with(name, value);
        }
    }
    entry
}
