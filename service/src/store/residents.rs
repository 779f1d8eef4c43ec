//! Residents (居民) on record. All that is personal is sealed under the resident's own data key.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, types::ValueRef};

use super::{
    Decision, InstitutionId, Likeness, Obstacle, Receipt, ResidentId, Store, StoreError,
    look_alikes::{insert_likenesses, settle_look_alikes},
    micros::Micros,
};
use crate::clock::UtcTime;

/// A resident. `sealed_…` are ciphertexts under the data key, which is itself wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct Resident {
    /// The pseudonym.
    pub id: ResidentId,
    /// Who registered the resident.
    pub institution: InstitutionId,
    /// Blind index of the ID number.
    pub id_number_index: [u8; 32],
    /// The resident's data key, sealed under the key-encryption key.
    pub wrapped_key: Vec<u8>,
    /// Name (姓名).
    pub sealed_name: Vec<u8>,
    /// Resident identity number (公民身份号码).
    pub sealed_id_number: Vec<u8>,
    /// Phone (本人电话), where known.
    pub sealed_phone: Option<Vec<u8>>,
    /// Ethnic group (民族), where stated.
    pub sealed_ethnic_group: Option<Vec<u8>>,
    /// When the resident was put on record.
    pub registered_at: UtcTime,
}

impl std::fmt::Debug for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resident({})", self.id)
    }
}

impl Resident {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            institution: row.get("institution")?,
            id_number_index: row.get("id_number_index")?,
            wrapped_key: row.get("wrapped_key")?,
            sealed_name: row.get("sealed_name")?,
            sealed_id_number: row.get("sealed_id_number")?,
            sealed_phone: row.get("sealed_phone")?,
            sealed_ethnic_group: row.get("sealed_ethnic_group")?,
            registered_at: row.get::<_, Micros>("registered_at")?.0,
        })
    }
}

impl Store {
    /// Puts a resident on record.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the ID number is on record; [`StoreError::Conflict`] while
    /// somebody has one of the `likenesses`, and `decision` is not about them.
    pub async fn record_resident(
        &self,
        resident: Resident,
        likenesses: Vec<Likeness>,
        decision: Option<Decision>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let id = resident.id;
            insert_resident(db, resident, &likenesses)?;
            settle_look_alikes(db, id, None, decision.as_ref())
        })
        .await
    }

    /// The resident with this pseudonym.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with [`Obstacle::ResidentErased`] where there was one.
    pub async fn resident(&self, id: ResidentId) -> Result<Option<Resident>, StoreError> {
        self.find_resident("SELECT * FROM resident WHERE id = ?1", id).await
    }

    /// The resident with this blind index of the ID number.
    pub async fn resident_by_index(
        &self,
        id_number_index: [u8; 32],
    ) -> Result<Option<Resident>, StoreError> {
        self.find_resident("SELECT * FROM resident WHERE id_number_index = ?1", id_number_index)
            .await
    }

    async fn find_resident(
        &self,
        select: &'static str,
        key: impl ToSql + Send + 'static,
    ) -> Result<Option<Resident>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(select)?;
            let living = |row: &Row<'_>| {
                let erased: bool = row.get_ref("erased_at")? != ValueRef::Null;
                if erased { Ok(None) } else { Resident::read(row).map(Some) }
            };
            match select.query_row([key], living).optional()? {
                None => Ok(None),
                Some(Some(resident)) => Ok(Some(resident)),
                Some(None) => Err(StoreError::Conflict(Obstacle::ResidentErased)),
            }
        })
        .await
    }
}

/// Within a fact: puts a resident on record, with whatever those who come later are compared by.
pub(super) fn insert_resident(
    db: &Connection,
    resident: Resident,
    likenesses: &[Likeness],
) -> Result<(), StoreError> {
    let r = resident;
    db.prepare_cached(
        "INSERT INTO resident (id, institution, id_number_index, wrapped_key, sealed_name, sealed_id_number,
                               sealed_phone, sealed_ethnic_group, registered_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute((
        r.id,
        r.institution,
        r.id_number_index,
        r.wrapped_key,
        r.sealed_name,
        r.sealed_id_number,
        r.sealed_phone,
        r.sealed_ethnic_group,
        Micros(r.registered_at),
    ))?;
    insert_likenesses(db, r.id, likenesses)
}
