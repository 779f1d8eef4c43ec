//! Opening and closing.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::sync::mpsc;

use super::{
    StoreError,
    erasures::{self, List},
    facts::Job,
    note_file::{self, NoteFile, beside},
    readers::Readers,
    removals::Removals,
    resident_index::{self, ResidentIndex},
    schema, succession,
    tail::{LogKeys, LogSigner, Tail},
    wal,
    writer::{Published, QUEUE, Stats, Writer},
};
use crate::clock;

/// What the clones of a store share.
pub(super) struct Inner {
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    threads: Vec<JoinHandle<()>>,
    /// `None` only while it is dropped.
    readers: Option<Readers>,
    published: Arc<Published>,
    /// `None` only while it is dropped.
    index: Option<Arc<ResidentIndex>>,
    /// Of the index; it ends with it, before the writer does.
    follower: Option<JoinHandle<()>>,
    keys: LogSigner,
    /// What was removed of the log.
    removals: Arc<Removals>,
    /// Who was erased, beside the database.
    erasures: List,
    /// Has what is to be gone moved out of the write-ahead log; `None` only while it is dropped.
    emptying: Option<wal::Emptying>,
    /// Held as long as the database is open.
    lock: File,
}

impl Inner {
    pub(super) fn open(path: &Path, log_keys: LogKeys, origin: &str) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let index_key = Arc::clone(&log_keys.resident_index);
        let signer = LogSigner::new(log_keys, origin)?;
        // For the owner's eyes only; what SQLite creates beside it gets the same rights.
        create(path)?;
        let mut db = schema::open_writer(path)?;
        schema::migrate(&mut db)?;
        // What a savepoint would restore stays in memory: in a file it takes as long as the commit itself. Facts change
        // little; what a step of the schema sorts may be much.
        db.pragma_update(None, "temp_store", "MEMORY")?;
        let (tail, head, removed) = Tail::load(&db, &signer)?;
        let removals = Arc::new(Removals::default());
        removals.follow(removed);
        let mut note_file = NoteFile::open(path)?;
        note_file.check(&db, head.size, &signer)?;
        let head = succession::take_over(&mut db, head, &signer)?;
        note_file.keep(head.clone());
        let list = List::beside(path);
        let owed = erasures::settle(&db, &list)?;
        let readers = Readers::open(path)?;
        let (note, reminders) = note_file::channel(head.size);
        let published = Arc::new(Published::new(head));
        let (nudge, emptying, moves) = wal::channel(owed);
        let mover = schema::open_writer(path)?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let keys = signer.clone();
        let (written, kept) = (Arc::clone(&published), Arc::clone(&published));
        let (tail, tried) = (Some(tail), clock::count());
        let writer = Writer { db, signer, tail, published: written, wal: nudge, note, tried };
        let (index, follower) = resident_index::beside_database(path, index_key, &removals);
        // It reads once now: it then finds the files of the log as they are, whenever it follows.
        let (followed, log) = (Arc::clone(&published), schema::open_reader(path)?);
        log.query_row("SELECT count(*) FROM migration", [], |_| Ok(()))?;
        let name = origin.to_owned();
        let follower = spawn("store-index", move || follower.run(&log, &name, &followed))?;
        let threads = vec![
            spawn("store-writer", move || writer.run(jobs))?,
            spawn("store-wal", move || moves.run(&mover))?,
            spawn("store-note", move || note_file::run(note_file, &kept, &reminders))?,
        ];
        let (readers, index) = (Some(readers), Some(Arc::new(index)));
        Ok(Self {
            queue: Some(queue),
            threads,
            readers,
            published,
            index,
            follower: Some(follower),
            keys,
            removals,
            erasures: list,
            emptying: Some(emptying),
            lock,
        })
    }

    pub(super) fn keys(&self) -> &LogSigner {
        &self.keys
    }

    pub(super) fn removals(&self) -> &Arc<Removals> {
        &self.removals
    }

    pub(super) fn erasures(&self) -> &List {
        &self.erasures
    }

    pub(super) fn emptying(&self) -> Option<&wal::Emptying> {
        self.emptying.as_ref()
    }

    pub(super) fn published(&self) -> &Published {
        &self.published
    }

    pub(super) fn index(&self) -> Option<&Arc<ResidentIndex>> {
        self.index.as_ref()
    }

    pub(super) fn readers(&self) -> Option<&Readers> {
        self.readers.as_ref()
    }

    pub(super) fn stats(&self) -> Stats {
        self.published.stats()
    }

    /// Facts that wait for the writer.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// Puts a fact into the writer's queue, waiting for room.
    pub(super) async fn queue(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Unavailable(None))?;
        queue.send(job).await.map_err(|_| StoreError::Unavailable(None))?;
        self.published.gathering().arrived(queue.max_capacity() - queue.capacity());
        Ok(())
    }
}

impl Drop for Inner {
    /// Lets the writer finish what is queued; the lock goes only then. The readers go first: the
    /// last connection to close is one that can empty the write-ahead log.
    fn drop(&mut self) {
        drop(self.readers.take());
        drop(self.index.take());
        drop(self.follower.take().map(JoinHandle::join));
        drop(self.queue.take());
        drop(self.emptying.take());
        for thread in self.threads.drain(..) {
            // A panic of that thread was reported by itself.
            drop(thread.join());
        }
        // Closing is not enough: a program that is just being started holds the file, too, until it begins.
        drop(self.lock.unlock());
    }
}

/// One process at a time. The lock is on a file beside the database, as SQLite locks the database
/// itself in its own way.
fn lock(path: &Path) -> Result<File, StoreError> {
    let file = create(&beside(path, ".lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(StoreError::unavailable(error)),
    }
}

/// Opens a file for its owner alone, creating it where it is not.
pub(super) fn create(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options.open(path).map_err(StoreError::unavailable)
}

/// Starts a thread of the store.
pub(super) fn spawn(
    name: &str,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    thread::Builder::new().name(name.into()).spawn(run).map_err(StoreError::unavailable)
}
