//! Why the store did not answer or record.

use std::{fmt, sync::Arc};

use audit::EntryError;
use time::Date;

use crate::card_life::Refusal;

/// Why a fact was not recorded, or a record not read. Carries no content of a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A record with this unique property exists.
    #[error("{0} is on record already")]
    Duplicate(Unique),
    /// There is no such record.
    #[error("there is no such {0}")]
    NotFound(Record),
    /// The state of a record does not allow this.
    #[error("not possible: {0}")]
    Conflict(Obstacle),
    /// A position or size that the log does not reach.
    #[error("outside the log, which has {size} entries")]
    OutsideLog {
        /// Leaves in the log.
        size: u64,
    },
    /// Entries that were removed when their term was over.
    #[error("entries before {begins} were removed")]
    Removed {
        /// Where the log begins now.
        begins: u64,
    },
    /// The index of residents does not come as far as the log yet.
    #[error("the index of residents counts {counted} of {size} entries")]
    IndexBehind {
        /// Entries that it counts.
        counted: u64,
        /// Entries of the log.
        size: u64,
    },
    /// The log has more about a resident than is given out in one piece.
    #[error("more than a history has")]
    TooLong,
    /// The audit entry is malformed; nothing was recorded.
    #[error("the audit entry cannot be written")]
    Entry(#[source] EntryError),
    /// The disk is full, slow or fails, or the store is closing. Nothing was recorded; worth another try.
    #[error("the store is unavailable")]
    Unavailable(#[source] Option<Cause>),
    /// The disk failed when all was written and not yet flushed, or does not come back: what was to be recorded may be
    /// on record later.
    #[error("the disk failed or stopped within a commit")]
    Unsettled(#[source] Option<Cause>),
    /// Another process has this store open.
    #[error("the store is in use by another process")]
    InUse,
    /// The database has a schema that this version does not know, or one that was changed.
    #[error("the database has another schema: {0}")]
    Schema(String),
    /// The end of the log is not what was signed.
    #[error("the log does not match its newest checkpoint: {0}")]
    Tampered(&'static str),
    /// A record of ours cannot be read.
    #[error("a record is damaged: {0}")]
    Damaged(String),
}

/// What made the store unavailable; shared by all whose facts were to be recorded together.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// What can be on record only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unique {
    /// An identifier that the caller chose: of a record or an audit entry.
    Id,
    /// Credit code of an institution.
    CreditCode,
    /// Number of an identity within its institution.
    Number,
    /// Serial number of a certificate.
    Serial,
    /// Public key of a certificate.
    PublicKey,
    /// Renewal of a certificate.
    Renewal,
    /// ID number of a resident.
    IdNumber,
    /// Issuing serial of a card's chip.
    ChipSerial,
    /// Diversification factor of a card that is not cancelled.
    CardFactor,
    /// Active card of a resident.
    ActiveCard,
    /// Active electronic card of a resident.
    ActiveElectronicCard,
    /// Application for a card of a resident, while it waits.
    Application,
    /// Card that takes another's place.
    Replacement,
    /// Change of a card that waits for its review.
    PendingChange,
    /// Enrolment of a public key that waits for its review.
    PendingEnrolment,
    /// Erasure of a resident that waits for its review.
    PendingErasure,
    /// A number that is bound to the resident.
    Binding,
    /// A guardian of the resident, at any day of the same time.
    Guardianship,
}

impl fmt::Display for Unique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "the identifier",
            Self::CreditCode => "the credit code",
            Self::Number => "the number at this institution",
            Self::Serial => "the certificate serial",
            Self::PublicKey => "the public key",
            Self::Renewal => "a renewal of the certificate",
            Self::IdNumber => "the ID number",
            Self::ChipSerial => "the chip serial",
            Self::CardFactor => "the card factor",
            Self::ActiveCard => "an active card of the resident",
            Self::ActiveElectronicCard => "an active electronic card of the resident",
            Self::Application => "an application of the resident",
            Self::Replacement => "a replacement of the card",
            Self::PendingChange => "a pending change of the card",
            Self::PendingEnrolment => "an enrolment of the public key",
            Self::PendingErasure => "an erasure of the resident",
            Self::Binding => "the number of the resident",
            Self::Guardianship => "the guardian of the resident",
        })
    }
}

