//! Residents on record.

use audit::{Entry, Outcome};
use card::{EthnicGroup, Name, Phone, ResidentIdNumber, Sex};
use time::Date;

use super::{Caller, Decision, Error, Registrar};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    likeness::Verdict,
    policy::{Act, Denial},
    store::{self, InstitutionId, Obstacle, Receipt, ResidentId, StoreError},
};

/// A resident to be put on record.
pub struct NewResident {
    /// Name (姓名).
    pub name: Name,
    /// ID number (公民身份号码).
    pub id_number: ResidentIdNumber,
    /// Phone, when one was given.
    pub phone: Option<Phone>,
    /// Ethnic group, when stated.
    pub ethnic_group: Option<EthnicGroup>,
}

/// A resident on record. Personal data: it has no `Debug`.
pub struct ResidentRecord {
    /// Pseudonym.
    pub id: ResidentId,
    /// Name.
    pub name: String,
    /// ID number.
    pub id_number: ResidentIdNumber,
    /// Phone; empty when none was given.
    pub phone: String,
    /// Ethnic group, 1 to 56; 0 when not stated.
    pub ethnic_group: u8,
    /// When the resident was registered.
    pub registered_at: UtcTime,
}

impl ResidentRecord {
    /// Sex, from the ID number.
    #[must_use]
    pub fn sex(&self) -> Sex {
        self.id_number.sex()
    }

    /// Date of birth, from the ID number.
    #[must_use]
    pub fn birth_date(&self) -> Date {
        self.id_number.birth_date()
    }
}

/// What became of a registration.
pub enum Registered {
    /// The resident is on record under this pseudonym.
    Resident(ResidentId),
    /// Staff found the person on record already, and nothing was registered.
    Stopped,
}

impl Registrar {
    /// Puts a resident on record.
    ///
    /// # Errors
    /// ALREADY_REGISTERED when the ID number is on record; LOOK_ALIKE while somebody on record looks
    /// like the resident and `decision` does not answer that; STATE_CONFLICT for a decision where
    /// there is nothing to decide; ROLE_NOT_ALLOWED.
    pub async fn register_resident(
        &self,
        caller: &Caller,
        order: NewResident,
        decision: Option<Decision>,
    ) -> Result<(Registered, Receipt), Error> {
        self.allow(caller, Act::ResidentRegister).await?;
        if decision.is_some() {
            self.allow(caller, Act::LookAlikeDecide).await?;
        }
        let id = ResidentId::generate();
        let resident =
            self.personal.seal_resident(id, caller.holder.institution, &order, caller.now)?;
        let phone = order.phone.as_ref().map(Phone::as_str);
        let likenesses = self.personal.likenesses(order.name.as_str(), &order.id_number, phone)?;
        let refused = || self.entry(caller, Act::ResidentRegister, Outcome::Refused);
        let mut entry = self
            .entry(caller, Act::ResidentRegister, Outcome::Granted)
            .about(id.to_string())
            .on("resident", id.to_string());
        let question = async || {
            let candidates = self.store.look_alikes(likenesses.clone()).await?;
            self.question(&[b"resident.register", &resident.id_number_index], candidates)
        };
        let decided = match &decision {
            None => None,
            Some(decision) => {
                let question = question().await?;
                self.answered(caller, refused(), &question, decision).await?;
                if decision.verdict == Verdict::SamePerson
                    && let Some(other) = question.foremost(caller.holder.institution)
                {
                    let receipt = self.stop(caller, other, &question, decision).await?;
                    return Ok((Registered::Stopped, receipt));
                }
                let decided = self.decided(caller, &resident, &question, decision)?;
                entry = question.told_in(entry).with("decision", decided.id.to_string());
                Some(decided)
            }
        };
        let (row, compared) = (resident.clone(), likenesses.clone());
        match self.store.record_resident(row, compared, decided, entry).await {
            Err(StoreError::Conflict(Obstacle::LookAlike)) => {
                self.ask_staff(caller, refused(), &question().await?).await
            }
            answer => Ok((Registered::Resident(id), self.settle(refused(), answer).await?)),
        }
    }

