//! The index of residents (`audit::index`) on disk, and the histories that are read from it.
//!
//! It is in a file of its own, `DATABASE.index`, and follows the log on a thread of its own: no commit waits for it, and
//! nothing else needs it. All of it comes from the log; a file that is lost, is of another log, was written by another
//! than this service or does not hold together is made again from the beginning. Whoever wants a history waits until the
//! index has come as far as the log.

mod file;
mod node;
mod removed;
mod state;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use audit::{
    Entry,
    history::{MAX_LAG, Statement},
    index::{Standing, key},
    tree::{Hash, leaf_hash},
};
use rusqlite::Connection;
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use self::{
    file::{File, Said},
    removed::log_root,
};
pub use self::{removed::FoundBefore, state::ResidentIndexKey};
use super::{
    LogEntry, Receipt, ResidentId, Store, StoreError,
    facts::Found as FactFound,
    note_file::beside,
    removals::{self, Removals},
    schema,
    writer::Published,
};
use crate::clock;

/// How often the index catches up when nobody waits for it.
const PACE: Duration = Duration::from_secs(1);
/// How long after the start it begins when nobody waits for it: what starts comes first.
const BEGINS: Duration = Duration::from_secs(5);
/// How long whoever asks for a history waits until the index has caught up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most entries of a history.
pub const MAX_HISTORY: u64 = 100_000;
/// The longest that a follower that fails waits before it tries again.
const LONGEST: Duration = Duration::from_secs(60);

/// What the index says of a resident, and the entries that it speaks of.
#[derive(Debug)]
pub struct HistoryDraft {
    /// The index it was read from.
    pub index: Statement,
    /// What the log has about the resident; `None` while it has nothing.
    pub found: Option<Found>,
}

/// What the log has about a resident.
#[derive(Debug)]
pub struct Found {
    /// As the index says.
    pub standing: Standing,
    /// Hashes beside the resident's way in the index, from the leaf upwards.
    pub path: Vec<Hash>,
    /// What of it was removed.
    pub before: Option<FoundBefore>,
    /// The entries that are there, in the order of the log.
    pub entries: Vec<LogEntry>,
}

/// The index where a segment of the log ends, and the root of the log until there, of the entries that were counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) index: Statement,
    pub(super) log_root: Hash,
}

/// How far the thread is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// How many entries are counted.
    counted: u64,
    /// The last end of a segment that was passed in this run.
    mark: Option<Mark>,
    /// How many entries were removed of the log, as far as it is known.
    removed: u64,
}

/// What others see of the thread.
pub(super) struct ResidentIndex {
    path: PathBuf,
    database: PathBuf,
    key: Arc<ResidentIndexKey>,
    /// Histories that are read at the same time.
    turn: Semaphore,
    nudge: SyncSender<()>,
    progress: watch::Receiver<Option<Progress>>,
    spoilt: Arc<AtomicBool>,
    /// Entries of a segment of the log; 0 while nobody has said.
    segment: Arc<AtomicU64>,
    removals: Arc<Removals>,
}

/// What the thread is given.
pub(super) struct Follower {
    path: PathBuf,
    key: Arc<ResidentIndexKey>,
    nudges: Receiver<()>,
    /// How far it is; `None` while there is no file to read.
    progress: watch::Sender<Option<Progress>>,
    /// That the file does not hold together, whoever noticed: it is made anew.
    spoilt: Arc<AtomicBool>,
    segment: Arc<AtomicU64>,
    removals: Arc<Removals>,
    /// Whether the last turn failed: it is said once.
    failing: bool,
}

pub(super) fn beside_database(
    database: &Path,
    key: Arc<ResidentIndexKey>,
    removals: &Arc<Removals>,
) -> (ResidentIndex, Follower) {
    let path = beside(database, ".index");
    let (nudge, nudges) = sync_channel(1);
    let (sender, progress) = watch::channel(None);
    let (spoilt, segment) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let follower = Follower {
        path: path.clone(),
        key: Arc::clone(&key),
        nudges,
        progress: sender,
        spoilt: Arc::clone(&spoilt),
        segment: Arc::clone(&segment),
        removals: Arc::clone(removals),
        failing: false,
    };
    let (database, turn) = (database.to_owned(), Semaphore::new(1));
    let removals = Arc::clone(removals);
    let index =
        ResidentIndex { path, database, key, turn, nudge, progress, spoilt, segment, removals };
    (index, follower)
}

