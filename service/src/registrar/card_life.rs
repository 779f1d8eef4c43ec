//! What happens to cards from application to end. The states and what each act does to them are in
//! [`crate::card_life`].

use audit::Outcome;
use card::ResidentIdNumber;
use time::Date;

use super::{Caller, Error, Registrar};
use crate::{
    card_life::{CardAct, CardStatus},
    catalogue::{Needs, Reason},
    clock::date_at_desk,
    policy::Act,
    store::{Card, CardCursor, CardFilter, CardId, Change, NewApplication, Receipt, ResidentId},
};

/// The longest that a card may be valid from today, in years.
const LONGEST: i32 = 30;
/// The most days that a list of ending cards looks ahead.
const FARTHEST: u32 = 3660;

impl Registrar {
    /// Takes an application for a card (申领).
    ///
    /// # Errors
    /// RESIDENT_NOT_FOUND; ALREADY_REGISTERED while another application of the resident waits;
    /// ACTIVE_CARD_EXISTS; CARD_TO_BE_REPLACED; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn apply_for_card(
        &self,
        caller: &Caller,
        resident: ResidentId,
    ) -> Result<(Card, Receipt), Error> {
        self.allow(caller, Act::CardApply).await?;
        let refused =
            || self.entry(caller, Act::CardApply, Outcome::Refused).about(resident.to_string());
        let record = self.resident_asked_for(resident, refused).await?;
        self.here_or_present(caller, record.institution, resident, refused).await?;
        let application = NewApplication {
            id: CardId::generate(),
            resident,
            institution: caller.holder.institution,
            applied_at: caller.now,
        };
        let entry = self
            .entry(caller, Act::CardApply, Outcome::Granted)
            .about(resident.to_string())
            .on("card", application.id.to_string());
        let answer = self.store.record_card_applied(application, entry).await;
        let receipt = self.settle(refused(), answer).await?;
        Ok((self.known(application.id).await?, receipt))
    }

    /// Takes a card into use (激活). Its holder is there, and shows a document with the ID number.
    ///
    /// # Errors
    /// CARD_NOT_FOUND; HOLDER_MISMATCH when the number is another's; ACTIVE_CARD_EXISTS; the reason
    /// of a state that does not allow it; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn activate_card(
        &self,
        caller: &Caller,
        id: CardId,
        shown: &ResidentIdNumber,
    ) -> Result<(Card, Receipt), Error> {
        self.allow(caller, Act::CardActivate).await?;
        let card = self.card_to_change(caller, Act::CardActivate, id).await?;
        let resident =
            self.store.resident(card.resident).await?.ok_or(Reason::RESIDENT_NOT_FOUND)?;
        let record = self.personal.open_resident(&resident)?;
        if record.id_number != *shown {
            let refused = self
                .entry(caller, Act::CardActivate, Outcome::Refused)
                .on("card", id.to_string())
                .about(card.resident.to_string());
            return self.refuse(refused, Reason::HOLDER_MISMATCH).await;
        }
        self.act_on(caller, Act::CardActivate, CardAct::Activate, card).await
    }

    /// Reports a card as lost (挂失).
    ///
    /// # Errors
    /// CARD_NOT_FOUND; STATE_CONFLICT when it is lost already, and the reason of any other state
    /// than active; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED. So for all acts below.
    pub async fn report_loss(&self, caller: &Caller, id: CardId) -> Result<(Card, Receipt), Error> {
        self.change_card(caller, Act::CardLost, CardAct::ReportLoss, id).await
    }

    /// Takes a report of loss back (解挂).
    ///
    /// # Errors
    /// As for [`report_loss`](Self::report_loss), and ACTIVE_CARD_EXISTS.
    pub async fn release_card(
        &self,
        caller: &Caller,
        id: CardId,
    ) -> Result<(Card, Receipt), Error> {
        self.change_card(caller, Act::CardRelease, CardAct::Release, id).await
    }

    /// Freezes a card (冻结).
    ///
    /// # Errors
    /// As for [`report_loss`](Self::report_loss).
    pub async fn freeze_card(&self, caller: &Caller, id: CardId) -> Result<(Card, Receipt), Error> {
        self.change_card(caller, Act::CardFreeze, CardAct::Freeze, id).await
    }

    /// Unfreezes a card (解冻).
    ///
    /// # Errors
    /// As for [`release_card`](Self::release_card).
    pub async fn unfreeze_card(
        &self,
        caller: &Caller,
        id: CardId,
    ) -> Result<(Card, Receipt), Error> {
        self.change_card(caller, Act::CardUnfreeze, CardAct::Unfreeze, id).await
    }

    /// Puts a card on the blacklist, for illegal use (列入黑名单). It is taken off by two persons.
    ///
    /// # Errors
    /// As for [`report_loss`](Self::report_loss).
    pub async fn blacklist_card(
        &self,
        caller: &Caller,
        id: CardId,
    ) -> Result<(Card, Receipt), Error> {
        self.change_card(caller, Act::CardBlacklist, CardAct::Blacklist, id).await
    }

    /// Cancels a card (注销). Final.
    ///
    /// # Errors
    /// CARD_NOT_FOUND; STATE_CONFLICT when it is cancelled; REGISTERED_ELSEWHERE; ROLE_NOT_ALLOWED.
    pub async fn cancel_card(&self, caller: &Caller, id: CardId) -> Result<(Card, Receipt), Error> {
        self.change_card(caller, Act::CardCancel, CardAct::Cancel, id).await
    }

    /// Notes a later end for a card (延期). The card is then rewritten, and the record follows when
    /// the card says the new end itself. Until then either end is accepted, so that a write that was
    /// torn locks nobody out; and no third is noted.
    ///
    /// # Errors
    /// FIELD_INVALID unless the day is later than the present end and not past; STATE_CONFLICT while
    /// another end is noted; as for [`report_loss`](Self::report_loss).
    pub async fn renew_card(
        &self,
        caller: &Caller,
        id: CardId,
        until: Date,
    ) -> Result<(Card, Option<Receipt>), Error> {
        self.allow(caller, Act::CardRenew).await?;
        let card = self.card_to_change(caller, Act::CardRenew, id).await?;
        let today = date_at_desk(caller.now);
        let end = card.chip.as_ref().map_or(today, |chip| chip.valid_until);
        if until <= end || until < today || until.year() > today.year() + LONGEST {
            return Err(Error::Field { field: "valid_until", needs: Needs::LaterEnd });
        }
        let entry = |outcome| {
            self.entry(caller, Act::CardRenew, outcome)
                .on("card", id.to_string())
                .about(card.resident.to_string())
                .with("step", "noted")
                .with("until", until.to_string())
        };
        let answer = self.store.record_card_renewal(id, until, entry(Outcome::Granted)).await;
        let receipt = match self.settle(entry(Outcome::Refused), answer).await? {
            Change::Recorded(receipt) => Some(receipt),
            Change::None => None,
        };
        Ok((Card { renewal: Some(until), ..card }, receipt))
    }

    /// Cards of the caller's institution. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn cards(
        &self,
        caller: &Caller,
        status: Option<CardStatus>,
        after: Option<CardCursor>,
        limit: u32,
    ) -> Result<(Vec<Card>, Option<CardCursor>), Error> {
        self.list_cards(caller, CardFilter::Status(status), after, limit).await
    }

    /// Cards of the caller's institution that are in force and end within so many days from today,
    /// the first to end first.
    ///
    /// # Errors
    /// FIELD_INVALID for more days than ten years have; ROLE_NOT_ALLOWED.
    pub async fn ending_cards(
        &self,
        caller: &Caller,
        days: u32,
        after: Option<CardCursor>,
        limit: u32,
    ) -> Result<(Vec<Card>, Option<CardCursor>), Error> {
        if days > FARTHEST {
            return Err(Error::Field { field: "ending_within_days", needs: Needs::Days });
        }
        let today = date_at_desk(caller.now);
        let last = today + time::Duration::days(days.into());
        self.list_cards(caller, CardFilter::EndsWithin(today, last), after, limit).await
    }

    async fn list_cards(
        &self,
        caller: &Caller,
        filter: CardFilter,
        after: Option<CardCursor>,
        limit: u32,
    ) -> Result<(Vec<Card>, Option<CardCursor>), Error> {
        self.allow(caller, Act::CardList).await?;
        let institution = caller.holder.institution;
        let cards = self.store.cards(institution, filter, after, limit).await?;
        let entry = self
            .entry(caller, Act::CardList, Outcome::Granted)
            .with("cards", cards.len().to_string());
        self.record_act(entry).await?;
        let full = cards.len() == limit as usize;
        let next = cards.last().filter(|_| full).map(|last| CardCursor::after(filter, last));
        Ok((cards, next))
    }

    async fn change_card(
        &self,
        caller: &Caller,
        act: Act,
        what: CardAct,
        id: CardId,
    ) -> Result<(Card, Receipt), Error> {
        self.allow(caller, act).await?;
        let card = self.card_to_change(caller, act, id).await?;
        self.act_on(caller, act, what, card).await
    }

    /// A card that this caller may change: registered here, or one of its holder's in the reader.
    pub(super) async fn card_to_change(
        &self,
        caller: &Caller,
        act: Act,
        id: CardId,
    ) -> Result<Card, Error> {
        let refused = self.entry(caller, act, Outcome::Refused).on("card", id.to_string());
        let Some(card) = self.store.card(id).await? else {
            return self.refuse(refused, Reason::CARD_NOT_FOUND).await;
        };
        let refused = || refused.about(card.resident.to_string());
        self.here_or_present(caller, card.institution, card.resident, refused).await?;
        Ok(card)
    }

    async fn act_on(
        &self,
        caller: &Caller,
        act: Act,
        what: CardAct,
        card: Card,
    ) -> Result<(Card, Receipt), Error> {
        let entry = |outcome| {
            self.entry(caller, act, outcome)
                .on("card", card.id.to_string())
                .about(card.resident.to_string())
        };
        let granted = entry(Outcome::Granted);
        let answer = self.store.record_card_act(card.id, what, caller.now, granted).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        self.tell_card_list(caller.now).await;
        Ok((self.known(card.id).await?, receipt))
    }

    /// A card that was there a moment ago.
    pub(super) async fn known(&self, id: CardId) -> Result<Card, Error> {
        self.store.card(id).await?.ok_or(Reason::CARD_NOT_FOUND.into())
    }
}
