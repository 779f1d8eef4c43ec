//! Changes that two persons make, as the interface says them.

use proto::v1::{
    self,
    pending_card_change::{Order, State},
};

use super::convert::{numbered, timestamp};
use crate::{
    card_life::{LiftingCause, ReplacementCause},
    catalogue::Needs,
    clock::UtcTime,
    registrar::Error,
    store::{CardChange, CardOrder, ChangeState},
};

numbered!(
    replacement_cause,
    replacement_number,
    ReplacementCause,
    ReplacementCause,
    "cause",
    Damaged,
    Lost,
    Expired,
    Unreadable,
    DataChanged
);
numbered!(lifting_cause, lifting_number, LiftingCause, LiftingCause, "cause", Mistake, Settled);

/// A change as it stands at this time.
pub(super) fn pending(change: CardChange, now: UtcTime) -> v1::PendingCardChange {
    let state = change.state_at(now);
    let entered = change.entered;
    let order = match entered.order {
        CardOrder::Replace { chip, cause } => Order::Replace(v1::ReplacementOrder {
            chip_serial: chip.serial,
            valid_until: chip.valid_until.to_string(),
            cause: replacement_number(cause),
        }),
        CardOrder::Unblacklist { cause } => Order::Unblacklist(lifting_number(cause)),
    };
    let mut message = v1::PendingCardChange {
        change_id: entered.id.to_string(),
        card_id: entered.card.to_string(),
        order: Some(order),
        entered_by: entered.entered_by.to_string(),
        entered_at: Some(timestamp(entered.entered_at)),
        expires_at: Some(timestamp(entered.expires_at)),
        ..v1::PendingCardChange::default()
    };
    let (state, reviewed) = match state {
        ChangeState::Pending => (State::Pending, None),
        ChangeState::Expired => (State::Expired, None),
        ChangeState::Approved { by, at, made } => {
            message.new_card_id = made.map(|id| id.to_string()).unwrap_or_default();
            (State::Approved, Some((by, at)))
        }
        ChangeState::Rejected { by, at, why } => {
            message.rejection = why;
            (State::Rejected, Some((by, at)))
        }
    };
    message.state = state.into();
    if let Some((by, at)) = reviewed {
        message.reviewed_by = by.to_string();
        message.reviewed_at = Some(timestamp(at));
    }
    message
}
