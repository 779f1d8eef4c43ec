use time::Date;

use crate::apdu::Status;
use crate::atr::NoCardFactor;
use crate::command::CardError;
use crate::data::MalformedRecord;
use crate::key::CardKey;
use crate::layout::FileName;
use crate::security::SecurityError;
use crate::transport::{LinkError, TransportError};

/// Why a card brought no reading.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Another kind of card.
    #[error("not a resident health card")]
    NotHealthCard(#[from] NotHealthCard),
    /// The card did not prove that it holds the internal key: forged, or of an issuer whose keys
    /// are not here.
    #[error("the card did not prove that it is genuine ({status})")]
    NotGenuine {
        /// What it answered; [`Status::Done`] with a wrong proof.
        status: Status,
    },
    /// The card's last day of validity has passed.
    #[error("the card expired after {valid_until}")]
    Expired {
        /// That day.
        valid_until: Date,
    },
    /// The card does not accept our read key.
    #[error("the card does not accept the read key")]
    ReadRefused {
        /// Tries that are left, when the card tells.
        tries_left: Option<u8>,
    },
    /// The card has blocked a key after too many failures.
    #[error("{key} is blocked on this card")]
    KeyBlocked {
        /// The key.
        key: CardKey,
    },
    /// A record is not as the standard says.
    #[error("the card holds a malformed record")]
    MalformedRecord(#[from] MalformedRecord),
    /// The card contradicts itself.
    #[error("the card contradicts itself: {0}")]
    Inconsistent(#[from] Inconsistency),
    /// The card refused a step, or answered it with the wrong size.
    #[error("the card failed at {at}")]
    Refused {
        /// Which step.
        at: Step,
        /// What it said.
        #[source]
        source: CardError,
    },
    /// The card was taken out.
    #[error("the card was removed at {at}")]
    Removed {
        /// During which step.
        at: Step,
    },
    /// The reader failed.
    #[error("the reader failed at {at}")]
    Transport {
        /// During which step.
        at: Step,
        /// How.
        #[source]
        source: TransportError,
    },
    /// The security module could not compute. The card is not to blame.
    #[error("the card security module failed")]
    Security(#[from] SecurityError),
}

impl ReadError {
    pub(super) fn at(at: Step, error: LinkError) -> Self {
        match error {
            LinkError::Transport(TransportError::CardRemoved) => Self::Removed { at },
            LinkError::Transport(source) => Self::Transport { at, source },
            LinkError::Card(source) => Self::Refused { at, source },
        }
    }
}

/// What shows that a card is of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHealthCard {
    /// No card factor in the answer to reset.
    #[error(transparent)]
    HistoricalBytes(NoCardFactor),
    /// A file that every health card has is not there.
    #[error("the card has no file {0:04X}")]
    NoFile(u16),
    /// The issuer file does not answer tag 39.
    #[error("the card has no application city code")]
    NoCityCode,
}

/// How a card contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// Card number and ID number differ.
    #[error("card number and ID number differ")]
    CardNumber,
    /// Birth date and ID number differ.
    #[error("birth date and ID number differ")]
    BirthDate,
    /// Sex and ID number differ.
    #[error("sex and ID number differ")]
    Sex,
}

/// A step of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Selecting a file, or a directory on the way to it.
    Select(FileName),
    /// Reading a record, from 1; 0 is a file without records.
    Read {
        /// The file.
        file: FileName,
        /// The record.
        record: u8,
    },
    /// Writing a record, from 1; 0 is a file without records.
    Write {
        /// The file.
        file: FileName,
        /// The record.
        record: u8,
    },
    /// Internal authentication.
    ProveGenuine,
    /// Fetching a challenge.
    Challenge,
    /// External authentication.
    ProveRight,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Select(file) => write!(f, "selecting {file}"),
            Self::Read { file, record: 0 } => write!(f, "reading {file}"),
            Self::Read { file, record } => write!(f, "reading record {record} of {file}"),
            Self::Write { file, record: 0 } => write!(f, "writing {file}"),
            Self::Write { file, record } => write!(f, "writing record {record} of {file}"),
            Self::ProveGenuine => f.write_str("internal authentication"),
            Self::Challenge => f.write_str("fetching a challenge"),
            Self::ProveRight => f.write_str("external authentication"),
        }
    }
}
