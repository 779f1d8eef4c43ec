//! Why the registrar did not do what was asked.

use hsm::KeyError;

use crate::{
    card_life::{CardStatus, Refusal},
    catalogue::{Needs, Reason},
    clock::UtcTime,
    policy::Denial,
    registrar::Alike,
    store::{Obstacle, Record, StoreError, Unique},
};

/// Why a request was refused or failed. Nothing in it names a person or holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Refused for a reason of the catalogue.
    #[error("{}", .0.text().en)]
    Refused(Reason),
    /// A field is not acceptable.
    #[error("field `{field}` must be {}", needs.words().1)]
    Field {
        /// The field, as in the `.proto` file.
        field: &'static str,
        /// What it must be.
        needs: Needs,
    },
    /// This certificate was refused too often at this address.
    #[error("locked for a while")]
    Locked {
        /// When it is not any more.
        until: UtcTime,
    },
    /// Policy said no.
    #[error("denied by rule {}", .0.rule())]
    Denied(Denial),
    /// Residents who look alike, or share a number: staff must tell them apart.
    #[error("residents look alike")]
    Alike(Box<Alike>),
    /// The store refused, or could not read or write.
    #[error("using the store")]
    Store(#[from] StoreError),
    /// A key refused.
    #[error("using a key")]
    Key(#[from] KeyError),
    /// What should not happen: a record that does not open, a certificate of ours that does not parse.
    #[error("{what}")]
    Internal {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    /// A fault of ours, with its cause.
    pub(crate) fn internal(
        what: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Internal { what, source: Some(Box::new(source)) }
    }

    /// The reason that stands for this error outside.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Refused(reason) => *reason,
            Self::Field { .. } => Reason::FIELD_INVALID,
            Self::Locked { .. } => Reason::LOGIN_LOCKED,
            Self::Denied(denial) => denial_reason(denial),
            Self::Alike(alike) => alike.reason,
            Self::Store(error) => store_reason(error),
            Self::Key(_) => Reason::KEY_UNAVAILABLE,
            Self::Internal { .. } => Reason::INTERNAL,
        }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<Denial> for Error {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

fn denial_reason(denial: &Denial) -> Reason {
    match denial {
        Denial::Role => Reason::ROLE_NOT_ALLOWED,
        Denial::OtherInstitution | Denial::RecordsElsewhere => Reason::OTHER_INSTITUTION,
        Denial::VisitClosed => Reason::VISIT_CLOSED,
        Denial::Purpose => Reason::PURPOSE_NOT_ALLOWED,
        Denial::Frame(_) => Reason::FRAME_NOT_ALLOWED,
        Denial::NoRelation(_) => Reason::NO_RELATION,
        Denial::RegisteredElsewhere => Reason::REGISTERED_ELSEWHERE,
        Denial::Class { .. } => Reason::CLASS_NOT_ALLOWED,
        Denial::Grade { .. } => Reason::GRADE_TOO_HIGH,
        Denial::AccountOverdue => Reason::REVIEW_OVERDUE,
        Denial::Objected | Denial::Forbidden(_) => Reason::FORBIDDEN_BY_RULE,
    }
}

fn store_reason(error: &StoreError) -> Reason {
    match error {
        StoreError::Duplicate(Unique::ActiveCard) => Reason::ACTIVE_CARD_EXISTS,
        StoreError::Duplicate(Unique::Replacement) => Reason::CARD_REPLACED,
        StoreError::Duplicate(Unique::PendingChange) => Reason::CHANGE_PENDING,
        StoreError::Duplicate(Unique::PendingEnrolment) => Reason::ENROLMENT_PENDING,
        StoreError::Duplicate(Unique::PendingErasure) => Reason::ERASURE_PENDING,
        StoreError::Duplicate(_) => Reason::ALREADY_REGISTERED,
        StoreError::Conflict(Obstacle::SessionClosed) => Reason::SESSION_INVALID,
        StoreError::Conflict(Obstacle::ElectronicCardStatus) => Reason::ELECTRONIC_CARD_CANCELLED,
        StoreError::Conflict(Obstacle::TokenOver) => Reason::SUBJECT_TOKEN_INVALID,
        StoreError::Conflict(Obstacle::CodeUsed) => Reason::CODE_USED,
        StoreError::Conflict(Obstacle::CodeRevoked) => Reason::CODE_REVOKED,
        StoreError::Conflict(Obstacle::CodeOver) => Reason::CODE_EXPIRED,
        StoreError::Conflict(Obstacle::VisitClosed) => Reason::VISIT_CLOSED,
        StoreError::Conflict(Obstacle::ConsentOver) => Reason::CONSENT_OVER,
        StoreError::Conflict(Obstacle::ConsentsTooMany) => Reason::CONSENTS_TOO_MANY,
        StoreError::Conflict(Obstacle::ReferralOver) => Reason::REFERRAL_OVER,
        StoreError::Conflict(Obstacle::CertificateNotValid) => Reason::CERTIFICATE_REVOKED,
        StoreError::Conflict(Obstacle::CardState(refusal)) => refusal_reason(*refusal),
        StoreError::Conflict(Obstacle::ReplacementDue) => Reason::CARD_TO_BE_REPLACED,
        StoreError::Conflict(Obstacle::LossRecent) => Reason::LOSS_RECENT,
        StoreError::Conflict(Obstacle::SamePerson) => Reason::SECOND_PERSON_REQUIRED,
        StoreError::Conflict(Obstacle::ChangeOver) => Reason::CHANGE_OVER,
        StoreError::Conflict(Obstacle::OtherPerson) => Reason::IDENTITY_OF_ANOTHER,
        StoreError::Conflict(Obstacle::QualificationEnded) => Reason::QUALIFICATION_ENDED,
        StoreError::Conflict(Obstacle::EntryVoid) => Reason::ENTRY_VOID,
        StoreError::Conflict(Obstacle::BatchClosed) => Reason::BATCH_CLOSED,
        StoreError::Conflict(Obstacle::LookAlike) => Reason::LOOK_ALIKE,
        StoreError::Conflict(Obstacle::EmergencyOver) => Reason::EMERGENCY_OVER,
        StoreError::Conflict(Obstacle::TooManyEmergencies) => Reason::EMERGENCIES_TOO_MANY,
        StoreError::Conflict(Obstacle::GuardianCircle) => Reason::GUARDIAN_CIRCLE,
        StoreError::Conflict(Obstacle::ResidentErased) => Reason::RESIDENT_ERASED,
        StoreError::Conflict(Obstacle::VisitOpen) => Reason::VISIT_OPEN,
        StoreError::Conflict(Obstacle::EmergencyOpen) => Reason::EMERGENCY_UNREVIEWED,
        StoreError::Conflict(Obstacle::NotInError) => Reason::NOT_IN_ERROR,
        StoreError::Conflict(Obstacle::KeptUntil(_)) => Reason::RECORD_KEPT,
        StoreError::Conflict(Obstacle::OtherSegment) => Reason::SEGMENT_NOT_OLDEST,
        StoreError::Conflict(Obstacle::LogInDoubt) => Reason::LOG_IN_DOUBT,
        StoreError::Conflict(Obstacle::RemovalPending) => Reason::SEGMENT_REMOVAL_PENDING,
        StoreError::Conflict(_) => Reason::STATE_CONFLICT,
        StoreError::NotFound(Record::Consent) => Reason::CONSENT_NOT_FOUND,
        StoreError::NotFound(Record::Referral) => Reason::REFERRAL_NOT_FOUND,
        StoreError::NotFound(Record::Batch) => Reason::BATCH_NOT_FOUND,
        StoreError::NotFound(Record::Presence) => Reason::PRESENCE_INVALID,
        StoreError::NotFound(Record::Code) => Reason::CODE_UNKNOWN,
        StoreError::NotFound(Record::PendingChange) => Reason::CHANGE_NOT_FOUND,
        StoreError::NotFound(Record::Binding) => Reason::BINDING_NOT_FOUND,
        StoreError::NotFound(Record::Guardianship) => Reason::GUARDIANSHIP_NOT_FOUND,
        StoreError::NotFound(Record::Emergency) => Reason::EMERGENCY_NOT_FOUND,
        StoreError::NotFound(Record::Warning) => Reason::WARNING_NOT_FOUND,
        StoreError::NotFound(Record::Segment) => Reason::SEGMENT_NOT_FOUND,
        StoreError::Removed { .. } => Reason::ENTRIES_REMOVED,
        StoreError::OutsideLog { .. } => Reason::ENTRY_NOT_FOUND,
        StoreError::IndexBehind { .. } => Reason::HISTORY_NOT_READY,
        StoreError::TooLong => Reason::HISTORY_TOO_LONG,
        StoreError::Unavailable(_) => Reason::UNAVAILABLE,
        StoreError::Unsettled(_) => Reason::OUTCOME_UNKNOWN,
        StoreError::NotFound(_)
        | StoreError::Entry(_)
        | StoreError::InUse
        | StoreError::Schema(_)
        | StoreError::Tampered(_)
        | StoreError::Damaged(_) => Reason::INTERNAL,
    }
}

/// Why the state of a card does not allow an act.
fn refusal_reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Already(_) => Reason::STATE_CONFLICT,
        Refusal::Is(CardStatus::Active) => Reason::CARD_IN_FORCE,
        Refusal::Is(status) => super::cards::out_of_force(status).unwrap_or(Reason::STATE_CONFLICT),
    }
}
