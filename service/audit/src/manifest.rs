//! The manifest of a batch of cards (制卡清单): what became of every row, signed by the log's key.
//!
//! ```text
//! healthcard.v1 card manifest
//! service log.example/healthcard
//! batch 01936f00-0000-7000-8000-000000000001
//! institution 01936f00-0000-7000-8000-0000000000a1
//! input <64 hex: digest of what was handed in>
//! opened 2026-11-26T08:00:00.000000Z
//! closed 2026-11-26T08:05:00.000000Z
//! rows 2
//! issued 1
//! refused 1
//! spoiled 1
//! root <64 hex: root of the tree over the lines below>
//!
//! — log.example/healthcard <signature, as of a checkpoint>
//!
//! 1 issued <row digest> <chip serial> <card> <transcript> <line hash>
//! 2 refused <row digest> <field:REASON,…> <line hash>
//! spoiled <chip serial> 1 <line hash>
//! ```
//!
//! The head and the signature are a signed note, as a [checkpoint](crate::checkpoint) is; its first
//! line can be that of no checkpoint, whose first line has no space. The hash at the end of a line
//! is the leaf hash of the line before it, so that a line that was changed is named. Row digests
//! are keyed: they tell the institution that holds the batch which row is meant, and nobody who it
//! is. Numbers ascend from 1; there is one form only.

use std::fmt;

use crate::tree::{Frontier, Hash, leaf_hash};
use crate::{
    checkpoint::{NoteError, VerifierKey},
    note::decimal,
};

#[cfg(test)]
mod tests;

/// Most rows of a manifest.
pub const MAX_ROWS: u32 = 100_000;
/// Most bytes of a manifest.
pub const MAX_MANIFEST: usize = 64 * 1024 * 1024;
/// The first line.
const TITLE: &str = "healthcard.v1 card manifest";
/// Most bytes of the reasons of one row.
const MAX_REASONS: usize = 2048;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the service, which is that of its log.
    pub service: String,
    /// Identifier of the batch.
    pub batch: String,
    /// Identifier of the institution that issued.
    pub institution: String,
    /// Digest of what was handed in.
    pub input: Hash,
    /// When the batch was opened, as entries of the log write it.
    pub opened: String,
    /// When it was closed.
    pub closed: String,
    /// What became of each row, from row 1 on.
    pub rows: Vec<Row>,
    /// Chips that were begun and given up.
    pub spoiled: Vec<Spoiled>,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Keyed digest of the row.
    pub digest: Hash,
    /// The verdict.
    pub verdict: Verdict,
}

/// The verdict over a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A card was made.
    Issued {
        /// Issuing serial of its chip.
        chip_serial: String,
        /// Identifier of the card on record.
        card: String,
        /// SM3 of the commands and answers that made it; it is in the log too.
        transcript: Hash,
    },
    /// None was made.
    Refused {
        /// Fields and reasons, such as `id_number:ID_NUMBER_CHECK`.
        reasons: Vec<String>,
    },
}

/// A chip that was begun and given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoiled {
    /// Its issuing serial.
    pub chip_serial: String,
    /// The row it was begun for, from 1.
    pub row: u32,
}

/// Why a manifest is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not of the form.
    #[error("not a manifest: line {line} is not what belongs there")]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// No signature by this key.
    #[error("the manifest is not signed by this key")]
    NotSigned,
    /// The manifest is one of another service than the key's.
    #[error("the manifest is one of another service")]
    OtherService,
    /// It was changed after it was signed. What was changed, as far as can be told.
    #[error("the manifest was changed after it was signed")]
    Altered(Vec<Altered>),
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Altered {
    /// The signed head.
    Head,
    /// The line of this row, or its hash.
    Row(u32),
    /// The line of this row is not there, or not in its place.
    Missing(u32),
    /// A row beyond those that were signed.
    Added(u32),
    /// The lines of spoiled chips, counted from 1.
    Spoiled(u32),
    /// Lines together with their hashes: which cannot be told.
    Lines,
}

impl Manifest {
    /// The signed manifest. `sign` gets the octets to be signed with SM2 and the default signer
    /// identifier, and answers r ‖ s.
    ///
    /// # Errors
    /// Those of `sign`.
    pub fn sign<E>(
        &self,
        key: &VerifierKey,
        sign: impl FnOnce(&[u8]) -> Result<[u8; 64], E>,
    ) -> Result<String, E> {
        let (mut tree, mut body) = (Frontier::new(), String::new());
        for line in self.lines() {
            let hash = leaf_hash(line.as_bytes());
            tree.push(hash);
            body.push_str(&line);
            body.push(' ');
            body.push_str(&hex::encode(hash));
            body.push('\n');
        }
        let note = key.sign_note(&self.head(&tree.root()), sign)?;
        Ok(format!("{note}\n{body}"))
    }

