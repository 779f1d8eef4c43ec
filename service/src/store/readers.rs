//! Threads that only read, each with a connection of its own. What else blocks in this process
//! cannot keep them busy.

use std::{
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Store, StoreError, opening::spawn, schema};

/// Connections that read at the same time.
const READERS: usize = 4;

/// A read and the way back to whoever waits for it.
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The readers, and the queue that they share.
pub(super) struct Readers {
    /// `None` only while they are dropped.
    queue: Option<Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let (queue, reads) = channel();
        let reads = Arc::new(Mutex::new(reads));
        let mut readers = Self { queue: Some(queue), threads: Vec::new() };
        for _ in 0..READERS {
            let (db, reads) = (schema::open_reader(path)?, Arc::clone(&reads));
            readers.threads.push(spawn("store-reader", move || serve(&db, &reads))?);
        }
        Ok(readers)
    }

    fn queue(&self, read: Read) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Unavailable(None))?;
        queue.send(read).map_err(|_| StoreError::Unavailable(None))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // A read that panics does not end its thread, so there is nothing to learn here.
            drop(thread.join());
        }
    }
}

/// Serves the shared queue until the store is closed.
fn serve(db: &Connection, reads: &Mutex<Receiver<Read>>) {
    loop {
        // One reader waits for the queue, the others for it.
        let next = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(read) = next else { return };
        // A read that panics fails alone: whoever asked is told as its way back is dropped.
        drop(panic::catch_unwind(AssertUnwindSafe(|| read(db))));
    }
}

impl Store {
    /// Reads on one of the readers' threads.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let readers = self.inner.readers().ok_or(StoreError::Unavailable(None))?;
        readers.queue(Box::new(move |db| {
            // Nobody waits for it any more.
            if reply.is_closed() {
                return;
            }
            drop(reply.send(read(db)));
        }))?;
        answer.await.unwrap_or(Err(StoreError::Unavailable(None)))
    }
}
