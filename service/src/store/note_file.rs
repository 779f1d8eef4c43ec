//! The newest checkpoint, kept a second time in a file beside the database.
//!
//! Whoever puts an older or an emptied database in the place of this one leaves a whole log, whose
//! checkpoint is genuine. Opening therefore holds the log against the note in
//! `DATABASE.checkpoint`: it must go on from there. The file is put in place when the store is
//! opened and closed, and in between at the latest [`LEAVES`] leaves or [`PATIENCE`] after it fell
//! behind, on a thread of its own: no commit waits for it. It is never ahead of the disk, as only
//! what is committed is published. Copies of it elsewhere serve the auditor in the same way.
//!
//! **Backups.** Copy this file first and the database after it, and restore both: a database that
//! is older than the file is refused. One without the file is opened with a warning, so that
//! nothing is lost with it but the knowledge of where the log once was.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use audit::{
    checkpoint::MAX_NOTE,
    tile::{TileError, TileReader},
    tree::root_of,
};
use rusqlite::Connection;

use super::{
    StoreError,
    tail::{Head, LogSigner, read_tile},
    writer::Published,
};

/// Leaves after which the file is put in place again.
const LEAVES: u64 = 1024;
/// How long it may be behind a log that grows more slowly.
const PATIENCE: Duration = Duration::from_secs(60);

/// The file, and the note that is in it.
pub(super) struct NoteFile {
    path: PathBuf,
    kept: Option<String>,
}

impl NoteFile {
    /// Reads the file beside the database at `database`.
    pub(super) fn open(database: &Path) -> Result<Self, StoreError> {
        let path = beside(database, ".checkpoint");
        let kept = match read(&path) {
            Ok(note) => Some(note),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(StoreError::Tampered("the checkpoint beside it is none"));
            }
            Err(error) => return Err(StoreError::unavailable(error)),
        };
        Ok(Self { path, kept })
    }

    /// Holds a log of `size` leaves against the note.
    ///
    /// # Errors
    /// [`StoreError::Tampered`] unless the log goes on from there.
    pub(super) fn check(
        &self,
        db: &Connection,
        size: u64,
        signer: &LogSigner,
    ) -> Result<(), StoreError> {
        let Some(note) = &self.kept else {
            if size > 0 {
                tracing::warn!("no checkpoint beside the database: an older copy is not noticed");
            }
            return Ok(());
        };
        let kept = signer
            .verify(note)
            .map_err(|_| StoreError::Tampered("the checkpoint beside it is not of this log"))?;
        if kept.size > size {
            return Err(StoreError::Tampered("it ends before the checkpoint beside it"));
        }
        let mut tiles = TileReader::new(|id| read_tile(db, id));
        match root_of(&mut tiles, kept.size) {
            Ok(root) if root == kept.root => Ok(()),
            Ok(_) => Err(StoreError::Tampered("the checkpoint beside it is of another history")),
            Err(TileError::Absent(_)) => Err(StoreError::Tampered("a tile is missing")),
            Err(TileError::Read(error)) => Err(error.into()),
        }
    }

    /// Puts a note into the file, unless it is there. A failure costs only how close a rollback is
    /// noticed: the next turn tries again.
    pub(super) fn keep(&mut self, head: Head) {
        if self.kept.as_ref() == Some(&head.note) {
            return;
        }
        match replace(&self.path, head.note.as_bytes()) {
            Ok(()) => self.kept = Some(head.note),
            Err(error) => {
                tracing::warn!(%error, "keeping the checkpoint beside the database failed")
            }
        }
    }
}

/// Tells the thread that the log has grown by much.
pub(super) struct Reminder {
    sender: SyncSender<()>,
    reminded: u64,
}

impl Reminder {
    /// Looks at the size after a commit and returns at once.
    pub(super) fn committed(&mut self, size: u64) {
        if size.saturating_sub(self.reminded) >= LEAVES {
            self.reminded = size;
            // A reminder that is not yet heeded stands for this one too.
            let _ = self.sender.try_send(());
        }
    }
}

/// A reminder for a log that has `size` leaves, and where it arrives.
pub(super) fn channel(size: u64) -> (Reminder, Receiver<()>) {
    let (sender, receiver) = sync_channel(1);
    (Reminder { sender, reminded: size }, receiver)
}

/// Keeps the newest checkpoint until the writer is gone, and then the last.
pub(super) fn run(mut file: NoteFile, published: &Arc<Published>, reminders: &Receiver<()>) {
    loop {
        let reminder = reminders.recv_timeout(PATIENCE);
        file.keep(published.head());
        if reminder == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// The note, if it is text of a bounded length.
fn read(path: &Path) -> io::Result<String> {
    let mut note = String::new();
    File::open(path)?.take(MAX_NOTE as u64 + 1).read_to_string(&mut note)?;
    if note.len() > MAX_NOTE { Err(io::ErrorKind::InvalidData.into()) } else { Ok(note) }
}

/// The file is the old or the new one at every moment. The lock of the database keeps others away.
fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let new = beside(path, ".new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(octets)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    // The rename is durable once the folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
