//! Certificates of staff, desks and systems: what they are made of, and how they are revoked.

use std::sync::Arc;

use audit::{Entry, Outcome};
use ca::request::CertificateRequest;
use ca::{Certificate, Draft, Order, Profile, Serial};
use hsm::sm2::{BadSignature, PublicKey, Signature};

use super::{
    Caller, Error, Registrar,
    revocation_lists::fault,
    sessions::{fill_random, stored_role},
    transparency::with_digests,
    uncut,
};
use crate::{
    catalogue::{Needs, Reason},
    clock::UtcTime,
    generation::Generation,
    policy::Act,
    store::{
        Certificate as CertificateRecord, CertificateCursor, CertificateDraft, Change, Identity,
        InstitutionId, Receipt,
    },
    telemetry,
    vocabulary::Role,
};

/// A certificate that was issued.
pub struct Enrolled {
    /// The certificate.
    pub certificate: Certificate,
    /// The authorities above it, without the root, DER.
    pub chain: Vec<Vec<u8>>,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// A certificate of which every octet is fixed, and its record.
pub(super) struct Prepared {
    pub(super) by: Generation,
    pub(super) draft: Draft,
    pub(super) record: CertificateDraft,
}

impl Registrar {
    /// Issues the certificate of an operator without anybody's entry or review: when the service is founded, and
    /// with what opens its keystore. Draft, record, sign, record: after a crash there is a record of everything
    /// that may have been signed.
    pub(super) async fn issue(
        &self,
        holder: &Identity,
        public_key: PublicKey,
        now: UtcTime,
        entry: impl Fn() -> Entry,
    ) -> Result<Enrolled, Error> {
        let profile = profile(stored_role(&holder.role)?);
        let prepared = self.prepare(holder, profile, public_key, None, now).await?;
        let Prepared { by, draft, record } = prepared;
        let serial = record.serial.clone();
        let entry = |step| {
            entry()
                .on("certificate", serial.as_str())
                .with("identity", holder.id.to_string())
                .with("issuer", by.to_string())
                .with("step", step)
        };
        // A key is certified once: not again after it was compromised, and not for somebody else.
        self.store.record_certificate_draft(record, entry("draft")).await?;
        let certificate = draft
            .sign(&*self.keys.authority(by)?)
            .map_err(|e| Error::internal("signing a certificate", e))?;
        let der = certificate.der().to_vec();
        let signed = with_digests(entry("signed"), [certificate.der()]);
        let receipt = self.store.record_certificate_signed(&serial, der, signed).await?;
        Ok(Enrolled { certificate, chain: self.chain(by)?, receipt })
    }

    /// Fixes a certificate for somebody on record, and what is to be recorded of it before it is
    /// signed.
    pub(super) async fn prepare(
        &self,
        holder: &Identity,
        profile: Profile,
        public_key: PublicKey,
        days: Option<u32>,
        now: UtcTime,
    ) -> Result<Prepared, Error> {
        self.prepare_as(holder, profile, public_key, days, (new_serial()?, now)).await
    }

    /// As [`prepare`](Self::prepare), with this serial number and at this time: with those of a record, what was
    /// prepared then.
    pub(super) async fn prepare_as(
        &self,
        holder: &Identity,
        profile: Profile,
        public_key: PublicKey,
        days: Option<u32>,
        (serial, now): (Serial, UtcTime),
    ) -> Result<Prepared, Error> {
        if days.is_some_and(|days| days > profile.days()) {
            return Err(Error::Field { field: "valid_days", needs: Needs::ValidDays });
        }
        let (institution, identity) = (holder.institution.to_string(), holder.id.to_string());
        let subject = ca::Name::of_identity(&institution, &holder.role, &identity)
            .map_err(|e| Error::internal("naming the holder of a certificate", e))?;
        let authority = profile
            .issued_by()
            .ok_or(Error::Internal { what: "a profile without an authority", source: None })?;
        let key_digest = hsm::sm3::digest(public_key.as_sec1());
        let identifiers = self.identifying(holder, profile).await?;
        let texts = identifiers.iter().map(|it| it.text().to_owned()).collect();
        let order = Order { profile, subject, public_key, days, identifiers };
        let member = self.authorities.current(authority).map_err(fault)?;
        let draft = member
            .issuer
            .draft(order, serial, now)
            .map_err(|e| Error::internal("drafting a certificate", e))?;
        let record = CertificateDraft {
            serial: draft.serial().to_string(),
            identity: Some(holder.id),
            issuer: member.generation.to_string(),
            key_digest,
            body: draft.body().to_vec(),
            not_before: draft.not_before(),
            not_after: draft.not_after(),
            drafted_at: now,
            identifiers: texts,
        };
        Ok(Prepared { by: member.generation, draft, record })
    }

    /// The authorities above what this one issues, without the root, DER.
    pub(super) fn chain(&self, of: Generation) -> Result<Vec<Vec<u8>>, Error> {
        let member = self.authorities.member(of).map_err(fault)?;
        Ok(vec![member.certificate().der().to_vec()])
    }

    /// Revokes a certificate, and the encryption certificate that makes a pair with it: its sessions and
    /// tokens end with it, and the next list is made.
    ///
    /// # Errors
    /// CERTIFICATE_NOT_FOUND; STATE_CONFLICT when it is revoked already; ROLE_NOT_ALLOWED.
    pub async fn revoke_certificate(
        self: Arc<Self>,
        caller: Caller,
        serial: String,
        reason: ca::crl::Reason,
    ) -> Result<Receipt, Error> {
        self.allow(&caller, Act::CertificateRevoke).await?;
        let act = Act::CertificateRevoke;
        uncut(async move { self.revoke(&caller, act, &serial, reason).await }).await
    }

