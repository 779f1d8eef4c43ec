//! Recovery of encryption keys that the key management centre holds, to their holder (密钥恢复) or by an order for
//! evidence (司法取证). One person enters, another reviews, and only then does a key leave, in an envelope.

use audit::{Entry, Outcome};
use ca::{Certificate, request};
use hsm::{
    sm2::{PublicKey, seal_envelope},
    sm3,
};

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::{Needs, Reason},
    policy::Act,
    store::{
        Certificate as CertificateRecord, NewRecovery, Receipt, Recovery, RecoveryId,
        RecoveryRecipient, RecoveryReview, RecoveryVerdict,
    },
};

/// How long a recovery waits for its review.
const REVIEW: time::Duration = time::Duration::days(3);

/// To whom a key is to go.
#[derive(Clone, Debug)]
pub enum RecoveryTo {
    /// Its holder: the key of this signing certificate of theirs opens the envelope.
    Holder {
        /// Serial number, hexadecimal.
        signing: String,
    },
    /// Whoever an order for evidence names.
    Order {
        /// PKCS#10, DER, signed with the key that opens the envelope.
        request: Vec<u8>,
        /// Number of the order.
        reference: String,
    },
}

/// What a review made of a recovery.
pub struct ReviewedRecovery {
    /// The recovery, as it now stands.
    pub recovery: Recovery,
    /// What goes to the recipient: for a holder, the answer to a request for a pair (CSRResponse, GM/T
    /// 0092-2020); by an order, the envelope alone (SM2EnvelopedKey, GM/T 0009-2012). DER; nothing when it
    /// was rejected.
    pub answer: Option<Vec<u8>>,
    /// Its place in the log.
    pub receipt: Receipt,
}

impl Registrar {
    /// Enters the recovery of the key of an encryption certificate. Nobody gets it until another person
    /// approves.
    ///
    /// # Errors
    /// CERTIFICATE_NOT_FOUND; KEY_NOT_HELD for a certificate whose key the centre does not have;
    /// FIELD_INVALID for a signing certificate that is not the holder's or not in force, or a request that
    /// does not prove possession; ROLE_NOT_ALLOWED.
    pub async fn enter_recovery(
        &self,
        caller: &Caller,
        certificate: String,
        to: RecoveryTo,
    ) -> Result<(Recovery, Receipt), Error> {
        self.allow(caller, Act::KeyRecoveryEnter).await?;
        let refused = || {
            self.entry(caller, Act::KeyRecoveryEnter, Outcome::Refused)
                .on("certificate", certificate.as_str())
        };
        let Some(record) = self.store.certificate(&certificate).await? else {
            return self.refuse(refused(), Reason::CERTIFICATE_NOT_FOUND).await;
        };
        let Some(key) = self.store.escrowed_key(record.key_digest).await? else {
            return self.refuse(refused(), Reason::KEY_NOT_HELD).await;
        };
        let (recipient, recipient_key) = match to {
            RecoveryTo::Holder { signing } => {
                match self.key_in_force(&record, &signing, caller).await {
                    Ok(key) => (RecoveryRecipient::Holder { signing }, key),
                    Err(error @ Error::Field { .. }) => return self.refuse(refused(), error).await,
                    Err(error) => return Err(error),
                }
            }
            RecoveryTo::Order { request, reference } => match self.requested_key(&request) {
                Ok(key) => (RecoveryRecipient::Order { reference }, key),
                Err(error) => return self.refuse(refused(), error).await,
            },
        };
        let recovery = NewRecovery {
            id: RecoveryId::generate(),
            key: key.pair.id,
            certificate,
            recipient,
            recipient_key: recipient_key.as_sec1().to_vec(),
            entered_by: caller.holder.identity,
            entered_with: caller.holder.certificate.clone(),
            entered_at: caller.now,
            expires_at: caller.now + REVIEW,
        };
        let entry = self.entry(caller, Act::KeyRecoveryEnter, Outcome::Granted);
        let entry = about(entry, &recovery);
        let receipt = self.store.record_recovery(recovery.clone(), entry).await?;
        Ok((self.known_recovery(recovery.id).await?, receipt))
    }

