//! One entry of the log, and the one way to write it.
//!
//! An entry is JSON in a fixed order of fields, without white space, absent fields left out. The
//! bytes are the leaf: what is stored is what is hashed, and what another form of the same
//! statement hashes to never arises, as reading refuses every other form.
//!
//! ```text
//! {"v":1,"id":"0193…","at":"2026-11-23T08:00:00.000000Z","action":"token.issue","outcome":"granted",
//!  "actor":{"identity":"0193…","certificate":"5f…","role":"doctor","institution":"0193…","address":"10.0.0.7"},
//!  "resident":"0193…","visit":"0193…","purpose":"treatment","policy":{"hash":"9c…","rule":"attending"},
//!  "object":{"kind":"token","id":"0193…"},"detail":{"grade":"3"}}
//! ```
//!
//! An entry names people by pseudonym. No name, ID number, phone or secret belongs here.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::{Deserialize, Serialize};

mod plain;
#[cfg(test)]
mod tests;

/// Most bytes an entry has when written.
pub const MAX_ENTRY: usize = 8 * 1024;
/// Most bytes of one text within an entry.
pub const MAX_TEXT: usize = 512;
/// Most pairs in [`Entry::detail`].
pub const MAX_DETAIL: usize = 32;
/// The version this crate writes and reads.
const VERSION: u32 = 1;

/// What was done, by whom, about whom, why, on what ground, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of the form; 1.
    v: u32,
    /// Identifier of this entry: a UUID in its lower-case text form, UUIDv7 by preference.
    pub id: String,
    /// When: RFC 3339 in UTC with six digits of a second, `2026-11-23T08:00:00.000000Z`.
    pub at: String,
    /// What was done, a noun and a verb of the interface: `card.read`, `token.issue`.
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Actor::is_unknown")]
    pub actor: Actor,
    /// The resident it is about, by pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<String>,
    /// The visit (就诊) it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<String>,
    /// Why, in the interface's word for a purpose of use: `treatment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The ground it was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The thing it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// What else matters to this action. Keys in the order of their bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

/// How an act ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was allowed and done.
    Granted,
    /// It was not allowed.
    Refused,
    /// It was allowed, and could not be done.
    Failed,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Granted, Self::Refused, Self::Failed];

    /// The word in the entry and in the search columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Who acted, as far as it was known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Identity on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Serial number of the certificate that was used, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Role that the act was done in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Institution on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub institution: Option<String>,
    /// Network address of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl Actor {
    /// Whether nothing at all is known of the caller.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// The rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Digest of the rule set, hexadecimal.
    pub hash: String,
    /// Name of the rule.
    pub rule: String,
}

/// The thing an act was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Kind: `card`, `token`, `certificate`.
    pub kind: String,
    /// Its identifier.
    pub id: String,
}