/// Kinds of records that can be asked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// A certificate, or its draft.
    Certificate,
    /// A session.
    Session,
    /// A card.
    Card,
    /// An electronic card.
    ElectronicCard,
    /// A code of an electronic card.
    Code,
    /// A presence of this card, for this session.
    Presence,
    /// A visit.
    Visit,
    /// A token.
    Token,
    /// A prepared signature.
    Signing,
    /// A change that waits for its review.
    PendingChange,
    /// A task.
    Task,
    /// A batch of cards.
    Batch,
    /// A bound number.
    Binding,
    /// A guardianship.
    Guardianship,
    /// A consent.
    Consent,
    /// A referral.
    Referral,
    /// An emergency access.
    Emergency,
    /// A warning of misuse.
    Warning,
    /// A closed segment of the log.
    Segment,
    /// A record that a new one refers to.
    Reference,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Session => "session",
            Self::Card => "card",
            Self::ElectronicCard => "electronic card",
            Self::Code => "code",
            Self::Presence => "presence",
            Self::Visit => "visit",
            Self::Token => "token",
            Self::Signing => "prepared signature",
            Self::PendingChange => "change to review",
            Self::Task => "task",
            Self::Batch => "batch of cards",
            Self::Binding => "bound number",
            Self::Guardianship => "guardianship",
            Self::Consent => "consent",
            Self::Referral => "referral",
            Self::Emergency => "emergency access",
            Self::Warning => "warning",
            Self::Segment => "closed segment of the log",
            Self::Reference => "record to refer to",
        })
    }
}

