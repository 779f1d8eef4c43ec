//! Moves what is committed from the write-ahead log into the database file, on a thread of its
//! own: the writer never waits for it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;

/// Pages in the write-ahead log from which on it is emptied, though the writer then waits a moment.
const LIMIT: i64 = 16_384;

/// Tells the thread that there is something to move.
pub(super) struct Nudge(SyncSender<()>);

impl Nudge {
    /// Returns at once; a nudge that is not yet heeded stands for this one too.
    pub(super) fn nudge(&self) {
        let _ = self.0.try_send(());
    }
}

pub(super) fn channel() -> (Nudge, Receiver<()>) {
    let (sender, receiver) = sync_channel(1);
    (Nudge(sender), receiver)
}

/// Serves nudges until the writer is gone.
pub(super) fn run(db: &Connection, nudges: &Receiver<()>) {
    while nudges.recv().is_ok() {
        match checkpoint(db, "PRAGMA wal_checkpoint(PASSIVE)") {
            Ok(pages) if pages < LIMIT => {}
            Ok(_) => report(checkpoint(db, "PRAGMA wal_checkpoint(TRUNCATE)")),
            failed => report(failed),
        }
    }
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