impl Follower {
    /// Follows the log until nobody can ask any more.
    pub(super) fn run(mut self, log: &Connection, origin: &str, published: &Arc<Published>) {
        let (mut open, mut pace) = (None, BEGINS);
        while !self.rest(pace) {
            match self.catch_up(&mut open, log, origin, published) {
                Ok(()) => {
                    if std::mem::replace(&mut self.failing, false) {
                        tracing::info!("the index of residents follows the log again");
                    }
                    pace = PACE;
                }
                Err(error) => {
                    open = None;
                    pace = LONGEST.min(pace * 2);
                    if !std::mem::replace(&mut self.failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "the index of residents does not follow the log");
                    }
                }
            }
        }
    }

    /// Rests until somebody asks or it is time; what failed is not tried sooner because somebody asks. Whether nobody can
    /// ask any more.
    fn rest(&self, pace: Duration) -> bool {
        let mut left = pace;
        loop {
            let begun = clock::count();
            match self.nudges.recv_timeout(left) {
                Err(RecvTimeoutError::Disconnected) => return true,
                Ok(()) if self.failing && !self.spoilt.load(Ordering::Relaxed) => {
                    left = left.saturating_sub(begun.elapsed());
                }
                _ => return false,
            }
        }
    }

    fn catch_up(
        &self,
        open: &mut Option<File>,
        log: &Connection,
        origin: &str,
        published: &Published,
    ) -> Result<(), StoreError> {
        // Where the log finds no room the index takes none.
        if !published.is_writable() {
            return Ok(());
        }
        let anew = self.spoilt.load(Ordering::Relaxed);
        // What was removed before it was counted is counted from what is kept of it.
        let removed = self.removals.last();
        let removed = removed.as_deref();
        let begins = removed.map_or(0, |it| it.segment.until);
        let file = match open {
            Some(open) if !anew && open.progress().counted >= begins => open,
            _ => {
                self.progress.send_replace(None);
                let file = if anew {
                    let file = File::anew(&self.path, &self.key, origin, log, removed)?;
                    self.spoilt.store(false, Ordering::Relaxed);
                    tracing::warn!("the index of residents did not hold together: it is made anew");
                    file
                } else {
                    let size = published.size();
                    File::open(&self.path, &self.key, origin, log, removed, size)?
                };
                open.insert(file)
            }
        };
        file.follow_removals(log, removed)?;
        loop {
            let size = published.size();
            let progress = file.progress();
            self.progress.send_replace(Some(progress));
            // Nobody waits for what nobody can ask for.
            let idle = progress.counted >= size || !published.is_writable();
            if idle || self.nudges.try_recv() == closed() {
                return Ok(());
            }
            file.count(log, size, self.segment.load(Ordering::Relaxed), &self.spoilt)?;
            // What was counted of a log that was another one for a while is not believed.
            file.check_signed(&published.head())
                .inspect_err(|_| self.spoilt.store(true, Ordering::Relaxed))?;
        }
    }
}

const fn closed() -> Result<(), std::sync::mpsc::TryRecvError> {
    Err(std::sync::mpsc::TryRecvError::Disconnected)
}

impl ResidentIndex {
    /// Waits until the first `size` entries are counted, and it is known that those below `begins` were removed.
    async fn wait(&self, size: u64, begins: u64) -> Result<(), StoreError> {
        // A nudge that is not yet heeded stands for this one too.
        let _ = self.nudge.try_send(());
        let mut progress = self.progress.clone();
        let enough =
            |it: &Option<Progress>| it.is_some_and(|it| it.counted >= size && it.removed >= begins);
        match timeout(PATIENCE, progress.wait_for(enough)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(StoreError::Unavailable(None)),
            Err(_) => Err(StoreError::IndexBehind { counted: self.so_far(), size }),
        }
    }

    /// How many entries are counted.
    fn so_far(&self) -> u64 {
        self.progress.borrow().map_or(0, |it| it.counted)
    }

    /// The end of a segment, the last one that it passed.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.progress.borrow().and_then(|it| it.mark)
    }

    /// Says how many entries a segment of the log has.
    pub(super) fn mark_each(&self, length: u64) {
        self.segment.store(length, Ordering::Relaxed);
    }

    /// What the index of this log says of a resident, at one moment when it counts `size` entries at least.
    fn find(&self, log: &Connection, size: u64, resident: &Hash) -> Result<Said, StoreError> {
        // Opened each time, as a file that was made anew is another one.
        let said = schema::open_reader(&self.path)
            .and_then(|db| file::find(&db, &self.key, resident))
            .and_then(|said| match said.state.size < size {
                true => Err(StoreError::Damaged("the index of residents is an older one".into())),
                false => Ok(said),
            });
        let said = said.map_err(|error| self.failed(size, error))?;
        if log_root(log, said.state.size)? != said.state.log_root {
            let other = "the index of residents is of another history";
            return Err(self.failed(size, StoreError::Damaged(other.into())));
        }
        Ok(said)
    }

    /// Has the file made anew if that is why it could not be read. While it is made there is nothing to be read.
    fn failed(&self, size: u64, error: StoreError) -> StoreError {
        let counted = self.so_far();
        if counted < size {
            return StoreError::IndexBehind { counted, size };
        }
        if file::is_spoilt(&error) {
            self.spoilt.store(true, Ordering::Relaxed);
        }
        error
    }
}

impl Store {
    /// How many entries the index of residents counts.
    #[must_use]
    pub fn indexed(&self) -> u64 {
        self.inner.index().map_or(0, |index| index.so_far())
    }

