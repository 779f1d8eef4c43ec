//! Staff who move or leave (调岗、离职). Certificates name institution, role and a pseudonym: another name or
//! department leaves them as they are, another role or leaving ends them.

use std::sync::Arc;

use audit::{Entry, Outcome};
use ca::crl;
use card::ResidentIdNumber;
use time::Date;
use zeroize::Zeroizing;

use super::{Caller, Error, Registrar, sessions::stored_role, uncut};
use crate::{
    catalogue::{Needs, Reason},
    policy::Act,
    store::{Ending, Identity, IdentityChange, IdentityId, Receipt},
    vocabulary::Role,
};

/// Roles that become one another in place. Whoever is or becomes something else has another identity for it: what
/// an operator or auditor did is told from what the same person does at a bedside.
const MOVES: [Role; 3] = [Role::Doctor, Role::Nurse, Role::Clerk];

/// What is to be on record of somebody.
pub struct IdentityOrder {
    /// Who.
    pub id: IdentityId,
    /// Their one role.
    pub role: Role,
    /// Name of the person, or label.
    pub name: Zeroizing<String>,
    /// Department of a doctor or nurse.
    pub department: String,
    /// Last day of the qualification of a clinician, where it has one.
    pub qualified_until: Option<Date>,
    /// ID number, to be compared with that on record; `None` to compare nothing.
    pub id_number: Option<ResidentIdNumber>,
}

/// What a change of staff came to.
pub struct StaffChanged {
    /// Serial numbers of certificates that were revoked with it.
    pub revoked: Vec<String>,
    /// Its place in the log; `None` when nothing was left to change.
    pub receipt: Option<Receipt>,
}

impl Registrar {
    /// Sets name, department, role and qualification of somebody on record. With another role the certificates in
    /// force are revoked (affiliation changed) in the same fact, and what waits for a review lapses.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND; IDENTITY_OF_ANOTHER when the ID number on record is another; FIELD_INVALID for a role
    /// that this one does not become, or what does not go with the role; STATE_CONFLICT when something was issued
    /// at the same moment; ROLE_NOT_ALLOWED.
    pub async fn change_identity(
        self: Arc<Self>,
        caller: Caller,
        order: IdentityOrder,
    ) -> Result<StaffChanged, Error> {
        self.allow(&caller, Act::IdentityChange).await?;
        uncut(async move {
            let id = order.id;
            let entry = |outcome| {
                self.entry(&caller, Act::IdentityChange, outcome).on("identity", id.to_string())
            };
            let Some(row) = self.store.identity(id).await? else {
                return self.refuse(entry(Outcome::Refused), Reason::IDENTITY_NOT_FOUND).await;
            };
            if let Err(error) = self.check_order(&row, &order) {
                return self.refuse(entry(Outcome::Refused), error).await;
            }
            let mut granted = self.tell_changes(entry(Outcome::Granted), &row, &order)?;
            let mut ending = None;
            if row.role != order.role.as_str() {
                let ended = self.ending(&caller, id, crl::Reason::AffiliationChanged).await?;
                granted = tell_ending(granted, &ended);
                ending = Some(ended);
            }
            let name = self.personal.open_staff_name(id, &row.sealed_name)?;
            let is_person = !matches!(order.role, Role::Desk | Role::System);
            let change = IdentityChange {
                id,
                of_another_name: is_person && name != *order.name,
                role: order.role.as_str().to_owned(),
                sealed_name: self.personal.seal_staff_name(id, &order.name)?,
                department: order.department,
                qualified_until: order.qualified_until,
                person: order.id_number.map(|it| self.personal.person_index(&it)).transpose()?,
            };
            let revoked = ending.as_ref().map(|it| it.serials.clone()).unwrap_or_default();
            let answer = self.store.record_identity_changed(change, ending, granted).await;
            let receipt = self.settle(entry(Outcome::Refused), answer).await?;
            // The department stands in sessions as well.
            self.sessions.forget(|holder| holder.identity == id);
            self.status_changed(&revoked, caller.now).await;
            Ok(StaffChanged { revoked, receipt: Some(receipt) })
        })
        .await
    }

