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

/// Copies an export with the outcome of the entry at `position` changed, as with an editor.
///
/// # Errors
/// [`DemoError::File`]; [`DemoError::Unexpected`] when there is no such entry.
pub fn change_line(export: &Path, copy: &Path, position: u64) -> Result<(), DemoError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| DemoError::File { path, source }
    };
    let text = std::fs::read_to_string(export).map_err(failed(export))?;
    let begin = format!("{position} ");
    let altered: String = text
        .split_inclusive('\n')
        .map(|line| match line.starts_with(&begin) {
            true => line.replacen("\"outcome\":\"granted\"", "\"outcome\":\"refused\"", 1),
            false => line.to_owned(),
        })
        .collect();
    if altered == text {
        return Err(DemoError::unexpected(format!("entry {position} in the export"), "none"));
    }
    std::fs::write(copy, altered).map_err(failed(copy))
}
