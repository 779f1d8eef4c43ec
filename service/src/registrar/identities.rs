//! Institutions, staff and devices, and their certificates.

use std::sync::Arc;

use audit::{Actor, Entry, Outcome};
use ca::crl::Revocation;
use ca::request::CertificateRequest;
use ca::{Authority, Certificate, Order, Profile, Serial};
use card::{CityCode, CreditCode};
use hsm::sm2::PublicKey;
use zeroize::Zeroizing;

use super::{
    Caller, Error, Registrar,
    authorities::AuthorityError,
    entry_by, service_actor,
    sessions::{fill_random, stored_role},
    uncut,
};
use crate::{
    catalogue::{Needs, Reason},
    clock::{self, UtcTime},
    keys::{authority_name, authority_named},
    policy::Act,
    store::{
        Certificate as CertificateRecord, CertificateDraft, Change, Identity as IdentityRow,
        IdentityId, Institution, InstitutionId, Receipt, RevocationList,
    },
    telemetry,
    vocabulary::Role,
};

/// An institution to be put on record.
pub struct NewInstitution {
    /// Unified social credit code (统一社会信用代码).
    pub credit_code: CreditCode,
    /// Name.
    pub name: String,
    /// Domain: region code.
    pub region: CityCode,
}

/// A person, desk or system to be put on record.
pub struct NewIdentity {
    /// Where it works.
    pub institution: InstitutionId,
    /// Its one role.
    pub role: Role,
    /// Name of the person, or label.
    pub name: Zeroizing<String>,
    /// Number within the institution.
    pub number: String,
    /// Department of a doctor or nurse.
    pub department: String,
}

/// An identity on record with its certificates.
pub struct IdentityRecord {
    /// The record.
    pub row: IdentityRow,
    /// Its role.
    pub role: Role,
    /// Its name.
    pub name: String,
    /// Its certificates.
    pub certificates: Vec<CertificateRecord>,
}

/// The founding of a service, as the log tells it.
pub struct Founding {
    actor: Actor,
    now: UtcTime,
}

impl Founding {
    /// The founding of the service of this name.
    #[must_use]
    pub fn new(name: &str, now: UtcTime) -> Self {
        Self { actor: service_actor(name), now }
    }

    /// The entry for one thing that came to be.
    #[must_use]
    pub fn entry(&self, kind: &str, id: &str) -> Entry {
        entry_by(self.actor.clone(), Act::ServiceInit, Outcome::Granted, self.now).on(kind, id)
    }
}

/// A certificate that was issued.
pub struct Enrolled {
    /// The certificate.
    pub certificate: Certificate,
    /// The authorities above it, without the root, DER.
    pub chain: Vec<Vec<u8>>,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// The certificates that vouch for all others, DER.
pub struct Published {
    /// The root.
    pub root: Vec<u8>,
    /// The authorities below it.
    pub issuers: Vec<Vec<u8>>,
    /// Their newest lists.
    pub lists: Vec<Vec<u8>>,
}

impl Registrar {
    /// Puts an institution on record.
    ///
    /// # Errors
    /// ALREADY_REGISTERED; ROLE_NOT_ALLOWED.
    pub async fn register_institution(
        &self,
        caller: &Caller,
        order: NewInstitution,
    ) -> Result<(InstitutionId, Receipt), Error> {
        self.allow(caller, Act::InstitutionRegister).await?;
        let id = InstitutionId::generate();
        let institution = Institution {
            id,
            credit_code: order.credit_code.as_str().to_owned(),
            name: order.name,
            region: order.region.as_str().to_owned(),
            registered_at: caller.now,
        };
        let entry = self
            .entry(caller, Act::InstitutionRegister, Outcome::Granted)
            .on("institution", id.to_string());
        let answer = self.store.record_institution(institution, entry).await;
        let refused = self.entry(caller, Act::InstitutionRegister, Outcome::Refused);
        Ok((id, self.settle(refused, answer).await?))
    }

