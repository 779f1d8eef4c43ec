//! Guardianships (监护): the care of one resident for another.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};
use time::Date;

use super::{
    GuardianshipId, IdentityId, InstitutionId, Obstacle, Receipt, Record, ResidentId, Store,
    StoreError, Unique, cards::Day, micros::Micros,
};
use crate::{
    clock::{UtcTime, date_at_desk},
    vocabulary::{Basis, GuardianScope, Kinship},
};

/// Most guardianships of a resident that are read, either way: the newest.
const MOST_LISTED: u32 = 100;

/// A guardianship to be put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGuardianship {
    /// Its identifier.
    pub id: GuardianshipId,
    /// Who is cared for (被监护人).
    pub ward: ResidentId,
    /// Who cares (监护人).
    pub guardian: ResidentId,
    /// What the guardian is to the ward.
    pub kinship: Kinship,
    /// What the guardian may do, each once.
    pub scopes: Vec<GuardianScope>,
    /// What it rests on.
    pub basis: Basis,
    /// SM3 of a scanned document, when there is one.
    pub scan_digest: Option<[u8; 32]>,
    /// First day, at the desk.
    pub starts_on: Date,
    /// Last day, at the desk.
    pub ends_on: Date,
    /// Where it was recorded.
    pub institution: InstitutionId,
    /// Who recorded it.
    pub identity: IdentityId,
    /// When.
    pub recorded_at: UtcTime,
}

/// How a guardianship ended before its last day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardianshipEnd {
    /// When.
    pub at: UtcTime,
    /// Who ended it.
    pub by: IdentityId,
    /// Why, sealed under the ward's data key.
    pub sealed_note: Vec<u8>,
}

/// A guardianship on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardianship {
    /// As it was made.
    pub made: NewGuardianship,
    /// How it was ended; `None` when nobody ended it.
    pub ended: Option<GuardianshipEnd>,
}

impl Guardianship {
    /// Whether the guardian cares for the ward at that time.
    #[must_use]
    pub fn stands(&self, at: UtcTime) -> bool {
        let days = self.made.starts_on..=self.made.ends_on;
        self.ended.is_none() && days.contains(&date_at_desk(at))
    }

    /// Whether the guardian may do this for the ward at that time.
    #[must_use]
    pub fn allows(&self, scope: GuardianScope, at: UtcTime) -> bool {
        self.stands(at) && self.made.scopes.contains(&scope)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let made = NewGuardianship {
            id: row.get("id")?,
            ward: row.get("ward")?,
            guardian: row.get("guardian")?,
            kinship: row.get("kinship")?,
            scopes: Vec::new(),
            basis: row.get("basis")?,
            scan_digest: row.get("scan_digest")?,
            starts_on: row.get::<_, Day>("starts_on")?.0,
            ends_on: row.get::<_, Day>("ends_on")?.0,
            institution: row.get("institution")?,
            identity: row.get("identity")?,
            recorded_at: row.get::<_, Micros>("recorded_at")?.0,
        };
        let ended = match row.get::<_, Option<Micros>>("ended_at")? {
            None => None,
            Some(at) => Some(GuardianshipEnd {
                at: at.0,
                by: row.get("ended_by")?,
                sealed_note: row.get("sealed_note")?,
            }),
        };
        Ok(Self { made, ended })
    }

