//! A witness (见证方): it remembers the newest checkpoint of a log that it has seen, and signs only what grew from that.
//!
//! What it remembers is on disk before its signature leaves. As long as that is there, is not put back to what it was
//! before, and is nobody else's, it never signs two histories; whoever loses it begins anew with another key. Once it was
//! shown that the log is not the one it signed, it keeps what shows that, and signs nothing of the other one.

mod view;

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use audit::{
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    cosignature::{self, WitnessKey, Witnessed},
    tree,
};
use proto::v1::{
    CheckpointRequest, CosignRequest, GrowthRequest, GrowthResponse, audit_client::AuditClient,
};

pub(crate) use self::view::View;
use crate::{
    clock,
    failure::Failure,
    files::{self, Audience},
    identity::{ClientKey, Home},
    page, proof,
    service::Service,
    text::problems,
};

/// Largest file of a witness, bytes.
const LIMIT: u64 = 16 * 1024;
/// Largest piece of evidence, bytes: two notes, and a few words.
const EVIDENCE_LIMIT: u64 = 64 * 1024;

/// Why the log is not the one that was signed. Each leaves one file, the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The service says itself that the log ends before what was signed.
    SaidShorter,
    /// The service says itself that the log has another history.
    SaidForked,
    /// The service does not know what the log's own key signed.
    Unknown,
    /// The newest checkpoint is of fewer entries.
    Shorter,
    /// The newest checkpoint is of as many entries, and others.
    Forked,
    /// That the newest checkpoint goes on from what was signed is not proved.
    NotProved,
}

impl Why {
    const ALL: [Self; 6] = [
        Self::SaidShorter,
        Self::SaidForked,
        Self::Unknown,
        Self::Shorter,
        Self::Forked,
        Self::NotProved,
    ];

    /// Stable name for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::SaidShorter => "said-rolled-back",
            Self::SaidForked => "said-forked",
            Self::Unknown => "not-known",
            Self::Shorter => "rolled-back",
            Self::Forked => "forked",
            Self::NotProved => "not-proved",
        }
    }

    /// By the service's own words.
    pub(crate) fn said(reason: &str) -> Option<Self> {
        match reason {
            "LOG_ROLLED_BACK" => Some(Self::SaidShorter),
            "LOG_FORKED" => Some(Self::SaidForked),
            "CHECKPOINT_UNKNOWN" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// What a witness has on disk, beside the key of its identity.
#[derive(Clone, Debug)]
pub(crate) struct Memory(PathBuf);

/// What was signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// What and when.
    pub(crate) signed: Witnessed,
    /// The note: the log's line, and the witness's.
    pub(crate) note: String,
}

/// A witness at work. No other is, with the same memory.
pub(crate) struct Witness {
    memory: Memory,
    key: WitnessKey,
    signing: ClientKey,
    _lock: File,
}

/// What a turn came to.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The first checkpoint was signed: there was none to compare it with.
    First(Witnessed),
    /// What grew from what was signed before was signed.
    Grew(Witnessed),
    /// What is shown is not what was signed; the file that shows it.
    Differs(Why, PathBuf),
}

impl Memory {
    pub(crate) fn of(home: &Home) -> Self {
        Self(home.dir().join("witness"))
    }

    fn key_path(&self) -> PathBuf {
        self.0.join("key")
    }

    fn logs_path(&self) -> PathBuf {
        self.0.join("logs")
    }

    fn held_path(&self) -> PathBuf {
        self.0.join("held")
    }

    fn evidence_path(&self, why: Why) -> PathBuf {
        self.0.join(format!("evidence-{}.txt", why.word()))
    }

    /// Makes a witness of an identity: what it is called, and the key of the log. It has been none before.
    pub(crate) fn begin(
        &self,
        label: &str,
        key: &ClientKey,
        log: &VerifierKey,
    ) -> Result<WitnessKey, Failure> {
        if self.key_path().exists() {
            return Err(Failure::of(problems::WITNESS_EXISTS).about(self.0.display()));
        }
        let point: [u8; 65] =
            (*key.public_point()).try_into().map_err(|_| problems::KEY_MALFORMED)?;
        let key = WitnessKey::new(label, &point)
            .map_err(|error| Failure::of(problems::WITNESS_LABEL_MALFORMED).about(error))?;
        files::make_directory(&self.0)?;
        files::write(&self.logs_path(), format!("{log}\n").as_bytes(), Audience::Everyone)?;
        // That nothing was signed yet is said, so that what is lost is not taken for it.
        files::write(&self.held_path(), b"", Audience::Everyone)?;
        files::write(&self.key_path(), format!("{key}\n").as_bytes(), Audience::Everyone)?;
        Ok(key)
    }

