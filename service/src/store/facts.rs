//! How a fact is handed to the writer: what to change, and the entry that says so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use audit::{
    Entry,
    table::Columns,
    tree::{self, Hash},
};
use rusqlite::Connection;
use tokio::{sync::oneshot, time::timeout};

use super::{Cause, Store, StoreError};
use crate::clock;

/// Where an act stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Position of the leaf, counted from 0.
    pub position: u64,
    /// Identifier written in the leaf itself.
    pub entry_id: String,
}

/// Whether there was anything to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was changed, and this is the leaf that says so.
    Recorded(Receipt),
    /// It was so already: nothing changed and nothing was appended.
    None,
}

/// What a fact found when its turn came.
pub(super) enum Found<T> {
    /// The change is made; append the entry.
    Changed(T),
    /// The change is made; append this entry in place of the one that was handed in, as it says what was found.
    Told(T, Box<Entry>),
    /// Nothing to do; append nothing.
    Same(T),
}

tokio::task_local! {
    /// Set where an answer has to come in time, whatever the writer does.
    static BOUNDED: ();
}

/// Work whose facts are answered in time even when the disk has taken them and does not come back: with
/// [`StoreError::Unsettled`] then. For work in which nothing has to follow a commit but its answer.
pub async fn bounded<T>(work: impl Future<Output = T>) -> T {
    BOUNDED.scope((), work).await
}

/// A fact on its way: the writer takes it when its turn comes, or its caller takes it back before. Who comes second
/// knows.
#[derive(Clone)]
struct Ticket {
    taken: Arc<AtomicBool>,
    since: Instant,
}

impl Ticket {
    fn new() -> Self {
        Self { taken: Arc::default(), since: clock::count() }
    }

    fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::AcqRel)
    }
}

/// A fact in the queue of the writer.
pub(super) trait Job: Send {
    /// Since when its caller waits.
    fn since(&self) -> Instant;
    /// Makes the change within the open savepoint and appends the leaf at `position`. Answers the
    /// leaf's hash, or `None` where nothing was appended; `Err` keeps its own error for
    /// [`answer`](Self::answer) and says whether the whole group can go on.
    fn run(&mut self, db: &Connection, position: u64) -> Result<Option<Hash>, Refused>;
    /// Tells the caller; `committed` once everything is on disk, or why nothing is.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// How far the failure of one job reaches.
pub(super) enum Refused {
    /// This fact alone was refused.
    Alone,
    /// The database failed; so does the group.
    Group(Option<Cause>),
}

/// An entry as the log keeps it, encoded and hashed by the caller's own task.
struct Leaf {
    columns: Columns,
    bytes: Vec<u8>,
    hash: Hash,
}

impl Leaf {
    fn new(entry: &Entry) -> Result<Self, StoreError> {
        let bytes = entry.encode().map_err(StoreError::Entry)?;
        Ok(Self { columns: Columns::of(entry), hash: tree::leaf_hash(&bytes), bytes })
    }

    fn insert(&self, db: &Connection, position: u64) -> Result<(), StoreError> {
        let Columns { entry_id, at, action, outcome, actor, resident, visit } = &self.columns;
        db.prepare_cached(
            "INSERT INTO leaf (position, entry, entry_id, at, action, outcome, actor, resident, visit)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((position, &self.bytes, entry_id, at, action, outcome, actor, resident, visit))?;
        Ok(())
    }
}

struct Pending<T, F> {
    ticket: Ticket,
    leaf: Leaf,
    /// Taken when it runs.
    change: Option<F>,
    found: Option<Result<(T, Option<u64>), StoreError>>,
    reply: oneshot::Sender<Result<(T, Option<Receipt>), StoreError>>,
}

impl<T, F> Job for Pending<T, F>
where
    T: Send,
    F: FnOnce(&Connection, u64) -> Result<Found<T>, StoreError> + Send,
{
    fn since(&self) -> Instant {
        self.ticket.since
    }

    fn run(&mut self, db: &Connection, position: u64) -> Result<Option<Hash>, Refused> {
        let change = self.change.take().filter(|_| self.ticket.take());
        let Some(change) = change else { return Err(Refused::Alone) };
        let found = change(db, position).and_then(|found| match found {
            Found::Changed(value) => {
                self.leaf.insert(db, position)?;
                Ok((value, Some(position)))
            }
            Found::Told(value, entry) => {
                self.leaf = Leaf::new(&entry)?;
                self.leaf.insert(db, position)?;
                Ok((value, Some(position)))
            }
            Found::Same(value) => Ok((value, None)),
        });
        let answer = match &found {
            Ok((_, Some(_))) => Ok(Some(self.leaf.hash)),
            Ok((_, None)) => Ok(None),
            Err(StoreError::Unavailable(cause)) => Err(Refused::Group(cause.clone())),
            Err(_) => Err(Refused::Alone),
        };
        self.found = Some(found);
        answer
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let entry_id = self.leaf.columns.entry_id;
        let found = self.found.unwrap_or(Err(StoreError::Unavailable(None)));
        let answer = committed.and(found).map(|(value, position)| {
            (value, position.map(|position| Receipt { position, entry_id }))
        });
        // A caller that went away no longer wants to know; what is recorded stays recorded.
        drop(self.reply.send(answer));
    }
}

/// What moves forward without an entry.
struct Unrecorded<T, F> {
    ticket: Ticket,
    /// Taken when it runs.
    change: Option<F>,
    found: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Unrecorded<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, StoreError> + Send,
{
    fn since(&self) -> Instant {
        self.ticket.since
    }

    fn run(&mut self, db: &Connection, _: u64) -> Result<Option<Hash>, Refused> {
        let change = self.change.take().filter(|_| self.ticket.take());
        let Some(change) = change else { return Err(Refused::Alone) };
        let found = change(db);
        let answer = match &found {
            Ok(_) => Ok(None),
            Err(StoreError::Unavailable(cause)) => Err(Refused::Group(cause.clone())),
            Err(_) => Err(Refused::Alone),
        };
        self.found = Some(found);
        answer
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let found = self.found.unwrap_or(Err(StoreError::Unavailable(None)));
        drop(self.reply.send(committed.and(found)));
    }
}

impl Store {
    /// Moves something forward that is no fact about anybody, such as that they are still there or how far the log was
    /// looked at, and waits until it is on disk. **It leaves no entry in the log**: whatever anybody could be asked
    /// about is a fact.
    pub(super) async fn move_forward<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let ((reply, answer), ticket) = (oneshot::channel(), Ticket::new());
        let job = Unrecorded { ticket: ticket.clone(), change: Some(change), found: None, reply };
        self.hand_over(Box::new(job), &ticket, answer).await
    }

