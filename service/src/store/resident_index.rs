//! The index of residents (`audit::index`) on disk, and the histories that are read from it.
//!
//! It is in a file of its own, `DATABASE.index`, and follows the log on a thread of its own: no commit waits for it, and
//! nothing else needs it. All of it comes from the log; a file that is lost, is of another log, was written by another
//! than this service or does not hold together is made again from the beginning. Whoever wants a history waits until the
//! index has come as far as the log.

mod file;
mod node;
mod state;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
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

pub use self::state::ResidentIndexKey;
use self::{file::File, tree::Proved};
use super::{
    LogEntry, Receipt, ResidentId, Store, StoreError, facts::Found as FactFound, note_file::beside,
    schema, writer::Published,
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
    /// The entries, in the order of the log.
    pub entries: Vec<LogEntry>,
}

/// What others see of the thread.
pub(super) struct ResidentIndex {
    path: PathBuf,
    database: PathBuf,
    key: Arc<ResidentIndexKey>,
    /// Histories that are read at the same time.
    turn: Semaphore,
    nudge: SyncSender<()>,
    counted: watch::Receiver<Option<u64>>,
    spoilt: Arc<AtomicBool>,
}

/// What the thread is given.
pub(super) struct Follower {
    path: PathBuf,
    key: Arc<ResidentIndexKey>,
    nudges: Receiver<()>,
    /// How many entries are counted; `None` while there is no file to read.
    counted: watch::Sender<Option<u64>>,
    /// That the file does not hold together, whoever noticed: it is made anew.
    spoilt: Arc<AtomicBool>,
    /// Whether the last turn failed: it is said once.
    failing: bool,
}

pub(super) fn beside_database(
    database: &Path,
    key: Arc<ResidentIndexKey>,
) -> (ResidentIndex, Follower) {
    let path = beside(database, ".index");
    let (nudge, nudges) = sync_channel(1);
    let (sender, counted) = watch::channel(None);
    let spoilt = Arc::new(AtomicBool::new(false));
    let follower = Follower {
        path: path.clone(),
        key: Arc::clone(&key),
        nudges,
        counted: sender,
        spoilt: Arc::clone(&spoilt),
        failing: false,
    };
    let (database, turn) = (database.to_owned(), Semaphore::new(1));
    (ResidentIndex { path, database, key, turn, nudge, counted, spoilt }, follower)
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
        let file = match open {
            Some(open) if !anew => open,
            _ => {
                self.counted.send_replace(None);
                let file = if anew {
                    let file = File::anew(&self.path, &self.key, origin, log)?;
                    self.spoilt.store(false, Ordering::Relaxed);
                    tracing::warn!("the index of residents did not hold together: it is made anew");
                    file
                } else {
                    File::open(&self.path, &self.key, origin, log, published.size())?
                };
                open.insert(file)
            }
        };
        loop {
            let size = published.size();
            self.counted.send_replace(Some(file.counted()));
            // Nobody waits for what nobody can ask for.
            let idle = file.counted() >= size || !published.is_writable();
            if idle || self.nudges.try_recv() == closed() {
                return Ok(());
            }
            file.count(log, size, &self.spoilt)?;
        }
    }
}

const fn closed() -> Result<(), std::sync::mpsc::TryRecvError> {
    Err(std::sync::mpsc::TryRecvError::Disconnected)
}

impl ResidentIndex {
    /// Waits until the first `size` entries are counted.
    async fn wait(&self, size: u64) -> Result<(), StoreError> {
        // A nudge that is not yet heeded stands for this one too.
        let _ = self.nudge.try_send(());
        let mut counted = self.counted.clone();
        let enough = |counted: &Option<u64>| counted.is_some_and(|counted| counted >= size);
        match timeout(PATIENCE, counted.wait_for(enough)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(StoreError::Unavailable(None)),
            Err(_) => Err(StoreError::IndexBehind { counted: self.so_far(), size }),
        }
    }

    /// How many entries are counted.
    fn so_far(&self) -> u64 {
        self.counted.borrow().unwrap_or(0)
    }

    /// What the index of this log says of a resident, at one moment when it counts `size` entries at least.
    fn find(
        &self,
        log: &Connection,
        size: u64,
        resident: &Hash,
    ) -> Result<(Statement, Option<Proved>), StoreError> {
        // Opened each time, as a file that was made anew is another one.
        let found = schema::open_reader(&self.path)
            .and_then(|db| file::find(&db, &self.key, resident))
            .and_then(|(state, found)| match state.size < size {
                true => Err(StoreError::Damaged("the index of residents is an older one".into())),
                false => Ok((state, found)),
            });
        let (state, found) = found.map_err(|error| self.failed(size, error))?;
        if file::log_root(log, state.size)? != state.log_root {
            let other = "the index of residents is of another history";
            return Err(self.failed(size, StoreError::Damaged(other.into())));
        }
        Ok((Statement { size: state.size, root: state.root }, found))
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
        index.wait(size).await?;
        let index = Arc::clone(index);
        // One at a time, and beside the readers: what everybody else reads does not wait for it.
        let turn = index.turn.acquire().await.map_err(StoreError::unavailable)?;
        let reading = Arc::clone(&index);
        let found = tokio::task::spawn_blocking(move || {
            let db = schema::open_reader(&reading.database)?;
            let resident = resident.to_string();
            let (index, found) = reading.find(&db, size, &key(&resident))?;
            let Some((standing, path)) = found else {
                return Ok(HistoryDraft { index, found: None });
            };
            if standing.count > MAX_HISTORY {
                return Err(StoreError::TooLong);
            }
            let entries = about(&db, &resident, index.size, standing)?;
            let found = Some(Found { standing, path, entries });
            Ok(HistoryDraft { index, found })
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
                let late = position.saturating_sub(index.size) > MAX_LAG;
                Ok(if more || late { FactFound::Same(()) } else { FactFound::Changed(()) })
            })
            .await?;
        Ok(receipt)
    }
}

/// The entries about a resident below a position, in the order of the log; they must be those of the standing.
fn about(
    db: &Connection,
    resident: &str,
    below: u64,
    standing: Standing,
) -> Result<Vec<LogEntry>, StoreError> {
    // From the index alone, and sorted here: the database sorts whole entries.
    let mut select =
        db.prepare_cached("SELECT position FROM leaf WHERE resident = ?1 AND position < ?2")?;
    let positions = select.query_map((resident, below), |row| row.get(0))?;
    let mut positions: Vec<u64> = positions.collect::<rusqlite::Result<_>>()?;
    positions.sort_unstable();
    let mut select = db.prepare_cached("SELECT entry FROM leaf WHERE position = ?1")?;
    let (mut all, mut entries) = (Standing::default(), Vec::with_capacity(positions.len()));
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
