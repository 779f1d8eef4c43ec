//! Staff, desks and systems on record.

use audit::Entry;
use rusqlite::{OptionalExtension as _, Row, ToSql};

use time::Date;

use super::{
    IdentityId, InstitutionId, MAX_PAGE, Receipt, Store, StoreError, cards::Day, micros::Micros,
};
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
    /// Keyed digest of the person's ID number, where it was given.
    pub person: Option<[u8; 32]>,
    /// Last day of the qualification of a clinician; `None` where no end is known.
    pub qualified_until: Option<Date>,
}

/// By what identities are looked up.
#[derive(Clone, PartialEq, Eq)]
pub enum IdentityKey {
    /// Number within an institution: at most one.
    Number(InstitutionId, String),
    /// Digest of an ID number: all of one person.
    Person([u8; 32]),
    /// Serial number of a certificate or its draft: at most one.
    Serial(String),
}

/// The operators there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operators {
    /// The service itself as an institution; `None` until it is founded.
    pub home: Option<InstitutionId>,
    /// Operators with a signing certificate in force; two identities of one person are one.
    pub in_force: u32,
    /// Signing certificates of operators elsewhere that no two persons stand behind.
    pub by_one_person: u32,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}, {})", self.id, self.role)
    }
}

impl Identity {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            institution: row.get("institution")?,
            role: row.get("role")?,
            sealed_name: row.get("sealed_name")?,
            number: row.get("number")?,
            department: row.get("department")?,
            registered_at: row.get::<_, Micros>("registered_at")?.0,
            person: row.get("person")?,
            qualified_until: row.get::<_, Option<Day>>("qualified_until")?.map(|day| day.0),
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
            let i = identity;
            db.prepare_cached(
                "INSERT INTO identity (id, institution, role, sealed_name, number, department,
                    registered_at, person, qualified_until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute((
                i.id,
                i.institution,
                i.role,
                i.sealed_name,
                i.number,
                i.department,
                Micros(i.registered_at),
                i.person,
                i.qualified_until.map(Day),
            ))?;
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

    /// Identities by what is known of them, in the order they were recorded, at most [`MAX_PAGE`].
    pub async fn find_identities(&self, key: IdentityKey) -> Result<Vec<Identity>, StoreError> {
        self.read(move |db| {
            let all = |query: &str, values: &[&dyn ToSql]| -> Result<Vec<Identity>, StoreError> {
                let mut select = db.prepare_cached(query)?;
                let rows = select.query_map(values, Identity::read)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            };
            match &key {
                IdentityKey::Number(institution, number) => all(
                    "SELECT * FROM identity WHERE institution = ?1 AND number = ?2",
                    &[institution, number],
                ),
                IdentityKey::Person(digest) => all(
                    "SELECT * FROM identity WHERE person = ?1 ORDER BY id LIMIT ?2",
                    &[digest, &MAX_PAGE],
                ),
                IdentityKey::Serial(serial) => all(
                    "SELECT * FROM identity
                     WHERE id = (SELECT identity FROM certificate WHERE serial = ?1)",
                    &[serial],
                ),
            }
        })
        .await
    }

    /// How many operators there are to enter and to review.
    pub async fn operators(&self, now: UtcTime) -> Result<Operators, StoreError> {
        self.read(move |db| {
            let home = "SELECT id FROM institution WHERE credit_code = ''";
            let home = db.prepare_cached(home)?.query_row([], |row| row.get(0)).optional()?;
            let mut select = db.prepare_cached(
                "SELECT
                   (SELECT count(DISTINCT coalesce(person, id)) FROM certificate
                    JOIN identity ON id = identity
                    WHERE role = 'operator' AND der IS NOT NULL AND revoked_at IS NULL
                      AND not_after >= ?1 AND pair_of IS NULL),
                   (SELECT count(*) FROM certificate JOIN identity ON id = certificate.identity
                    WHERE role = 'operator' AND der IS NOT NULL AND revoked_at IS NULL
                      AND not_after >= ?1 AND renews IS NULL AND pair_of IS NULL
                      AND institution <> coalesce(?2, '')
                      AND NOT EXISTS (SELECT 1 FROM enrolment WHERE certificate = serial))",
            )?;
            Ok(select.query_row((Micros(now), home), |row| {
                let (in_force, by_one_person) = (row.get(0)?, row.get(1)?);
                Ok(Operators { home, in_force, by_one_person })
            })?)
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