    /// Reviews a recovery that another person entered. An approval gives the key, once.
    ///
    /// # Errors
    /// CHANGE_NOT_FOUND; SECOND_PERSON_REQUIRED for the person who entered it; CHANGE_OVER when it was
    /// reviewed before or its time is over; CERTIFICATE_REVOKED when the holder's signing certificate is
    /// no longer in force; ROLE_NOT_ALLOWED.
    pub async fn review_recovery(
        &self,
        caller: &Caller,
        id: RecoveryId,
        verdict: RecoveryVerdict,
    ) -> Result<ReviewedRecovery, Error> {
        self.allow(caller, Act::KeyRecoveryReview).await?;
        let entry = |outcome| self.entry(caller, Act::KeyRecoveryReview, outcome);
        let Some(recovery) = self.store.recovery(id).await? else {
            let refused = entry(Outcome::Refused).with("recovery", id.to_string());
            return self.refuse(refused, Reason::CHANGE_NOT_FOUND).await;
        };
        let entered = recovery.entered;
        let mut granted = about(entry(Outcome::Granted), &entered)
            .with("entered-by", entered.entered_by.to_string());
        let answer = match verdict {
            RecoveryVerdict::Reject => None,
            // Made before it is recorded, so that its digest is in the log before it leaves.
            RecoveryVerdict::Approve => Some(self.enveloped(&entered).await?),
        };
        granted = match &answer {
            None => granted.with("verdict", "rejected"),
            Some(answer) => {
                let digest = hex::encode(sm3::digest(answer));
                granted.with("verdict", "approved").with("answer", digest)
            }
        };
        let review = RecoveryReview {
            recovery: id,
            by: caller.holder.identity,
            with: caller.holder.certificate.clone(),
            at: caller.now,
            verdict,
        };
        let recorded = self.store.record_recovery_reviewed(review, granted).await;
        let receipt = self.settle(about(entry(Outcome::Refused), &entered), recorded).await?;
        Ok(ReviewedRecovery { recovery: self.known_recovery(id).await?, answer, receipt })
    }

    /// Recoveries that wait for a review. The reading is in the log before the answer.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn recoveries(
        &self,
        caller: &Caller,
        after: Option<RecoveryId>,
        limit: u32,
    ) -> Result<Vec<Recovery>, Error> {
        self.allow(caller, Act::KeyRecoveryRead).await?;
        let found = self.store.pending_recoveries(caller.now, after, limit).await?;
        let entry = self
            .entry(caller, Act::KeyRecoveryRead, Outcome::Granted)
            .with("recoveries", found.len().to_string());
        self.record_act(entry).await?;
        Ok(found)
    }

    /// The key of a signing certificate in force, which has the holder of this encryption certificate.
    async fn key_in_force(
        &self,
        encryption: &CertificateRecord,
        signing: &str,
        caller: &Caller,
    ) -> Result<PublicKey, Error> {
        let found = self.store.certificate(signing).await?;
        let found = found.filter(|found| {
            found.identity == encryption.identity
                && found.pair_of.is_none()
                && found.revoked_at.is_none()
                && (found.not_before..=found.not_after).contains(&caller.now)
        });
        let wrong = Error::Field { field: "signing_serial", needs: Needs::SigningCertificate };
        let der = found.and_then(|found| found.der).ok_or(wrong)?;
        Ok(on_record(&der)?.public_key().clone())
    }

    /// The key of a recovery, for its recipient.
    async fn enveloped(&self, recovery: &NewRecovery) -> Result<Vec<u8>, Error> {
        let encryption = self.signed_certificate(&recovery.certificate).await?;
        let held = self.store.escrowed_key(super::key_centre::digest(encryption.public_key()));
        let held = held.await?.ok_or(Reason::KEY_NOT_HELD)?;
        let recipient = PublicKey::from_sec1(&recovery.recipient_key)
            .map_err(|e| Error::internal("the key of a recipient on record", e))?;
        let envelope = seal_envelope(&recipient, &self.key_centre.open(&held.pair)?);
        match &recovery.recipient {
            RecoveryRecipient::Order { .. } => Ok(envelope),
            RecoveryRecipient::Holder { signing } => {
                let signing = self.signed_certificate(signing).await?;
                request::answer(&signing, &envelope, &encryption)
                    .map_err(|e| Error::internal("writing the answer of a recovery", e))
            }
        }
    }

    async fn signed_certificate(&self, serial: &str) -> Result<Certificate, Error> {
        let record = self.store.certificate(serial).await?;
        let der = record.and_then(|record| record.der).ok_or(Reason::CERTIFICATE_NOT_FOUND)?;
        on_record(&der)
    }

    async fn known_recovery(&self, id: RecoveryId) -> Result<Recovery, Error> {
        self.store.recovery(id).await?.ok_or(Reason::CHANGE_NOT_FOUND.into())
    }
}

fn on_record(der: &[u8]) -> Result<Certificate, Error> {
    Certificate::parse(der).map_err(|e| Error::internal("a certificate on record", e))
}

/// The entry about a recovery: which key, and to whom. Of an order the log has the digest of its number.
fn about(entry: Entry, recovery: &NewRecovery) -> Entry {
    let entry = entry
        .on("encryption-key", recovery.key.to_string())
        .with("recovery", recovery.id.to_string())
        .with("encryption-certificate", recovery.certificate.as_str())
        .with("recipient-key", hex::encode(sm3::digest(&recovery.recipient_key)));
    match &recovery.recipient {
        RecoveryRecipient::Holder { signing } => {
            entry.with("signing-certificate", signing.as_str())
        }
        RecoveryRecipient::Order { reference } => {
            entry.with("order", hex::encode(sm3::digest(reference.as_bytes())))
        }
    }
}
