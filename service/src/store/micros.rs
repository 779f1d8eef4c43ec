//! Times as the tables keep them: microseconds since 1970.

use audit::{Entry, table::Columns};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use time::OffsetDateTime;

use super::StoreError;
use crate::clock::UtcTime;

/// A time on its way into a table or out of it. What is finer than a microsecond is cut off.
pub(super) struct Micros(pub(super) UtcTime);

impl Micros {
    /// The time of an entry.
    pub(super) fn of(entry: &Entry) -> Result<Self, StoreError> {
        let nanos = i128::from(Columns::of(entry).at) * 1_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).map(Self).map_err(StoreError::unavailable)
    }

    pub(super) fn count(&self) -> i64 {
        // The years time can express reach neither end of 64 bits.
        i64::try_from(self.0.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
    }
}

impl ToSql for Micros {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.count().into())
    }
}

impl FromSql for Micros {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let nanos = i128::from(value.as_i64()?) * 1_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).map(Self).map_err(FromSqlError::other)
    }
}
