//! The list of cards that are not to be served (黑灰名单), as a desk keeps it to check cards off line.
//!
//! A list is a numbered, signed snapshot; a delta leads from one number to a later one, and gives
//! the very bytes of the later snapshot, with its signature. So there is one thing to verify, and a
//! delta that was changed, or is applied to the wrong list, cannot give a list that verifies.
//!
//! # What is in it, and what it tells a finder
//!
//! An entry is 12 octets of HMAC-SM3 under the list's salt over the chip's issuing serial (item 10)
//! and one octet with the level and reason. No card number is in it (that is the holder's ID
//! number) and nothing of the resident. Whoever knows a serial can ask whether it is listed: that is
//! the purpose. Whoever tries all serials can name the chips that are listed, for the space of
//! serials is small and the salt is in the list; what they get are numbers of chips, which only the
//! cards themselves and the register connect with people. The salt keeps lists of two services from
//! being compared, and tables from being made in advance.
//!
//! # Form
//!
//! ```text
//! snapshot                                     delta
//!   16  "healthcard.cards"                       16  "healthcard.cards"
//!    1  version of the form, 01                   1  version of the form, 01
//!    1  "F"                                       1  "D"
//!                                                 8  number of the list it is applied to
//!    8  number, not 0                             8  number of the list it gives
//!    8  time of issue, seconds since 1970         8  as in the snapshot, and so on
//!   16  salt                                     16
//!   32  thumbprint of the signing key            32
//!    1  length of the service's name              1
//!    n  the name                                  n
//!    4  number of entries                         4  number of entries of the list it gives
//!                                                 4  number of changes
//!   13  each: tag 12, level and reason 1         14  each: 01 put or 02 take away, tag 12,
//!                                                    level and reason 1
//!   64  r ‖ s over all before                    64  of the snapshot
//! ```
//!
//! The signature is SM2 with the signer's identifier [`SIGNER_ID`], not the default one: it enters
//! the signature through Z, so that no signature of this key or another means anything else.
//!
//! Numbers are big-endian. Entries and changes ascend by tag, so that a list has one form. The octet
//! of level and reason is `level << 4 | reason`, with the codes of the blacklist tables in use
//! (level 0 black, 1 grey; reasons 1 loss, 2 release, 3 cancellation, 4 illegal use) and, of our own, 5
//! for a card that was frozen and 6 for one that its holder has not taken into use yet. A release takes
//! an entry away, and its octet is 02.
//!
//! The number of a list is the time of its issue in milliseconds since 1970, or one more than that of
//! the list before it, whichever is greater: so it also grows when a service goes on from an older copy
//! of its records.

mod delta;
mod form;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use time::OffsetDateTime;

use crate::number::ChipSerial;

/// Identifier of the signer (SM2, GB/T 32918.2-2016, 5.5).
pub const SIGNER_ID: &str = "healthcard.v1.card-list";
/// Most entries of a list.
pub const MAX_ENTRIES: usize = 1_000_000;
/// Most octets of a snapshot or a delta.
pub const MAX_BYTES: usize = 512 + 14 * MAX_ENTRIES;
/// Most octets of the name of a service.
pub const MAX_ORIGIN: usize = 64;
/// How far the clocks of service and desk may be apart.
const TOLERANCE: Duration = Duration::from_secs(300);

/// How a listed card is to be met (名单级别).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Black (黑名单): refuse the card.
    Black,
    /// Grey (灰名单): ask the service; refuse while it cannot be asked.
    Grey,
}

/// Why a card is listed (名单原因).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Reported lost (挂失).
    Loss,
    /// Cancelled (注销).
    Cancelled,
    /// Used illegally (非法使用).
    IllegalUse,
    /// Frozen by an institution (冻结).
    Frozen,
    /// Not taken into use by its holder yet (未激活).
    NotActivated,
}

impl Level {
    /// The word in logs and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::Grey => "grey",
        }
    }
}

impl Reason {
    /// The word in logs and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Cancelled => "cancelled",
            Self::IllegalUse => "illegal-use",
            Self::Frozen => "frozen",
            Self::NotActivated => "not-activated",
        }
    }
}

/// What a list says of one card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Listing {
    /// How it is to be met.
    pub level: Level,
    /// Why.
    pub reason: Reason,
}

/// The pseudonym of a chip within a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 12]);

impl Tag {
    /// The pseudonym under a list's salt.
    #[must_use]
    pub fn of(salt: &[u8; 16], serial: &ChipSerial) -> Self {
        let digest = hsm::sm3::hmac(salt, &[b"healthcard.cards/chip/", serial.as_str().as_bytes()]);
        Self(*digest.first_chunk().expect("a digest has 32 octets"))
    }
}