    /// Puts a person, desk or system on record.
    ///
    /// # Errors
    /// INSTITUTION_NOT_FOUND; ALREADY_REGISTERED for a number that is taken; ROLE_NOT_ALLOWED.
    pub async fn register_identity(
        &self,
        caller: &Caller,
        order: NewIdentity,
    ) -> Result<(IdentityId, Receipt), Error> {
        self.allow(caller, Act::IdentityRegister).await?;
        let treats = matches!(order.role, Role::Doctor | Role::Nurse);
        if treats == order.department.is_empty() {
            return Err(Error::Field { field: "department", needs: Needs::Department });
        }
        let institution = self.store.institution(order.institution).await?;
        institution.ok_or(Reason::INSTITUTION_NOT_FOUND)?;
        let id = IdentityId::generate();
        let identity = IdentityRow {
            id,
            institution: order.institution,
            role: order.role.as_str().to_owned(),
            sealed_name: self.personal.seal_staff_name(id, &order.name)?,
            number: order.number,
            department: order.department,
            registered_at: caller.now,
        };
        let entry = self
            .entry(caller, Act::IdentityRegister, Outcome::Granted)
            .on("identity", id.to_string())
            .with("role", order.role.as_str())
            .with("institution", order.institution.to_string());
        let answer = self.store.record_identity(identity, entry).await;
        let refused = self.entry(caller, Act::IdentityRegister, Outcome::Refused);
        Ok((id, self.settle(refused, answer).await?))
    }

    /// Issues a certificate for a key that its holder made.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND; FIELD_INVALID for a request that does not prove possession of an SM2
    /// key; ROLE_NOT_ALLOWED.
    pub async fn enroll(
        &self,
        caller: &Caller,
        identity: IdentityId,
        request: &[u8],
        days: Option<u32>,
    ) -> Result<Enrolled, Error> {
        self.allow(caller, Act::CertificateIssue).await?;
        let row = self.known_identity(identity).await?;
        let request = CertificateRequest::parse(request)
            .map_err(|_| Error::Field { field: "request", needs: Needs::CertificateRequest })?;
        let key = request.public_key().clone();
        let entry = || self.entry(caller, Act::CertificateIssue, Outcome::Granted);
        match self.issue(&row, key, days, caller.now, entry).await {
            Err(Error::Store(error)) => {
                let refused = self
                    .entry(caller, Act::CertificateIssue, Outcome::Refused)
                    .with("identity", identity.to_string());
                self.settle(refused, Err(error)).await
            }
            issued => issued,
        }
    }

    /// Draft, record, sign, record: after a crash there is a record of everything that may have
    /// been signed.
    async fn issue(
        &self,
        holder: &IdentityRow,
        public_key: PublicKey,
        days: Option<u32>,
        now: UtcTime,
        entry: impl Fn() -> Entry,
    ) -> Result<Enrolled, Error> {
        let role = stored_role(&holder.role)?;
        let profile = profile(role);
        if days.is_some_and(|days| days > profile.days()) {
            return Err(Error::Field { field: "valid_days", needs: Needs::ValidDays });
        }
        let (institution, identity) = (holder.institution.to_string(), holder.id.to_string());
        let subject = ca::Name::of_identity(&institution, role.as_str(), &identity)
            .map_err(|e| Error::internal("naming the holder of a certificate", e))?;
        let authority = profile
            .issued_by()
            .ok_or(Error::Internal { what: "a profile without an authority", source: None })?;
        let issuer = self.authorities.issuer(authority).map_err(fault)?;
        let key_digest = hsm::sm3::digest(public_key.as_sec1());
        let draft = issuer
            .draft(Order { profile, subject, public_key, days }, new_serial()?, now)
            .map_err(|e| Error::internal("drafting a certificate", e))?;
        let serial = draft.serial().to_string();
        let entry = |step| {
            entry()
                .on("certificate", serial.as_str())
                .with("identity", identity.as_str())
                .with("issuer", authority_name(authority))
                .with("step", step)
        };
        let drafted = CertificateDraft {
            serial: serial.clone(),
            identity: Some(holder.id),
            issuer: authority_name(authority).to_owned(),
            key_digest,
            body: draft.body().to_vec(),
            not_before: draft.not_before(),
            not_after: draft.not_after(),
            drafted_at: now,
        };
        // A key is certified once: not again after it was compromised, and not for somebody else.
        self.store.record_certificate_draft(drafted, entry("draft")).await?;
        let certificate = draft
            .sign(&*self.keys.authority(authority)?)
            .map_err(|e| Error::internal("signing a certificate", e))?;
        let der = certificate.der().to_vec();
        let receipt = self.store.record_certificate_signed(&serial, der, entry("signed")).await?;
        let chain = vec![issuer.certificate().der().to_vec()];
        Ok(Enrolled { certificate, chain, receipt })
    }

