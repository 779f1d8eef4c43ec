//! Institutions on record (医疗机构).

use audit::Entry;
use rusqlite::{OptionalExtension as _, Row};

use super::{InstitutionId, Receipt, Store, StoreError, micros::Micros};
use crate::clock::UtcTime;

/// An institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Institution {
    /// Its identifier.
    pub id: InstitutionId,
    /// Unified social credit code (统一社会信用代码), 18 characters.
    pub credit_code: String,
    /// Its name.
    pub name: String,
    /// Region code of GB/T 2260, six digits.
    pub region: String,
    /// When it was put on record.
    pub registered_at: UtcTime,
}

impl Institution {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            credit_code: row.get("credit_code")?,
            name: row.get("name")?,
            region: row.get("region")?,
            registered_at: row.get::<_, Micros>("registered_at")?.0,
        })
    }
}

impl Store {
    /// Puts an institution on record.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the credit code is on record.
    pub async fn record_institution(
        &self,
        institution: Institution,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let Institution { id, credit_code, name, region, registered_at } = institution;
            db.prepare_cached("INSERT INTO institution VALUES (?1, ?2, ?3, ?4, ?5)")?.execute((
                id,
                credit_code,
                name,
                region,
                Micros(registered_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// The institution as recorded.
    pub async fn institution(&self, id: InstitutionId) -> Result<Option<Institution>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM institution WHERE id = ?1")?;
            Ok(select.query_row([id], Institution::read).optional()?)
        })
        .await
    }
}
