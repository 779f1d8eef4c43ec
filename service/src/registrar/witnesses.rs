//! Witnesses (见证方): other parties who sign that the log only grows. What they show us of it may be news to us as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use audit::{
    Outcome,
    checkpoint::{Checkpoint, NoteError},
    cosignature::{self, WitnessKey},
    tree::Hash,
};
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
pub(super) const CLOCKS: Duration = Duration::minutes(5);
/// Pieces of evidence that are remembered, so that each is in the log once.
const MOST: usize = 16;

/// Whoever signs the log as a witness, and what they brought up.
#[derive(Debug)]
pub(super) struct Witnesses {
    known: config::Witnesses,
    /// What each signed last, by its key: whoever asks for it does not wait for the database.
    signed: Mutex<BTreeMap<String, Cosignature>>,
    /// Roots of checkpoints that are ours and not of this log, and what was told of them.
    brought_up: Mutex<BTreeSet<(Hash, &'static str)>>,
}

impl Witnesses {
    pub(super) fn new(known: config::Witnesses) -> Self {
        Self { known, signed: Mutex::default(), brought_up: Mutex::default() }
    }

    /// What a witness signed last.
    fn last(&self, key: &WitnessKey) -> Option<Cosignature> {
        let signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        signed.get(&key.to_string()).cloned()
    }

