//! Renewal of certificates (证书更新): the next for the same key, before the one in force ends.

use std::sync::Arc;

use audit::{Entry, Outcome};
use ca::{Certificate, Draft};

use super::{
    Caller, Error, Registrar,
    certificates::{Prepared, profile},
    sessions::stored_role,
    transparency::with_digests,
    uncut,
};
use crate::{
    catalogue::{Needs, Reason},
    policy::Act,
    store::{
        Certificate as CertificateRecord, HOLD, Identity, Obstacle, Receipt, RenewalDraft,
        SignedDraft, StoreError,
    },
};

/// What a renewal made.
pub struct Renewed {
    /// The next signing certificate.
    pub signing: Certificate,
    /// The next encryption certificate, where there is a pair.
    pub encryption: Option<Certificate>,
    /// The authorities above both, without the root, DER.
    pub chain: Vec<Vec<u8>>,
    /// Its place in the log.
    pub receipt: Receipt,
}

impl Registrar {
    /// Renews a signing certificate in force, and the encryption certificate that makes a pair with it if
    /// that is in force as well. Those before stay good to their end. It runs to its end even when the
    /// call is cut off.
    ///
    /// # Errors
    /// CERTIFICATE_NOT_FOUND; FIELD_INVALID for an encryption certificate, or more days than there are;
    /// CERTIFICATE_REVOKED for one that is not in force, or whose encryption certificate is suspended; ALREADY_REGISTERED for one that was renewed
    /// before; ROLE_NOT_ALLOWED.
    pub async fn renew_certificate(
        self: Arc<Self>,
        caller: Caller,
        serial: String,
        days: Option<u32>,
    ) -> Result<Renewed, Error> {
        self.allow(&caller, Act::CertificateRenew).await?;
        uncut(async move {
            let refused = || {
                self.entry(&caller, Act::CertificateRenew, Outcome::Refused)
                    .on("certificate", serial.as_str())
            };
            let Some(record) = self.store.certificate(&serial).await? else {
                return self.refuse(refused(), Reason::CERTIFICATE_NOT_FOUND).await;
            };
            let (None, Some(holder)) = (&record.pair_of, record.identity) else {
                return Err(Error::Field { field: "serial", needs: Needs::SigningCertificate });
            };
            let holder = self.known_identity(holder).await?;
            match self.renew(&caller, &holder, &record, days).await {
                Err(Error::Store(error)) => self.settle(refused(), Err(error)).await,
                renewed => renewed,
            }
        })
        .await
    }

    /// Draft, record, sign, record, as for certificates that are the first of their key.
    async fn renew(
        &self,
        caller: &Caller,
        holder: &Identity,
        record: &CertificateRecord,
        days: Option<u32>,
    ) -> Result<Renewed, Error> {
        let profile = profile(stored_role(&holder.role)?);
        let before = match self.store.encryption_certificate_of(&record.serial).await? {
            Some(serial) => self.store.certificate(&serial).await?,
            None => None,
        };
        // Left out, it could not be renewed after its release.
        if before.as_ref().is_some_and(|before| before.revocation_reason == Some(HOLD)) {
            return Err(StoreError::Conflict(Obstacle::CertificateNotValid).into());
        }
        let before = before.filter(|before| before.revoked_at.is_none());
        let prepare = async |profile, before: &CertificateRecord| -> Result<_, Error> {
            let der = before.der.as_deref().ok_or(Reason::CERTIFICATE_REVOKED)?;
            let certificate = Certificate::parse(der)
                .map_err(|e| Error::internal("a certificate on record", e))?;
            let key = certificate.public_key().clone();
            let prepared = self.prepare(holder, profile, key, days, caller.now).await?;
            Ok((prepared, before.serial.clone()))
        };
        let (signing, renews) = prepare(profile, record).await?;
        let encryption = match (profile.encryption(), &before) {
            (Some(profile), Some(before)) => Some(prepare(profile, before).await?),
            _ => None,
        };
        let by = signing.by;
        let serial = signing.record.serial.clone();
        let other = encryption.as_ref().map(|(prepared, _)| prepared.record.serial.clone());
        let entry = |step: &str| -> Entry {
            let entry = self
                .entry(caller, Act::CertificateRenew, Outcome::Granted)
                .on("certificate", serial.as_str())
                .with("renews", record.serial.as_str())
                .with("identity", holder.id.to_string())
                .with("issuer", by.to_string())
                .with("step", step);
            other.iter().fold(entry, |entry, it| entry.with("encryption-certificate", it.as_str()))
        };
        let split = |(prepared, renews): (Prepared, String)| {
            (prepared.draft, RenewalDraft { renews, draft: prepared.record })
        };
        let (signing, signing_record) = split((signing, renews));
        let (encryption, encryption_record) = encryption.map(split).unzip();
        self.store.record_renewal_draft(signing_record, encryption_record, entry("draft")).await?;

        let authority_key = self.keys.authority(by)?;
        let sign = |draft: Draft| {
            draft.sign(&*authority_key).map_err(|e| Error::internal("signing a renewal", e))
        };
        let signing = sign(signing)?;
        let encryption = encryption.map(sign).transpose()?;
        let signed = [Some(&signing), encryption.as_ref()].into_iter().flatten();
        let signed = signed
            .map(|it| SignedDraft { serial: it.serial().to_string(), der: it.der().to_vec() })
            .collect();
        let der = [Some(&signing), encryption.as_ref()].into_iter().flatten().map(Certificate::der);
        let entry = with_digests(entry("signed"), der);
        let receipt = self.store.record_all_signed(signed, entry).await?;
        Ok(Renewed { signing, encryption, chain: self.chain(by)?, receipt })
    }
}
