//! Cards on record (居民健康卡).

use audit::Entry;
use rusqlite::{
    Connection, OptionalExtension as _, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use time::{Date, format_description::FormatItem, macros::format_description};

use super::{
    CardId, Change, InstitutionId, Obstacle, Receipt, Record, ResidentId, Store, StoreError,
    facts::Found, micros::Micros,
};
use crate::clock::UtcTime;

const DAY: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// What may be done with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CardStatus {
    /// 正常
    Active,
    /// 挂失
    Lost,
    /// 注销
    Cancelled,
}

impl CardStatus {
    /// The word in the table and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        }
    }
}

impl ToSql for CardStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for CardStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "active" => Ok(Self::Active),
            "lost" => Ok(Self::Lost),
            "cancelled" => Ok(Self::Cancelled),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A card to be put on record; it is active from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCard {
    /// Its identifier.
    pub id: CardId,
    /// Its holder.
    pub resident: ResidentId,
    /// Who registered it.
    pub institution: InstitutionId,
    /// Issuing serial (发卡序列号), unique per chip.
    pub chip_serial: String,
    /// Card diversification factor.
    pub factor: [u8; 8],
    /// Last day of validity (卡有效期).
    pub valid_until: Date,
    /// When.
    pub registered_at: UtcTime,
}

/// A card on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its identifier.
    pub id: CardId,
    /// Its holder.
    pub resident: ResidentId,
    /// Who registered it.
    pub institution: InstitutionId,
    /// Issuing serial (发卡序列号), unique per chip.
    pub chip_serial: String,
    /// Card diversification factor.
    pub factor: [u8; 8],
    /// Last day of validity (卡有效期).
    pub valid_until: Date,
    /// What may be done with it.
    pub status: CardStatus,
    /// When it was put on record.
    pub registered_at: UtcTime,
    /// When its status was last changed.
    pub changed_at: UtcTime,
}

impl Card {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            resident: row.get("resident")?,
            institution: row.get("institution")?,
            chip_serial: row.get("chip_serial")?,
            factor: row.get("factor")?,
            valid_until: row.get::<_, Day>("valid_until")?.0,
            status: row.get("status")?,
            registered_at: row.get::<_, Micros>("registered_at")?.0,
            changed_at: row.get::<_, Micros>("changed_at")?.0,
        })
    }
}

/// A day as the table keeps it: YYYY-MM-DD.
struct Day(Date);

impl ToSql for Day {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = self.0.format(DAY);
        Ok(text.map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?.into())
    }
}

impl FromSql for Day {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Date::parse(value.as_str()?, DAY).map(Self).map_err(FromSqlError::other)
    }
}

impl Store {
    /// Puts a card on record.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the chip is on record, another card that is not cancelled has
    /// the factor, or the holder has an active card.
    pub async fn record_card(&self, card: NewCard, entry: Entry) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let c = card;
            db.prepare_cached(
                "INSERT INTO card VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'active', ?7, ?7)",
            )?
            .execute((
                c.id,
                c.resident,
                c.institution,
                c.chip_serial,
                c.factor,
                Day(c.valid_until),
                Micros(c.registered_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// Changes the status of a card that has one of the statuses `from`. [`Change::None`] when it
    /// has the status `to` already.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it has none of these;
    /// [`StoreError::Duplicate`] when it would be the holder's second active card.
    pub async fn record_card_status(
        &self,
        id: CardId,
        from: &[CardStatus],
        to: CardStatus,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        let from = from.to_vec();
        self.change(entry, move |db| {
            let status: Option<CardStatus> = db
                .prepare_cached("SELECT status FROM card WHERE id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            match status {
                None => return Err(StoreError::NotFound(Record::Card)),
                Some(status) if status == to => return Ok(Found::Same(())),
                Some(status) if !from.contains(&status) => {
                    return Err(StoreError::Conflict(Obstacle::CardStatus));
                }
                Some(_) => {}
            }
            db.prepare_cached("UPDATE card SET status = ?2, changed_at = ?3 WHERE id = ?1")?
                .execute((id, to, Micros(at)))?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// The card as last recorded.
    pub async fn card(&self, id: CardId) -> Result<Option<Card>, StoreError> {
        self.find_card("SELECT * FROM card WHERE id = ?1", id).await
    }

    /// The card with this issuing serial.
    pub async fn card_by_chip(&self, chip_serial: &str) -> Result<Option<Card>, StoreError> {
        self.find_card("SELECT * FROM card WHERE chip_serial = ?1", chip_serial.to_owned()).await
    }

    async fn find_card(
        &self,
        select: &'static str,
        key: impl ToSql + Send + 'static,
    ) -> Result<Option<Card>, StoreError> {
        self.read(move |db| {
            Ok(db.prepare_cached(select)?.query_row([key], Card::read).optional()?)
        })
        .await
    }
}

/// Within a fact: this is a card of this resident, and it is active. A loss that came first wins.
pub(super) fn check_card(
    db: &Connection,
    id: CardId,
    resident: ResidentId,
) -> Result<(), StoreError> {
    let status: Option<CardStatus> = db
        .prepare_cached("SELECT status FROM card WHERE id = ?1 AND resident = ?2")?
        .query_row((id, resident), |row| row.get(0))
        .optional()?;
    match status {
        Some(CardStatus::Active) => Ok(()),
        Some(_) => Err(StoreError::Conflict(Obstacle::CardStatus)),
        None => Err(StoreError::NotFound(Record::Card)),
    }
}