/// One card of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The chip, by its pseudonym.
    pub tag: Tag,
    /// What is said of it.
    pub listing: Listing,
}

/// What a list says, before or after it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    origin: String,
    number: u64,
    issued_at: OffsetDateTime,
    salt: [u8; 16],
    key_id: [u8; 32],
    /// Ascending by tag.
    entries: Vec<Entry>,
}

/// What stands at the head of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Name of the service.
    pub origin: String,
    /// Its number, not 0.
    pub number: u64,
    /// When it was issued; counted in whole seconds.
    pub issued_at: OffsetDateTime,
    /// Under which chips are named.
    pub salt: [u8; 16],
    /// Thumbprint of the key that signs it.
    pub key_id: [u8; 32],
}

impl Contents {
    /// Puts a list together; entries may come in any order.
    ///
    /// # Errors
    /// [`ListError::Field`] when the heading cannot be written, [`ListError::TooLarge`] above
    /// [`MAX_ENTRIES`], [`ListError::Order`] when a chip comes twice.
    pub fn new(heading: Heading, mut entries: Vec<Entry>) -> Result<Self, ListError> {
        let Heading { origin, number, issued_at, salt, key_id } = heading;
        if entries.len() > MAX_ENTRIES {
            return Err(ListError::TooLarge);
        }
        if number == 0 {
            return Err(ListError::Field("number"));
        }
        if !form::is_origin(&origin) {
            return Err(ListError::Field("name of the service"));
        }
        let seconds = issued_at.unix_timestamp();
        let issued_at = form::moment(seconds).ok_or(ListError::Field("time of issue"))?;
        entries.sort_unstable_by_key(|entry| entry.tag);
        if entries.windows(2).any(|pair| pair[0].tag == pair[1].tag) {
            return Err(ListError::Order);
        }
        Ok(Self { origin, number, issued_at, salt, key_id, entries })
    }

    /// The octets that are signed with SM2 and [`SIGNER_ID`].
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        form::snapshot(self)
    }

    /// The list with its signature, r ‖ s.
    #[must_use]
    pub fn signed(self, signature: [u8; 64]) -> StatusList {
        StatusList { contents: self, signature }
    }

    /// Name of the service.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its number; each issue has a greater one.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was issued.
    #[must_use]
    pub fn issued_at(&self) -> OffsetDateTime {
        self.issued_at
    }

    /// Its cards, ascending by tag.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Thumbprint of the key that signs it.
    #[must_use]
    pub fn key_id(&self) -> &[u8; 32] {
        &self.key_id
    }

    /// The salt under which chips are named.
    #[must_use]
    pub fn salt(&self) -> &[u8; 16] {
        &self.salt
    }

    /// A list of another heading, in which `changes` stand: a chip's new listing, or nothing for a
    /// chip that is no longer listed. What changes nothing is allowed.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn changed(
        &self,
        heading: Heading,
        changes: impl IntoIterator<Item = (Tag, Option<Listing>)>,
    ) -> Result<Self, ListError> {
        let changes: BTreeMap<Tag, Option<Listing>> = changes.into_iter().collect();
        let unchanged = self.entries.iter().filter(|entry| !changes.contains_key(&entry.tag));
        let changed = changes
            .iter()
            .filter_map(|(tag, listing)| listing.map(|listing| Entry { tag: *tag, listing }));
        Self::new(heading, unchanged.copied().chain(changed).collect())
    }

    fn find(&self, tag: Tag) -> Option<Listing> {
        let at = self.entries.binary_search_by_key(&tag, |entry| entry.tag).ok()?;
        Some(self.entries[at].listing)
    }
}

/// A list whose signature was checked, or that was signed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList {
    contents: Contents,
    signature: [u8; 64],
}

/// Why a signature does not stand for a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSignature {
    /// The key that the list names is not one of the service's.
    UnknownKey,
    /// It is not the key's signature over these octets.
    Wrong,
}

/// Checks a signature: the thumbprint of the key, the octets that were signed, and r ‖ s.
pub type Check<'a> = &'a dyn Fn(&[u8; 32], &[u8], &[u8; 64]) -> Result<(), BadSignature>;

impl StatusList {
    /// Reads a snapshot and has its signature checked.
    ///
    /// # Errors
    /// [`ListError`]; a delta is [`ListError::DeltaAlone`].
    pub fn open(bytes: &[u8], check: Check<'_>) -> Result<Self, ListError> {
        match form::read(bytes)? {
            form::Read::Snapshot(list) => list.checked(check),
            form::Read::Delta(_) => Err(ListError::DeltaAlone),
        }
    }

