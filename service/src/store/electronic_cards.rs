//! Electronic cards on record (电子健康卡).

use audit::Entry;
use rusqlite::{
    Connection, OptionalExtension as _, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::{
    Change, ElectronicCardId, InstitutionId, Obstacle, Receipt, Record, ResidentId, Store,
    StoreError, facts::Found, micros::Micros,
};
use crate::clock::UtcTime;

/// What may be done with an electronic card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ElectronicCardStatus {
    /// 正常
    Active,
    /// 注销, for good.
    Cancelled,
}

impl ElectronicCardStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cancelled => "cancelled",
        }
    }
}

impl ToSql for ElectronicCardStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for ElectronicCardStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "active" => Ok(Self::Active),
            "cancelled" => Ok(Self::Cancelled),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// An electronic card on record.
#[derive(Clone, PartialEq, Eq)]
pub struct ElectronicCard {
    /// By what the log and other records name it.
    pub id: ElectronicCardId,
    /// Its holder.
    pub resident: ResidentId,
    /// Who gave it.
    pub institution: InstitutionId,
    /// Blind index of the id that codes show.
    pub card_id_index: [u8; 32],
    /// The id that codes show, sealed under the holder's key.
    pub sealed_card_id: Vec<u8>,
    /// What may be done with it.
    pub status: ElectronicCardStatus,
    /// When it was given.
    pub registered_at: UtcTime,
    /// When its status was last changed.
    pub changed_at: UtcTime,
}

impl std::fmt::Debug for ElectronicCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ElectronicCard({}, {:?})", self.id, self.status)
    }
}

impl ElectronicCard {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            resident: row.get("resident")?,
            institution: row.get("institution")?,
            card_id_index: row.get("card_id_index")?,
            sealed_card_id: row.get("sealed_card_id")?,
            status: row.get("status")?,
            registered_at: row.get::<_, Micros>("registered_at")?.0,
            changed_at: row.get::<_, Micros>("changed_at")?.0,
        })
    }
}

impl Store {
    /// Gives a resident an electronic card. `anew` says that one which was cancelled is to be
    /// followed by another.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the resident has an active one; [`StoreError::Conflict`] when
    /// they had one that was cancelled, unless it is made anew.
    pub async fn record_electronic_card(
        &self,
        card: ElectronicCard,
        anew: bool,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let c = card;
            let cancelled: bool = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM electronic_card
                     WHERE resident = ?1 AND status = 'cancelled')",
                )?
                .query_row([c.resident], |row| row.get(0))?;
            db.prepare_cached(
                "INSERT INTO electronic_card VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                c.id,
                c.resident,
                c.institution,
                c.card_id_index,
                c.sealed_card_id,
                c.status,
                Micros(c.registered_at),
                Micros(c.changed_at),
            ))?;
            // After the insertion, which says by itself that there is an active one.
            if cancelled && !anew {
                return Err(StoreError::Conflict(Obstacle::ElectronicCardStatus));
            }
            Ok(())
        })
        .await
    }

    /// Cancels an electronic card for good, and ends its codes. [`Change::None`] when it was.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_electronic_card_cancelled(
        &self,
        id: ElectronicCardId,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            match status(db, id)? {
                None => return Err(StoreError::NotFound(Record::ElectronicCard)),
                Some(ElectronicCardStatus::Cancelled) => return Ok(Found::Same(())),
                Some(ElectronicCardStatus::Active) => {}
            }
            db.prepare_cached(
                "UPDATE electronic_card SET status = 'cancelled', changed_at = ?2 WHERE id = ?1",
            )?
            .execute((id, Micros(at)))?;
            db.prepare_cached(
                "UPDATE code SET revoked_at = ?2
                 WHERE electronic_card = ?1 AND revoked_at IS NULL AND uses_left > 0",
            )?
            .execute((id, Micros(at)))?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// The electronic card as last recorded.
    pub async fn electronic_card(
        &self,
        id: ElectronicCardId,
    ) -> Result<Option<ElectronicCard>, StoreError> {
        self.find_electronic_card("SELECT * FROM electronic_card WHERE id = ?1", id).await
    }

    /// The electronic card whose codes show the id with this blind index.
    pub async fn electronic_card_by_index(
        &self,
        index: [u8; 32],
    ) -> Result<Option<ElectronicCard>, StoreError> {
        self.find_electronic_card("SELECT * FROM electronic_card WHERE card_id_index = ?1", index)
            .await
    }

    /// The active electronic card of a resident.
    pub async fn active_electronic_card(
        &self,
        resident: ResidentId,
    ) -> Result<Option<ElectronicCard>, StoreError> {
        let select = "SELECT * FROM electronic_card WHERE resident = ?1 AND status = 'active'";
        self.find_electronic_card(select, resident).await
    }

    async fn find_electronic_card(
        &self,
        select: &'static str,
        key: impl ToSql + Send + 'static,
    ) -> Result<Option<ElectronicCard>, StoreError> {
        self.read(move |db| {
            Ok(db.prepare_cached(select)?.query_row([key], ElectronicCard::read).optional()?)
        })
        .await
    }
}

fn status(
    db: &Connection,
    id: ElectronicCardId,
) -> Result<Option<ElectronicCardStatus>, StoreError> {
    Ok(db
        .prepare_cached("SELECT status FROM electronic_card WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?)
}

/// Within a fact: this is an electronic card of this resident, and it is active.
pub(super) fn check_electronic_card(
    db: &Connection,
    id: ElectronicCardId,
    resident: ResidentId,
) -> Result<(), StoreError> {
    let status: Option<ElectronicCardStatus> = db
        .prepare_cached("SELECT status FROM electronic_card WHERE id = ?1 AND resident = ?2")?
        .query_row((id, resident), |row| row.get(0))
        .optional()?;
    match status {
        Some(ElectronicCardStatus::Active) => Ok(()),
        Some(ElectronicCardStatus::Cancelled) => {
            Err(StoreError::Conflict(Obstacle::ElectronicCardStatus))
        }
        None => Err(StoreError::NotFound(Record::ElectronicCard)),
    }
}