    /// Takes note of what was signed, unless what is known is newer.
    fn note(&self, cosignature: Cosignature) {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = signed.get(&cosignature.witness);
        if known.is_none_or(|known| is_newer(&cosignature, known)) {
            signed.insert(cosignature.witness.clone(), cosignature);
        }
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

/// The later word of a witness: of more, or of as much at a later time.
fn is_newer(one: &Cosignature, other: &Cosignature) -> bool {
    (one.size, one.at) > (other.size, other.at)
}

/// The moment so many seconds after the beginning of 1970.
fn moment(seconds: u64) -> Option<UtcTime> {
    UtcTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()
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
    /// Takes up what witnesses signed before the service was started, as far as it is what they signed of this log.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub(crate) async fn recall_witnesses(&self) -> Result<(), Error> {
        for signed in self.store.cosignatures().await? {
            match self.doubt(&signed).await? {
                None => self.witnesses.note(signed),
                // It stays on record until the witness signs again.
                Some(doubt) => {
                    let size = signed.size;
                    tracing::warn!(doubt, size, "what is on record of a witness is not taken up");
                }
            }
        }
        Ok(())
    }

    /// Why what is on record is nothing that a witness signed of this log, if it is not.
    async fn doubt(&self, signed: &Cosignature) -> Result<Option<&'static str>, Error> {
        let mut known = self.witnesses.known.keys.iter();
        let Some(key) = known.find(|key| key.to_string() == signed.witness) else {
            return Ok(Some("the settings do not have the witness"));
        };
        let checkpoint = match self.store.read_checkpoint(&signed.checkpoint) {
            Ok((checkpoint, alone)) if alone == signed.checkpoint => checkpoint,
            _ => return Ok(Some("no key of the log signed it")),
        };
        let time = cosignature::cosigned(&signed.checkpoint, &[&signed.line])
            .and_then(|note| key.time_of(&note));
        if time.ok().and_then(moment) != Some(signed.at) {
            return Ok(Some("the witness did not sign it"));
        }
        if signed.at > crate::clock::now() + CLOCKS {
            return Ok(Some("the witness signed it at a time that is yet to come"));
        }
        match self.store.root_at(checkpoint.size).await {
            Ok(root) if root == checkpoint.root && checkpoint.size == signed.size => Ok(None),
            Ok(_) | Err(StoreError::OutsideLog { .. } | StoreError::Damaged(_)) => {
                Ok(Some("the log does not have it"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How the log grew from a checkpoint that a witness holds; from the beginning where it holds none.
    ///
    /// # Errors
    /// CHECKPOINT_UNKNOWN for one that is not of this log, as far as can be told; LOG_ROLLED_BACK and LOG_FORKED for one
    /// that a key of this log signed, and from which it does not go on: that is in the log, with an alert, the first time.
    pub async fn growth(&self, held: &str, now: UtcTime) -> Result<Growth, Error> {
        let from = match held {
            "" => 0,
            held => self.of_this_log(held, now).await?,
        };
        let (size, checkpoint) = self.store.checkpoint();
        // Every log begins with the empty one.
        let path = match from {
            0 => Vec::new(),
            from => self.store.consistency(from, size).await?,
        };
        Ok(Growth { checkpoint, path })
    }

    /// Keeps what a witness signed, if it is newer than what it signed before.
    ///
    /// # Errors
    /// As [`growth`](Self::growth); WITNESS_UNKNOWN; COSIGNATURE_INVALID.
    pub async fn take_cosignature(
        &self,
        checkpoint: &str,
        line: &str,
        now: UtcTime,
    ) -> Result<(), Error> {
        // Whatever else stands below it is nobody's.
        let (_, checkpoint) =
            self.store.read_checkpoint(checkpoint).map_err(|_| Reason::CHECKPOINT_UNKNOWN)?;
        let note =
            cosignature::cosigned(&checkpoint, &[line]).map_err(|_| Reason::COSIGNATURE_INVALID)?;
        let mut found = None;
        for witness in &self.witnesses.known.keys {
            match witness.time_of(&note) {
                Ok(time) => found = Some((witness, time)),
                Err(NoteError::NotSigned) => {}
                Err(_) => return Err(Reason::COSIGNATURE_INVALID.into()),
            }
        }
        let (witness, time) = found.ok_or(Reason::WITNESS_UNKNOWN)?;
        let at = moment(time)
            .filter(|at| (*at - now).abs() <= CLOCKS)
            .ok_or(Reason::COSIGNATURE_INVALID)?;
        let size = self.of_this_log(&checkpoint, now).await?;
        let last = self.witnesses.last(witness);
        let (witness, line) = (witness.to_string(), line.to_owned());
        let signed = Cosignature { witness, size, at, checkpoint, line };
        // What was said before is not written again.
        if last.is_none_or(|last| is_newer(&signed, &last)) {
            self.store.keep_cosignature(signed.clone()).await?;
            self.witnesses.note(signed);
        }
        Ok(())
    }

    /// Of each witness the newest checkpoint that it signed, with its line.
    #[must_use]
    pub fn cosigned_checkpoints(&self) -> Vec<String> {
        self.witnessed().map(|it| it.checkpoint + &it.line).collect()
    }

    /// The keys of the witnesses, in note form.
    pub(super) fn witness_keys(&self) -> Vec<String> {
        self.witnesses.known.keys.iter().map(ToString::to_string).collect()
    }

    /// Whether anybody is to sign the log as a witness.
    pub(super) fn has_witnesses(&self) -> bool {
        !self.witnesses.known.keys.is_empty()
    }

    /// When a witness last signed this log, by the witness's clock.
    pub(super) fn last_witnessed(&self) -> Option<UtcTime> {
        self.witnessed().map(|it| it.at).max()
    }

    /// The same, with the entry at a position.
    pub(super) fn witnessed_beyond(&self, position: u64) -> Option<UtcTime> {
        self.witnessed().filter(|it| it.size > position).map(|it| it.at).max()
    }

    /// What the witnesses of the settings signed last: it was held against key and log when note was taken of it.
    fn witnessed(&self) -> impl Iterator<Item = Cosignature> {
        self.witnesses.known.keys.iter().filter_map(|key| self.witnesses.last(key))
    }

    /// Each witness, and what it signed last.
    #[must_use]
    pub fn witness_states(&self, now: UtcTime) -> Vec<WitnessState> {
        let config::Witnesses { keys, late } = &self.witnesses.known;
        let state = |key: &WitnessKey| {
            let last = self.witnesses.last(key).map(|it| (it.size, it.at));
            let since = last.map_or(self.started_at, |(_, at)| at);
            WitnessState { witness: key.name().to_owned(), last, late: since + *late < now }
        };
        keys.iter().map(state).collect()
    }

    /// The size that a checkpoint speaks of, from which this log goes on. Of one that does so it does not matter who signed it.
    async fn of_this_log(&self, note: &str, now: UtcTime) -> Result<u64, Error> {
        let unknown = |_| Reason::CHECKPOINT_UNKNOWN;
        let held = Checkpoint::read_unverified(note).map_err(unknown)?;
        if held.origin != self.store.verifier_key().name() {
            return Err(Reason::CHECKPOINT_UNKNOWN.into());
        }
        let (reason, alert) = match self.store.root_at(held.size).await {
            Ok(root) if root == held.root => return Ok(held.size),
            Ok(_) => (Reason::LOG_FORKED, "log-forked"),
            Err(StoreError::OutsideLog { .. }) => (Reason::LOG_ROLLED_BACK, "log-rolled-back"),
            Err(error) => return Err(error.into()),
        };
        // Evidence is what a key of ours signed.
        let (held, signed) = self.store.read_checkpoint(note).map_err(unknown)?;
        let size = held.size;
        tracing::error!(size, alert, "this log signed a checkpoint that it does not go on from");
        if self.witnesses.is_news(held.root, alert) {
            let signature = signed.lines().last().unwrap_or_default();
            let entry =
                entry_by(service_actor(&self.name), Act::AuditWitness, Outcome::Failed, now)
                    .with("alert", alert)
                    .with("held-size", size.to_string())
                    .with("held-root", hex::encode(held.root))
                    .with("held-signature", signature);
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
