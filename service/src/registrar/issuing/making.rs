//! One blank card becomes the card of one row.

use std::sync::Arc;

use audit::Outcome;
use card::{
    CardFactor, CardFactors, CardNumber, CardOrder, ProvinceFactor, ReadError, Transport,
    TransportError,
    batch::Why,
    data::{CardClass, IssuerCertificate, IssuerData},
    personalise::{
        CardContents, Earlier, PersonaliseError, Transcribed, VerifyError, security_code, verify,
    },
    transport::Link,
};

use super::{
    Caller, Error, Registrar,
    alike::{Judged, held_for},
    floor::{Floor, Turn},
    reason_word,
    rows::RowVerdict,
    serial_of,
};
use crate::{
    catalogue::Reason,
    clock::date_at_desk,
    likeness::Rule,
    policy::Act,
    registrar::NewResident,
    store::{
        self, Activation, BatchId, CardId, ChipState, Fate, MadeCard, Obstacle, Receipt,
        ResidentId, StoreError, Unique,
    },
};

/// A chip that is bound to a row, and what is to be on it.
pub struct Job {
    turn: Turn,
    floor: Arc<Floor>,
    factors: CardFactors,
    order: CardOrder,
    contents: CardContents,
    /// What was done to the chip before.
    earlier: Earlier,
}

/// What came of asking for a row for a blank card.
pub struct Begun {
    /// Rows that are held from now on: somebody who came on record since looks like their person.
    pub held: Vec<(RowVerdict, Receipt)>,
    /// The chip's row, when one waits.
    pub job: Option<Job>,
}

/// What was done to a card.
#[derive(Debug)]
pub struct Made {
    /// Digest of it, earlier sessions included.
    pub transcript: [u8; 32],
    /// Whether the card is whole.
    pub outcome: Result<(), MakeFailure>,
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