    /// How many rows became cards.
    pub fn issued(&self) -> u32 {
        let issued = |row: &&Row| matches!(row.verdict, Verdict::Issued { .. });
        self.rows.iter().filter(issued).count() as u32
    }

    fn head(&self, root: &Hash) -> String {
        let (rows, issued) = (self.rows.len() as u32, self.issued());
        let lines = [
            TITLE.to_owned(),
            format!("service {}", self.service),
            format!("batch {}", self.batch),
            format!("institution {}", self.institution),
            format!("input {}", hex::encode(self.input)),
            format!("opened {}", self.opened),
            format!("closed {}", self.closed),
            format!("rows {rows}"),
            format!("issued {issued}"),
            format!("refused {}", rows - issued),
            format!("spoiled {}", self.spoiled.len()),
            format!("root {}", hex::encode(root)),
        ];
        lines.join("\n") + "\n"
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let rows = self.rows.iter().enumerate().map(|(at, row)| format!("{} {row}", at + 1));
        rows.chain(self.spoiled.iter().map(ToString::to_string))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = hex::encode(self.digest);
        match &self.verdict {
            Verdict::Issued { chip_serial, card, transcript } => {
                write!(f, "issued {digest} {chip_serial} {card} {}", hex::encode(transcript))
            }
            Verdict::Refused { reasons } => write!(f, "refused {digest} {}", reasons.join(",")),
        }
    }
}

impl fmt::Display for Spoiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spoiled {} {}", self.chip_serial, self.row)
    }
}

/// Reads a manifest and checks it against the key of the log. It asks no service.
///
/// # Errors
/// [`ManifestError`], which says of a changed manifest what was changed.
pub fn check(text: &str, key: &VerifierKey) -> Result<Manifest, ManifestError> {
    let form = |line| ManifestError::Form { line };
    if text.len() > MAX_MANIFEST || !text.ends_with('\n') {
        return Err(form(1));
    }
    // The note ends with the second blank line: one is before its signatures.
    let signatures = text.find("\n\n").ok_or(form(1))? + 2;
    let end = text[signatures..].find("\n\n").ok_or(form(1))? + signatures + 1;
    let (note, body) = (&text[..end], &text[end + 1..]);
    let (mut manifest, head) = Head::read(&note[..signatures - 1])?;
    let before = note.lines().count() + 1;
    let signed = match key.signed_text(note) {
        Ok(_) if manifest.service != key.name() => return Err(ManifestError::OtherService),
        Ok(_) => true,
        Err(NoteError::BadSignature) => false,
        Err(NoteError::NotSigned) => return Err(ManifestError::NotSigned),
        Err(_) => return Err(form(signatures)),
    };

    let mut found = Found::default();
    for (at, line) in body.split_terminator('\n').enumerate() {
        let (line, hash) = line.rsplit_once(' ').ok_or(form(before + at + 1))?;
        let hash = hash_of(hash).ok_or(form(before + at + 1))?;
        found.tree.push(hash);
        let altered = leaf_hash(line.as_bytes()) != hash;
        if found.take(&mut manifest, line, altered).is_none() {
            // A line that cannot be read any more was changed, unless all of it was signed so.
            match altered {
                true => found.changed_row(&mut manifest, None),
                false => return Err(form(before + at + 1)),
            }
        }
    }
    found.judge(&manifest, &head, signed)?;
    Ok(manifest)
}

/// What the head says of the lines.
struct Head {
    rows: u32,
    issued: u32,
    spoiled: u32,
    root: Hash,
}

impl Head {
    fn read(text: &str) -> Result<(Manifest, Self), ManifestError> {
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        let value = |at: usize, name: &str| {
            let line: Option<&&str> = lines.get(at);
            line.and_then(|line| line.strip_prefix(name)?.strip_prefix(' '))
                .filter(|value| is_word(value))
                .ok_or(ManifestError::Form { line: at + 1 })
        };
        let count = |at: usize, name: &str| {
            let count = decimal(value(at, name)?).and_then(|count| u32::try_from(count).ok());
            count.filter(|count| *count <= MAX_ROWS).ok_or(ManifestError::Form { line: at + 1 })
        };
        let hash = |at: usize, name: &str| {
            hash_of(value(at, name)?).ok_or(ManifestError::Form { line: at + 1 })
        };
        if lines.first() != Some(&TITLE) {
            return Err(ManifestError::Form { line: 1 });
        }
        let manifest = Manifest {
            service: value(1, "service")?.to_owned(),
            batch: value(2, "batch")?.to_owned(),
            institution: value(3, "institution")?.to_owned(),
            input: hash(4, "input")?,
            opened: value(5, "opened")?.to_owned(),
            closed: value(6, "closed")?.to_owned(),
            rows: Vec::new(),
            spoiled: Vec::new(),
        };
        let (rows, issued) = (count(7, "rows")?, count(8, "issued")?);
        let (refused, spoiled) = (count(9, "refused")?, count(10, "spoiled")?);
        let root = hash(11, "root")?;
        if lines.len() != 12 {
            return Err(ManifestError::Form { line: 13 });
        }
        if issued.checked_add(refused) != Some(rows) {
            return Err(ManifestError::Form { line: 10 });
        }
        Ok((manifest, Self { rows, issued, spoiled, root }))
    }
}

