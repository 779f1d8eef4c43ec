//! Certificates that take two persons: one enters what is to be issued, another reviews it (录入、复核; GM/T 0037), and
//! both sign a statement that is kept with the certificate. The settings may let clinicians' certificates be issued on
//! the entry alone; those of roles that enrol, review, administer or audit never are.

mod issuing;
mod statements;

use std::sync::Arc;

use audit::{
    Entry, Outcome,
    approval::{Statement, Step},
};
use ca::Profile;
use hsm::{sm2::PublicKey, sm3};

pub use self::issuing::IssuedCertificates;
use super::{Caller, Error, Registrar, certificates::profile, sessions::stored_role, uncut};
use crate::{
    catalogue::{Needs, Reason},
    policy::Act,
    store::{
        Enrolment, EnrolmentId, EnrolmentReview, EnrolmentVerdict, Identity, IdentityId,
        InstitutionId, NewEnrolment, Receipt, SignedStatement,
    },
    vocabulary::{CertificateSet, Role},
};

/// What is to be issued, as somebody enters it.
pub struct EnrolmentOrder {
    /// Its identifier, never used before.
    pub id: EnrolmentId,
    /// Whom the certificate is for.
    pub identity: IdentityId,
    /// One certificate, or a pair.
    pub certificates: CertificateSet,
    /// Days of validity; `None` for as many as the profile gives.
    pub days: Option<u32>,
    /// The holder's request, PKCS#10, DER.
    pub request: Vec<u8>,
    /// What the caller signed: a [`Statement`](audit::approval::Statement) as text.
    pub statement: String,
    /// r ‖ s.
    pub signature: Vec<u8>,
}

/// An enrolment that was entered.
pub struct EnteredEnrolment {
    /// As it now stands.
    pub enrolment: Enrolment,
    /// What was issued on it, when its role takes one person.
    pub issued: Option<IssuedCertificates>,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// What a reviewer says, with the statement that they signed.
pub struct ReviewOrder {
    /// The enrolment.
    pub id: EnrolmentId,
    /// Why it is rejected; `None` to approve it.
    pub rejection: Option<String>,
    /// What the caller signed.
    pub statement: String,
    /// r ‖ s.
    pub signature: Vec<u8>,
}

/// What a review made of an enrolment.
pub struct ReviewedEnrolment {
    /// As it now stands.
    pub enrolment: Enrolment,
    /// What was issued, unless it was rejected.
    pub issued: Option<IssuedCertificates>,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// An enrolment with the certificates of those who signed, and of what was issued, DER.
pub struct EnrolmentEvidence {
    /// The enrolment.
    pub enrolment: Enrolment,
    /// Of who entered it.
    pub enterer: Vec<u8>,
    /// Of who reviewed it.
    pub reviewer: Option<Vec<u8>>,
    /// What was issued on it, once it is signed.
    pub issued: Option<Vec<u8>>,
}

/// Which enrolments are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedEnrolments {
    /// Those that wait for a review.
    Waiting,
    /// Those that were rejected.
    Rejected,
    /// Those whose certificate was approved and is not signed yet.
    Unsigned,
}

/// An enrolment is asked for by what it is called, or by what was issued on it.
pub enum EnrolmentKey {
    /// Its identifier.
    Id(EnrolmentId),
    /// Serial number of the signing certificate.
    Serial(String),
}

impl Registrar {
    /// Enters that a certificate, or a pair, is to be issued for a key that its holder made. Nobody gets it
    /// until another person approves, unless the settings name its role. It runs to its end even when the
    /// call is cut off.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND; FIELD_INVALID for a request that does not prove possession of an SM2 key, or more
    /// days than there are; STATEMENT_DIFFERS, STATEMENT_LATE or STATEMENT_NOT_SIGNED; ALREADY_REGISTERED for
    /// a key that is certified, or an identifier that was used before; ENROLMENT_PENDING for a key that waits
    /// already; ROLE_NOT_ALLOWED.
    pub async fn enter_enrolment(
        self: Arc<Self>,
        caller: Caller,
        order: EnrolmentOrder,
    ) -> Result<EnteredEnrolment, Error> {
        self.allow(&caller, Act::CertificateEnter).await?;
        uncut(async move {
            let (id, identity) = (order.id, order.identity);
            let refused = || {
                self.entry(&caller, Act::CertificateEnter, Outcome::Refused)
                    .with("enrolment", id.to_string())
                    .with("identity", identity.to_string())
            };
            let (enrolment, holder, key) = match self.checked_order(&caller, order).await {
                Ok(checked) => checked,
                Err(error @ (Error::Refused(_) | Error::Field { .. })) => {
                    return self.refuse(refused(), error).await;
                }
                Err(error) => return Err(error),
            };
            let entry = self.entry(&caller, Act::CertificateEnter, Outcome::Granted);
            let entry = about(entry, &enrolment, &holder);
            let alone = self.enrolment_rules.one_person.contains(&stored_role(&holder.role)?);
            if !alone {
                let recorded = self.store.record_enrolment(enrolment, None, entry).await;
                let receipt = self.settle(refused(), recorded).await?;
                let enrolment = self.known_enrolment(id).await?;
                return Ok(EnteredEnrolment { enrolment, issued: None, receipt });
            }
            let fixed = self.fix(&holder, &enrolment, key, caller.now).await?;
            let entry = fixed.tell(entry);
            let (draft, spare) = fixed.split();
            let recorded = self.store.record_enrolment(enrolment, Some(draft), entry).await;
            self.settle_key(spare, &recorded, caller.now).await;
            let receipt = self.settle(refused(), recorded).await?;
            let enrolment = self.known_enrolment(id).await?;
            let issued = Some(self.finish(&caller, &enrolment).await?);
            Ok(EnteredEnrolment { enrolment, issued, receipt })
        })
        .await
    }

