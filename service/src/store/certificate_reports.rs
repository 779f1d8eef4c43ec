//! What there is to tell of certificates: changes in their order, and certificates by what they are asked for.

use rusqlite::{OptionalExtension as _, Row};

use super::{Certificate, MAX_PAGE, Store, StoreError, micros::Micros};
use crate::{clock::UtcTime, vocabulary::CertificateChange};

/// A change of a certificate that is told: that it was signed, or of its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedChange {
    /// Its number: later changes have greater ones.
    pub number: u64,
    /// What changed.
    pub change: CertificateChange,
    /// Why it was revoked (RFC 5280, 5.3.1).
    pub reason: Option<u32>,
    /// When, as far as it is known.
    pub at: Option<UtcTime>,
    /// The certificate, as it stands by now.
    pub certificate: Certificate,
}

impl ReportedChange {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get("report_change")?,
            change: row.get("report_kind")?,
            reason: row.get("report_reason")?,
            at: row.get::<_, Option<Micros>>("report_at")?.map(|at| at.0),
            certificate: Certificate::read(row)?,
        })
    }
}

impl Store {
    /// Changes after that number, at most `limit` (and [`MAX_PAGE`]).
    pub async fn certificate_changes(
        &self,
        since: u64,
        limit: u32,
    ) -> Result<Vec<ReportedChange>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT certificate.*, change AS report_change, kind AS report_kind,
                    reason AS report_reason, coalesce(certificate_report.at, leaf.at) AS report_at
                 FROM certificate_report JOIN certificate USING (serial)
                 LEFT JOIN leaf USING (position)
                 WHERE change > ?1 ORDER BY change LIMIT ?2",
            )?;
            let rows = select.query_map((since, limit.min(MAX_PAGE)), ReportedChange::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Number of the last change; 0 where there is none.
    pub async fn last_certificate_change(&self) -> Result<u64, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT seq FROM sqlite_sequence WHERE name = 'certificate_report'",
            )?;
            Ok(select.query_row([], |row| row.get(0)).optional()?.unwrap_or_default())
        })
        .await
    }

    /// Certificates with this text in an identifying extension, the oldest first, at most [`MAX_PAGE`].
    pub async fn certificates_identified(
        &self,
        text: &str,
    ) -> Result<Vec<Certificate>, StoreError> {
        let text = text.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT certificate.* FROM certificate_identifier JOIN certificate USING (serial)
                 WHERE text = ?1 AND der IS NOT NULL
                 ORDER BY drafted_at, pair_of IS NOT NULL, serial LIMIT ?2",
            )?;
            let rows = select.query_map((text, MAX_PAGE), Certificate::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}