    /// Ends what somebody has who leaves: certificates in force or suspended, and what waits for a review.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND; FIELD_INVALID for a reason that is not about leaving; STATE_CONFLICT when something was
    /// issued at the same moment; ROLE_NOT_ALLOWED.
    pub async fn depart_identity(
        self: Arc<Self>,
        caller: Caller,
        id: IdentityId,
        reason: crl::Reason,
    ) -> Result<StaffChanged, Error> {
        self.allow(&caller, Act::IdentityDepart).await?;
        uncut(async move {
            let entry = |outcome| {
                self.entry(&caller, Act::IdentityDepart, outcome).on("identity", id.to_string())
            };
            if self.store.identity(id).await?.is_none() {
                return self.refuse(entry(Outcome::Refused), Reason::IDENTITY_NOT_FOUND).await;
            }
            let leaving = [crl::Reason::AffiliationChanged, crl::Reason::CessationOfOperation];
            if !leaving.contains(&reason) {
                let error = Error::Field { field: "reason", needs: Needs::ListedValue };
                return self.refuse(entry(Outcome::Refused), error).await;
            }
            let ending = self.ending(&caller, id, reason).await?;
            let revoked = ending.serials.clone();
            let granted = tell_ending(entry(Outcome::Granted), &ending);
            let answer = self.store.record_identity_departed(id, ending, granted).await;
            let receipt = self.settle(entry(Outcome::Refused), answer).await?;
            self.status_changed(&revoked, caller.now).await;
            Ok(StaffChanged { revoked, receipt })
        })
        .await
    }

    fn check_order(&self, row: &Identity, order: &IdentityOrder) -> Result<(), Error> {
        let before = stored_role(&row.role)?;
        let moves = |role| MOVES.contains(&role);
        if order.role != before && !(moves(before) && moves(order.role)) {
            return Err(Error::Field { field: "role", needs: Needs::StaffRole });
        }
        let named = order.id_number.is_some();
        if named && matches!(order.role, Role::Desk | Role::System) {
            return Err(Error::Field { field: "id_number", needs: Needs::StaffIdNumber });
        }
        self.check_clinician(order.role, &order.department, order.qualified_until)
    }

    /// The entry says which fields change; of the role, which it becomes.
    fn tell_changes(
        &self,
        entry: Entry,
        row: &Identity,
        order: &IdentityOrder,
    ) -> Result<Entry, Error> {
        let name = self.personal.open_staff_name(row.id, &row.sealed_name)?;
        let fields = [
            ("role", row.role != order.role.as_str()),
            ("name", name != *order.name),
            ("department", row.department != order.department),
            ("qualified-until", row.qualified_until != order.qualified_until),
        ];
        let fields: Vec<_> = fields.into_iter().filter(|it| it.1).map(|it| it.0).collect();
        Ok(match fields[..] {
            [] => entry,
            _ => {
                let until = order.qualified_until.map(|day| day.to_string());
                entry
                    .with("fields", fields.join(" "))
                    .with("role", order.role.as_str())
                    .with("until", until.unwrap_or_else(|| "open".to_owned()))
            }
        })
    }

    async fn ending(
        &self,
        caller: &Caller,
        id: IdentityId,
        reason: crl::Reason,
    ) -> Result<Ending, Error> {
        let serials = self.store.certificates_to_end(id, caller.now).await?;
        Ok(Ending { serials, reason: reason.code().into(), at: caller.now })
    }
}

/// The entry has the certificates that end, each by itself, so that they are found.
fn tell_ending(entry: Entry, ending: &Ending) -> Entry {
    let entry = entry.with("revocation", ending.reason.to_string());
    ending.serials.chunks(8).enumerate().fold(entry, |entry, (at, serials)| {
        entry.with(format!("certificates-{}", at + 1), serials.join(" "))
    })
}
