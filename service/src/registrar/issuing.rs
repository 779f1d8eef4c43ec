//! Making cards: batches of rows, and blank cards that become the cards of their people.
//!
//! The order that a crash cannot break: a chip is bound to a row and that is on record; the card is
//! made and read back; the card, its holder and the row's verdict go on record together. A chip
//! that comes back is gone on with for its own row, or given up; a row never has two cards.

mod alike;
mod beginning;
mod closing;
mod floor;
mod making;
mod rows;
mod security_code;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use audit::Outcome;
use card::{
    CardFactor, ChipSerial,
    batch::Why,
    layout::Profile,
    personalise::{Cvk, IssuingKeys, OwnCommands, Personaliser, Script},
};
use hsm::KeyError;

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Reason,
    keys::Keys,
    policy::{Act, Denial},
    rate::Buckets,
    store::{Batch, BatchId, BatchRow, CardId, InstitutionId, NewBatch, Receipt, RowState},
};

pub use beginning::{Begun, Job};
pub use making::{Made, MakeFailure, Verdict};
pub use rows::{HandedRow, RowVerdict};

use floor::Floor;

/// What the service needs to make cards, and what is being made.
pub(super) struct Issuing {
    keys: IssuingKeys,
    personaliser: Box<dyn Personaliser>,
    cvk: Cvk,
    floors: Mutex<HashMap<BatchId, Arc<Floor>>>,
    /// Security codes that may be tried, by card.
    tries: Buckets<CardId>,
}

impl Issuing {
    /// With the service's keys; cards are made by the script, or by our own commands.
    pub(super) fn new(keys: &Keys, script: Option<Script>) -> Result<Self, KeyError> {
        let personaliser: Box<dyn Personaliser> = match script {
            Some(script) => Box::new(script),
            None => Box::new(OwnCommands),
        };
        let masters = card::CardKey::all_versions().try_fold(
            IssuingKeys::new(keys.transport_master()?),
            |all, (key, version)| {
                Ok::<_, KeyError>(all.with(key, version, keys.card_master(key, version)?))
            },
        )?;
        Ok(Self {
            keys: masters,
            personaliser,
            cvk: Cvk::of(&*keys.security_code_master()?)?,
            floors: Mutex::default(),
            tries: security_code::tries(),
        })
    }
}

/// A batch to be opened, or gone on with.
#[derive(Clone, Copy, Debug)]
pub struct BatchOrder {
    /// Its identifier, chosen by the caller.
    pub id: BatchId,
    /// Digest of what is handed in.
    pub input_digest: [u8; 32],
    /// How many rows it has.
    pub rows: u32,
    /// What its cards have room for, unless a row says so itself.
    pub profile: Profile,
}

/// How a batch stands.
pub struct BatchView {
    /// The batch.
    pub id: BatchId,
    /// How many rows it has.
    pub rows: u32,
    /// The rows that are on record: all from row 1 to this one.
    pub handed: u32,
    /// Rows that wait for a card.
    pub waiting: u32,
    /// Rows that a card was begun for.
    pub writing: u32,
    /// Rows whose card is made.
    pub issued: u32,
    /// Rows that make no card.
    pub refused: u32,
    /// Rows that wait until staff have told people apart.
    pub held: u32,
    /// Whether it is closed.
    pub closed: bool,
}

impl Registrar {
    /// Opens a batch, or goes on with it: the same identifier with the same input is the same batch.
    /// Rows that are held are looked at again, since staff may have decided.
    ///
    /// # Errors
    /// BATCH_CLOSED when it was given up; BATCH_DIFFERS when the identifier is that of other input; SAM_CANNOT_ISSUE where a SAM
    /// computes with card keys; OTHER_INSTITUTION; ROLE_NOT_ALLOWED.
    pub async fn open_batch(
        &self,
        caller: &Caller,
        order: BatchOrder,
    ) -> Result<(BatchView, Option<Receipt>), Error> {
        let id = order.id;
        self.allow(caller, Act::CardBatch).await?;
        self.has_masters(caller, id).await?;
        let refused =
            || self.entry(caller, Act::CardBatch, Outcome::Refused).on("batch", id.to_string());
        let mut receipt = None;
        let batch = match self.store.batch(id).await? {
            Some(batch) => batch,
            None => {
                receipt = Some(self.new_batch(caller, order).await?);
                self.store.batch(id).await?.ok_or(Reason::BATCH_NOT_FOUND)?
            }
        };
        if batch.institution != caller.holder.institution {
            return self.refuse(refused(), Denial::OtherInstitution).await;
        }
        let asked = (order.input_digest, order.rows, order.profile);
        if (batch.input_digest, batch.rows, batch.profile) != asked {
            return self.refuse(refused(), Reason::BATCH_DIFFERS).await;
        }
        // One that was given up has nothing to go on with. One that was done gives its manifest.
        if batch.abandoned.is_some() {
            return self.refuse(refused(), Reason::BATCH_CLOSED).await;
        }
        let mut on_record = self.store.batch_rows(id).await?;
        if batch.closed_at.is_none() {
            let floor = self.floor(&batch, &on_record)?;
            if on_record.iter().any(|row| row.state == RowState::Held) {
                self.review_held(caller, &floor, &on_record).await?;
                on_record = self.store.batch_rows(id).await?;
            }
        }
        Ok((view(&batch, &on_record), receipt))
    }

