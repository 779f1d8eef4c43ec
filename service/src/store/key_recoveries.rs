//! Recoveries of encryption keys that are held: one person enters, another reviews (录入、复核). What was entered gives
//! nobody a key until it is approved, and nothing after its time.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, types::FromSqlError};

use super::{
    EscrowedKey, EscrowedKeyId, IdentityId, MAX_PAGE, Obstacle, Receipt, Record, RecoveryId, Store,
    StoreError,
    micros::Micros,
    two_persons::{check_entry_stands, check_in_force, check_two_persons},
};
use crate::clock::UtcTime;

/// Who is to have the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryRecipient {
    /// Its holder, with the key of this signing certificate.
    Holder {
        /// Serial number, hexadecimal.
        signing: String,
    },
    /// Whoever an order for evidence names (司法取证).
    Order {
        /// Number of the order.
        reference: String,
    },
}

/// A recovery to be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecovery {
    /// Its identifier.
    pub id: RecoveryId,
    /// The key pair.
    pub key: EscrowedKeyId,
    /// Serial number of an encryption certificate for it, hexadecimal.
    pub certificate: String,
    /// Who is to have it.
    pub recipient: RecoveryRecipient,
    /// The public key that it is enveloped to: a point, uncompressed.
    pub recipient_key: Vec<u8>,
    /// Who enters it.
    pub entered_by: IdentityId,
    /// Serial number of the certificate with which they did.
    pub entered_with: String,
    /// When.
    pub entered_at: UtcTime,
    /// Until when it can be approved.
    pub expires_at: UtcTime,
}

/// How a recovery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryState {
    /// It waits for another person, until its time is over.
    Pending,
    /// The key was given.
    Approved {
        /// Who reviewed it.
        by: IdentityId,
        /// When.
        at: UtcTime,
    },
    /// The key is not given.
    Rejected {
        /// Who reviewed it.
        by: IdentityId,
        /// When.
        at: UtcTime,
    },
}

/// A recovery on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// What was entered.
    pub entered: NewRecovery,
    /// How it stands.
    pub state: RecoveryState,
}

impl Recovery {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let unknown = || rusqlite::Error::from(FromSqlError::InvalidType);
        let recipient: (Option<String>, Option<String>) =
            (row.get("recipient")?, row.get("order_reference")?);
        let reviewed = || -> rusqlite::Result<(IdentityId, UtcTime)> {
            Ok((row.get("reviewed_by")?, row.get::<_, Micros>("reviewed_at")?.0))
        };
        let state = match row.get::<_, String>("state")?.as_str() {
            "pending" => RecoveryState::Pending,
            "approved" => {
                let (by, at) = reviewed()?;
                RecoveryState::Approved { by, at }
            }
            "rejected" => {
                let (by, at) = reviewed()?;
                RecoveryState::Rejected { by, at }
            }
            _ => return Err(unknown()),
        };
        Ok(Self {
            entered: NewRecovery {
                id: row.get("id")?,
                key: row.get("key")?,
                certificate: row.get("certificate")?,
                recipient: match recipient {
                    (Some(signing), None) => RecoveryRecipient::Holder { signing },
                    (None, Some(reference)) => RecoveryRecipient::Order { reference },
                    _ => return Err(unknown()),
                },
                recipient_key: row.get("recipient_key")?,
                entered_by: row.get("entered_by")?,
                entered_with: row.get::<_, Option<_>>("entered_with")?.unwrap_or_default(),
                entered_at: row.get::<_, Micros>("entered_at")?.0,
                expires_at: row.get::<_, Micros>("expires_at")?.0,
            },
            state,
        })
    }
}

/// A review of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReview {
    /// The recovery.
    pub recovery: RecoveryId,
    /// Who reviews it.
    pub by: IdentityId,
    /// Serial number of the certificate with which they do.
    pub with: String,
    /// When.
    pub at: UtcTime,
    /// What they say.
    pub verdict: RecoveryVerdict,
}

/// What a reviewer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryVerdict {
    /// Give the key.
    Approve,
    /// Do not.
    Reject,
}

impl Store {
    /// Enters a recovery.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for what it refers to.
    pub async fn record_recovery(
        &self,
        recovery: NewRecovery,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let r = recovery;
            let (signing, reference) = match r.recipient {
                RecoveryRecipient::Holder { signing } => (Some(signing), None),
                RecoveryRecipient::Order { reference } => (None, Some(reference)),
            };
            db.prepare_cached(
                "INSERT INTO key_recovery (id, key, certificate, recipient, recipient_key,
                    order_reference, entered_by, entered_at, expires_at, entered_with, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'pending')",
            )?
            .execute((
                r.id,
                r.key,
                r.certificate,
                signing,
                r.recipient_key,
                reference,
                r.entered_by,
                Micros(r.entered_at),
                Micros(r.expires_at),
                r.entered_with,
            ))?;
            Ok(())
        })
        .await
    }

    /// Records a review. The holder's signing certificate, and the one with which it was entered, must
    /// still be in force for an approval, and the reviewer's.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the reviewer is the person who entered it, it
    /// was reviewed before or its time is over, or one of those certificates was revoked or is over.
    pub async fn record_recovery_reviewed(
        &self,
        review: RecoveryReview,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let RecoveryReview { recovery, by, with, at, verdict } = review;
            let found = find(db, recovery)?.ok_or(StoreError::NotFound(Record::PendingChange))?;
            let entered = found.entered;
            if found.state != RecoveryState::Pending || entered.expires_at <= at {
                return Err(StoreError::Conflict(Obstacle::ChangeOver));
            }
            check_two_persons(db, entered.entered_by, by)?;
            check_in_force(db, &with, at)?;
            let state = match verdict {
                RecoveryVerdict::Reject => "rejected",
                RecoveryVerdict::Approve => {
                    check_entry_stands(db, &entered.entered_with, at)?;
                    if let RecoveryRecipient::Holder { signing } = &entered.recipient {
                        check_in_force(db, signing, at)?;
                    }
                    "approved"
                }
            };
            db.prepare_cached(
                "UPDATE key_recovery SET state = ?2, reviewed_by = ?3, reviewed_at = ?4 WHERE id = ?1",
            )?
            .execute((recovery, state, by, Micros(at)))?;
            Ok(())
        })
        .await
    }

    /// The recovery as last recorded.
    pub async fn recovery(&self, id: RecoveryId) -> Result<Option<Recovery>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// Recoveries that wait for a review, at most `limit` (and [`MAX_PAGE`]).
    pub async fn pending_recoveries(
        &self,
        now: UtcTime,
        after: Option<RecoveryId>,
        limit: u32,
    ) -> Result<Vec<Recovery>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM key_recovery
                 WHERE state = 'pending' AND id > coalesce(?1, '') AND expires_at > ?2
                 ORDER BY id LIMIT ?3",
            )?;
            let rows =
                select.query_map((after, Micros(now), limit.min(MAX_PAGE)), Recovery::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The key pair that the centre holds for a certificate.
    pub async fn escrowed_key(
        &self,
        key_digest: [u8; 32],
    ) -> Result<Option<EscrowedKey>, StoreError> {
        self.read(move |db| {
            let mut select =
                db.prepare_cached("SELECT * FROM escrowed_key WHERE key_digest = ?1")?;
            Ok(select.query_row([key_digest], EscrowedKey::read).optional()?)
        })
        .await
    }
}

fn find(db: &Connection, id: RecoveryId) -> Result<Option<Recovery>, StoreError> {
    let mut select = db.prepare_cached("SELECT * FROM key_recovery WHERE id = ?1")?;
    Ok(select.query_row([id], Recovery::read).optional()?)
}
