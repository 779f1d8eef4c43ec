//! Who a caller is to a resident as a person: the resident, or a guardian of theirs.
//!
//! Staff and residents are told to be one by the ID number of both, which takes opening records: it is looked for only where a
//! rule looks at it. Whose ID number is not on record as staff is neither.

use super::{Caller, Error, Registrar};
use crate::{
    clock::{UtcTime, over_at_desk},
    store::{GuardianshipId, ResidentId},
    vocabulary::{GuardianScope, Relation},
};

/// What ties a caller to a resident as a person.
#[derive(Default)]
pub(super) struct InPerson {
    resident: bool,
    /// The guardianship that stands, and when its last day is over.
    pub(super) guardianship: Option<(GuardianshipId, UtcTime)>,
}

impl InPerson {
    pub(super) fn relations(&self) -> impl Iterator<Item = Relation> {
        let resident = self.resident.then_some(Relation::Resident);
        resident.into_iter().chain(self.guardianship.map(|_| Relation::Guardian))
    }
}

impl Registrar {
    /// Those of the ties that are looked for which the caller has to the resident now. A guardian is who may consent in the
    /// resident's place: who may only bring the card sees nothing by it.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Key`] when records cannot be read: nobody is then taken for anybody.
    pub(super) async fn in_person(
        &self,
        caller: &Caller,
        looked_for: &[Relation],
        resident: ResidentId,
    ) -> Result<InPerson, Error> {
        let mut found = InPerson::default();
        if looked_for.is_empty() {
            return Ok(found);
        }
        let identity = self.store.identity(caller.holder.identity).await?;
        let Some(person) = identity.and_then(|identity| identity.person) else { return Ok(found) };
        if looked_for.contains(&Relation::Resident) {
            found.resident = self.is_resident(person, resident).await?;
        }
        if looked_for.contains(&Relation::Guardian) {
            for it in self.store.guardians_of(resident).await? {
                if it.allows(GuardianScope::Consent, caller.now)
                    && self.is_resident(person, it.made.guardian).await?
                {
                    found.guardianship = Some((it.made.id, over_at_desk(it.made.ends_on)));
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Whether a member of staff, by the digest of their ID number, is this resident.
    async fn is_resident(&self, person: [u8; 32], resident: ResidentId) -> Result<bool, Error> {
        let record = self.personal.open_resident(&self.known_resident(resident).await?)?;
        Ok(self.personal.person_index(&record.id_number)? == person)
    }
}
