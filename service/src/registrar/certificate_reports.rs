//! What is told of certificates to the ministry's platform (数字证书服务管理平台接入规范): changes in their order, each once, and
//! answers about one. Records are neutral; which words a platform has for them is their reader's form.

use audit::{
    Outcome,
    report::{Report, ReportLine},
};
use ca::{Certificate, Identifier};

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Needs,
    clock::UtcTime,
    policy::Act,
    store::{Certificate as CertificateRow, HOLD, Receipt, ReportedChange},
    vocabulary::{CertificateChange, Role},
};

/// What is told of one certificate.
pub struct CertificateTold {
    /// Number of the change; `None` where somebody asked.
    pub number: Option<u64>,
    /// What changed, or how it stands.
    pub change: CertificateChange,
    /// Why it was revoked (RFC 5280, 5.3.1).
    pub reason: Option<u32>,
    /// When its status changed.
    pub changed_at: Option<UtcTime>,
    /// The record.
    pub row: CertificateRow,
    /// Whose it is: desks and systems are devices.
    pub is_device: bool,
    /// The certificate itself.
    pub certificate: Certificate,
    /// What its extensions say of the holder.
    pub identifiers: Vec<Identifier>,
}

/// Changes that follow one another.
pub struct ReportPart {
    /// The records, encoded.
    pub records: Vec<Vec<u8>>,
    /// Number of the last change that was looked at.
    pub until: u64,
    /// Whether there are more.
    pub more: bool,
    /// What was given out, signed ([`audit::report`]).
    pub manifest: String,
    /// Its place in the log.
    pub receipt: Receipt,
}

/// By what a certificate is asked for.
pub enum AskedCertificate {
    /// Its serial number, hexadecimal.
    Serial(String),
    /// The text of an identifying extension.
    Identifier(String),
}

impl Registrar {
    /// What changed after the change of that number, at most `limit` records, which `encode` writes. The log has the
    /// digest of the manifest before anything is given out.
    ///
    /// # Errors
    /// FIELD_INVALID for a number that no change has yet; ROLE_NOT_ALLOWED.
    pub async fn report_certificates(
        &self,
        caller: &Caller,
        since: u64,
        limit: u32,
        encode: impl Fn(&CertificateTold) -> Vec<u8>,
    ) -> Result<ReportPart, Error> {
        let act = Act::CertificateReport;
        self.allow(caller, act).await?;
        // Of other records, or of these after they went back to an earlier copy.
        if since > self.store.last_certificate_change().await? {
            let refused = self.entry(caller, act, Outcome::Refused);
            let refused = refused.with("since", since.to_string());
            let error = Error::Field { field: "since", needs: Needs::ReportCursor };
            return self.refuse(refused, error).await;
        }
        let changes = self.store.certificate_changes(since, limit).await?;
        let more = changes.len() == limit as usize;
        let until = changes.last().map_or(since, |change| change.number);
        let (mut records, mut lines) = (Vec::new(), Vec::new());
        for change in changes {
            let (number, kind, serial) =
                (change.number, change.change, change.certificate.serial.clone());
            let record = encode(&self.told_change(change).await?);
            lines.push(ReportLine::new(number, kind.as_str(), &serial, &record));
            records.push(record);
        }
        let report = Report { service: self.name.clone(), since, until, lines };
        // Signed as a checkpoint is: it speaks of entries of the log.
        let key = self.keys.log()?;
        let manifest = report.sign(self.store.verifier_key(), |text| {
            Ok::<_, hsm::KeyError>(*key.sign(&key.digest(text))?.as_raw())
        })?;
        let entry = self
            .entry(caller, act, Outcome::Granted)
            .with("since", since.to_string())
            .with("until", until.to_string())
            .with("records", records.len().to_string())
            .with("manifest", hex::encode(hsm::sm3::digest(manifest.as_bytes())));
        let receipt = self.record_act(entry).await?;
        Ok(ReportPart { records, until, more, manifest, receipt })
    }

    /// How certificates stand that somebody asks about. The log has how many there are.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn asked_certificates(
        &self,
        caller: &Caller,
        asked: AskedCertificate,
    ) -> Result<Vec<CertificateTold>, Error> {
        let act = Act::CertificateAnswer;
        self.allow(caller, act).await?;
        let mut entry = self.entry(caller, act, Outcome::Granted);
        let rows = match asked {
            AskedCertificate::Serial(serial) => {
                let found = self.store.certificate(&serial).await?;
                if found.is_some() {
                    entry = entry.on("certificate", serial);
                }
                found.into_iter().collect()
            }
            AskedCertificate::Identifier(text) => self.store.certificates_identified(&text).await?,
        };
        let mut told = Vec::new();
        for row in rows {
            if row.identity.is_some() && row.der.is_some() {
                told.push(self.told_standing(row).await?);
            }
        }
        self.record_act(entry.with("certificates", told.len().to_string())).await?;
        Ok(told)
    }

    async fn told_change(&self, change: ReportedChange) -> Result<CertificateTold, Error> {
        let ReportedChange { number, change, reason, at, certificate } = change;
        // When it was issued is in the certificate.
        let changed_at = at.filter(|_| change != CertificateChange::Issued);
        let told = self.told(certificate, change).await?;
        Ok(CertificateTold { number: Some(number), reason, changed_at, ..told })
    }

    async fn told_standing(&self, row: CertificateRow) -> Result<CertificateTold, Error> {
        let change = match (row.revoked_at, row.revocation_reason) {
            (None, _) => CertificateChange::Issued,
            (Some(_), Some(HOLD)) => CertificateChange::Suspended,
            (Some(_), _) => CertificateChange::Revoked,
        };
        self.told(row, change).await
    }

    async fn told(
        &self,
        row: CertificateRow,
        change: CertificateChange,
    ) -> Result<CertificateTold, Error> {
        let incomplete = || Error::Internal { what: "a certificate to be told of", source: None };
        let holder = self.known_identity(row.identity.ok_or_else(incomplete)?).await?;
        let certificate = Certificate::parse(row.der.as_deref().ok_or_else(incomplete)?)
            .map_err(|e| Error::internal("a certificate on record", e))?;
        Ok(CertificateTold {
            number: None,
            change,
            reason: row.revocation_reason,
            changed_at: row.revoked_at,
            is_device: [Role::Desk, Role::System].map(Role::as_str).contains(&&*holder.role),
            identifiers: certificate.identifiers(&self.identifier_oids),
            certificate,
            row,
        })
    }
}
