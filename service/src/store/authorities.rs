//! The certificates that vouch for all others.

use audit::Entry;
use rusqlite::Connection;

use super::{Receipt, Store, StoreError};

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
