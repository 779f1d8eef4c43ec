//! Visits (就诊): the frame in which a resident's data may be used.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    Change, Evidence, IdentityId, InstitutionId, MAX_PAGE, Obstacle, PresenceId, Receipt, Record,
    ResidentId, Store, StoreError, VisitId,
    facts::Found,
    micros::Micros,
    presences::{check_evidence, use_presence},
    sessions::InSession,
};
use crate::clock::UtcTime;

/// A visit to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewVisit {
    /// Its identifier.
    pub id: VisitId,
    /// The presence that it rests on, and uses up.
    pub presence: PresenceId,
    /// What stood for the resident.
    pub evidence: Evidence,
    /// Digest of the session that read the card and opens the visit.
    pub session: [u8; 32],
    /// Whose visit.
    pub resident: ResidentId,
    /// Where.
    pub institution: InstitutionId,
    /// Department (就医科室).
    pub department: String,
    /// Reason (就诊事由), without personal data.
    pub reason: String,
    /// Doctors and nurses who treat the resident.
    pub attending: Vec<IdentityId>,
    /// When.
    pub opened_at: UtcTime,
}

/// A visit on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its identifier.
    pub id: VisitId,
    /// Whose visit.
    pub resident: ResidentId,
    /// Where.
    pub institution: InstitutionId,
    /// Where that lies: region code of GB/T 2260, six digits.
    pub region: String,
    /// Department (就医科室).
    pub department: String,
    /// Reason (就诊事由).
    pub reason: String,
    /// Doctors and nurses who treat the resident.
    pub attending: Vec<IdentityId>,
    /// When it was opened.
    pub opened_at: UtcTime,
    /// When it was closed; `None` while it is open.
    pub closed_at: Option<UtcTime>,
}

/// Reads visits, each with where its institution lies.
fn select(which: &str) -> String {
    format!(
        "SELECT *, (SELECT region FROM institution WHERE id = visit.institution) AS region FROM visit {which}"
    )
}

/// Which open visits to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitFilter {
    /// At this institution.
    pub institution: InstitutionId,
    /// Only those that this clinician treats, or that are in this department.
    pub clinician: Option<(IdentityId, String)>,
}

impl Visit {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            resident: row.get("resident")?,
            institution: row.get("institution")?,
            region: row.get("region")?,
            department: row.get("department")?,
            reason: row.get("reason")?,
            attending: Vec::new(),
            opened_at: row.get::<_, Micros>("opened_at")?.0,
            closed_at: row.get::<_, Option<Micros>>("closed_at")?.map(|at| at.0),
        })
    }

    fn with_attending(mut self, db: &Connection) -> rusqlite::Result<Self> {
        let mut select =
            db.prepare_cached("SELECT identity FROM attending WHERE visit = ?1 ORDER BY identity")?;
        self.attending =
            select.query_map([self.id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(self)
    }
}

impl Store {
    /// Opens a visit for the holder of a card that this session read, once for each reading.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when this session has no such presence of this card of this
    /// resident, or the institution or an attending identity is not on record;
    /// [`StoreError::Conflict`] when the session was closed, the presence was used before or is
    /// over, or the card is no longer active.
    pub async fn record_visit_opened(
        &self,
        visit: NewVisit,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let session = InSession::new(&visit.session, visit.opened_at);
        self.record(entry, move |db, _| {
            let v = visit;
            session.check(db)?;
            use_presence(db, &v)?;
            check_evidence(db, v.evidence, v.resident)?;
            db.prepare_cached("INSERT INTO visit VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)")?.execute(
                (v.id, v.resident, v.institution, v.department, v.reason, Micros(v.opened_at)),
            )?;
            let mut attend =
                db.prepare_cached("INSERT OR IGNORE INTO attending VALUES (?1, ?2)")?;
            for identity in v.attending {
                attend.execute((v.id, identity))?;
            }
            Ok(())
        })
        .await
    }

    /// The visit as last recorded.
    pub async fn visit(&self, id: VisitId) -> Result<Option<Visit>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(&select("WHERE id = ?1"))?;
            let visit = select.query_row([id], Visit::read).optional()?;
            Ok(visit.map(|visit| visit.with_attending(db)).transpose()?)
        })
        .await
    }

    /// Open visits in the order they were opened, at most `limit` (and [`MAX_PAGE`]), those after
    /// `after`.
    pub async fn open_visits(
        &self,
        filter: VisitFilter,
        after: Option<VisitId>,
        limit: u32,
    ) -> Result<Vec<Visit>, StoreError> {
        self.read(move |db| {
            let (clinician, department) = filter.clinician.unzip();
            let mut select = db.prepare_cached(&select(
                "INDEXED BY visit_open
                 WHERE institution = ?1 AND closed_at IS NULL AND id > coalesce(?2, '')
                   AND (?3 IS NULL OR department = ?4 OR EXISTS
                        (SELECT 1 FROM attending WHERE visit = visit.id AND identity = ?3))
                 ORDER BY id LIMIT ?5",
            ))?;
            let limit = limit.min(MAX_PAGE);
            let rows = select.query_map(
                (filter.institution, after, clinician, department, limit),
                Visit::read,
            )?;
            rows.map(|visit| Ok(visit?.with_attending(db)?)).collect()
        })
        .await
    }

    /// Closes a visit and ends its tokens. [`Change::None`] when it was closed before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_visit_closed(
        &self,
        id: VisitId,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            match check_visit(db, id) {
                Ok(()) => {}
                Err(StoreError::Conflict(_)) => return Ok(Found::Same(())),
                Err(error) => return Err(error),
            }
            db.prepare_cached("UPDATE visit SET closed_at = ?2 WHERE id = ?1")?
                .execute((id, Micros(at)))?;
            // Its tokens end with it: introspection looks at the visit, so nothing of theirs
            // needs to be written.
            Ok(Found::Changed(()))
        })
        .await
    }
}

/// Within a fact: the visit is open. A closing that came first wins.
pub(super) fn check_visit(db: &Connection, id: VisitId) -> Result<(), StoreError> {
    let open: Option<bool> = db
        .prepare_cached("SELECT closed_at IS NULL FROM visit WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    match open {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::Conflict(Obstacle::VisitClosed)),
        None => Err(StoreError::NotFound(Record::Visit)),
    }
}
