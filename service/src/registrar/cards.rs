//! Cards on record, and what a card in a reader turns out to be.

mod dump;
mod failure;

use audit::Outcome;
use card::{
    CardFactor, CardKey, ChipSerial, Diversification, IdentityReading, KeyVersion, ReadError,
    SoftSecurityModule, Transport,
};
use serde::{Deserialize, Serialize};
use time::Date;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Caller, Error, Module, Registrar};
use crate::{
    card_life::CardStatus,
    catalogue::Reason,
    clock::{UtcTime, date_at_desk},
    keys::Keys,
    policy::Act,
    store::{
        self, Activation, Card, CardId, Chip, ElectronicCardStatus, Evidence, Obstacle, PresenceId,
        Receipt, ResidentId, StoreError,
    },
};

pub use dump::DumpOrder;
pub use failure::CardFailure;
pub(super) use failure::{alert, out_of_force, read_reason};

/// A personalised card to be put on record.
pub struct NewCard {
    /// Its holder.
    pub resident: ResidentId,
    /// Issuing serial (发卡序列号).
    pub chip_serial: ChipSerial,
    /// Card diversification factor.
    pub factor: CardFactor,
    /// Last day of validity.
    pub valid_until: Date,
    /// The application that it was made for, if there was one; it then waits for its holder.
    pub application: Option<CardId>,
    /// Whether it is in force from now on.
    pub activation: Activation,
}

/// What a genuine, valid, registered card said of its holder, or the record where a code stands for
/// one. Personal data, wiped when dropped;
/// it has no `Debug`.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Name.
    pub name: String,
    /// Sex as on the card (GB/T 2261.1).
    pub sex: u8,
    /// Ethnic group, 0 when not stated.
    pub ethnic_group: u8,
    /// Date of birth, YYYY-MM-DD.
    pub birth_date: String,
    /// ID number.
    pub id_number: String,
    /// Last day of validity, YYYY-MM-DD; empty for a code, as the next ones.
    pub valid_until: String,
    /// Who issued the card.
    pub issuer_name: String,
    /// Issuing serial.
    pub chip_serial: String,
    /// Commands the reading took.
    pub commands: u32,
    /// Time of these that reader and card took, microseconds.
    pub card_microseconds: u64,
}

/// A presence of a card, or of somebody with a code, with what is known of the holder.
pub struct Presence {
    /// Names the presence.
    pub id: PresenceId,
    /// What stands for the holder.
    pub evidence: Evidence,
    /// The holder.
    pub resident: ResidentId,
    /// When it was read.
    pub read_at: UtcTime,
    /// Until when a visit can be opened.
    pub expires_at: UtcTime,
    /// What it said.
    pub reading: Reading,
}

/// The card security module over the service's masters. Those that an identity is read with must be
/// there; a keystore made by an earlier version has no others.
pub(super) fn security_module(
    keys: &Keys,
    rule: Diversification,
) -> Result<SoftSecurityModule, hsm::KeyError> {
    let needed = |key| matches!(key, CardKey::IrkDdf1 | CardKey::Rk1Ddf1);
    CardKey::all_versions().try_fold(
        SoftSecurityModule::new().diversified_by(rule),
        |module, (key, version)| match keys.card_master(key, version) {
            Ok(master) => Ok(module.with(key, version, master)),
            Err(hsm::KeyError::Unknown(_)) if !needed(key) || version != KeyVersion::FIRST => {
                Ok(module)
            }
            Err(error) => Err(error),
        },
    )
}

/// Octets that nobody can foretell.
pub(super) fn randomness(octets: &mut [u8; 8]) {
    // Nothing safe can be done without randomness, and no caller could do better.
    getrandom::fill(octets).expect("the operating system gives random octets");
}

