//! What happened to versions of keys, as the log has it.

use audit::Entry;

use super::{Store, StoreError, micros::Micros};
use crate::{clock::UtcTime, policy::Act};

/// Something that happened to a version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAct {
    /// The version.
    pub version: u32,
    /// The thumbprint of its public key, of a key that signs.
    pub thumbprint: Option<String>,
    /// When.
    pub at: UtcTime,
}

impl Store {
    /// Acts of this kind on this key, the oldest first. There are few: each takes an entry of its own.
    pub async fn key_acts(&self, act: Act, key: &hsm::KeyRef) -> Result<Vec<KeyAct>, StoreError> {
        let key = key.to_string();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT entry, at FROM leaf INDEXED BY leaf_action WHERE action = ?1 ORDER BY at, position",
            )?;
            let mut rows = select.query([act.as_str()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let damaged = || StoreError::Damaged("an entry about a key".to_owned());
                let entry = Entry::decode(&row.get::<_, Vec<u8>>(0)?).map_err(|_| damaged())?;
                if entry.object.as_ref().is_none_or(|object| object.id != key) {
                    continue;
                }
                let version = entry.detail.get("version").and_then(|it| it.parse().ok());
                found.push(KeyAct {
                    version: version.ok_or_else(damaged)?,
                    thumbprint: entry.detail.get("thumbprint").cloned(),
                    at: row.get::<_, Micros>(1)?.0,
                });
            }
            Ok(found)
        })
        .await
    }
}
