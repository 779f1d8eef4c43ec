//! Certificates that are to be issued: one person enters, another reviews, and each signs a statement that is kept
//! with the certificate. What was entered issues nothing until it is approved, and nothing after its time.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, types::FromSqlError};

use super::{
    CertificateDraft, EnrolmentId, IdentityId, InstitutionId, MAX_PAGE, Obstacle, PairDraft,
    Receipt, Record, Store, StoreError, Unique,
    certificates::{Relations, insert_draft},
    key_centre::insert_pair_draft,
    micros::Micros,
    two_persons::{check_entry_stands, check_in_force, check_two_persons},
};
use crate::{
    clock::UtcTime,
    vocabulary::{CertificateSet, EnrolmentState},
};

/// A statement that somebody signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    /// Its text.
    pub text: String,
    /// r ‖ s.
    pub signature: Vec<u8>,
    /// Who signed it.
    pub by: IdentityId,
    /// Serial number of the certificate of the key.
    pub with: String,
    /// When it was recorded.
    pub at: UtcTime,
}

impl SignedStatement {
    /// What the next statement, and the log, name it by.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        audit::approval::digest(&self.text, &self.signature)
    }
}

/// An enrolment to be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnrolment {
    /// Its identifier, which the statement names.
    pub id: EnrolmentId,
    /// Whom the certificate is for.
    pub identity: IdentityId,
    /// One certificate, or a pair.
    pub certificates: CertificateSet,
    /// Days of validity; `None` for as many as the profile gives.
    pub days: Option<u32>,
    /// The holder's request, PKCS#10.
    pub request: Vec<u8>,
    /// SM3 of the public key it asks for.
    pub key_digest: [u8; 32],
    /// The statement of who enters it.
    pub entry: SignedStatement,
    /// Until when it can be approved.
    pub expires_at: UtcTime,
}

/// An enrolment on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// What was entered.
    pub entered: NewEnrolment,
    /// How it stands; see [`state_at`](Self::state_at).
    pub state: EnrolmentState,
    /// The statement of who reviewed it.
    pub review: Option<SignedStatement>,
    /// Why it was rejected.
    pub rejection: Option<String>,
    /// Serial number of the signing certificate.
    pub certificate: Option<String>,
    /// Of a pair, the encryption key in its envelope.
    pub envelope: Option<Vec<u8>>,
}

impl Enrolment {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let unknown = || rusqlite::Error::from(FromSqlError::InvalidType);
        let review: Option<IdentityId> = row.get("reviewed_by")?;
        let review = review.map(|by| {
            Ok::<_, rusqlite::Error>(SignedStatement {
                text: row.get("review")?,
                signature: row.get("review_signature")?,
                by,
                with: row.get("reviewed_with")?,
                at: row.get::<_, Micros>("reviewed_at")?.0,
            })
        });
        let state: String = row.get("state")?;
        Ok(Self {
            entered: NewEnrolment {
                id: row.get("id")?,
                identity: row.get("identity")?,
                certificates: row.get("certificates")?,
                days: row.get("days")?,
                request: row.get("request")?,
                key_digest: row.get("key_digest")?,
                entry: SignedStatement {
                    text: row.get("entry")?,
                    signature: row.get("entry_signature")?,
                    by: row.get("entered_by")?,
                    with: row.get("entered_with")?,
                    at: row.get::<_, Micros>("entered_at")?.0,
                },
                expires_at: row.get::<_, Micros>("expires_at")?.0,
            },
            state: EnrolmentState::from_word(&state).ok_or_else(unknown)?,
            review: review.transpose()?,
            rejection: row.get("rejection")?,
            certificate: row.get("certificate")?,
            envelope: row.get("envelope")?,
        })
    }

    /// How it stands at this time: one whose time is over is no longer pending.
    #[must_use]
    pub fn state_at(&self, now: UtcTime) -> EnrolmentState {
        match self.state {
            EnrolmentState::Pending if self.entered.expires_at <= now => EnrolmentState::Expired,
            state => state,
        }
    }
}

/// What is about to be signed for an enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolmentDraft {
    /// One certificate.
    Signing(CertificateDraft),
    /// A pair.
    Pair {
        /// Both certificates, and the key of the centre.
        drafts: Box<PairDraft>,
        /// The encryption key, for the holder.
        envelope: Vec<u8>,
    },
}

