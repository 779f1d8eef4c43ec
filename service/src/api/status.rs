//! Errors of the registrar as gRPC statuses: the one place where a code is chosen.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetail, ErrorInfo, LocalizedMessage, StatusExt};

use uuid::Uuid;

use crate::{
    catalogue::Reason,
    clock,
    policy::Denial,
    registrar::Error,
    store::{Obstacle, StoreError},
};

/// Domain of our reasons (`google.rpc.ErrorInfo`).
const DOMAIN: &str = "healthcard.v1";

/// The gRPC code that stands for a reason. There is no `_` arm: a new reason must choose.
fn code(reason: Reason) -> Code {
    use Reason as R;
    match reason {
        R::SESSION_MISSING
        | R::SESSION_INVALID
        | R::CERTIFICATE_UNTRUSTED
        | R::CERTIFICATE_UNKNOWN
        | R::CERTIFICATE_EXPIRED
        | R::CERTIFICATE_NOT_YET_VALID
        | R::CERTIFICATE_REVOKED
        | R::CERTIFICATE_SUSPENDED
        | R::CERTIFICATE_WRONG_USE
        | R::CHALLENGE_INVALID
        | R::SIGNATURE_INVALID => Code::Unauthenticated,
        R::LOGIN_LOCKED | R::RATE_LIMITED | R::EMERGENCIES_TOO_MANY | R::CONSENTS_TOO_MANY => {
            Code::ResourceExhausted
        }
        R::PEER_MISMATCH
        | R::ROLE_NOT_ALLOWED
        | R::OTHER_INSTITUTION
        | R::VISIT_CLOSED
        | R::PURPOSE_NOT_ALLOWED
        | R::FRAME_NOT_ALLOWED
        | R::NO_RELATION
        | R::REGISTERED_ELSEWHERE
        | R::CLASS_NOT_ALLOWED
        | R::GRADE_TOO_HIGH
        | R::FORBIDDEN_BY_RULE
        | R::GUARDIAN_NEEDED
        | R::NOT_THEIR_GUARDIAN
        | R::OBJECTION_OF_RESIDENT
        | R::CONSENT_OVER
        | R::REFERRAL_OVER
        | R::REVIEW_OVERDUE
        | R::CODE_OWN
        | R::WITNESS_UNKNOWN
        | R::CODE_STATIC_NOT_ALLOWED => Code::PermissionDenied,
        R::FIELD_INVALID
        | R::SUBJECT_TOKEN_INVALID
        | R::EXCHANGE_WIDENS
        | R::EXCHANGE_OTHER_TARGET
        | R::TOKEN_TYPE_UNSUPPORTED
        | R::GRANT_TYPE_UNSUPPORTED
        | R::CERTIFICATE_MALFORMED
        | R::RECORD_SIGNATURE_INVALID
        | R::CODE_FOREIGN
        | R::CHECKPOINT_UNKNOWN
        | R::COSIGNATURE_INVALID
        | R::CODE_MALFORMED => Code::InvalidArgument,
        R::INSTITUTION_NOT_FOUND
        | R::IDENTITY_NOT_FOUND
        | R::CERTIFICATE_NOT_FOUND
        | R::KEY_NOT_HELD
        | R::RESIDENT_NOT_FOUND
        | R::RESIDENT_ERASED
        | R::BINDING_NOT_FOUND
        | R::GUARDIANSHIP_NOT_FOUND
        | R::EMERGENCY_NOT_FOUND
        | R::WARNING_NOT_FOUND
        | R::CARD_NOT_FOUND
        | R::VISIT_NOT_FOUND
        | R::CONSENT_NOT_FOUND
        | R::SESSION_NOT_FOUND
        | R::REFERRAL_NOT_FOUND
        | R::TOKEN_NOT_FOUND
        | R::SIGNING_NOT_FOUND
        | R::ENTRY_NOT_FOUND
        | R::ELECTRONIC_CARD_NOT_FOUND
        | R::CODE_NOT_FOUND
        | R::CHANGE_NOT_FOUND
        | R::SEGMENT_NOT_FOUND
        | R::TASK_NOT_FOUND => Code::NotFound,
        R::LOG_ROLLED_BACK | R::LOG_FORKED => Code::DataLoss,
        R::EVENTS_MISSED | R::ENTRIES_REMOVED => Code::OutOfRange,
        R::BATCH_NOT_FOUND => Code::NotFound,
        R::BATCH_DIFFERS
        | R::BATCH_CLOSED
        | R::SAM_CANNOT_ISSUE
        | R::BATCH_BUSY
        | R::BLANK_OTHER_CAPACITY
        | R::BATCH_NOT_DONE
        | R::NO_ROW_WAITS
        | R::CHIP_USED
        | R::CHIP_OF_OTHER_ROW
        | R::CARD_NOT_BLANK
        | R::CARD_OTHER_TRANSPORT_KEY
        | R::CARD_SPOILED
        | R::ISSUER_NAME_UNFIT => Code::FailedPrecondition,
        R::ALREADY_REGISTERED | R::ACTIVE_CARD_EXISTS => Code::AlreadyExists,
        R::STATEMENT_DIFFERS | R::STATEMENT_LATE | R::STATEMENT_NOT_SIGNED => Code::InvalidArgument,
        R::SECOND_PERSON_REQUIRED => Code::PermissionDenied,
        R::SESSION_NOT_LEASED
        | R::QUALIFICATION_ENDED
        | R::EMERGENCY_OVER
        | R::DRAFT_DIFFERS
        | R::ENTRY_VOID
        | R::CARD_IN_FORCE
        | R::CARD_NOT_ACTIVATED
        | R::CARD_FROZEN
        | R::CARD_BLACKLISTED
        | R::HOLDER_MISMATCH
        | R::CARD_REPLACED
        | R::CARD_TO_BE_REPLACED
        | R::LOSS_RECENT
        | R::CHANGE_PENDING
        | R::IDENTITY_OF_ANOTHER
        | R::ENROLMENT_PENDING
        | R::ERASURE_PENDING
        | R::VISIT_OPEN
        | R::EMERGENCY_UNREVIEWED
        | R::NOT_IN_ERROR
        | R::RECORD_KEPT
        | R::SEGMENT_DIFFERS
        | R::SEGMENT_KEPT
        | R::SEGMENT_NOT_ANCHORED
        | R::SEGMENT_NOT_OLDEST
        | R::SEGMENT_REMOVAL_PENDING
        | R::LOG_IN_DOUBT
        | R::CLOCK_IN_DOUBT
        | R::CHANGE_OVER => Code::FailedPrecondition,
        R::LOOK_ALIKE
        | R::NUMBER_SHARED
        | R::GUARDIAN_NOT_OF_AGE
        | R::GUARDIAN_CIRCLE
        | R::STATE_CONFLICT
        | R::PRESENCE_INVALID
        | R::NOT_HEALTH_CARD
        | R::CARD_NOT_GENUINE
        | R::CARD_READ_REFUSED
        | R::CARD_EXPIRED
        | R::CARD_MALFORMED
        | R::CARD_INCONSISTENT
        | R::CARD_OTHER_RESIDENT
        | R::CARD_REMOVED
        | R::READER_GONE
        | R::CARD_TIMEOUT
        | R::CARD_GARBAGE
        | R::CARD_WRITE_REFUSED
        | R::CARD_WRITE_DIFFERS
        | R::CARD_HAS_NO_PLACE
        | R::RENEWAL_NOT_NOTED
        | R::SAM_MISSING
        | R::SAM_UNAVAILABLE
        | R::SAM_PIN_NEEDED
        | R::CARD_UNREGISTERED
        | R::CARD_LOST
        | R::CARD_NOT_ACTIVE
        | R::CARD_CANCELLED
        | R::RELAY_PROTOCOL
        | R::ELECTRONIC_CARD_CANCELLED
        | R::CODE_UNKNOWN
        | R::CODE_NOT_GENUINE
        | R::CODE_USED
        | R::CODE_REVOKED
        | R::CODE_EXPIRED
        | R::CODE_OTHER_DESK
        | R::CODE_NONCE_UNKNOWN
        | R::HISTORY_TOO_LONG => Code::FailedPrecondition,
        R::OUTCOME_UNKNOWN => Code::DeadlineExceeded,
        R::UNAVAILABLE | R::KEY_UNAVAILABLE | R::HISTORY_NOT_READY | R::REVOCATION_LIST_STALE => {
            Code::Unavailable
        }
        R::INTERNAL => Code::Internal,
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let reason = error.reason();
        let text = reason.text();
        let mut metadata = HashMap::from([
            ("advice_zh".to_owned(), text.advice_zh.to_owned()),
            ("advice_en".to_owned(), text.advice_en.to_owned()),
        ]);
        let (mut zh, mut en) = (text.zh.to_owned(), text.en.to_owned());
        match &error {
            Error::Field { field, needs } => {
                metadata.insert("field".to_owned(), (*field).to_owned());
                let (needs_zh, needs_en) = needs.words();
                zh = format!("{zh}：{field} 应为{needs_zh}");
                en = format!("{en}: {field} must be {needs_en}");
            }
            Error::Denied(denial) => {
                if let Denial::Grade { most, .. } = denial {
                    metadata.insert("most_grade".to_owned(), most.to_string());
                }
                let explained = denial.explain();
                for (key, value) in [
                    ("rule", denial.rule().to_owned().into()),
                    ("missing_zh", explained.missing_zh),
                    ("missing_en", explained.missing_en),
                    ("grantor_zh", explained.grantor_zh),
                    ("grantor_en", explained.grantor_en),
                ] {
                    metadata.insert(key.to_owned(), value.into_owned());
                }
            }
            Error::Locked { until } => {
                metadata.insert("until".to_owned(), clock::rfc3339(*until));
                let at_desk = clock::moment_at_desk(*until);
                zh = format!("{zh}，至 {at_desk}（北京时间）");
                en = format!("{en}, until {at_desk} (UTC+8)");
            }
            Error::Alike(alike) => metadata.extend(alike.told()),
            Error::Store(StoreError::Conflict(Obstacle::KeptUntil(day))) => {
                metadata.insert("until".to_owned(), day.to_string());
                zh = format!("{zh}，至 {day}");
                en = format!("{en}, until {day}");
            }
            Error::Store(StoreError::Removed { begins }) => {
                metadata.insert("begins".to_owned(), begins.to_string());
                zh = format!("{zh}，日志现从第 {begins} 条开始");
                en = format!("{en}: the log begins with entry {begins}");
            }
            Error::Store(_) | Error::Key(_) | Error::Internal { .. }
                if matches!(
                    code(reason),
                    Code::Unavailable | Code::DeadlineExceeded | Code::Internal
                ) =>
            {
                // The cause stays here; the caller gets the reason and a number to find it by.
                let (cause, number) = (crate::telemetry::chain(&error), Uuid::now_v7());
                tracing::error!(cause, reason = text.reason, %number, "request failed");
                metadata.insert("error_number".to_owned(), number.to_string());
                zh = format!("{zh}（错误编号 {number}）");
                en = format!("{en} (error {number})");
            }
            Error::Refused(_) | Error::Store(_) | Error::Key(_) | Error::Internal { .. } => {}
        }
        let details: [ErrorDetail; 3] = [
            ErrorInfo::new(text.reason, DOMAIN, metadata).into(),
            LocalizedMessage::new("zh-CN", zh).into(),
            LocalizedMessage::new("en", en.as_str()).into(),
        ];
        Self::with_error_details_vec(code(reason), en, details)
    }
}
