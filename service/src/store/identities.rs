//! Staff, desks and systems on record.

use audit::Entry;
use rusqlite::{OptionalExtension as _, Row};

use super::{IdentityId, InstitutionId, MAX_PAGE, Receipt, Store, StoreError, micros::Micros};
use crate::clock::UtcTime;

/// A member of staff, a desk or a system, with one role at one institution.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its identifier.
    pub id: IdentityId,
    /// Where it works.
    pub institution: InstitutionId,
    /// The word of its role.
    pub role: String,
    /// Its name, sealed.
    pub sealed_name: Vec<u8>,
    /// Number within the institution (工号), unique there.
    pub number: String,
    /// Department of a doctor or nurse; empty for others.
    pub department: String,
    /// When it was put on record.
    pub registered_at: UtcTime,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}, {})", self.id, self.role)
    }
}

impl Identity {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            institution: row.get("institution")?,
            role: row.get("role")?,
            sealed_name: row.get("sealed_name")?,
            number: row.get("number")?,
            department: row.get("department")?,
            registered_at: row.get::<_, Micros>("registered_at")?.0,
        })
    }
}

impl Store {
    /// Puts a member of staff, a desk or a system on record.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the institution has this number,
    /// [`StoreError::NotFound`] when there is no such institution.
    pub async fn record_identity(
        &self,
        identity: Identity,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let Identity { id, institution, role, sealed_name, number, department, registered_at } =
                identity;
            let at = Micros(registered_at);
            db.prepare_cached("INSERT INTO identity VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute((id, institution, role, sealed_name, number, department, at))?;
            Ok(())
        })
        .await
    }

    /// The identity as recorded.
    pub async fn identity(&self, id: IdentityId) -> Result<Option<Identity>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM identity WHERE id = ?1")?;
            Ok(select.query_row([id], Identity::read).optional()?)
        })
        .await
    }

    /// Identities in the order they were recorded, at most `limit` (and [`MAX_PAGE`]), those after
    /// `after`; of one institution, or of all.
    pub async fn list_identities(
        &self,
        institution: Option<InstitutionId>,
        after: Option<IdentityId>,
        limit: u32,
    ) -> Result<Vec<Identity>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM identity
                 WHERE id > coalesce(?1, '') AND (?2 IS NULL OR institution = ?2)
                 ORDER BY id LIMIT ?3",
            )?;
            let rows =
                select.query_map((after, institution, limit.min(MAX_PAGE)), Identity::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}
