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
//! The signed root has the statement, the statement has the root of the [`index`](crate::index), that has the standing,
//! and the chain of the standing has each entry. Whoever checks the file needs nothing else; that the statement is true to
//! the log, and that nothing about the resident came between what it counts and itself, is what [`check`](crate::check)
//! looks at in the whole log, in every statement.
//!
//! Where entries about the resident were removed after their term, the file is of version 2, and has before the
//! statement what is left of them, and the entry that removed them ([`segment`]):
//!
//! ```text
//! before 2 <chain, base64>                 where the resident stood in the index when they were removed
//! path 9
//! hash <base64>
//! removal 3100 <leaf hash, base64> {"v":1,…}
//! proof 11
//! hash <base64>
//! ```
//!
//! All of the resident's entries from there on follow.

use std::io::BufRead;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    check::{Finding, Findings, Gap, Report},
    checkpoint::{Checkpoint, VerifierKey},
    entry::{Entry, Outcome},
    index::{MAX_PATH, Standing, key, root_from},
    lines::{
        BundleError, EntryReader, Head, Line, Lines, read_pair, write_counted, write_entry,
        write_note,
    },
    note::decimal,
    segment,
    signed::Signed,
    tree::{Hash, MAX_PROOF, leaf_hash, verify_inclusion},
};

mod before;
#[cfg(test)]
mod tests;
mod watch;

pub use before::Before;
pub(crate) use watch::Watch;

/// First line of a history of which nothing was removed.
pub const FORMAT: &str = "healthcard-access-history v1";
/// First line of one of which something was.
pub const FORMAT_2: &str = "healthcard-access-history v2";
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
        let root = detail(ROOT).and_then(segment::read_hash);
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
    /// What of it was removed after its term.
    pub before: Option<Before>,
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
        let Self { key, resident, index, standing, path, before, statement, proof, checkpoint } =
            self;
        let format = if before.is_some() { FORMAT_2 } else { FORMAT };
        let mut text = format!(
            "{format}\nkey {key}\nresident {resident}\nindex {}\nstanding {}\n{}",
            pair(index.size, &index.root),
            pair(standing.count, &standing.chain),
            write_counted("path", path),
        )
        .into_bytes();
        if let Some(before) = before {
            before.write(&mut text);
        }
        text.extend_from_slice(b"statement ");
        write_entry(&mut text, statement.position, &statement.entry);
        let rest = format!("{}{}entries\n", write_counted("proof", proof), write_note(checkpoint));
        text.extend_from_slice(rest.as_bytes());
        text
    }

    /// Whether what leads from the signed root to the standing holds together.
    fn leads_from(&self, checkpoint: &Checkpoint) -> bool {
        let Self { resident, index, standing, path, before, statement, proof, .. } = self;
        let leaf = leaf_hash(&statement.entry);
        let stated = Entry::decode(&statement.entry).ok();
        let stated = stated.filter(|entry| entry.resident.as_ref() == Some(resident));
        let stated = stated.and_then(|entry| Statement::of(&entry, statement.position));
        let size = checkpoint.size;
        leaf == statement.hash
            && stated == Some(Ok(*index))
            && verify_inclusion(&leaf, statement.position, size, proof, &checkpoint.root).is_ok()
            && root_from(&key(resident), standing, path) == Some(index.root)
            && before.as_ref().is_none_or(|it| it.leads_from(checkpoint, resident, index.size))
    }

    /// Where the entries begin: the position, and the standing until there.
    fn beginning(&self) -> (u64, Standing) {
        let before = self.before.as_ref().map(|it| (it.until().unwrap_or(0), it.standing));
        before.unwrap_or_default()
    }
}

fn pair(count: u64, hash: &Hash) -> String {
    format!("{count} {}", BASE64.encode(hash))
}

impl Head for Header {
    fn read<R: BufRead>(lines: &mut Lines<R>) -> Result<Self, BundleError> {
        let removed = match lines.text()?.as_str() {
            FORMAT => false,
            FORMAT_2 => true,
            _ => return Err(lines.malformed()),
        };
        let key = lines.key()?;
        let plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_control());
        let resident = lines.said("resident", |text| plain(text).then(|| text.to_owned()))?;
        let (size, root) = lines.said("index", read_pair)?;
        let (count, chain) = lines.said("standing", read_pair)?;
        let standing = Standing { count, chain };
        let path = lines.hashes("path", MAX_PATH)?;
        let before = if removed { Some(Before::read(lines)?) } else { None };
        let statement = lines.said("statement", |text| Line::read(text.as_bytes()))?;
        let proof = lines.hashes("proof", MAX_PROOF)?;
        let index = Statement { size, root };
        let checkpoint = lines.note()?;
        Ok(Self { key, resident, index, standing, path, before, statement, proof, checkpoint })
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
        let (mut next, standing) = header.beginning();
        let mut read = Self { written: standing, computed: standing, ..Self::default() };
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
