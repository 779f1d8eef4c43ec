//! Access histories (查阅记录): all entries about one resident, in one text file that shows that none is left out.
//!
//! ```text
//! healthcard-access-history v1
//! key log.example+5f1c0a77+/2hlYWx0…       verifier key; compare it with one obtained another way
//! resident 0193…                           whom it is about, by pseudonym
//! index 4090 <root, base64>                entries of the log that the index counts, and its root
//! standing 3 <chain, base64>               how many of them are about the resident, and the chain through these
//! path 12                                  hashes beside the resident's way in the index, from the leaf upwards
//! hash <base64>
//! statement 4091 <leaf hash, base64> {"v":1,…}   the entry in which the service says what the index was
//! proof 11                                 inclusion proof of that entry, from the leaf upwards
//! hash <base64>
//! checkpoint 5                             lines of the signed note, which follow
//! log.example
//! 4096
//! <root, base64>
//!
//! — log.example <base64>
//! entries
//! 17 <leaf hash, base64> {"v":1,…}         position, hash, the entry itself, in the order of the log
//! 2040 …
//! end 3                                    number of entries
//! ```
//!
//! The signed root has the statement, the statement has the root of the [`index`], that has the standing, and
//! the chain of the standing has each entry. Whoever checks the file needs nothing else; that the statement is true to
//! the log, and that nothing about the resident came between what it counts and itself, is what [`check`](crate::check)
//! looks at in the whole log, in every statement.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    io::BufRead,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    check::{Finding, Findings, Gap, Report},
    checkpoint::{Checkpoint, VerifierKey},
    entry::{Entry, Outcome},
    index::{self, MAX_PATH, Standing, key, root_from},
    lines::{
        BundleError, EntryReader, Head, Line, Lines, read_pair, write_counted, write_entry,
        write_note,
    },
    note::decimal,
    signed::Signed,
    tree::{Hash, MAX_PROOF, leaf_hash, verify_inclusion},
};

#[cfg(test)]
mod tests;

/// First line of every history.
pub const FORMAT: &str = "healthcard-access-history v1";
/// The action of the entries that state an index.
pub const ACTION: &str = "resident.history";
/// The details in which they do.
const SIZE: &str = "index-size";
const ROOT: &str = "index-root";
/// How many entries may lie between those that a statement counts and the statement: other acts go on meanwhile.
pub const MAX_LAG: u64 = 65_536;

/// What the service says in its log of its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// How many entries were counted, the oldest.
    pub size: u64,
    /// The root of the index over them.
    pub root: Hash,
}

impl Statement {
    /// The entry that says so.
    #[must_use]
    pub fn in_entry(&self, entry: Entry) -> Entry {
        entry.with(SIZE, self.size.to_string()).with(ROOT, hex::encode(self.root))
    }

    /// What an entry at a position states, of whom it is about: `None` for one that states nothing, and an error for one
    /// whose statement can be held against nothing.
    ///
    /// # Errors
    /// [`BadStatement`].
    pub fn of(entry: &Entry, position: u64) -> Option<Result<Self, BadStatement>> {
        if entry.action != ACTION || entry.outcome != Outcome::Granted {
            return None;
        }
        let detail = |name| entry.detail.get(name).map(String::as_str);
        let size = detail(SIZE).and_then(decimal);
        let lag = |size: &u64| position.checked_sub(*size).is_some_and(|lag| lag <= MAX_LAG);
        let size = size.filter(lag);
        let mut root = [0; 32];
        let root = detail(ROOT)
            .filter(|text| hex::decode_to_slice(text, &mut root).is_ok())
            .filter(|text| !text.contains(|c: char| c.is_ascii_uppercase()))
            .map(|_| root);
        let stated = size.zip(root).filter(|_| entry.resident.is_some());
        Some(stated.map(|(size, root)| Self { size, root }).ok_or(BadStatement))
    }
}

/// An entry that has to state an index, and does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry states no index of residents")]
pub struct BadStatement;

/// What a history says before its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Key of the log. To be trusted only when it came another way too.
    pub key: VerifierKey,
    /// Whom it is about, by pseudonym.
    pub resident: String,
    /// The index that the statement speaks of.
    pub index: Statement,
    /// What that index says of the resident.
    pub standing: Standing,
    /// Hashes beside the resident's way in the index, from the leaf upwards.
    pub path: Vec<Hash>,
    /// The entry that states the index.
    pub statement: Line,
    /// Its inclusion proof.
    pub proof: Vec<Hash>,
    /// Signed note of the log that has it.
    pub checkpoint: String,
}

