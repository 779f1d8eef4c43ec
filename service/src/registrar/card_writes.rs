//! Changes of a card in a reader. The rules are asked and the card's holder is known before anything is written; the
//! log has an entry before the first command that writes, and one with what came of it. Neither has a value.

use audit::{Entry, Outcome};
use card::{
    Changes, IdentityReading, ReadError, Session, SignError, Transport, WriteError,
    data::Value,
    layout::{Directory, ddf1},
    write::{Effect, Written},
};

use super::{Caller, CardFailure, Error, Module, Registrar, visits::standing};
use crate::{
    catalogue::Reason,
    policy::Act,
    store::{Card, CardId, Receipt, ResidentId, Visit, VisitId},
};

/// What is to be changed.
pub struct WriteOrder {
    /// The changes, checked.
    pub changes: Changes,
    /// The visit that clinical data belong to.
    pub visit: Option<VisitId>,
}

/// A card that may be written now.
#[derive(Debug, Clone)]
pub struct WritableCard {
    /// The card.
    pub card: CardId,
    /// Its holder.
    pub resident: ResidentId,
    /// Its issuing serial: the card that is written must still be the one that was read.
    chip_serial: String,
}

/// What came of writing a card.
pub struct WriteOutcome {
    /// Every record that is done.
    pub written: Vec<Written>,
    /// Commands sent to the card.
    pub commands: u32,
    /// Whether all of it is done.
    pub result: Result<(), WriteError>,
}

impl WriteOutcome {
    /// Nothing was written, since there was nobody to compute for it.
    #[must_use]
    pub fn without_card(error: ReadError) -> Self {
        Self { written: Vec::new(), commands: 0, result: Err(error.into()) }
    }
}

/// The act that a set of changes is: clinical when anything in it is.
fn act(changes: &Changes) -> Act {
    let files = changes.files();
    let clinical = |directory| matches!(directory, Directory::Df02 | Directory::Df03);
    if files.iter().any(|file| clinical(file.directory)) {
        Act::CardWriteClinical
    } else if changes.value(VALID_UNTIL).is_some() {
        Act::CardWriteValidity
    } else {
        Act::CardWriteContact
    }
}

/// Item of the last day of validity (卡有效期).
const VALID_UNTIL: u16 = ddf1::ef08::VALID_UNTIL.item;

impl Registrar {
    /// Whether this caller may have these changes written, before any card is touched.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED; for clinical data also VISIT_NOT_FOUND, OTHER_INSTITUTION, VISIT_CLOSED and
    /// NO_RELATION.
    pub async fn may_write_card(&self, caller: &Caller, order: &WriteOrder) -> Result<(), Error> {
        let act = act(&order.changes);
        self.allow(caller, act).await?;
        // Whoever writes clinical data and contacts in one go needs both rights.
        if act == Act::CardWriteClinical
            && order
                .changes
                .files()
                .iter()
                .any(|file| matches!(file.directory, Directory::Ddf1 | Directory::Df01))
        {
            self.allow(caller, Act::CardWriteContact).await?;
        }
        if act == Act::CardWriteClinical {
            let visit = self.visit_to_write(caller, order).await?;
            if let Err(denial) = standing(caller, &visit).may_work() {
                let entry = self.entry_in(caller, act, Outcome::Refused, &visit);
                return self.refuse(entry, denial).await;
            }
        }
        Ok(())
    }

    async fn visit_to_write(&self, caller: &Caller, order: &WriteOrder) -> Result<Visit, Error> {
        let act = act(&order.changes);
        match order.visit {
            Some(visit) => self.visit_asked_for(caller, act, visit).await,
            None => {
                let entry = self.entry(caller, act, Outcome::Refused);
                self.refuse(entry, Reason::VISIT_NOT_FOUND).await
            }
        }
    }

    /// Takes the reading of the card that is to be written: it must be on record and in force, and
    /// its holder the resident of the visit. A new end of validity must be the one that was noted.
    /// The log then has that writing begins.
    ///
    /// # Errors
    /// CARD_OTHER_RESIDENT, RENEWAL_NOT_NOTED, and those of a card that is presented, each with its
    /// leaf.
    pub async fn begin_write(
        &self,
        caller: &Caller,
        order: &WriteOrder,
        read: &IdentityReading,
    ) -> Result<WritableCard, CardFailure> {
        // The visit may have been closed while the card was read.
        if let Err(error) = self.may_write_card(caller, order).await {
            return Err(CardFailure::refused(&error));
        }
        let (card, resident) = match self.known_card(read, caller.now).await {
            Ok(known) => known,
            Err((reason, card)) => {
                let entry = self.write_entry(caller, Outcome::Refused, order, card.as_ref());
                return Err(self.write_refused(entry, reason).await);
            }
        };
        let entry = |outcome| self.write_entry(caller, outcome, order, Some(&card));
        if let Some(visit) = order.visit {
            let visit = match self.store.visit(visit).await {
                Ok(visit) => visit,
                Err(error) => return Err(CardFailure::refused(&error.into())),
            };
            if visit.is_none_or(|visit| visit.resident != resident.id) {
                let refused = entry(Outcome::Refused);
                return Err(self.write_refused(refused, Reason::CARD_OTHER_RESIDENT).await);
            }
        }
        if let Some(value) = order.changes.value(VALID_UNTIL) {
            let noted = card.renewal.or_else(|| card.chip.as_ref().map(|chip| chip.valid_until));
            if noted.map(Value::Date).as_ref() != Some(value) {
                let refused = entry(Outcome::Refused);
                return Err(self.write_refused(refused, Reason::RENEWAL_NOT_NOTED).await);
            }
        }
        match self.record_act(entry(Outcome::Granted).with("step", "begins")).await {
            Ok(_) => Ok(WritableCard {
                card: card.id,
                resident: resident.id,
                chip_serial: read.issuer.chip_serial.as_str().to_owned(),
            }),
            Err(error) => Err(CardFailure::refused(&error)),
        }
    }