impl Registrar {
    /// Puts a personalised card on record.
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; CARD_NOT_FOUND for an application that the resident does not have;
    /// ALREADY_REGISTERED for a chip that is on record; ACTIVE_CARD_EXISTS when it would be the
    /// resident's second card; CARD_TO_BE_REPLACED when their last one was lost, frozen or
    /// blacklisted; ROLE_NOT_ALLOWED.
    pub async fn register_card(
        &self,
        caller: &Caller,
        order: NewCard,
    ) -> Result<(CardId, Receipt), Error> {
        self.allow(caller, Act::CardRegister).await?;
        let refused = || {
            self.entry(caller, Act::CardRegister, Outcome::Refused)
                .about(order.resident.to_string())
        };
        let resident = self.resident_asked_for(order.resident, refused).await?;
        self.here_or_present(caller, resident.institution, resident.id, refused).await?;
        let id = order.application.unwrap_or_else(CardId::generate);
        let chip = Chip {
            serial: order.chip_serial.as_str().to_owned(),
            factor: order.factor.0,
            valid_until: order.valid_until,
        };
        let entry = self
            .entry(caller, Act::CardRegister, Outcome::Granted)
            .about(order.resident.to_string())
            .on("card", id.to_string());
        let answer = if order.application.is_some() {
            self.store.record_card_issued(id, order.resident, chip, caller.now, entry).await
        } else {
            let new = store::NewCard {
                id,
                resident: order.resident,
                institution: caller.holder.institution,
                chip,
                activation: order.activation,
                registered_at: caller.now,
            };
            self.store.record_card(new, entry).await
        };
        if let Err(StoreError::NotFound(store::Record::Card)) = answer {
            return self.refuse(refused(), Reason::CARD_NOT_FOUND).await;
        }
        Ok((id, self.settle(refused(), answer).await?))
    }

