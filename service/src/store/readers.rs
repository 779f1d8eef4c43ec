//! Connections that only read.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{Store, StoreError, schema};

/// Connections that read at the same time.
const READERS: usize = 4;

/// A pool of read-only connections.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    /// One permit for each connection.
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let idle =
            (0..READERS).map(|_| schema::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { idle: Mutex::new(idle), permits: Arc::new(Semaphore::new(READERS)) })
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> T) -> Option<T> {
        let db = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let answer = read(&db);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        Some(answer)
    }
}

impl Store {
    /// Reads on a thread that may block.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let readers = Arc::clone(self.inner.readers());
        let permit = Arc::clone(&readers.permits).acquire_owned().await;
        let permit = permit.map_err(StoreError::unavailable)?;
        let answer = tokio::task::spawn_blocking(move || {
            let answer = readers.with(read);
            drop(permit);
            answer
        });
        answer.await.map_err(StoreError::unavailable)?.unwrap_or(Err(StoreError::Unavailable(None)))
    }
}