    /// Hands a fact to the writer and waits until it is on disk. `change` gets the database and
    /// the position its leaf will have.
    pub(super) async fn submit<T, F>(
        &self,
        entry: &Entry,
        change: F,
    ) -> Result<(T, Option<Receipt>), StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, u64) -> Result<Found<T>, StoreError> + Send + 'static,
    {
        let ((reply, answer), ticket) = (oneshot::channel(), Ticket::new());
        let leaf = Leaf::new(entry)?;
        let job =
            Pending { ticket: ticket.clone(), leaf, change: Some(change), found: None, reply };
        self.hand_over(Box::new(job), &ticket, answer).await
    }

    /// Queues a fact and waits for its answer. Behind a disk that does not come back it waits as long as is set, and
    /// takes the fact back: then nothing was done. What the writer has taken by then is waited for to its end, however
    /// long, since nobody knows what becomes of it, and what follows a commit must follow. Who cannot wait that long
    /// leaves it to itself (`api/patience.rs`), or has nothing to follow ([`bounded`]).
    async fn hand_over<T>(
        &self,
        job: Box<dyn Job>,
        ticket: &Ticket,
        mut answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let pace = self.inner.published().pace();
        if pace.is_stuck() {
            return Err(StoreError::late());
        }
        let patience = pace.limits().patience;
        timeout(patience, self.inner.queue(job)).await.unwrap_or(Err(StoreError::late()))?;
        let answered = match timeout(patience, &mut answer).await {
            Ok(answered) => answered,
            Err(_) if ticket.take() => return Err(StoreError::late()),
            Err(_) if BOUNDED.try_with(|()| ()).is_ok() => {
                timeout(patience, answer).await.map_err(|_| StoreError::unsettled())?
            }
            Err(_) => answer.await,
        };
        answered.unwrap_or(Err(StoreError::Unavailable(None)))
    }

    /// A fact that always changes something, or is refused.
    pub(super) async fn record<F>(&self, entry: Entry, change: F) -> Result<Receipt, StoreError>
    where
        F: FnOnce(&Connection, u64) -> Result<(), StoreError> + Send + 'static,
    {
        let change = |db: &Connection, position| change(db, position).map(Found::Changed);
        let (_, receipt) = self.submit(&entry, change).await?;
        receipt.ok_or(StoreError::Unavailable(None))
    }

    /// A fact that may be so already.
    pub(super) async fn change<F>(&self, entry: Entry, change: F) -> Result<Change, StoreError>
    where
        F: FnOnce(&Connection) -> Result<Found<()>, StoreError> + Send + 'static,
    {
        let (_, receipt) = self.submit(&entry, move |db, _| change(db)).await?;
        Ok(receipt.map_or(Change::None, Change::Recorded))
    }

    /// Records an act that changes nothing else: a refusal, a reading, a search.
    ///
    /// # Errors
    /// [`StoreError::Entry`], [`StoreError::Duplicate`] for an entry identifier used before,
    /// [`StoreError::Unavailable`], [`StoreError::Unsettled`]. These hold for every other `record_…` as well.
    pub async fn record_act(&self, entry: Entry) -> Result<Receipt, StoreError> {
        self.record(entry, |_, _| Ok(())).await
    }
}
