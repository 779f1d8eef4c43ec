//! Issuing what was entered and approved: draft, record, sign, record. The drafts are recorded with the approval; what
//! was recorded is signed at once, or, when something stopped in between, as soon as somebody collects it. What is signed
//! follows from what two persons signed, not from what a database says.

use std::sync::Arc;

use audit::{Entry, Outcome};
use ca::{Certificate, Profile, Serial, request};
use hsm::{
    KeyError,
    sm2::{PublicKey, seal_envelope},
};

use super::{
    super::{Caller, Error, Registrar, certificates::Prepared, transparency::with_digests},
    profile_of,
    statements::TOLERANCE,
    with_envelope,
};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    generation::Generation,
    policy::Act,
    store::{
        Certificate as CertificateRecord, Enrolment, EnrolmentDraft, Identity, NewEnrolment,
        NewEscrowedKey, Obstacle, PairDraft, Receipt, SignedDraft, StoreError,
    },
    telemetry,
    vocabulary::CertificateSet,
};

/// Certificates that were issued on an enrolment.
pub struct IssuedCertificates {
    /// The signing certificate.
    pub signing: Certificate,
    /// Of a pair, the encryption certificate.
    pub encryption: Option<Certificate>,
    /// Of a pair, the answer for the holder: both certificates and the enveloped encryption key (CSRResponse,
    /// GM/T 0092-2020), DER.
    pub answer: Option<Vec<u8>>,
    /// The authorities above, without the root, DER.
    pub chain: Vec<Vec<u8>>,
}

/// Certificates of which every octet is fixed, to be recorded before they are signed.
pub(super) struct Fixed {
    draft: EnrolmentDraft,
    /// Of a pair, the key pair of the centre.
    spare: Option<NewEscrowedKey>,
    issuer: Generation,
}

impl Fixed {
    /// The entry says which certificates were drafted.
    pub(super) fn tell(&self, entry: Entry) -> Entry {
        let entry = entry.with("issuer", self.issuer.to_string()).with("step", "draft");
        match &self.draft {
            EnrolmentDraft::Signing(draft) => entry.on("certificate", draft.serial.as_str()),
            EnrolmentDraft::Pair { drafts, .. } => entry
                .on("certificate", drafts.signing.serial.as_str())
                .with("encryption-certificate", drafts.encryption.serial.as_str())
                .with("encryption-key", drafts.key.to_string()),
        }
    }

    pub(super) fn split(self) -> (EnrolmentDraft, Option<NewEscrowedKey>) {
        (self.draft, self.spare)
    }
}

impl Registrar {
    /// Fixes what is issued on an enrolment. Of a pair, a key pair of the centre is taken: it goes on record
    /// with the draft, or back ([`settle_key`](Self::settle_key)).
    pub(super) async fn fix(
        &self,
        holder: &Identity,
        enrolment: &NewEnrolment,
        key: PublicKey,
        now: UtcTime,
    ) -> Result<Fixed, Error> {
        let profile = profile_of(holder)?;
        let days = enrolment.days;
        if enrolment.certificates == CertificateSet::Signing {
            let Prepared { by: issuer, record, .. } =
                self.prepare(holder, profile, key, days, now).await?;
            return Ok(Fixed { draft: EnrolmentDraft::Signing(record), spare: None, issuer });
        }
        let made = || self.centre_entry(Act::KeyCentreMake, now);
        let spare = self.key_centre.take(&self.store, made, now).await?;
        match self.fix_pair(holder, key, &spare, days, now).await {
            Ok((draft, issuer)) => Ok(Fixed { draft, spare: Some(spare), issuer }),
            Err(error) => {
                self.key_centre.give_back(spare).await;
                Err(error)
            }
        }
    }

