//! What the file says of itself: of which log it is, how far it has come, and the root over the residents. That root is
//! signed with what is told of the index, and nothing but the whole log shows that it is right: it is believed only with
//! the code that this service put beside it.

use std::fmt;

use audit::{history::Statement, tree::Hash};
use hsm::sm3;
use rusqlite::{Connection, OptionalExtension as _};
use zeroize::Zeroizing;

use super::file::VERSION;
use crate::store::StoreError;

/// The key of the codes, which is for nothing else and is nowhere but in memory.
pub struct ResidentIndexKey(Box<Zeroizing<[u8; 32]>>);

impl ResidentIndexKey {
    /// The key of these octets, which are for the caller to wipe.
    #[must_use]
    pub fn new(octets: &[u8; 32]) -> Self {
        let mut key = Box::new(Zeroizing::new([0; 32]));
        key.copy_from_slice(octets);
        Self(key)
    }
}

impl fmt::Debug for ResidentIndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResidentIndexKey(..)")
    }
}

const SELECT: &str = "SELECT origin, size, log_root, root, removed, removed_root, mac FROM state";

/// The row of `state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Name of the log.
    pub(super) origin: String,
    /// Entries that are counted.
    pub(super) size: u64,
    /// Root of the log of that size.
    pub(super) log_root: Hash,
    /// Root of the index.
    pub(super) root: Hash,
    /// Entries that were removed, and the root of the index over them.
    pub(super) removed: Statement,
}

impl State {
    /// The index.
    pub(super) fn index(&self) -> Statement {
        Statement { size: self.size, root: self.root }
    }

    /// Reads the row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where there is none that was written with this key.
    pub(super) fn read(db: &Connection, key: &ResidentIndexKey) -> Result<Self, StoreError> {
        let row = db
            .query_row(SELECT, [], |row| {
                let state = Self {
                    origin: row.get("origin")?,
                    size: row.get("size")?,
                    log_root: row.get("log_root")?,
                    root: row.get("root")?,
                    removed: Statement {
                        size: row.get("removed")?,
                        root: row.get("removed_root")?,
                    },
                };
                Ok((state, row.get::<_, Vec<u8>>("mac")?))
            })
            .optional()?;
        row.filter(|(state, mac)| sm3::verify_hmac(&key.0[..], &[&state.fields()], mac).is_ok())
            .map(|(state, _)| state)
            .ok_or_else(|| StoreError::Damaged("what the index of residents says of itself".into()))
    }

    /// Writes it in the place of what is there.
    pub(super) fn write(&self, db: &Connection, key: &ResidentIndexKey) -> Result<(), StoreError> {
        let mac = sm3::hmac(&key.0[..], &[&self.fields()]);
        db.prepare_cached(
            "REPLACE INTO state (one, origin, size, log_root, root, removed, removed_root, mac)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            &self.origin,
            self.size,
            self.log_root,
            self.root,
            self.removed.size,
            self.removed.root,
            mac,
        ))?;
        Ok(())
    }

    /// What the code is over: the version of the tables and every field. What has no fixed length comes last.
    fn fields(&self) -> Vec<u8> {
        let Self { origin, size, log_root, root, removed } = self;
        let (version, size) = (VERSION.to_be_bytes(), size.to_be_bytes());
        let (until, before) = (removed.size.to_be_bytes(), &removed.root);
        [&version[..], &size, log_root, root, &until, before, origin.as_bytes()].concat()
    }
}