    /// A resident, by pseudonym. The reading is in the log before the answer.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn resident(
        &self,
        caller: &Caller,
        id: ResidentId,
    ) -> Result<(ResidentRecord, Receipt), Error> {
        self.allow(caller, Act::ResidentRead).await?;
        let refused =
            || self.entry(caller, Act::ResidentRead, Outcome::Refused).about(id.to_string());
        let row = self.settle(refused(), self.store.resident(id).await).await?;
        self.read_resident(caller, row).await
    }

    /// A resident, by ID number. The reading is in the log before the answer.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn find_resident(
        &self,
        caller: &Caller,
        id_number: &ResidentIdNumber,
    ) -> Result<(ResidentRecord, Receipt), Error> {
        self.allow(caller, Act::ResidentRead).await?;
        let index = self.personal.id_number_index(id_number)?;
        let row = self.store.resident_by_index(index).await?;
        self.read_resident(caller, row).await
    }

    pub(super) async fn read_resident(
        &self,
        caller: &Caller,
        row: Option<store::Resident>,
    ) -> Result<(ResidentRecord, Receipt), Error> {
        let refused = || self.entry(caller, Act::ResidentRead, Outcome::Refused);
        let Some(row) = row else {
            return self.refuse(refused(), Reason::RESIDENT_NOT_FOUND).await;
        };
        let refused = || refused().about(row.id.to_string());
        self.here_or_present(caller, row.institution, row.id, refused).await?;
        let record = self.personal.open_resident(&row)?;
        let entry = self
            .entry(caller, Act::ResidentRead, Outcome::Granted)
            .about(row.id.to_string())
            .on("resident", row.id.to_string());
        let receipt = self.record_act(entry).await?;
        Ok((record, receipt))
    }

    /// The resident that an act is about, when their record is open to the caller; otherwise a
    /// refusal is left in the log.
    pub(super) async fn resident_open(
        &self,
        caller: &Caller,
        act: Act,
        id: ResidentId,
    ) -> Result<store::Resident, Error> {
        let refused = || self.entry(caller, act, Outcome::Refused).about(id.to_string());
        let resident = self.resident_asked_for(id, refused).await?;
        self.here_or_present(caller, resident.institution, id, refused).await?;
        Ok(resident)
    }

    /// A resident on record; that there is none, or none any more, is left in the log.
    pub(super) async fn resident_asked_for(
        &self,
        id: ResidentId,
        refused: impl Fn() -> Entry,
    ) -> Result<store::Resident, Error> {
        match self.settle(refused(), self.store.resident(id).await).await? {
            Some(resident) => Ok(resident),
            None => self.refuse(refused(), Reason::RESIDENT_NOT_FOUND).await,
        }
    }

    /// A resident that a record of ours refers to.
    pub(super) async fn known_resident(&self, id: ResidentId) -> Result<store::Resident, Error> {
        self.store.resident(id).await?.ok_or(Reason::RESIDENT_NOT_FOUND.into())
    }

    /// A resident's or card's record is open to the institution that registered it, and to whoever
    /// has the resident's card in the reader. A region shares one service: the role alone must not
    /// open everybody to every desk.
    pub(super) async fn here_or_present(
        &self,
        caller: &Caller,
        registered_by: InstitutionId,
        resident: ResidentId,
        refused: impl FnOnce() -> Entry,
    ) -> Result<(), Error> {
        match self.is_open_to(caller, registered_by, resident).await? {
            true => Ok(()),
            false => self.refuse(refused(), Denial::RegisteredElsewhere).await,
        }
    }

    /// Whether a record is open to the caller in the sense of
    /// [`here_or_present`](Self::here_or_present).
    pub(super) async fn is_open_to(
        &self,
        caller: &Caller,
        registered_by: InstitutionId,
        resident: ResidentId,
    ) -> Result<bool, Error> {
        let holder = &caller.holder;
        Ok(registered_by == holder.institution
            || self.store.has_presence(holder.session, resident, caller.now).await?)
    }
}
