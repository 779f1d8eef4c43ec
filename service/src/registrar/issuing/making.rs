//! One blank card becomes the card of one row.

use audit::{Entry, Outcome};
use card::{
    ReadError, Transport, TransportError,
    batch::Why,
    personalise::{PersonaliseError, Transcribed, VerifyError, verify},
    transport::Link,
};

use super::{
    Caller, Error, Registrar,
    alike::{Judged, held_for},
    beginning::Job,
    reason_word,
    rows::RowVerdict,
};
use crate::{
    catalogue::Reason,
    likeness::Rule,
    policy::Act,
    registrar::NewResident,
    store::{
        self, Activation, CardId, MadeCard, Obstacle, Receipt, ResidentId, RowState, Stop,
        StoreError, Unique,
    },
};

/// What was done to a card.
#[derive(Debug)]
pub struct Made {
    /// Digest of it, earlier sessions included.
    pub transcript: [u8; 32],
    /// Whether the card is whole.
    pub outcome: Result<(), MakeFailure>,
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
                // Registered meanwhile, by whomever.
                Some(known) => match self.stands_against(&job.floor, &known, &job.order)? {
                    Some((field, why)) => {
                        return self.row_refused(caller, job, (field, why)).await;
                    }
                    None => (known.id, None),
                },
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
        let receipt = self.give_up(caller, &job, None, entry).await?;
        job.turn.spoiled();
        Ok(Verdict::Spoiled { row, reason, receipt })
    }

    /// Gives a chip up. Everything that makes it a genuine card may be on it, so desks hear of it at once.
    async fn give_up(
        &self,
        caller: &Caller,
        job: &Job,
        stop: Option<Stop>,
        entry: Entry,
    ) -> Result<Receipt, Error> {
        let receipt = self.store.record_card_spoiled(job.place(), stop, caller.now, entry).await?;
        self.tell_card_list(caller.now).await;
        Ok(receipt)
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
        let stop = Some(Stop::Refused(words));
        let receipt = self.give_up(caller, &job, stop, entry).await?;
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
        let stop = Some(Stop::Held(reasons.clone()));
        let receipt = self.give_up(caller, &job, stop, entry).await?;
        job.turn.done();
        Ok(Verdict::RowHeld {
            verdict: RowVerdict::stopped(row, RowState::Held, &reasons),
            receipt,
        })
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
