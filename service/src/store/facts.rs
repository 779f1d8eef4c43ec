//! How a fact is handed to the writer: what to change, and the entry that says so.

use audit::{
    Entry,
    table::Columns,
    tree::{self, Hash},
};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Cause, Store, StoreError};

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

/// A fact in the queue of the writer.
pub(super) trait Job: Send {
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
    fn run(&mut self, db: &Connection, position: u64) -> Result<Option<Hash>, Refused> {
        let Some(change) = self.change.take() else { return Err(Refused::Alone) };
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
    fn run(&mut self, db: &Connection, _: u64) -> Result<Option<Hash>, Refused> {
        let Some(change) = self.change.take() else { return Err(Refused::Alone) };
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
    /// looked at, and waits until it is on disk. **It leaves no entry in the log**: whatever anybody could be asked about
    /// is a fact.
    pub(super) async fn move_forward<T, F>(&self, change: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Unrecorded { change: Some(change), found: None, reply };
        self.inner.queue(Box::new(job)).await?;
        answer.await.unwrap_or(Err(StoreError::Unavailable(None)))
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
        let (reply, answer) = oneshot::channel();
        let leaf = Leaf::new(entry)?;
        let job = Pending { leaf, change: Some(change), found: None, reply };
        self.inner.queue(Box::new(job)).await?;
        answer.await.unwrap_or(Err(StoreError::Unavailable(None)))
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
    /// [`StoreError::Unavailable`]. These hold for every other `record_…` as well.
    pub async fn record_act(&self, entry: Entry) -> Result<Receipt, StoreError> {
        self.record(entry, |_, _| Ok(())).await
    }
}
