//! The one thread that writes. It takes what has queued up, and commits it together.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::{
    runtime::Builder,
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    StoreError, Trouble,
    facts::{Job, Refused},
    gathering::{Gathering, Habit},
    note_file, pace,
    tail::{Head, LogSigner, Tail},
    wal,
};
use crate::clock;

/// Most facts that share a commit.
const GROUP: usize = 256;
/// Facts that may wait; whoever comes then waits to be let into the queue.
pub(super) const QUEUE: usize = 1024;

/// How soon after a failure, and then how often, the writer finds out whether it could commit again when no leaf does.
const TRIAL: Duration = Duration::from_secs(2);

/// What the writer has done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits to disk that carried leaves.
    pub commits: u64,
    /// The leaves they carried.
    pub committed_leaves: u64,
}

/// What the writer lets others see.
pub(super) struct Published {
    head: RwLock<Head>,
    commits: AtomicU64,
    leaves: AtomicU64,
    writable: watch::Sender<bool>,
    /// Why it is not.
    trouble: RwLock<Option<Trouble>>,
    pace: pace::Watch,
    gathering: Gathering,
}

impl Published {
    pub(super) fn new(head: Head) -> Self {
        Self {
            head: RwLock::new(head),
            commits: AtomicU64::new(0),
            leaves: AtomicU64::new(0),
            writable: watch::Sender::new(true),
            trouble: RwLock::default(),
            pace: pace::Watch::default(),
            gathering: Gathering::default(),
        }
    }

    pub(super) fn head(&self) -> Head {
        self.head.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn size(&self) -> u64 {
        self.head.read().unwrap_or_else(PoisonError::into_inner).size
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            commits: self.commits.load(Ordering::Relaxed),
            committed_leaves: self.leaves.load(Ordering::Relaxed),
        }
    }

    pub(super) fn is_writable(&self) -> bool {
        *self.writable.borrow()
    }

    /// Follows whether commits succeed.
    pub(super) fn writability(&self) -> watch::Receiver<bool> {
        self.writable.subscribe()
    }

    fn publish(&self, head: Head) {
        let mut current = self.head.write().unwrap_or_else(PoisonError::into_inner);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.leaves.fetch_add(head.size - current.size, Ordering::Relaxed);
        *current = head;
        self.recover();
    }

    /// Why the log cannot be written, if it cannot.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        *self.trouble.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pace(&self) -> &pace::Watch {
        &self.pace
    }

    pub(super) fn gathering(&self) -> &Gathering {
        &self.gathering
    }

    fn recover(&self) {
        self.tell(None);
    }

    fn fail(&self, error: &StoreError) {
        self.tell(Some(error.trouble()));
    }

    fn tell(&self, trouble: Option<Trouble>) {
        if self.trouble() != trouble {
            *self.trouble.write().unwrap_or_else(PoisonError::into_inner) = trouble;
        }
        // Nobody is woken by each commit.
        self.writable.send_if_modified(|writable| {
            std::mem::replace(writable, trouble.is_none()) != trouble.is_none()
        });
    }
}

pub(super) struct Writer {
    pub(super) db: Connection,
    pub(super) signer: LogSigner,
    /// `None` after a failed commit: what is on disk then says where the log ends.
    pub(super) tail: Option<Tail>,
    pub(super) published: Arc<Published>,
    pub(super) wal: wal::Nudge,
    pub(super) note: note_file::Reminder,
    /// When a commit failed, or was last tried out.
    pub(super) tried: Instant,
}

