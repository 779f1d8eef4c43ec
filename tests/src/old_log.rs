//! A log that is older than any test waits: entries of months ago, signed by the log's own key while no service runs.

use std::fs;
use std::path::PathBuf;

use audit::Entry;
use hsm::soft::{Passphrase, SoftKeystore};
use rusqlite::Connection;
use service::clock::{UtcTime, rfc3339};
use service::config::Config;
use service::keys::Keys;
use service::store::Store;

use crate::hospital::Hospital;

/// The log of a hospital whose service does not run.
#[derive(Debug)]
pub struct OldLog {
    data: PathBuf,
    passphrase: PathBuf,
}

impl OldLog {
    /// That of this hospital.
    #[must_use]
    pub fn of(hospital: &Hospital) -> Self {
        let [data, passphrase] = ["data", "passphrase"].map(|it| hospital.stage.path(it));
        Self { data, passphrase }
    }

    fn database(&self) -> PathBuf {
        self.data.join("healthcard.db")
    }

    fn open(&self, database: &std::path::Path) -> Store {
        let passphrase = Passphrase::from_file(&self.passphrase).expect("a passphrase");
        let keystore = self.data.join("keystore.hck");
        let keystore = SoftKeystore::open(&keystore, &passphrase).expect("a keystore");
        let keys = Keys::new(keystore, Ok(())).of_log().expect("a key");
        let name = Config::load(&self.data).expect("settings").name;
        Store::open(database, keys, &name).expect("a log")
    }

    /// Has every entry say another time, as if all of it had happened then.
    ///
    /// # Panics
    /// When it is not such a log.
    pub async fn tell_as_of(&self, at: UtcTime) {
        let database = Connection::open(self.database()).expect("a database");
        let mut select =
            database.prepare("SELECT entry FROM leaf ORDER BY position").expect("a log");
        let leaves = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("entries");
        let leaves: Vec<_> = leaves.map(|leaf| leaf.expect("an entry")).collect();
        drop(select);
        let other = self.data.join("old.db");
        let store = self.open(&other);
        for leaf in leaves {
            let mut entry = Entry::decode(&leaf).expect("an entry");
            entry.at = rfc3339(at);
            store.record_act(entry).await.expect("recorded");
        }
        drop(store);
        let taken = format!(
            "ATTACH '{}' AS old; BEGIN;
             DELETE FROM leaf; INSERT INTO leaf SELECT * FROM old.leaf;
             DELETE FROM tile; INSERT INTO tile SELECT * FROM old.tile;
             DELETE FROM checkpoint; INSERT INTO checkpoint SELECT * FROM old.checkpoint;
             COMMIT; DETACH old;",
            other.display()
        );
        database.execute_batch(&taken).expect("taken over");
        let beside = |suffix: &str| self.data.join(format!("healthcard.db{suffix}"));
        fs::rename(self.data.join("old.db.checkpoint"), beside(".checkpoint")).expect("its end");
        // Of the log as it was.
        drop(fs::remove_file(beside(".index")));
        for suffix in ["", "-wal", "-shm", ".lock", ".index", ".index-wal", ".index-shm"] {
            drop(fs::remove_file(self.data.join(format!("old.db{suffix}"))));
        }
    }

    /// Closes the segment that came to its end, with an entry of that time.
    ///
    /// # Panics
    /// When none did.
    pub async fn close_segment(&self, length: u64, resident: &str, closing: Entry) {
        let store = self.open(&self.database());
        store.divide(length);
        // Whoever asks for a history waits for the index.
        store.history(resident.parse().expect("a resident")).await.expect("an index");
        let draft = store.segment_draft().await.expect("a log").expect("a segment");
        store.record_segment_closed(draft, closing).await.expect("closed");
    }

    /// Writes entries until the log has so many.
    ///
    /// # Panics
    /// When that fails.
    pub async fn fill(&self, size: u64, entry: impl Fn(u64) -> Entry) {
        let store = self.open(&self.database());
        for position in store.log_size()..size {
            store.record_act(entry(position)).await.expect("recorded");
        }
    }
}
