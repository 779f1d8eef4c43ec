//! Changes of cards that two persons make: one enters, another reviews (录入、复核). What was entered
//! changes nothing until it is approved, and nothing after its time.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, types::FromSqlError};
use time::Duration;

use super::{
    Activation, CardId, ChangeId, Chip, IdentityId, InstitutionId, MAX_PAGE, NewCard, Obstacle,
    Receipt, Record, Store, StoreError, Unique,
    cards::{Day, do_act, find, insert_card},
    micros::Micros,
    two_persons::check_two_persons,
};
use crate::{
    card_life::{CardAct, CardStatus, LiftingCause, ReplacementCause},
    clock::UtcTime,
};

/// What is to be done to a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardOrder {
    /// A new card takes its place (补卡、换卡).
    Replace {
        /// What the new card is made of.
        chip: Chip,
        /// Why.
        cause: ReplacementCause,
    },
    /// It is taken off the blacklist (移出黑名单).
    Unblacklist {
        /// Why.
        cause: LiftingCause,
    },
}

impl CardOrder {
    /// What it does to the card.
    #[must_use]
    pub fn act(&self) -> CardAct {
        match self {
            Self::Replace { .. } => CardAct::Replace,
            Self::Unblacklist { .. } => CardAct::Unblacklist,
        }
    }

    /// Why, in the word of the log.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Replace { cause, .. } => cause.as_str(),
            Self::Unblacklist { cause } => cause.as_str(),
        }
    }
}

/// A change to be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCardChange {
    /// Its identifier.
    pub id: ChangeId,
    /// The card it is about.
    pub card: CardId,
    /// Where it is entered, and reviewed.
    pub institution: InstitutionId,
    /// What is to be done.
    pub order: CardOrder,
    /// Who enters it.
    pub entered_by: IdentityId,
    /// When.
    pub entered_at: UtcTime,
    /// Until when it can be approved.
    pub expires_at: UtcTime,
}

/// How a change stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeState {
    /// It waits for another person, until its time is over.
    Pending,
    /// It was made.
    Approved {
        /// Who reviewed it.
        by: IdentityId,
        /// When.
        at: UtcTime,
        /// The card that a replacement made.
        made: Option<CardId>,
    },
    /// It will not be made.
    Rejected {
        /// Who reviewed it.
        by: IdentityId,
        /// When.
        at: UtcTime,
        /// Why, in the reviewer's words.
        why: String,
    },
    /// Nobody reviewed it in time.
    Expired,
}

/// A change on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardChange {
    /// What was entered.
    pub entered: NewCardChange,
    /// How it stands.
    pub state: ChangeState,
}

impl CardChange {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let unknown = || rusqlite::Error::from(FromSqlError::InvalidType);
        let (kind, cause): (String, String) = (row.get("kind")?, row.get("cause")?);
        let order = match CardAct::from_word(&kind) {
            Some(CardAct::Replace) => CardOrder::Replace {
                chip: Chip {
                    serial: row.get("chip_serial")?,
                    factor: row.get("factor")?,
                    valid_until: row.get::<_, Day>("valid_until")?.0,
                },
                cause: ReplacementCause::from_word(&cause).ok_or_else(unknown)?,
            },
            Some(CardAct::Unblacklist) => CardOrder::Unblacklist {
                cause: LiftingCause::from_word(&cause).ok_or_else(unknown)?,
            },
            _ => return Err(unknown()),
        };
        let reviewed = || -> rusqlite::Result<(IdentityId, UtcTime)> {
            Ok((row.get("reviewed_by")?, row.get::<_, Micros>("reviewed_at")?.0))
        };
        let state = match row.get::<_, String>("state")?.as_str() {
            "pending" => ChangeState::Pending,
            "approved" => {
                let (by, at) = reviewed()?;
                ChangeState::Approved { by, at, made: row.get("made")? }
            }
            "rejected" => {
                let (by, at) = reviewed()?;
                ChangeState::Rejected { by, at, why: row.get("rejection")? }
            }
            "expired" => ChangeState::Expired,
            _ => return Err(unknown()),
        };
        Ok(Self {
            entered: NewCardChange {
                id: row.get("id")?,
                card: row.get("card")?,
                institution: row.get("institution")?,
                order,
                entered_by: row.get("entered_by")?,
                entered_at: row.get::<_, Micros>("entered_at")?.0,
                expires_at: row.get::<_, Micros>("expires_at")?.0,
            },
            state,
        })
    }

    /// How it stands at this time: one whose time is over is no longer pending.
    #[must_use]
    pub fn state_at(&self, now: UtcTime) -> ChangeState {
        match &self.state {
            ChangeState::Pending if self.entered.expires_at <= now => ChangeState::Expired,
            state => state.clone(),
        }
    }
}

/// What the reviewer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make the change.
    Approve {
        /// Identifier of the card that a replacement makes.
        new_card: CardId,
    },
    /// Leave it.
    Reject {
        /// Why.
        why: String,
    },
}

/// A review of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The change.
    pub change: ChangeId,
    /// Who reviews it.
    pub by: IdentityId,
    /// When.
    pub at: UtcTime,
    /// What they say.
    pub verdict: Verdict,
}

