//! The end of a batch and its manifest: with every row done, or given up before.

use audit::{Outcome, manifest};
use card::batch::Why;

use super::{Caller, Error, Registrar, count, reason_word};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    policy::Act,
    store::{Abandoned, Batch, BatchId, BatchRow, Receipt, RowState},
    vocabulary::Abandonment,
};

impl Registrar {
    /// Closes a batch of which every row has its verdict, with a signed manifest. A batch that is
    /// closed gives its manifest again.
    ///
    /// # Errors
    /// BATCH_NOT_FOUND; BATCH_NOT_DONE; OTHER_INSTITUTION; ROLE_NOT_ALLOWED.
    pub async fn close_batch(
        &self,
        caller: &Caller,
        id: BatchId,
    ) -> Result<(String, Option<Receipt>), Error> {
        self.allow(caller, Act::CardBatch).await?;
        let entry =
            |outcome| self.entry(caller, Act::CardBatch, outcome).on("batch", id.to_string());
        let batch = self.batch_here(caller, id).await?;
        if let Some(manifest) = batch.manifest {
            return Ok((manifest, None));
        }
        let rows = self.store.batch_rows(id).await?;
        let done = |row: &BatchRow| matches!(row.state, RowState::Issued | RowState::Refused);
        if rows.len() != batch.rows as usize || !rows.iter().all(done) {
            return self.refuse(entry(Outcome::Refused), Reason::BATCH_NOT_DONE).await;
        }
        let spoiled = self.store.spoiled_chips(id).await?;
        let (issued, refused) = (count(&rows, RowState::Issued), count(&rows, RowState::Refused));
        let lines = rows.into_iter().map(line).collect::<Result<_, _>>()?;
        let manifest = self.manifest_of(&batch, lines, spoiled, caller.now)?;
        let granted = entry(Outcome::Granted)
            .with("step", "close")
            .with("issued", issued.to_string())
            .with("refused", refused.to_string())
            .with("manifest", hex::encode(hsm::sm3::digest(manifest.as_bytes())));
        let answer =
            self.store.record_batch_closed(id, manifest.clone(), caller.now, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        self.floors().remove(&id);
        Ok((manifest, Some(receipt)))
    }

    /// Closes a batch before every row is done: the others make no card, and the manifest says so.
    /// The rows forget their people. A batch that was given up before gives its manifest again.
    ///
    /// One person is enough for it: it makes no card and touches none, and whoever is left out is
    /// put into another batch.
    ///
    /// # Errors
    /// BATCH_CLOSED when every row was done; BATCH_BUSY while a card is being made; BATCH_NOT_FOUND;
    /// OTHER_INSTITUTION; ROLE_NOT_ALLOWED.
    pub async fn abandon_batch(
        &self,
        caller: &Caller,
        id: BatchId,
        why: Abandonment,
    ) -> Result<(String, Option<Receipt>), Error> {
        self.allow(caller, Act::CardAbandon).await?;
        let entry =
            |outcome| self.entry(caller, Act::CardAbandon, outcome).on("batch", id.to_string());
        let batch = self.batch_here(caller, id).await?;
        match (&batch.manifest, batch.abandoned) {
            (None, _) => {}
            (Some(manifest), Some(_)) => return Ok((manifest.clone(), None)),
            (Some(_), None) => {
                return self.refuse(entry(Outcome::Refused), Reason::BATCH_CLOSED).await;
            }
        }
        // Without the keys for cards nobody makes any.
        let floor = match &self.issuing {
            Some(_) => Some(self.floor(&batch, &self.store.batch_rows(id).await?)?),
            None => None,
        };
        if floor.as_ref().is_some_and(|floor| !floor.shut()) {
            return self.refuse(entry(Outcome::Refused), Reason::BATCH_BUSY).await;
        }
        let answer = self.abandon(caller, &batch, why).await;
        if answer.is_err() {
            floor.inspect(|floor| floor.reopen());
        } else if floor.is_some() {
            self.floors().remove(&id);
        }
        let (manifest, receipt) = answer?;
        Ok((manifest, Some(receipt)))
    }

    async fn abandon(
        &self,
        caller: &Caller,
        batch: &Batch,
        why: Abandonment,
    ) -> Result<(String, Receipt), Error> {
        let rows = self.store.batch_rows(batch.id).await?;
        let (issued, refused) = (count(&rows, RowState::Issued), count(&rows, RowState::Refused));
        let mut spoiled = self.store.spoiled_chips(batch.id).await?;
        let (mut lines, mut undone) = (Vec::with_capacity(batch.rows as usize), Vec::new());
        let on_record = rows.len() as u32;
        let mut rows = rows.into_iter().peekable();
        for number in 1..=batch.rows {
            let Some(mut row) = rows.next_if(|row| row.number == number) else {
                let reasons = [Why::NotHandedIn, word(why)].map(|why| reason_word("row", why));
                let verdict = manifest::Verdict::Refused { reasons: reasons.into() };
                lines.push(manifest::Row { digest: [0; 32], verdict });
                continue;
            };
            if !matches!(row.state, RowState::Issued | RowState::Refused) {
                let given_up = reason_word("row", word(why));
                let reasons = match row.reasons.take() {
                    Some(held) => format!("{held},{given_up}"),
                    None => given_up,
                };
                if row.state == RowState::Writing {
                    spoiled.extend(row.chip_serial.take().map(|chip| (chip, number)));
                }
                undone.push((number, reasons.clone()));
                row = BatchRow { state: RowState::Refused, reasons: Some(reasons), ..row };
            }
            lines.push(line(row)?);
        }
        spoiled.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
        let manifest = self.manifest_of(batch, lines, spoiled, caller.now)?;
        let entry = |outcome| {
            let entry = self.entry(caller, Act::CardAbandon, outcome);
            entry.on("batch", batch.id.to_string()).with("cause", why.as_str())
        };
        let granted = entry(Outcome::Granted)
            .with("issued", issued.to_string())
            .with("refused", refused.to_string())
            .with("given-up", (batch.rows - issued - refused).to_string())
            .with("manifest", hex::encode(hsm::sm3::digest(manifest.as_bytes())));
        let order = Abandoned {
            batch: batch.id,
            why,
            rows: undone,
            on_record,
            manifest: manifest.clone(),
            at: caller.now,
        };
        let answer = self.store.record_batch_abandoned(order, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        self.tell_card_list(caller.now).await;
        Ok((manifest, receipt))
    }

    /// The manifest of a batch that is closed.
    ///
    /// # Errors
    /// BATCH_NOT_FOUND; BATCH_NOT_DONE; OTHER_INSTITUTION; ROLE_NOT_ALLOWED.
    pub async fn batch_manifest(
        &self,
        caller: &Caller,
        id: BatchId,
    ) -> Result<(String, Receipt), Error> {
        self.allow(caller, Act::CardBatch).await?;
        let batch = self.batch_here(caller, id).await?;
        let entry =
            |outcome| self.entry(caller, Act::CardBatch, outcome).on("batch", id.to_string());
        let Some(manifest) = batch.manifest else {
            return self.refuse(entry(Outcome::Refused), Reason::BATCH_NOT_DONE).await;
        };
        let receipt = self.record_act(entry(Outcome::Granted).with("step", "read")).await?;
        Ok((manifest, receipt))
    }

    fn manifest_of(
        &self,
        batch: &Batch,
        rows: Vec<manifest::Row>,
        spoiled: Vec<(String, u32)>,
        now: UtcTime,
    ) -> Result<String, Error> {
        let manifest = manifest::Manifest {
            service: self.name.clone(),
            batch: batch.id.to_string(),
            institution: batch.institution.to_string(),
            input: batch.input_digest,
            opened: clock::rfc3339(batch.opened_at),
            closed: clock::rfc3339(now),
            rows,
            spoiled: spoiled
                .into_iter()
                .map(|(chip_serial, row)| manifest::Spoiled { chip_serial, row })
                .collect(),
        };
        // Signed as a checkpoint is: a manifest speaks of entries of the log.
        let key = self.keys.log()?;
        manifest.sign(self.store.verifier_key(), |text| Ok(*key.sign(&key.digest(text))?.as_raw()))
    }
}

/// What the manifest says of a row that is done.
fn line(row: BatchRow) -> Result<manifest::Row, Error> {
    let damaged = || Error::Internal { what: "a row without its card", source: None };
    let verdict = match (row.state, row.reasons) {
        (RowState::Refused, Some(reasons)) => {
            manifest::Verdict::Refused { reasons: reasons.split(',').map(str::to_owned).collect() }
        }
        _ => manifest::Verdict::Issued {
            chip_serial: row.chip_serial.ok_or_else(damaged)?,
            card: row.card.ok_or_else(damaged)?.to_string(),
            transcript: row.transcript.ok_or_else(damaged)?,
        },
    };
    Ok(manifest::Row { digest: row.digest, verdict })
}

/// What is said of rows of a batch that was given up.
fn word(why: Abandonment) -> Why {
    match why {
        Abandonment::WrongRows => Why::AbandonedWrongRows,
        Abandonment::NoBlanks => Why::AbandonedNoBlanks,
        Abandonment::NotWanted => Why::AbandonedNotWanted,
        Abandonment::SamePeople => Why::AbandonedSamePeople,
    }
}
