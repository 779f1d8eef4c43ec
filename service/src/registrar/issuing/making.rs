//! One blank card becomes the card of one row.

use std::sync::Arc;

use audit::Outcome;
use card::{
    CardFactor, CardFactors, CardNumber, CardOrder, ProvinceFactor, ReadError, Transport,
    TransportError,
    batch::{Row, Why},
    data::{CardClass, IssuerCertificate, IssuerData},
    personalise::{
        CardContents, PersonaliseError, Transcribed, VerifyError, security_code, verify,
    },
    transport::Link,
};

use super::{
    Caller, Error, Registrar,
    floor::{Floor, Turn},
    reason_word,
    rows::row_place,
    serial_of,
};
use crate::{
    catalogue::Reason,
    clock::date_at_desk,
    policy::Act,
    registrar::NewResident,
    store::{
        self, Activation, BatchId, Begun, CardId, ChipState, MadeCard, Receipt, ResidentId,
        StoreError, Unique,
    },
};

/// A chip that is bound to a row, and what is to be on it.
pub struct Job {
    turn: Turn,
    floor: Arc<Floor>,
    factors: CardFactors,
    order: CardOrder,
    contents: CardContents,
    /// The chip was begun before.
    resumed: bool,
}

impl Job {
    /// The row, from 1.
    #[must_use]
    pub fn row(&self) -> u32 {
        self.turn.row
    }

    /// The issuing serial that the chip gets.
    #[must_use]
    pub fn chip_serial(&self) -> String {
        serial_of(self.factors.card).to_string()
    }

    /// The batch.
    #[must_use]
    pub fn batch(&self) -> BatchId {
        self.floor.batch
    }
}

