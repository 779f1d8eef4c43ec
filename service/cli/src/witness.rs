//! A witness (见证方): it remembers the newest checkpoint of a log that it has seen, and signs only what grew from that.
//!
//! What it remembers is on disk before its signature leaves, so that it never signs two histories, whatever happens to it.
//! Once it was shown that the log is not the one it signed, it keeps what shows that, and signs nothing of the other one.

mod view;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use audit::{
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    cosignature::{self, WitnessKey, Witnessed},
    tree,
};
use proto::v1::{CosignRequest, GrowthRequest, GrowthResponse, audit_client::AuditClient};

pub(crate) use self::view::View;
use crate::{
    clock,
    failure::Failure,
    files::{self, Audience},
    identity::{ClientKey, Home},
    proof,
    service::Service,
    text::problems,
};

/// Largest file of a witness, bytes.
const LIMIT: u64 = 16 * 1024;
/// Reasons by which the service says itself that it does not go on from what is held.
const OWN_WORDS: [&str; 2] = ["LOG_ROLLED_BACK", "LOG_FORKED"];

/// What a witness has on disk, beside the key of its identity.
#[derive(Clone, Debug)]
pub(crate) struct Memory(PathBuf);

/// A witness at work. No other is, with the same memory.
pub(crate) struct Witness {
    memory: Memory,
    key: WitnessKey,
    signing: ClientKey,
    logs: Vec<VerifierKey>,
    _lock: File,
}

/// What a turn came to.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The newest checkpoint is as signed as it is remembered.
    Signed(Witnessed),
    /// What is shown is not what was signed; the file that shows it.
    Differs(PathBuf),
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
        self.accept(log)?;
        files::write(&self.key_path(), format!("{key}\n").as_bytes(), Audience::Everyone)?;
        Ok(key)
    }

    /// Believes another key of the log as well.
    pub(crate) fn accept(&self, log: &VerifierKey) -> Result<(), Failure> {
        let mut logs = match self.logs_path().exists() {
            true => self.logs()?,
            false => Vec::new(),
        };
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
        let text = self.text(&self.key_path())?;
        text.trim_end().parse().map_err(|_| self.spoiled(&self.key_path()))
    }

    pub(crate) fn logs(&self) -> Result<Vec<VerifierKey>, Failure> {
        let path = self.logs_path();
        let keys = self.text(&path)?;
        let keys: Option<Vec<_>> = keys.lines().map(|line| line.parse().ok()).collect();
        keys.filter(|keys| !keys.is_empty()).ok_or_else(|| self.spoiled(&path))
    }

    /// What was signed last, and its note. Whatever stands there that this witness did not sign is refused.
    pub(crate) fn held(&self) -> Result<Option<(Witnessed, String)>, Failure> {
        let path = self.held_path();
        if !path.exists() {
            return Ok(None);
        }
        let note = self.text(&path)?;
        let checkpoint = read(&note, &self.logs()?).map_err(|_| self.spoiled(&path))?;
        let time = self.key()?.time_of(&note).map_err(|_| self.spoiled(&path))?;
        Ok(Some((Witnessed { checkpoint, time }, note)))
    }

    /// Files that show that the log was not the one that was signed, by their names.
    pub(crate) fn evidence(&self) -> Result<Vec<PathBuf>, Failure> {
        let unreadable = |error: std::io::Error| {
            Failure::of(problems::FILE_UNREADABLE).about(self.0.display()).about(error)
        };
        let mut found = Vec::new();
        for file in fs::read_dir(&self.0).map_err(unreadable)? {
            let file = file.map_err(unreadable)?;
            let name = file.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("evidence-") && name.ends_with(".txt") {
                found.push(file.path());
            }
        }
        found.sort();
        Ok(found)
    }

    fn text(&self, path: &Path) -> Result<String, Failure> {
        let bytes = files::read(path, LIMIT)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.spoiled(path))
    }

    fn spoiled(&self, path: &Path) -> Failure {
        Failure::of(problems::WITNESS_MEMORY_SPOILED).about(path.display())
    }
}

/// A checkpoint of the log, signed by any of its keys.
fn read(note: &str, logs: &[VerifierKey]) -> Result<Checkpoint, NoteError> {
    let decided = logs.iter().find_map(|key| match Checkpoint::verify(note, key) {
        Err(NoteError::NotSigned) => None,
        decided => Some(decided),
    });
    decided.unwrap_or(Err(NoteError::NotSigned))
}

