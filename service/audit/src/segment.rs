//! Segments (日志分段): how the oldest entries of a log leave it when their term is over.
//!
//! Only contents are removed, and only from the beginning: all hashes stay, so that whoever kept an entry, a proof or
//! an export still proves it, and the log goes on from every checkpoint as before. The service says in the log when a
//! segment is closed, long before, when one person enters that it is to be removed, and when it is, as another approved:
//!
//! ```text
//! audit.segment-close   first, until   the entries, from one position up to and without another
//!                       root           of the log of `until` entries, as a checkpoint of that size has it
//!                       index-root     of the index of residents over the same entries
//!                       newest         the latest time in the entries from `first` on
//! audit.remove-enter    first, until, root, index-root
//! audit.remove-review   first, until, root, index-root, and
//!                       entered-at     where the entry stands of what another person rejects: that is over
//! audit.segment-remove  first, until, root, index-root, and
//!                       since          from when their term counts: the later one of `newest` and the time of the entry
//!                                      that closed the segment, so that neither a clock that is behind makes them old
//!                                      nor one that is ahead
//!                       months         their term: it is over when they are removed
//!                       kept           how many entries below `until` are kept as they are
//!                       closed-at      where the entry stands that closed it
//!                       entered-at     where the entry of the other person stands
//!                       witness        "signed" where a witness signed the log with that closing, else "none"
//! ```
//!
//! The first segment begins with the log, and each where the one before ends. Of the entries that are gone two things are
//! kept. What follows from them, the standing of each resident in the [`index`](crate::index), leads to the index root of
//! the entry that removed them. And those of [`KEPT`], which say what was removed and what became of keys, stay whole: each
//! has the hash that the log has of it, and their number is in the newest entry that removes.
//!
//! That two persons acted and that a witness had signed is the word of the service, whose key alone signs these entries.
//! What holds it to that is not in the log: the auditors, who read there what is said that they did, and the witness, whose
//! own record tells what it signed and when. The time of a removal is its word as well.

use crate::{
    entry::{Entry, Outcome},
    history::MAX_LAG,
    note::decimal,
    tree::Hash,
};

mod instant;
#[cfg(test)]
mod tests;

pub use instant::Instant;

/// The action of the entries that close a segment.
pub const CLOSE: &str = "audit.segment-close";
/// The action of the entries in which one person says that one is to be removed.
pub const ENTER: &str = "audit.remove-enter";
/// The action of the entries in which another person rejects that.
pub const REJECT: &str = "audit.remove-review";
/// The action of the entries that remove one.
pub const REMOVE: &str = "audit.segment-remove";
/// The actions whose entries are kept when others are removed: on what removals rest, and what happened to keys.
pub const KEPT: [&str; 6] = [CLOSE, ENTER, REJECT, REMOVE, "key.publish", "key.rotate"];
/// The shortest term: Cybersecurity Law (网络安全法), article 21.
pub const MIN_MONTHS: u32 = 6;
/// The details of these.
const FIRST: &str = "first";
const UNTIL: &str = "until";
const ROOT: &str = "root";
const INDEX_ROOT: &str = "index-root";
const NEWEST: &str = "newest";
const SINCE: &str = "since";
const MONTHS: &str = "months";
const KEPT_ENTRIES: &str = "kept";
const CLOSED_AT: &str = "closed-at";
const ENTERED_AT: &str = "entered-at";
/// The detail in which a removal says what it rests on besides, and what it says there where a witness signed.
const WITNESS: &str = "witness";
const SIGNED: &str = "signed";

/// What the service says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first entry.
    pub first: u64,
    /// The one after its last.
    pub until: u64,
    /// The root of the log of `until` entries.
    pub root: Hash,
    /// The root of the index of residents over these.
    pub index_root: Hash,
}

/// What happens to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is closed: it will not be another one any more.
    Closed {
        /// The latest time in its entries.
        newest: Instant,
    },
    /// A person enters that it is to be removed.
    Entered,
    /// Another person rejects what was entered.
    Rejected {
        /// Position of the entry in which it was.
        entered_at: u64,
    },
    /// Its entries are removed, their term being over.
    Removed(Removal),
}

/// By what right entries are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// From when their term counts.
    pub since: Instant,
    /// Their term.
    pub months: u32,
    /// Entries that are kept of all that were removed so far.
    pub kept: u64,
    /// Position of the entry that closed the segment.
    pub closed_at: u64,
    /// Position of the one in which another person entered that it is to be removed.
    pub entered_at: u64,
}

/// What an entry as signed says of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) position: u64,
    pub(crate) step: Step,
    pub(crate) segment: Segment,
    /// When it was written.
    pub(crate) at: Instant,
    /// Whose act it is, by identity.
    pub(crate) by: Option<String>,
    /// Whether it rests on what a witness signed.
    pub(crate) witnessed: bool,
}

