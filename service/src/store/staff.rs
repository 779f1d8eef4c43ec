//! What becomes of those on record: another name, department or role (调岗), or gone (离职).

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _};
use time::Date;

use super::{
    IdentityId, Obstacle, Receipt, Record, Store, StoreError,
    cards::Day,
    certificates::{HOLD, revoke_all},
    facts::Found,
    micros::Micros,
};
use crate::clock::UtcTime;

/// What is to be on record of somebody, who keeps number and institution.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityChange {
    /// Who.
    pub id: IdentityId,
    /// The word of the role.
    pub role: String,
    /// The name, sealed.
    pub sealed_name: Vec<u8>,
    /// Whether that is another name of a person, who then has to be shown to be the same.
    pub of_another_name: bool,
    /// Department of a doctor or nurse; empty for others.
    pub department: String,
    /// Last day of the qualification; `None` where no end is known.
    pub qualified_until: Option<Date>,
    /// Keyed digest of the ID number, where it is given: one that is on record has to be this.
    pub person: Option<[u8; 32]>,
}

/// Certificates and enrolments that end with a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Certificates and drafts that are not revoked for good, as [`Store::certificates_to_end`] gave them: no
    /// other ends.
    pub serials: Vec<String>,
    /// Why (RFC 5280, 5.3.1).
    pub reason: u32,
    /// When.
    pub at: UtcTime,
}

impl Store {
    /// Serial numbers of the certificates and drafts of an identity that are not over by `at` and not revoked for
    /// good, in their order.
    pub async fn certificates_to_end(
        &self,
        identity: IdentityId,
        at: UtcTime,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |db| Ok(to_end(db, identity, at)?)).await
    }

    /// Sets what is on record of somebody. With another role, what names the role of before ends.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the ID number on record is another, or is not
    /// there to say that another name is the same person's, the role is another and `ending` is absent, or other certificates are to end.
    pub async fn record_identity_changed(
        &self,
        change: IdentityChange,
        ending: Option<Ending>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let c = change;
            let before: Option<(String, Option<[u8; 32]>)> = db
                .prepare_cached("SELECT role, person FROM identity WHERE id = ?1")?
                .query_row([c.id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (role, person) = before.ok_or(StoreError::NotFound(Record::Reference))?;
            // A number that was handed on to somebody else hands on no certificates.
            let other = person.is_some() && c.person.is_some() && person != c.person;
            if other || (c.of_another_name && (person.is_none() || person != c.person)) {
                return Err(StoreError::Conflict(Obstacle::OtherPerson));
            }
            if role != c.role {
                end(db, c.id, &ending.ok_or(StoreError::Conflict(Obstacle::StaffChanged))?)?;
            }
            db.prepare_cached(
                "UPDATE identity SET role = ?2, sealed_name = ?3, department = ?4, qualified_until = ?5
                 WHERE id = ?1",
            )?
            .execute((c.id, c.role, c.sealed_name, c.department, c.qualified_until.map(Day)))?;
            Ok(())
        })
        .await
    }

    /// Ends what somebody has. `None` when there is nothing to end.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when other certificates are to end.
    pub async fn record_identity_departed(
        &self,
        identity: IdentityId,
        ending: Ending,
        entry: Entry,
    ) -> Result<Option<Receipt>, StoreError> {
        let change = move |db: &Connection, _| match end(db, identity, &ending)? {
            0 if ending.serials.is_empty() => Ok(Found::Same(())),
            _ => Ok(Found::Changed(())),
        };
        let (_, receipt) = self.submit(&entry, change).await?;
        Ok(receipt)
    }
}

/// Within a fact: revokes certificates, and lets lapse what waits for a review; how many of those there were.
fn end(db: &Connection, identity: IdentityId, ending: &Ending) -> Result<usize, StoreError> {
    let Ending { serials, reason, at } = ending;
    // The entry names those that were seen; whatever came since is not ended unsaid.
    if to_end(db, identity, *at)? != *serials {
        return Err(StoreError::Conflict(Obstacle::StaffChanged));
    }
    revoke_all(db, serials, *reason, *at)?;
    let lapsed = db
        .prepare_cached(
            "UPDATE enrolment SET state = 'expired' WHERE identity = ?1 AND state = 'pending'",
        )?
        .execute([identity])?;
    Ok(lapsed)
}

fn to_end(db: &Connection, identity: IdentityId, at: UtcTime) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "SELECT serial FROM certificate
         WHERE identity = ?1 AND not_after >= ?2 AND coalesce(revocation_reason, ?3) = ?3
         ORDER BY serial",
    )?
    .query_map((identity, Micros(at), HOLD), |row| row.get(0))?
    .collect()
}