impl Witness {
    /// Goes on with what is remembered.
    pub(crate) fn open(memory: Memory, signing: ClientKey) -> Result<Self, Failure> {
        let key = memory.key()?;
        if *key.public_key() != *signing.public_point() {
            return Err(Failure::of(problems::WITNESS_OTHER_KEY).about(memory.0.display()));
        }
        let lock = lock(&memory.0.join("lock"))?;
        let logs = memory.logs()?;
        memory.held()?;
        Ok(Self { memory, key, signing, logs, _lock: lock })
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Looks at the log once: signs what grew from what was signed before, and gives the service that signature.
    pub(crate) async fn turn(&self, service: &Service) -> Result<Turn, Failure> {
        let held = self.memory.held()?;
        let request =
            GrowthRequest { held: held.as_ref().map(|(_, note)| note.clone()).unwrap_or_default() };
        let answer =
            service.ask_openly(async |it| AuditClient::new(it).growth(request.clone()).await).await;
        let shown = match answer {
            Ok(shown) => shown,
            Err(failure) if OWN_WORDS.contains(&&*failure.reason) => {
                return self.differs(held.as_ref(), &failure.reason, None);
            }
            Err(failure) => return Err(failure),
        };
        let newest = read(&shown.checkpoint, &self.logs)
            .map_err(|error| Failure::of(problems::CHECKPOINT_UNUSABLE).about(error))?;
        if let Some((held_as, _)) = &held
            && let Some(why) = disagreement(&held_as.checkpoint, &newest, &shown)
        {
            return self.differs(held.as_ref(), why, Some(&shown.checkpoint));
        }
        self.sign(newest, shown.checkpoint, held.map(|(held, _)| held.time), service).await
    }

    async fn sign(
        &self,
        checkpoint: Checkpoint,
        note: String,
        before: Option<u64>,
        service: &Service,
    ) -> Result<Turn, Failure> {
        // A clock that was set back does not make a later word an earlier one.
        let now = u64::try_from(clock::now().unix_timestamp()).unwrap_or_default();
        let time = before.map_or(now, |before| now.max(before));
        let sign = |octets: &[u8]| Ok::<_, NoteError>(self.signing.sign(octets));
        let unusable = |error| Failure::of(problems::CHECKPOINT_UNUSABLE).about(error);
        let line = self.key.cosign(&note, time, sign).map_err(unusable)?;
        let cosigned = cosignature::cosigned(&note, &[&line]).map_err(unusable)?;
        files::write(&self.memory.held_path(), cosigned.as_bytes(), Audience::Everyone)?;
        let request = CosignRequest { checkpoint: note, cosignature: line };
        service.ask_openly(async |it| AuditClient::new(it).cosign(request.clone()).await).await?;
        Ok(Turn::Signed(Witnessed { checkpoint, time }))
    }

    /// Keeps what shows that the log is another one than was signed.
    fn differs(
        &self,
        held: Option<&(Witnessed, String)>,
        why: &str,
        shown: Option<&str>,
    ) -> Result<Turn, Failure> {
        let held = held.map(|(_, note)| &**note).unwrap_or_default();
        let text = format!("{why}\n\n{held}\n{}", shown.unwrap_or_default());
        let name = format!("evidence-{}.txt", hex::encode(&files::digest(text.as_bytes())[..8]));
        let path = self.memory.0.join(name);
        if !path.exists() {
            files::write(&path, text.as_bytes(), Audience::Everyone)?;
        }
        Ok(Turn::Differs(path))
    }
}

/// Why the newest checkpoint does not go on from the one that is held, if it does not.
fn disagreement(
    held: &Checkpoint,
    newest: &Checkpoint,
    shown: &GrowthResponse,
) -> Option<&'static str> {
    if newest.size < held.size {
        return Some("ROLLED_BACK");
    }
    if newest.size == held.size {
        return (newest.root != held.root).then_some("FORKED");
    }
    if held.size == 0 {
        return (held.root != tree::empty_root()).then_some("FORKED");
    }
    let proved = proof::hashes(&shown.path).is_some_and(|path| {
        tree::verify_consistency(held.size, &held.root, newest.size, &newest.root, &path).is_ok()
    });
    (!proved).then_some("NOT_PROVED")
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
mod tests {
    use super::*;

    fn checkpoint(size: u64, root: [u8; 32]) -> Checkpoint {
        Checkpoint { origin: "log.example".to_owned(), size, root }
    }

    #[test]
    fn only_what_grew_from_what_is_held_agrees_with_it() {
        let leaf = |n: u8| tree::leaf_hash(&[n]);
        let (one, two) = (leaf(1), tree::node_hash(&leaf(1), &leaf(2)));
        let proof = |path: &[[u8; 32]]| GrowthResponse {
            checkpoint: String::new(),
            path: path.iter().map(|hash| hash.to_vec()).collect(),
        };
        let good = proof(&[leaf(2)]);
        #[rustfmt::skip]
        let cases = [
            ("it grew", checkpoint(1, one), checkpoint(2, two), good.clone(), None),
            ("it is the same", checkpoint(2, two), checkpoint(2, two), proof(&[]), None),
            ("from nothing", checkpoint(0, tree::empty_root()), checkpoint(2, two), proof(&[]), None),
            ("shorter", checkpoint(2, two), checkpoint(1, one), good.clone(), Some("ROLLED_BACK")),
            ("another of that size", checkpoint(2, two), checkpoint(2, [9; 32]), proof(&[]), Some("FORKED")),
            ("another history", checkpoint(1, leaf(9)), checkpoint(2, two), good.clone(), Some("NOT_PROVED")),
            ("another future", checkpoint(1, one), checkpoint(2, [9; 32]), good, Some("NOT_PROVED")),
            ("no proof", checkpoint(1, one), checkpoint(2, two), proof(&[]), Some("NOT_PROVED")),
            ("not hashes", checkpoint(1, one), checkpoint(2, two), GrowthResponse { path: vec![vec![1; 31]], ..proof(&[]) }, Some("NOT_PROVED")),
        ];
        for (case, held, newest, shown, expected) in cases {
            assert_eq!(disagreement(&held, &newest, &shown), expected, "{case}");
        }
    }
}
