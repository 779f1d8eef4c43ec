//! What is on record, and the log of how it came to be (SQLite).
//!
//! The store speaks of facts: each `record_…` is one transaction that holds the change, its audit
//! entry, the tree's new hashes and a signed checkpoint, and it answers when all of this is on
//! disk. Facts that arrive together share one commit. Personal data comes here sealed and is found
//! by blind index; nothing here can read it.
//!
//! In reading order: the facts (`institutions` to `signings`), the log (`auditing`, `export`, `segments`, `removals`), and
//! below them `facts` (how a fact is handed over), `writer` (the one thread that commits), `tail`
//! (the growing edge of the tree), `succession` (a new key of the
//! log), `note_file` (what tells an older copy of the database), `erasures::list` (who was erased, whatever copy is opened), `resident_index` (which entries are about whom),
//! `readers`, `schema`.

use std::{path::Path, sync::Arc};

use audit::checkpoint::VerifierKey;

mod auditing;
mod authorities;
mod batches;
mod bindings;
mod card_changes;
mod card_list;
mod cards;
mod certificate_reports;
mod certificates;
mod codes;
mod consents;
mod cosignatures;
mod decisions;
mod desks;
mod electronic_cards;
mod emergencies;
mod ending_certificates;
mod enrolments;
mod erasures;
mod error;
mod export;
mod facts;
mod gathering;
mod guardians;
mod identities;
mod ids;
mod institutions;
mod key_acts;
mod key_centre;
mod key_recoveries;
mod look_alikes;
mod micros;
mod note_file;
mod opening;
mod pace;
mod presences;
mod qualifications;
mod readers;
mod referrals;
mod removals;
mod renewals;
mod resident_index;
mod residents;
mod revocation_lists;
mod root_successions;
mod rules;
mod schema;
mod scrubbing;
mod searching;
mod segments;
mod sessions;
mod signings;
mod staff;
mod succession;
mod tail;
#[cfg(test)]
mod tests;
mod time_stamps;
mod tokens;
mod two_persons;
mod visits;
mod wal;
mod warnings;
mod watched_log;
mod words;
mod writer;