impl Header {
    /// The lines of the header, up to and with `entries`.
    pub fn write(&self) -> Vec<u8> {
        let Self { key, resident, index, standing, path, statement, proof, checkpoint } = self;
        let pair = |count: u64, hash: &Hash| format!("{count} {}", BASE64.encode(hash));
        let mut text = format!(
            "{FORMAT}\nkey {key}\nresident {resident}\nindex {}\nstanding {}\n{}statement ",
            pair(index.size, &index.root),
            pair(standing.count, &standing.chain),
            write_counted("path", path),
        )
        .into_bytes();
        write_entry(&mut text, statement.position, &statement.entry);
        let rest = format!("{}{}entries\n", write_counted("proof", proof), write_note(checkpoint));
        text.extend_from_slice(rest.as_bytes());
        text
    }

    /// Whether what leads from the signed root to the standing holds together.
    fn leads_from(&self, checkpoint: &Checkpoint) -> bool {
        let Self { resident, index, standing, path, statement, proof, .. } = self;
        let leaf = leaf_hash(&statement.entry);
        let stated = Entry::decode(&statement.entry).ok();
        let stated = stated.filter(|entry| entry.resident.as_ref() == Some(resident));
        let stated = stated.and_then(|entry| Statement::of(&entry, statement.position));
        let size = checkpoint.size;
        leaf == statement.hash
            && stated == Some(Ok(*index))
            && verify_inclusion(&leaf, statement.position, size, proof, &checkpoint.root).is_ok()
            && root_from(&key(resident), standing, path) == Some(index.root)
    }
}

impl Head for Header {
    fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<Self, BundleError> {
        if lines.text()? != FORMAT {
            return Err(lines.malformed());
        }
        let key = lines.key()?;
        let plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control());
        let resident = lines.said("resident", |text| plain(text).then(|| text.to_owned()))?;
        let (size, root) = lines.said("index", read_pair)?;
        let (count, chain) = lines.said("standing", read_pair)?;
        let standing = Standing { count, chain };
        let path = lines.hashes("path", MAX_PATH)?;
        let statement = lines.said("statement", |text| Line::read(text.as_bytes()))?;
        let proof = lines.hashes("proof", MAX_PROOF)?;
        let index = Statement { size, root };
        let checkpoint = lines.note()?;
        Ok(Self { key, resident, index, standing, path, statement, proof, checkpoint })
    }
}

/// Reads a history line by line.
pub type Reader<R> = EntryReader<R, Header>;

/// Checks a history alone: that the log whose checkpoint `key` signed says that these, and no others, are the entries about
/// the resident up to the time of the statement; and, where a checkpoint was obtained earlier or elsewhere and kept
/// (`held`, signed notes), that it is the same log as far as the history can tell.
///
/// # Errors
/// [`BundleError`] where the text is not a history; one that was tampered with is a [`Verdict`](crate::check::Verdict).
pub fn check<R: BufRead>(
    mut history: Reader<R>,
    key: &VerifierKey,
    held: &[String],
) -> Result<Report, BundleError> {
    let header = history.header().clone();
    let mut signed = Signed::read(&header.checkpoint, key);
    if signed.checkpoint.as_ref().is_some_and(|signed| !header.leads_from(signed)) {
        signed.findings.add(Finding::ProofAltered);
    }
    let sound = signed.findings.is_empty();
    Entries::read(&mut history, &header, &mut signed.findings)?.weigh(
        &header,
        history.is_cut_short(),
        sound,
        &mut signed.findings,
    );
    if history.is_cut_short() {
        signed.gaps.push(Gap::CutShort);
    }
    Ok(signed.report(history.count(), &header.checkpoint, &header.key, held))
}

/// The entries of a history, as they were read.
#[derive(Default)]
struct Entries {
    /// The standing by the hashes beside the entries.
    written: Standing,
    /// The standing by the entries themselves.
    computed: Standing,
    /// Entries that do not have the hash beside them.
    differ: Findings,
}

