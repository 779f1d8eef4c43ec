//! The certificates that vouch for all others.

use audit::Entry;
use rusqlite::Connection;

use super::{HOLD, Receipt, Store, StoreError, certificates::revoke_all, micros::Micros};
use crate::clock::UtcTime;

/// Reason code of what an authority certified whose key may be in other hands (cACompromise; RFC 5280, 5.3.1).
const AUTHORITY_COMPROMISE: u32 = 2;

/// A certificate authority of this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Name of its key.
    pub name: String,
    /// Its certificate, DER.
    pub der: Vec<u8>,
}

impl Store {
    /// Records the certificate of an authority, in the place of an earlier one of that name, which is
    /// kept among those of before.
    pub async fn record_authority(
        &self,
        authority: Authority,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| put(db, authority)).await
    }

    /// All authorities, by name.
    pub async fn authorities(&self) -> Result<Vec<Authority>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT name, der FROM authority ORDER BY name")?;
            let rows = select
                .query_map([], |row| Ok(Authority { name: row.get(0)?, der: row.get(1)? }))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Certificates that were replaced, by name and the oldest first.
    pub async fn authorities_before(&self) -> Result<Vec<Authority>, StoreError> {
        self.read(|db| {
            let mut select =
                db.prepare_cached("SELECT name, der FROM authority_before ORDER BY name, rowid")?;
            let rows = select
                .query_map([], |row| Ok(Authority { name: row.get(0)?, der: row.get(1)? }))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Records that the key of an authority may be in other hands: the root's next list has its certificate
    /// of this serial number, and whatever it certified is revoked, with the sessions and tokens that rest on
    /// it.
    pub async fn record_authority_revoked(
        &self,
        (root, serial): (&str, &str),
        name: &str,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        let [root, serial, name] = [root, serial, name].map(str::to_owned);
        self.record(entry, move |db, _| {
            db.prepare_cached("INSERT INTO authority_revocation VALUES (?1, ?2)")?
                .execute((&name, Micros(at)))?;
            db.prepare_cached("INSERT INTO certificate_change (issuer, serial) VALUES (?1, ?2)")?
                .execute((root, serial))?;
            let serials: Vec<String> = db
                .prepare_cached(
                    "SELECT serial FROM certificate
                     WHERE issuer = ?1 AND coalesce(revocation_reason, ?2) = ?2",
                )?
                .query_map((name, HOLD), |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            revoke_all(db, &serials, AUTHORITY_COMPROMISE, at)
        })
        .await
    }

    /// Authorities that were revoked, and since when.
    pub async fn authority_revocations(&self) -> Result<Vec<(String, UtcTime)>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT name, revoked_at FROM authority_revocation ORDER BY name",
            )?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, Micros>(1)?.0)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

/// Puts a certificate into the place of an earlier one of that name.
pub(super) fn put(db: &Connection, authority: Authority) -> Result<(), StoreError> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO authority_before (der, name)
         SELECT der, name FROM authority WHERE name = ?1 AND der <> ?2",
    )?
    .execute((&authority.name, &authority.der))?;
    db.prepare_cached(
        "INSERT INTO authority (name, der) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET der = excluded.der",
    )?
    .execute((authority.name, authority.der))?;
    Ok(())
}