    /// Batch, row and chip.
    fn place(&self) -> (BatchId, u32, [u8; 8]) {
        (self.floor.batch, self.turn.row, self.factors.card.0)
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
    /// The chip was given up, and the row is held: somebody who came on record meanwhile looks like
    /// its person.
    RowHeld {
        /// The row, and why.
        verdict: RowVerdict,
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
    /// Binds a chip to a row of an open batch: the one it was begun for, the named one, or the next
    /// whose person looks like nobody else.
    ///
    /// # Errors
    /// CHIP_USED for a chip that is a card, was given up, or was begun for another batch;
    /// BATCH_NOT_FOUND; BATCH_CLOSED; ROLE_NOT_ALLOWED.
    pub async fn begin_card(
        &self,
        caller: &Caller,
        batch: BatchId,
        factor: CardFactor,
        named: Option<u32>,
    ) -> Result<Begun, Error> {
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
        let mut held = Vec::new();
        let (turn, order) = loop {
            let Some(turn) = floor.take(factor.0, named) else {
                let reason = Reason::NO_ROW_WAITS.text().reason;
                self.record_act(entry(Outcome::Refused).with("reason", reason)).await?;
                return Ok(Begun { held, job: None });
            };
            let order = self.order_of(&floor, turn.row).await?;
            // Of a row that was begun, whoever came since is seen as its card goes on record.
            if turn.begun_on.is_none()
                && let Some(verdict) = self.hold_if_alike(caller, &floor, &turn, &order).await?
            {
                held.push(verdict);
                continue;
            }
            break (turn, order);
        };
        let place = (batch, turn.row, factor.0);
        let granted = entry(Outcome::Granted).with("row", turn.row.to_string());
        let earlier = if turn.begun_on == Some(factor.0) {
            let row = self.store.batch_rows_between(batch, turn.row, turn.row).await?;
            let row = row.first().ok_or(Reason::STATE_CONFLICT)?;
            let earlier = Earlier { sessions: row.sessions, digest: row.transcript };
            let mut granted =
                granted.with("step", "resume").with("session", (earlier.sessions + 1).to_string());
            if let Some(digest) = earlier.digest {
                granted = granted.with("transcript", hex::encode(digest));
            }
            let answer = self.store.record_card_resumed(place, granted).await;
            self.settle(entry(Outcome::Refused), answer).await?;
            earlier
        } else {
            let begun = store::Begun {
                batch,
                row: turn.row,
                factor: factor.0,
                chip_serial: chip_serial.to_string(),
                instead_of: turn.begun_on,
                at: caller.now,
            };
            let granted = granted.with("step", "begin");
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
            Earlier::default()
        };
        let job = self.job(floor, turn, factor, order, earlier).await?;
        Ok(Begun { held, job: Some(job) })
    }

    /// What is to be on the card of a row.
    async fn job(
        &self,
        floor: Arc<Floor>,
        turn: Turn,
        factor: CardFactor,
        order: CardOrder,
        earlier: Earlier,
    ) -> Result<Job, Error> {
        let damaged =
            || Error::Internal { what: "the issuer of a batch is not on record", source: None };
        let day = date_at_desk(floor.opened_at);
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
        Ok(Job { turn, floor, factors, order, contents, earlier })
    }

    /// Makes the card, and reads it back. Blocks while the card works; it belongs on a thread that
    /// may wait.
    pub fn make_card(&self, job: &Job, transport: &mut dyn Transport) -> Made {
        let mut transcribed = Transcribed::new(transport, job.earlier);
        let outcome = self.personalise(job, &mut transcribed);
        Made { transcript: transcribed.digest(), outcome }
    }

    fn personalise(&self, job: &Job, card: &mut Transcribed<'_>) -> Result<(), MakeFailure> {
        let issuing = self.issuing.as_ref().expect("a job was made with the keys");
        let mut random = |octets: &mut [u8; 8]| {
            // Nothing safe can be done without randomness, and no caller could do better.
            getrandom::fill(octets).expect("the operating system gives random octets");
        };
        let made = issuing.personaliser.personalise(
            &mut Link::new(card),
            &issuing.keys,
            &job.factors,
            &job.contents,
            &mut random,
        );
        match made {
            // A chip that was begun and is closed may be whole: then only the record of it is
            // missing. One that can be read and is not closed yet would still take new keys.
            Err(PersonaliseError::NotBlank) if job.earlier.sessions > 0 => {}
            made => made?,
        }
        Ok(verify(card, &self.card_keys, &mut random, &job.contents)?)
    }

    /// Puts what came of a card on record.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be recorded; the chip is then gone on with later.
    pub async fn card_made(&self, caller: &Caller, job: Job, made: Made) -> Result<Verdict, Error> {
        match made.outcome {
            Ok(()) => self.card_issued(caller, job, made.transcript).await,
            Err(failure) => {
                let cause = crate::telemetry::chain(&failure);
                tracing::warn!(cause, row = job.row(), "a card was not made");
                self.card_not_made(caller, job, &failure, made.transcript).await
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
                .with("session", (job.earlier.sessions + 1).to_string())
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
                // Somebody was registered at another desk while this card was made.
                Err(StoreError::Conflict(Obstacle::LookAlike)) => {
                    return self.row_held(caller, job).await;
                }
                // Given a card at another desk while this one was made.
                Err(
                    StoreError::Duplicate(Unique::ActiveCard)
                    | StoreError::Conflict(Obstacle::ReplacementDue),
                ) => {
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
        transcript: [u8; 32],
    ) -> Result<Verdict, Error> {
        let row = job.row();
        let (reason, gone) = judged(failure);
        let entry = self
            .entry(caller, Act::CardIssue, Outcome::Failed)
            .on("batch", job.floor.batch.to_string())
            .with("row", row.to_string())
            .with("chip", job.chip_serial())
            .with("reason", reason.text().reason);
        let entry = entry
            .with("session", (job.earlier.sessions + 1).to_string())
            .with("transcript", hex::encode(transcript));
        if gone {
            let entry = entry.with("step", "interrupt");
            let kept = self.store.record_card_interrupted(job.place(), transcript, entry).await;
            return Ok(Verdict::Interrupted { row, reason, receipt: kept? });
        }
        let entry = entry.with("step", "spoil");
        let fate = Fate::Waits;
        let receipt = self.store.record_card_spoiled(job.place(), fate, caller.now, entry).await?;
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
        let fate = Fate::Refused(words);
        let receipt = self.store.record_card_spoiled(job.place(), fate, caller.now, entry).await?;
        job.turn.done();
        Ok(Verdict::RowRefused { row, why, receipt })
    }

    async fn row_held(&self, caller: &Caller, job: Job) -> Result<Verdict, Error> {
        let row = job.row();
        let alike = match self.judge(&job.floor, &job.order).await? {
            Judged::Good { alike, .. } if !alike.is_empty() => alike,
            // Decided this very moment; or by a name that no longer is on record.
            _ => vec![Rule::NameAndBirthDate],
        };
        let reasons = held_for(&alike);
        let entry = self
            .entry(caller, Act::CardIssue, Outcome::Refused)
            .on("batch", job.floor.batch.to_string())
            .with("step", "hold")
            .with("row", row.to_string())
            .with("chip", job.chip_serial())
            .with("reason", Reason::LOOK_ALIKE.text().reason);
        let fate = Fate::Held(reasons.clone());
        let receipt = self.store.record_card_spoiled(job.place(), fate, caller.now, entry).await?;
        job.turn.done();
        Ok(Verdict::RowHeld { verdict: RowVerdict::held(row, &reasons), receipt })
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
