//! Moves what is committed from the write-ahead log into the database file, on a thread of its
//! own: the writer never waits for it.

use std::{
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use rusqlite::Connection;

use super::{StoreError, schema};

/// Pages in the write-ahead log from which on it is emptied, though the writer then waits a moment.
const LIMIT: i64 = 16_384;

/// Commits between two nudges: moving has flushes of its own, which those of the writer wait for.
const COMMITS: u32 = 32;

/// How long it is waited for readers when all has to be moved: the writer waits as well meanwhile.
const MOMENT: Duration = Duration::from_millis(100);

/// Tells the thread that there is something to move.
pub(super) struct Nudge {
    sender: SyncSender<()>,
    commits: u32,
}

impl Nudge {
    /// Counts a commit and returns at once; a nudge that is not yet heeded stands for this one too.
    pub(super) fn committed(&mut self) {
        self.commits += 1;
        if self.commits == COMMITS {
            self.commits = 0;
            let _ = self.sender.try_send(());
        }
    }
}

pub(super) fn channel() -> (Nudge, Receiver<()>) {
    let (sender, receiver) = sync_channel(1);
    (Nudge { sender, commits: 0 }, receiver)
}

/// Serves nudges until the writer is gone. While it is `owed`, the write-ahead log is emptied whatever its length.
pub(super) fn run(db: &Connection, nudges: &Receiver<()>, owed: &AtomicBool) {
    while nudges.recv().is_ok() {
        if owed.load(Ordering::Acquire) && is_emptied_soon(db) {
            owed.store(false, Ordering::Release);
            continue;
        }
        match checkpoint(db, "PRAGMA wal_checkpoint(PASSIVE)") {
            Ok(pages) if pages < LIMIT => {}
            Ok(_) => report(checkpoint(db, "PRAGMA wal_checkpoint(TRUNCATE)")),
            failed => report(failed),
        }
    }
}

/// Moves everything into the database at `path` and empties the write-ahead log, which has pages as they were before.
/// Whether it is empty: not while somebody reads what is older.
pub(super) fn empty(path: &Path) -> Result<bool, StoreError> {
    let db = schema::open_writer(path)?;
    db.busy_timeout(MOMENT)?;
    Ok(is_emptied(&db)?)
}

/// The same without keeping the writer waiting for whoever reads.
fn is_emptied_soon(db: &Connection) -> bool {
    let emptied = db.busy_timeout(MOMENT).and_then(|()| is_emptied(db));
    let restored = db.busy_timeout(schema::PATIENCE);
    restored.is_ok() && emptied.unwrap_or(false)
}

/// Whether all was moved, and the write-ahead log is empty.
pub(super) fn is_emptied(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        .map(|busy| busy == 0)
}

/// Answers the pages in the write-ahead log.
fn checkpoint(db: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    db.query_row(pragma, [], |row| row.get(1))
}

/// A failure costs space, not data: the next nudge tries again.
fn report(outcome: rusqlite::Result<i64>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "moving the write-ahead log failed");
    }
}
