//! A log in a SQLite file, in the tables of [`audit::table`].

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use audit::{
    check::{self, KeptStanding, Leaf, Log},
    checkpoint::VerifierKey,
    index::Standing,
    table::{
        Columns, SELECT_CHECKPOINTS, SELECT_LEAVES, SELECT_REMOVAL, SELECT_REMOVED_ENTRIES,
        SELECT_STANDINGS, SELECT_TILE, SELECT_TILES,
    },
    tile::TileId,
    tree::Hash,
};
use rusqlite::{Connection, OpenFlags, Row, Rows, Statement, types::ValueRef};

use super::check::Checked;
use crate::{failure::Failure, text::problems};

/// How every SQLite file begins.
const MAGIC: [u8; 16] = *b"SQLite format 3\0";

/// Whether the file is a SQLite database.
pub(super) fn is_database(path: &Path) -> Result<bool, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut head)?;
        Ok(head)
    };
    let head = read().map_err(|error| Failure::of(problems::FILE_UNREADABLE).about(error))?;
    Ok(head == MAGIC)
}

/// Checks the log in a database, changing nothing, within one snapshot.
pub(super) fn check(path: &Path, key: &VerifierKey, held: &[String]) -> Result<Checked, Failure> {
    let checked = || -> rusqlite::Result<Checked> {
        let database = open(path)?;
        let mut leaves = database.prepare(SELECT_LEAVES)?;
        let mut checkpoints = database.prepare(SELECT_CHECKPOINTS)?;
        let mut tiles = database.prepare(SELECT_TILES)?;
        let mut removal = database.prepare(SELECT_REMOVAL)?;
        let mut kept = prepared_if(&database, "removed_entry", SELECT_REMOVED_ENTRIES)?;
        let mut standings = prepared_if(&database, "removed_standing", SELECT_STANDINGS)?;
        let mut log = Database {
            leaves: leaves.query([])?,
            checkpoints: checkpoints.query([])?,
            tiles: tiles.query([])?,
            tile: database.prepare(SELECT_TILE)?,
            removal: removal.query([])?,
            kept: kept.as_mut().map(|it| it.query([])).transpose()?,
            standings: standings.as_mut().map(|it| it.query([])).transpose()?,
        };
        let report = check::check(&mut log, key, held)?;
        Ok(Checked::of(report))
    };
    checked().map_err(|error| Failure::of(problems::LOG_UNREADABLE).about(error))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    // One thread has it.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let database = if Path::new(&wal).exists() {
        Connection::open_with_flags(path, flags)?
    } else {
        // A lone file is read as it lies: nothing is created beside it, wherever it is kept.
        let name =
            path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let uri = format!("file:{name}?immutable=1");
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    };
    // The file is evidence, not a program: its schema may call nothing.
    database.execute_batch(
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA query_only = ON; BEGIN",
    )?;
    Ok(database)
}

/// A statement about a table that a log of an earlier version has not.
fn prepared_if<'d>(
    database: &'d Connection,
    table: &str,
    select: &str,
) -> rusqlite::Result<Option<Statement<'d>>> {
    database.table_exists(None, table)?.then(|| database.prepare(select)).transpose()
}

struct Database<'d> {
    leaves: Rows<'d>,
    checkpoints: Rows<'d>,
    tiles: Rows<'d>,
    tile: Statement<'d>,
    removal: Rows<'d>,
    kept: Option<Rows<'d>>,
    standings: Option<Rows<'d>>,
}

impl Log for Database<'_> {
    type Error = rusqlite::Error;

    fn next_checkpoint(&mut self) -> rusqlite::Result<Option<(u64, String)>> {
        let Some(row) = self.checkpoints.next()? else { return Ok(None) };
        let size: i64 = row.get(0)?;
        Ok(Some((size.cast_unsigned(), text(row, 1)?.unwrap_or_default())))
    }

    fn next_leaf(&mut self) -> rusqlite::Result<Option<Leaf>> {
        let Some(row) = self.leaves.next()? else { return Ok(None) };
        let position: i64 = row.get(0)?;
        leaf(position.cast_unsigned(), row).map(Some)
    }

    fn next_tile(&mut self) -> rusqlite::Result<Option<(i64, i64)>> {
        self.tiles.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
    }

    fn tile(&mut self, id: TileId) -> rusqlite::Result<Option<Vec<u8>>> {
        let Ok(index) = i64::try_from(id.index) else { return Ok(None) };
        let mut rows = self.tile.query((id.level, index))?;
        rows.next()?.map(|row| bytes(row, 0)).transpose()
    }

    fn removal(&mut self) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
        self.removal.next()?.map(positioned).transpose()
    }

    fn next_standing(&mut self) -> rusqlite::Result<Option<KeptStanding>> {
        let Some(row) = self.standings.as_mut().map_or(Ok(None), Rows::next)? else {
            return Ok(None);
        };
        let standing = Standing { count: number(row, 2)?, chain: hash(row, 3)? };
        Ok(Some(KeptStanding { key: bytes(row, 0)?, until: number(row, 1)?, standing }))
    }

    fn next_kept(&mut self) -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
        let row = self.kept.as_mut().map_or(Ok(None), Rows::next)?;
        row.map(positioned).transpose()
    }
}

/// A position and the entry that stands there.
fn positioned(row: &Row<'_>) -> rusqlite::Result<(u64, Vec<u8>)> {
    Ok((number(row, 0)?, bytes(row, 1)?))
}

/// A number; what is none is one that no log reaches.
fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(row.get_ref(at)?.as_i64().unwrap_or(-1).cast_unsigned())
}

/// A hash; what is none is one of nothing.
fn hash(row: &Row<'_>, at: usize) -> rusqlite::Result<Hash> {
    Ok(bytes(row, at)?.try_into().unwrap_or_default())
}

fn leaf(position: u64, row: &Row<'_>) -> rusqlite::Result<Leaf> {
    let required = |at| text(row, at).map(Option::unwrap_or_default);
    let columns = Columns {
        entry_id: required(2)?,
        // What is no integer agrees with no entry.
        at: row.get_ref(3)?.as_i64().unwrap_or(i64::MIN),
        action: required(4)?,
        outcome: required(5)?,
        actor: text(row, 6)?,
        resident: text(row, 7)?,
        visit: text(row, 8)?,
    };
    Ok(Leaf { position, entry: bytes(row, 1)?, columns: Some(columns) })
}

/// The bytes of a column, whatever its type has become.
fn bytes(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => bytes.to_vec(),
        ValueRef::Null => Vec::new(),
        ValueRef::Integer(number) => number.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
    })
}

fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => Ok(Some(String::from_utf8_lossy(text).into_owned())),
        _ => Ok(Some(String::from_utf8_lossy(&bytes(row, at)?).into_owned())),
    }
}

#[cfg(test)]
mod tests;