    async fn fix_pair(
        &self,
        holder: &Identity,
        key: PublicKey,
        spare: &NewEscrowedKey,
        days: Option<u32>,
        now: UtcTime,
    ) -> Result<(EnrolmentDraft, Generation), Error> {
        let profile = profile_of(holder)?;
        let encryption_profile = profile
            .encryption()
            .ok_or(Error::Internal { what: "a role without a certificate pair", source: None })?;
        // Before anything is recorded: a key pair that does not open is not certified.
        let secret = self.key_centre.open(spare)?;
        let envelope = seal_envelope(&key, &secret);
        let encryption_key = secret.public().clone();
        drop(secret);
        let Prepared { by, record: signing, .. } =
            self.prepare(holder, profile, key, days, now).await?;
        let Prepared { record: encryption, .. } =
            self.prepare(holder, encryption_profile, encryption_key, days, now).await?;
        let drafts = PairDraft { holder: holder.id, signing, encryption, key: spare.id };
        let drafts = Box::new(drafts);
        Ok((EnrolmentDraft::Pair { drafts, envelope }, by))
    }

    /// What becomes of the key pair that was taken: it is in use on record, or spare as before. More are made
    /// ahead; nobody waits for that.
    pub(super) async fn settle_key(
        self: &Arc<Self>,
        spare: Option<NewEscrowedKey>,
        recorded: &Result<Receipt, StoreError>,
        now: UtcTime,
    ) {
        let Some(spare) = spare else { return };
        match recorded {
            Ok(_) => {}
            Err(StoreError::Conflict(Obstacle::KeyNotSpare)) => return,
            Err(_) => return self.key_centre.give_back(spare).await,
        }
        let registrar = Arc::clone(self);
        tokio::spawn(async move {
            let made = || registrar.centre_entry(Act::KeyCentreMake, now);
            if let Err(error) = registrar.key_centre.refill(&registrar.store, made, now).await {
                tracing::error!(cause = telemetry::chain(&error), "making key pairs ahead");
            }
        });
    }

    /// What was issued on an enrolment, signed now when it was not before. After a crash between record and
    /// signature the same octets are signed: nobody has had the certificate.
    pub(super) async fn finish(
        &self,
        caller: &Caller,
        enrolment: &Enrolment,
    ) -> Result<IssuedCertificates, Error> {
        let serial = enrolment.certificate.as_deref().ok_or(Reason::STATE_CONFLICT)?;
        let mut records = self.issued_records(serial).await?;
        if records.iter().any(|record| record.der.is_none()) {
            let entry = |outcome| {
                let entry = self
                    .entry(caller, Act::CertificateIssue, outcome)
                    .on("certificate", serial)
                    .with("enrolment", enrolment.entered.id.to_string())
                    .with("identity", enrolment.entered.identity.to_string())
                    .with("step", "signed");
                match &records[1..] {
                    [pair] => entry.with("encryption-certificate", pair.serial.as_str()),
                    _ => entry,
                }
            };
            let signed = match self.sign_approved(enrolment, &records).await {
                Ok(signed) => signed,
                Err(error) => return self.refuse_kept(entry(Outcome::Refused), error).await,
            };
            let granted =
                with_digests(entry(Outcome::Granted), signed.iter().map(|it| it.der.as_slice()));
            let envelope = enrolment.envelope.as_deref();
            let granted = envelope.into_iter().fold(granted, with_envelope);
            match self.store.record_all_signed(signed, granted).await {
                // Somebody else collected it at the same time.
                Ok(_) | Err(StoreError::Conflict(Obstacle::CertificateSigned)) => {}
                Err(error) => {
                    return self.settle(entry(Outcome::Refused), Err(error)).await;
                }
            }
            records = self.issued_records(serial).await?;
        }
        let read = |record: &CertificateRecord| {
            let der = record.der.as_deref().ok_or(Reason::CERTIFICATE_NOT_FOUND)?;
            Certificate::parse(der).map_err(|e| Error::internal("a certificate on record", e))
        };
        let signing = read(&records[0])?;
        let encryption = records.get(1).map(read).transpose()?;
        let answer = match (&encryption, &enrolment.envelope) {
            (Some(encryption), Some(envelope)) => Some(
                request::answer(&signing, envelope, encryption)
                    .map_err(|e| Error::internal("writing the answer to a request", e))?,
            ),
            _ => None,
        };
        let by = records[0].issuer.parse();
        let by = by.map_err(|e| Error::internal("an unknown issuer on record", e))?;
        Ok(IssuedCertificates { signing, encryption, answer, chain: self.chain(by)? })
    }