    /// Reads what a service answered to one who holds this list: a later snapshot, a delta to one,
    /// or this very list. The held list stays as it is.
    ///
    /// # Errors
    /// [`ListError`]: above all [`ListError::Older`], [`ListError::OtherService`],
    /// [`ListError::Contradiction`], [`ListError::OtherBase`] and [`ListError::DoesNotFit`].
    pub fn updated(&self, bytes: &[u8], check: Check<'_>) -> Result<Self, ListError> {
        let list = match form::read(bytes)? {
            form::Read::Snapshot(list) => list,
            form::Read::Delta(delta) => delta.applied(&self.contents)?,
        };
        let list = list.checked(check)?;
        let (held, offered) = (self.number, list.number);
        if self.origin != list.origin {
            return Err(ListError::OtherService);
        }
        if offered < held {
            return Err(ListError::Older { held, offered });
        }
        if offered == held && list.signed_bytes() != self.signed_bytes() {
            return Err(ListError::Contradiction { number: held });
        }
        if list.issued_at < self.issued_at {
            return Err(ListError::BackInTime);
        }
        Ok(list)
    }

    fn checked(self, check: Check<'_>) -> Result<Self, ListError> {
        match check(&self.key_id, &self.signed_bytes(), &self.signature) {
            Ok(()) => Ok(self),
            Err(BadSignature::UnknownKey) => Err(ListError::UnknownKey),
            Err(BadSignature::Wrong) => Err(ListError::Signature),
        }
    }

    /// Its signature, r ‖ s.
    #[must_use]
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The snapshot's octets.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.signed_bytes();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// The delta that leads from `base` to this list.
    ///
    /// # Errors
    /// [`ListError::OtherBase`] unless `base` has a smaller number and the same service and salt.
    pub fn delta_from(&self, base: &Contents) -> Result<Vec<u8>, ListError> {
        delta::between(base, self)
    }

    /// What the list says of a chip; nothing for a card that it does not name.
    #[must_use]
    pub fn listing(&self, serial: &ChipSerial) -> Option<Listing> {
        self.contents.find(Tag::of(&self.salt, serial))
    }

    /// How old the list is.
    ///
    /// # Errors
    /// [`ListError::FromTheFuture`] when it was issued after `now`, by more than clocks differ.
    pub fn age(&self, now: OffsetDateTime) -> Result<Duration, ListError> {
        match Duration::try_from(now - self.issued_at) {
            Ok(age) => Ok(age),
            Err(_) if self.issued_at - now <= TOLERANCE => Ok(Duration::ZERO),
            Err(_) => Err(ListError::FromTheFuture),
        }
    }
}

impl std::ops::Deref for StatusList {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

/// Why octets are not a list that may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// More octets than [`MAX_BYTES`], or more entries than [`MAX_ENTRIES`].
    #[error("the list is larger than lists may be")]
    TooLarge,
    /// Does not begin like a list.
    #[error("this is not a list of cards")]
    NotAList,
    /// Of a later form.
    #[error("the list has form {0}, which this program does not know")]
    Version(u8),
    /// Ends too early.
    #[error("the list is cut short")]
    Truncated,
    /// Octets follow the signature.
    #[error("{0} octets follow the list")]
    Trailing(usize),
    /// A field has a value that is not allowed.
    #[error("the {0} of the list is not allowed")]
    Field(&'static str),
    /// Entries out of order, or one twice.
    #[error("the entries of the list do not ascend")]
    Order,
    /// A delta without the list that it is applied to.
    #[error("this is a delta, which needs the list before it")]
    DeltaAlone,
    /// Signed with a key that is not the service's.
    #[error("the list is signed with a key that is not known")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the signature of the list does not verify")]
    Signature,
    /// Of another service than the held one.
    #[error("the list is one of another service")]
    OtherService,
    /// Older than the held one.
    #[error("list {offered} is older than list {held}, which is held")]
    Older {
        /// Number of the held list.
        held: u64,
        /// Number of the offered list.
        offered: u64,
    },
    /// Two lists of one number.
    #[error("two different lists have the number {number}")]
    Contradiction {
        /// Their number.
        number: u64,
    },
    /// A later number with an earlier time of issue.
    #[error("the list has a later number and an earlier time than the held one")]
    BackInTime,
    /// A delta for another list.
    #[error("the delta is for list {needs}, and list {held} is held")]
    OtherBase {
        /// Number of the held list.
        held: u64,
        /// Number of the list it is for.
        needs: u64,
    },
    /// A delta whose changes do not fit the held list.
    #[error("the changes of the delta do not fit the held list")]
    DoesNotFit,
    /// Issued later than now.
    #[error("the list was issued after the present time of this machine")]
    FromTheFuture,
}