    /// All that the log has about a resident until now.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] for more than [`MAX_HISTORY`] entries, [`StoreError::IndexBehind`] while the index does not
    /// come as far as the log, [`StoreError::Damaged`] where index and log disagree.
    pub async fn history(&self, resident: ResidentId) -> Result<HistoryDraft, StoreError> {
        let index = self.inner.index().ok_or(StoreError::Unavailable(None))?;
        let size = self.log_size();
        index.wait(size, self.log_begins()).await?;
        let index = Arc::clone(index);
        // One at a time, and beside the readers: what everybody else reads does not wait for it.
        let turn = timeout(PATIENCE, index.turn.acquire()).await;
        let behind = |_| StoreError::IndexBehind { counted: index.so_far(), size };
        let turn = turn.map_err(behind)?.map_err(StoreError::unavailable)?;
        let reading = Arc::clone(&index);
        let found = tokio::task::spawn_blocking(move || {
            let db = schema::open_reader(&reading.database)?;
            read(&db, &reading, size, &resident.to_string())
        });
        let found = found.await.map_err(StoreError::unavailable)?;
        drop(turn);
        found
    }

    /// Puts on record what the index of residents was when a resident's history was read: `None` where the log has more
    /// about the resident since, or too much altogether, and nothing was recorded.
    ///
    /// # Errors
    /// As [`record_act`](Self::record_act).
    pub async fn record_history(
        &self,
        entry: Entry,
        resident: ResidentId,
        index: Statement,
    ) -> Result<Option<Receipt>, StoreError> {
        let ((), receipt) = self
            .submit(&entry, move |db, position| {
                let more: bool = db
                    .prepare_cached(
                        "SELECT EXISTS (SELECT 1 FROM leaf WHERE position >= ?1 AND +resident = ?2)",
                    )?
                    .query_row((index.size, resident), |row| row.get(0))?;
                let late = position.saturating_sub(index.size) > MAX_LAG
                    || index.size < removals::removed_until(db)?;
                Ok(if more || late { FactFound::Same(()) } else { FactFound::Changed(()) })
            })
            .await?;
        Ok(receipt)
    }
}

/// What index and log have about a resident.
fn read(
    db: &Connection,
    reading: &ResidentIndex,
    size: u64,
    resident: &str,
) -> Result<HistoryDraft, StoreError> {
    // The index first: the log is never behind it.
    let Said { state, now, before } = reading.find(db, size, &key(resident))?;
    let (index, begins) = (state.index(), state.removed.size);
    let behind = StoreError::IndexBehind { counted: index.size, size: index.size };
    let last = reading.removals.last();
    let Some((standing, path)) = now else {
        return Ok(HistoryDraft { index, found: None });
    };
    if last.as_ref().map_or(0, |it| it.segment.until) != begins {
        return Err(behind);
    }
    let standing_before = before.as_ref().map_or_else(Standing::default, |(standing, _)| *standing);
    if standing.count.saturating_sub(standing_before.count) > MAX_HISTORY {
        return Err(StoreError::TooLong);
    }
    let moment = db.unchecked_transaction()?;
    let entries = about(&moment, resident, begins..index.size, standing_before, standing);
    let entries = match entries {
        // Some went while the others were read.
        Err(StoreError::Damaged(_)) if reading.removals.until() != begins => Err(behind),
        entries => entries,
    }?;
    let before = before.zip(last).map(|(proved, removed)| FoundBefore {
        proved,
        position: removed.position,
        entry: removed.entry.clone(),
    });
    Ok(HistoryDraft { index, found: Some(Found { standing, path, before, entries }) })
}

/// The entries about a resident at positions, in the order of the log; they must be those that lead from one standing to
/// the other.
fn about(
    db: &Connection,
    resident: &str,
    positions: Range<u64>,
    before: Standing,
    standing: Standing,
) -> Result<Vec<LogEntry>, StoreError> {
    // From the index alone, and sorted here: the database sorts whole entries.
    let mut select = db.prepare_cached(
        "SELECT position FROM leaf WHERE resident = ?1 AND position >= ?2 AND position < ?3",
    )?;
    let within = (resident, positions.start, positions.end);
    let positions = select.query_map(within, |row| row.get(0))?;
    let mut positions: Vec<u64> = positions.collect::<rusqlite::Result<_>>()?;
    positions.sort_unstable();
    let mut select = db.prepare_cached("SELECT entry FROM leaf WHERE position = ?1")?;
    let (mut all, mut entries) = (before, Vec::with_capacity(positions.len()));
    for position in positions {
        let entry: Vec<u8> = select.query_row([position], |row| row.get(0))?;
        all = all.with(position, &leaf_hash(&entry));
        entries.push(LogEntry { position, entry });
    }
    match all == standing {
        true => Ok(entries),
        false => Err(StoreError::Damaged("the index of residents and the log disagree".into())),
    }
}