    /// Drives a card through its reading. Blocks while the card works; it belongs on a thread
    /// that may wait.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read_card(
        &self,
        transport: &mut dyn Transport,
        module: &Module,
        today: Date,
    ) -> Result<IdentityReading, ReadError> {
        card::read_identity(transport, self.security(module), &mut randomness, today)
    }

    /// Whether this caller may have a card read at all.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn may_read_cards(&self, caller: &Caller) -> Result<(), Error> {
        self.allow(caller, Act::CardRead).await
    }

    /// Takes a reading: the card must be on record, active, and its holder the resident on record.
    /// A card that says the end that was noted for it has been rewritten, and the record follows.
    ///
    /// # Errors
    /// CARD_UNREGISTERED, CARD_EXPIRED, CARD_INCONSISTENT, and the reason of each state other than
    /// active, each with its leaf; that of a card that is not active carries an alert.
    pub async fn card_presented(
        &self,
        caller: &Caller,
        read: IdentityReading,
        card_microseconds: u64,
    ) -> Result<(Presence, Receipt), CardFailure> {
        let (card, resident) = match self.known_card(&read, caller.now).await {
            Ok(known) => known,
            Err((reason, card)) => {
                return Err(self.card_refused(caller, reason, card.as_ref()).await);
            }
        };
        if let Err(error) = self.end_followed(caller, &card, read.valid_until).await {
            return Err(CardFailure::unrecorded(error));
        }
        match self.record_presence(caller, &read, &card, &resident, card_microseconds).await {
            Ok(presence) => Ok(presence),
            // Reported lost while it was being read.
            Err(Error::Store(StoreError::Conflict(Obstacle::CardStatus))) => {
                Err(self.card_refused(caller, Reason::CARD_NOT_ACTIVE, Some(&card)).await)
            }
            Err(error) => Err(CardFailure::unrecorded(error)),
        }
    }

    /// Records that a card brought no reading.
    pub async fn card_failed(&self, caller: &Caller, error: &ReadError) -> CardFailure {
        self.card_refused(caller, read_reason(error), None).await
    }

    /// Records that something in a reader could not be driven at all.
    pub async fn card_unreadable(&self, caller: &Caller, reason: Reason) -> CardFailure {
        self.card_refused(caller, reason, None).await
    }

    /// The card on record and its holder, when all that the card said agrees with them. A reading is
    /// not signed: what passed through a desk is believed only as far as the record bears it out.
    pub(super) async fn known_card(
        &self,
        read: &IdentityReading,
        now: UtcTime,
    ) -> Result<(Card, store::Resident), (Reason, Option<Card>)> {
        let unavailable = |error| (Error::Store(error).reason(), None);
        let serial = read.issuer.chip_serial.as_str();
        let card = self.store.card_by_chip(serial).await.map_err(unavailable)?;
        let card = card.ok_or((Reason::CARD_UNREGISTERED, None))?;
        if let Some(reason) = out_of_force(card.status) {
            return Err((reason, Some(card)));
        }
        let resident = self.store.resident(card.resident).await.map_err(unavailable)?;
        let Some(resident) = resident else { return Err((Reason::INTERNAL, Some(card))) };
        let Some(chip) = &card.chip else { return Err((Reason::INTERNAL, Some(card))) };
        // The end as the record has it, or as it is to be: between writing the card and reading it
        // back nobody can know which one it says, and it must not be locked out.
        let end = match card.renewal {
            Some(renewed) if renewed == read.valid_until => renewed,
            _ => chip.valid_until,
        };
        if end < date_at_desk(now) {
            return Err((Reason::CARD_EXPIRED, Some(card)));
        }
        let record = match self.personal.open_resident(&resident) {
            Ok(record) => record,
            Err(error) => {
                let cause = crate::telemetry::chain(&error);
                tracing::error!(cause, "opening the record of a card's holder");
                return Err((error.reason(), Some(card)));
            }
        };
        let agrees = chip.factor == read.factors.card.0
            && end == read.valid_until
            && record.id_number == read.holder.id_number
            && record.name == read.holder.name.as_str();
        if !agrees {
            return Err((Reason::CARD_INCONSISTENT, Some(card)));
        }
        Ok((card, resident))
    }

    /// Moves the end of a card to the one that was noted for it, when this is what the card says.
    async fn end_followed(&self, caller: &Caller, card: &Card, said: Date) -> Result<(), Error> {
        if card.renewal != Some(said) {
            return Ok(());
        }
        let entry = self
            .entry(caller, Act::CardRenew, Outcome::Granted)
            .about(card.resident.to_string())
            .on("card", card.id.to_string())
            .with("step", "confirmed")
            .with("until", said.to_string());
        self.store.record_card_renewed(card.id, said, entry).await?;
        Ok(())
    }

    async fn record_presence(
        &self,
        caller: &Caller,
        read: &IdentityReading,
        card: &Card,
        resident: &store::Resident,
        card_microseconds: u64,
    ) -> Result<(Presence, Receipt), Error> {
        let reading = Reading {
            name: read.holder.name.as_str().to_owned(),
            sex: read.holder.sex.code(),
            ethnic_group: read.holder.ethnic_group.map_or(0, card::EthnicGroup::code),
            birth_date: read.holder.birth_date.to_string(),
            id_number: read.holder.id_number.as_str().to_owned(),
            valid_until: read.valid_until.to_string(),
            issuer_name: read.issuer.name.clone(),
            chip_serial: read.issuer.chip_serial.as_str().to_owned(),
            commands: read.commands,
            card_microseconds,
        };
        let id = PresenceId::generate();
        let expires_at = caller.now + self.lifetimes.presence;
        let presence = store::Presence {
            id,
            evidence: Evidence::Card(card.id),
            resident: card.resident,
            session: caller.holder.session,
            sealed_reading: self.personal.seal_reading(resident, id, &reading)?,
            read_at: caller.now,
            expires_at,
        };
        let entry = self
            .entry(caller, Act::CardRead, Outcome::Granted)
            .about(card.resident.to_string())
            .on("card", card.id.to_string())
            .with("presence", id.to_string())
            .with("commands", read.commands.to_string());
        let receipt = self.store.record_presence(presence, entry).await?;
        let presence = Presence {
            id,
            evidence: Evidence::Card(card.id),
            resident: card.resident,
            read_at: caller.now,
            expires_at,
            reading,
        };
        Ok((presence, receipt))
    }

    async fn card_refused(
        &self,
        caller: &Caller,
        reason: Reason,
        card: Option<&Card>,
    ) -> CardFailure {
        // What stopped the reader is a failure; what the card is, is a refusal.
        let outcome = match reason {
            Reason::CARD_REMOVED
            | Reason::READER_GONE
            | Reason::CARD_TIMEOUT
            | Reason::CARD_GARBAGE
            | Reason::RELAY_PROTOCOL
            | Reason::UNAVAILABLE
            | Reason::OUTCOME_UNKNOWN
            | Reason::KEY_UNAVAILABLE
            | Reason::SAM_MISSING
            | Reason::SAM_UNAVAILABLE
            | Reason::INTERNAL => Outcome::Failed,
            _ => Outcome::Refused,
        };
        let mut entry =
            self.entry(caller, Act::CardRead, outcome).with("reason", reason.text().reason);
        if let Some(card) = card {
            entry = entry.about(card.resident.to_string()).on("card", card.id.to_string());
            if reason == Reason::CARD_NOT_ACTIVE || out_of_force(card.status) == Some(reason) {
                entry = alert(entry);
            }
        }
        match self.record_act(entry).await {
            Ok(receipt) => CardFailure { reason, receipt: Some(receipt) },
            Err(error) => CardFailure::unrecorded(error),
        }
    }

    /// The reading of a card that this session presented a short while ago.
    ///
    /// # Errors
    /// PRESENCE_INVALID; ROLE_NOT_ALLOWED.
    pub async fn reading(
        &self,
        caller: &Caller,
        id: PresenceId,
    ) -> Result<(Presence, Receipt), Error> {
        self.allow(caller, Act::CardRead).await?;
        let row = self
            .store
            .presence(id)
            .await?
            .filter(|row| row.session == caller.holder.session && row.expires_at > caller.now);
        let refused = || self.entry(caller, Act::CardRead, Outcome::Refused);
        let Some(row) = row else {
            return self.refuse(refused(), Reason::PRESENCE_INVALID).await;
        };
        let (kind, evidence) = match row.evidence {
            Evidence::Card(card) => ("card", card.to_string()),
            Evidence::DynamicCode(card) | Evidence::SignedCode(card) => {
                ("electronic-card", card.to_string())
            }
        };
        if !self.is_active(row.evidence).await? {
            let entry = refused().about(row.resident.to_string()).on(kind, evidence);
            return self.refuse(alert(entry), Reason::CARD_NOT_ACTIVE).await;
        }
        let resident =
            self.store.resident(row.resident).await?.ok_or(Reason::RESIDENT_NOT_FOUND)?;
        let reading = self.personal.open_reading(&resident, id, &row.sealed_reading)?;
        let entry = self
            .entry(caller, Act::CardRead, Outcome::Granted)
            .about(row.resident.to_string())
            .on(kind, evidence)
            .with("presence", id.to_string());
        let receipt = self.record_act(entry).await?;
        let presence = Presence {
            id,
            evidence: row.evidence,
            resident: row.resident,
            read_at: row.read_at,
            expires_at: row.expires_at,
            reading,
        };
        Ok((presence, receipt))
    }

    /// Whether what a presence rests on still stands.
    pub(super) async fn is_active(&self, evidence: Evidence) -> Result<bool, Error> {
        Ok(match evidence {
            Evidence::Card(card) => {
                let card = self.store.card(card).await?;
                card.is_some_and(|card| card.status == CardStatus::Active)
            }
            Evidence::DynamicCode(card) | Evidence::SignedCode(card) => {
                let card = self.store.electronic_card(card).await?;
                card.is_some_and(|card| card.status == ElectronicCardStatus::Active)
            }
        })
    }

    /// A card on record.
    ///
    /// # Errors
    /// CARD_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn card(&self, caller: &Caller, id: CardId) -> Result<Card, Error> {
        self.allow(caller, Act::CardStatus).await?;
        let card = self.store.card(id).await?;
        self.card_looked_up(caller, card).await
    }

    /// A card on record, by its issuing serial.
    ///
    /// # Errors
    /// CARD_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn card_by_chip(&self, caller: &Caller, serial: &ChipSerial) -> Result<Card, Error> {
        self.allow(caller, Act::CardStatus).await?;
        let card = self.store.card_by_chip(serial.as_str()).await?;
        self.card_looked_up(caller, card).await
    }

    async fn card_looked_up(&self, caller: &Caller, card: Option<Card>) -> Result<Card, Error> {
        let Some(card) = card else {
            let entry = self.entry(caller, Act::CardStatus, Outcome::Refused);
            return self.refuse(entry, Reason::CARD_NOT_FOUND).await;
        };
        let entry = |outcome| {
            self.entry(caller, Act::CardStatus, outcome)
                .about(card.resident.to_string())
                .on("card", card.id.to_string())
        };
        let refused = || entry(Outcome::Refused);
        self.here_or_present(caller, card.institution, card.resident, refused).await?;
        let entry = entry(Outcome::Granted);
        self.record_act(entry).await?;
        Ok(card)
    }
}
