//! What an approval does, within its transaction.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _};

use super::NewErasure;
use crate::{
    clock::{UtcTime, date_at_desk, years_after},
    store::{
        IdentityId, Obstacle, Record, ResidentId, StoreError, batches,
        cards::{Day, list_anew},
        micros::Micros,
        tokens::{self, TokensOf},
    },
    vocabulary::ErasureBasis,
};

/// Whom to erase, and what stands on record of it.
pub(super) struct Order<'a> {
    pub(super) resident: ResidentId,
    pub(super) at: UtcTime,
    /// Who is named where a record names who ended it. An older copy of the database may not know them.
    pub(super) by: Option<IdentityId>,
    /// The entry that says so.
    pub(super) entry: &'a str,
    pub(super) row_reasons: String,
}

/// What there was, by the word in the entry.
pub(super) struct Erased(Vec<(&'static str, usize)>);

impl Erased {
    /// The entry says how much it was, also where it was nothing.
    pub(super) fn told_in(self, entry: Entry) -> Entry {
        self.0.into_iter().fold(entry, |entry, (what, count)| entry.with(what, count.to_string()))
    }
}

/// That the resident is on record, nothing about them is under way, and the basis allows it by now.
pub(super) fn check_erasable(
    db: &Connection,
    erasure: &NewErasure,
    records_years: i32,
    at: UtcTime,
) -> Result<(), StoreError> {
    let resident = erasure.resident;
    check_on_record(db, resident)?;
    let is = |question: &str| -> rusqlite::Result<bool> {
        db.prepare_cached(question)?.exists([resident])
    };
    if is("SELECT 1 FROM visit WHERE resident = ?1 AND closed_at IS NULL")? {
        return Err(StoreError::Conflict(Obstacle::VisitOpen));
    }
    // Whoever reviews it needs what was written.
    if is("SELECT 1 FROM emergency WHERE resident = ?1 AND reviewed_at IS NULL")? {
        return Err(StoreError::Conflict(Obstacle::EmergencyOpen));
    }
    match erasure.basis {
        ErasureBasis::Order => Ok(()),
        ErasureBasis::RegisteredInError => {
            let cared_for = is("SELECT 1 FROM visit WHERE resident = ?1")?
                || is("SELECT 1 FROM emergency WHERE resident = ?1")?
                || is("SELECT 1 FROM token WHERE resident = ?1")?
                || is("SELECT 1 FROM card WHERE resident = ?1 AND chip_serial IS NOT NULL")?
                || is("SELECT 1 FROM electronic_card WHERE resident = ?1")?;
            match cared_for {
                true => Err(StoreError::Conflict(Obstacle::NotInError)),
                false => Ok(()),
            }
        }
        ErasureBasis::ResidentAsks => {
            // Whoever was treated in an emergency may have had no visit.
            let last: Option<Micros> = db
                .prepare_cached(
                    "SELECT max(at) FROM (
                         SELECT closed_at AS at FROM visit WHERE resident = ?1
                         UNION ALL SELECT begun_at FROM emergency WHERE resident = ?1
                         UNION ALL SELECT issued_at FROM token WHERE resident = ?1)",
                )?
                .query_row([resident], |row| row.get(0))?;
            let until = last.map(|last| years_after(date_at_desk(last.0), records_years));
            match until.filter(|until| date_at_desk(at) < *until) {
                Some(until) => Err(StoreError::Conflict(Obstacle::KeptUntil(until))),
                None => Ok(()),
            }
        }
    }
}

fn check_on_record(db: &Connection, resident: ResidentId) -> Result<(), StoreError> {
    let erased: Option<bool> = db
        .prepare_cached("SELECT erased_at IS NOT NULL FROM resident WHERE id = ?1")?
        .query_row([resident], |row| row.get(0))
        .optional()?;
    match erased {
        Some(false) => Ok(()),
        Some(true) => Err(StoreError::Conflict(Obstacle::ResidentErased)),
        None => Err(StoreError::NotFound(Record::Reference)),
    }
}

/// The same in an older copy, whatever is under way there.
pub(super) fn erase_again(db: &Connection, order: Order<'_>) -> Result<Erased, StoreError> {
    let (resident, at) = (order.resident, Micros(order.at));
    check_on_record(db, resident)?;
    let by = match order.by {
        None => None,
        Some(by) => db
            .prepare_cached("SELECT id FROM identity WHERE id = ?1")?
            .query_row([by], |row| row.get(0))
            .optional()?,
    };
    let steps = [
        "UPDATE visit SET closed_at = ?2 WHERE resident = ?1 AND closed_at IS NULL",
        "UPDATE emergency SET ended_at = ?2 WHERE resident = ?1 AND ended_at IS NULL AND ends_at > ?2",
    ];
    for step in steps {
        db.prepare_cached(step)?.execute((resident, &at))?;
    }
    db.prepare_cached(
        "UPDATE erasure SET state = 'expired' WHERE resident = ?1 AND state = 'pending'",
    )?
    .execute([resident])?;
    erase(db, &Order { by, ..order })
}

/// Erases a resident. What refers to residents and is not named here stays: [`PLACES`](super::places::PLACES) says of
/// each column which it is.
pub(super) fn erase(db: &Connection, order: &Order<'_>) -> Result<Erased, StoreError> {
    let resident = order.resident;
    let gone = |statement: &str| -> rusqlite::Result<usize> {
        db.prepare_cached(statement)?.execute([resident])
    };
    let tokens = tokens::end(db, &TokensOf::Resident(resident), None, order.at)?;
    let cards = cancel_cards(db, order)?;
    let (electronic_cards, codes) = cancel_electronic_cards(db, order)?;
    let rows = refuse_rows(db, order)?;
    let presences = gone("DELETE FROM presence WHERE resident = ?1")?;
    let numbers = gone("DELETE FROM binding WHERE resident = ?1")?;
    gone("DELETE FROM likeness WHERE resident = ?1")?;
    gone("DELETE FROM unlikened WHERE resident = ?1")?;
    // That somebody else looked like the resident tells the name of one by that of the other, and so do the words why.
    gone(
        "UPDATE decision SET sealed_grounds = x''
         WHERE id IN (SELECT decision FROM candidate WHERE resident = ?1)",
    )?;
    gone(
        "DELETE FROM candidate WHERE resident = ?1
          OR decision IN (SELECT id FROM decision WHERE resident = ?1)",
    )?;
    let decisions = gone("DELETE FROM decision WHERE resident = ?1")?;
    let guardianships = end_guardianships(db, order)?;
    let consents = end(
        db,
        order,
        "UPDATE consent SET withdrawn_at = ?2, withdrawn_by = coalesce(?3, identity)
         WHERE resident = ?1 AND withdrawn_at IS NULL AND ends_at > ?2",
    )?;
    let referrals = end(
        db,
        order,
        "UPDATE referral SET ended_at = ?2, ended_by = coalesce(?3, identity)
         WHERE resident = ?1 AND ended_at IS NULL AND ends_at > ?2",
    )?;
    let emergencies = gone(
        "UPDATE emergency SET sealed_note = x'', sealed_account = iif(sealed_account IS NULL, NULL, x''),
                              sealed_finding = iif(sealed_finding IS NULL, NULL, x'')
         WHERE resident = ?1",
    )?;
    gone("UPDATE warning SET sealed_note = x'' WHERE resident = ?1 AND sealed_note IS NOT NULL")?;
    db.prepare_cached(
        "UPDATE resident SET erased_at = ?2, erasure_entry = ?3, id_number_index = CAST(id AS BLOB),
                             wrapped_key = x'', sealed_name = x'', sealed_id_number = x'', sealed_phone = NULL,
                             sealed_ethnic_group = NULL
         WHERE id = ?1",
    )?
    .execute((resident, Micros(order.at), order.entry))?;
    Ok(Erased(vec![
        ("cards", cards),
        ("electronic-cards", electronic_cards),
        ("codes", codes),
        ("rows", rows),
        ("presences", presences),
        ("tokens", tokens as usize),
        ("numbers", numbers),
        ("decisions", decisions),
        ("guardianships", guardianships),
        ("consents", consents),
        ("referrals", referrals),
        ("emergencies", emergencies),
    ]))
}

/// Ends what names who ended it.
fn end(db: &Connection, order: &Order<'_>, statement: &str) -> rusqlite::Result<usize> {
    db.prepare_cached(statement)?.execute((order.resident, Micros(order.at), order.by))
}

/// Cards are cancelled in whatever state they are, and on the next list of cards that are not to be served.
fn cancel_cards(db: &Connection, order: &Order<'_>) -> Result<usize, StoreError> {
    let resident = order.resident;
    db.prepare_cached(
        "UPDATE card_change SET state = 'expired'
         WHERE state = 'pending' AND card IN (SELECT id FROM card WHERE resident = ?1)",
    )?
    .execute([resident])?;
    let mut cancel = db.prepare_cached(
        "UPDATE card SET status = 'cancelled', changed_at = ?2, cancelled_from = status
         WHERE resident = ?1 AND status <> 'cancelled' RETURNING chip_serial",
    )?;
    let chips = cancel.query_map((resident, Micros(order.at)), |row| row.get(0))?;
    let chips = chips.collect::<rusqlite::Result<Vec<Option<String>>>>()?;
    for chip in chips.iter().flatten() {
        list_anew(db, chip)?;
    }
    Ok(chips.len())
}

/// How many there were, and how many codes ended with them.
fn cancel_electronic_cards(
    db: &Connection,
    order: &Order<'_>,
) -> Result<(usize, usize), StoreError> {
    let (resident, at) = (order.resident, Micros(order.at));
    let codes = db
        .prepare_cached(
            "UPDATE code SET revoked_at = ?2
             WHERE electronic_card IN (SELECT id FROM electronic_card WHERE resident = ?1)
               AND revoked_at IS NULL AND uses_left > 0",
        )?
        .execute((resident, &at))?;
    let cards = db
        .prepare_cached(
            "UPDATE electronic_card
             SET changed_at = iif(status = 'active', ?2, changed_at), status = 'cancelled',
                 card_id_index = CAST(id AS BLOB), sealed_card_id = x''
             WHERE resident = ?1",
        )?
        .execute((resident, &at))?;
    Ok((cards, codes))
}

/// Rows of batches that make a card for the resident make none, and no row is found by the resident any more.
fn refuse_rows(db: &Connection, order: &Order<'_>) -> Result<usize, StoreError> {
    let index: Vec<u8> = db
        .prepare_cached("SELECT id_number_index FROM resident WHERE id = ?1")?
        .query_row([order.resident], |row| row.get(0))?;
    let refused = batches::refuse_rows_of(db, &index, &order.row_reasons, order.at)?;
    db.prepare_cached("UPDATE batch_row SET id_number_index = NULL WHERE id_number_index = ?1")?
        .execute([&index])?;
    Ok(refused)
}

/// Guardianships end both ways. Of those over the resident, the days go as well: the last one is often a birthday.
fn end_guardianships(db: &Connection, order: &Order<'_>) -> Result<usize, StoreError> {
    let today = Day(date_at_desk(order.at));
    let ended = db
        .prepare_cached(
            "UPDATE guardianship SET ended_at = ?2, ended_by = coalesce(?3, identity), sealed_note = x''
             WHERE (ward = ?1 OR guardian = ?1) AND ended_at IS NULL AND ends_on >= ?4",
        )?
        .execute((order.resident, Micros(order.at), order.by, today))?;
    for statement in [
        "DELETE FROM guardianship_scope WHERE guardianship IN (SELECT id FROM guardianship WHERE ward = ?1)",
        "UPDATE guardianship
         SET ends_on = starts_on, scan_digest = NULL, sealed_note = iif(sealed_note IS NULL, NULL, x'')
         WHERE ward = ?1",
    ] {
        db.prepare_cached(statement)?.execute([order.resident])?;
    }
    Ok(ended)
}