/// What the lines turned out to be.
#[derive(Default)]
struct Found {
    tree: Frontier,
    altered: Vec<Altered>,
}

impl Found {
    /// Takes one line; `None` when it is of no form.
    fn take(&mut self, manifest: &mut Manifest, line: &str, altered: bool) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["spoiled", chip_serial, row] = words[..] {
            let row = u32::try_from(decimal(row)?).ok()?;
            let spoiled = Spoiled { chip_serial: word(chip_serial)?, row };
            manifest.spoiled.push(spoiled);
            if altered {
                self.altered.push(Altered::Spoiled(manifest.spoiled.len() as u32));
            }
            return Some(());
        }
        let (number, verdict, digest) = (words.first()?, words.get(1)?, words.get(2)?);
        let number = u32::try_from(decimal(number)?).ok().filter(|n| (1..=MAX_ROWS).contains(n))?;
        let verdict = match (*verdict, &words[3..]) {
            ("issued", [chip, card, transcript]) => Verdict::Issued {
                chip_serial: word(chip)?,
                card: word(card)?,
                transcript: hash_of(transcript)?,
            },
            ("refused", [reasons]) if reasons.len() <= MAX_REASONS => {
                Verdict::Refused { reasons: reasons.split(',').map(word).collect::<Option<_>>()? }
            }
            _ => return None,
        };
        let expected = manifest.rows.len() as u32 + 1;
        let row = Row { digest: hash_of(digest)?, verdict };
        if altered {
            self.changed_row(manifest, Some(row));
            return Some(());
        }
        // Gaps are named, and counting goes on from what is there.
        match number {
            number if number == expected => manifest.rows.push(row),
            number if number > expected && number - expected < 1000 => {
                for missing in expected..number {
                    self.altered.push(Altered::Missing(missing));
                    manifest.rows.push(row.clone());
                }
                manifest.rows.push(row);
            }
            number => self.altered.push(Altered::Row(number)),
        }
        Some(())
    }

    /// A line that is not as it was hashed stands where its row was, whatever it says now.
    fn changed_row(&mut self, manifest: &mut Manifest, row: Option<Row>) {
        self.altered.push(Altered::Row(manifest.rows.len() as u32 + 1));
        let unread = || Row { digest: [0; 32], verdict: Verdict::Refused { reasons: Vec::new() } };
        manifest.rows.push(row.unwrap_or_else(unread));
    }

    fn judge(
        mut self,
        manifest: &Manifest,
        head: &Head,
        signed: bool,
    ) -> Result<(), ManifestError> {
        let rows = manifest.rows.len() as u32;
        // Only a head that is believed says what should be there.
        if signed && self.altered.is_empty() {
            self.altered.extend((rows + 1..=head.rows).map(Altered::Missing).take(1000));
            self.altered.extend((head.rows + 1..=rows).map(Altered::Added).take(1000));
            if self.altered.is_empty() {
                let same = self.tree.root() == head.root
                    && manifest.issued() == head.issued
                    && manifest.spoiled.len() as u32 == head.spoiled;
                self.altered.extend((!same).then_some(Altered::Lines));
            }
        }
        if !signed {
            self.altered.insert(0, Altered::Head);
        }
        match self.altered.is_empty() {
            true => Ok(()),
            false => Err(ManifestError::Altered(self.altered)),
        }
    }
}

/// A word without spaces or signs that are not seen.
fn word(text: &str) -> Option<String> {
    is_word(text).then(|| text.to_owned())
}

fn is_word(text: &str) -> bool {
    (1..=MAX_REASONS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn hash_of(hex: &str) -> Option<Hash> {
    let lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let mut hash = Hash::default();
    (hex.bytes().all(lower) && hex::decode_to_slice(hex, &mut hash).is_ok()).then_some(hash)
}
