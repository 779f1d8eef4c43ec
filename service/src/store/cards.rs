//! Cards on record (居民健康卡).

mod within;

use audit::Entry;
use rusqlite::{
    OptionalExtension as _, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use time::{Date, format_description::FormatItem, macros::format_description};

use super::{
    BadId, CardId, Change, InstitutionId, MAX_PAGE, Obstacle, Receipt, Record, ResidentId, Store,
    StoreError, Unique, facts::Found, micros::Micros,
};
use crate::{
    card_life::{CardAct, CardStatus},
    clock::UtcTime,
};

use within::check_has_none;
pub(super) use within::{
    check_card, do_act, find, insert_card, insert_first_card, issue_applied, list_anew, standing,
};

const DAY: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]");

impl ToSql for CardStatus {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for CardStatus {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_word(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

/// What a card has once it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Issuing serial (发卡序列号), unique per chip.
    pub serial: String,
    /// Card diversification factor.
    pub factor: [u8; 8],
    /// Last day of validity (卡有效期).
    pub valid_until: Date,
}

/// Whether the holder has taken a new card into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// It is in force from the start.
    Done,
    /// It waits for its holder.
    Awaited,
}

/// A card to be put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCard {
    /// Its identifier.
    pub id: CardId,
    /// Its holder.
    pub resident: ResidentId,
    /// Who registered it.
    pub institution: InstitutionId,
    /// What it is made of.
    pub chip: Chip,
    /// Whether it is in force.
    pub activation: Activation,
    /// When.
    pub registered_at: UtcTime,
}

/// An application for a card (申领).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewApplication {
    /// Identifier of the card that is to be.
    pub id: CardId,
    /// Who is to have it.
    pub resident: ResidentId,
    /// Who took the application.
    pub institution: InstitutionId,
    /// When.
    pub applied_at: UtcTime,
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
    /// What it is made of; `None` while it is only applied for.
    pub chip: Option<Chip>,
    /// What may be done with it.
    pub status: CardStatus,
    /// When it was put on record.
    pub registered_at: UtcTime,
    /// When its status was last changed.
    pub changed_at: UtcTime,
    /// The end that it is to get, until it has said so itself.
    pub renewal: Option<Date>,
    /// The card whose place it took.
    pub replaces: Option<CardId>,
}

impl Card {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let serial: Option<String> = row.get("chip_serial")?;
        let chip = match serial {
            Some(serial) => Some(Chip {
                serial,
                factor: row.get("factor")?,
                valid_until: row.get::<_, Day>("valid_until")?.0,
            }),
            None => None,
        };
        Ok(Self {
            id: row.get("id")?,
            resident: row.get("resident")?,
            institution: row.get("institution")?,
            chip,
            status: row.get("status")?,
            registered_at: row.get::<_, Micros>("registered_at")?.0,
            changed_at: row.get::<_, Micros>("changed_at")?.0,
            renewal: row.get::<_, Option<Day>>("renewal_until")?.map(|day| day.0),
            replaces: row.get("replaces")?,
        })
    }
}

/// Which cards a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardFilter {
    /// All, or those in one state, in the order of their registration.
    Status(Option<CardStatus>),
    /// Cards in force that end between these days, both included; the first to end first.
    EndsWithin(Date, Date),
}

/// Where a list of cards goes on: after this card, and the day it ends in a list by days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardCursor {
    ends: Option<Date>,
    id: CardId,
}

impl CardCursor {
    /// After this card of a list.
    #[must_use]
    pub fn after(filter: CardFilter, card: &Card) -> Self {
        let ends = match filter {
            CardFilter::Status(_) => None,
            CardFilter::EndsWithin(..) => card.chip.as_ref().map(|chip| chip.valid_until),
        };
        Self { ends, id: card.id }
    }
}

impl std::fmt::Display for CardCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.ends {
            Some(day) => write!(f, "{day}.{}", self.id),
            None => self.id.fmt(f),
        }
    }
}

impl std::str::FromStr for CardCursor {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (ends, id) = match text.split_once('.') {
            Some((day, id)) => (Some(Date::parse(day, DAY).map_err(|_| BadId)?), id),
            None => (None, text),
        };
        Ok(Self { ends, id: id.parse()? })
    }
}

