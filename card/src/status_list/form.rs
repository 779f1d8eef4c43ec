//! The octets of snapshots, and the reader of both forms.

use time::OffsetDateTime;

use super::{
    Contents, Entry, Level, ListError, Listing, MAX_BYTES, MAX_ENTRIES, MAX_ORIGIN, Reason,
    StatusList, Tag, delta::Delta,
};

/// What every list begins with: a signature over it can mean nothing else.
const MAGIC: [u8; 16] = *b"healthcard.cards";
const VERSION: u8 = 1;
const SNAPSHOT: u8 = b'F';
const DELTA: u8 = b'D';

/// 9999-12-31T23:59:59Z, the last second that is written.
const LAST_SECOND: i64 = 253_402_300_799;

/// What a service sends.
pub(super) enum Read {
    /// A list; its signature is not checked yet.
    Snapshot(StatusList),
    /// A way to one.
    Delta(Delta),
}

/// The octets of a list up to its signature.
pub(super) fn snapshot(list: &Contents) -> Vec<u8> {
    let mut out = beginning(SNAPSHOT);
    out.reserve(160 + list.entries.len() * 13);
    write_heading(list, &mut out);
    for Entry { tag, listing } in &list.entries {
        out.extend_from_slice(&tag.0);
        out.push(listing.code());
    }
    out
}

/// The octets of a delta.
pub(super) fn delta(delta: &Delta) -> Vec<u8> {
    let mut out = beginning(DELTA);
    out.extend_from_slice(&delta.base.to_be_bytes());
    write_heading_of(&delta.target, delta.count, &mut out);
    out.extend_from_slice(&length(delta.changes.len()));
    for (tag, listing) in &delta.changes {
        out.push(if listing.is_some() { PUT } else { TAKE });
        out.extend_from_slice(&tag.0);
        out.push(listing.map_or(RELEASE, Listing::code));
    }
    out.extend_from_slice(&delta.signature);
    out
}

/// Operate type (操作类型) 1 and 2.
const PUT: u8 = 1;
const TAKE: u8 = 2;
/// Level 0 and reason 2: what an entry is taken away with.
const RELEASE: u8 = 0x02;

fn beginning(kind: u8) -> Vec<u8> {
    [&MAGIC[..], &[VERSION, kind]].concat()
}

fn write_heading(list: &Contents, out: &mut Vec<u8>) {
    write_heading_of(list, list.entries.len(), out);
}

fn write_heading_of(list: &Contents, count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&list.number.to_be_bytes());
    // Never before 1970: `moment` has seen it.
    out.extend_from_slice(&list.issued_at.unix_timestamp().to_be_bytes());
    out.extend_from_slice(&list.salt);
    out.extend_from_slice(&list.key_id);
    out.push(u8::try_from(list.origin.len()).expect("at most MAX_ORIGIN octets"));
    out.extend_from_slice(list.origin.as_bytes());
    out.extend_from_slice(&length(count));
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("at most MAX_ENTRIES twice").to_be_bytes()
}

impl Listing {
    /// The octet that stands for it: `level << 4 | reason`.
    #[must_use]
    pub fn code(self) -> u8 {
        let level = match self.level {
            Level::Black => 0,
            Level::Grey => 1,
        };
        let reason = match self.reason {
            Reason::Loss => 1,
            Reason::Cancelled => 3,
            Reason::IllegalUse => 4,
            Reason::Frozen => 5,
            Reason::NotActivated => 6,
        };
        level << 4 | reason
    }

    /// What an octet stands for, if anything.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        let level = match code >> 4 {
            0 => Level::Black,
            1 => Level::Grey,
            _ => return None,
        };
        let reason = match code & 0x0F {
            1 => Reason::Loss,
            3 => Reason::Cancelled,
            4 => Reason::IllegalUse,
            5 => Reason::Frozen,
            6 => Reason::NotActivated,
            _ => return None,
        };
        Some(Self { level, reason })
    }

    fn read(octet: u8) -> Result<Self, ListError> {
        Self::from_code(octet).ok_or(ListError::Field("level and reason of an entry"))
    }
}

