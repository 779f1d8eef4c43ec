//! Signatures over medical records: what was prepared, and what came back.

use audit::Entry;
use rusqlite::{OptionalExtension as _, Row};

use super::{
    IdentityId, Obstacle, Receipt, Record, SigningId, Store, StoreError, VisitId, micros::Micros,
    qualifications::check_qualified, sessions::check_certificate, visits::check_visit,
};
use crate::clock::UtcTime;

/// What is to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSigning {
    /// Its identifier.
    pub id: SigningId,
    /// The signer.
    pub identity: IdentityId,
    /// Serial number of the signer's certificate.
    pub certificate: String,
    /// In which visit.
    pub visit: VisitId,
    /// SM3 of the record.
    pub record_digest: [u8; 32],
    /// Kind of the record, e.g. `progress-note`.
    pub record_type: String,
    /// The signed attributes, a DER SET OF (RFC 5652, 5.4).
    pub attributes: Vec<u8>,
    /// When it was prepared.
    pub prepared_at: UtcTime,
    /// When it can no longer be completed.
    pub expires_at: UtcTime,
}

/// A prepared signature, completed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// Its identifier.
    pub id: SigningId,
    /// The signer.
    pub identity: IdentityId,
    /// Serial number of the signer's certificate.
    pub certificate: String,
    /// In which visit.
    pub visit: VisitId,
    /// SM3 of the record.
    pub record_digest: [u8; 32],
    /// Kind of the record.
    pub record_type: String,
    /// The signed attributes, a DER SET OF.
    pub attributes: Vec<u8>,
    /// When it was prepared.
    pub prepared_at: UtcTime,
    /// When it can no longer be completed.
    pub expires_at: UtcTime,
    /// When it was completed; `None` while it is not.
    pub completed_at: Option<UtcTime>,
    /// The CMS SignedData, DER.
    pub signed_data: Option<Vec<u8>>,
}

impl Signing {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            identity: row.get("identity")?,
            certificate: row.get("certificate")?,
            visit: row.get("visit")?,
            record_digest: row.get("record_digest")?,
            record_type: row.get("record_type")?,
            attributes: row.get("attributes")?,
            prepared_at: row.get::<_, Micros>("prepared_at")?.0,
            expires_at: row.get::<_, Micros>("expires_at")?.0,
            completed_at: row.get::<_, Option<Micros>>("completed_at")?.map(|at| at.0),
            signed_data: row.get("signed_data")?,
        })
    }
}

impl Store {
    /// Records what the signer is about to be shown.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the visit was closed or the certificate revoked meanwhile, or the
    /// signer's qualification has ended.
    pub async fn record_signing_prepared(
        &self,
        signing: NewSigning,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let s = signing;
            check_visit(db, s.visit)?;
            check_certificate(db, &s.certificate)?;
            check_qualified(db, s.identity, s.prepared_at)?;
            db.prepare_cached(
                "INSERT INTO signing VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, NULL)",
            )?
            .execute((
                s.id,
                s.identity,
                s.certificate,
                s.visit,
                s.record_digest,
                s.record_type,
                s.attributes,
                Micros(s.prepared_at),
                Micros(s.expires_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// The signature as last recorded.
    pub async fn signing(&self, id: SigningId) -> Result<Option<Signing>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM signing WHERE id = ?1")?;
            Ok(select.query_row([id], Signing::read).optional()?)
        })
        .await
    }

    /// When this very signature over the record was recorded here, if it was.
    pub async fn signed_at(
        &self,
        record_digest: [u8; 32],
        signed_data: Vec<u8>,
    ) -> Result<Option<UtcTime>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT completed_at FROM signing
                 WHERE completed_at IS NOT NULL AND record_digest = ?1 AND signed_data = ?2",
            )?;
            let at = select.query_row((record_digest, signed_data), |row| row.get::<_, Micros>(0));
            Ok(at.optional()?.map(|at| at.0))
        })
        .await
    }

    /// Records the finished signature, once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it was completed before, its time
    /// is over, the visit was closed or the certificate revoked meanwhile, or the qualification has ended.
    pub async fn record_signing_completed(
        &self,
        id: SigningId,
        signed_data: Vec<u8>,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let signing: Option<(bool, Micros, String, VisitId, IdentityId)> = db
                .prepare_cached(
                    "SELECT completed_at IS NOT NULL, expires_at, certificate, visit, identity
                     FROM signing WHERE id = ?1",
                )?
                .query_row([id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                })
                .optional()?;
            match signing {
                None => return Err(StoreError::NotFound(Record::Signing)),
                Some((true, ..)) => return Err(StoreError::Conflict(Obstacle::SigningCompleted)),
                Some((_, expires, ..)) if expires.0 <= at => {
                    return Err(StoreError::Conflict(Obstacle::Expired));
                }
                Some((.., certificate, visit, identity)) => {
                    check_visit(db, visit)?;
                    check_certificate(db, &certificate)?;
                    check_qualified(db, identity, at)?;
                }
            }
            db.prepare_cached(
                "UPDATE signing SET completed_at = ?2, signed_data = ?3 WHERE id = ?1",
            )?
            .execute((id, Micros(at), signed_data))?;
            Ok(())
        })
        .await
    }
}
