//! The manifest of a package (证据包清单): who made it when of what, and the digest of everything in it.
//!
//! ```text
//! healthcard-audit-package v1
//! log log.example/healthcard
//! made 2026-11-28T01:00:00.000000Z
//! by 0193…                                 identity that made it, as entries name it
//! certificate 5a…                          serial number of the certificate that it signed with
//! range 100 200 4096                       positions of the entries, and size of the log; or of a history:
//! history 0193… 3 4096                     resident, entries, and size of the log
//! reason 卫健委投诉 2026-118                   as it was given; may be left out
//! members 9
//! README.md 2310 <64 hex: SM3>             in the order of their names
//! …
//! ```
//!
//! Lines end with a newline; there is one form only. The three members that are not listed are this one, the signature
//! over it and the time stamp over that.

use std::fmt;

use super::{Contents, MAX_MEMBERS, is_member_name};
use crate::{note::decimal, tree::Hash};

/// First line of every manifest.
pub const FORMAT: &str = "healthcard-audit-package v1";
/// Most bytes of a manifest.
pub const MAX_MANIFEST: u64 = 1024 * 1024;
/// Most bytes of a reason.
pub const MAX_REASON: usize = 512;
/// Most bytes of any other word.
const MAX_WORD: usize = 128;

/// What a package says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the log.
    pub log: String,
    /// When it was made, as entries of the log write it.
    pub made: String,
    /// Identity that made it.
    pub by: String,
    /// Serial number of the certificate that it signed with, hexadecimal.
    pub certificate: String,
    /// What it has of the log.
    pub selection: Selection,
    /// What for, as it was given.
    pub reason: Option<String>,
    /// Its members but for those that sign, by their names.
    pub members: Vec<(String, Contents)>,
}

/// What a package has of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All entries from a position up to and without another.
    Range {
        /// The first.
        from: u64,
        /// The one after the last.
        until: u64,
        /// Entries of the log.
        size: u64,
    },
    /// All entries about a resident.
    History {
        /// By pseudonym.
        resident: String,
        /// How many.
        entries: u64,
        /// Entries of the log.
        size: u64,
    },
}

/// A manifest that is none: the line, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of the manifest is malformed")]
pub struct BadManifest(pub usize);

impl Selection {
    /// Whether there is nothing in it: of no entries nothing can be shown, and a package of none is not read.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Range { from, until, .. } if from == until)
    }

    /// Entries of the log.
    pub fn size(&self) -> u64 {
        match self {
            Self::Range { size, .. } | Self::History { size, .. } => *size,
        }
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, made, by, certificate, selection, reason, members } = self;
        write!(f, "{FORMAT}\nlog {log}\nmade {made}\nby {by}\ncertificate {certificate}\n")?;
        match selection {
            Selection::Range { from, until, size } => writeln!(f, "range {from} {until} {size}")?,
            Selection::History { resident, entries, size } => {
                writeln!(f, "history {resident} {entries} {size}")?;
            }
        }
        if let Some(reason) = reason {
            writeln!(f, "reason {reason}")?;
        }
        writeln!(f, "members {}", members.len())?;
        for (name, Contents { length, digest }) in members {
            writeln!(f, "{name} {length} {}", hex::encode(digest))?;
        }
        Ok(())
    }
}

impl Manifest {
    /// Whether a text can be a reason: one line that a terminal shows as it is.
    pub fn is_reason(text: &str) -> bool {
        (1..=MAX_REASON).contains(&text.len())
            && !text.contains(char::is_control)
            && text.trim() == text
    }

    /// Reads a manifest; another form of the same one is refused.
    ///
    /// # Errors
    /// [`BadManifest`].
    pub fn read(text: &str) -> Result<Self, BadManifest> {
        let mut lines = Lines { lines: text.split('\n'), number: 0 };
        if lines.next()? != FORMAT {
            return Err(BadManifest(1));
        }
        let log = lines.word("log")?;
        let made = lines.word("made")?;
        let by = lines.word("by")?;
        let certificate = lines.word("certificate")?;
        let selection = selection(lines.next()?).ok_or(BadManifest(lines.number))?;
        let mut line = lines.next()?;
        let reason = line.strip_prefix("reason ").map(str::to_owned);
        if let Some(reason) = &reason {
            if !Self::is_reason(reason) {
                return Err(BadManifest(lines.number));
            }
            line = lines.next()?;
        }
        let count = line.strip_prefix("members ").and_then(decimal);
        let count = count.filter(|count| *count <= MAX_MEMBERS as u64);
        let count = count.ok_or(BadManifest(lines.number))?;
        let mut members: Vec<(String, Contents)> = Vec::new();
        for _ in 0..count {
            let member = member(lines.next()?).ok_or(BadManifest(lines.number))?;
            if members.last().is_some_and(|(last, _)| *last >= member.0) {
                return Err(BadManifest(lines.number));
            }
            members.push(member);
        }
        let manifest = Self { log, made, by, certificate, selection, reason, members };
        // Nothing follows, and nothing was written in another way.
        if manifest.to_string() == text { Ok(manifest) } else { Err(BadManifest(lines.number + 1)) }
    }
}

struct Lines<'a> {
    lines: std::str::Split<'a, char>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, BadManifest> {
        self.number += 1;
        self.lines.next().ok_or(BadManifest(self.number))
    }

    fn word(&mut self, name: &str) -> Result<String, BadManifest> {
        let value = self.next()?.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        let value = value.filter(|value| is_word(value));
        value.map(str::to_owned).ok_or(BadManifest(self.number))
    }
}

fn is_word(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    (1..=MAX_WORD).contains(&text.len()) && text.chars().all(plain)
}

fn selection(line: &str) -> Option<Selection> {
    let words: Vec<&str> = line.split(' ').collect();
    let selection = match words[..] {
        ["range", from, until, size] => {
            let (from, until, size) = (decimal(from)?, decimal(until)?, decimal(size)?);
            // Of no entries nothing can be shown.
            (from < until && until <= size).then_some(Selection::Range { from, until, size })?
        }
        ["history", resident, entries, size] => Selection::History {
            resident: is_word(resident).then(|| resident.to_owned())?,
            entries: decimal(entries)?,
            size: decimal(size)?,
        },
        _ => return None,
    };
    Some(selection)
}

fn member(line: &str) -> Option<(String, Contents)> {
    let mut words = line.split(' ');
    let (name, length, digest) = (words.next()?, words.next()?, words.next()?);
    let mut hash = Hash::default();
    hex::decode_to_slice(digest, &mut hash).ok()?;
    let known = is_member_name(name) && words.next().is_none();
    known.then_some((name.to_owned(), Contents { length: decimal(length)?, digest: hash }))
}
