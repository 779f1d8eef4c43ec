//! What desks saw while they could not ask, and the tasks that came of it.

use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{
    CardId, Change, IdentityId, InstitutionId, MAX_PAGE, Record, ResidentId, Store, StoreError,
    TaskId, facts::Found, micros::Micros,
};
use crate::clock::UtcTime;

/// A reading that a desk made without the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOfflineReading {
    /// Its identifier, in hexadecimal, as the desk chose it.
    pub id: String,
    /// The desk that sent it.
    pub desk: IdentityId,
    /// The card, when it is on record.
    pub card: Option<CardId>,
    /// When, as the desk says.
    pub read_at: UtcTime,
    /// When it was told.
    pub recorded_at: UtcTime,
    /// How it contradicts the record: words separated by spaces.
    pub contradictions: String,
    /// The task to be made of it.
    pub task: Option<NewTask>,
}

/// A task for the staff of an institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// Its identifier.
    pub id: TaskId,
    /// Whose staff.
    pub institution: InstitutionId,
    /// Issuing serial that the card said; empty when the reading could not be opened.
    pub chip_serial: String,
}

/// What was recorded of a reading made without the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineReading {
    /// How it contradicts the record.
    pub contradictions: String,
    /// The task that was made of it.
    pub task: Option<TaskId>,
}

/// A task on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its identifier.
    pub id: TaskId,
    /// Whose staff it is for.
    pub institution: InstitutionId,
    /// The reading it came from.
    pub reading: String,
    /// Issuing serial that the card said; empty when the reading could not be opened.
    pub chip_serial: String,
    /// The desk.
    pub desk: IdentityId,
    /// The card, when it is on record.
    pub card: Option<CardId>,
    /// Its holder.
    pub resident: Option<ResidentId>,
    /// How the reading contradicts the record: words separated by spaces.
    pub contradictions: String,
    /// When the card was read, as the desk says.
    pub read_at: UtcTime,
    /// When the task was made.
    pub opened_at: UtcTime,
    /// When, by whom and with which result it was closed.
    pub closed: Option<Closing>,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When.
    pub at: UtcTime,
    /// By whom.
    pub by: IdentityId,
    /// The word of the result.
    pub result: String,
}

/// All of a task; a condition follows.
const TASKS: &str = "SELECT task.*, r.desk, r.card, r.read_at, r.contradictions, card.resident
    FROM task JOIN offline_reading r ON r.id = task.reading LEFT JOIN card ON card.id = r.card";

impl Task {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let closed_at: Option<Micros> = row.get("closed_at")?;
        let closed = match closed_at {
            Some(at) => {
                Some(Closing { at: at.0, by: row.get("closed_by")?, result: row.get("result")? })
            }
            None => None,
        };
        Ok(Self {
            id: row.get("id")?,
            institution: row.get("institution")?,
            reading: row.get("reading")?,
            chip_serial: row.get("chip_serial")?,
            desk: row.get("desk")?,
            card: row.get("card")?,
            resident: row.get("resident")?,
            contradictions: row.get("contradictions")?,
            read_at: row.get::<_, Micros>("read_at")?.0,
            opened_at: row.get::<_, Micros>("opened_at")?.0,
            closed,
        })
    }
}

impl Store {
    /// Records a reading made without the service, and its task. [`Change::None`] when it was
    /// recorded before, whatever is said of it now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when desk, card or institution are not on record.
    pub async fn record_offline_reading(
        &self,
        reading: NewOfflineReading,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            let r = reading;
            let known = db
                .prepare_cached("SELECT 1 FROM offline_reading WHERE id = ?1")?
                .exists([&r.id])?;
            if known {
                return Ok(Found::Same(()));
            }
            db.prepare_cached("INSERT INTO offline_reading VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute((
                    &r.id,
                    r.desk,
                    r.card,
                    Micros(r.read_at),
                    Micros(r.recorded_at),
                    &r.contradictions,
                ))?;
            if let Some(task) = r.task {
                db.prepare_cached(
                    "INSERT INTO task VALUES (?1, ?2, ?3, ?4, ?5, NULL, NULL, NULL)",
                )?
                .execute((
                    task.id,
                    task.institution,
                    &r.id,
                    task.chip_serial,
                    Micros(r.recorded_at),
                ))?;
            }
            Ok(Found::Changed(()))
        })
        .await
    }

    /// What was recorded of a reading made without the service.
    pub async fn offline_reading(&self, id: String) -> Result<Option<OfflineReading>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT contradictions, task.id AS task FROM offline_reading r
                 LEFT JOIN task ON task.reading = r.id WHERE r.id = ?1",
            )?;
            let found = select.query_row([id], |row| {
                Ok(OfflineReading {
                    contradictions: row.get("contradictions")?,
                    task: row.get("task")?,
                })
            });
            Ok(found.optional()?)
        })
        .await
    }

    /// A task.
    pub async fn task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(&format!("{TASKS} WHERE task.id = ?1"))?;
            Ok(select.query_row([id], Task::read).optional()?)
        })
        .await
    }

    /// Tasks of an institution in the order they were made, at most `limit` (and [`MAX_PAGE`]),
    /// those after `after`; those that are closed as well if `with_closed`.
    pub async fn tasks(
        &self,
        institution: InstitutionId,
        with_closed: bool,
        after: Option<TaskId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        self.read(move |db| {
            let open = if with_closed { "" } else { "AND task.closed_at IS NULL" };
            let mut select = db.prepare_cached(&format!(
                "{TASKS} WHERE task.institution = ?1 AND task.id > coalesce(?2, '') {open}
                 ORDER BY task.id LIMIT ?3"
            ))?;
            let rows = select.query_map((institution, after, limit.min(MAX_PAGE)), Task::read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Closes a task. [`Change::None`] when it was closed before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_task_closed(
        &self,
        id: TaskId,
        closing: Closing,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            if !is_open(db, id)? {
                return Ok(Found::Same(()));
            }
            db.prepare_cached(
                "UPDATE task SET closed_at = ?2, closed_by = ?3, result = ?4 WHERE id = ?1",
            )?
            .execute((id, Micros(closing.at), closing.by, closing.result))?;
            Ok(Found::Changed(()))
        })
        .await
    }
}

fn is_open(db: &Connection, id: TaskId) -> Result<bool, StoreError> {
    let open: Option<bool> = db
        .prepare_cached("SELECT closed_at IS NULL FROM task WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    open.ok_or(StoreError::NotFound(Record::Task))
}