    async fn new_batch(&self, caller: &Caller, order: BatchOrder) -> Result<Receipt, Error> {
        self.issuing()?;
        let BatchOrder { id, input_digest, rows, profile } = order;
        let institution = caller.holder.institution;
        let issuer_code = match self.store.issuer_code(institution).await? {
            Some(_) => None,
            None => Some(self.new_issuer_code(institution).await?),
        };
        let batch = NewBatch {
            id,
            institution,
            input_digest,
            rows,
            profile,
            wrapped_key: self.personal.new_batch_key(id)?,
            issuer_code,
            opened_at: caller.now,
        };
        let entry = self
            .entry(caller, Act::CardBatch, Outcome::Granted)
            .on("batch", id.to_string())
            .with("step", "open")
            .with("rows", rows.to_string())
            .with("capacity", profile.name())
            .with("input", hex::encode(input_digest));
        let refused =
            self.entry(caller, Act::CardBatch, Outcome::Refused).on("batch", id.to_string());
        let answer = self.store.record_batch_opened(batch, entry).await;
        self.settle(refused, answer).await
    }

    /// A code of digits for the institution: only those fit a card (health-card.md, 10, no. 15).
    async fn new_issuer_code(&self, id: InstitutionId) -> Result<String, Error> {
        let institution = self.store.institution(id).await?;
        let institution = institution.ok_or(Reason::INSTITUTION_NOT_FOUND)?;
        // It goes on every card, into a field like that of a name.
        institution.name.parse::<card::Name>().map_err(|_| Reason::ISSUER_NAME_UNFIT)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| Error::internal("drawing an issuer code", e))?;
        Ok(format!("{}{:016}", institution.region, u64::from_be_bytes(random) % 10_u64.pow(16)))
    }

    /// Whether this caller may make cards at all.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn may_issue_cards(&self, caller: &Caller) -> Result<(), Error> {
        self.allow(caller, Act::CardBatch).await
    }

    /// The batch, when it is of the caller's institution.
    async fn batch_here(&self, caller: &Caller, id: BatchId) -> Result<Batch, Error> {
        let refused =
            || self.entry(caller, Act::CardBatch, Outcome::Refused).on("batch", id.to_string());
        match self.store.batch(id).await? {
            None => self.refuse(refused(), Reason::BATCH_NOT_FOUND).await,
            Some(batch) if batch.institution != caller.holder.institution => {
                self.refuse(refused(), Denial::OtherInstitution).await
            }
            Some(batch) => Ok(batch),
        }
    }

    /// A SAM in the field computes with the keys of cards and gives none of them out, and nobody
    /// knows whether the masters in this keystore are the SAM's: cards are made where they are.
    async fn has_masters(&self, caller: &Caller, id: BatchId) -> Result<(), Error> {
        if !self.needs_sam() {
            return Ok(());
        }
        let refused = self.entry(caller, Act::CardBatch, Outcome::Refused);
        self.refuse(refused.on("batch", id.to_string()), Reason::SAM_CANNOT_ISSUE).await
    }

    /// What is needed to make cards; a keystore of an earlier version may lack it.
    fn issuing(&self) -> Result<&Issuing, Error> {
        self.issuing.as_ref().ok_or(Error::Refused(Reason::KEY_UNAVAILABLE))
    }

    fn floors(&self) -> std::sync::MutexGuard<'_, HashMap<BatchId, Arc<Floor>>> {
        let issuing = self.issuing.as_ref().expect("a batch was opened, which needs the keys");
        issuing.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the cards of an open batch are made: one for all streams that work on it.
    fn floor(&self, batch: &Batch, rows: &[BatchRow]) -> Result<Arc<Floor>, Error> {
        let wrapped = batch.wrapped_key.as_deref().ok_or(Reason::BATCH_CLOSED)?;
        let key = self.personal.open_batch_key(batch.id, wrapped)?;
        self.issuing()?;
        let mut floors = self.floors();
        let floor =
            floors.entry(batch.id).or_insert_with(|| Arc::new(Floor::new(batch, key, rows)));
        Ok(Arc::clone(floor))
    }

    /// The floor of a batch that this process has opened.
    async fn open_floor(&self, caller: &Caller, id: BatchId) -> Result<Arc<Floor>, Error> {
        self.has_masters(caller, id).await?;
        self.issuing()?;
        let known = self.floors().get(&id).cloned();
        match known {
            Some(floor) if floor.institution == caller.holder.institution => Ok(floor),
            _ => {
                let batch = self.batch_here(caller, id).await?;
                if batch.closed_at.is_some() {
                    return Err(Reason::BATCH_CLOSED.into());
                }
                let rows = self.store.batch_rows(id).await?;
                self.floor(&batch, &rows)
            }
        }
    }
}

/// The serial that a chip gets on its card: the serial of the card in its answer to reset, as ten
/// digits. The eight historical bytes are chip maker (2), card maker (2), serial (4).
fn serial_of(factor: CardFactor) -> ChipSerial {
    let [.., a, b, c, d] = factor.0;
    let serial = format!("{:010}", u32::from_be_bytes([a, b, c, d]));
    serial.parse().expect("ten digits")
}

fn count(rows: &[BatchRow], state: RowState) -> u32 {
    rows.iter().filter(|row| row.state == state).count() as u32
}

fn view(batch: &Batch, rows: &[BatchRow]) -> BatchView {
    let handed = rows.iter().zip(1..).take_while(|(row, number)| row.number == *number).count();
    BatchView {
        id: batch.id,
        rows: batch.rows,
        handed: handed as u32,
        waiting: count(rows, RowState::Waiting),
        writing: count(rows, RowState::Writing),
        issued: count(rows, RowState::Issued),
        refused: count(rows, RowState::Refused),
        held: count(rows, RowState::Held),
        closed: batch.closed_at.is_some(),
    }
}

/// Why rows make no card whose person was erased meanwhile.
pub(super) fn row_of_erased() -> String {
    reason_word("id_number", Why::Erased)
}

/// A reason as the store keeps it.
fn reason_word(field: &str, why: Why) -> String {
    format!("{field}:{}", why.code())
}