    fn with_scopes(mut self, db: &Connection) -> rusqlite::Result<Self> {
        let mut select = db.prepare_cached(
            "SELECT scope FROM guardianship_scope WHERE guardianship = ?1 ORDER BY scope",
        )?;
        self.made.scopes =
            select.query_map([self.made.id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(self)
    }
}

impl Store {
    /// Puts a guardianship on record.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the two have one at a day of the same time;
    /// [`StoreError::Conflict`] when the guardian would come into their own care;
    /// [`StoreError::NotFound`] for an unknown resident.
    pub async fn record_guardianship(
        &self,
        guardianship: NewGuardianship,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let g = guardianship;
            if overlaps(db, &g)? {
                return Err(StoreError::Duplicate(Unique::Guardianship));
            }
            if closes_circle(db, &g)? {
                return Err(StoreError::Conflict(Obstacle::GuardianCircle));
            }
            db.prepare_cached(
                "INSERT INTO guardianship VALUES
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, NULL, NULL, NULL)",
            )?
            .execute((
                g.id,
                g.ward,
                g.guardian,
                g.kinship,
                g.basis,
                g.scan_digest,
                Day(g.starts_on),
                Day(g.ends_on),
                g.institution,
                g.identity,
                Micros(g.recorded_at),
            ))?;
            let mut insert = db.prepare_cached("INSERT INTO guardianship_scope VALUES (?1, ?2)")?;
            for scope in g.scopes {
                insert.execute((g.id, scope))?;
            }
            Ok(())
        })
        .await
    }

    /// Ends a guardianship before its last day, and with it what rests on it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it ended before, by itself or not.
    pub async fn record_guardianship_ended(
        &self,
        id: GuardianshipId,
        ended: GuardianshipEnd,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            match find(db, id)? {
                None => return Err(StoreError::NotFound(Record::Guardianship)),
                Some(Guardianship { ended: None, made })
                    if made.ends_on >= date_at_desk(ended.at) => {}
                Some(_) => return Err(StoreError::Conflict(Obstacle::GuardianshipEnded)),
            }
            db.prepare_cached(
                "UPDATE guardianship SET ended_at = ?2, ended_by = ?3, sealed_note = ?4
                 WHERE id = ?1",
            )?
            .execute((id, Micros(ended.at), ended.by, ended.sealed_note))?;
            Ok(())
        })
        .await
    }

    /// The guardianship as last recorded.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn guardianship(
        &self,
        id: GuardianshipId,
    ) -> Result<Option<Guardianship>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// Who cares for this resident, or did, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn guardians_of(&self, ward: ResidentId) -> Result<Vec<Guardianship>, StoreError> {
        self.list_guardianships("SELECT * FROM guardianship WHERE ward = ?1", ward).await
    }

    /// For whom this resident cares, or did, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn wards_of(&self, guardian: ResidentId) -> Result<Vec<Guardianship>, StoreError> {
        self.list_guardianships("SELECT * FROM guardianship WHERE guardian = ?1", guardian).await
    }

    async fn list_guardianships(
        &self,
        select: &'static str,
        resident: ResidentId,
    ) -> Result<Vec<Guardianship>, StoreError> {
        self.read(move |db| {
            let select = format!("{select} ORDER BY id DESC LIMIT ?2");
            let mut select = db.prepare_cached(&select)?;
            let rows = select.query_map((resident, MOST_LISTED), Guardianship::read)?;
            let found = rows.map(|row| row?.with_scopes(db)).collect::<rusqlite::Result<_>>()?;
            Ok(found)
        })
        .await
    }
}

fn find(db: &Connection, id: GuardianshipId) -> Result<Option<Guardianship>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM guardianship WHERE id = ?1")?;
    let found = select.query_row([id], Guardianship::read).optional()?;
    Ok(found.map(|found| found.with_scopes(db)).transpose()?)
}

/// Refuses what rests on a guardianship that does not stand.
pub(super) fn check_guardianship(
    db: &Connection,
    id: GuardianshipId,
    at: UtcTime,
) -> Result<(), StoreError> {
    match find(db, id)? {
        None => Err(StoreError::NotFound(Record::Guardianship)),
        Some(guardianship) if guardianship.stands(at) => Ok(()),
        Some(_) => Err(StoreError::Conflict(Obstacle::GuardianshipEnded)),
    }
}

/// Whether the two have a guardianship that stands on a day of the new one.
fn overlaps(db: &Connection, new: &NewGuardianship) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM guardianship
         WHERE ward = ?1 AND guardian = ?2 AND ended_at IS NULL
           AND starts_on <= ?4 AND ends_on >= ?3)",
    )?;
    let days = (new.ward, new.guardian, Day(new.starts_on), Day(new.ends_on));
    Ok(select.query_row(days, |row| row.get(0))?)
}

/// Whether the guardian is the ward, or is cared for by the ward, directly or through others, on
/// days of the new guardianship.
fn closes_circle(db: &Connection, new: &NewGuardianship) -> Result<bool, StoreError> {
    let mut select = db.prepare_cached(
        "WITH RECURSIVE cared_for (resident) AS (
             SELECT ?1
             UNION
             SELECT ward FROM guardianship JOIN cared_for ON guardian = cared_for.resident
             WHERE ended_at IS NULL AND starts_on <= ?4 AND ends_on >= ?3
         )
         SELECT EXISTS (SELECT 1 FROM cared_for WHERE resident = ?2)",
    )?;
    let days = (new.ward, new.guardian, Day(new.starts_on), Day(new.ends_on));
    Ok(select.query_row(days, |row| row.get(0))?)
}