    /// Puts the institution that runs the service and its first operator on record, and issues the
    /// operator's certificate. Whoever founds the service does this once; all others are put on
    /// record by an operator.
    ///
    /// # Errors
    /// ALREADY_REGISTERED when it was done before.
    pub async fn found_operator(
        &self,
        founding: &Founding,
        key: PublicKey,
    ) -> Result<Enrolled, Error> {
        let institution = Institution {
            id: InstitutionId::generate(),
            // The service itself is no institution with a credit code; the empty one can be taken once.
            credit_code: String::new(),
            name: self.name.clone(),
            region: String::new(),
            registered_at: founding.now,
        };
        let id = IdentityId::generate();
        let operator = IdentityRow {
            id,
            institution: institution.id,
            role: Role::Operator.as_str().to_owned(),
            sealed_name: self.personal.seal_staff_name(id, Role::Operator.as_str())?,
            number: "1".to_owned(),
            department: String::new(),
            registered_at: founding.now,
        };
        let entry = founding.entry("institution", &institution.id.to_string());
        self.store.record_institution(institution, entry).await?;
        let entry = founding.entry("identity", &id.to_string());
        self.store.record_identity(operator.clone(), entry).await?;
        let entry =
            || entry_by(founding.actor.clone(), Act::ServiceInit, Outcome::Granted, founding.now);
        self.issue(&operator, key, None, founding.now, entry).await
    }

    /// Revokes a certificate: its sessions and tokens end with it, and the next list is made.
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
        uncut(async move { self.revoke(&caller, &serial, reason).await }).await
    }

    async fn revoke(
        &self,
        caller: &Caller,
        serial: &str,
        reason: ca::crl::Reason,
    ) -> Result<Receipt, Error> {
        let entry = |outcome| {
            self.entry(caller, Act::CertificateRevoke, outcome)
                .on("certificate", serial)
                .with("revocation", reason.code().to_string())
        };
        let Some(record) = self.store.certificate(serial).await? else {
            return self.refuse(entry(Outcome::Refused), Reason::CERTIFICATE_NOT_FOUND).await;
        };
        let code = reason.code().into();
        let change = self
            .store
            .record_certificate_revoked(serial, code, caller.now, entry(Outcome::Granted))
            .await?;
        self.sessions.forget(|holder| holder.certificate == serial);
        self.responders.forget(serial);
        // The revocation stands; a list that could not be made now is made by the next look at them.
        if let Some(authority) = authority_named(&record.issuer)
            && let Err(error) = self.renew_list(authority, caller.now).await
        {
            let cause = telemetry::chain(&error);
            tracing::error!(cause, "making the revocation list");
        }
        match change {
            Change::Recorded(receipt) => Ok(receipt),
            Change::None => self.refuse(entry(Outcome::Refused), Reason::STATE_CONFLICT).await,
        }
    }