impl Entries {
    fn read<R: BufRead>(
        history: &mut Reader<R>,
        header: &Header,
        findings: &mut Findings,
    ) -> Result<Self, BundleError> {
        let mut read = Self::default();
        let mut next = 0;
        while let Some(Line { position, hash, entry }) = history.next_line()? {
            if position < next || position >= header.index.size {
                findings.add(Finding::Inserted { position });
                continue;
            }
            next = position + 1;
            let own = leaf_hash(&entry);
            if own != hash {
                read.differ.add(Finding::Altered { position });
            } else {
                match Entry::decode(&entry) {
                    Ok(entry) if entry.resident.as_ref() == Some(&header.resident) => {}
                    Ok(_) => findings.add(Finding::Inserted { position }),
                    Err(_) => findings.add(Finding::Malformed { position }),
                }
            }
            read.written = read.written.with(position, &hash);
            read.computed = read.computed.with(position, &own);
        }
        Ok(read)
    }

    /// Holds what was read against the standing, which is what was signed where everything is `sound` that leads to it.
    fn weigh(self, header: &Header, cut_short: bool, sound: bool, findings: &mut Findings) {
        let Self { written, computed, differ } = self;
        let Standing { count, .. } = header.standing;
        if sound && computed == header.standing {
            // The entries are what was signed, and some of the hashes beside them are not.
            for finding in differ.listed {
                if let Finding::Altered { position } = finding {
                    findings.add(Finding::HashAltered { position });
                }
            }
        } else {
            let named = !differ.is_empty() || !findings.is_empty();
            differ.listed.into_iter().for_each(|finding| findings.add(finding));
            if !cut_short && written != header.standing {
                match count.checked_sub(written.count) {
                    Some(entries) if entries > 0 => findings.add(Finding::LeftOut { entries }),
                    // What is there too often, or in another's place, was named where it stands.
                    _ if named => {}
                    _ => findings.add(Finding::AlteredWithin { from: 0, until: header.index.size }),
                }
            }
        }
        findings.unlisted += differ.unlisted;
    }
}

/// Holds every statement of a log against the index that its entries give.
///
/// Entries come in order. A statement counts entries that end up to [`MAX_LAG`] before it, so the newest wait here until no
/// statement can fall among them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    index: index::Index,
    /// Entries about residents that it does not count yet.
    waiting: VecDeque<(u64, Hash, Hash)>,
    /// Of whom it is waiting for entries, the position of the newest.
    newest: HashMap<Hash, u64>,
    /// Statements that were read, by the entries that they count, with their own position.
    stated: BTreeMap<(u64, u64), Hash>,
    found: Findings,
}

impl Watch {
    /// Takes the next entry; its position and leaf hash.
    pub(crate) fn take(&mut self, entry: &Entry, position: u64, leaf: &Hash) {
        match Statement::of(entry, position) {
            Some(Ok(Statement { size, root })) => {
                self.stated.insert((size, position), root);
                // What came between is not in the history that was given out.
                let about = entry.resident.as_deref().map(key);
                if about.and_then(|key| self.newest.get(&key)).is_some_and(|newest| *newest >= size)
                {
                    self.found.add(Finding::IndexWrong { position });
                    self.stated.remove(&(size, position));
                }
            }
            Some(Err(BadStatement)) => self.found.add(Finding::IndexWrong { position }),
            None => {}
        }
        if let Some(resident) = &entry.resident {
            let key = key(resident);
            self.waiting.push_back((position, key, *leaf));
            self.newest.insert(key, position);
        }
        self.settle(position.saturating_sub(MAX_LAG));
    }

    /// What was found, when nothing comes any more.
    pub(crate) fn finish(mut self) -> Findings {
        self.settle(u64::MAX);
        self.found
    }

    /// Decides what counts less than `until` entries: no statement that comes counts as few.
    fn settle(&mut self, until: u64) {
        while let Some(first) = self.stated.first_entry()
            && first.key().0 < until
        {
            let ((size, position), root) = first.remove_entry();
            self.count(size);
            if self.index.root() != root {
                self.found.add(Finding::IndexWrong { position });
            }
        }
        self.count(until.min(self.stated.first_key_value().map_or(until, |(key, _)| key.0)));
    }

    /// Counts the entries before a position.
    fn count(&mut self, until: u64) {
        while let Some((position, key, leaf)) = self.waiting.front()
            && *position < until
        {
            self.index.add(key, *position, leaf);
            if self.newest.get(key) == Some(position) {
                self.newest.remove(key);
            }
            self.waiting.pop_front();
        }
    }
}
