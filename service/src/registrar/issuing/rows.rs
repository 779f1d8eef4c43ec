//! Rows that are handed in: each is checked, and sealed or refused.

use audit::Outcome;
use card::batch::{BadField, Row, Why};

use super::{
    Caller, Error, Registrar,
    alike::{Judged, WORDS},
    floor::Floor,
    reason_word,
};
use crate::{
    catalogue::Reason,
    clock::date_at_desk,
    policy::Act,
    store::{BatchId, BatchRow, Checked, NewRow, Receipt, RowState},
};

/// A row as it was handed in.
pub struct HandedRow {
    /// Its number, from 1.
    pub number: u32,
    /// What it says, or why whoever hands it in could not read it.
    pub row: Result<Row, BadField>,
}

/// What stands on record of a row.
pub struct RowVerdict {
    /// Its number.
    pub number: u32,
    /// What became of it.
    pub state: RowState,
    /// Fields and reasons, when it is held or refused.
    pub reasons: Vec<(String, Why)>,
    /// Its card and chip, when that is made.
    pub card: Option<(String, String)>,
    /// Digest of what made the card.
    pub transcript: Option<[u8; 32]>,
}

impl RowVerdict {
    /// A card is begun for the row.
    #[must_use]
    pub fn writing(number: u32) -> Self {
        let state = RowState::Writing;
        Self { number, state, reasons: Vec::new(), card: None, transcript: None }
    }

    /// The row is held or refused for these reasons, as the store keeps them.
    #[must_use]
    pub fn stopped(number: u32, state: RowState, reasons: &str) -> Self {
        let reasons = reasons_in(reasons);
        Self { number, state, reasons, card: None, transcript: None }
    }

    /// As the store tells it.
    #[must_use]
    pub fn of(row: BatchRow) -> Self {
        let made = row.state == RowState::Issued;
        Self {
            number: row.number,
            state: row.state,
            reasons: reasons_in(&row.reasons.unwrap_or_default()),
            card: row.card.map(|card| card.to_string()).zip(row.chip_serial),
            transcript: row.transcript.filter(|_| made),
        }
    }
}

impl Registrar {
    /// Takes rows into an open batch, in order: checks each, and keeps it sealed, holds or refuses it.
    /// Rows that are on record already are left as they are.
    ///
    /// # Errors
    /// BATCH_NOT_FOUND; BATCH_CLOSED; FIELD_INVALID for a number the batch has not;
    /// ROLE_NOT_ALLOWED.
    pub async fn hand_in(
        &self,
        caller: &Caller,
        batch: BatchId,
        rows: Vec<HandedRow>,
    ) -> Result<(Vec<RowVerdict>, Receipt), Error> {
        self.allow(caller, Act::CardBatch).await?;
        let floor = self.open_floor(caller, batch).await?;
        let numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
        let in_order = numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        let (Some(first), Some(last), true) = (numbers.first(), numbers.last(), in_order) else {
            return Err(Reason::RELAY_PROTOCOL.into());
        };
        if *first == 0 || *last > floor.rows {
            return Err(Reason::BATCH_DIFFERS.into());
        }
        let mut checked = Vec::with_capacity(rows.len());
        for row in rows {
            checked.push(self.check_row(caller, &floor, row).await?);
        }
        let entry =
            |outcome| self.entry(caller, Act::CardBatch, outcome).on("batch", batch.to_string());
        let granted = entry(Outcome::Granted)
            .with("step", "rows")
            .with("from", first.to_string())
            .with("to", last.to_string());
        let answer = self.store.record_batch_rows(batch, checked, WORDS, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        let on_record = self.store.batch_rows_between(batch, *first, *last).await?;
        let waiting = on_record.iter().filter(|row| row.state == RowState::Waiting);
        floor.add(waiting.map(|row| row.number));
        Ok((on_record.into_iter().map(RowVerdict::of).collect(), receipt))
    }

    async fn check_row(
        &self,
        caller: &Caller,
        floor: &Floor,
        handed: HandedRow,
    ) -> Result<NewRow, Error> {
        let HandedRow { number, row } = handed;
        let canonical = row.as_ref().map(Row::canonical).unwrap_or_default();
        let digest = self.personal.row_digest(floor.batch, number, &canonical)?;
        let refused = |wrong: &[BadField]| {
            let words: Vec<String> =
                wrong.iter().map(|bad| reason_word(&bad.field, bad.why)).collect();
            NewRow { number, digest, checked: Checked::Refused(words.join(",")) }
        };
        let row = match row {
            Ok(row) => row,
            Err(bad) => return Ok(refused(&[bad])),
        };
        let order = match row.check(date_at_desk(caller.now), floor.profile) {
            Ok(order) => order,
            Err(wrong) => return Ok(refused(&wrong)),
        };
        let (likenesses, alike) = match self.judge(floor, &order).await? {
            Judged::Good { likenesses, alike } => (likenesses, alike),
            Judged::Refused(bad, resident) => {
                // It tells something of a resident, as any refusal does that a log entry is of.
                let entry = self
                    .entry(caller, Act::CardBatch, Outcome::Refused)
                    .about(resident.to_string())
                    .on("batch", floor.batch.to_string())
                    .with("step", "check")
                    .with("row", number.to_string())
                    .with("reason", bad.why.code());
                self.record_act(entry).await?;
                return Ok(refused(&[bad]));
            }
        };
        let id_number_index = self.personal.id_number_index(&order.holder.id_number)?;
        let sealed_row = floor.key.seal(&row_place(floor.batch, number), &canonical);
        let checked = Checked::Good { id_number_index, sealed_row, likenesses, alike };
        Ok(NewRow { number, digest, checked })
    }

    /// What stands on record of the rows of a batch.
    ///
    /// # Errors
    /// BATCH_NOT_FOUND; OTHER_INSTITUTION; ROLE_NOT_ALLOWED.
    pub async fn row_verdicts(
        &self,
        caller: &Caller,
        batch: BatchId,
    ) -> Result<Vec<RowVerdict>, Error> {
        self.batch_here(caller, batch).await?;
        let rows = self.store.batch_rows(batch).await?;
        Ok(rows.into_iter().map(RowVerdict::of).collect())
    }
}

/// Reasons as the store keeps them.
fn reasons_in(words: &str) -> Vec<(String, Why)> {
    let reason = |word: &str| {
        let (field, code) = word.split_once(':')?;
        Some((field.to_owned(), Why::named(code)?))
    };
    words.split(',').filter_map(reason).collect()
}

/// Where a sealed row belongs.
pub(super) fn row_place(batch: BatchId, number: u32) -> Vec<u8> {
    format!("batch_row|row|{batch}/{number}|1").into_bytes()
}
