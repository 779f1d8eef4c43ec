//! Certificates from draft to revocation.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    Change, IdentityId, Obstacle, Receipt, Record, RevokedSerial, Store, StoreError, facts::Found,
    key_centre::end_keys_of, micros::Micros,
};
use crate::clock::UtcTime;

/// A certificate's body, recorded before the key of the authority signs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDraft {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Whom it is for; `None` for the service's own.
    pub identity: Option<IdentityId>,
    /// Name of the authority.
    pub issuer: String,
    /// SM3 of the public key: no two certificates vouch for one key.
    pub key_digest: [u8; 32],
    /// What will be signed (TBSCertificate), DER.
    pub body: Vec<u8>,
    /// Start of validity.
    pub not_before: UtcTime,
    /// End of validity.
    pub not_after: UtcTime,
    /// When the draft was made.
    pub drafted_at: UtcTime,
    /// Texts of its identifying extensions.
    pub identifiers: Vec<String>,
}

/// A certificate on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Whom it is for; `None` for the service's own.
    pub identity: Option<IdentityId>,
    /// Name of the authority.
    pub issuer: String,
    /// SM3 of the public key.
    pub key_digest: [u8; 32],
    /// What was to be signed (TBSCertificate), DER.
    pub body: Vec<u8>,
    /// The certificate, DER; `None` while it is a draft.
    pub der: Option<Vec<u8>>,
    /// Start of validity.
    pub not_before: UtcTime,
    /// End of validity.
    pub not_after: UtcTime,
    /// When the draft was made.
    pub drafted_at: UtcTime,
    /// When it was revoked; `None` while it is not.
    pub revoked_at: Option<UtcTime>,
    /// Why (RFC 5280, 5.3.1).
    pub revocation_reason: Option<u32>,
    /// Of an encryption certificate, the signing certificate that it makes a pair with.
    pub pair_of: Option<String>,
    /// The certificate of the same key that it renews.
    pub renews: Option<String>,
    /// Where the log says that it was signed; `None` for a draft, and for those of before this was kept.
    pub log_position: Option<u64>,
}

/// Reason code of a certificate that is suspended (certificateHold; RFC 5280, 5.3.1).
pub const HOLD: u32 = 6;

/// Reason code of a certificate that another takes the place of, while its key is as good as before.
pub(super) const SUPERSEDED: u32 = 4;

impl Certificate {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            serial: row.get("serial")?,
            identity: row.get("identity")?,
            issuer: row.get("issuer")?,
            key_digest: row.get("key_digest")?,
            body: row.get("body")?,
            der: row.get("der")?,
            not_before: row.get::<_, Micros>("not_before")?.0,
            not_after: row.get::<_, Micros>("not_after")?.0,
            drafted_at: row.get::<_, Micros>("drafted_at")?.0,
            revoked_at: row.get::<_, Option<Micros>>("revoked_at")?.map(|at| at.0),
            revocation_reason: row.get("revocation_reason")?,
            pair_of: row.get("pair_of")?,
            renews: row.get("renews")?,
            log_position: row.get("log_position")?,
        })
    }
}

