//! Witnesses (见证方): other parties who sign that the log only grows. What they show us of it may be news to us as well.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use audit::{Outcome, checkpoint::Checkpoint, cosignature, tree::Hash};
use time::Duration;

use super::{Error, Registrar, entry_by, service_actor};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    config,
    policy::Act,
    store::{Cosignature, StoreError},
};

/// How far a witness's clock may be from ours.
const CLOCKS: Duration = Duration::minutes(5);
/// Pieces of evidence that are remembered, so that each is in the log once.
const MOST: usize = 16;

/// Whoever signs the log as a witness, and what they brought up.
#[derive(Debug)]
pub(super) struct Witnesses {
    known: config::Witnesses,
    /// Roots of checkpoints that are ours and not of this log, and what was told of them.
    brought_up: Mutex<BTreeSet<(Hash, &'static str)>>,
}

impl Witnesses {
    pub(super) fn new(known: config::Witnesses) -> Self {
        Self { known, brought_up: Mutex::default() }
    }

    /// Whether it is the first time that this is brought up.
    fn is_news(&self, root: Hash, alert: &'static str) -> bool {
        let mut brought_up = self.brought_up.lock().unwrap_or_else(PoisonError::into_inner);
        brought_up.len() < MOST && brought_up.insert((root, alert))
    }

    fn forget(&self, root: Hash, alert: &'static str) {
        let mut brought_up = self.brought_up.lock().unwrap_or_else(PoisonError::into_inner);
        brought_up.remove(&(root, alert));
    }
}

/// What a witness is shown.
pub struct Growth {
    /// The newest checkpoint, a signed note.
    pub checkpoint: String,
    /// Consistency proof from the one that it holds.
    pub path: Vec<Hash>,
}

/// A witness, and what it signed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessState {
    /// Its name.
    pub witness: String,
    /// Size of the log and time, of what it signed last.
    pub last: Option<(u64, UtcTime)>,
    /// Whether that is longer ago than the settings allow.
    pub late: bool,
}

impl Registrar {
    /// How the log grew from a checkpoint that a witness holds; from the beginning where it holds none.
    ///
    /// # Errors
    /// CHECKPOINT_UNKNOWN for one that this log did not sign; LOG_ROLLED_BACK and LOG_FORKED for one that it did, and from
    /// which it does not go on: that is in the log, with an alert, the first time.
    pub async fn growth(&self, held: &str, now: UtcTime) -> Result<Growth, Error> {
        let from = match held {
            "" => 0,
            held => self.ours(held, now).await?.size,
        };
        let (size, checkpoint) = self.store.checkpoint();
        // Every log begins with the empty one.
        let path = match from {
            0 => Vec::new(),
            from => self.store.consistency(from, size).await?,
        };
        Ok(Growth { checkpoint, path })
    }

    /// Keeps what a witness signed.
    ///
    /// # Errors
    /// As [`growth`](Self::growth); WITNESS_UNKNOWN; COSIGNATURE_INVALID.
    pub async fn take_cosignature(
        &self,
        checkpoint: &str,
        line: &str,
        now: UtcTime,
    ) -> Result<(), Error> {
        let Checkpoint { size, .. } = self.ours(checkpoint, now).await?;
        let note =
            cosignature::cosigned(checkpoint, &[line]).map_err(|_| Reason::COSIGNATURE_INVALID)?;
        let known = self.witnesses.known.keys.iter();
        // Of a witness that there is none of, nothing is said but that.
        let mut found = Err(Reason::WITNESS_UNKNOWN);
        for witness in known {
            match witness.time_of(&note) {
                Ok(time) => found = Ok((witness, time)),
                Err(audit::checkpoint::NoteError::NotSigned) => {}
                Err(_) => return Err(Reason::COSIGNATURE_INVALID.into()),
            }
        }
        let (witness, time) = found?;
        let at = i64::try_from(time).ok().and_then(|it| UtcTime::from_unix_timestamp(it).ok());
        let at = at.filter(|at| (*at - now).abs() <= CLOCKS).ok_or(Reason::COSIGNATURE_INVALID)?;
        let signed = Cosignature {
            witness: witness.name().to_owned(),
            size,
            at,
            checkpoint: checkpoint.to_owned(),
            line: line.to_owned(),
        };
        Ok(self.store.keep_cosignature(signed).await?)
    }

    /// The newest checkpoint that a witness signed, with the lines of all who signed that one; nothing where none did.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn cosigned_checkpoint(&self) -> Result<Option<String>, Error> {
        let all = self.store.cosignatures().await?;
        let known = |it: &&Cosignature| {
            self.witnesses.known.keys.iter().any(|key| key.name() == it.witness)
        };
        let Some(newest) = all.iter().filter(known).max_by_key(|it| it.size) else {
            return Ok(None);
        };
        let of_it = all.iter().filter(known).filter(|it| it.checkpoint == newest.checkpoint);
        let lines: Vec<_> = of_it.map(|it| &*it.line).collect();
        let note = cosignature::cosigned(&newest.checkpoint, &lines)
            .map_err(|e| Error::internal("putting cosignatures below a checkpoint", e))?;
        Ok(Some(note))
    }

    /// Each witness, and what it signed last.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn witness_states(&self, now: UtcTime) -> Result<Vec<WitnessState>, Error> {
        let all = self.store.cosignatures().await?;
        let config::Witnesses { keys, late } = &self.witnesses.known;
        let state = |name: &str| {
            let last = all.iter().find(|it| it.witness == name).map(|it| (it.size, it.at));
            let since = last.map_or(self.started_at, |(_, at)| at);
            WitnessState { witness: name.to_owned(), last, late: since + *late < now }
        };
        Ok(keys.iter().map(|key| state(key.name())).collect())
    }

    /// Reads a checkpoint that a key of this log signed, and from which it goes on.
    async fn ours(&self, note: &str, now: UtcTime) -> Result<Checkpoint, Error> {
        let held = self.store.read_checkpoint(note).map_err(|_| Reason::CHECKPOINT_UNKNOWN)?;
        let (reason, alert) = match self.store.root_at(held.size).await {
            Ok(root) if root == held.root => return Ok(held),
            Ok(_) => (Reason::LOG_FORKED, "log-forked"),
            Err(StoreError::OutsideLog { .. }) => (Reason::LOG_ROLLED_BACK, "log-rolled-back"),
            Err(error) => return Err(error.into()),
        };
        tracing::error!(
            size = held.size,
            alert,
            "this log signed a checkpoint that it does not go on from"
        );
        if self.witnesses.is_news(held.root, alert) {
            let entry =
                entry_by(service_actor(&self.name), Act::AuditWitness, Outcome::Failed, now)
                    .with("alert", alert)
                    .with("held-size", held.size.to_string())
                    .with("held-root", hex::encode(held.root));
            if let Err(error) = self.record_act(entry).await {
                // Whoever holds the evidence is told all the same, and it is news the next time.
                self.witnesses.forget(held.root, alert);
                let cause = crate::telemetry::chain(&error);
                tracing::error!(cause, "evidence against the log could not be recorded");
            }
        }
        Err(reason.into())
    }
}
