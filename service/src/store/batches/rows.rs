//! Rows that are handed in, and rows that are held because their person looks like another.

use audit::Entry;
use rusqlite::Connection;

use super::{
    Checked, NewRow, Reviewed, RowState, Stop, check_open, forget_likeness, one_row, spoil,
};
use crate::{
    clock::UtcTime,
    likeness::Rule,
    store::{BatchId, Likeness, Receipt, ResidentId, Store, StoreError},
};

/// How reasons are put that only the store finds.
#[derive(Clone, Copy)]
pub struct RowWords {
    /// The person stands in an earlier row.
    pub duplicate: fn() -> String,
    /// Somebody looks like the person, by these rules.
    pub alike: fn(&[Rule]) -> String,
}

impl Store {
    /// Puts rows of an open batch on record. A row whose person stands in an earlier row is refused;
    /// one whose person looks like somebody on record or in another row is held.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the batch is closed, [`StoreError::Duplicate`] when one of the
    /// rows is on record.
    pub async fn record_batch_rows(
        &self,
        batch: BatchId,
        rows: Vec<NewRow>,
        words: RowWords,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            check_open(db, batch)?;
            rows.into_iter().try_for_each(|row| insert_row(db, batch, row, words))
        })
        .await
    }

    /// Puts on record what came of another look at rows that are held.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the batch is closed, or a row is not held.
    pub async fn record_rows_reviewed(
        &self,
        batch: BatchId,
        rows: Vec<(u32, Reviewed)>,
        words: RowWords,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            check_open(db, batch)?;
            for (number, reviewed) in rows {
                forget_likeness(db, batch, number)?;
                let (state, reasons) = match reviewed {
                    Reviewed::Good { likenesses, alike } => {
                        match settle_row(db, batch, number, &likenesses, alike, words)? {
                            None => (RowState::Waiting, None),
                            Some(reasons) => (RowState::Held, Some(reasons)),
                        }
                    }
                    Reviewed::Refused(reasons) => (RowState::Refused, Some(reasons)),
                };
                move_row(db, (batch, number), (RowState::Held, state), reasons)?;
            }
            Ok(())
        })
        .await
    }

    /// Holds or refuses a row that waits, for what came on record since it was handed in.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the batch is closed, or the row does not wait.
    pub async fn record_row_stopped(
        &self,
        batch: BatchId,
        number: u32,
        stop: Stop,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            check_open(db, batch)?;
            let (state, reasons) = match stop {
                Stop::Held(reasons) => (RowState::Held, reasons),
                Stop::Refused(reasons) => {
                    forget_likeness(db, batch, number)?;
                    (RowState::Refused, reasons)
                }
            };
            move_row(db, (batch, number), (RowState::Waiting, state), Some(reasons))
        })
        .await
    }

    /// By which of these somebody on record looks like the person, `own` being the person's record:
    /// what was bound to that was decided about when it was.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn alike_on_record(
        &self,
        likenesses: Vec<Likeness>,
        own: Option<ResidentId>,
    ) -> Result<Vec<Rule>, StoreError> {
        self.read(move |db| {
            let own = own.map(|own| own.to_string()).unwrap_or_default();
            let mut person = db.prepare_cached(
                "SELECT 1 FROM likeness WHERE digest = ?1 AND resident <> ?2 LIMIT 1",
            )?;
            let mut number = db.prepare_cached(
                "SELECT 1 FROM binding WHERE number_index = ?1 AND ended_at IS NULL
                 GROUP BY number_index HAVING sum(resident = ?2) = 0",
            )?;
            let mut alike = Vec::new();
            for likeness in likenesses {
                let found = match likeness.rule {
                    Rule::Number => number.exists((likeness.digest, &own))?,
                    _ => person.exists((likeness.digest, &own))?,
                };
                if found && !alike.contains(&likeness.rule) {
                    alike.push(likeness.rule);
                }
            }
            Ok(alike)
        })
        .await
    }
}

