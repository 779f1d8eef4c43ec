//! Other numbers bound to residents, with all their history.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    BindingId, Decision, IdentityId, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record, Resident,
    ResidentId, Store, StoreError, look_alikes::settle_look_alikes, micros::Micros,
};
use crate::{
    clock::UtcTime,
    numbers::NumberKind,
    vocabulary::{Basis, BindingEnd},
};

/// Most residents that one number is read for.
const MOST_SHARING: u32 = 20;

/// A number to be bound to a resident.
#[derive(Clone, PartialEq, Eq)]
pub struct NewBinding {
    /// Its identifier.
    pub id: BindingId,
    /// To whom.
    pub resident: ResidentId,
    /// What the number stands on.
    pub kind: NumberKind,
    /// Blind index of kind, issuer and number.
    pub number_index: [u8; 32],
    /// Issuer and number, sealed under the resident's data key.
    pub sealed_number: Vec<u8>,
    /// What it rests on.
    pub basis: Basis,
    /// SM3 of a scanned document, when there is one.
    pub scan_digest: Option<[u8; 32]>,
    /// Where it was bound.
    pub institution: InstitutionId,
    /// Who bound it.
    pub identity: IdentityId,
    /// When.
    pub bound_at: UtcTime,
}

impl std::fmt::Debug for NewBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewBinding({}, {})", self.id, self.kind)
    }
}

/// How a binding ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: UtcTime,
    /// Who ended it.
    pub by: IdentityId,
    /// Why.
    pub reason: BindingEnd,
    /// Why in words, sealed under the resident's data key.
    pub sealed_note: Option<Vec<u8>>,
}

/// A binding on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// As it was made.
    pub made: NewBinding,
    /// How it ended; `None` while it stands.
    pub ended: Option<Ended>,
}

impl Binding {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let made = NewBinding {
            id: row.get("id")?,
            resident: row.get("resident")?,
            kind: row.get("kind")?,
            number_index: row.get("number_index")?,
            sealed_number: row.get("sealed_number")?,
            basis: row.get("basis")?,
            scan_digest: row.get("scan_digest")?,
            institution: row.get("institution")?,
            identity: row.get("identity")?,
            bound_at: row.get::<_, Micros>("bound_at")?.0,
        };
        let ended = match row.get::<_, Option<Micros>>("ended_at")? {
            None => None,
            Some(at) => Some(Ended {
                at: at.0,
                by: row.get("ended_by")?,
                reason: row.get("end_reason")?,
                sealed_note: row.get("sealed_note")?,
            }),
        };
        Ok(Self { made, ended })
    }
}

impl Store {
    /// Binds a number to a resident.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when it is bound to this resident already;
    /// [`StoreError::Conflict`] while somebody else has the number, or looks like the resident, and
    /// `decision` is not about them; [`StoreError::NotFound`] for an unknown resident.
    pub async fn record_bound(
        &self,
        binding: NewBinding,
        decision: Option<Decision>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let b = binding;
            db.prepare_cached(
                "INSERT INTO binding VALUES
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL, NULL, NULL, NULL)",
            )?
            .execute((
                b.id,
                b.resident,
                b.kind,
                b.number_index,
                b.sealed_number,
                b.basis,
                b.scan_digest,
                b.institution,
                b.identity,
                Micros(b.bound_at),
            ))?;
            settle_look_alikes(db, b.resident, Some(b.number_index), decision.as_ref())
        })
        .await
    }

    /// Ends a binding; it stays on record.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it ended before.
    pub async fn record_unbound(
        &self,
        id: BindingId,
        ended: Ended,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            match find(db, id)? {
                None => return Err(StoreError::NotFound(Record::Binding)),
                Some(Binding { ended: Some(_), .. }) => {
                    return Err(StoreError::Conflict(Obstacle::BindingEnded));
                }
                Some(_) => {}
            }
            db.prepare_cached(
                "UPDATE binding SET ended_at = ?2, ended_by = ?3, end_reason = ?4, sealed_note = ?5
                 WHERE id = ?1",
            )?
            .execute((
                id,
                Micros(ended.at),
                ended.by,
                ended.reason,
                ended.sealed_note,
            ))?;
            Ok(())
        })
        .await
    }

    /// The binding as last recorded.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn binding(&self, id: BindingId) -> Result<Option<Binding>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// Bindings of a resident, those that ended included, in the order they were made, at most
    /// `limit` (and [`MAX_PAGE`]), those after `after`.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn bindings(
        &self,
        resident: ResidentId,
        after: Option<BindingId>,
        limit: u32,
    ) -> Result<Vec<Binding>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM binding WHERE resident = ?1 AND id > coalesce(?2, '')
                 ORDER BY id LIMIT ?3",
            )?;
            let rows = select.query_map((resident, after, limit.min(MAX_PAGE)), Binding::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Residents whom a number stands for, the earliest on record first: more than one where staff
    /// decided so.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn residents_by_number(
        &self,
        number_index: [u8; 32],
    ) -> Result<Vec<Resident>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT resident.* FROM binding JOIN resident ON resident.id = binding.resident
                 WHERE number_index = ?1 AND ended_at IS NULL ORDER BY resident.id LIMIT ?2",
            )?;
            let rows = select.query_map((number_index, MOST_SHARING), Resident::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn find(db: &Connection, id: BindingId) -> Result<Option<Binding>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM binding WHERE id = ?1")?;
    Ok(select.query_row([id], Binding::read).optional()?)
}