    /// An identity with its certificates.
    ///
    /// # Errors
    /// IDENTITY_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn identity(&self, caller: &Caller, id: IdentityId) -> Result<IdentityRecord, Error> {
        self.allow(caller, Act::IdentityRead).await?;
        let row = self.known_identity(id).await?;
        let entry =
            self.entry(caller, Act::IdentityRead, Outcome::Granted).on("identity", id.to_string());
        self.record_act(entry).await?;
        self.open_identity(row).await
    }

    /// Identities, all or those of an institution.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn identities(
        &self,
        caller: &Caller,
        institution: Option<InstitutionId>,
        after: Option<IdentityId>,
        limit: u32,
    ) -> Result<Vec<IdentityRecord>, Error> {
        self.allow(caller, Act::IdentityRead).await?;
        let mut entry = self.entry(caller, Act::IdentityRead, Outcome::Granted);
        if let Some(institution) = institution {
            entry = entry.on("institution", institution.to_string());
        }
        self.record_act(entry).await?;
        let rows = self.store.list_identities(institution, after, limit).await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            records.push(self.open_identity(row).await?);
        }
        Ok(records)
    }

    /// The certificates that vouch for all others, and their newest lists. Public.
    #[must_use]
    pub fn published(&self) -> Published {
        self.authorities.with_anchors(|anchors| Published {
            root: anchors.root().der().to_vec(),
            issuers: anchors.issuers().map(|issuer| issuer.der().to_vec()).collect(),
            lists: anchors.crls().map(|list| list.der().to_vec()).collect(),
        })
    }

    /// The newest list of an authority, DER. Public.
    #[must_use]
    pub fn newest_list(&self, authority: Authority) -> Option<Vec<u8>> {
        let issuer = self.authorities.issuer(authority).ok()?;
        let subject = issuer.certificate().subject();
        self.authorities.with_anchors(|anchors| {
            anchors.crls().find(|list| list.issuer() == subject).map(|list| list.der().to_vec())
        })
    }

    /// The certificate of an authority, DER. Public.
    #[must_use]
    pub fn authority_certificate(&self, authority: Authority) -> Option<Vec<u8>> {
        self.authorities.issuer(authority).ok().map(|issuer| issuer.certificate().der().to_vec())
    }

    /// Replaces the lists that are due within `ahead`, dated after `now`, or lack a certificate that
    /// was revoked.
    ///
    /// # Errors
    /// [`Error`] when a list could not be made or recorded; the old ones stay in use.
    pub async fn renew_lists(&self, now: UtcTime, ahead: time::Duration) -> Result<(), Error> {
        for issuer in self.authorities.issuers() {
            let authority = issuer.authority();
            let revoked = self.store.revoked_serials(authority_name(authority)).await?.len();
            let good = self.authorities.with_anchors(|anchors| {
                anchors.crls().any(|list| {
                    let edition = list.edition();
                    list.issuer() == issuer.certificate().subject()
                        && list.len() == revoked
                        && edition.this_update <= now
                        && edition.next_update > now + ahead
                })
            });
            if !good {
                self.renew_list(authority, now).await?;
            }
        }
        Ok(())
    }

    /// Says in the process log which lists end within `ahead`, dated after `now`, because renewing
    /// them fails: when one is over, nobody whom its authority certified gets in.
    pub fn tell_ending_lists(&self, now: UtcTime, ahead: time::Duration) {
        for (authority, end) in self.authorities.lists_over_by(now + ahead) {
            let (authority, end) = (authority_name(authority), end.map(clock::rfc3339));
            tracing::error!(authority, end, "a revocation list ends soon and was not renewed");
        }
    }

    async fn renew_list(&self, authority: Authority, now: UtcTime) -> Result<(), Error> {
        let _one_at_a_time = self.lists.lock().await;
        let name = authority_name(authority);
        let number = self.store.crl(name).await?.map_or(1, |list| list.number + 1);
        let rows = self.store.revoked_serials(name).await?;
        let revoked = rows
            .into_iter()
            .map(|row| {
                Ok(Revocation {
                    serial: row
                        .serial
                        .parse()
                        .map_err(|e| Error::internal("a serial number", e))?,
                    at: row.revoked_at,
                    reason: u8::try_from(row.reason)
                        .ok()
                        .and_then(ca::crl::Reason::from_code)
                        .ok_or(Error::Internal { what: "an unknown reason", source: None })?,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let list = self
            .authorities
            .next_list(&self.keys, authority, number, &revoked, now)
            .map_err(fault)?;
        let entry = entry_by(service_actor(&self.name), Act::ListIssue, Outcome::Granted, now)
            .on("revocation-list", name)
            .with("number", number.to_string());
        let record = RevocationList { issuer: name.to_owned(), number, der: list.der().to_vec() };
        self.store.record_crl(record, entry).await?;
        self.authorities.adopt(list).map_err(fault)
    }

    async fn known_identity(&self, id: IdentityId) -> Result<IdentityRow, Error> {
        let row = self.store.identity(id).await?;
        row.ok_or(Reason::IDENTITY_NOT_FOUND.into())
    }

    async fn open_identity(&self, row: IdentityRow) -> Result<IdentityRecord, Error> {
        Ok(IdentityRecord {
            role: stored_role(&row.role)?,
            name: self.personal.open_staff_name(row.id, &row.sealed_name)?,
            certificates: self.store.certificates_of(row.id).await?,
            row,
        })
    }
}

/// The kind of certificate that goes with a role.
fn profile(role: Role) -> Profile {
    match role {
        Role::Operator | Role::Clerk | Role::Doctor | Role::Nurse | Role::Auditor => {
            Profile::Person
        }
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

fn fault(error: AuthorityError) -> Error {
    match error {
        AuthorityError::Key(error) => Error::Key(error),
        error => Error::internal("working as an authority", error),
    }
}
