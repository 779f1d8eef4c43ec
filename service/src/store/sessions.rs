//! Sessions. Their secrets are known here by digest only.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{IdentityId, MAX_PAGE, Obstacle, Receipt, Record, Store, StoreError, micros::Micros};
use crate::clock::UtcTime;

/// A session to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// SM3 of its secret.
    pub digest: [u8; 32],
    /// Who holds it.
    pub identity: IdentityId,
    /// Serial number of the certificate that opened it.
    pub certificate: String,
    /// When.
    pub opened_at: UtcTime,
    /// When it ends by itself.
    pub expires_at: UtcTime,
    /// From where.
    pub address: String,
}

/// A session on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SM3 of its secret.
    pub digest: [u8; 32],
    /// Who holds it.
    pub identity: IdentityId,
    /// Serial number of the certificate that opened it.
    pub certificate: String,
    /// When.
    pub opened_at: UtcTime,
    /// When it ends by itself.
    pub expires_at: UtcTime,
    /// When it was closed; `None` while it is not.
    pub closed_at: Option<UtcTime>,
    /// From where it was opened, where that is known.
    pub address: Option<String>,
}

impl Session {
    /// What it is called: half of the digest, which says nothing of the secret.
    #[must_use]
    pub fn name(&self) -> String {
        hex::encode(&self.digest[..16])
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            digest: row.get("digest")?,
            identity: row.get("identity")?,
            certificate: row.get("certificate")?,
            opened_at: row.get::<_, Micros>("opened_at")?.0,
            expires_at: row.get::<_, Micros>("expires_at")?.0,
            closed_at: row.get::<_, Option<Micros>>("closed_at")?.map(|at| at.0),
            address: row.get("address")?,
        })
    }
}

impl Store {
    /// Records a session before its secret is given out.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the certificate is a draft or was revoked meanwhile.
    pub async fn record_session_opened(
        &self,
        session: NewSession,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let s = session;
            check_certificate(db, &s.certificate)?;
            db.prepare_cached(
                "INSERT INTO session (digest, identity, certificate, opened_at, expires_at, address)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                s.digest,
                s.identity,
                s.certificate,
                Micros(s.opened_at),
                Micros(s.expires_at),
                s.address,
            ))?;
            Ok(())
        })
        .await
    }

    /// The session with this digest, open or not.
    pub async fn session(&self, digest: &[u8; 32]) -> Result<Option<Session>, StoreError> {
        let digest = *digest;
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM session WHERE digest = ?1")?;
            Ok(select.query_row([digest], Session::read).optional()?)
        })
        .await
    }

    /// Sessions of somebody that are neither closed nor over, the newest first.
    pub async fn sessions_of(
        &self,
        identity: IdentityId,
        now: UtcTime,
    ) -> Result<Vec<Session>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM session WHERE identity = ?1 AND closed_at IS NULL AND expires_at > ?2
                 ORDER BY opened_at DESC LIMIT ?3",
            )?;
            let found = select.query_map((identity, Micros(now), MAX_PAGE), Session::read)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Closes a session before its time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Conflict`] when it was closed before.
    pub async fn record_session_closed(
        &self,
        digest: &[u8; 32],
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let digest = *digest;
        self.record(entry, move |db, _| {
            let closed: Option<bool> = db
                .prepare_cached("SELECT closed_at IS NOT NULL FROM session WHERE digest = ?1")?
                .query_row([digest], |row| row.get(0))
                .optional()?;
            match closed {
                None => return Err(StoreError::NotFound(Record::Session)),
                Some(true) => return Err(StoreError::Conflict(Obstacle::SessionClosed)),
                Some(false) => {}
            }
            db.prepare_cached("UPDATE session SET closed_at = ?2 WHERE digest = ?1")?
                .execute((digest, Micros(at)))?;
            Ok(())
        })
        .await
    }

    /// Number of sessions that are neither closed nor over.
    pub async fn open_sessions(&self, now: UtcTime) -> Result<u64, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT count(*) FROM session WHERE closed_at IS NULL AND expires_at > ?1",
            )?;
            Ok(select.query_row([Micros(now)], |row| row.get(0))?)
        })
        .await
    }
}

/// Within a fact: the certificate is signed and not revoked. A revocation that came first wins.
pub(super) fn check_certificate(db: &Connection, serial: &str) -> Result<(), StoreError> {
    let valid: Option<bool> = db
        .prepare_cached(
            "SELECT der IS NOT NULL AND revoked_at IS NULL FROM certificate WHERE serial = ?1",
        )?
        .query_row([serial], |row| row.get(0))
        .optional()?;
    match valid {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::Conflict(Obstacle::CertificateNotValid)),
        None => Err(StoreError::NotFound(Record::Certificate)),
    }
}

/// Within a fact: the session is open. A closing that came first wins.
pub(super) fn check_session(db: &Connection, digest: &[u8; 32]) -> Result<(), StoreError> {
    let open: Option<bool> = db
        .prepare_cached("SELECT closed_at IS NULL FROM session WHERE digest = ?1")?
        .query_row([digest], |row| row.get(0))
        .optional()?;
    match open {
        Some(true) => Ok(()),
        Some(false) => Err(StoreError::Conflict(Obstacle::SessionClosed)),
        None => Err(StoreError::NotFound(Record::Session)),
    }
}