/// Why a card was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeFailure {
    /// It could not be written.
    #[error("making the card")]
    Personalise(#[from] PersonaliseError),
    /// It does not say what was written.
    #[error("reading the card back")]
    Verify(#[from] VerifyError),
}

/// What came of a card.
pub enum Verdict {
    /// It is on record.
    Issued {
        /// The row.
        row: u32,
        /// The card.
        card: CardId,
        /// Its chip.
        chip_serial: String,
        /// Digest of what made it.
        transcript: [u8; 32],
        /// Where that stands in the log.
        receipt: Receipt,
    },
    /// The chip was given up; the row waits for another.
    Spoiled {
        /// The row.
        row: u32,
        /// Why.
        reason: Reason,
        /// Where that stands in the log.
        receipt: Receipt,
    },
    /// The row makes no card after all.
    RowRefused {
        /// The row.
        row: u32,
        /// The field, and why.
        why: (&'static str, Why),
        /// Where that stands in the log.
        receipt: Receipt,
    },
    /// The card left or the reader failed: the same chip is gone on with when it comes back.
    Interrupted {
        /// The row.
        row: u32,
        /// Why.
        reason: Reason,
        /// Where that stands in the log.
        receipt: Receipt,
    },
}

impl Registrar {
    /// Binds a chip to a row of an open batch: the one it was begun for, the named one, or the next.
    ///
    /// # Errors
    /// NO_ROW_WAITS; CHIP_USED for a chip that is a card, was given up, or was begun for another
    /// batch; BATCH_NOT_FOUND; BATCH_CLOSED; ROLE_NOT_ALLOWED.
    pub async fn begin_card(
        &self,
        caller: &Caller,
        batch: BatchId,
        factor: CardFactor,
        named: Option<u32>,
    ) -> Result<Job, Error> {
        self.allow(caller, Act::CardIssue).await?;
        let floor = self.open_floor(caller, batch).await?;
        let chip_serial = serial_of(factor);
        let entry = |outcome| {
            self.entry(caller, Act::CardIssue, outcome)
                .on("batch", batch.to_string())
                .with("chip", chip_serial.to_string())
        };
        let chip = self.store.batch_chip(factor.0).await?;
        match &chip {
            Some(chip) if chip.state != ChipState::Writing || chip.batch != batch => {
                return self.refuse(entry(Outcome::Refused), Reason::CHIP_USED).await;
            }
            _ => {}
        }
        let Some(turn) = floor.take(factor.0, named) else {
            return self.refuse(entry(Outcome::Refused), Reason::NO_ROW_WAITS).await;
        };
        let resumed = turn.begun_on == Some(factor.0);
        if !resumed {
            let begun = Begun {
                batch,
                row: turn.row,
                factor: factor.0,
                chip_serial: chip_serial.to_string(),
                instead_of: turn.begun_on,
                at: caller.now,
            };
            let granted =
                entry(Outcome::Granted).with("step", "begin").with("row", turn.row.to_string());
            let granted = match turn.begun_on {
                Some(old) => granted.with("spoiled", serial_of(CardFactor(old)).to_string()),
                None => granted,
            };
            let answer = self.store.record_card_begun(begun, granted).await;
            self.settle(entry(Outcome::Refused), answer).await.map_err(|error| match error {
                Error::Store(StoreError::Duplicate(_)) => Reason::CHIP_USED.into(),
                other => other,
            })?;
            turn.begun(factor.0);
        }
        self.job(floor, turn, factor, resumed).await
    }

    /// What is to be on the card of a row.
    async fn job(
        &self,
        floor: Arc<Floor>,
        turn: Turn,
        factor: CardFactor,
        resumed: bool,
    ) -> Result<Job, Error> {
        let damaged =
            || Error::Internal { what: "a sealed row is not what was written", source: None };
        let sealed = self.store.sealed_batch_row(floor.batch, turn.row).await?;
        let sealed = sealed.ok_or_else(damaged)?;
        let opened = floor.key.open(&row_place(floor.batch, turn.row), &sealed);
        let opened = opened.map_err(|e| Error::internal("opening a row", e))?;
        // Checked on the day it was handed in; what was good then is made, as it was.
        let day = date_at_desk(floor.opened_at);
        let row = Row::from_canonical(&opened).ok_or_else(damaged)?;
        let order = row.check(day, floor.profile).map_err(|_| damaged())?;

        let issuing = self.issuing()?;
        let code = self.store.issuer_code(floor.institution).await?.ok_or_else(damaged)?;
        let institution = self.store.institution(floor.institution).await?.ok_or_else(damaged)?;
        let number = CardNumber::from(&order.holder.id_number);
        // The issuer's own certificate: what it vouches for, above all SAMs, is checked with it.
        let certificate = self.card_issuer.certificate.to_bytes().try_into();
        let certificate = certificate.expect("the certificate of an issuer has 180 bytes");
        let issuer = IssuerData {
            class: CardClass(b'1'),
            version: "1.0".parse().expect("three characters of four"),
            name: institution.name,
            code: code.parse().map_err(|_| damaged())?,
            certificate: IssuerCertificate(certificate),
            issued_on: day,
            security_code: security_code(&issuing.cvk, &number, order.contact.valid_until),
            card_number: number,
            chip_serial: serial_of(factor),
            city: order.city.clone(),
        };
        let contents = CardContents::new(&issuer, &order)
            .map_err(|_| Error::Refused(Reason::ISSUER_NAME_UNFIT))?;
        let province = ProvinceFactor::from(&order.city);
        let factors = CardFactors { province, card: factor };
        Ok(Job { turn, floor, factors, order, contents, resumed })
    }

    /// Makes the card, and reads it back. Blocks while the card works; it belongs on a thread that
    /// may wait. The digest of the transcript.
    ///
    /// # Errors
    /// [`MakeFailure`].
    pub fn make_card(
        &self,
        job: &Job,
        transport: &mut dyn Transport,
    ) -> Result<[u8; 32], MakeFailure> {
        let issuing = self.issuing.as_ref().expect("a job was made with the keys");
        let mut random = |octets: &mut [u8; 8]| {
            // Nothing safe can be done without randomness, and no caller could do better.
            getrandom::fill(octets).expect("the operating system gives random octets");
        };
        let mut transcribed = Transcribed::new(transport);
        let made = issuing.personaliser.personalise(
            &mut Link::new(&mut transcribed),
            &issuing.keys,
            &job.factors,
            &job.contents,
            &mut random,
        );
        match made {
            // A chip that was begun and is closed may be whole: then only the record of it is
            // missing. One that can be read and is not closed yet would still take new keys.
            Err(PersonaliseError::NotBlank) if job.resumed => {}
            made => made?,
        }
        verify(&mut transcribed, &self.card_keys, &mut random, &job.contents)?;
        Ok(transcribed.digest())
    }

    /// Puts what came of a card on record.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be recorded; the chip is then gone on with later.
    pub async fn card_made(
        &self,
        caller: &Caller,
        job: Job,
        made: Result<[u8; 32], MakeFailure>,
    ) -> Result<Verdict, Error> {
        match made {
            Ok(transcript) => self.card_issued(caller, job, transcript).await,
            Err(failure) => {
                let cause = crate::telemetry::chain(&failure);
                tracing::warn!(cause, row = job.row(), "a card was not made");
                self.card_not_made(caller, job, &failure).await
            }
        }
    }

    async fn card_issued(
        &self,
        caller: &Caller,
        job: Job,
        transcript: [u8; 32],
    ) -> Result<Verdict, Error> {
        let holder = &job.order.holder;
        let index = self.personal.id_number_index(&holder.id_number)?;
        // Whoever is put on record between the look and the record makes it fail; then look again.
        for _ in 0..3 {
            let known = self.store.resident_by_index(index).await?;
            let (resident, new) = match known {
                Some(known) => (known.id, None),
                None => {
                    let id = ResidentId::generate();
                    let order = NewResident {
                        name: holder.name.clone(),
                        id_number: holder.id_number.clone(),
                        phone: job.order.contact.phones[0].clone(),
                        ethnic_group: holder.ethnic_group,
                    };
                    let institution = job.floor.institution;
                    let row = self.personal.seal_resident(id, institution, &order, caller.now)?;
                    // The card is made: looking alike no longer stops it, and is found by whoever
                    // is registered or bound next.
                    let phone = order.phone.as_ref().map(card::Phone::as_str);
                    let likenesses =
                        self.personal.likenesses(order.name.as_str(), &order.id_number, phone)?;
                    (id, Some((row, likenesses)))
                }
            };
            let applied = match &new {
                None => self.store.application(resident).await?,
                Some(_) => None,
            };
            let card = applied.unwrap_or_else(CardId::generate);
            let registered = if new.is_some() { "new" } else { "known" };
            let made = MadeCard {
                batch: job.floor.batch,
                row: job.row(),
                resident: new,
                card: store::NewCard {
                    id: card,
                    resident,
                    institution: job.floor.institution,
                    chip: store::Chip {
                        serial: job.chip_serial(),
                        factor: job.factors.card.0,
                        valid_until: job.order.contact.valid_until,
                    },
                    // Its holder takes it into use at a desk.
                    activation: Activation::Awaited,
                    registered_at: caller.now,
                },
                applied: applied.is_some(),
                transcript,
            };
            let entry = self
                .entry(caller, Act::CardIssue, Outcome::Granted)
                .about(resident.to_string())
                .on("card", card.to_string())
                .with("step", "issue")
                .with("batch", job.floor.batch.to_string())
                .with("row", job.row().to_string())
                .with("chip", job.chip_serial())
                .with("resident", registered)
                .with("transcript", hex::encode(transcript));
            match self.store.record_batch_card(made, entry).await {
                Ok(receipt) => {
                    job.turn.done();
                    return Ok(Verdict::Issued {
                        row: job.row(),
                        card,
                        chip_serial: job.chip_serial(),
                        transcript,
                        receipt,
                    });
                }
                Err(StoreError::Duplicate(Unique::IdNumber)) => {}
                // Given a card at another desk while this one was made.
                Err(StoreError::Duplicate(Unique::ActiveCard)) => {
                    return self.row_refused(caller, job, ("id_number", Why::HasCard)).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(Reason::STATE_CONFLICT.into())
    }

    async fn card_not_made(
        &self,
        caller: &Caller,
        job: Job,
        failure: &MakeFailure,
    ) -> Result<Verdict, Error> {
        let row = job.row();
        let (reason, gone) = judged(failure);
        let entry = self
            .entry(caller, Act::CardIssue, Outcome::Failed)
            .on("batch", job.floor.batch.to_string())
            .with("row", row.to_string())
            .with("chip", job.chip_serial())
            .with("reason", reason.text().reason);
        if gone {
            let receipt = self.record_act(entry.with("step", "interrupt")).await?;
            return Ok(Verdict::Interrupted { row, reason, receipt });
        }
        let place = (job.floor.batch, row, job.factors.card.0);
        let entry = entry.with("step", "spoil");
        let receipt = self.store.record_card_spoiled(place, None, caller.now, entry).await?;
        job.turn.spoiled();
        Ok(Verdict::Spoiled { row, reason, receipt })
    }

    async fn row_refused(
        &self,
        caller: &Caller,
        job: Job,
        why: (&'static str, Why),
    ) -> Result<Verdict, Error> {
        let row = job.row();
        let words = reason_word(why.0, why.1);
        let entry = self
            .entry(caller, Act::CardIssue, Outcome::Refused)
            .on("batch", job.floor.batch.to_string())
            .with("step", "refuse")
            .with("row", row.to_string())
            .with("chip", job.chip_serial())
            .with("reason", why.1.code());
        let place = (job.floor.batch, row, job.factors.card.0);
        let receipt = self.store.record_card_spoiled(place, Some(words), caller.now, entry).await?;
        job.turn.done();
        Ok(Verdict::RowRefused { row, why, receipt })
    }
}

/// What a failure says outside, and whether the same chip may be gone on with.
fn judged(failure: &MakeFailure) -> (Reason, bool) {
    match failure {
        MakeFailure::Personalise(error) => match error {
            PersonaliseError::NotBlank => (Reason::CARD_NOT_BLANK, false),
            PersonaliseError::OtherTransportKey => (Reason::CARD_OTHER_TRANSPORT_KEY, false),
            PersonaliseError::OtherCapacity => (Reason::BLANK_OTHER_CAPACITY, false),
            PersonaliseError::Transport { source, .. } => (transport_reason(source), true),
            PersonaliseError::Key(_) => (Reason::KEY_UNAVAILABLE, true),
            _ => (Reason::CARD_SPOILED, false),
        },
        MakeFailure::Verify(VerifyError::Read(error)) => match error {
            ReadError::Removed { .. } => (Reason::CARD_REMOVED, true),
            ReadError::Transport { source, .. } => (transport_reason(source), true),
            ReadError::Security(_) => (Reason::KEY_UNAVAILABLE, true),
            _ => (Reason::CARD_SPOILED, false),
        },
        MakeFailure::Verify(_) => (Reason::CARD_SPOILED, false),
    }
}

fn transport_reason(error: &TransportError) -> Reason {
    match error {
        TransportError::CardRemoved => Reason::CARD_REMOVED,
        TransportError::Timeout => Reason::CARD_TIMEOUT,
        TransportError::Garbage { .. } => Reason::CARD_GARBAGE,
        TransportError::Failed(_) => Reason::RELAY_PROTOCOL,
        _ => Reason::READER_GONE,
    }
}
