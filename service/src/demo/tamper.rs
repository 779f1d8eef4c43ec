//! What somebody with the file and `sqlite3` could do to a log, done to a copy of it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::DemoError;

/// Copies a database that is in use, as `sqlite3 FILE "vacuum into 'COPY'"` does.
///
/// # Errors
/// [`DemoError::Copy`].
pub fn copy(database: &Path, copy: &Path) -> Result<(), DemoError> {
    let _ = std::fs::remove_file(copy);
    let from = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    from.execute("VACUUM INTO ?1", params![copy.to_string_lossy()])?;
    Ok(())
}

/// Changes one bit of byte `at` of the leaf at `position`.
///
/// # Errors
/// [`DemoError::Copy`] when there is no such leaf.
pub fn change_byte(copy: &Path, position: u64, at: usize) -> Result<(), DemoError> {
    let log = Connection::open(copy)?;
    let position = i64::try_from(position).unwrap_or(i64::MAX);
    let mut leaf: Vec<u8> =
        log.query_row("SELECT entry FROM leaf WHERE position = ?1", [position], |row| row.get(0))?;
    let at = at % leaf.len().max(1);
    leaf[at] ^= 0x01;
    log.execute("UPDATE leaf SET entry = ?2 WHERE position = ?1", params![position, leaf])?;
    Ok(())
}