/// A review of an enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentReview {
    /// The enrolment.
    pub enrolment: EnrolmentId,
    /// The statement of who reviews it.
    pub statement: SignedStatement,
    /// What they say.
    pub verdict: EnrolmentVerdict,
}

/// What a reviewer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolmentVerdict {
    /// Issue what was entered.
    Approve(Box<EnrolmentDraft>),
    /// Do not; back to who entered it.
    Reject {
        /// Why.
        why: String,
    },
}

impl Store {
    /// Enters an enrolment. A key has one that waits; one whose time is over gives way. With a draft it
    /// is issued on the entry alone.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] for an identifier that was used before, a key that is certified, or one
    /// that waits already; [`StoreError::Conflict`] when the certificate it was signed with is not in force.
    pub async fn record_enrolment(
        &self,
        enrolment: NewEnrolment,
        alone: Option<EnrolmentDraft>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let e = enrolment;
            check_in_force(db, &e.entry.with, e.entry.at)?;
            let certified: bool = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM certificate WHERE key_digest = ?1)")?
                .query_row([e.key_digest], |row| row.get(0))?;
            if certified {
                return Err(StoreError::Duplicate(Unique::PublicKey));
            }
            db.prepare_cached(
                "UPDATE enrolment SET state = 'expired'
                 WHERE key_digest = ?1 AND state = 'pending' AND expires_at <= ?2",
            )?
            .execute((e.key_digest, Micros(e.entry.at)))?;
            db.prepare_cached(
                "INSERT INTO enrolment (id, identity, certificates, days, request, key_digest, entry,
                    entry_signature, entered_by, entered_with, entered_at, expires_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 'pending')",
            )?
            .execute((
                e.id,
                e.identity,
                e.certificates,
                e.days,
                e.request,
                e.key_digest,
                e.entry.text,
                e.entry.signature,
                e.entry.by,
                e.entry.with,
                Micros(e.entry.at),
                Micros(e.expires_at),
            ))?;
            let Some(draft) = alone else { return Ok(()) };
            let (certificate, envelope) = insert_drafts(db, draft)?;
            db.prepare_cached(
                "UPDATE enrolment SET state = 'alone', certificate = ?2, envelope = ?3 WHERE id = ?1",
            )?
            .execute((e.id, certificate, envelope))?;
            Ok(())
        })
        .await
    }

    /// Records a review, and what is about to be signed when it is approved: all of it, or nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the reviewer is the person who entered it, it was
    /// reviewed before, its time is over, or one of the two certificates is no longer in force;
    /// [`StoreError::Duplicate`] for a key that was certified since.
    pub async fn record_enrolment_reviewed(
        &self,
        review: EnrolmentReview,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let EnrolmentReview { enrolment: id, statement, verdict } = review;
            let found = find(db, id)?.ok_or(StoreError::NotFound(Record::PendingChange))?;
            let at = statement.at;
            if found.state_at(at) != EnrolmentState::Pending {
                return Err(StoreError::Conflict(Obstacle::ChangeOver));
            }
            let entered = found.entered.entry;
            check_two_persons(db, entered.by, statement.by)?;
            check_in_force(db, &statement.with, at)?;
            let (state, rejection, certificate, envelope) = match verdict {
                EnrolmentVerdict::Reject { why } => ("rejected", Some(why), None, None),
                EnrolmentVerdict::Approve(draft) => {
                    check_entry_stands(db, &entered.with, at)?;
                    let (certificate, envelope) = insert_drafts(db, *draft)?;
                    ("approved", None, Some(certificate), envelope)
                }
            };
            db.prepare_cached(
                "UPDATE enrolment SET state = ?2, review = ?3, review_signature = ?4, reviewed_by = ?5,
                 reviewed_with = ?6, reviewed_at = ?7, rejection = ?8, certificate = ?9, envelope = ?10
                 WHERE id = ?1",
            )?
            .execute((
                id,
                state,
                statement.text,
                statement.signature,
                statement.by,
                statement.with,
                Micros(at),
                rejection,
                certificate,
                envelope,
            ))?;
            Ok(())
        })
        .await
    }

    /// Records that a pair is given to its holder once more, with the key that its signing key opens.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the signing certificate is not in force.
    pub async fn record_collected(
        &self,
        signing: &str,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let signing = signing.to_owned();
        self.record(entry, move |db, _| check_in_force(db, &signing, at)).await
    }

    /// The enrolment as last recorded.
    pub async fn enrolment(&self, id: EnrolmentId) -> Result<Option<Enrolment>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// The enrolment on which a signing certificate was issued.
    pub async fn enrolment_of(&self, serial: &str) -> Result<Option<Enrolment>, StoreError> {
        let serial = serial.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM enrolment WHERE certificate = ?1")?;
            Ok(select.query_row([serial], Enrolment::read).optional()?)
        })
        .await
    }

    /// Enrolments that wait for a review, for those of one institution or of all, at most `limit` (and
    /// [`MAX_PAGE`]).
    pub async fn pending_enrolments(
        &self,
        now: UtcTime,
        institution: Option<InstitutionId>,
        after: Option<EnrolmentId>,
        limit: u32,
    ) -> Result<Vec<Enrolment>, StoreError> {
        self.page_of_enrolments(
            "SELECT * FROM enrolment INDEXED BY enrolment_waiting
             WHERE state = 'pending' AND id > coalesce(?1, '') AND expires_at > ?2
               AND (?3 IS NULL OR identity IN (SELECT id FROM identity WHERE institution = ?3))
             ORDER BY id LIMIT ?4",
            (after, Micros(now), institution, limit.min(MAX_PAGE)),
        )
        .await
    }

    /// Enrolments that were rejected, likewise.
    pub async fn rejected_enrolments(
        &self,
        institution: Option<InstitutionId>,
        after: Option<EnrolmentId>,
        limit: u32,
    ) -> Result<Vec<Enrolment>, StoreError> {
        self.page_of_enrolments(
            "SELECT * FROM enrolment INDEXED BY enrolment_rejected
             WHERE state = 'rejected' AND id > coalesce(?1, '')
               AND (?2 IS NULL OR identity IN (SELECT id FROM identity WHERE institution = ?2))
             ORDER BY id LIMIT ?3",
            (after, institution, limit.min(MAX_PAGE)),
        )
        .await
    }

    /// Enrolments whose certificate was approved and is not signed, neither revoked nor over by `now`, likewise.
    pub async fn unsigned_enrolments(
        &self,
        now: UtcTime,
        institution: Option<InstitutionId>,
        after: Option<EnrolmentId>,
        limit: u32,
    ) -> Result<Vec<Enrolment>, StoreError> {
        self.page_of_enrolments(
            "SELECT enrolment.* FROM certificate INDEXED BY certificate_draft
             JOIN enrolment ON enrolment.certificate = serial
             WHERE der IS NULL AND revoked_at IS NULL AND not_after >= ?2 AND id > coalesce(?1, '')
               AND (?3 IS NULL OR certificate.identity IN (SELECT id FROM identity WHERE institution = ?3))
             ORDER BY id LIMIT ?4",
            (after, Micros(now), institution, limit.min(MAX_PAGE)),
        )
        .await
    }

    async fn page_of_enrolments(
        &self,
        select: &'static str,
        values: impl rusqlite::Params + Send + 'static,
    ) -> Result<Vec<Enrolment>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(select)?;
            let rows = select.query_map(values, Enrolment::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn find(db: &Connection, id: EnrolmentId) -> Result<Option<Enrolment>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM enrolment WHERE id = ?1")?;
    Ok(select.query_row([id], Enrolment::read).optional()?)
}

/// Within a fact: records what is about to be signed. Serial number of the signing certificate, and the envelope
/// of a pair.
fn insert_drafts(
    db: &Connection,
    draft: EnrolmentDraft,
) -> Result<(String, Option<Vec<u8>>), StoreError> {
    match draft {
        EnrolmentDraft::Signing(draft) => {
            let serial = draft.serial.clone();
            insert_draft(db, draft, Relations::default())?;
            Ok((serial, None))
        }
        EnrolmentDraft::Pair { drafts, envelope } => {
            let serial = drafts.signing.serial.clone();
            insert_pair_draft(db, *drafts)?;
            Ok((serial, Some(envelope)))
        }
    }
}
