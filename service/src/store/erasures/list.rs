//! Who was erased, kept beside the database as `DATABASE.erasures`: the pseudonym, the erasure, who reviewed it, and the
//! entry of the log.
//!
//! A copy of the database from before an erasure has the key still. Whoever puts it in the place of the database leaves
//! this file where it is, and those whom it names are erased again before anybody is served. It is written after the
//! commit and flushed before the answer; what a stop in between left out is put in as the store is opened. It only grows,
//! and is text, so that it can be copied elsewhere and read:
//!
//! ```text
//! healthcard erasures v1
//! RESIDENT ERASURE REVIEWER ENTRY
//! ```

mod lines;

use std::{
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use self::lines::{Line, TITLE};
use crate::store::{ErasureId, IdentityId, ResidentId, StoreError, note_file::beside};

/// Largest file that is read: some 400,000 erasures.
const MOST: u64 = 64 * 1024 * 1024;

/// A resident who was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whose data it was, by pseudonym.
    pub resident: ResidentId,
    /// The erasure.
    pub erasure: ErasureId,
    /// Who reviewed it.
    pub by: IdentityId,
    /// The entry that says so, a UUID in its text form.
    pub entry: String,
}

impl Listed {
    fn line(&self) -> String {
        let (resident, erasure, by) =
            (self.resident.to_string(), self.erasure.to_string(), self.by.to_string());
        let (resident, erasure, by) = (&*resident, &*erasure, &*by);
        Line { resident, erasure, by, entry: &self.entry }.written()
    }

    fn of(line: Line<'_>) -> Option<Self> {
        Some(Self {
            resident: line.resident.parse().ok()?,
            erasure: line.erasure.parse().ok()?,
            by: line.by.parse().ok()?,
            entry: line.entry.to_owned(),
        })
    }
}

/// The file.
#[derive(Clone)]
pub(in crate::store) struct List {
    path: PathBuf,
    /// One appends at a time.
    turn: Arc<Mutex<()>>,
}

impl List {
    pub(in crate::store) fn beside(database: &Path) -> Self {
        Self { path: beside(database, ".erasures"), turn: Arc::default() }
    }

    /// Everybody whom it names.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a file that is not such a list: nobody is served whom it may name.
    pub(in crate::store) fn read(&self) -> Result<Vec<Listed>, StoreError> {
        Ok(parse(&self.text()?)?.0)
    }

    /// Adds to it, and waits until that is on disk.
    pub(super) fn append(&self, erased: &[Listed]) -> Result<(), StoreError> {
        if erased.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, whole) = parse(&self.text()?)?;
        let mut lines = if whole == 0 { TITLE.to_owned() } else { String::new() };
        lines.extend(erased.iter().map(Listed::line));
        self.write(whole as u64, lines.as_bytes()).map_err(StoreError::unavailable)
    }

    fn write(&self, at: u64, octets: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(&self.path)?;
        // What a stop left half written goes.
        file.set_len(at)?;
        file.write_all(octets)?;
        file.sync_all()?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn text(&self) -> Result<Vec<u8>, StoreError> {
        let mut octets = Vec::new();
        match std::fs::File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(octets),
            Err(error) => return Err(StoreError::unavailable(error)),
            Ok(file) => {
                file.take(MOST + 1).read_to_end(&mut octets).map_err(StoreError::unavailable)?
            }
        };
        if octets.len() as u64 > MOST { Err(damaged()) } else { Ok(octets) }
    }
}

/// Whom it names, and how many octets of it are whole lines.
fn parse(octets: &[u8]) -> Result<(Vec<Listed>, usize), StoreError> {
    let (lines, whole) = lines::parse(octets).ok_or_else(damaged)?;
    let listed = lines.into_iter().map(Listed::of).collect::<Option<Vec<_>>>();
    Ok((listed.ok_or_else(damaged)?, whole))
}

fn damaged() -> StoreError {
    StoreError::Damaged("the list of erasures beside the database".to_owned())
}

#[cfg(test)]
mod tests;
