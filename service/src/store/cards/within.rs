//! What is done to cards within a fact, and looked at there: each fact that makes, changes or rests on
//! a card does it by these.

use rusqlite::{Connection, OptionalExtension as _};

use super::{Activation, Card, Chip, Day, NewCard};
use crate::{
    card_life::{CardAct, CardStatus},
    clock::UtcTime,
    store::{CardId, Obstacle, Record, ResidentId, StoreError, Unique, micros::Micros},
};

/// The card as last recorded.
pub(in crate::store) fn find(db: &Connection, id: CardId) -> Result<Option<Card>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM card WHERE id = ?1")?;
    Ok(select.query_row([id], Card::read).optional()?)
}

/// Puts a new card on record, perhaps in the place of another.
pub(in crate::store) fn insert_card(
    db: &Connection,
    card: NewCard,
    replaces: Option<CardId>,
) -> Result<(), StoreError> {
    let c = card;
    let status = match c.activation {
        Activation::Done => CardStatus::Active,
        Activation::Awaited => CardStatus::PreIssued,
    };
    db.prepare_cached(
        "INSERT INTO card (id, resident, institution, chip_serial, factor, valid_until, status,
                           registered_at, changed_at, replaces)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
    )?
    .execute((
        c.id,
        c.resident,
        c.institution,
        &c.chip.serial,
        c.chip.factor,
        Day(c.chip.valid_until),
        status,
        Micros(c.registered_at),
        replaces,
    ))?;
    // A chip that a card was begun on is on the list until the card is on record.
    let begun = db
        .prepare_cached("SELECT 1 FROM batch_chip WHERE chip_serial = ?1")?
        .exists([&c.chip.serial])?;
    if begun || status.listing().is_some() {
        list_anew(db, &c.chip.serial)?;
    }
    Ok(())
}

/// Puts a card on record of somebody who can get a first one.
pub(in crate::store) fn insert_first_card(
    db: &Connection,
    card: NewCard,
) -> Result<(), StoreError> {
    check_has_none(db, card.resident)?;
    insert_card(db, card, None)
}

/// Puts the chip that was made for an application on record.
pub(in crate::store) fn issue_applied(
    db: &Connection,
    id: CardId,
    resident: ResidentId,
    chip: Chip,
    at: UtcTime,
) -> Result<(), StoreError> {
    let card = find(db, id)?.filter(|card| card.resident == resident);
    let card = card.ok_or(StoreError::NotFound(Record::Card))?;
    let status = card
        .status
        .after(CardAct::Issue)
        .map_err(|refusal| StoreError::Conflict(Obstacle::CardState(refusal)))?;
    check_has_none(db, resident)?;
    db.prepare_cached(
        "UPDATE card SET status = ?2, changed_at = ?3, chip_serial = ?4, factor = ?5,
         valid_until = ?6 WHERE id = ?1",
    )?
    .execute((id, status, Micros(at), &chip.serial, chip.factor, Day(chip.valid_until)))?;
    list_anew(db, &chip.serial)
}

/// Does something to a card, and notes for the next list what it changes there. The
/// card as it was.
pub(in crate::store) fn do_act(
    db: &Connection,
    id: CardId,
    act: CardAct,
    at: UtcTime,
) -> Result<Card, StoreError> {
    let card = find(db, id)?.ok_or(StoreError::NotFound(Record::Card))?;
    let after = card
        .status
        .after(act)
        .map_err(|refusal| StoreError::Conflict(Obstacle::CardState(refusal)))?;
    if after == card.status {
        return Ok(card);
    }
    let cancelled_from = (after == CardStatus::Cancelled).then_some(card.status);
    db.prepare_cached(
        "UPDATE card SET status = ?2, changed_at = ?3, cancelled_from = ?4 WHERE id = ?1",
    )?
    .execute((id, after, Micros(at), cancelled_from))?;
    if let Some(chip) = &card.chip
        && card.status.listing() != after.listing()
    {
        list_anew(db, &chip.serial)?;
    }
    Ok(card)
}

/// The card that stands in the way of a first one: one that was made and is not cancelled, or was
/// lost, frozen or blacklisted when it was, and has not been replaced.
pub(in crate::store) fn standing(
    db: &Connection,
    resident: ResidentId,
) -> Result<Option<CardStatus>, StoreError> {
    Ok(db
        .prepare_cached(
            "SELECT status FROM card
             WHERE resident = ?1 AND status <> 'applied' AND (
                 status <> 'cancelled'
                 OR (cancelled_from IN ('lost', 'frozen', 'blacklisted')
                     AND NOT EXISTS (SELECT 1 FROM card AS next WHERE next.replaces = card.id)))
             ORDER BY status IN ('active', 'pre-issued') DESC LIMIT 1",
        )?
        .query_row([resident], |row| row.get(0))
        .optional()?)
}

/// That the resident can get a first card. Else one clerk could do alone, by registering a
/// card, what a replacement takes two persons and the time of a loss for.
pub(in crate::store) fn check_has_none(
    db: &Connection,
    resident: ResidentId,
) -> Result<(), StoreError> {
    match standing(db, resident)? {
        None => Ok(()),
        Some(CardStatus::Active | CardStatus::PreIssued) => {
            Err(StoreError::Duplicate(Unique::ActiveCard))
        }
        Some(_) => Err(StoreError::Conflict(Obstacle::ReplacementDue)),
    }
}

/// Notes that the next list may have something else to say of this chip.
pub(in crate::store) fn list_anew(db: &Connection, chip_serial: &str) -> Result<(), StoreError> {
    db.prepare_cached("INSERT OR IGNORE INTO card_list_due VALUES (?1)")?.execute([chip_serial])?;
    Ok(())
}

/// That this is a card of this resident, and it is active. A loss that came first wins.
pub(in crate::store) fn check_card(
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
