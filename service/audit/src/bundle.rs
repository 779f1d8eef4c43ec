//! Bundles: a range of the log in one text file that is checked alone.
//!
//! ```text
//! healthcard-audit-bundle v1
//! key log.example+5f1c0a77+/2hlYWx0…       verifier key; compare it with one obtained another way
//! range 100 200 4096                       first position, the one after the last, size of the log
//! left <hash, base64>                      complete subtrees before the range, largest first
//! right <hash, base64>                     complete subtrees after it, left to right
//! checkpoint 5                             lines of the signed note, which follow
//! log.example
//! 4096
//! <root, base64>
//!
//! — log.example <base64>
//! entries
//! 100 <leaf hash, base64> {"v":1,…}        position, hash, the entry itself
//! 101 …
//! end 100                                  number of entries
//! ```
//!
//! Lines end with a newline; there is no other white space. A writer needs only the header's facts
//! and then the entries in order, so a bundle of any length streams.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::BufRead,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    check::{Finding, Findings, Gap, Report, Verdict},
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    entry::{Entry, MAX_ENTRY},
    note::decimal,
    tree::{Frontier, Hash, leaf_hash, right_nodes},
};

#[cfg(test)]
mod tests;

/// First line of every bundle.
pub const FORMAT: &str = "healthcard-audit-bundle v1";
/// Most lines of a note.
const MAX_NOTE_LINES: u64 = 32;
/// Most bytes of a line: an entry, its position and its hash.
const MAX_LINE: usize = MAX_ENTRY + 96;

/// What a bundle says before its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Key of the log. To be trusted only when it came another way too.
    pub key: VerifierKey,
    /// First position.
    pub from: u64,
    /// The position after the last.
    pub until: u64,
    /// Size of the log that the checkpoint speaks of.
    pub size: u64,
    /// Hashes of the subtrees that [`crate::tree::left_nodes`] of `from` names.
    pub left: Vec<Hash>,
    /// Hashes of the subtrees that [`right_nodes`] of `until` and `size` names.
    pub right: Vec<Hash>,
    /// Signed note of that size.
    pub checkpoint: String,
}

/// Why text is not a bundle.
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

impl Header {
    /// The lines of the header, up to and with `entries`.
    pub fn write(&self) -> String {
        let Self { key, from, until, size, left, right, checkpoint } = self;
        let mut text = format!("{FORMAT}\nkey {key}\nrange {from} {until} {size}\n");
        for (word, hashes) in [("left", left), ("right", right)] {
            for hash in hashes {
                text += &format!("{word} {}\n", BASE64.encode(hash));
            }
        }
        text += &format!("checkpoint {}\n{checkpoint}entries\n", checkpoint.lines().count());
        text
    }
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

/// Reads a bundle line by line.
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
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

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Self, BundleError> {
        let mut lines = Lines { input, number: 0 };
        let header = read_header(&mut lines)?;
        Ok(Self { lines, header, state: State::Entries, count: 0 })
    }

    /// What the bundle says before its entries.
    pub fn header(&self) -> &Header {
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
        let line = read_line(&line).ok_or(malformed)?;
        self.count += 1;
        Ok(Some(line))
    }
}

fn read_line(line: &[u8]) -> Option<Line> {
    let mut parts = line.splitn(3, |b| *b == b' ');
    let (position, hash, entry) = (parts.next()?, parts.next()?, parts.next()?);
    let position = decimal(std::str::from_utf8(position).ok()?)?;
    Some(Line {
        position,
        hash: read_hash(std::str::from_utf8(hash).ok()?)?,
        entry: entry.to_vec(),
    })
}