/// Why bytes are not an entry, or an entry cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY`] bytes.
    #[error("an entry of {0} bytes, more than {MAX_ENTRY}")]
    TooLong(usize),
    /// Not JSON of the fields of an entry.
    #[error("not an audit entry")]
    Form(#[source] serde_json::Error),
    /// Written in another version of the form.
    #[error("an entry of version {0}, which is not known")]
    Version(u32),
    /// A field holds what it must not.
    #[error("field {0} of an audit entry is malformed")]
    Field(&'static str),
    /// The same statement, but not its one canonical form.
    #[error("not the canonical form of an entry")]
    NotCanonical,
}

impl Entry {
    /// An entry with the fields that every entry has. `id` and `at` as the fields say.
    pub fn new(
        id: impl Into<String>,
        at: impl Into<String>,
        action: impl Into<String>,
        outcome: Outcome,
        actor: Actor,
    ) -> Self {
        Self {
            v: VERSION,
            id: id.into(),
            at: at.into(),
            action: action.into(),
            outcome,
            actor,
            resident: None,
            visit: None,
            purpose: None,
            policy: None,
            object: None,
            detail: BTreeMap::new(),
        }
    }

    /// The same about a resident, by pseudonym.
    #[must_use]
    pub fn about(mut self, resident: impl Into<String>) -> Self {
        self.resident = Some(resident.into());
        self
    }

    /// The same as part of a visit.
    #[must_use]
    pub fn in_visit(mut self, visit: impl Into<String>) -> Self {
        self.visit = Some(visit.into());
        self
    }

    /// The same with its purpose.
    #[must_use]
    pub fn for_purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = Some(purpose.into());
        self
    }

    /// The same with the rule that decided.
    #[must_use]
    pub fn under(mut self, hash: impl Into<String>, rule: impl Into<String>) -> Self {
        self.policy = Some(Policy { hash: hash.into(), rule: rule.into() });
        self
    }

    /// The same done to a thing.
    #[must_use]
    pub fn on(mut self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        self.object = Some(Object { kind: kind.into(), id: id.into() });
        self
    }

    /// The same with one more detail.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.detail.insert(key.into(), value.into());
        self
    }

    /// The bytes of the leaf.
    ///
    /// # Errors
    /// [`EntryError::Field`] or [`EntryError::TooLong`] where reading would refuse the bytes.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        let mut bytes = Vec::with_capacity(1024);
        serde_json::to_writer(&mut bytes, self).map_err(EntryError::Form)?;
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLong(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads a leaf. Every entry has one form only, and other bytes are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLong(bytes.len()));
        }
        if let Some(entry) = plain::decode(bytes) {
            entry.check()?;
            return Ok(entry);
        }
        Self::decode_any(bytes)
    }

    /// The same for texts with escapes, and to tell what is wrong with the bytes.
    fn decode_any(bytes: &[u8]) -> Result<Self, EntryError> {
        let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom);
        let entry: Self = text.and_then(serde_json::from_str).map_err(EntryError::Form)?;
        entry.check()?;
        // Written once more, it must give these bytes; they are compared as they come.
        let mut rest = Expected(bytes);
        match serde_json::to_writer(&mut rest, &entry) {
            Ok(()) if rest.0.is_empty() => Ok(entry),
            _ => Err(EntryError::NotCanonical),
        }
    }

    /// [`Self::at`] in microseconds since 1970; 0 for what is no such instant.
    pub fn at_microseconds(&self) -> i64 {
        if !is_instant(&self.at) {
            return 0;
        }
        let number = |range| i64::from(number(&self.at, range));
        let (year, month, day) = (number(0..4), number(5..7), number(8..10));
        // Days of the proleptic Gregorian calendar, in years that begin in March, so that the day
        // a leap year adds is the last of its year.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let days = 365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468;
        let seconds = (days * 24 + number(11..13)) * 3600 + number(14..16) * 60 + number(17..19);
        seconds * 1_000_000 + number(20..26)
    }

    fn check(&self) -> Result<(), EntryError> {
        if self.v != VERSION {
            return Err(EntryError::Version(self.v));
        }
        if self.detail.len() > MAX_DETAIL {
            return Err(EntryError::Field("detail"));
        }
        let actor = &self.actor;
        let policy = self.policy.as_ref();
        let object = self.object.as_ref();
        let checks = [
            ("id", is_uuid(&self.id)),
            ("at", is_instant(&self.at)),
            ("action", is_action(&self.action)),
            ("actor.identity", is_text(actor.identity.as_ref())),
            ("actor.certificate", is_text(actor.certificate.as_ref())),
            ("actor.role", is_text(actor.role.as_ref())),
            ("actor.institution", is_text(actor.institution.as_ref())),
            ("actor.address", is_text(actor.address.as_ref())),
            ("resident", is_text(self.resident.as_ref())),
            ("visit", is_text(self.visit.as_ref())),
            ("purpose", is_text(self.purpose.as_ref())),
            ("policy.hash", is_text(policy.map(|policy| &policy.hash))),
            ("policy.rule", is_text(policy.map(|policy| &policy.rule))),
            ("object.kind", is_text(object.map(|object| &object.kind))),
            ("object.id", is_text(object.map(|object| &object.id))),
            ("detail", self.detail.iter().all(|(k, v)| is_text(Some(k)) && is_text(Some(v)))),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((field, _)) => Err(EntryError::Field(field)),
            None => Ok(()),
        }
    }
}

/// A writer that takes these bytes and no others.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Present text is not empty, not long, and has no control characters, so that a terminal shows
/// what is there.
fn is_text(text: Option<&String>) -> bool {
    text.is_none_or(|text| {
        // Most text is ASCII, of which whole blocks are compared at once.
        let plain = text.bytes().fold(true, |plain, b| plain & (0x20..0x7f).contains(&b));
        (1..=MAX_TEXT).contains(&text.len()) && (plain || !text.chars().any(char::is_control))
    })
}

fn is_action(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// The text form of RFC 9562, 4, in lower case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// `YYYY-MM-DDThh:mm:ss.ffffffZ` with a day that exists; no leap second.
pub(crate) fn is_instant(text: &str) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    let fits = |(b, s): (u8, &u8)| if *s == b'd' { b.is_ascii_digit() } else { b == *s };
    if text.len() != shape.len() || !text.bytes().zip(shape).all(fits) {
        return false;
    }
    let number = |range| number(text, range);
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day) && number(11..13) < 24 && number(14..16) < 60 && number(17..19) < 60
}

/// The decimal number at `range` of `text`, which has digits there.
fn number(text: &str, range: std::ops::Range<usize>) -> u32 {
    text.as_bytes()[range].iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
}