    /// Suspends a certificate (证书挂起), and the encryption certificate that makes a pair with it: as
    /// revoked, until it is released or revoked for good.
    ///
    /// # Errors
    /// As for [`revoke_certificate`](Self::revoke_certificate).
    pub async fn suspend_certificate(
        self: Arc<Self>,
        caller: Caller,
        serial: String,
    ) -> Result<Receipt, Error> {
        let (act, reason) = (Act::CertificateSuspend, ca::crl::Reason::Hold);
        self.allow(&caller, act).await?;
        uncut(async move { self.revoke(&caller, act, &serial, reason).await }).await
    }

    /// Releases a certificate that is suspended, and the encryption certificate that makes a pair with
    /// it. Sessions and tokens that ended stay ended.
    ///
    /// # Errors
    /// CERTIFICATE_NOT_FOUND; STATE_CONFLICT when it is not suspended; ROLE_NOT_ALLOWED.
    pub async fn release_certificate(
        self: Arc<Self>,
        caller: Caller,
        serial: String,
    ) -> Result<Receipt, Error> {
        self.allow(&caller, Act::CertificateRelease).await?;
        uncut(async move {
            let entry = |outcome| {
                self.entry(&caller, Act::CertificateRelease, outcome)
                    .on("certificate", serial.as_str())
            };
            if self.store.certificate(&serial).await?.is_none() {
                return self.refuse(entry(Outcome::Refused), Reason::CERTIFICATE_NOT_FOUND).await;
            }
            let of_key = self.store.certificates_of_same_key(&serial).await?;
            let granted = entry(Outcome::Granted);
            let answer = self.store.record_certificate_released(&serial, granted).await;
            let receipt = self.settle(entry(Outcome::Refused), answer).await?;
            self.status_changed(&of_key, caller.now).await;
            Ok(receipt)
        })
        .await
    }

    /// Certificates that end within so many days, the first to end first, with where to go on.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn ending_certificates(
        &self,
        caller: &Caller,
        days: u32,
        institution: Option<InstitutionId>,
        after: Option<CertificateCursor>,
        limit: u32,
    ) -> Result<(Vec<CertificateRecord>, Option<CertificateCursor>), Error> {
        self.allow(caller, Act::CertificateList).await?;
        let mut entry = self.entry(caller, Act::CertificateList, Outcome::Granted);
        if let Some(institution) = institution {
            entry = entry.on("institution", institution.to_string());
        }
        self.record_act(entry).await?;
        let times = (caller.now, caller.now + time::Duration::days(days.into()));
        let found = self.store.ending_certificates(times, institution, after, limit).await?;
        let full = found.len() == limit as usize;
        let next = found.last().filter(|_| full).map(CertificateCursor::after);
        Ok((found, next))
    }

    async fn revoke(
        &self,
        caller: &Caller,
        act: Act,
        serial: &str,
        reason: ca::crl::Reason,
    ) -> Result<Receipt, Error> {
        let entry = |outcome| {
            self.entry(caller, act, outcome)
                .on("certificate", serial)
                .with("revocation", reason.code().to_string())
        };
        if self.store.certificate(serial).await?.is_none() {
            return self.refuse(entry(Outcome::Refused), Reason::CERTIFICATE_NOT_FOUND).await;
        }
        let encryption = self.store.encryption_certificate_of(serial).await?;
        let mut granted = entry(Outcome::Granted);
        if let Some(encryption) = &encryption {
            granted = granted.with("encryption-certificate", encryption.as_str());
        }
        // Known before anything changes: what follows the change cannot fail. A renewal that begins
        // meanwhile is not signed any more.
        let of_key = self.store.certificates_of_same_key(serial).await?;
        let code = reason.code().into();
        let change =
            self.store.record_certificate_revoked(serial, code, caller.now, granted).await?;
        self.status_changed(&of_key, caller.now).await;
        match change {
            Change::Recorded(receipt) => Ok(receipt),
            Change::None => self.refuse(entry(Outcome::Refused), Reason::STATE_CONFLICT).await,
        }
    }

    /// The key of a request that proves possession of it.
    pub(super) fn requested_key(&self, request: &[u8]) -> Result<PublicKey, Error> {
        let request = CertificateRequest::parse_with(request, self.remembered())
            .map_err(|_| Error::Field { field: "request", needs: Needs::CertificateRequest })?;
        Ok(request.public_key().clone())
    }

    /// Checks signatures on documents that are looked at again at each step.
    pub(super) fn remembered(
        &self,
    ) -> impl Fn(&PublicKey, &[u8; 32], &Signature) -> Result<(), BadSignature> {
        |key, e, signature| self.verified.verify(key, e, signature)
    }

    /// Sees to it that the new state of certificates is told: no session rests on one
    /// that is not in force, no answer of before is given again, and the next list is made.
    pub(super) async fn status_changed(&self, changed: &[String], now: UtcTime) {
        self.sessions.forget(|holder| changed.contains(&holder.certificate));
        changed.iter().for_each(|serial| self.responders.forget(serial));
        // The change stands; a list that could not be made now is made by the next look at them.
        if let Err(error) = self.renew_lists_of(changed, now).await {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "making the revocation list");
        }
    }
}

/// The kind of certificate that goes with a role.
pub(super) fn profile(role: Role) -> Profile {
    match role {
        Role::Operator
        | Role::Clerk
        | Role::Doctor
        | Role::Nurse
        | Role::Auditor
        | Role::Researcher => Profile::Person,
        Role::Desk => Profile::Device,
        Role::System => Profile::System,
    }
}

/// Sixteen random octets, which no certificate had before.
pub fn new_serial() -> Result<Serial, Error> {
    let mut octets = [0; 16];
    fill_random(&mut octets)?;
    Ok(Serial::from_random(octets))
}
