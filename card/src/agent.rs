//! What software on a desk's machine asks of its agent (`healthcard desk --interface`), and what it
//! is told. Both ends share this form: `libhealthcard` asks, the agent answers.
//!
//! Nothing here is a key, a cryptogram or a command of the card. What is asked for is what the service
//! can permit: who holds the card, a file within a visit, a change. The software names the insertion
//! that the agent told it, so that no request reaches another card than the one it is about.
//!
//! Over a connection goes one request and its answer. Who asks keeps it open both ways until then:
//! hanging up takes back a request that still waits. Each is four octets with the length of what
//! follows; then, with all numbers big-endian:
//!
//! ```text
//!   request            1  version of the form, 01; 1 which request it is
//!   1  power on        1  length, and a part of the reader's name, may be empty
//!   2  free fields     8  insertion
//!   3  holder          8  insertion
//!   4  a file          8  insertion; 16 visit; 1 purpose: 1 treatment, 2 the resident's request; 4 file
//!   5  a change        8  insertion; 1 whether there is a visit, 16 visit; 1 kind of change:
//!      1 items         spellings
//!      2 a record      4 file; spellings
//!      3 a visit       1 inpatient, 2 outpatient; spellings
//!
//!   answer             1  version of the form, 01; 1 which answer it is
//!   1  a card          8  insertion; 1 length, and the answer to reset
//!   2  fields          2  count; of each 2 item, 1 record, 2 length, and the bytes
//!   3  a photo         2  length, and the picture; none is empty
//!   4  changed         1  count; of each 4 file, in the order they were written
//!   5  refused         1  why
//!
//!   spellings          2  count; of each 2 item, 2 length, and the text in UTF-8
//!   file               2  directory; 2 identifier
//! ```

mod form;
mod octets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::layout::FileName;
use crate::write::VisitKind;

pub use form::length;

/// Most octets of a request, its length left out: the longest record of a visit, spelled.
pub const MAX_REQUEST: usize = 16 * 1024;
/// Most octets of an answer, its length left out: the fields of such a record.
pub const MAX_ANSWER: usize = 8 * 1024;

/// Names one insertion of a card: random, so that no other insertion has it, whichever agent told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Insertion(pub [u8; 8]);

/// The identifier of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VisitId(pub [u8; 16]);

/// The text is no identifier of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identifier has 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12")]
pub struct BadVisitId;

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// TREAT: treatment (诊疗).
    Treatment,
    /// PATRQT: asked for by the resident (本人请求).
    PatientRequest,
}

/// An item and what it is to say, as [`Changes`](crate::Changes) takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Spelled {
    /// Item number, 1 to 384.
    pub item: u16,
    /// The value as text; empty text clears the item.
    pub text: Zeroizing<String>,
}

/// What is to be changed on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Items of files with one record an item.
    Items(Vec<Spelled>),
    /// A new record of a ring.
    Record {
        /// The ring.
        file: FileName,
        /// What it says.
        items: Vec<Spelled>,
    },
    /// The record of a visit, which the service signs and finds a place for.
    Visit {
        /// Its kind.
        kind: VisitKind,
        /// What it says.
        items: Vec<Spelled>,
    },
}

/// What software asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Which card is there? The one card at the desk, or in the readers whose names contain this.
    PowerOn {
        /// A part of the reader's name; empty for any.
        reader: String,
    },
    /// Something of the card that was put in then.
    Card(Insertion, Order),
}

/// What is asked of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// What anyone may read of it (DDF1/EF05).
    Free,
    /// Who holds it (DDF1/EF06), as the service believes the card.
    Holder,
    /// The fields of a file, or the photo, within a visit of the holder.
    File {
        /// The visit.
        visit: VisitId,
        /// Why.
        purpose: Purpose,
        /// The file.
        file: FileName,
    },
    /// A change.
    Change {
        /// The visit that clinical data belong to.
        visit: Option<VisitId>,
        /// What.
        change: Change,
    },
}

/// A field of a card, padding included, tag and length left out.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    /// Item number, 1 to 384.
    pub item: u16,
    /// Its record, from 1; 0 in a file without records.
    pub record: u8,
    /// As on the card.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// What software is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is this card.
    Card {
        /// Names it until it is taken out.
        card: Insertion,
        /// Its answer to reset.
        atr: Vec<u8>,
    },
    /// What was asked for. A field that the card does not have is left out.
    Fields(Vec<Field>),
    /// The picture, JPEG; empty when there is none.
    Photo(Zeroizing<Vec<u8>>),
    /// It is on the card: the files with their records, in the order they were written.
    Changed(Vec<FileName>),
    /// Nothing was done, or not all of it.
    Refused(Refusal),
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request is none, or asks for what cannot be.
    Request,
    /// There is no card, or the one that was named is out.
    NoCard,
    /// There are several, and it is not known which one is meant.
    SeveralCards,
    /// The card is none of ours, does not answer as it must, or is in use for too long.
    CardFailed,
    /// The card or this desk did not prove itself to the other.
    NotGenuine,
    /// The service does not permit it.
    NotPermitted,
    /// The card has no such file or item.
    NoFile,
    /// The index calls the record invalid.
    MarkedInvalid,
    /// It could not be read or written, or says what it must not.
    Failed,
    /// Whoever computes with the card keys cannot be asked: the service, or its SAM.
    Away,
}

impl FromStr for VisitId {
    type Err = BadVisitId;

    fn from_str(text: &str) -> Result<Self, BadVisitId> {
        let mut groups = text.split('-');
        let mut octets = [0; 16];
        let mut at = octets.iter_mut();
        for digits in [8, 4, 4, 4, 12] {
            let group = groups.next().filter(|group| group.len() == digits).ok_or(BadVisitId)?;
            for pair in group.as_bytes().chunks(2) {
                let digit = |of: u8| char::from(of).to_digit(16).ok_or(BadVisitId);
                let octet = digit(pair[0])? << 4 | digit(pair[1])?;
                *at.next().ok_or(BadVisitId)? = octet as u8;
            }
        }
        if groups.next().is_none() { Ok(Self(octets)) } else { Err(BadVisitId) }
    }
}

/// As the service writes it.
impl fmt::Display for VisitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{octet:02x}")?;
        }
        Ok(())
    }
}

/// Personal data: the item alone.
impl fmt::Debug for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spelled({}, ..)", self.item)
    }
}

/// Personal data: the place alone.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({}, record {}, ..)", self.item, self.record)
    }
}

/// Personal data: the kind of answer and how much of it.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card { card, .. } => write!(f, "Card({card:?}, ..)"),
            Self::Fields(fields) => write!(f, "Fields({} of them)", fields.len()),
            Self::Photo(picture) => write!(f, "Photo({} octets)", picture.len()),
            Self::Changed(files) => write!(f, "Changed({files:?})"),
            Self::Refused(why) => write!(f, "Refused({why:?})"),
        }
    }
}