    /// Reviews what another person entered. An approval issues it. It runs to its end even when the call is
    /// cut off.
    ///
    /// # Errors
    /// CHANGE_NOT_FOUND; SECOND_PERSON_REQUIRED for the person who entered it; CHANGE_OVER when it was reviewed
    /// before or its time is over; ENTRY_VOID when the certificate with which it was entered was revoked since;
    /// STATEMENT_DIFFERS, STATEMENT_LATE or STATEMENT_NOT_SIGNED, of this statement or, to approve it, the one
    /// that is kept;
    /// ALREADY_REGISTERED for a key that was certified since; ROLE_NOT_ALLOWED.
    pub async fn review_enrolment(
        self: Arc<Self>,
        caller: Caller,
        order: ReviewOrder,
    ) -> Result<ReviewedEnrolment, Error> {
        self.allow(&caller, Act::CertificateReview).await?;
        uncut(async move {
            let id = order.id;
            let entry = |outcome| self.entry(&caller, Act::CertificateReview, outcome);
            let refused = || entry(Outcome::Refused).with("enrolment", id.to_string());
            let Some(found) = self.store.enrolment(id).await? else {
                return self.refuse(refused(), Reason::CHANGE_NOT_FOUND).await;
            };
            let holder = self.known_identity(found.entered.identity).await?;
            let entered = found.entered;
            // What is kept here was signed when it came. What was altered is rejected as it was stated.
            if order.rejection.is_none()
                && let Err(error) = self.check_entry(&entered, &holder).await
            {
                return self.refuse_kept(refused(), error).await;
            }
            let entry_digest = entered.entry.digest();
            let step = match &order.rejection {
                None => Step::Approval { entry: entry_digest },
                Some(why) => {
                    Step::Rejection { entry: entry_digest, why: sm3::digest(why.as_bytes()) }
                }
            };
            let expected = match Statement::read(&entered.entry.text) {
                Ok(stated) => Statement { step, ..stated },
                Err(_) => return self.refuse(refused(), Reason::STATEMENT_DIFFERS).await,
            };
            let signed = self.signed_now(&caller, order.statement, order.signature, expected);
            let statement = match signed.await {
                Ok(statement) => statement,
                Err(error @ Error::Refused(_)) => return self.refuse(refused(), error).await,
                Err(error) => return Err(error),
            };
            let granted = about(entry(Outcome::Granted), &entered, &holder)
                .with("entered-by", entered.entry.by.to_string())
                .with("review", hex::encode(statement.digest()));
            let review =
                |verdict| EnrolmentReview { enrolment: id, statement: statement.clone(), verdict };
            if let Some(why) = order.rejection {
                let review = review(EnrolmentVerdict::Reject { why });
                let granted = granted.with("verdict", "rejected");
                let recorded = self.store.record_enrolment_reviewed(review, granted).await;
                let receipt = self.settle(refused(), recorded).await?;
                let enrolment = self.known_enrolment(id).await?;
                return Ok(ReviewedEnrolment { enrolment, issued: None, receipt });
            }
            let key = self.requested_key(&entered.request)?;
            let fixed = self.fix(&holder, &entered, key, caller.now).await?;
            let granted = fixed.tell(granted.with("verdict", "approved"));
            let (draft, spare) = fixed.split();
            let review = review(EnrolmentVerdict::Approve(Box::new(draft)));
            let recorded = self.store.record_enrolment_reviewed(review, granted).await;
            self.settle_key(spare, &recorded, caller.now).await;
            let receipt = self.settle(refused(), recorded).await?;
            let enrolment = self.known_enrolment(id).await?;
            let issued = Some(self.finish(&caller, &enrolment).await?);
            Ok(ReviewedEnrolment { enrolment, issued, receipt })
        })
        .await
    }