    /// Believes another key of the log as well.
    pub(crate) fn accept(&self, log: &VerifierKey) -> Result<(), Failure> {
        let mut logs = self.logs()?;
        if logs.iter().any(|known| known.name() != log.name()) {
            return Err(Failure::of(problems::CHECKPOINT_UNUSABLE).about(log.name()));
        }
        if !logs.contains(log) {
            logs.push(log.clone());
        }
        let text: String = logs.iter().map(|key| format!("{key}\n")).collect();
        files::write(&self.logs_path(), text.as_bytes(), Audience::Everyone)
    }

    pub(crate) fn key(&self) -> Result<WitnessKey, Failure> {
        if !self.key_path().exists() {
            return Err(Failure::of(problems::WITNESS_NOT_BEGUN).about(self.0.display()));
        }
        let text = self.text(&self.key_path(), LIMIT)?;
        text.trim_end().parse().map_err(|_| self.spoiled(&self.key_path()))
    }

    pub(crate) fn logs(&self) -> Result<Vec<VerifierKey>, Failure> {
        let path = self.logs_path();
        let keys = self.text(&path, LIMIT)?;
        let keys: Option<Vec<_>> = keys.lines().map(|line| line.parse().ok()).collect();
        keys.filter(|keys| !keys.is_empty()).ok_or_else(|| self.spoiled(&path))
    }

    /// What was signed last; nothing where nothing was yet. Whatever else stands there, or is missing, is refused.
    pub(crate) fn held(&self) -> Result<Option<Held>, Failure> {
        let path = self.held_path();
        if !path.exists() {
            return Err(self.spoiled(&path));
        }
        match self.text(&path, LIMIT)? {
            note if note.is_empty() => Ok(None),
            note => {
                let held = read_held(note, &self.key()?, &self.logs()?);
                held.map(Some).map_err(|_| self.spoiled(&path))
            }
        }
    }

    /// Files that show that the log was not the one that was signed.
    pub(crate) fn evidence(&self) -> Vec<PathBuf> {
        let paths = Why::ALL.into_iter().map(|why| self.evidence_path(why));
        paths.filter(|path| path.exists()).collect()
    }

    /// What they say; what cannot be read is left out.
    fn evidence_text(&self) -> String {
        let texts = self.evidence();
        let texts = texts.iter().filter_map(|path| self.text(path, EVIDENCE_LIMIT).ok());
        texts.collect::<Vec<_>>().join("\n")
    }

    fn text(&self, path: &Path, limit: u64) -> Result<String, Failure> {
        let bytes = files::read(path, limit)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.spoiled(path))
    }

    fn spoiled(&self, path: &Path) -> Failure {
        Failure::of(problems::WITNESS_MEMORY_SPOILED).about(path.display())
    }
}

/// A checkpoint of the log, signed by any of its keys, with the note as that key wrote it.
fn read(note: &str, logs: &[VerifierKey]) -> Result<(Checkpoint, String), NoteError> {
    let decided = logs.iter().find_map(|key| match Checkpoint::verify_alone(note, key) {
        Err(NoteError::NotSigned) => None,
        decided => Some(decided),
    });
    decided.unwrap_or(Err(NoteError::NotSigned))
}

/// What a witness signed, and nothing that anybody put beside it.
fn read_held(note: String, key: &WitnessKey, logs: &[VerifierKey]) -> Result<Held, NoteError> {
    let (checkpoint, _) = read(&note, logs)?;
    let time = key.time_of(&note)?;
    Ok(Held { signed: Witnessed { checkpoint, time }, note })
}

