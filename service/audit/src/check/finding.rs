use std::fmt;

/// Findings that are listed; the rest are counted.
pub const MAX_FINDINGS: usize = 1000;

/// Something that is not as it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Finding {
    /// The bytes of this entry were changed.
    Altered {
        /// Its position.
        position: u64,
    },
    /// These entries were removed.
    Missing {
        /// The first.
        from: u64,
        /// The one after the last.
        until: u64,
    },
    /// An entry stands here that was never signed.
    Inserted {
        /// The position it was given.
        position: u64,
    },
    /// A row stands below zero, where no log has one.
    Stray {
        /// The position, or the size of a checkpoint, that it was given.
        position: i64,
    },
    /// Two entries stand in each other's place.
    Swapped {
        /// The one position.
        first: u64,
        /// The other, greater.
        second: u64,
    },
    /// A genuine entry stands where another was signed.
    Moved {
        /// Where it stands.
        position: u64,
        /// Where it was signed.
        signed: u64,
    },
    /// Something among these entries was changed together with its hashes, so that no closer
    /// statement can be made.
    AlteredWithin {
        /// The first that it may be.
        from: u64,
        /// The one after the last that it may be.
        until: u64,
    },
    /// A search column says something else than the entry: a search would be misled.
    Column {
        /// Position of the entry.
        position: u64,
        /// The column.
        column: &'static str,
    },
    /// The entry is as signed, and is not in the form of an entry.
    Malformed {
        /// Its position.
        position: u64,
    },
    /// The hash beside an entry was changed; the entry is as signed.
    HashAltered {
        /// Position of the entry.
        position: u64,
    },
    /// A hash of a tile was changed.
    TileAltered {
        /// Level of the tile.
        level: u8,
        /// Its place within the level.
        index: u64,
        /// The first hash in it that is wrong.
        hash: u64,
    },
    /// A tile was removed or has the wrong length.
    TileMissing {
        /// Level of the tile.
        level: u8,
        /// Its place within the level.
        index: u64,
    },
    /// A tile stands where the log has none.
    TileStray {
        /// The level that it was given.
        level: i64,
        /// The index that it was given.
        index: i64,
    },
    /// A checkpoint of those that a log keeps was removed: see [`ANCHOR`](crate::table::ANCHOR).
    CheckpointMissing {
        /// Its size.
        size: u64,
    },
    /// The key that a bundle carries is not one that signed its checkpoint.
    KeyAltered {
        /// Entries that the checkpoint speaks of.
        size: u64,
    },
    /// A checkpoint was changed: its signature or its size is wrong.
    CheckpointAltered {
        /// The size it is stored under.
        size: u64,
    },
    /// The service stated an index of residents, and the entries give another: a history that it gave out then may
    /// have left something out.
    IndexWrong {
        /// Position of the entry that states it.
        position: u64,
    },
    /// An entry says that a segment of the log was closed or removed which is another one, or none.
    SegmentWrong {
        /// Position of the entry.
        position: u64,
    },
    /// What is kept of entries that were removed after their term is not what the log says of it.
    RemovedAltered,
    /// What leads from the checkpoint of a history to its entries does not hold together.
    ProofAltered,
    /// A history has fewer entries than there are about the resident.
    LeftOut {
        /// How many fewer.
        entries: u64,
    },
    /// The log ends before a checkpoint that is held: it was rolled back.
    RolledBack {
        /// Entries of the checkpoint that is held.
        held: u64,
        /// Entries of the log.
        size: u64,
    },
    /// Two genuine checkpoints of one size disagree, or one does with the log: there are two
    /// histories.
    Forked {
        /// That size.
        size: u64,
    },
    /// What is stored of these entries cannot be read, so that nothing can be said of them.
    Unreadable {
        /// The first.
        from: u64,
        /// The one after the last.
        until: u64,
    },
}

/// Search columns that may disagree with an entry, by their names.
const COLUMNS: [&str; 7] = ["entry_id", "at", "action", "outcome", "actor", "resident", "visit"];

