//! The certificates that vouch for all others, and the current revocation lists.

use audit::Entry;
use rusqlite::OptionalExtension as _;

use super::{Obstacle, Receipt, Store, StoreError};

/// A certificate authority of this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Name of its key.
    pub name: String,
    /// Its certificate, DER.
    pub der: Vec<u8>,
}

/// The newest revocation list of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// Name of the authority.
    pub issuer: String,
    /// Its number (RFC 5280, 5.2.3).
    pub number: u64,
    /// The list, DER.
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
        self.record(entry, move |db, _| {
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
        })
        .await
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

    /// Records a revocation list; only the newest stays.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when one of this number or a greater one is on record.
    pub async fn record_crl(
        &self,
        list: RevocationList,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let recorded = db
                .prepare_cached(
                    "INSERT INTO revocation_list (issuer, number, der) VALUES (?1, ?2, ?3)
                     ON CONFLICT (issuer) DO UPDATE
                     SET number = excluded.number, der = excluded.der
                     WHERE excluded.number > number",
                )?
                .execute((list.issuer, list.number, list.der))?;
            match recorded {
                0 => Err(StoreError::Conflict(Obstacle::OlderRevocationList)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// The newest revocation list of an authority. The next one has the number after it.
    pub async fn crl(&self, issuer: &str) -> Result<Option<RevocationList>, StoreError> {
        let issuer = issuer.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT issuer, number, der FROM revocation_list WHERE issuer = ?1",
            )?;
            let list = select.query_row([issuer], |row| {
                Ok(RevocationList { issuer: row.get(0)?, number: row.get(1)?, der: row.get(2)? })
            });
            Ok(list.optional()?)
        })
        .await
    }
}