/// Within a fact: a row goes from one state to another. One that is refused forgets its person.
fn move_row(
    db: &Connection,
    (batch, number): (BatchId, u32),
    (from, to): (RowState, RowState),
    reasons: Option<String>,
) -> Result<(), StoreError> {
    let changed = db
        .prepare_cached(
            "UPDATE batch_row
             SET state = ?4, reasons = ?5,
                 sealed_row = CASE WHEN ?4 <> 'refused' THEN sealed_row END,
                 id_number_index = CASE WHEN ?4 <> 'refused' THEN id_number_index END
             WHERE batch = ?1 AND number = ?2 AND state = ?3",
        )?
        .execute((batch, number, from, to, reasons))?;
    one_row(changed)
}

/// Within a fact: rows that are not done whose person has this blind index make no card, and chips that were begun for
/// them are given up. No row is compared by that person any more. How many rows were refused.
pub(in crate::store) fn refuse_rows_of(
    db: &Connection,
    id_number_index: &[u8],
    reasons: &str,
    at: UtcTime,
) -> Result<usize, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT batch, number, state, factor FROM batch_row WHERE id_number_index = ?1",
    )?;
    let rows = select.query_map([id_number_index], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let rows =
        rows.collect::<rusqlite::Result<Vec<(BatchId, u32, RowState, Option<[u8; 8]>)>>>()?;
    let mut refused = 0;
    for (batch, number, state, factor) in rows {
        forget_likeness(db, batch, number)?;
        match (state, factor) {
            (RowState::Issued | RowState::Refused, _) => continue,
            (RowState::Writing, Some(factor)) => spoil(db, factor, at)?,
            (RowState::Waiting | RowState::Held | RowState::Writing, _) => {}
        }
        let changed = db
            .prepare_cached(
                "UPDATE batch_row
                 SET state = 'refused', reasons = ?3, factor = NULL, transcript = NULL, sessions = 0,
                     sealed_row = NULL, id_number_index = NULL
                 WHERE batch = ?1 AND number = ?2",
            )?
            .execute((batch, number, reasons))?;
        one_row(changed)?;
        refused += 1;
    }
    Ok(refused)
}

fn insert_row(
    db: &Connection,
    batch: BatchId,
    row: NewRow,
    words: RowWords,
) -> Result<(), StoreError> {
    let number = row.number;
    let known = match &row.checked {
        Checked::Good { id_number_index, .. } => db
            .prepare_cached("SELECT 1 FROM batch_row WHERE batch = ?1 AND id_number_index = ?2")?
            .exists((batch, id_number_index))?,
        Checked::Refused(_) => false,
    };
    let (state, index, sealed, reasons) = match row.checked {
        Checked::Good { .. } if known => (RowState::Refused, None, None, Some((words.duplicate)())),
        Checked::Good { id_number_index, sealed_row, likenesses, alike } => {
            let reasons = settle_row(db, batch, number, &likenesses, alike, words)?;
            let state = if reasons.is_some() { RowState::Held } else { RowState::Waiting };
            (state, Some(id_number_index), Some(sealed_row), reasons)
        }
        Checked::Refused(reasons) => (RowState::Refused, None, None, Some(reasons)),
    };
    db.prepare_cached(
        "INSERT INTO batch_row (batch, number, state, digest, id_number_index, sealed_row, reasons)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((batch, number, state, row.digest, index, sealed, reasons))?;
    Ok(())
}

/// Compares a row with the others of its batch that are not done, and keeps by what it is compared
/// with those that come later. Why it is held, if it is; `alike` is what the record says.
fn settle_row(
    db: &Connection,
    batch: BatchId,
    number: u32,
    likenesses: &[Likeness],
    mut alike: Vec<Rule>,
    words: RowWords,
) -> Result<Option<String>, StoreError> {
    let mut other = db.prepare_cached(
        "SELECT 1 FROM batch_likeness
         WHERE batch = ?1 AND digest = ?2 AND rule = ?3 AND number <> ?4 LIMIT 1",
    )?;
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO batch_likeness VALUES (?1, ?2, ?3, ?4)")?;
    for likeness in likenesses {
        let Likeness { rule, digest } = likeness;
        if !alike.contains(rule) && other.exists((batch, digest, rule, number))? {
            alike.push(*rule);
        }
        insert.execute((batch, number, rule, digest))?;
    }
    Ok((!alike.is_empty()).then(|| (words.alike)(&alike)))
}