/// A day as the table keeps it: YYYY-MM-DD.
pub(super) struct Day(pub(super) Date);

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
    /// the factor, or the holder has a card; [`StoreError::Conflict`] when this can only be a
    /// replacement.
    pub async fn record_card(&self, card: NewCard, entry: Entry) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| insert_first_card(db, card)).await
    }

    /// Puts an application for a card on record.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] while the resident has an application that waits, or a card;
    /// [`StoreError::Conflict`] when the next card can only be a replacement.
    pub async fn record_card_applied(
        &self,
        application: NewApplication,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let a = application;
            check_has_none(db, a.resident)?;
            if db
                .prepare_cached("SELECT 1 FROM card WHERE resident = ?1 AND status = 'applied'")?
                .exists([a.resident])?
            {
                return Err(StoreError::Duplicate(Unique::Application));
            }
            db.prepare_cached(
                "INSERT INTO card (id, resident, institution, status, registered_at, changed_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
            )?
            .execute((
                a.id,
                a.resident,
                a.institution,
                CardStatus::Applied,
                Micros(a.applied_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// Puts the chip that was made for an application on record; the card then waits for its holder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when this resident has no such application;
    /// [`StoreError::Conflict`] when the card is in another state; [`StoreError::Duplicate`] as for
    /// [`record_card`](Self::record_card).
    pub async fn record_card_issued(
        &self,
        id: CardId,
        resident: ResidentId,
        chip: Chip,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| issue_applied(db, id, resident, chip, at)).await
    }

    /// Does to a card what changes its state and nothing else.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when its state does not allow the act;
    /// [`StoreError::Duplicate`] when it would be the holder's second active card.
    pub async fn record_card_act(
        &self,
        id: CardId,
        act: CardAct,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| do_act(db, id, act, at).map(drop)).await
    }

    /// Notes the end that a card is to get. [`Change::None`] when the same was noted before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the card is not active, or another
    /// end was noted and the card has not said it yet.
    pub async fn record_card_renewal(
        &self,
        id: CardId,
        until: Date,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let card = find(db, id)?.ok_or(StoreError::NotFound(Record::Card))?;
            card.status
                .after(CardAct::Renew)
                .map_err(|refusal| StoreError::Conflict(Obstacle::CardState(refusal)))?;
            match card.renewal {
                Some(noted) if noted == until => return Ok(Found::Same(())),
                Some(_) => return Err(StoreError::Conflict(Obstacle::RenewalPending)),
                None => {}
            }
            db.prepare_cached("UPDATE card SET renewal_until = ?2 WHERE id = ?1")?
                .execute((id, Day(until)))?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// Moves the end of a card to the one that was noted, once the card says it. [`Change::None`]
    /// when nothing of that kind was noted any more.
    pub async fn record_card_renewed(
        &self,
        id: CardId,
        until: Date,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let moved = db
                .prepare_cached(
                    "UPDATE card SET valid_until = renewal_until, renewal_until = NULL
                     WHERE id = ?1 AND renewal_until = ?2",
                )?
                .execute((id, Day(until)))?;
            Ok(if moved == 0 { Found::Same(()) } else { Found::Changed(()) })
        })
        .await
    }

    /// The card as last recorded.
    pub async fn card(&self, id: CardId) -> Result<Option<Card>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// The card with this issuing serial.
    pub async fn card_by_chip(&self, chip_serial: &str) -> Result<Option<Card>, StoreError> {
        let chip_serial = chip_serial.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM card WHERE chip_serial = ?1")?;
            Ok(select.query_row([chip_serial], Card::read).optional()?)
        })
        .await
    }

    /// The state that a card had just before a moment; `None` when it was not on record then, or
    /// nothing is known of it that is so old.
    pub async fn card_status_before(
        &self,
        id: CardId,
        moment: UtcTime,
    ) -> Result<Option<CardStatus>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT status FROM card_history WHERE card = ?1 AND since < ?2
                 ORDER BY since DESC LIMIT 1",
            )?;
            Ok(select.query_row((id, Micros(moment)), |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Whether the resident has a card in force.
    pub async fn has_active_card(&self, resident: ResidentId) -> Result<bool, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM card WHERE resident = ?1 AND status = 'active')",
            )?;
            Ok(select.query_row([resident], |row| row.get(0))?)
        })
        .await
    }

    /// Cards that an institution registered, at most `limit` (and [`MAX_PAGE`]).
    pub async fn cards(
        &self,
        institution: InstitutionId,
        filter: CardFilter,
        after: Option<CardCursor>,
        limit: u32,
    ) -> Result<Vec<Card>, StoreError> {
        let limit = limit.min(MAX_PAGE);
        self.read(move |db| {
            let id = after.map(|cursor| cursor.id);
            let rows: rusqlite::Result<Vec<Card>> = match filter {
                CardFilter::Status(status) => db
                    .prepare_cached(
                        "SELECT * FROM card INDEXED BY card_institution
                         WHERE institution = ?1 AND id > coalesce(?2, '')
                           AND (?3 IS NULL OR status = ?3)
                         ORDER BY id LIMIT ?4",
                    )?
                    .query_map((institution, id, status, limit), Card::read)?
                    .collect(),
                CardFilter::EndsWithin(first, last) => {
                    let from = after.and_then(|cursor| cursor.ends).unwrap_or(first);
                    db.prepare_cached(
                        "SELECT * FROM card INDEXED BY card_end
                         WHERE institution = ?1 AND status = 'active'
                           AND valid_until >= ?2 AND valid_until <= ?3
                           AND (valid_until > ?2 OR id > coalesce(?4, ''))
                         ORDER BY valid_until, id LIMIT ?5",
                    )?
                    .query_map((institution, Day(from), Day(last), id, limit), Card::read)?
                    .collect()
                }
            };
            Ok(rows?)
        })
        .await
    }
}
