//! The roots that there were, and what links each with the next.

use audit::Entry;

use super::{Authority, Receipt, Store, StoreError};

/// A root that is being succeeded by the next one, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSuccession {
    /// Its certificate, DER.
    pub before: Vec<u8>,
    /// The next key, certified by the key before, DER.
    pub new_with_old: Vec<u8>,
    /// The last list of the key before, DER.
    pub last_list: Vec<u8>,
    /// The key before, certified by the next one, DER; `None` while that one is not in use.
    pub old_with_new: Option<Vec<u8>>,
}

impl Store {
    /// Records that a root is about to be succeeded: what the key before signs for it. In the place of
    /// what was recorded for another key that never came into use.
    pub async fn record_root_link(
        &self,
        link: RootSuccession,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            db.prepare_cached(
                "INSERT INTO root_succession (before, new_with_old, last_list) VALUES (?1, ?2, ?3)
                 ON CONFLICT (before) DO UPDATE SET
                 new_with_old = excluded.new_with_old, last_list = excluded.last_list
                 WHERE old_with_new IS NULL",
            )?
            .execute((link.before, link.new_with_old, link.last_list))?;
            Ok(())
        })
        .await
    }

    /// Records that a root was succeeded: the certificates of the authorities by the new one, and its
    /// link to the one before. The lists of the root begin anew.
    pub async fn record_root_succession(
        &self,
        before: Vec<u8>,
        old_with_new: Vec<u8>,
        authorities: Vec<Authority>,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            db.prepare_cached("UPDATE root_succession SET old_with_new = ?2 WHERE before = ?1")?
                .execute((&before, &old_with_new))?;
            for lists in ["revocation_list", "revocation_list_base"] {
                db.execute(
                    &format!(
                        "DELETE FROM {lists}
                         WHERE issuer = (SELECT name FROM authority WHERE der = ?1)"
                    ),
                    [&before],
                )?;
            }
            authorities.into_iter().try_for_each(|authority| super::authorities::put(db, authority))
        })
        .await
    }

    /// All successions, the oldest first.
    pub async fn root_successions(&self) -> Result<Vec<RootSuccession>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT before, new_with_old, last_list, old_with_new FROM root_succession
                 ORDER BY id",
            )?;
            let rows = select.query_map([], |row| {
                Ok(RootSuccession {
                    before: row.get(0)?,
                    new_with_old: row.get(1)?,
                    last_list: row.get(2)?,
                    old_with_new: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}
