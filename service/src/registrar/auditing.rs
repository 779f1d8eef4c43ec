//! The log, for auditors. Their searches are entries themselves.

use audit::Outcome;
use tokio::sync::mpsc;

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Reason,
    clock::rfc3339,
    policy::Act,
    store::{Cursor, LogEntry, SearchFilter, StoreError},
};

/// A proof, with the checkpoint it leads to when that is the newest one.
pub struct Proof {
    /// Size of the tree that was proved against.
    pub tree_size: u64,
    /// The leaf, for an inclusion proof.
    pub entry: Vec<u8>,
    /// Hashes of the proof.
    pub path: Vec<[u8; 32]>,
    /// The newest checkpoint, when it has that size.
    pub checkpoint: Option<String>,
}

impl Registrar {
    /// Entries that match, newest first.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn search_log(
        &self,
        caller: &Caller,
        filter: SearchFilter,
        cursor: Option<Cursor>,
        limit: u32,
    ) -> Result<(Vec<LogEntry>, Option<Cursor>), Error> {
        self.allow(caller, Act::AuditRead).await?;
        let mut entry = self.entry(caller, Act::AuditRead, Outcome::Granted).with("kind", "search");
        for (key, value) in [
            ("resident", &filter.resident),
            ("actor", &filter.actor),
            ("action", &filter.action),
            ("visit", &filter.visit),
        ] {
            if let Some(value) = value {
                entry = entry.with(key, value.as_str());
            }
        }
        if let Some(outcome) = filter.outcome {
            entry = entry.with("outcome", outcome.as_str());
        }
        if filter.alerts {
            entry = entry.with("alerts", "only");
        }
        for (key, at) in [("from", filter.from), ("until", filter.until)] {
            if let Some(at) = at {
                entry = entry.with(key, rfc3339(at));
            }
        }
        self.record_act(entry).await?;
        Ok(self.store.search(filter, cursor, limit).await?)
    }

    /// One entry.
    ///
    /// # Errors
    /// ENTRY_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn log_entry(&self, caller: &Caller, position: u64) -> Result<LogEntry, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let row = self.known_entry(position).await?;
        self.record_audit_read(caller, "get", position).await?;
        Ok(row)
    }

    /// Proof that an entry is in the log of a size; 0 means that of the newest checkpoint.
    ///
    /// # Errors
    /// ENTRY_NOT_FOUND; ROLE_NOT_ALLOWED.
    pub async fn prove_entry(
        &self,
        caller: &Caller,
        position: u64,
        tree_size: u64,
    ) -> Result<Proof, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let entry = self.known_entry(position).await?.entry;
        self.record_audit_read(caller, "prove", position).await?;
        let (tree_size, checkpoint) = self.size_or_newest(tree_size);
        let path = self.store.prove(position, tree_size).await?;
        Ok(Proof { tree_size, entry, path, checkpoint })
    }

    /// Proof that the log of one size is the beginning of the log of another.
    ///
    /// # Errors
    /// ENTRY_NOT_FOUND for sizes that the log never had; ROLE_NOT_ALLOWED.
    pub async fn prove_consistency(
        &self,
        caller: &Caller,
        first: u64,
        second: u64,
    ) -> Result<Proof, Error> {
        self.allow(caller, Act::AuditRead).await?;
        self.record_audit_read(caller, "consistency", first).await?;
        let (tree_size, checkpoint) = self.size_or_newest(second);
        let path = self.store.consistency(first, tree_size).await?;
        Ok(Proof { tree_size, entry: Vec::new(), path, checkpoint })
    }

    /// The newest checkpoint and the key it is checked with. Public.
    #[must_use]
    pub fn checkpoint(&self) -> (String, String) {
        (self.store.checkpoint().1, self.store.verifier_key().to_string())
    }

    /// Starts an export of the log from a position up to and without another; 0 means up to the
    /// end. The export leaves an entry, which is part of it when it goes to the end.
    ///
    /// # Errors
    /// ENTRY_NOT_FOUND for a range that is not in the log; ROLE_NOT_ALLOWED.
    pub async fn export_log(
        &self,
        caller: &Caller,
        from: u64,
        until: u64,
    ) -> Result<mpsc::Receiver<Result<Vec<u8>, StoreError>>, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let entry = self
            .entry(caller, Act::AuditRead, Outcome::Granted)
            .with("kind", "export")
            .with("from", from.to_string())
            .with("until", until.to_string());
        self.record_act(entry).await?;
        let until = if until == 0 { self.store.checkpoint().0 } else { until };
        Ok(self.store.export(from, until).await?)
    }

    async fn known_entry(&self, position: u64) -> Result<LogEntry, Error> {
        let row = self.store.entry(position).await?;
        row.ok_or(Reason::ENTRY_NOT_FOUND.into())
    }

    async fn record_audit_read(
        &self,
        caller: &Caller,
        kind: &str,
        position: u64,
    ) -> Result<(), Error> {
        let entry = self
            .entry(caller, Act::AuditRead, Outcome::Granted)
            .with("kind", kind)
            .with("position", position.to_string());
        self.record_act(entry).await.map(drop)
    }

    fn size_or_newest(&self, size: u64) -> (u64, Option<String>) {
        let (newest, note) = self.store.checkpoint();
        match size {
            0 => (newest, Some(note)),
            size => (size, (size == newest).then_some(note)),
        }
    }
}