impl Finding {
    /// A word for its kind, and its numbers in the order of its fields; of a column its place among those of
    /// [`Columns`](crate::table::Columns). For programs, which read it with [`from_parts`](Self::from_parts).
    #[must_use]
    pub fn parts(&self) -> (&'static str, Vec<i64>) {
        let signed = |numbers: &[u64]| numbers.iter().map(|n| n.cast_signed()).collect();
        match *self {
            Self::Altered { position } => ("altered", signed(&[position])),
            Self::Missing { from, until } => ("missing", signed(&[from, until])),
            Self::Inserted { position } => ("inserted", signed(&[position])),
            Self::Stray { position } => ("stray", vec![position]),
            Self::Swapped { first, second } => ("swapped", signed(&[first, second])),
            Self::Moved { position, signed: place } => ("moved", signed(&[position, place])),
            Self::AlteredWithin { from, until } => ("altered_within", signed(&[from, until])),
            Self::Column { position, column } => {
                let place = COLUMNS.iter().position(|known| *known == column).unwrap_or_default();
                ("column", signed(&[position, place as u64]))
            }
            Self::Malformed { position } => ("malformed", signed(&[position])),
            Self::HashAltered { position } => ("hash_altered", signed(&[position])),
            Self::TileAltered { level, index, hash } => {
                ("tile_altered", signed(&[level.into(), index, hash]))
            }
            Self::TileMissing { level, index } => ("tile_missing", signed(&[level.into(), index])),
            Self::TileStray { level, index } => ("tile_stray", vec![level, index]),
            Self::CheckpointMissing { size } => ("checkpoint_missing", signed(&[size])),
            Self::KeyAltered { size } => ("key_altered", signed(&[size])),
            Self::CheckpointAltered { size } => ("checkpoint_altered", signed(&[size])),
            Self::RolledBack { held, size } => ("rolled_back", signed(&[held, size])),
            Self::Forked { size } => ("forked", signed(&[size])),
            Self::Unreadable { from, until } => ("unreadable", signed(&[from, until])),
            Self::IndexWrong { position } => ("index_wrong", signed(&[position])),
            Self::SegmentWrong { position } => ("segment_wrong", signed(&[position])),
            Self::RemovedAltered => ("removed_altered", Vec::new()),
            Self::ProofAltered => ("proof_altered", Vec::new()),
            Self::LeftOut { entries } => ("left_out", signed(&[entries])),
        }
    }

    /// The finding that these are the [`parts`](Self::parts) of.
    #[must_use]
    pub fn from_parts(kind: &str, numbers: &[i64]) -> Option<Self> {
        let number = |at: usize| numbers.get(at).copied();
        let unsigned = |at: usize| number(at).map(i64::cast_unsigned);
        let level = || unsigned(0).and_then(|level| u8::try_from(level).ok());
        match kind {
            "proof_altered" => return Some(Self::ProofAltered),
            "removed_altered" => return Some(Self::RemovedAltered),
            _ => {}
        }
        let (first, second) = (unsigned(0)?, unsigned(1));
        Some(match kind {
            "altered" => Self::Altered { position: first },
            "missing" => Self::Missing { from: first, until: second? },
            "inserted" => Self::Inserted { position: first },
            "stray" => Self::Stray { position: number(0)? },
            "swapped" => Self::Swapped { first, second: second? },
            "moved" => Self::Moved { position: first, signed: second? },
            "altered_within" => Self::AlteredWithin { from: first, until: second? },
            "column" => {
                let column = COLUMNS.get(usize::try_from(second?).ok()?)?;
                Self::Column { position: first, column }
            }
            "malformed" => Self::Malformed { position: first },
            "hash_altered" => Self::HashAltered { position: first },
            "tile_altered" => {
                Self::TileAltered { level: level()?, index: second?, hash: unsigned(2)? }
            }
            "tile_missing" => Self::TileMissing { level: level()?, index: second? },
            "tile_stray" => Self::TileStray { level: number(0)?, index: number(1)? },
            "checkpoint_missing" => Self::CheckpointMissing { size: first },
            "key_altered" => Self::KeyAltered { size: first },
            "checkpoint_altered" => Self::CheckpointAltered { size: first },
            "rolled_back" => Self::RolledBack { held: first, size: second? },
            "forked" => Self::Forked { size: first },
            "segment_wrong" => Self::SegmentWrong { position: first },
            "index_wrong" => Self::IndexWrong { position: first },
            "left_out" => Self::LeftOut { entries: first },
            "unreadable" => Self::Unreadable { from: first, until: second? },
            _ => return None,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Altered { position } => write!(f, "entry {position} was altered"),
            Self::Missing { from, until } if until == from + 1 => {
                write!(f, "entry {from} is missing")
            }
            Self::Missing { from, until } => {
                write!(f, "entries {from} to {} are missing", until - 1)
            }
            Self::Inserted { position } => {
                write!(f, "the entry at {position} was inserted")
            }
            Self::Stray { position } => {
                write!(f, "a row at {position} belongs to no log")
            }
            Self::Swapped { first, second } => {
                write!(f, "entries {first} and {second} were swapped")
            }
            Self::Moved { position, signed } => {
                write!(f, "the entry at {position} was signed as entry {signed}")
            }
            Self::AlteredWithin { from, until } => write!(
                f,
                "among entries {from} to {} something was altered together with its hashes",
                until.saturating_sub(1)
            ),
            Self::Column { position, column } => {
                write!(f, "search column {column} of entry {position} disagrees with the entry")
            }
            Self::Malformed { position } => {
                write!(f, "entry {position} is as signed, but is not an audit entry")
            }
            Self::HashAltered { position } => {
                write!(f, "the hash beside entry {position} was altered")
            }
            Self::TileAltered { level, index, hash } => {
                write!(f, "hash {hash} of tile {index} of level {level} was altered")
            }
            Self::TileMissing { level, index } => {
                write!(f, "tile {index} of level {level} is missing or has the wrong length")
            }
            Self::TileStray { level, index } => {
                write!(f, "the log has no tile {index} of level {level}")
            }
            Self::CheckpointMissing { size } => {
                write!(f, "the checkpoint of size {size} is missing")
            }
            Self::KeyAltered { .. } => {
                f.write_str("the key in the bundle is not the one of its checkpoint")
            }
            Self::CheckpointAltered { size } => {
                write!(f, "the checkpoint of size {size} was altered")
            }
            Self::IndexWrong { position } => {
                write!(
                    f,
                    "entry {position} states an index of residents that the entries before it do not give"
                )
            }
            Self::SegmentWrong { position } => {
                write!(f, "entry {position} speaks of another segment of the log than there is")
            }
            Self::RemovedAltered => f.write_str(
                "what is kept of entries that were removed is not what the log says of it",
            ),
            Self::ProofAltered => {
                f.write_str("what leads from the checkpoint to the entries does not hold together")
            }
            Self::LeftOut { entries } => {
                write!(f, "{entries} of the entries about the resident are left out")
            }
            Self::RolledBack { held, size } => write!(
                f,
                "the log was rolled back: it has {size} entries, a checkpoint that is held speaks of {held}"
            ),
            Self::Forked { size } => {
                write!(f, "there are two histories of the first {size} entries")
            }
            Self::Unreadable { from, until } => write!(
                f,
                "what is stored of entries {from} to {} cannot be read",
                until.saturating_sub(1)
            ),
        }
    }
}

/// Findings, in the order of their positions as far as reading allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// At most [`MAX_FINDINGS`].
    pub listed: Vec<Finding>,
    /// Those beyond.
    pub unlisted: u64,
}