/// Whether a text can name a service: as in its settings.
pub(super) fn is_origin(name: &str) -> bool {
    (1..=MAX_ORIGIN).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

/// A time of issue.
pub(super) fn moment(seconds: i64) -> Option<OffsetDateTime> {
    (0..=LAST_SECOND)
        .contains(&seconds)
        .then(|| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .flatten()
}

/// Reads a snapshot or a delta: all octets, in the one form.
pub(super) fn read(bytes: &[u8]) -> Result<Read, ListError> {
    if bytes.len() > MAX_BYTES {
        return Err(ListError::TooLarge);
    }
    let mut input = Input(bytes);
    if *input.take::<16>().map_err(|_| ListError::NotAList)? != MAGIC {
        return Err(ListError::NotAList);
    }
    let [version, kind] = *input.take()?;
    if version != VERSION {
        return Err(ListError::Version(version));
    }
    let read = match kind {
        SNAPSHOT => {
            let (mut contents, count) = input.heading()?;
            contents.entries = input.entries(count)?;
            let signature = *input.take()?;
            Read::Snapshot(StatusList { contents, signature })
        }
        DELTA => {
            let base = input.number()?;
            let (target, count) = input.heading()?;
            if base >= target.number {
                return Err(ListError::Field("number"));
            }
            let changes = input.changes()?;
            let signature = *input.take()?;
            Read::Delta(Delta { base, target, count, changes, signature })
        }
        _ => return Err(ListError::Field("kind")),
    };
    if !input.0.is_empty() {
        return Err(ListError::Trailing(input.0.len()));
    }
    Ok(read)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], ListError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(ListError::Truncated)?;
        self.0 = rest;
        Ok(field)
    }

    fn number(&mut self) -> Result<u64, ListError> {
        match u64::from_be_bytes(*self.take()?) {
            0 => Err(ListError::Field("number")),
            number => Ok(number),
        }
    }

    /// A count of things of `size` octets, all of which are there.
    fn count(&mut self, size: usize, most: usize) -> Result<usize, ListError> {
        let count = u32::from_be_bytes(*self.take()?) as usize;
        if count > most {
            return Err(ListError::TooLarge);
        }
        // Nothing is set aside for more than what came.
        if size * count > self.0.len() { Err(ListError::Truncated) } else { Ok(count) }
    }

    /// A heading without its entries, and how many those are.
    fn heading(&mut self) -> Result<(Contents, usize), ListError> {
        let number = self.number()?;
        let issued_at =
            moment(i64::from_be_bytes(*self.take()?)).ok_or(ListError::Field("time of issue"))?;
        let salt = *self.take()?;
        let key_id = *self.take()?;
        let [length] = *self.take()?;
        let (origin, rest) = self.0.split_at_checked(length.into()).ok_or(ListError::Truncated)?;
        self.0 = rest;
        let origin = std::str::from_utf8(origin)
            .ok()
            .filter(|origin| is_origin(origin))
            .ok_or(ListError::Field("name of the service"))?
            .to_owned();
        let count = self.count(0, MAX_ENTRIES)?;
        Ok((Contents { origin, number, issued_at, salt, key_id, entries: Vec::new() }, count))
    }

    fn entries(&mut self, count: usize) -> Result<Vec<Entry>, ListError> {
        if count * 13 > self.0.len() {
            return Err(ListError::Truncated);
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for _ in 0..count {
            let tag = Tag(*self.take()?);
            let [octet] = *self.take()?;
            if entries.last().is_some_and(|last| last.tag >= tag) {
                return Err(ListError::Order);
            }
            entries.push(Entry { tag, listing: Listing::read(octet)? });
        }
        Ok(entries)
    }

    fn changes(&mut self) -> Result<Vec<(Tag, Option<Listing>)>, ListError> {
        let count = self.count(14, MAX_ENTRIES)?;
        let mut changes: Vec<(Tag, Option<Listing>)> = Vec::with_capacity(count);
        for _ in 0..count {
            let [operation] = *self.take()?;
            let tag = Tag(*self.take()?);
            let [octet] = *self.take()?;
            if changes.last().is_some_and(|(last, _)| *last >= tag) {
                return Err(ListError::Order);
            }
            let listing = match (operation, octet) {
                (PUT, octet) => Some(Listing::read(octet)?),
                (TAKE, RELEASE) => None,
                (TAKE, _) => return Err(ListError::Field("level and reason of an entry")),
                _ => return Err(ListError::Field("operation of a change")),
            };
            changes.push((tag, listing));
        }
        Ok(changes)
    }
}