/// States that stand in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The token is over that another is to be exchanged for, or it was exchanged itself.
    TokenOver,
    /// The draft was signed before.
    CertificateSigned,
    /// The certificate is not signed, or is revoked.
    CertificateNotValid,
    /// The certificate is not suspended.
    CertificateNotHeld,
    /// The key pair is not among the spare ones.
    KeyNotSpare,
    /// The revocation list on record has this number or a greater one.
    OlderRevocationList,
    /// A later time was stamped before.
    LaterTimeStamp,
    /// The card is not active.
    CardStatus,
    /// The electronic card is cancelled, or the resident had one that is.
    ElectronicCardStatus,
    /// The code has no use left.
    CodeUsed,
    /// The code was ended before its time.
    CodeRevoked,
    /// The time of the code is over.
    CodeOver,
    /// The card's state does not allow the act.
    CardState(Refusal),
    /// The resident's card was lost, frozen or blacklisted: the next one replaces it.
    ReplacementDue,
    /// The report of loss has not stood for the time that is set.
    LossRecent,
    /// Another end of validity was noted, and the card has not said it yet.
    RenewalPending,
    /// The change was entered by the same person.
    SamePerson,
    /// The change was reviewed before, or its time is over.
    ChangeOver,
    /// The ID number on record of the identity is another.
    OtherPerson,
    /// Role or certificates of the identity were changed meanwhile.
    StaffChanged,
    /// The last day of the signer's qualification is over.
    QualificationEnded,
    /// The certificate with which the change was entered is no longer in force.
    EntryVoid,
    /// The newest list of cards is not the one before this.
    OtherCardList,
    /// The presence opened a visit before.
    PresenceUsed,
    /// The presence stands for the card no longer.
    PresenceOver,
    /// The session was closed.
    SessionClosed,
    /// The visit was closed.
    VisitClosed,
    /// The consent is not in force.
    ConsentOver,
    /// The resident has more consents in force than are looked through.
    ConsentsTooMany,
    /// The referral is over.
    ReferralOver,
    /// The signature was completed before.
    SigningCompleted,
    /// The batch was closed.
    BatchClosed,
    /// The row of the batch is in another state than was expected.
    RowState,
    /// The time for it is over.
    Expired,
    /// Residents look like one, and nobody decided about all of them.
    LookAlike,
    /// The binding ended before.
    BindingEnded,
    /// The guardianship ended before.
    GuardianshipEnded,
    /// The guardian would, through others or directly, be in the care of the resident.
    GuardianCircle,
    /// Somebody said before what came of the warning.
    WarningClosed,
    /// The emergency access is over.
    EmergencyOver,
    /// The emergency access stands otherwise than it would have to.
    EmergencyState,
    /// The person began more of them within an hour than anybody can need.
    TooManyEmergencies,
    /// The resident's personal data was erased.
    ResidentErased,
    /// A visit of the resident is open.
    VisitOpen,
    /// An emergency access to the resident's data has no finding yet.
    EmergencyOpen,
    /// The resident had a visit or was issued a card: they were not registered in error.
    NotInError,
    /// What is on record of the resident's visits has to be kept until this day.
    KeptUntil(Date),
    /// The segment is not the oldest one that is there.
    OtherSegment,
    /// A removal of the segment waits for its review.
    RemovalPending,
    /// Something in the log is not as it was signed.
    LogInDoubt,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TokenOver => "the token is over, or was exchanged itself",
            Self::CertificateSigned => "the certificate was signed before",
            Self::CertificateNotValid => "the certificate is not valid",
            Self::CertificateNotHeld => "the certificate is not suspended",
            Self::KeyNotSpare => "the key pair is not spare",
            Self::OlderRevocationList => "the revocation list on record is not older",
            Self::LaterTimeStamp => "a later time was stamped before",
            Self::ElectronicCardStatus => "the electronic card was cancelled",
            Self::CodeUsed => "the code has no use left",
            Self::CodeRevoked => "the code was revoked",
            Self::CodeOver => "the code is over",
            Self::CardStatus => "the card is not active",
            Self::CardState(Refusal::Already(status)) => {
                return write!(f, "the card is {status} already");
            }
            Self::CardState(Refusal::Is(status)) => return write!(f, "the card is {status}"),
            Self::ReplacementDue => "the next card has to replace the last one",
            Self::LossRecent => "the report of loss is too recent",
            Self::RenewalPending => "another renewal is pending",
            Self::SamePerson => "the change was entered by the same person",
            Self::ChangeOver => "the change was reviewed before, or its time is over",
            Self::OtherPerson => "the identity is another person's",
            Self::StaffChanged => "the identity was changed meanwhile",
            Self::QualificationEnded => "the qualification of the signer has ended",
            Self::EntryVoid => "the certificate of who entered the change is not in force",
            Self::OtherCardList => "the newest list of cards is another",
            Self::PresenceUsed => "the presence was used before",
            Self::PresenceOver => "the presence is over",
            Self::SessionClosed => "the session was closed",
            Self::VisitClosed => "the visit was closed",
            Self::ConsentOver => "the consent is not in force",
            Self::ConsentsTooMany => "the resident has too many consents in force",
            Self::ReferralOver => "the referral is over",
            Self::SigningCompleted => "the signature was completed before",
            Self::BatchClosed => "the batch was closed",
            Self::RowState => "the row of the batch is in another state",
            Self::Expired => "its time is over",
            Self::LookAlike => "residents look alike",
            Self::BindingEnded => "the binding ended before",
            Self::GuardianshipEnded => "the guardianship ended before",
            Self::GuardianCircle => "the guardian is in the care of the resident",
            Self::WarningClosed => "the warning was closed before",
            Self::EmergencyOver => "the emergency access is over",
            Self::EmergencyState => "the emergency access is in another state",
            Self::TooManyEmergencies => "too many emergency accesses within an hour",
            Self::ResidentErased => "the resident was erased",
            Self::VisitOpen => "a visit of the resident is open",
            Self::EmergencyOpen => "an emergency access to the resident has no finding yet",
            Self::NotInError => "the resident had a visit or was issued a card",
            Self::KeptUntil(day) => return write!(f, "visits are kept on record until {day}"),
            Self::OtherSegment => "the segment is not the oldest one that is there",
            Self::LogInDoubt => "something in the log is not as it was signed",
            Self::RemovalPending => "a removal of the segment waits for its review",
        })
    }
}

/// The disk takes longer than a caller waits.
#[derive(Debug, thiserror::Error)]
#[error("the disk did not take a commit in time")]
struct Late;

/// Why the log cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full.
    Full,
    /// It can only be read.
    ReadOnly,
    /// It fails.
    Disk,
    /// The key of the log does not sign, or its end is not what was signed.
    Other,
}