    /// What was issued on an enrolment. What was approved and not signed, because something stopped in
    /// between, is signed now.
    ///
    /// # Errors
    /// CHANGE_NOT_FOUND; STATE_CONFLICT for what is not approved; CERTIFICATE_REVOKED for what was revoked
    /// before it was signed, and for a pair whose signing certificate is not in force; STATEMENT_DIFFERS,
    /// STATEMENT_NOT_SIGNED, SECOND_PERSON_REQUIRED or DRAFT_DIFFERS when what is on record to be signed is not
    /// what was approved; ROLE_NOT_ALLOWED.
    pub async fn collect(
        self: Arc<Self>,
        caller: Caller,
        id: EnrolmentId,
    ) -> Result<IssuedCertificates, Error> {
        self.allow(&caller, Act::CertificateCollect).await?;
        uncut(async move {
            let entry = |outcome| {
                self.entry(&caller, Act::CertificateCollect, outcome)
                    .with("enrolment", id.to_string())
            };
            let Some(enrolment) = self.store.enrolment(id).await? else {
                return self.refuse(entry(Outcome::Refused), Reason::CHANGE_NOT_FOUND).await;
            };
            let Some(serial) = enrolment.certificate.as_deref() else {
                return self.refuse(entry(Outcome::Refused), Reason::STATE_CONFLICT).await;
            };
            let issued = self.finish(&caller, &enrolment).await?;
            let Some(envelope) = &enrolment.envelope else {
                self.record_act(entry(Outcome::Granted)).await?;
                return Ok(issued);
            };
            // Who gave up the signing key is not given what it opens.
            let granted = with_envelope(entry(Outcome::Granted), envelope);
            let recorded = self.store.record_collected(serial, caller.now, granted).await;
            self.settle(entry(Outcome::Refused), recorded).await?;
            Ok(issued)
        })
        .await
    }

    /// Enrolments that stand so. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn enrolments(
        &self,
        caller: &Caller,
        which: ListedEnrolments,
        institution: Option<InstitutionId>,
        after: Option<EnrolmentId>,
        limit: u32,
    ) -> Result<Vec<Enrolment>, Error> {
        self.allow(caller, Act::CertificateList).await?;
        let now = caller.now;
        let found = match which {
            ListedEnrolments::Waiting => {
                self.store.pending_enrolments(now, institution, after, limit).await?
            }
            ListedEnrolments::Rejected => {
                self.store.rejected_enrolments(institution, after, limit).await?
            }
            ListedEnrolments::Unsigned => {
                self.store.unsigned_enrolments(now, institution, after, limit).await?
            }
        };
        let entry = self
            .entry(caller, Act::CertificateList, Outcome::Granted)
            .with("enrolments", found.len().to_string());
        let entry = match institution {
            Some(institution) => entry.on("institution", institution.to_string()),
            None => entry,
        };
        self.record_act(entry).await?;
        Ok(found)
    }