impl Store {
    /// Records what is about to be signed.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the serial number was used before, or the public key is in
    /// another certificate or draft, be it of whom it may.
    pub async fn record_certificate_draft(
        &self,
        draft: CertificateDraft,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| insert_draft(db, draft, Relations::default())).await
    }

    /// Records the signed certificate of a draft.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] without a draft, [`StoreError::Conflict`] when it was signed before.
    pub async fn record_certificate_signed(
        &self,
        serial: &str,
        der: Vec<u8>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let serial = serial.to_owned();
        self.record(entry, move |db, position| sign_draft(db, &serial, &der, position)).await
    }

    /// Revokes a certificate, and the encryption certificate that makes a pair with it; ends the sessions
    /// and tokens that rest on it in the same transaction. Unless it is superseded (4) it is the key that
    /// is given up: whatever certifies the same key, drafts included, goes with it. `reason` as in RFC
    /// 5280, 5.3.1; with [`HOLD`] it is suspended, and can be released or revoked, which keeps the date
    /// (X.509, 9.5.2.4). [`Change::None`] when it was revoked before, or suspended and is to be again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such certificate.
    pub async fn record_certificate_revoked(
        &self,
        serial: &str,
        reason: u32,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        let serial = serial.to_owned();
        self.change(entry, move |db| {
            let before: Option<Option<u32>> = db
                .prepare_cached("SELECT revocation_reason FROM certificate WHERE serial = ?1")?
                .query_row([&serial], |row| row.get(0))
                .optional()?;
            match before {
                None => return Err(StoreError::NotFound(Record::Certificate)),
                Some(None) => {}
                Some(Some(HOLD)) if reason != HOLD => {}
                Some(Some(_)) => return Ok(Found::Same(())),
            }
            let gone = match reason {
                SUPERSEDED => with_pair(db, &serial)?,
                _ => of_same_key(db, &serial)?,
            };
            revoke_all(db, &gone, reason, at)?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// Takes back that a certificate is suspended, and with it whatever certifies the same key, and the
    /// encryption certificates that make pairs with those. What had ended stays ended.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such certificate; [`StoreError::Conflict`] when it is not
    /// suspended, or its key was given up for good under another certificate.
    pub async fn record_certificate_released(
        &self,
        serial: &str,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let serial = serial.to_owned();
        self.record(entry, move |db, _| {
            let before: Option<Option<u32>> = db
                .prepare_cached("SELECT revocation_reason FROM certificate WHERE serial = ?1")?
                .query_row([&serial], |row| row.get(0))
                .optional()?;
            match before {
                None => return Err(StoreError::NotFound(Record::Certificate)),
                Some(Some(HOLD)) => {}
                Some(_) => return Err(StoreError::Conflict(Obstacle::CertificateNotHeld)),
            }
            let given_up: bool = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM certificate WHERE revocation_reason NOT IN (?2, ?3)
                     AND key_digest = (SELECT key_digest FROM certificate WHERE serial = ?1))",
                )?
                .query_row((&serial, HOLD, SUPERSEDED), |row| row.get(0))?;
            if given_up {
                return Err(StoreError::Conflict(Obstacle::CertificateNotHeld));
            }
            let mut release = db.prepare_cached(
                "UPDATE certificate SET revoked_at = NULL, revocation_reason = NULL
                 WHERE serial = ?1 AND revocation_reason = ?2",
            )?;
            for serial in of_same_key(db, &serial)? {
                release.execute((serial, HOLD))?;
            }
            Ok(())
        })
        .await
    }

    /// Serial numbers of whatever certifies the key of a certificate, itself included, and of the
    /// encryption certificates that make pairs with those.
    pub async fn certificates_of_same_key(&self, serial: &str) -> Result<Vec<String>, StoreError> {
        let serial = serial.to_owned();
        self.read(move |db| Ok(of_same_key(db, &serial)?)).await
    }

    /// A certificate or draft by its serial number.
    pub async fn certificate(&self, serial: &str) -> Result<Option<Certificate>, StoreError> {
        let serial = serial.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached("SELECT * FROM certificate WHERE serial = ?1")?;
            Ok(select.query_row([serial], Certificate::read).optional()?)
        })
        .await
    }

    /// Serial number of the encryption certificate that makes a pair with this signing certificate.
    pub async fn encryption_certificate_of(
        &self,
        serial: &str,
    ) -> Result<Option<String>, StoreError> {
        let serial = serial.to_owned();
        self.read(move |db| {
            let mut select =
                db.prepare_cached("SELECT serial FROM certificate WHERE pair_of = ?1")?;
            Ok(select.query_row([serial], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// How a certificate of this authority stands: `None` when it issued none of this serial number,
    /// `Some(None)` when it is not revoked.
    pub async fn certificate_standing(
        &self,
        issuer: &str,
        serial: &str,
    ) -> Result<Option<Option<RevokedSerial>>, StoreError> {
        let (issuer, serial) = (issuer.to_owned(), serial.to_owned());
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT revoked_at, revocation_reason FROM certificate
                 WHERE serial = ?1 AND issuer = ?2 AND der IS NOT NULL",
            )?;
            let standing = select.query_row((&serial, issuer), |row| {
                let Some(Micros(revoked_at)) = row.get(0)? else { return Ok(None) };
                Ok(Some(RevokedSerial { serial: serial.clone(), revoked_at, reason: row.get(1)? }))
            });
            Ok(standing.optional()?)
        })
        .await
    }

    /// The certificates of an identity, the oldest first; of a pair, the signing certificate first.
    pub async fn certificates_of(
        &self,
        identity: IdentityId,
    ) -> Result<Vec<Certificate>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM certificate WHERE identity = ?1
                 ORDER BY drafted_at, pair_of IS NOT NULL, serial",
            )?;
            let rows = select.query_map([identity], Certificate::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Drafts without a certificate: something stopped between recording and signing, and the key
    /// may have signed them.
    pub async fn unsigned_drafts(&self) -> Result<Vec<Certificate>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT * FROM certificate WHERE der IS NULL ORDER BY drafted_at",
            )?;
            let rows = select.query_map([], Certificate::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

/// Within a fact: revokes or suspends certificates that are not revoked for good, and ends the sessions and tokens
/// that rest on them.
pub(super) fn revoke_all(
    db: &Connection,
    serials: &[String],
    reason: u32,
    at: UtcTime,
) -> Result<(), StoreError> {
    let mut revoke = db.prepare_cached(
        "UPDATE certificate
         SET revoked_at = coalesce(revoked_at, ?2), revocation_reason = ?3
         WHERE serial = ?1 AND coalesce(revocation_reason, ?4) = ?4",
    )?;
    let mut end_sessions = db.prepare_cached(
        "UPDATE session SET closed_at = ?2 WHERE certificate = ?1 AND closed_at IS NULL",
    )?;
    let mut end_tokens = db.prepare_cached(
        "UPDATE token SET revoked_at = ?2
         WHERE certificate = ?1 AND revoked_at IS NULL AND expires_at > ?2",
    )?;
    for serial in serials {
        revoke.execute((serial, Micros(at), reason, HOLD))?;
        end_sessions.execute((serial, Micros(at)))?;
        end_tokens.execute((serial, Micros(at)))?;
    }
    if reason != HOLD {
        serials.iter().try_for_each(|serial| end_keys_of(db, serial, at))?;
    }
    Ok(())
}

fn with_pair(db: &Connection, serial: &str) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached("SELECT serial FROM certificate WHERE serial = ?1 OR pair_of = ?1")?
        .query_map([serial], |row| row.get(0))?
        .collect()
}

fn of_same_key(db: &Connection, serial: &str) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "WITH same AS (
             SELECT serial FROM certificate
             WHERE key_digest = (SELECT key_digest FROM certificate WHERE serial = ?1))
         SELECT serial FROM same UNION SELECT serial FROM certificate WHERE pair_of IN same",
    )?
    .query_map([serial], |row| row.get(0))?
    .collect()
}

