use audit::Entry;
use card::{ReadError, SecurityError, TransportError};

use crate::{card_life::CardStatus, catalogue::Reason, registrar::Error, store::Receipt};

/// Why a card in a reader brought no reading.
pub struct CardFailure {
    /// The reason.
    pub reason: Reason,
    /// Its place in the log, when it is there.
    pub receipt: Option<Receipt>,
}

impl CardFailure {
    /// What was refused before the card was touched; the log has it.
    #[must_use]
    pub fn refused(error: &Error) -> Self {
        Self { reason: error.reason(), receipt: None }
    }

    /// The log could not take it: nothing that a desk may rely on came of the card.
    pub(super) fn unrecorded(error: Error) -> Self {
        let cause = crate::telemetry::chain(&error);
        tracing::error!(cause, "recording a card in a reader");
        Self { reason: error.reason(), receipt: None }
    }
}

/// Marks the refusal of a card that is not in force: somebody uses what they should not have.
pub(in crate::registrar) fn alert(entry: Entry) -> Entry {
    entry.with("alert", "card-not-in-force")
}

/// Why a card in this state is not served; nothing for one in force.
pub(in crate::registrar) fn out_of_force(status: CardStatus) -> Option<Reason> {
    match status {
        CardStatus::Active => None,
        CardStatus::Applied | CardStatus::PreIssued => Some(Reason::CARD_NOT_ACTIVATED),
        CardStatus::Lost => Some(Reason::CARD_LOST),
        CardStatus::Frozen => Some(Reason::CARD_FROZEN),
        CardStatus::Blacklisted => Some(Reason::CARD_BLACKLISTED),
        CardStatus::Cancelled => Some(Reason::CARD_CANCELLED),
    }
}

/// The reason that stands for a reading that failed.
pub(in crate::registrar) fn read_reason(error: &ReadError) -> Reason {
    match error {
        ReadError::NotHealthCard(_) => Reason::NOT_HEALTH_CARD,
        ReadError::NotGenuine { .. } => Reason::CARD_NOT_GENUINE,
        ReadError::Expired { .. } => Reason::CARD_EXPIRED,
        ReadError::ReadRefused { .. } | ReadError::KeyBlocked { .. } => Reason::CARD_READ_REFUSED,
        ReadError::MalformedRecord(_) | ReadError::Refused { .. } => Reason::CARD_MALFORMED,
        ReadError::Inconsistent(_) => Reason::CARD_INCONSISTENT,
        ReadError::Removed { .. } => Reason::CARD_REMOVED,
        ReadError::Transport { source, .. } => match source {
            TransportError::CardRemoved => Reason::CARD_REMOVED,
            TransportError::Timeout => Reason::CARD_TIMEOUT,
            TransportError::Garbage { .. } => Reason::CARD_GARBAGE,
            TransportError::Failed(_) => Reason::RELAY_PROTOCOL,
            _ => Reason::READER_GONE,
        },
        ReadError::Security(SecurityError::Unavailable(_)) => Reason::SAM_UNAVAILABLE,
        ReadError::Security(_) => Reason::KEY_UNAVAILABLE,
        _ => Reason::CARD_MALFORMED,
    }
}
