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

pub use crate::lines::{BundleError, Line, write_end, write_entry};
use crate::{
    check::{Finding, Findings, Gap, Report, Verdict},
    checkpoint::{Checkpoint, NoteError, VerifierKey},
    entry::Entry,
    history::Watch,
    lines::{EntryReader, Head, Lines, read_hash, write_hashes, write_note},
    note::decimal,
    tree::{Frontier, Hash, leaf_hash, right_nodes},
};

#[cfg(test)]
mod tests;

/// First line of every bundle.
pub const FORMAT: &str = "healthcard-audit-bundle v1";

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

impl Header {
    /// The lines of the header, up to and with `entries`.
    pub fn write(&self) -> String {
        let Self { key, from, until, size, left, right, checkpoint } = self;
        let text = format!("{FORMAT}\nkey {key}\nrange {from} {until} {size}\n");
        let (left, right) = (write_hashes("left", left), write_hashes("right", right));
        format!("{text}{left}{right}{}entries\n", write_note(checkpoint))
    }
}

/// Reads a bundle line by line.
pub type Reader<R> = EntryReader<R, Header>;

impl Head for Header {
    fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<Self, BundleError> {
        if lines.text()? != FORMAT {
            return Err(lines.malformed());
        }
        let key = lines.key()?;
        let (from, until, size) = lines.said("range", |range| {
            let numbers: Option<Vec<u64>> = range.split(' ').map(decimal).collect();
            match numbers.as_deref() {
                Some(&[from, until, size]) if from <= until && until <= size && size < 1 << 62 => {
                    Some((from, until, size))
                }
                _ => None,
            }
        })?;
        let mut hashes = |word: &str, count: usize| {
            (0..count).map(|_| lines.said(word, read_hash)).collect::<Result<Vec<_>, _>>()
        };
        let left = hashes("left", from.count_ones() as usize)?;
        let right = hashes("right", right_nodes(until, size).len())?;
        Ok(Self { key, from, until, size, left, right, checkpoint: lines.note()? })
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
    let header = bundle.header().clone();
    let (mut findings, mut gaps) = (Findings::default(), Vec::new());
    let root = signed_root(&header, key, &mut findings, &mut gaps);
    let held: Vec<_> = held.iter().map(|note| Checkpoint::verify(note, key).ok()).collect();
    let sizes = held.iter().flatten().map(|held| held.size).collect();
    let mut entries = Entries::read(&mut bundle, &header, sizes, &mut findings)?;
    let watch = std::mem::take(&mut entries.watch);
    if bundle.is_cut_short() {
        gaps.push(Gap::CutShort);
    } else if entries.next < header.until {
        findings.add(Finding::Missing { from: entries.next, until: header.until });
    }
    let whole = findings.is_empty() && gaps.is_empty();
    let roots = entries.weigh(&header, root.filter(|_| whole), &mut findings);
    // Only what is as it was signed says what the log was before.
    let known = root.filter(|_| findings.is_empty() && gaps.is_empty());
    if header.from == 0 && known.is_some() {
        findings = watch.finish();
    }
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
    let verdict = Verdict::of(findings, gaps);
    let checkpoints = u64::from(root.is_some());
    let (leaves, size) = (bundle.count(), header.size);
    Ok(Report { leaves, size, root, checkpoints, removed: None, verdict })
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
    /// Of use where the bundle begins with the log.
    watch: Watch,
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
        let (next, watch) = (header.from, Watch::default());
        let mut read = Self { written, computed, differ, roots, next, watch };
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
            } else {
                match Entry::decode(&entry) {
                    Ok(entry) => read.watch.take(&entry, position, &own),
                    Err(_) => findings.add(Finding::Malformed { position }),
                }
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