impl Findings {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if let (Finding::Missing { from, until }, Some(Finding::Missing { until: last, .. })) =
            (finding, self.listed.last_mut())
            && *last == from
        {
            *last = until;
        } else if self.listed.len() < MAX_FINDINGS {
            self.listed.push(finding);
        } else {
            self.unlisted += 1;
        }
    }
}

/// What is needed for an answer and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// The log has no checkpoint at all.
    NoCheckpoint,
    /// No checkpoint of the log is signed by this key.
    OtherKey,
    /// A checkpoint that is held is not signed by this key: which, counted from 0.
    HeldByOtherKey(usize),
    /// A checkpoint that is held speaks of a size that this bundle cannot be compared at: which, counted from 0.
    HeldElsewhere(usize),
    /// Another key of the log took over: this one signed so many entries, and not those after.
    Succeeded {
        /// The number.
        size: u64,
    },
    /// An entry that a later key signed says that entries below this position were removed.
    RemovedSince {
        /// The position.
        until: u64,
    },
    /// The bundle ends before its last line.
    CutShort,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckpoint => f.write_str("the log has no checkpoint"),
            Self::OtherKey => f.write_str("no checkpoint of the log is signed by this key"),
            Self::Succeeded { size } => write!(
                f,
                "a new key of the log took over: this one signed no more than {size} entries"
            ),
            Self::RemovedSince { until } => write!(
                f,
                "entries below {until} were removed, as is said under a later key: check with the key that signs now"
            ),
            Self::CutShort => f.write_str("the bundle ends before its last line"),
            Self::HeldElsewhere(at) => write!(
                f,
                "checkpoint {at} of those held speaks of a size at which the bundle cannot be compared"
            ),
            Self::HeldByOtherKey(at) => {
                write!(f, "checkpoint {at} of those held is not signed by this key")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_back_from_its_parts() {
        use Finding::*;
        let mut findings = vec![
            Altered { position: 1 },
            Missing { from: 2, until: 4 },
            Inserted { position: 3 },
            Stray { position: -1 },
            Swapped { first: 1, second: 5 },
            Moved { position: 6, signed: 2 },
            AlteredWithin { from: 0, until: 256 },
            Malformed { position: 7 },
            HashAltered { position: 8 },
            TileAltered { level: 1, index: 2, hash: 255 },
            TileMissing { level: 7, index: u64::MAX >> 1 },
            TileStray { level: -1, index: -7 },
            CheckpointMissing { size: 1024 },
            KeyAltered { size: 9 },
            CheckpointAltered { size: 2048 },
            RolledBack { held: 7, size: 5 },
            Forked { size: 3 },
            Unreadable { from: 0, until: 1024 },
            IndexWrong { position: 5 },
            SegmentWrong { position: 6 },
            RemovedAltered,
            ProofAltered,
            LeftOut { entries: 2 },
        ];
        findings.extend(COLUMNS.map(|column| Column { position: 11, column }));
        for finding in findings {
            let (kind, numbers) = finding.parts();
            assert_eq!(Finding::from_parts(kind, &numbers), Some(finding), "{kind}");
            for cut in 0..numbers.len() {
                assert_eq!(Finding::from_parts(kind, &numbers[..cut]), None, "{kind} {cut}");
            }
        }
        for (kind, numbers) in [("tile_altered", [256, 0, 0]), ("column", [0, 7, 0]), ("?", [0; 3])]
        {
            assert_eq!(Finding::from_parts(kind, &numbers), None, "{kind}");
        }
    }
}
