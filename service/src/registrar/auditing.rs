//! The log, for auditors. Their searches are entries themselves.

use audit::{Outcome, checkpoint::VerifierKey, receipt};
use tokio::sync::mpsc;

use super::{Caller, Error, Registrar};
use crate::{
    catalogue::Reason,
    clock::rfc3339,
    policy::Act,
    store::{Counted, Cursor, LogEntry, Receipt, SearchFilter, StoreError, WithinEntry},
    vocabulary::CountBy,
};

/// Entries that whoever follows is shown in one go.
const FOLLOWED: u64 = 1000;

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

/// Who signs the log, and who did.
pub struct KeysOverTime {
    /// The key in use first, each with the newest checkpoint that is kept and that it signed.
    pub keys: Vec<(VerifierKey, Option<String>)>,
    /// Of the witnesses that are known.
    pub witnesses: Vec<String>,
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
        self.record_search(caller, "search", &filter).await?;
        Ok(self.store.search(filter, cursor, limit).await?)
    }

    /// Where the log begins: what stood before was removed.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn log_begins(&self) -> u64 {
        self.store.log_begins()
    }

    /// How many entries match, by what they say.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn count_log(
        &self,
        caller: &Caller,
        filter: SearchFilter,
        by: CountBy,
        cursor: Option<Cursor>,
    ) -> Result<Counted, Error> {
        self.record_search(caller, "count", &filter).await?;
        Ok(self.store.count(filter, by, cursor).await?)
    }

    /// That somebody follows the log from now on is in the log; where to begin.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn follow_log(&self, caller: &Caller, filter: &SearchFilter) -> Result<u64, Error> {
        Ok(self.record_search(caller, "follow", filter).await?.position + 1)
    }

    /// What matches among the entries from a position on, for whoever follows; where to go on.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn log_after(
        &self,
        filter: &SearchFilter,
        from: u64,
    ) -> Result<(Vec<LogEntry>, u64), Error> {
        let until = self.store.log_size().min(from + FOLLOWED).max(from);
        Ok((self.store.matching(filter.clone(), from, until).await?, until))
    }

    /// All that was asked for is in the log before the answer.
    async fn record_search(
        &self,
        caller: &Caller,
        kind: &str,
        filter: &SearchFilter,
    ) -> Result<Receipt, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let SearchFilter { resident, actor, action, visit, within, .. } = filter;
        let WithinEntry { institution, role, address, purpose, rule, reason, question } = within;
        let mut entry = self.entry(caller, Act::AuditRead, Outcome::Granted).with("kind", kind);
        for (key, value) in [
            ("resident", resident),
            ("actor", actor),
            ("action", action),
            ("visit", visit),
            ("institution", institution),
            ("role", role),
            ("address", address),
            ("purpose", purpose),
            ("rule", rule),
            // `reason` says why an entry itself is one of a refusal.
            ("refused-for", reason),
        ] {
            if let Some(value) = value {
                entry = entry.with(key, value.as_str());
            }
        }
        if let Some(resident) = resident {
            entry = entry.about(resident.as_str());
        }
        if let Some(outcome) = filter.outcome {
            entry = entry.with("outcome", outcome.as_str());
        }
        if let Some(question) = question {
            entry = entry.with("question", question.as_str());
        }
        if filter.alerts {
            entry = entry.with("alerts", "only");
        }
        for (key, at) in [("from", filter.from), ("until", filter.until)] {
            if let Some(at) = at {
                entry = entry.with(key, rfc3339(at));
            }
        }
        self.record_act(entry).await
    }

    /// One entry.
    ///
    /// # Errors
    /// ENTRY_NOT_FOUND; ENTRIES_REMOVED; ROLE_NOT_ALLOWED.
    pub async fn log_entry(&self, caller: &Caller, position: u64) -> Result<LogEntry, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let row = self.known_entry(position).await?;
        self.record_audit_read(caller, "get", position).await?;
        Ok(row)
    }

    /// Proof that an entry is in the log of a size; 0 means that of the newest checkpoint.
    ///
    /// # Errors
    /// ENTRY_NOT_FOUND; ENTRIES_REMOVED; ROLE_NOT_ALLOWED.
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

    /// A receipt for an entry, which binds the newest checkpoint to it.
    ///
    /// # Errors
    /// [`StoreError`], also where there is no such entry.
    pub async fn receipt(&self, position: u64) -> Result<receipt::Receipt, StoreError> {
        self.store.receipt(position).await
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
    /// ENTRY_NOT_FOUND for a range that is not in the log; ENTRIES_REMOVED; ROLE_NOT_ALLOWED.
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

    /// The keys of the log over time, and those of the witnesses.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn log_keys(&self, caller: &Caller) -> Result<KeysOverTime, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let entry = self.entry(caller, Act::AuditRead, Outcome::Granted).with("kind", "keys");
        self.record_act(entry).await?;
        let keys = self.store.keys_over_time().await?;
        Ok(KeysOverTime { keys, witnesses: self.witness_keys() })
    }

    /// Those of the certificates with these serial numbers that are on record and were signed, DER.
    ///
    /// # Errors
    /// ROLE_NOT_ALLOWED.
    pub async fn certificates_in_log(
        &self,
        caller: &Caller,
        serials: &[String],
    ) -> Result<Vec<Vec<u8>>, Error> {
        self.allow(caller, Act::AuditRead).await?;
        let entry = self
            .entry(caller, Act::AuditRead, Outcome::Granted)
            .with("kind", "certificates")
            .with("number", serials.len().to_string());
        self.record_act(entry).await?;
        let mut found = Vec::new();
        for serial in serials {
            found.extend(self.store.certificate(serial).await?.and_then(|it| it.der));
        }
        Ok(found)
    }

    async fn known_entry(&self, position: u64) -> Result<LogEntry, Error> {
        if let Some(row) = self.store.entry(position).await? {
            return Ok(row);
        }
        let begins = self.store.log_begins();
        match position < begins {
            true => Err(StoreError::Removed { begins }.into()),
            false => Err(Reason::ENTRY_NOT_FOUND.into()),
        }
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