    /// An enrolment with what its statements are checked with. The reading is in the log before the answer.
    ///
    /// # Errors
    /// CHANGE_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn enrolment(
        &self,
        caller: &Caller,
        key: EnrolmentKey,
    ) -> Result<EnrolmentEvidence, Error> {
        self.allow(caller, Act::CertificateList).await?;
        let entry = |outcome| self.entry(caller, Act::CertificateList, outcome);
        let found = match &key {
            EnrolmentKey::Id(id) => self.store.enrolment(*id).await?,
            EnrolmentKey::Serial(serial) => self.store.enrolment_of(serial).await?,
        };
        let Some(enrolment) = found else {
            let refused = match key {
                EnrolmentKey::Id(id) => entry(Outcome::Refused).with("enrolment", id.to_string()),
                EnrolmentKey::Serial(serial) => entry(Outcome::Refused).on("certificate", serial),
            };
            return self.refuse(refused, Reason::CHANGE_NOT_FOUND).await;
        };
        let granted = entry(Outcome::Granted).with("enrolment", enrolment.entered.id.to_string());
        self.record_act(granted).await?;
        let der = async |serial: &str| -> Result<Option<Vec<u8>>, Error> {
            Ok(self.store.certificate(serial).await?.and_then(|record| record.der))
        };
        Ok(EnrolmentEvidence {
            enterer: der(&enrolment.entered.entry.with).await?.unwrap_or_default(),
            reviewer: match &enrolment.review {
                Some(review) => der(&review.with).await?,
                None => None,
            },
            issued: match &enrolment.certificate {
                Some(serial) => der(serial).await?,
                None => None,
            },
            enrolment,
        })
    }

    /// An order whose request and statement are in order, with its holder and the key.
    async fn checked_order(
        &self,
        caller: &Caller,
        order: EnrolmentOrder,
    ) -> Result<(NewEnrolment, Identity, PublicKey), Error> {
        let holder = self.known_identity(order.identity).await?;
        let key = self.requested_key(&order.request)?;
        let most = profile_of(&holder)?.days();
        if order.days.is_some_and(|days| days > most) {
            return Err(Error::Field { field: "valid_days", needs: Needs::ValidDays });
        }
        let mut enrolment = NewEnrolment {
            id: order.id,
            identity: order.identity,
            certificates: order.certificates,
            days: order.days,
            request: order.request,
            key_digest: sm3::digest(key.as_sec1()),
            entry: SignedStatement {
                text: String::new(),
                signature: Vec::new(),
                by: caller.holder.identity,
                with: caller.holder.certificate.clone(),
                at: caller.now,
            },
            expires_at: caller.now + self.enrolment_rules.review,
        };
        let expected = self.statement(&enrolment, &holder, Step::Entry).await?;
        let signed = self.signed_now(caller, order.statement, order.signature, expected).await?;
        enrolment.entry = signed;
        Ok((enrolment, holder, key))
    }

    /// Refuses what does not follow from what was signed, as it is kept: seen in the log. Whatever else failed is
    /// refused as it is.
    async fn refuse_kept<T>(&self, entry: Entry, error: Error) -> Result<T, Error> {
        match error {
            Error::Refused(Reason::STATEMENT_DIFFERS | Reason::STATEMENT_NOT_SIGNED) => {
                self.refuse(entry.with("alert", "entry-altered"), error).await
            }
            Error::Refused(Reason::DRAFT_DIFFERS | Reason::SECOND_PERSON_REQUIRED) => {
                self.refuse(entry.with("alert", "draft-altered"), error).await
            }
            error => Err(error),
        }
    }

    async fn known_enrolment(&self, id: EnrolmentId) -> Result<Enrolment, Error> {
        self.store.enrolment(id).await?.ok_or(Reason::CHANGE_NOT_FOUND.into())
    }
}

/// The entry about an enrolment: for whom and which key, and the digest of what was signed.
fn about(entry: Entry, enrolment: &NewEnrolment, holder: &Identity) -> Entry {
    let entry = entry
        .with("enrolment", enrolment.id.to_string())
        .with("identity", holder.id.to_string())
        .with("role", holder.role.as_str())
        .with("certificates", enrolment.certificates.as_str())
        .with("key", hex::encode(enrolment.key_digest))
        .with("entry", hex::encode(enrolment.entry.digest()));
    // Operators certify others: whoever certifies one is seen.
    match holder.role == Role::Operator.as_str() {
        true => entry.with("alert", "operator-certificate"),
        false => entry,
    }
}

/// The entry by which an encryption key is given to its holder has the digest of its envelope.
fn with_envelope(entry: Entry, envelope: &[u8]) -> Entry {
    entry.with("envelope", hex::encode(sm3::digest(envelope)))
}

fn profile_of(holder: &Identity) -> Result<Profile, Error> {
    Ok(profile(stored_role(&holder.role)?))
}
