//! Codes of electronic cards: made, used, ended. Whether a code has a use left is decided here, by
//! the one thread that writes, so that of two desks which show the same code one alone gets a yes.

use audit::Entry;
use rusqlite::{
    Connection, OptionalExtension as _, Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use super::{
    Change, CodeId, ElectronicCardId, IdentityId, Obstacle, Presence, Receipt, Record, ResidentId,
    Store, StoreError, electronic_cards::check_electronic_card, facts::Found, micros::Micros,
    presences::insert_presence, sessions::InSession,
};
use crate::clock::UtcTime;

/// Most codes of a card that are open at once; with one more the oldest ends.
const MOST_OPEN: u32 = 8;
/// For how long the end of a code is remembered, so that who shows it again is told why.
const REMEMBERED: time::Duration = time::Duration::DAY;
/// Codes that are over, and are deleted as another is made, at most.
const CLEARED: u32 = 32;

/// Kinds of codes that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeKind {
    /// 动态码
    Dynamic,
    /// Our signed form.
    Signed,
}

impl CodeKind {
    /// The word in the table and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Signed => "signed",
        }
    }
}

impl ToSql for CodeKind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for CodeKind {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "dynamic" => Ok(Self::Dynamic),
            "signed" => Ok(Self::Signed),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A code on record.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// Its number.
    pub id: CodeId,
    /// SM3 of its text.
    pub digest: [u8; 32],
    /// The card it stands for.
    pub electronic_card: ElectronicCardId,
    /// Its form.
    pub kind: CodeKind,
    /// What its changing part was made from.
    pub nonce: [u8; 16],
    /// Who asked for it.
    pub made_by: IdentityId,
    /// When.
    pub made_at: UtcTime,
    /// When it ends.
    pub expires_at: UtcTime,
    /// Successful verifications that are left.
    pub uses_left: u32,
    /// When it was ended before its time.
    pub revoked_at: Option<UtcTime>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({}, {:?})", self.id, self.kind)
    }
}

impl Code {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            digest: row.get("digest")?,
            electronic_card: row.get("electronic_card")?,
            kind: row.get("kind")?,
            nonce: row.get("nonce")?,
            made_by: row.get("made_by")?,
            made_at: row.get::<_, Micros>("made_at")?.0,
            expires_at: row.get::<_, Micros>("expires_at")?.0,
            uses_left: row.get("uses_left")?,
            revoked_at: row.get::<_, Option<Micros>>("revoked_at")?.map(|at| at.0),
        })
    }

    /// What stands in the way of using it.
    #[must_use]
    pub fn obstacle(&self, now: UtcTime) -> Option<Obstacle> {
        if self.uses_left == 0 {
            Some(Obstacle::CodeUsed)
        } else if self.revoked_at.is_some() {
            Some(Obstacle::CodeRevoked)
        } else if self.expires_at <= now {
            Some(Obstacle::CodeOver)
        } else {
            None
        }
    }
}

/// One use of a code: the presence that it gives, at the time of its reading.
pub struct CodeUse {
    /// The code.
    pub code: CodeId,
    /// What comes of it.
    pub presence: Presence,
}

impl Store {
    /// Puts a code on record for a resident's card.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the resident has no such card; [`StoreError::Conflict`] when it
    /// is cancelled or the session was closed.
    pub async fn record_code(
        &self,
        code: Code,
        resident: ResidentId,
        session: [u8; 32],
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let session = InSession::new(&session, code.made_at);
        self.record(entry, move |db, _| {
            let c = code;
            session.check(db)?;
            check_electronic_card(db, c.electronic_card, resident)?;
            db.prepare_cached(
                "DELETE FROM code WHERE id IN
                 (SELECT id FROM code WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            )?
            .execute((Micros(c.made_at - REMEMBERED), CLEARED))?;
            db.prepare_cached(
                "UPDATE code SET revoked_at = ?2 WHERE id IN
                 (SELECT id FROM code WHERE electronic_card = ?1 AND expires_at > ?2
                  AND revoked_at IS NULL AND uses_left > 0
                  ORDER BY id DESC LIMIT -1 OFFSET ?3)",
            )?
            .execute((c.electronic_card, Micros(c.made_at), MOST_OPEN - 1))?;
            db.prepare_cached(
                "INSERT INTO code VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL)",
            )?
            .execute((
                c.id,
                c.digest,
                c.electronic_card,
                c.kind,
                c.nonce,
                c.made_by,
                Micros(c.made_at),
                Micros(c.expires_at),
                c.uses_left,
            ))?;
            Ok(())
        })
        .await
    }

    /// Uses a code once, and records the presence that comes of it; how many uses are left.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when no use is left, the code was revoked
    /// or is over, its card is cancelled, or the session was closed.
    pub async fn record_code_used(
        &self,
        code_use: CodeUse,
        entry: Entry,
    ) -> Result<(u32, Receipt), StoreError> {
        let CodeUse { code: id, presence } = code_use;
        let session = InSession::new(&presence.session, presence.read_at);
        let change = move |db: &Connection, _| {
            session.check(db)?;
            let code = find(db, "SELECT * FROM code WHERE id = ?1", id)?
                .ok_or(StoreError::NotFound(Record::Code))?;
            if presence.evidence.electronic_card() != Some(code.electronic_card) {
                return Err(StoreError::NotFound(Record::Code));
            }
            if let Some(obstacle) = code.obstacle(presence.read_at) {
                return Err(StoreError::Conflict(obstacle));
            }
            db.prepare_cached("UPDATE code SET uses_left = uses_left - 1 WHERE id = ?1")?
                .execute([id])?;
            insert_presence(db, presence)?;
            Ok(Found::Changed(code.uses_left - 1))
        };
        let (left, receipt) = self.submit(&entry, change).await?;
        Ok((left, receipt.ok_or(StoreError::Unavailable(None))?))
    }

    /// Records that a static code of a resident's card was made or shown, which changes nothing else.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the resident has no such card; [`StoreError::Conflict`] when it
    /// is cancelled or the session was closed.
    pub async fn record_static_code(
        &self,
        card: ElectronicCardId,
        resident: ResidentId,
        session: [u8; 32],
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let session = InSession::new(&session, at);
        self.record(entry, move |db, _| {
            session.check(db)?;
            check_electronic_card(db, card, resident)
        })
        .await
    }

    /// Ends a code before its time. [`Change::None`] when it has ended.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_code_revoked(
        &self,
        id: CodeId,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let code = find(db, "SELECT * FROM code WHERE id = ?1", id)?
                .ok_or(StoreError::NotFound(Record::Code))?;
            if code.obstacle(at).is_some() {
                return Ok(Found::Same(()));
            }
            db.prepare_cached("UPDATE code SET revoked_at = ?2 WHERE id = ?1")?
                .execute((id, Micros(at)))?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// The code as last recorded. One that was over for a day may be gone.
    pub async fn code(&self, id: CodeId) -> Result<Option<Code>, StoreError> {
        self.read(move |db| find(db, "SELECT * FROM code WHERE id = ?1", id)).await
    }

    /// The code whose text has this digest.
    pub async fn code_by_digest(&self, digest: [u8; 32]) -> Result<Option<Code>, StoreError> {
        self.read(move |db| find(db, "SELECT * FROM code WHERE digest = ?1", digest)).await
    }
}

fn find(db: &Connection, select: &str, key: impl ToSql) -> Result<Option<Code>, StoreError> {
    Ok(db.prepare_cached(select)?.query_row([key], Code::read).optional()?)
}
