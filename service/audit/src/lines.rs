//! Text files with entries of the log: lines of bounded length, and the entries with their hashes beside them, which end
//! with their number.

use std::io::{BufRead, Read as _};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    checkpoint::VerifierKey,
    entry::MAX_ENTRY,
    note::decimal,
    tree::{Hash, leaf_hash},
};

/// Most lines of a note.
const MAX_NOTE_LINES: u64 = 32;
/// Most bytes of a line: an entry, its position and its hash, and a word before them.
pub(crate) const MAX_LINE: usize = MAX_ENTRY + 96;

/// Why text is not a file of this kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Reading failed.
    #[error("reading the bundle")]
    Read(#[source] std::io::Error),
    /// A line is not what it should be there: its number, from 1.
    #[error("line {0} of the bundle is malformed")]
    Line(u64),
}

/// Appends the line of an entry.
pub fn write_entry(out: &mut Vec<u8>, position: u64, entry: &[u8]) {
    let hash = BASE64.encode(leaf_hash(entry));
    out.extend_from_slice(format!("{position} {hash} ").as_bytes());
    out.extend_from_slice(entry);
    out.push(b'\n');
}

/// Appends the last line.
pub fn write_end(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(format!("end {count}\n").as_bytes());
}

/// The lines of a signed note, after one that says how many they are.
pub(crate) fn write_note(note: &str) -> String {
    format!("checkpoint {}\n{note}", note.lines().count())
}

/// A line for each hash.
pub(crate) fn write_hashes(word: &str, hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| format!("{word} {}\n", BASE64.encode(hash))).collect()
}

/// How many hashes there are, and a line for each.
pub(crate) fn write_counted(word: &str, hashes: &[Hash]) -> String {
    format!("{word} {}\n{}", hashes.len(), write_hashes("hash", hashes))
}

/// One line of the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where the entry stands in the log.
    pub position: u64,
    /// The hash that is written beside it.
    pub hash: Hash,
    /// The entry's bytes.
    pub entry: Vec<u8>,
}

impl Line {
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        let mut parts = line.splitn(3, |b| *b == b' ');
        let (position, hash, entry) = (parts.next()?, parts.next()?, parts.next()?);
        let position = decimal(std::str::from_utf8(position).ok()?)?;
        let hash = read_hash(std::str::from_utf8(hash).ok()?)?;
        Some(Self { position, hash, entry: entry.to_vec() })
    }
}

pub(crate) fn read_hash(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// A number and a hash.
pub(crate) fn read_pair(text: &str) -> Option<(u64, Hash)> {
    let (number, hash) = text.split_once(' ')?;
    Some((decimal(number)?, read_hash(hash)?))
}

/// Lines of bounded length.
pub struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    /// The next line without its newline; `None` at the end. A last line without one is malformed.
    fn next(&mut self) -> Result<Option<Vec<u8>>, BundleError> {
        let mut line = Vec::new();
        self.number += 1;
        let mut bounded = (&mut self.input).take(MAX_LINE as u64 + 1);
        bounded.read_until(b'\n', &mut line).map_err(BundleError::Read)?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(self.malformed()),
        }
    }

    /// The next line, which must be there and be text.
    pub(crate) fn text(&mut self) -> Result<String, BundleError> {
        let line = self.next()?.ok_or_else(|| self.malformed())?;
        String::from_utf8(line).map_err(|_| self.malformed())
    }

    /// What the next line says after this word, as `read` reads it.
    pub(crate) fn said<T>(
        &mut self,
        word: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, BundleError> {
        let line = self.text()?;
        let rest = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
        rest.and_then(read).ok_or_else(|| self.malformed())
    }

    /// Hashes, at most so many, after the line that says how many they are.
    pub(crate) fn hashes(&mut self, word: &str, most: usize) -> Result<Vec<Hash>, BundleError> {
        let count = |text: &str| decimal(text).filter(|count| *count <= most as u64);
        let count = self.said(word, count)?;
        (0..count).map(|_| self.said("hash", read_hash)).collect()
    }

    /// The end of the file.
    pub(crate) fn end(&mut self) -> Result<(), BundleError> {
        match self.next()? {
            None => Ok(()),
            Some(_) => Err(self.malformed()),
        }
    }

    /// The line that names the log's key.
    pub(crate) fn key(&mut self) -> Result<VerifierKey, BundleError> {
        self.said("key", |key| key.parse().ok())
    }

    /// A signed note, after the line that says how many lines it has.
    pub(crate) fn note(&mut self) -> Result<String, BundleError> {
        let lines = |count: &str| decimal(count).filter(|count| *count <= MAX_NOTE_LINES);
        let count = self.said("checkpoint", lines)?;
        let mut note = String::new();
        for _ in 0..count {
            note += &self.text()?;
            note.push('\n');
        }
        Ok(note)
    }

    pub(crate) fn malformed(&self) -> BundleError {
        BundleError::Line(self.number)
    }
}

/// What such a file says before its entries.
pub trait Head: Sized {
    /// Reads it, up to the line that announces the entries.
    #[doc(hidden)]
    fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<Self, BundleError>;
}

/// Reads such a file line by line.
pub struct EntryReader<R, H> {
    lines: Lines<R>,
    header: H,
    state: State,
    count: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Entries,
    /// The last line was read.
    Complete,
    /// The file ended before it.
    CutShort,
}

impl<R: BufRead, H: Head> EntryReader<R, H> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`BundleError`]; this holds for the lines as well.
    pub fn new(input: R) -> Result<Self, BundleError> {
        let mut lines = Lines::new(input);
        let header = H::read(&mut lines)?;
        if lines.text()? != "entries" {
            return Err(lines.malformed());
        }
        Ok(Self { lines, header, state: State::Entries, count: 0 })
    }

    /// What the file says before its entries.
    pub fn header(&self) -> &H {
        &self.header
    }

    /// The next entry, as it stands; `None` after the last.
    pub fn next_line(&mut self) -> Result<Option<Line>, BundleError> {
        if self.state != State::Entries {
            return Ok(None);
        }
        let Some(line) = self.lines.next()? else {
            self.state = State::CutShort;
            return Ok(None);
        };
        let malformed = BundleError::Line(self.lines.number);
        if let Some(count) = line.strip_prefix(b"end ") {
            let count = std::str::from_utf8(count).ok().and_then(decimal);
            if count != Some(self.count) || self.lines.next()?.is_some() {
                return Err(malformed);
            }
            self.state = State::Complete;
            return Ok(None);
        }
        let line = Line::read(&line).ok_or(malformed)?;
        self.count += 1;
        Ok(Some(line))
    }

    /// How many were read.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whether the file ended before its last line.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.state == State::CutShort
    }
}
