//! Signing medical records: the service fixes what is signed, the clinician's own key signs it.

use audit::Outcome;
use ca::chain::Purpose;
use ca::cms::{Binding, CmsError, SignedAttributes, SignedData};
use ca::{Certificate, ChainError};
use hsm::sm2::Signature;

use super::{Caller, Error, Registrar, visits::standing};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    policy::Act,
    store::{NewSigning, Receipt, SigningId, VisitId},
};

/// What is to be signed, fixed.
pub struct Prepared {
    /// Names the operation.
    pub id: SigningId,
    /// The signed attributes, a DER SET OF.
    pub attributes: Vec<u8>,
    /// Until when it can be completed.
    pub expires_at: UtcTime,
}

/// What a signature is worth.
pub enum Verdict {
    /// It holds.
    Valid {
        /// Who signed, and when.
        signer: Box<ca::cms::Signer>,
    },
    /// It does not, for this reason.
    Invalid(InvalidSignature),
}

/// Why a signature does not hold: a stable reason, and texts for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSignature {
    /// Stable reason.
    pub reason: &'static str,
    /// What is wrong (中文).
    pub zh: &'static str,
    /// What is wrong.
    pub en: &'static str,
}

impl Registrar {
    /// Fixes the octets that the caller's key is to sign for a record of a visit.
    ///
    /// # Errors
    /// VISIT_NOT_FOUND, VISIT_CLOSED, OTHER_INSTITUTION, NO_RELATION, ROLE_NOT_ALLOWED.
    pub async fn prepare_signature(
        &self,
        caller: &Caller,
        visit: VisitId,
        record_digest: [u8; 32],
        record_type: String,
    ) -> Result<Prepared, Error> {
        self.allow(caller, Act::RecordSign).await?;
        let visit = self.visit_asked_for(caller, Act::RecordSign, visit).await?;
        let refused = || self.entry_in(caller, Act::RecordSign, Outcome::Refused, &visit);
        if let Err(denial) = standing(caller, &visit).may_work() {
            return self.refuse(refused(), denial).await;
        }
        let certificate = self.own_certificate(caller).await?;
        self.authorities
            .verify(&certificate, Purpose::SignRecord, caller.now)
            .map_err(super::sessions::chain_reason)?;
        let attributes = SignedAttributes::prepare(&certificate, &record_digest, caller.now);
        let id = SigningId::generate();
        let expires_at = caller.now + self.lifetimes.signing;
        let signing = NewSigning {
            id,
            identity: caller.holder.identity,
            certificate: caller.holder.certificate.clone(),
            visit: visit.id,
            record_digest,
            record_type,
            attributes: attributes.der().to_vec(),
            prepared_at: caller.now,
            expires_at,
        };
        let entry = self
            .entry(caller, Act::RecordSign, Outcome::Granted)
            .about(visit.resident.to_string())
            .in_visit(visit.id.to_string())
            .on("signing", id.to_string())
            .with("step", "prepare");
        let answer = self.store.record_signing_prepared(signing, entry).await;
        self.settle(refused(), answer).await?;
        Ok(Prepared { id, attributes: attributes.der().to_vec(), expires_at })
    }

    /// Takes the signature and gives the finished CMS SignedData.
    ///
    /// # Errors
    /// SIGNING_NOT_FOUND when it is unknown, over, done, or somebody else's;
    /// RECORD_SIGNATURE_INVALID; ROLE_NOT_ALLOWED.
    pub async fn complete_signature(
        &self,
        caller: &Caller,
        id: SigningId,
        signature: &[u8],
    ) -> Result<(Vec<u8>, Receipt), Error> {
        self.allow(caller, Act::RecordSign).await?;
        let signing = self.store.signing(id).await?.filter(|signing| {
            signing.identity == caller.holder.identity
                && signing.certificate == caller.holder.certificate
                && signing.completed_at.is_none()
                && signing.expires_at > caller.now
        });
        let Some(signing) = signing else {
            let entry =
                self.entry(caller, Act::RecordSign, Outcome::Refused).on("signing", id.to_string());
            return self.refuse(entry, Reason::SIGNING_NOT_FOUND).await;
        };
        let visit = self.store.visit(signing.visit).await?.ok_or(Reason::VISIT_NOT_FOUND)?;
        let certificate = self.own_certificate(caller).await?;
        let path = self
            .authorities
            .verify(&certificate, Purpose::SignRecord, caller.now)
            .map_err(super::sessions::chain_reason)?;
        let attributes = SignedAttributes::parse(&signing.attributes)
            .map_err(|e| Error::internal("reading prepared attributes", e))?;
        let entry = |outcome| {
            self.entry(caller, Act::RecordSign, outcome)
                .about(visit.resident.to_string())
                .in_visit(visit.id.to_string())
                .on("signing", id.to_string())
                .with("record-digest", hex::encode(signing.record_digest))
                .with("record-type", signing.record_type.as_str())
        };
        let authorities = path.without_root().iter().map(AsRef::as_ref);
        let completed = Signature::from_raw(signature).ok().and_then(|signature| {
            SignedData::complete(&attributes, &certificate, authorities, &signature).ok()
        });
        let Some(signed_data) = completed else {
            let reason = Reason::RECORD_SIGNATURE_INVALID;
            return self.refuse(entry(Outcome::Refused), reason).await;
        };
        let signed = entry(Outcome::Granted)
            .with("step", "complete")
            .with("signed-data-digest", hex::encode(hsm::sm3::digest(&signed_data)));
        let answer =
            self.store.record_signing_completed(id, signed_data.clone(), caller.now, signed).await;
        let receipt = self.settle(entry(Outcome::Refused), answer).await?;
        Ok((signed_data, receipt))
    }