impl Store {
    /// Enters a change. A card has one that waits; one whose time is over gives way. `loss` is how
    /// long a report of loss stands before the card may be replaced.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an unknown card; [`StoreError::Conflict`] when its state does
    /// not allow the change; [`StoreError::Duplicate`] while another change of the card waits, when
    /// the card was replaced before, its holder has an active card, or the new chip is on record.
    pub async fn record_card_change(
        &self,
        change: NewCardChange,
        loss: Duration,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let c = change;
            check_possible(db, c.card, &c.order, loss, c.entered_at)?;
            db.prepare_cached(
                "UPDATE card_change SET state = 'expired'
                 WHERE card = ?1 AND state = 'pending' AND expires_at <= ?2",
            )?
            .execute((c.card, Micros(c.entered_at)))?;
            let (kind, cause) = (c.order.act().as_str(), c.order.cause());
            let chip = match c.order {
                CardOrder::Replace { chip, .. } => Some(chip),
                CardOrder::Unblacklist { .. } => None,
            };
            db.prepare_cached(
                "INSERT INTO card_change (id, kind, card, institution, cause, chip_serial, factor,
                    valid_until, entered_by, entered_at, expires_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending')",
            )?
            .execute((
                c.id,
                kind,
                c.card,
                c.institution,
                cause,
                chip.as_ref().map(|chip| &chip.serial),
                chip.as_ref().map(|chip| chip.factor),
                chip.as_ref().map(|chip| Day(chip.valid_until)),
                c.entered_by,
                Micros(c.entered_at),
                Micros(c.expires_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// Records a review, and makes the change when it is approved: all of it, or nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the reviewer entered it, it was
    /// reviewed before, its time is over, or the card has come into a state that does not allow it;
    /// [`StoreError::Duplicate`] as for [`record_card_change`](Self::record_card_change).
    pub async fn record_card_change_reviewed(
        &self,
        review: Review,
        loss: Duration,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let Review { change, by, at, verdict } = review;
            let change =
                find_change(db, change)?.ok_or(StoreError::NotFound(Record::PendingChange))?;
            if change.state_at(at) != ChangeState::Pending {
                return Err(StoreError::Conflict(Obstacle::ChangeOver));
            }
            check_two_persons(db, change.entered.entered_by, by)?;
            let id = change.entered.id;
            let (state, why, made) = match verdict {
                Verdict::Reject { why } => ("rejected", Some(why), None),
                Verdict::Approve { new_card } => {
                    ("approved", None, make(db, change.entered, new_card, loss, at)?)
                }
            };
            db.prepare_cached(
                "UPDATE card_change SET state = ?2, reviewed_by = ?3, reviewed_at = ?4,
                 rejection = ?5, made = ?6 WHERE id = ?1",
            )?
            .execute((id, state, by, Micros(at), why, made))?;
            Ok(())
        })
        .await
    }

    /// The change as last recorded.
    pub async fn card_change(&self, id: ChangeId) -> Result<Option<CardChange>, StoreError> {
        self.read(move |db| find_change(db, id)).await
    }

    /// Changes that wait for a review at an institution, at most `limit` (and [`MAX_PAGE`]).
    pub async fn pending_card_changes(
        &self,
        institution: InstitutionId,
        now: UtcTime,
        after: Option<ChangeId>,
        limit: u32,
    ) -> Result<Vec<CardChange>, StoreError> {
        let limit = limit.min(MAX_PAGE);
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM card_change INDEXED BY card_change_institution
                 WHERE institution = ?1 AND state = 'pending' AND id > coalesce(?2, '')
                   AND expires_at > ?3
                 ORDER BY id LIMIT ?4",
            )?;
            let rows =
                select.query_map((institution, after, Micros(now), limit), CardChange::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn find_change(db: &Connection, id: ChangeId) -> Result<Option<CardChange>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM card_change WHERE id = ?1")?;
    Ok(select.query_row([id], CardChange::read).optional()?)
}

/// Within a fact: whether the change could be made now.
fn check_possible(
    db: &Connection,
    id: CardId,
    order: &CardOrder,
    loss: Duration,
    now: UtcTime,
) -> Result<(), StoreError> {
    let card = find(db, id)?.ok_or(StoreError::NotFound(Record::Card))?;
    card.status
        .after(order.act())
        .map_err(|refusal| StoreError::Conflict(Obstacle::CardState(refusal)))?;
    let CardOrder::Replace { chip, .. } = order else { return Ok(()) };
    if card.status == CardStatus::Lost && now < card.changed_at + loss {
        return Err(StoreError::Conflict(Obstacle::LossRecent));
    }
    let taken: [(&str, Unique); 2] = [
        ("SELECT EXISTS (SELECT 1 FROM card WHERE replaces = ?1)", Unique::Replacement),
        (
            "SELECT EXISTS (SELECT 1 FROM card WHERE status = 'active'
             AND resident = (SELECT resident FROM card WHERE id = ?1))",
            Unique::ActiveCard,
        ),
    ];
    for (query, unique) in taken {
        if db.prepare_cached(query)?.query_row([id], |row| row.get(0))? {
            return Err(StoreError::Duplicate(unique));
        }
    }
    let known: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM card WHERE chip_serial = ?1)")?
        .query_row([&chip.serial], |row| row.get(0))?;
    if known { Err(StoreError::Duplicate(Unique::ChipSerial)) } else { Ok(()) }
}

/// Within a fact: makes the change. The card that it made, if any; it waits for its holder.
fn make(
    db: &Connection,
    change: NewCardChange,
    new_card: CardId,
    loss: Duration,
    at: UtcTime,
) -> Result<Option<CardId>, StoreError> {
    check_possible(db, change.card, &change.order, loss, at)?;
    let old = do_act(db, change.card, change.order.act(), at)?;
    let CardOrder::Replace { chip, .. } = change.order else { return Ok(None) };
    let card = NewCard {
        id: new_card,
        resident: old.resident,
        institution: change.institution,
        chip,
        activation: Activation::Awaited,
        registered_at: at,
    };
    insert_card(db, card, Some(old.id))?;
    Ok(Some(new_card))
}