fn read_hash(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

fn read_header<R: BufRead>(lines: &mut Lines<R>) -> Result<Header, BundleError> {
    if lines.text()? != FORMAT {
        return Err(lines.malformed());
    }
    let key = lines.text()?;
    let key = key.strip_prefix("key ").and_then(|key| key.parse().ok());
    let key = key.ok_or_else(|| lines.malformed())?;
    let range = lines.text()?;
    let range = range.strip_prefix("range ").ok_or_else(|| lines.malformed())?;
    let numbers: Option<Vec<u64>> = range.split(' ').map(decimal).collect();
    let (from, until, size) = match numbers.as_deref() {
        Some(&[from, until, size]) if from <= until && until <= size && size < 1 << 62 => {
            (from, until, size)
        }
        _ => return Err(lines.malformed()),
    };
    let mut hashes = |word: &str, count: usize| {
        let hash = |_| {
            let line = lines.text()?;
            let hash = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
            hash.and_then(read_hash).ok_or_else(|| lines.malformed())
        };
        (0..count).map(hash).collect::<Result<Vec<_>, _>>()
    };
    let left = hashes("left", from.count_ones() as usize)?;
    let right = hashes("right", right_nodes(until, size).len())?;
    let count = lines.text()?;
    let count = count.strip_prefix("checkpoint ").and_then(decimal);
    let count = count.filter(|n| *n <= MAX_NOTE_LINES).ok_or_else(|| lines.malformed())?;
    let mut checkpoint = String::new();
    for _ in 0..count {
        checkpoint += &lines.text()?;
        checkpoint.push('\n');
    }
    if lines.text()? != "entries" {
        return Err(lines.malformed());
    }
    Ok(Header { key, from, until, size, left, right, checkpoint })
}

/// Lines of bounded length.
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line without its newline; `None` at the end. A last line without one is malformed.
    fn next(&mut self) -> Result<Option<Vec<u8>>, BundleError> {
        let mut line = Vec::new();
        self.number += 1;
        let mut bounded = std::io::Read::take(&mut self.input, MAX_LINE as u64 + 1);
        bounded.read_until(b'\n', &mut line).map_err(BundleError::Read)?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(self.malformed()),
        }
    }

    /// The next line, which must be there and be text.
    fn text(&mut self) -> Result<String, BundleError> {
        let line = self.next()?.ok_or_else(|| self.malformed())?;
        String::from_utf8(line).map_err(|_| self.malformed())
    }

    fn malformed(&self) -> BundleError {
        BundleError::Line(self.number)
    }
}

/// Checks a bundle alone: that its entries are those that stand at their positions in the log
/// whose checkpoint `key` signed, and that the log goes on from checkpoints that were obtained earlier
/// or elsewhere and kept (`held`, signed notes), as far as the bundle can tell.
///
/// # Errors
/// [`BundleError`] where the text is not a bundle; a bundle that was tampered with is a
/// [`Verdict`].
pub fn check<R: BufRead>(
    mut bundle: Reader<R>,
    key: &VerifierKey,
    held: &[String],
) -> Result<Report, BundleError> {
    let header = bundle.header.clone();
    let (mut findings, mut gaps) = (Findings::default(), Vec::new());
    let root = signed_root(&header, key, &mut findings, &mut gaps);
    let held: Vec<_> = held.iter().map(|note| Checkpoint::verify(note, key).ok()).collect();
    let sizes = held.iter().flatten().map(|held| held.size).collect();
    let entries = Entries::read(&mut bundle, &header, sizes, &mut findings)?;
    if bundle.state == State::CutShort {
        gaps.push(Gap::CutShort);
    } else if entries.next < header.until {
        findings.add(Finding::Missing { from: entries.next, until: header.until });
    }
    let whole = findings.is_empty() && gaps.is_empty();
    let roots = entries.weigh(&header, root.filter(|_| whole), &mut findings);
    // Only what is as it was signed says what the log was before.
    let known = root.filter(|_| findings.is_empty() && gaps.is_empty());
    for (at, held) in held.into_iter().enumerate() {
        let size = header.size;
        let Some(held) = held else {
            gaps.push(Gap::HeldByOtherKey(at));
            continue;
        };
        let own = if held.size == size { known } else { known.and(roots.get(&held.size).copied()) };
        match own {
            _ if held.size > size => findings.add(Finding::RolledBack { held: held.size, size }),
            Some(own) if own != held.root => findings.add(Finding::Forked { size: held.size }),
            Some(_) => {}
            None => gaps.push(Gap::HeldElsewhere(at)),
        }
    }
    // The log may have a key of before beside it, that signed as well.
    if root.is_some() && Checkpoint::verify(&header.checkpoint, &header.key).is_err() {
        findings.add(Finding::KeyAltered { size: header.size });
    }
    let verdict = match (findings.is_empty(), gaps.is_empty()) {
        (false, _) => Verdict::Tampered(findings),
        (true, false) => Verdict::Unverifiable(gaps),
        (true, true) => Verdict::Valid,
    };
    let checkpoints = u64::from(root.is_some());
    Ok(Report { leaves: bundle.count, size: header.size, root, checkpoints, verdict })
}

