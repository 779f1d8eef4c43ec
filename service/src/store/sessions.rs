//! Sessions. Their secrets are known here by digest only.

use std::time::{Duration, Instant};

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    Change, IdentityId, MAX_PAGE, Obstacle, Receipt, Record, Store, StoreError, facts::Found,
    micros::Micros,
};
use crate::clock::{self, UtcTime};

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
    /// For how long it goes on without being renewed, if it has to be.
    pub lease: Option<Duration>,
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
    /// When it is over unless it is renewed before, if it has to be.
    pub leased_until: Option<UtcTime>,
    /// For how long it goes on without being renewed, if it has to be.
    pub lease: Option<Duration>,
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
            leased_until: row.get::<_, Option<Micros>>("leased_until")?.map(|at| at.0),
            lease: row.get::<_, Option<u64>>("lease")?.map(Duration::from_micros),
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
                "INSERT INTO session (digest, identity, certificate, opened_at, expires_at, address, lease,
                                      leased_until)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                s.digest,
                s.identity,
                s.certificate,
                Micros(s.opened_at),
                Micros(s.expires_at),
                s.address,
                s.lease.map(|lease| lease.as_micros() as i64),
                s.lease.map(|lease| Micros(s.opened_at + lease)),
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
                                         AND (leased_until IS NULL OR leased_until > ?2)
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

    /// Renews a lease as of `at`, and says until when it is good now. It must not be over when the turn comes, however
    /// long that took. There is no entry about it: that the session was opened and ended is in the log.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was over or the session closed, or there is none.
    pub async fn renew_lease(&self, digest: &[u8; 32], at: UtcTime) -> Result<UtcTime, StoreError> {
        let session = InSession::new(digest, at);
        self.move_forward(move |db| {
            let until: Option<Micros> = db
                .prepare_cached(
                    "UPDATE session SET leased_until = max(leased_until, ?2 + lease)
                     WHERE digest = ?1 AND closed_at IS NULL AND leased_until > ?3
                     RETURNING leased_until",
                )?
                .query_row((session.digest, Micros(at), Micros(session.now())), |row| row.get(0))
                .optional()?;
            Ok(until.ok_or(StoreError::Conflict(Obstacle::SessionClosed))?.0)
        })
        .await
    }

    /// Cuts leases that last longer than a lease does, because the clock was set back since they were renewed. Says how
    /// many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cut_leases(&self, now: UtcTime) -> Result<usize, StoreError> {
        let too_long = move |db: &Connection| {
            let mut select = db.prepare_cached(SELECT_TOO_LONG)?;
            select.query_row([Micros(now)], |row| row.get::<_, bool>(0))
        };
        if !self.read(move |db| Ok(too_long(db)?)).await? {
            return Ok(0);
        }
        self.move_forward(move |db| {
            let mut cut = db.prepare_cached(
                "UPDATE session SET leased_until = ?1 + lease
                 WHERE closed_at IS NULL AND leased_until > ?1 AND leased_until > ?1 + lease",
            )?;
            Ok(cut.execute([Micros(now)])?)
        })
        .await
    }

    /// Some sessions whose lease was over by `now` and of which the log does not say so yet.
    pub async fn sessions_left(&self, now: UtcTime) -> Result<Vec<Session>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(SELECT_LEFT)?;
            let found = select.query_map((Micros(now), MAX_PAGE), Session::read)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Says of a session that its lease was over by `now`. [`Change::None`] when it was closed or renewed meanwhile.
    pub async fn record_session_left(
        &self,
        digest: &[u8; 32],
        now: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        let digest = *digest;
        self.change(entry, move |db| {
            let closed = db
                .prepare_cached(
                    "UPDATE session SET closed_at = leased_until
                     WHERE digest = ?1 AND closed_at IS NULL AND leased_until <= ?2",
                )?
                .execute((digest, Micros(now)))?;
            Ok(if closed == 0 { Found::Same(()) } else { Found::Changed(()) })
        })
        .await
    }

    /// Number of sessions that are neither closed nor over.
    pub async fn open_sessions(&self, now: UtcTime) -> Result<u64, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT count(*) FROM session WHERE closed_at IS NULL AND expires_at > ?1
                                                AND (leased_until IS NULL OR leased_until > ?1)",
            )?;
            Ok(select.query_row([Micros(now)], |row| row.get(0))?)
        })
        .await
    }
}

/// Through the index `session_leased`.
const SELECT_LEFT: &str = "SELECT * FROM session WHERE closed_at IS NULL AND leased_until <= ?1
                           ORDER BY leased_until LIMIT ?2";

/// Through the same, so that only those are looked at that go on.
const SELECT_TOO_LONG: &str = "SELECT EXISTS (SELECT 1 FROM session
                               WHERE closed_at IS NULL AND leased_until > ?1 AND leased_until > ?1 + lease)";

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

/// What a fact is asked for within: a session, at the time of a call. Until the fact has its turn, time goes on.
#[derive(Clone, Copy)]
pub(super) struct InSession {
    digest: [u8; 32],
    at: UtcTime,
    since: Instant,
}

impl InSession {
    /// Before the fact is handed to the writer.
    pub(super) fn new(digest: &[u8; 32], at: UtcTime) -> Self {
        Self { digest: *digest, at, since: clock::count() }
    }

    fn now(&self) -> UtcTime {
        self.at + self.since.elapsed()
    }

    /// Within the fact: the session is open, and its lease not over. An end that came first wins.
    pub(super) fn check(&self, db: &Connection) -> Result<(), StoreError> {
        let open: Option<bool> = db
            .prepare_cached(
                "SELECT closed_at IS NULL AND coalesce(leased_until > ?2, TRUE) FROM session WHERE digest = ?1",
            )?
            .query_row((self.digest, Micros(self.now())), |row| row.get(0))
            .optional()?;
        match open {
            Some(true) => Ok(()),
            Some(false) => Err(StoreError::Conflict(Obstacle::SessionClosed)),
            None => Err(StoreError::NotFound(Record::Session)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table keeps every session there ever was.
    #[test]
    fn sessions_with_a_lease_are_found_through_an_index() {
        let mut db = Connection::open_in_memory().unwrap();
        crate::store::schema::migrate(&mut db).unwrap();
        for select in [SELECT_LEFT, SELECT_TOO_LONG] {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {select}")).unwrap();
            let mut rows = plan.raw_query();
            let mut told = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                told.push(row.get::<_, String>("detail").unwrap());
            }
            let plan = told.join("\n");
            assert!(plan.contains("USING INDEX session_leased"), "{plan}");
            assert!(!plan.contains("SCAN session"), "{plan}");
        }
    }
}
