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

use std::{
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::store::{ErasureId, IdentityId, ResidentId, StoreError, note_file::beside};

const TITLE: &str = "healthcard erasures v1\n";
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
        format!("{} {} {} {}\n", self.resident, self.erasure, self.by, self.entry)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut word = || words.next();
        let listed = Self {
            resident: word()?.parse().ok()?,
            erasure: word()?.parse().ok()?,
            by: word()?.parse().ok()?,
            // Of the same form as the identifiers of records.
            entry: word()?.parse::<ErasureId>().ok()?.to_string(),
        };
        words.next().is_none().then_some(listed)
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
    /// [`StoreError::Tampered`] for a file that is not such a list: nobody is served whom it may name.
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

/// Whom it names, and how many octets of it are whole lines: the last may have been cut short as it was written.
fn parse(octets: &[u8]) -> Result<(Vec<Listed>, usize), StoreError> {
    let whole = octets.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
    let text = std::str::from_utf8(&octets[..whole]).map_err(|_| damaged())?;
    let Some(lines) = text.strip_prefix(TITLE) else {
        // Of a title that was cut short nothing is whole.
        let cut = whole == 0 && TITLE.as_bytes().starts_with(octets);
        return if cut { Ok((Vec::new(), 0)) } else { Err(damaged()) };
    };
    let listed = lines.split_terminator('\n').map(Listed::parse).collect::<Option<Vec<_>>>();
    Ok((listed.ok_or_else(damaged)?, whole))
}

fn damaged() -> StoreError {
    StoreError::Tampered("the list of erasures beside it is damaged")
}

#[cfg(test)]
mod tests;
