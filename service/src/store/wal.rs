//! Moves what is committed from the write-ahead log into the database file, on a thread of its
//! own: the writer never waits for it.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::Duration,
};

use rusqlite::Connection;
use tokio::{sync::watch, time::timeout};

use super::schema;

/// Pages in the write-ahead log from which on it is emptied, though the writer then waits a moment.
const LIMIT: i64 = 16_384;

/// Commits between two nudges: moving has flushes of its own, which those of the writer wait for.
const COMMITS: u32 = 32;

/// How long it is waited for readers when all has to be moved: the writer waits as well meanwhile.
const MOMENT: Duration = Duration::from_millis(100);

/// How soon it is tried again to move all while somebody reads what is older, and how seldom in the end.
const AGAIN: Duration = Duration::from_millis(50);
const SELDOM: Duration = Duration::from_secs(5);

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

/// How often it was asked for that all be moved, as the write-ahead log has pages as they were before, and up to which of
/// these that was done.
#[derive(Clone, Copy)]
struct Asked {
    asked: u64,
    done: u64,
}

impl Asked {
    fn is_open(self) -> bool {
        self.done < self.asked
    }
}

/// Asks for it.
pub(super) struct Emptying {
    asked: watch::Sender<Asked>,
    nudge: SyncSender<()>,
}

impl Emptying {
    /// Asks that all that is committed now be moved. Answers which time that is.
    pub(super) fn ask(&self) -> u64 {
        let mut number = 0;
        self.asked.send_modify(|it| {
            it.asked += 1;
            number = it.asked;
        });
        // A nudge that is not yet heeded stands for this one too.
        let _ = self.nudge.try_send(());
        number
    }

    /// Whether that is done and the write-ahead log was empty, within a time. Otherwise it is done later, when nobody
    /// reads what is older any more.
    pub(super) async fn is_done(&self, number: u64, patience: Duration) -> bool {
        let mut asked = self.asked.subscribe();
        matches!(timeout(patience, asked.wait_for(|it| it.done >= number)).await, Ok(Ok(_)))
    }
}

/// What the thread is given.
pub(super) struct Mover {
    nudges: Receiver<()>,
    asked: watch::Sender<Asked>,
}

/// `owed` when the write-ahead log has pages from before the start that have to go.
pub(super) fn channel(owed: bool) -> (Nudge, Emptying, Mover) {
    let (nudge, nudges) = sync_channel(1);
    let asked = watch::Sender::new(Asked { asked: owed.into(), done: 0 });
    let emptying = Emptying { asked: asked.clone(), nudge: nudge.clone() };
    (Nudge { sender: nudge, commits: 0 }, emptying, Mover { nudges, asked })
}

impl Mover {
    /// Serves nudges until nobody is left to nudge.
    pub(super) fn run(self, db: &Connection) {
        let mut again = AGAIN;
        loop {
            let asked = *self.asked.borrow();
            let nudged = match asked.is_open() {
                true => self.nudges.recv_timeout(again),
                false => self.nudges.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            if nudged == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            // What is asked for meanwhile may be committed after this.
            let asked = *self.asked.borrow();
            if asked.is_open() {
                if is_emptied_soon(db) {
                    self.asked.send_modify(|it| it.done = asked.asked);
                    again = AGAIN;
                    continue;
                }
                again = (2 * again).min(SELDOM);
            }
            if nudged.is_ok() {
                move_some(db);
            }
        }
    }
}

fn move_some(db: &Connection) {
    match checkpoint(db, "PRAGMA wal_checkpoint(PASSIVE)") {
        Ok(pages) if pages < LIMIT => {}
        Ok(_) => report(checkpoint(db, "PRAGMA wal_checkpoint(TRUNCATE)")),
        failed => report(failed),
    }
}

/// Moves everything and empties the write-ahead log, without keeping the writer waiting for whoever reads. Whether it is
/// empty: not while somebody reads what is older.
fn is_emptied_soon(db: &Connection) -> bool {
    let emptied = db.busy_timeout(MOMENT).and_then(|()| is_emptied(db));
    let restored = db.busy_timeout(schema::PATIENCE);
    match restored.and(emptied) {
        Ok(emptied) => emptied,
        Err(error) => {
            tracing::warn!(%error, "emptying the write-ahead log failed");
            false
        }
    }
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