impl Trouble {
    /// For operators.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Full => ("磁盘已满", "the disk is full"),
            Self::ReadOnly => ("磁盘只读", "the disk can only be read"),
            Self::Disk => ("磁盘读写出错", "the disk fails"),
            Self::Other => (
                "日志签名密钥不可用，或日志末端有误",
                "its key does not sign, or its end is not what was signed",
            ),
        }
    }
}

impl StoreError {
    pub(super) fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Some(Arc::new(cause)))
    }

    pub(super) fn damaged(what: &str) -> Self {
        Self::Damaged(what.into())
    }

    /// The disk takes longer than a caller waits, and nothing was done.
    pub(super) fn late() -> Self {
        Self::unavailable(Late)
    }

    /// The disk takes longer than a caller waits, and nobody knows what becomes of what it has taken.
    pub(super) fn unsettled() -> Self {
        Self::Unsettled(Some(Arc::new(Late)))
    }

    /// What a COMMIT that failed means. It is none while a part of it is not written, whatever the next start finds.
    /// When all was written, and failed to be flushed or to be entered in the index of the write-ahead log, the next
    /// start may find it whole.
    pub(super) fn of_commit(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi::SQLITE_IOERR_WRITE};
        let not_written = error.sqlite_error().is_some_and(|failure| {
            matches!(
                failure.code,
                ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::DatabaseBusy
            ) || failure.extended_code == SQLITE_IOERR_WRITE
        });
        match not_written {
            true => error.into(),
            false => Self::Unsettled(Some(Arc::new(error))),
        }
    }

    /// Why the log cannot be written, when a commit ended so.
    pub(super) fn trouble(&self) -> Trouble {
        use rusqlite::ErrorCode;
        let (Self::Unavailable(Some(cause)) | Self::Unsettled(Some(cause))) = self else {
            return Trouble::Other;
        };
        let failure = cause.downcast_ref::<rusqlite::Error>().and_then(|it| it.sqlite_error_code());
        match failure {
            Some(ErrorCode::DiskFull) => Trouble::Full,
            Some(ErrorCode::ReadOnly) => Trouble::ReadOnly,
            Some(_) => Trouble::Disk,
            None => Trouble::Other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        use rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY as DANGLING;
        match error {
            E::FromSqlConversionFailure(column, kind, _)
            | E::InvalidColumnType(column, _, kind) => {
                Self::Damaged(format!("column {column} holds {kind}"))
            }
            E::SqliteFailure(code, Some(ref message))
                if code.code == rusqlite::ErrorCode::ConstraintViolation =>
            {
                match unique(message) {
                    Some(unique) => Self::Duplicate(unique),
                    // The triggers of 0045.
                    None if message == "resident erased" => {
                        Self::Conflict(Obstacle::ResidentErased)
                    }
                    None if code.extended_code == DANGLING => Self::NotFound(Record::Reference),
                    None => Self::Damaged(message.clone()),
                }
            }
            other => Self::unavailable(other),
        }
    }
}

/// Which property is taken, from SQLite's own words: `UNIQUE constraint failed: TABLE.COLUMN, ...`.
fn unique(message: &str) -> Option<Unique> {
    let columns = message.strip_prefix("UNIQUE constraint failed: ")?;
    Some(match columns {
        "institution.credit_code" => Unique::CreditCode,
        "identity.institution, identity.number" => Unique::Number,
        "certificate.serial" => Unique::Serial,
        "certificate.key_digest" => Unique::PublicKey,
        "certificate.renews" => Unique::Renewal,
        "resident.id_number_index" => Unique::IdNumber,
        "card.chip_serial" => Unique::ChipSerial,
        "card.factor" => Unique::CardFactor,
        "card.resident" => Unique::ActiveCard,
        "electronic_card.resident" => Unique::ActiveElectronicCard,
        "card.replaces" => Unique::Replacement,
        "card_change.card" => Unique::PendingChange,
        "enrolment.key_digest" => Unique::PendingEnrolment,
        "binding.resident, binding.number_index" => Unique::Binding,
        "erasure.resident" => Unique::PendingErasure,
        _ => Unique::Id,
    })
}