    /// Checks a signed record. It changes nothing and leaves no entry.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn verify_signature(
        &self,
        caller: &Caller,
        signed_data: &[u8],
        record_digest: &[u8; 32],
    ) -> Result<Verdict, Error> {
        self.allow(caller, Act::RecordVerify).await?;
        // What the log saw before a key was compromised stays good; a time that only the signer
        // claims does not.
        let witnessed = self.store.signed_at(*record_digest, signed_data.to_vec()).await?;
        let checked = SignedData::parse(signed_data).and_then(|signed| {
            self.authorities.with_anchors(|anchors| {
                signed.verify(record_digest, anchors, Binding::Required, witnessed, caller.now)
            })
        });
        Ok(match checked {
            // Whoever could not sign now can still claim to have signed before.
            Ok(signer)
                if witnessed.is_none()
                    && self
                        .authorities
                        .verify(&signer.certificate, Purpose::SignRecord, caller.now)
                        .is_err() =>
            {
                Verdict::Invalid(UNWITNESSED)
            }
            Ok(signer) => Verdict::Valid { signer: Box::new(signer) },
            Err(error) => Verdict::Invalid(invalid(&error)),
        })
    }

    async fn own_certificate(&self, caller: &Caller) -> Result<Certificate, Error> {
        let record = self
            .store
            .certificate(&caller.holder.certificate)
            .await?
            .ok_or(Reason::CERTIFICATE_UNKNOWN)?;
        if record.revoked_at.is_some() {
            return Err(Reason::CERTIFICATE_REVOKED.into());
        }
        let der = record.der.ok_or(Reason::CERTIFICATE_UNKNOWN)?;
        Certificate::parse(&der).map_err(|e| Error::internal("reading a certificate on record", e))
    }
}

/// A signature that nobody but the signer dates, with a certificate that is not good any more.
const UNWITNESSED: InvalidSignature = InvalidSignature {
    reason: "UNWITNESSED",
    zh: "证书已失效，且本系统没有当时的签名记录，无法确认签名时间",
    en: "the certificate is no longer good, and no record here says that it was when it signed",
};

fn invalid(error: &CmsError) -> InvalidSignature {
    let [reason, zh, en] = match error {
        CmsError::OtherRecord => [
            "OTHER_RECORD",
            "签名不属于这份病历，或病历已被改动",
            "this is a signature of another record, or the record was changed",
        ],
        CmsError::BadSignature => {
            ["BAD_SIGNATURE", "签名验证不通过", "the signature does not verify"]
        }
        CmsError::FutureTime => {
            ["FUTURE_TIME", "签名时间晚于当前时间", "the signature claims a time yet to come"]
        }
        CmsError::Chain(ChainError::Revoked { .. }) => [
            "CERTIFICATE_REVOKED",
            "签名时证书已被吊销",
            "the certificate was revoked when it signed",
        ],
        CmsError::Chain(ChainError::Expired { .. } | ChainError::NotYetValid { .. }) => [
            "CERTIFICATE_NOT_VALID_THEN",
            "签名时证书不在有效期内",
            "the certificate was not valid when it signed",
        ],
        CmsError::Chain(ChainError::WrongKeyUsage { .. } | ChainError::WrongPurpose { .. }) => [
            "CERTIFICATE_WRONG_USE",
            "证书不能用于签署病历",
            "the certificate is not for signing records",
        ],
        CmsError::Chain(_) => {
            ["CERTIFICATE_UNTRUSTED", "签名证书不受信任", "the signing certificate is not trusted"]
        }
        _ => {
            ["MALFORMED", "签名文件格式不符合要求", "this is not a signature of the accepted form"]
        }
    };
    InvalidSignature { reason, zh, en }
}