pub use auditing::LogEntry;
pub use authorities::Authority;
pub use batches::{
    Abandoned, Batch, BatchChip, BatchRow, Begun, Checked, ChipState, MadeCard, NewBatch, NewRow,
    Reviewed, RowState, RowWords, Stop,
};
pub use bindings::{Binding, Ended as BindingEnded, NewBinding};
pub use card_changes::{CardChange, CardOrder, ChangeState, NewCardChange, Review, Verdict};
pub use card_list::{ChangedChip, ListChange, ListIssue};
pub use cards::{Activation, Card, CardCursor, CardFilter, Chip, NewApplication, NewCard};
pub use certificate_reports::ReportedChange;
pub use certificates::{Certificate, CertificateDraft, HOLD};
pub use codes::{Code, CodeKind, CodeUse};
pub use consents::{Consent, NewConsent, Sought};
pub use cosignatures::Cosignature;
pub use decisions::DecisionLog;
pub use desks::{Closing, NewOfflineReading, NewTask, OfflineReading, Task};
pub use electronic_cards::{ElectronicCard, ElectronicCardStatus};
pub use emergencies::{COUNTED_WITHIN, Emergency, EmergencyReview, NewEmergency};
pub use ending_certificates::CertificateCursor;
pub use enrolments::{
    Enrolment, EnrolmentDraft, EnrolmentReview, EnrolmentVerdict, NewEnrolment, SignedStatement,
};
pub use erasures::{
    Erasure, ErasureReview, ErasureRules, ErasureState, ListedErasure, NewErasure, Remains, Swept,
};
pub use error::{Cause, Obstacle, Record, StoreError, Trouble, Unique};
pub use facts::{Change, Receipt, bounded};
pub use guardians::{Guardianship, GuardianshipEnd, NewGuardianship};
pub use identities::{Identity, IdentityKey, Operators};
pub use ids::{
    BadId, BatchId, BindingId, CardId, ChangeId, CodeId, ConsentId, DecisionId, ElectronicCardId,
    EmergencyId, EnrolmentId, ErasureId, EscrowedKeyId, GuardianshipId, IdentityId, InstitutionId,
    PresenceId, RecoveryId, ReferralId, RemovalId, ResidentId, SigningId, TaskId, TokenId, VisitId,
    WarningId,
};
pub use institutions::Institution;
pub use key_acts::KeyAct;
pub use key_centre::{EscrowedKey, KeyCounts, KeyStore, NewEscrowedKey, PairDraft, SignedDraft};
pub use key_recoveries::{
    NewRecovery, Recovery, RecoveryRecipient, RecoveryReview, RecoveryState, RecoveryVerdict,
};
pub use look_alikes::{Decision, Likeness, LookAlike};
pub use pace::{Limits, Pace};
pub use presences::{Evidence, Presence};
pub use qualifications::QualificationCursor;
pub use referrals::{NewReferral, Referral};
pub use removals::{KeptOfSegment, Removal, RemovalReview, RemovalState};
pub use renewals::RenewalDraft;
pub use resident_index::{
    Found as HistoryFound, FoundBefore, HistoryDraft, MAX_HISTORY, ResidentIndexKey,
};
pub use residents::Resident;
pub use revocation_lists::{ListPart, RevocationLists, Revocations, RevokedSerial};
pub use root_successions::RootSuccession;
pub use rules::{NewRules, OutOfTurn, RulesInUse, RulesRecord, Taken};
pub use scrubbing::{ScrubFinding, ScrubPlace};
pub use searching::{Counted, Cursor, EXAMINED, SearchFilter, WithinEntry};
pub use segments::{ClosedSegment, SegmentDraft};
pub use sessions::{NewSession, Session};
pub use signings::{NewSigning, Signing};
pub use staff::{Ending, IdentityChange};
pub use tail::LogKeys;
pub use tokens::{Ended, NewToken, Token, TokensOf};
pub use visits::{NewVisit, Visit, VisitFilter};
pub use warnings::{NewWarning, Warning, WarningFilter, WarningReview};
pub use watched_log::{SeenLeaf, WarningLog};
pub use writer::Stats;

/// Most records a page of a list has.
pub const MAX_PAGE: u32 = 500;

/// The records of one service and their log. Cheap to clone; the last clone to go closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<opening::Inner>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("log_size", &self.log_size()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database file at `path`, or creates it. Checkpoints are signed with the key in use
    /// and bear the name `origin`; a log that an earlier key signed is signed by this one as well. The newest is kept in `PATH.checkpoint` as well; to restore a backup
    /// takes the file of that backup, too.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process has it open, [`StoreError::Tampered`] when the
    /// end of the log is not what was last signed, or the log does not go on from the checkpoint in
    /// `PATH.checkpoint`, [`StoreError::Schema`] for a database of a
    /// later version.
    pub fn open(path: &Path, log_keys: LogKeys, origin: &str) -> Result<Self, StoreError> {
        Ok(Self { inner: Arc::new(opening::Inner::open(path, log_keys, origin)?) })
    }

    /// The key that checkpoints are checked with.
    #[must_use]
    pub fn verifier_key(&self) -> &VerifierKey {
        self.inner.keys().key()
    }

    /// Whether the log can be written: false after a commit failed, until one with leaves is on disk or
    /// the writer, which tries that out by itself, finds that one would be.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.inner.published().is_writable()
    }

    /// Follows [`is_writable`](Self::is_writable): for whoever is to be told of each change.
    #[must_use]
    pub fn writability(&self) -> tokio::sync::watch::Receiver<bool> {
        self.inner.published().writability()
    }

    /// Why the log cannot be written, if it cannot.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.inner.published().trouble()
    }

    /// Says what is expected of the disk; the first word counts.
    pub fn limit(&self, limits: Limits) {
        self.inner.published().pace().limit(limits);
    }

    /// What is expected of the disk.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.inner.published().pace().limits()
    }

    /// How commits go.
    #[must_use]
    pub fn pace(&self) -> Pace {
        self.inner.published().pace().look()
    }

    /// Commits since the store was opened, and the leaves they carried.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}
