//! What happened to versions of keys, as the log has it.

use audit::Entry;

use super::{
    Store, StoreError,
    micros::Micros,
    removals::{are_kept, as_signed, in_force, with_action},
};
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
    /// Acts of this kind on this key, the oldest first. There are few: each takes an entry of its own, which stays when
    /// others are removed.
    pub async fn key_acts(&self, act: Act, key: &hsm::KeyRef) -> Result<Vec<KeyAct>, StoreError> {
        let key = key.to_string();
        let known = self.log_begins();
        self.read_signed(move |moment, head| {
            let (begins, kept) =
                in_force(moment, head)?.map_or((0, 0), |it| (it.segment.until, it.right.kept));
            // What is hidden of them is no less damaged.
            if begins < known || !are_kept(moment, begins, kept)? {
                return Err(StoreError::Damaged("what is kept of removed entries".to_owned()));
            }
            let mut found = Vec::new();
            for (position, octets) in with_action(moment, act.as_str(), begins)? {
                let damaged = || StoreError::Damaged("an entry about a key".to_owned());
                let entry = Entry::decode(&octets).map_err(|_| damaged())?;
                // Columns of leaves are scrubbed; what is kept of others is proved each time.
                if position < begins && as_signed(moment, position, head)?.as_ref() != Some(&entry)
                {
                    return Err(damaged());
                }
                if entry.object.as_ref().is_none_or(|object| object.id != key) {
                    continue;
                }
                let version = entry.detail.get("version").and_then(|it| it.parse().ok());
                found.push(KeyAct {
                    version: version.ok_or_else(damaged)?,
                    thumbprint: entry.detail.get("thumbprint").cloned(),
                    at: Micros::of(&entry)?.0,
                });
            }
            // Of one time they stay in the order of the log.
            found.sort_by_key(|act| act.at);
            Ok(found)
        })
        .await
    }
}