    /// The signing certificate, and the encryption certificate of its pair.
    async fn issued_records(&self, serial: &str) -> Result<Vec<CertificateRecord>, Error> {
        let signing = self.store.certificate(serial).await?;
        let mut records = vec![signing.ok_or(Reason::CERTIFICATE_NOT_FOUND)?];
        if let Some(other) = self.store.encryption_certificate_of(serial).await? {
            records.extend(self.store.certificate(&other).await?);
        }
        Ok(records)
    }

    /// Signs what was recorded for an enrolment: drafted anew from what two persons signed, and the same octets.
    async fn sign_approved(
        &self,
        enrolment: &Enrolment,
        records: &[CertificateRecord],
    ) -> Result<Vec<SignedDraft>, Error> {
        let entered = &enrolment.entered;
        let holder = self.known_identity(entered.identity).await?;
        let approved_at = self.check_approved(enrolment, &holder).await?;
        let profile = profile_of(&holder)?;
        let mut orders = vec![(profile, self.requested_key(&entered.request)?)];
        if entered.certificates == CertificateSet::Pair {
            let encryption = profile.encryption().ok_or(Reason::DRAFT_DIFFERS)?;
            let record = records.get(1).ok_or(Reason::DRAFT_DIFFERS)?;
            orders.push((encryption, self.held_key(&holder, record).await?));
        }
        if orders.len() != records.len() {
            return Err(Reason::DRAFT_DIFFERS.into());
        }
        let mut signed = Vec::with_capacity(orders.len());
        for ((profile, key), record) in orders.into_iter().zip(records) {
            if (record.drafted_at - approved_at).abs() > TOLERANCE {
                return Err(Reason::DRAFT_DIFFERS.into());
            }
            signed.push(self.sign_record(&holder, profile, key, entered.days, record).await?);
        }
        Ok(signed)
    }

    async fn sign_record(
        &self,
        holder: &Identity,
        profile: Profile,
        key: PublicKey,
        days: Option<u32>,
        record: &CertificateRecord,
    ) -> Result<SignedDraft, Error> {
        let serial: Serial = record.serial.parse().map_err(|_| Reason::DRAFT_DIFFERS)?;
        let given = (serial, record.drafted_at);
        let Prepared { by, draft, .. } = self.prepare_as(holder, profile, key, days, given).await?;
        if draft.body() != record.body {
            return Err(Reason::DRAFT_DIFFERS.into());
        }
        let key = self.keys.authority(by)?;
        let signed = draft.sign(&*key);
        let certificate = signed.map_err(|e| Error::internal("signing a certificate", e))?;
        Ok(SignedDraft { serial: record.serial.clone(), der: certificate.der().to_vec() })
    }

    /// The public key that the centre holds for this holder, for the encryption certificate of a pair.
    async fn held_key(
        &self,
        holder: &Identity,
        record: &CertificateRecord,
    ) -> Result<PublicKey, Error> {
        let held = self.store.escrowed_key(record.key_digest).await?;
        let held = held.filter(|held| held.holder == Some(holder.id));
        let held = held.ok_or(Reason::DRAFT_DIFFERS)?;
        match self.key_centre.open(&held.pair) {
            Ok(secret) => Ok(secret.public().clone()),
            Err(KeyError::NotAuthentic) => Err(Reason::DRAFT_DIFFERS.into()),
            Err(error) => Err(error.into()),
        }
    }
}
