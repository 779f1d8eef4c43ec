//! Certificates by their end.

use std::{fmt, str::FromStr};

use super::{BadId, Certificate, HOLD, InstitutionId, MAX_PAGE, Store, StoreError, micros::Micros};
use crate::clock::UtcTime;

/// Where a page of a list of certificates ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateCursor {
    /// Microseconds since 1970.
    ends: i64,
    serial: String,
}

impl CertificateCursor {
    /// After this certificate.
    #[must_use]
    pub fn after(certificate: &Certificate) -> Self {
        Self { ends: Micros(certificate.not_after).count(), serial: certificate.serial.clone() }
    }
}

impl fmt::Display for CertificateCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ends, self.serial)
    }
}

impl FromStr for CertificateCursor {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let (ends, serial) = text.split_once('.').ok_or(BadId)?;
        let hexadecimal = serial.bytes().all(|octet| octet.is_ascii_hexdigit());
        if !hexadecimal || serial.len() > 40 {
            return Err(BadId);
        }
        let ends = ends.parse().map_err(|_| BadId)?;
        Ok(Self { ends, serial: serial.to_owned() })
    }
}

impl Store {
    /// Certificates that end from `now` on until `until` and are in force or suspended, the first to end
    /// first; of one institution, or of all. At most `limit` (and [`MAX_PAGE`]), those after `after`.
    pub async fn ending_certificates(
        &self,
        (now, until): (UtcTime, UtcTime),
        institution: Option<InstitutionId>,
        after: Option<CertificateCursor>,
        limit: u32,
    ) -> Result<Vec<Certificate>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT certificate.* FROM certificate INDEXED BY certificate_end
                 WHERE der IS NOT NULL AND not_after >= ?1 AND not_after <= ?2
                   AND coalesce(revocation_reason, ?6) = ?6
                   AND (not_after, serial) > (coalesce(?3, 0), coalesce(?4, ''))
                   AND (?5 IS NULL OR identity IN (SELECT id FROM identity WHERE institution = ?5))
                 ORDER BY not_after, serial LIMIT ?7",
            )?;
            let (ends, serial) = after.map(|cursor| (cursor.ends, cursor.serial)).unzip();
            let limit = limit.min(MAX_PAGE);
            let rows = select.query_map(
                (Micros(now), Micros(until), ends, serial, institution, HOLD, limit),
                Certificate::read,
            )?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}
