//! How far the log was passed on, in a file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    files::{self, Audience},
    text::problems,
};

/// Largest file, bytes.
const LIMIT: u64 = 4096;
/// Entries that are passed on once more after a line broke: a repository confirms nothing (RFC 5425, 4.3), and so many may
/// have been on their way.
const AGAIN: u64 = 10_000;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Name of the log.
    log: String,
    /// All before this entry was sent.
    next: u64,
    /// Whether a line was open when this was written: what was sent last may not have arrived.
    open: bool,
}

/// How far it is.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    kept: Kept,
    /// The next entry: beyond what the file says, or before it, when some are passed on once more.
    next: u64,
}

impl Place {
    /// Reads the file; where there is none, it begins with the log.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let kept = match path.exists() {
            false => Kept::default(),
            true => serde_json::from_slice(&files::read(path, LIMIT)?)
                .map_err(|_| Failure::of(problems::FORWARD_STATE_WRONG).about(path.display()))?,
        };
        Ok(Self { path: path.to_owned(), next: kept.next, kept })
    }

    pub(super) fn log(&self) -> &str {
        &self.kept.log
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Begins to pass on this log, which has so many entries.
    pub(super) fn begin(&mut self, log: &str, size: u64) -> Result<(), Failure> {
        let is_new = self.kept == Kept::default();
        if !is_new && (self.kept.log != log || self.kept.next > size) {
            return Err(Failure::of(problems::FORWARD_STATE_WRONG).about(self.path.display()));
        }
        if self.kept.open {
            self.next = self.kept.next.saturating_sub(AGAIN);
        }
        self.kept.log = log.to_owned();
        Ok(())
    }

    /// Writes down that what is sent from now on may not arrive.
    pub(super) fn open(&mut self) -> Result<(), Failure> {
        if self.kept.open { Ok(()) } else { self.write(true) }
    }

    /// All before this was sent.
    pub(super) fn sent(&mut self, next: u64) {
        self.next = next;
    }

    /// Writes down how far it is.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        if self.next <= self.kept.next { Ok(()) } else { self.write(true) }
    }

    /// The line was closed, and the other end has all of it.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        self.write(false)
    }

    fn write(&mut self, open: bool) -> Result<(), Failure> {
        let next = self.kept.next.max(self.next);
        let kept = Kept { log: self.kept.log.clone(), next, open };
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        files::write(&self.path, &text, Audience::Owner)?;
        self.kept = kept;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_where_it_was_and_a_little_before_where_the_line_broke() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let size = 2 * AGAIN;
        let mut place = Place::read(&path).unwrap();
        place.begin("log", size).unwrap();
        assert_eq!(place.next(), 0);
        place.sent(size);
        place.end().unwrap();

        let mut place = Place::read(&path).unwrap();
        place.begin("log", size).unwrap();
        assert_eq!(place.next(), size);
        place.open().unwrap();
        place.sent(size + 1);
        place.keep().unwrap();

        // It was killed, or lost the line, in the same process or not, and while it passed on once more.
        for _ in 0..2 {
            place.begin("log", size + 9).unwrap();
            assert_eq!(place.next(), size + 1 - AGAIN);
            place.sent(size + 2 - AGAIN);
            place.keep().unwrap();
            place = Place::read(&path).unwrap();
        }
    }

    #[test]
    fn another_log_an_older_one_and_what_is_no_state_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let refused = |place: Result<(), Failure>| place.unwrap_err().reason.clone();
        let mut place = Place::read(&path).unwrap();
        place.begin("log", 10).unwrap();
        place.sent(10);
        place.end().unwrap();
        assert_eq!(refused(place.begin("other", 10)), "FORWARD_STATE_WRONG");
        assert_eq!(refused(place.begin("log", 9)), "FORWARD_STATE_WRONG");
        for text in ["", "{}", "[]", r#"{"log":"log","next":-1,"open":true}"#] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(refused(Place::read(&path).map(drop)), "FORWARD_STATE_WRONG", "{text}");
        }
    }
}