impl Witness {
    /// Goes on with what is remembered.
    pub(crate) fn open(memory: Memory, signing: ClientKey) -> Result<Self, Failure> {
        let key = memory.key()?;
        if *key.public_key() != *signing.public_point() {
            return Err(Failure::of(problems::WITNESS_OTHER_KEY).about(memory.0.display()));
        }
        let lock = lock(&memory.0.join("lock"))?;
        memory.held()?;
        Ok(Self { memory, key, signing, _lock: lock })
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Looks at the log once: signs what grew from what was signed before, and gives the service that signature.
    pub(crate) async fn turn(&self, service: &Service) -> Result<Turn, Failure> {
        let logs = self.memory.logs()?;
        let held = self.memory.held()?;
        let request =
            GrowthRequest { held: held.as_ref().map(|held| held.note.clone()).unwrap_or_default() };
        let answer =
            service.ask_openly(async |it| AuditClient::new(it).growth(request.clone()).await).await;
        let shown = match (answer, &held) {
            (Ok(shown), _) => shown,
            (Err(failure), Some(held)) => match Why::said(&failure.reason) {
                Some(why) => {
                    // What it has instead, as far as it says.
                    let newest = service
                        .ask_openly(async |it| {
                            AuditClient::new(it).checkpoint(CheckpointRequest {}).await
                        })
                        .await;
                    let newest = newest.map(|it| it.checkpoint).unwrap_or_default();
                    return self.differs(why, held, &newest, &logs);
                }
                None => return Err(failure),
            },
            (Err(failure), None) => return Err(failure),
        };
        let (newest, note) = read(&shown.checkpoint, &logs).map_err(|error| match error {
            NoteError::NotSigned => Failure::of(problems::WITNESS_LOG_KEY),
            error => Failure::of(problems::CHECKPOINT_UNUSABLE).about(error),
        })?;
        if let Some(held) = &held
            && let Some(why) = disagreement(&held.signed.checkpoint, &newest, &shown)
        {
            return self.differs(why, held, &shown.checkpoint, &logs);
        }
        let signed = self.sign(note, &logs, service).await?;
        Ok(if held.is_some() { Turn::Grew(signed) } else { Turn::First(signed) })
    }

    async fn sign(
        &self,
        note: String,
        logs: &[VerifierKey],
        service: &Service,
    ) -> Result<Witnessed, Failure> {
        let time = u64::try_from(clock::now().unix_timestamp()).unwrap_or_default();
        let sign = |octets: &[u8]| Ok::<_, NoteError>(self.signing.sign(octets));
        let unusable = |error| Failure::of(problems::CHECKPOINT_UNUSABLE).about(error);
        let line = self.key.cosign(&note, time, sign).map_err(unusable)?;
        let cosigned = cosignature::cosigned(&note, &[&line]).map_err(unusable)?;
        // Nothing takes the place of what is remembered that cannot be read again.
        let held = read_held(cosigned, &self.key, logs).map_err(unusable)?;
        files::write(&self.memory.held_path(), held.note.as_bytes(), Audience::Everyone)?;
        let request = CosignRequest { checkpoint: note, cosignature: line };
        service.ask_openly(async |it| AuditClient::new(it).cosign(request.clone()).await).await?;
        Ok(held.signed)
    }

    /// Keeps what shows that the log is another one than was signed, the first of its kind.
    fn differs(
        &self,
        why: Why,
        held: &Held,
        shown: &str,
        logs: &[VerifierKey],
    ) -> Result<Turn, Failure> {
        let path = self.memory.evidence_path(why);
        if !path.exists() {
            // Of what is shown only what the log signed is worth keeping.
            let shown = read(shown, logs).map(|(_, note)| note).unwrap_or_default();
            let (word, at) = (why.word(), page::instant(clock::now()));
            let text = format!("{word} {at}\n\n{}\n{shown}", held.note);
            files::write(&path, text.as_bytes(), Audience::Everyone)?;
        }
        Ok(Turn::Differs(why, path))
    }
}

/// Why the newest checkpoint does not go on from the one that is held, if it does not.
pub(crate) fn disagreement(
    held: &Checkpoint,
    newest: &Checkpoint,
    shown: &GrowthResponse,
) -> Option<Why> {
    if newest.size < held.size {
        return Some(Why::Shorter);
    }
    if newest.size == held.size {
        return (newest.root != held.root).then_some(Why::Forked);
    }
    if held.size == 0 {
        return (held.root != tree::empty_root()).then_some(Why::Forked);
    }
    let proved = proof::hashes(&shown.path).is_some_and(|path| {
        tree::verify_consistency(held.size, &held.root, newest.size, &newest.root, &path).is_ok()
    });
    (!proved).then_some(Why::NotProved)
}

fn lock(path: &Path) -> Result<File, Failure> {
    let unwritable = |error: std::io::Error| {
        Failure::of(problems::FILE_UNWRITABLE).about(path.display()).about(error)
    };
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(path).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::of(problems::WITNESS_BUSY).about(path.display()))
        }
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

#[cfg(test)]
mod tests;