/// The root that the header's checkpoint gives, where `key` signed it.
fn signed_root(
    header: &Header,
    key: &VerifierKey,
    findings: &mut Findings,
    gaps: &mut Vec<Gap>,
) -> Option<Hash> {
    match Checkpoint::verify(&header.checkpoint, key) {
        Ok(checkpoint) if checkpoint.size == header.size => return Some(checkpoint.root),
        Err(NoteError::NotSigned) => gaps.push(Gap::OtherKey),
        Ok(_) | Err(_) => findings.add(Finding::CheckpointAltered { size: header.size }),
    }
    None
}

/// The entries of a bundle, as they were read.
struct Entries {
    /// The tree over the hashes beside the entries.
    written: Frontier,
    /// The tree over the entries themselves.
    computed: Frontier,
    /// Entries that do not have the hash beside them.
    differ: Findings,
    /// Roots of the tree over the entries at sizes that are asked for.
    roots: BTreeMap<u64, Hash>,
    /// The position after the last.
    next: u64,
}

impl Entries {
    fn read<R: BufRead>(
        bundle: &mut Reader<R>,
        header: &Header,
        sizes: BTreeSet<u64>,
        findings: &mut Findings,
    ) -> Result<Self, BundleError> {
        // The header has as many as the sizes ask for.
        let left = header.left.clone();
        let start = Frontier::from_nodes(header.from, left).unwrap_or_default();
        let (written, computed) = (start.clone(), start);
        let (differ, roots) = (Findings::default(), BTreeMap::new());
        let mut read = Self { written, computed, differ, roots, next: header.from };
        read.keep_root(&sizes);
        while let Some(Line { position, hash, entry }) = bundle.next_line()? {
            if position < read.next || position >= header.until {
                findings.add(Finding::Inserted { position });
                continue;
            }
            if position > read.next {
                findings.add(Finding::Missing { from: read.next, until: position });
            }
            read.next = position + 1;
            let own = leaf_hash(&entry);
            if own != hash {
                read.differ.add(Finding::Altered { position });
            } else if Entry::decode(&entry).is_err() {
                findings.add(Finding::Malformed { position });
            }
            read.written.push(hash);
            read.computed.push(own);
            read.keep_root(&sizes);
        }
        Ok(read)
    }

    fn keep_root(&mut self, sizes: &BTreeSet<u64>) {
        let size = self.computed.size();
        if sizes.contains(&size) {
            self.roots.insert(size, self.computed.root());
        }
    }

    /// Where entries and the hashes beside them differ, says which of the two were signed; `root`
    /// is what was, if the bundle is whole so far. Gives back the roots that were asked for.
    fn weigh(
        self,
        header: &Header,
        root: Option<Hash>,
        findings: &mut Findings,
    ) -> BTreeMap<u64, Hash> {
        let Header { from, until, size, ref right, .. } = *header;
        let leads_to = |mut frontier: Frontier, root| {
            let mut nodes = right_nodes(until, size).into_iter().zip(right);
            nodes.all(|(node, hash)| frontier.push_subtree(node.level, *hash))
                && frontier.root() == root
        };
        let listed = self.differ.listed.into_iter();
        match root {
            // The entries are what was signed.
            Some(root) if leads_to(self.computed, root) => listed.for_each(|finding| {
                if let Finding::Altered { position } = finding {
                    findings.add(Finding::HashAltered { position });
                }
            }),
            // Neither is.
            Some(root) if !leads_to(self.written, root) => {
                listed.for_each(|finding| findings.add(finding));
                findings.add(Finding::AlteredWithin { from, until });
            }
            // The hashes are, or there is nothing better to hold the entries against.
            _ => listed.for_each(|finding| findings.add(finding)),
        }
        findings.unlisted += self.differ.unlisted;
        self.roots
    }
}