impl Said {
    /// `None` for an entry that says nothing of a segment, or not what it has to.
    pub(crate) fn of(entry: &Entry, position: u64) -> Option<Self> {
        let (step, segment) = Segment::of(entry, position)?.ok()?;
        let at = Instant::read(&entry.at)?;
        let witnessed = detail(entry, WITNESS) == Some(SIGNED);
        Some(Self { position, step, segment, at, by: entry.actor.identity.clone(), witnessed })
    }
}

/// An entry that has to say what becomes of a segment, and does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry does not say which segment")]
pub struct BadSegment;

impl Segment {
    /// The entry that says so.
    #[must_use]
    pub fn in_entry(&self, step: Step, entry: Entry) -> Entry {
        let Self { first, until, root, index_root } = self;
        let entry = entry
            .with(FIRST, first.to_string())
            .with(UNTIL, until.to_string())
            .with(ROOT, hex::encode(root))
            .with(INDEX_ROOT, hex::encode(index_root));
        match step {
            Step::Closed { newest } => entry.with(NEWEST, newest.to_string()),
            Step::Entered => entry,
            Step::Rejected { entered_at } => entry.with(ENTERED_AT, entered_at.to_string()),
            Step::Removed(Removal { since, months, kept, closed_at, entered_at }) => entry
                .with(SINCE, since.to_string())
                .with(MONTHS, months.to_string())
                .with(KEPT_ENTRIES, kept.to_string())
                .with(CLOSED_AT, closed_at.to_string())
                .with(ENTERED_AT, entered_at.to_string()),
        }
    }

    /// What an entry at a position says of a segment: `None` for one that says nothing of any.
    ///
    /// # Errors
    /// [`BadSegment`]; one that removes entries before their term is such an entry.
    pub fn of(entry: &Entry, position: u64) -> Option<Result<(Step, Self), BadSegment>> {
        if entry.outcome != Outcome::Granted {
            return None;
        }
        let step: fn(&Entry, &Self, u64) -> Option<Step> = match entry.action.as_str() {
            CLOSE => closed,
            ENTER => |_, _, _| Some(Step::Entered),
            REJECT => rejected,
            REMOVE => removed,
            _ => return None,
        };
        let read = || {
            let segment = Self {
                first: number(entry, FIRST)?,
                until: number(entry, UNTIL)?,
                root: read_hash(detail(entry, ROOT)?)?,
                index_root: read_hash(detail(entry, INDEX_ROOT)?)?,
            };
            let behind = segment.first < segment.until && segment.until <= position;
            Some((step(entry, &segment, position).filter(|_| behind)?, segment))
        };
        Some(read().ok_or(BadSegment))
    }
}

fn closed(entry: &Entry, segment: &Segment, position: u64) -> Option<Step> {
    let newest = Instant::read(detail(entry, NEWEST)?)?;
    // What is said of the index can be held against the entries as they come.
    let soon = position.checked_sub(segment.until)? <= MAX_LAG;
    soon.then_some(Step::Closed { newest })
}

fn rejected(entry: &Entry, segment: &Segment, position: u64) -> Option<Step> {
    let entered_at = number(entry, ENTERED_AT)?;
    let in_turn = segment.until <= entered_at && entered_at < position;
    in_turn.then_some(Step::Rejected { entered_at })
}

fn removed(entry: &Entry, segment: &Segment, position: u64) -> Option<Step> {
    let removal = Removal {
        since: Instant::read(detail(entry, SINCE)?)?,
        months: u32::try_from(number(entry, MONTHS)?).ok()?,
        kept: number(entry, KEPT_ENTRIES)?,
        closed_at: number(entry, CLOSED_AT)?,
        entered_at: number(entry, ENTERED_AT)?,
    };
    let Removal { since, months, kept, closed_at, entered_at } = removal;
    let over = since.months_later(months).is_some_and(|over| over.to_string() <= entry.at);
    let in_turn = segment.until <= closed_at && closed_at < entered_at && entered_at < position;
    (over && in_turn && months >= MIN_MONTHS && kept <= segment.until)
        .then_some(Step::Removed(removal))
}

fn detail<'a>(entry: &'a Entry, name: &str) -> Option<&'a str> {
    entry.detail.get(name).map(String::as_str)
}

fn number(entry: &Entry, name: &str) -> Option<u64> {
    detail(entry, name).and_then(decimal)
}

/// A hash in its one form, hexadecimal in lower case.
pub(crate) fn read_hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text, &mut hash).ok()?;
    (!text.contains(|c: char| c.is_ascii_uppercase())).then_some(hash)
}
