//! What a database still has of a resident who is said to be erased.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::places::PLACES;
use crate::{
    clock::UtcTime,
    store::{ResidentId, StoreError, micros::Micros, schema},
};

/// What a database says of a resident who is said to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// When they were erased, and the entry of the log that says so; nothing for somebody on record.
    pub erased: Option<(UtcTime, String)>,
    /// What is left of them, by table.
    pub left: Vec<(&'static str, u64)>,
}

impl Remains {
    /// Looks into the database at `path`, whoever has it open. `None` where there never was such a resident.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn of(path: &Path, resident: ResidentId) -> Result<Option<Self>, StoreError> {
        let db = schema::open_reader(path)?;
        let view = db.unchecked_transaction()?;
        let erased = view
            .query_row(
                "SELECT erased_at, erasure_entry FROM resident WHERE id = ?1",
                [resident],
                |row| Ok(row.get::<_, Option<Micros>>(0)?.map(|at| at.0).zip(row.get(1)?)),
            )
            .optional()?;
        let Some(erased) = erased else { return Ok(None) };
        Ok(Some(Self { erased, left: left(&view, resident)? }))
    }
}

/// What is left of a resident, by table: where the record is whole, nothing of one that was erased.
pub(super) fn left(
    db: &Connection,
    resident: ResidentId,
) -> rusqlite::Result<Vec<(&'static str, u64)>> {
    let mut left = Vec::new();
    let places = PLACES.iter().flat_map(|it| it.left.iter().map(move |left| (it.table, left)));
    for (table, condition) in places {
        let count = format!("SELECT count(*) FROM {table} WHERE {condition}");
        let rows: u64 = db.query_row(&count, [resident], |row| row.get(0))?;
        if rows > 0 {
            left.push((table, rows));
        }
    }
    Ok(left)
}