/// The certificates that one has to do with, by their serial numbers.
#[derive(Clone, Copy, Default)]
pub(super) struct Relations<'a> {
    /// Of an encryption certificate, the signing certificate.
    pub(super) pair_of: Option<&'a str>,
    /// The one that it renews.
    pub(super) renews: Option<&'a str>,
}

/// Within a fact: records what is about to be signed.
pub(super) fn insert_draft(
    db: &Connection,
    draft: CertificateDraft,
    Relations { pair_of, renews }: Relations<'_>,
) -> Result<(), StoreError> {
    let d = draft;
    db.prepare_cached(
        "INSERT INTO certificate
         (serial, identity, issuer, key_digest, body, not_before, not_after, drafted_at,
          pair_of, renews)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((
        &d.serial,
        d.identity,
        d.issuer,
        d.key_digest,
        d.body,
        Micros(d.not_before),
        Micros(d.not_after),
        Micros(d.drafted_at),
        pair_of,
        renews,
    ))?;
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO certificate_identifier VALUES (?1, ?2)")?;
    for text in d.identifiers {
        insert.execute((text, &d.serial))?;
    }
    Ok(())
}

/// Within a fact: records the signed certificate of a draft.
pub(super) fn sign_draft(
    db: &Connection,
    serial: &str,
    der: &[u8],
    position: u64,
) -> Result<(), StoreError> {
    let state: Option<(bool, bool)> = db
        .prepare_cached(
            "SELECT der IS NOT NULL, revoked_at IS NOT NULL FROM certificate WHERE serial = ?1",
        )?
        .query_row([serial], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match state {
        None => return Err(StoreError::NotFound(Record::Certificate)),
        Some((true, _)) => return Err(StoreError::Conflict(Obstacle::CertificateSigned)),
        // Its key was given up, or another renewal took its place, since it was drafted.
        Some((false, true)) => return Err(StoreError::Conflict(Obstacle::CertificateNotValid)),
        Some((false, false)) => {}
    }
    db.prepare_cached("UPDATE certificate SET der = ?2, log_position = ?3 WHERE serial = ?1")?
        .execute((serial, der, position))?;
    Ok(())
}
