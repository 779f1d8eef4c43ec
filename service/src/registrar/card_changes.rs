//! Changes of cards that two persons make: replacing a card, and taking one off the blacklist. One
//! enters, another person of the same institution reviews (录入、复核).

use audit::{Entry, Outcome};

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Reason,
    policy::{Act, Denial},
    store::{
        Card, CardChange, CardId, CardOrder, ChangeId, NewCardChange, Receipt, Review, Verdict,
    },
};

/// What a review made of a change.
pub struct ReviewedChange {
    /// The change, as it now stands.
    pub change: CardChange,
    /// The card it is about, or the one that took its place.
    pub card: Card,
    /// Its place in the log.
    pub receipt: Receipt,
}

impl Registrar {
    /// Enters a change of a card. Nothing changes until another person approves it.
    ///
    /// # Errors
    /// CARD_NOT_FOUND; the reason of a state that does not allow the change: above all
    /// ACTIVE_CARD_EXISTS for a card that is in force; LOSS_RECENT; CARD_REPLACED; CHANGE_PENDING;
    /// ALREADY_REGISTERED for a chip that is on record; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn enter_card_change(
        &self,
        caller: &Caller,
        id: CardId,
        order: CardOrder,
    ) -> Result<(CardChange, Receipt), Error> {
        let act = entering(&order);
        self.allow(caller, act).await?;
        let card = self.card_to_change(caller, act, id).await?;
        let change = NewCardChange {
            id: ChangeId::generate(),
            card: id,
            institution: caller.holder.institution,
            order,
            entered_by: caller.holder.identity,
            entered_at: caller.now,
            expires_at: caller.now + self.card_rules.review,
        };
        let entry = |outcome| {
            self.entry(caller, act, outcome)
                .on("card", id.to_string())
                .about(card.resident.to_string())
                .with("step", "entered")
                .with("cause", change.order.cause())
        };
        let granted = entry(Outcome::Granted).with("change", change.id.to_string());
        let loss = self.card_rules.loss;
        let answer = self.store.record_card_change(change.clone(), loss, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        Ok((self.known_change(change.id).await?, receipt))
    }

    /// Reviews a change that another person entered; `rejected` says why it is not to be made.
    ///
    /// # Errors
    /// CHANGE_NOT_FOUND; OTHER_INSTITUTION; SECOND_PERSON_REQUIRED for the person who entered it;
    /// CHANGE_OVER when it was reviewed before or its time is over; and as for
    /// [`enter_card_change`](Self::enter_card_change), when the card has changed meanwhile.
    pub async fn review_card_change(
        &self,
        caller: &Caller,
        id: ChangeId,
        rejected: Option<String>,
    ) -> Result<ReviewedChange, Error> {
        self.allow(caller, Act::CardReview).await?;
        let refused =
            || self.entry(caller, Act::CardReview, Outcome::Refused).with("change", id.to_string());
        let Some(change) = self.store.card_change(id).await? else {
            return self.refuse(refused(), Reason::CHANGE_NOT_FOUND).await;
        };
        let NewCardChange { card, institution, order, .. } = change.entered;
        if institution != caller.holder.institution {
            return self.refuse(refused(), Denial::OtherInstitution).await;
        }
        let resident = self.known(card).await?.resident;
        let about = |entry: Entry| {
            entry
                .on("card", card.to_string())
                .about(resident.to_string())
                .with("act", order.act().as_str())
        };
        let (verdict, word, shown) = match rejected {
            Some(why) => (Verdict::Reject { why }, "rejected", card),
            None => {
                let new_card = CardId::generate();
                let made = matches!(order, CardOrder::Replace { .. });
                let shown = if made { new_card } else { card };
                (Verdict::Approve { new_card }, "approved", shown)
            }
        };
        let mut granted = about(self.entry(caller, Act::CardReview, Outcome::Granted))
            .with("change", id.to_string())
            .with("entered-by", change.entered.entered_by.to_string())
            .with("verdict", word);
        if shown != card {
            granted = granted.with("new-card", shown.to_string());
        }
        let review = Review { change: id, by: caller.holder.identity, at: caller.now, verdict };
        let loss = self.card_rules.loss;
        let answer = self.store.record_card_change_reviewed(review, loss, granted).await;
        let receipt = self.settle(about(refused()), answer).await?;
        self.tell_card_list(caller.now).await;
        Ok(ReviewedChange {
            change: self.known_change(id).await?,
            card: self.known(shown).await?,
            receipt,
        })
    }

    /// Changes that wait for a review at the caller's institution. The reading is in the log before
    /// the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn card_changes(
        &self,
        caller: &Caller,
        after: Option<ChangeId>,
        limit: u32,
    ) -> Result<Vec<CardChange>, Error> {
        self.allow(caller, Act::CardChanges).await?;
        let institution = caller.holder.institution;
        let changes =
            self.store.pending_card_changes(institution, caller.now, after, limit).await?;
        let entry = self
            .entry(caller, Act::CardChanges, Outcome::Granted)
            .with("changes", changes.len().to_string());
        self.record_act(entry).await?;
        Ok(changes)
    }

    async fn known_change(&self, id: ChangeId) -> Result<CardChange, Error> {
        self.store.card_change(id).await?.ok_or(Reason::CHANGE_NOT_FOUND.into())
    }
}

/// The act of entering a change.
fn entering(order: &CardOrder) -> Act {
    match order {
        CardOrder::Replace { .. } => Act::CardReplace,
        CardOrder::Unblacklist { .. } => Act::CardUnblacklist,
    }
}
