//! Time stamps that were given.

use audit::Entry;

use super::{Obstacle, Receipt, Store, StoreError, micros::Micros};
use crate::clock::UtcTime;

impl Store {
    /// Records a stamp before it is signed. Stamps that are made at the same time may come in
    /// another order than they were made, but not by more than `slack`.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the number was given before; [`StoreError::Conflict`] when a
    /// later time was stamped before: the clock was set back.
    pub async fn record_time_stamp(
        &self,
        serial: String,
        at: UtcTime,
        slack: time::Duration,
        entry: Entry,
    ) -> Result<Receipt, StoreError> {
        self.record(entry, move |db, _| {
            let newest: Option<Micros> = db
                .prepare_cached("SELECT max(stamped_at) FROM time_stamp")?
                .query_row([], |row| row.get(0))?;
            if newest.is_some_and(|Micros(newest)| newest > at + slack) {
                return Err(StoreError::Conflict(Obstacle::LaterTimeStamp));
            }
            db.prepare_cached("INSERT INTO time_stamp (serial, stamped_at) VALUES (?1, ?2)")?
                .execute((serial, Micros(at)))?;
            Ok(())
        })
        .await
    }
}
