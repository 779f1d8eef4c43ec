//! Residents on record.

use audit::{Entry, Outcome};
use card::{EthnicGroup, Name, Phone, ResidentIdNumber, Sex};
use time::Date;

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::{Act, Denial},
    store::{self, InstitutionId, Receipt, ResidentId},
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

impl Registrar {
    /// Puts a resident on record.
    ///
    /// # Errors
    /// ALREADY_REGISTERED when the ID number is on record; ROLE_NOT_ALLOWED.
    pub async fn register_resident(
        &self,
        caller: &Caller,
        order: NewResident,
    ) -> Result<(ResidentId, Receipt), Error> {
        self.allow(caller, Act::ResidentRegister).await?;
        let id = ResidentId::generate();
        let resident =
            self.personal.seal_resident(id, caller.holder.institution, &order, caller.now)?;
        let entry = self
            .entry(caller, Act::ResidentRegister, Outcome::Granted)
            .about(id.to_string())
            .on("resident", id.to_string());
        let answer = self.store.record_resident(resident, entry).await;
        let refused = self.entry(caller, Act::ResidentRegister, Outcome::Refused);
        Ok((id, self.settle(refused, answer).await?))
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
        let row = self.store.resident(id).await?;
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

    async fn read_resident(
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
        let holder = &caller.holder;
        if registered_by == holder.institution
            || self.store.has_presence(holder.session, resident, caller.now).await?
        {
            return Ok(());
        }
        self.refuse(refused(), Denial::RegisteredElsewhere).await
    }
}