    /// Writes the changes and reads them back. Blocks while the card works; it belongs on a thread
    /// that may wait.
    pub fn write_card(
        &self,
        transport: &mut dyn Transport,
        module: &Module,
        order: &WriteOrder,
        card: &WritableCard,
    ) -> WriteOutcome {
        let mut written = Vec::new();
        let mut commands = 0;
        let randomness = &mut super::cards::randomness;
        let mut write = || -> Result<(), WriteError> {
            let mut session = Session::open(transport, self.security(module), randomness)?;
            if session.issuer()?.chip_serial.as_str() != card.chip_serial {
                return Err(ReadError::Removed { at: card::session::Step::ProveGenuine }.into());
            }
            let signer = self.record_signer(module);
            let result = session.write(&order.changes, Some(signer), &mut written);
            commands = session.commands();
            result
        };
        let result = write();
        WriteOutcome { written, commands, result }
    }

    /// Records what came of writing.
    ///
    /// # Errors
    /// The reason why not all of it is on the card, with its leaf.
    pub async fn card_written(
        &self,
        caller: &Caller,
        order: &WriteOrder,
        card: &WritableCard,
        outcome: &WriteOutcome,
    ) -> Result<Receipt, CardFailure> {
        let changed = outcome.written.iter().filter(|line| line.effect == Effect::Changed).count();
        let entry = |result| {
            self.order_entry(caller, result, order)
                .about(card.resident.to_string())
                .on("card", card.card.to_string())
                .with("step", "ends")
                .with("changed", changed.to_string())
                .with("unchanged", (outcome.written.len() - changed).to_string())
                .with("commands", outcome.commands.to_string())
        };
        let Err(error) = &outcome.result else {
            return match self.record_act(entry(Outcome::Granted)).await {
                Ok(receipt) => Ok(receipt),
                Err(error) => Err(CardFailure::refused(&error)),
            };
        };
        let cause = crate::telemetry::chain(error);
        tracing::info!(cause, "a card was not written");
        Err(self.write_refused(entry(Outcome::Failed), write_reason(error)).await)
    }

    /// Records that the stream broke while the card was written.
    pub async fn write_broken(
        &self,
        caller: &Caller,
        order: &WriteOrder,
        card: &WritableCard,
        reason: Reason,
    ) -> CardFailure {
        let entry = self
            .order_entry(caller, Outcome::Failed, order)
            .about(card.resident.to_string())
            .on("card", card.card.to_string())
            .with("step", "breaks");
        self.write_refused(entry, reason).await
    }

    async fn write_refused(&self, entry: Entry, reason: Reason) -> CardFailure {
        match self.record_act(entry.with("reason", reason.text().reason)).await {
            Ok(receipt) => CardFailure { reason, receipt: Some(receipt) },
            Err(error) => CardFailure::refused(&error),
        }
    }

    fn write_entry(
        &self,
        caller: &Caller,
        outcome: Outcome,
        order: &WriteOrder,
        card: Option<&Card>,
    ) -> Entry {
        let entry = self.order_entry(caller, outcome, order);
        match card {
            Some(card) => entry.about(card.resident.to_string()).on("card", card.id.to_string()),
            None => entry,
        }
    }

    fn order_entry(&self, caller: &Caller, outcome: Outcome, order: &WriteOrder) -> Entry {
        let files: Vec<String> = order.changes.files().iter().map(ToString::to_string).collect();
        let entry = self.entry(caller, act(&order.changes), outcome).with("files", files.join(" "));
        match order.visit {
            Some(visit) => entry.in_visit(visit.to_string()),
            None => entry,
        }
    }
}

/// The reason that stands for changes that did not get onto the card.
fn write_reason(error: &WriteError) -> Reason {
    match error {
        WriteError::Card(error) => super::cards::read_reason(error),
        WriteError::UpdateRefused { .. } => Reason::CARD_WRITE_REFUSED,
        WriteError::NotOnThisCard { .. } => Reason::CARD_HAS_NO_PLACE,
        WriteError::Differs { .. } => Reason::CARD_WRITE_DIFFERS,
        error if error.needs_pin() => Reason::SAM_PIN_NEEDED,
        WriteError::Sign(SignError::Sam(_)) => Reason::SAM_UNAVAILABLE,
        WriteError::Sign(_) => Reason::KEY_UNAVAILABLE,
        // Errors that come later.
        _ => Reason::INTERNAL,
    }
}
