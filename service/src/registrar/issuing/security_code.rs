//! Whether the digits on a card are the ones of its number and end.

use audit::Outcome;
use card::{CardNumber, data::SecurityCode};

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Reason,
    policy::Act,
    rate::Buckets,
    store::{CardId, Receipt},
};

/// Codes of a card that may be tried at once: of a thousand, one is right.
const TRIES: f64 = 3.0;
/// Tries that come back each second: one in ten minutes.
const TRIES_BACK: f64 = 1.0 / 600.0;
/// Cards whose tries are counted at once.
const MOST: usize = 10_000;

pub(super) fn tries() -> Buckets<CardId> {
    Buckets::new(TRIES, TRIES_BACK, MOST)
}

impl Registrar {
    /// Whether a security code is the one of this card, compared in constant time. Each try leaves
    /// an entry.
    ///
    /// # Errors
    /// CARD_NOT_FOUND; REGISTERED_ELSEWHERE; RATE_LIMITED after a few tries; ROLE_NOT_ALLOWED.
    pub async fn check_security_code(
        &self,
        caller: &Caller,
        id: CardId,
        code: &SecurityCode,
    ) -> Result<(bool, Receipt), Error> {
        let card = self.card(caller, id).await?;
        let issuing = self.issuing()?;
        let entry = |outcome| {
            self.entry(caller, Act::CardStatus, outcome)
                .about(card.resident.to_string())
                .on("card", id.to_string())
                .with("step", "security-code")
        };
        if !issuing.tries.admit(id, caller.now) {
            return self.refuse(entry(Outcome::Refused), Reason::RATE_LIMITED).await;
        }
        let chip = card.chip.as_ref().ok_or(Reason::CARD_NOT_FOUND)?;
        let resident = self.store.resident(card.resident).await?;
        let resident = resident.ok_or(Reason::RESIDENT_NOT_FOUND)?;
        let number = CardNumber::from(&self.personal.open_resident(&resident)?.id_number);
        let right = issuing.cvk.vouches(&number, chip.valid_until, code);
        let outcome = if right { Outcome::Granted } else { Outcome::Refused };
        let receipt = self.record_act(entry(outcome)).await?;
        Ok((right, receipt))
    }
}