impl Writer {
    /// Serves the queue until the store is closed.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut habit = Habit::default();
        while let Some(first) = self.next(&mut queue) {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            let (shared, begun) = (group.len(), clock::count());
            let waiting = self.serve(group, &queue);
            let (gathering, wanted) = (&self.published.gathering, (shared + waiting).min(GROUP));
            habit.wait_again(gathering, (shared, wanted), begun.elapsed(), || queue.len());
        }
    }

    /// The next of the queue. After a failed commit none may come, as nobody is sent to a service that says
    /// that it cannot write: then what a commit needs is tried out every while.
    fn next(&mut self, queue: &mut mpsc::Receiver<Box<dyn Job>>) -> Option<Box<dyn Job>> {
        while !self.published.is_writable() {
            let Ok(clock) = Builder::new_current_thread().enable_time().build() else { break };
            match clock.block_on(async { timeout(TRIAL, queue.recv()).await }) {
                Ok(next) => return next,
                Err(_) => self.find_out(),
            }
        }
        queue.blocking_recv()
    }

    fn find_out(&mut self) {
        self.tried = clock::count();
        self.published.pace.begin(self.tried);
        let tried = self.try_out();
        self.published.pace.end(tried.is_ok());
        match tried {
            Ok(()) => {
                self.published.recover();
                tracing::info!("the log can be written again");
            }
            Err(error) => {
                self.published.fail(&error);
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "the log cannot be written yet");
            }
        }
    }

    /// Whether the log is whole, its key signs, and the disk takes a commit. It changes nothing: the
    /// newest checkpoint is written as it is, and what was signed is for nobody.
    fn try_out(&mut self) -> Result<(), StoreError> {
        let (tail, head, _) = Tail::load(&self.db, &self.signer)?;
        self.signer.sign(tail.size(), tail.root())?;
        let write = "UPDATE checkpoint SET note = note WHERE size = ?1";
        self.db.execute(write, [head.size])?;
        self.tail = Some(tail);
        Ok(())
    }

    /// Commits a group and answers it. Tells how many were waiting by then.
    fn serve(
        &mut self,
        mut group: Vec<Box<dyn Job>>,
        queue: &mpsc::Receiver<Box<dyn Job>>,
    ) -> usize {
        // They came in this order.
        self.published.pace.begin(group.first().map_or_else(clock::count, |job| job.since()));
        let committed = self.commit(&mut group);
        self.published.pace.end(committed.is_ok());
        let waiting = queue.len();
        match committed {
            Ok(head) => {
                if let Some(head) = head {
                    let size = head.size;
                    self.published.publish(head);
                    self.note.committed(size);
                } else if !self.published.is_writable() && self.tried.elapsed() >= TRIAL {
                    // What has no leaf needs no signature, and keeps the queue from being idle.
                    self.find_out();
                }
                self.wal.committed();
                group.into_iter().for_each(|job| job.answer(Ok(())));
            }
            Err(error) => {
                self.published.fail(&error);
                self.tried = clock::count();
                tracing::error!(error = &error as &dyn std::error::Error, "a commit failed");
                let (failed, cause): (fn(_) -> _, _) = match error {
                    StoreError::Unsettled(cause) => (StoreError::Unsettled, cause),
                    StoreError::Unavailable(cause) => (StoreError::Unavailable, cause),
                    other => (StoreError::Unavailable, Some(Arc::new(other) as _)),
                };
                for job in group {
                    job.answer(Err(failed(cause.clone())));
                }
            }
        }
        waiting
    }

    /// One transaction with a savepoint for each fact. On an error nothing of it is on record; after
    /// [`StoreError::Unsettled`] it may be at the next start.
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<Option<Head>, StoreError> {
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => Tail::load(&self.db, &self.signer)?.0,
        };
        let before = tail.size();
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in group {
            transaction.prepare_cached("SAVEPOINT fact")?.execute([])?;
            // A fact that panics is refused alone: it must not end the thread that all others need.
            let run = AssertUnwindSafe(|| job.run(&transaction, tail.size()));
            match panic::catch_unwind(run).unwrap_or(Err(Refused::Alone)) {
                Ok(Some(leaf)) => tail.append(leaf),
                Ok(None) => {}
                Err(Refused::Alone) => {
                    transaction.prepare_cached("ROLLBACK TO fact")?.execute([])?;
                }
                Err(Refused::Group(cause)) => return Err(StoreError::Unavailable(cause)),
            }
            transaction.prepare_cached("RELEASE fact")?.execute([])?;
        }
        let head = match tail.size() == before {
            true => None,
            false => Some(tail.save(&transaction, &self.signer)?),
        };
        transaction.commit().map_err(StoreError::of_commit)?;
        self.tail = Some(tail);
        Ok(head)
    }
}
