//! The octets of both messages.

use zeroize::Zeroizing;

use super::octets::{Reader, Writer};
use super::{
    Answer, Change, Field, Insertion, MAX_ANSWER, MAX_REQUEST, Order, Purpose, Refusal, Request,
    Spelled, VisitId,
};
use crate::atr::MAX_ATR;
use crate::data::Photo;
use crate::write::VisitKind;

/// Most items that are spelled in one change: an outpatient record has 172.
const MAX_SPELLINGS: usize = 200;
/// Most fields of one answer: the same, and ten immunisations have twenty.
const MAX_FIELDS: usize = 200;
/// Longest part of a reader's name, octets.
const MAX_READER: usize = 128;
pub(super) const VERSION: u8 = 1;

impl Refusal {
    pub(super) const ALL: [Self; 10] = [
        Self::Request,
        Self::NoCard,
        Self::SeveralCards,
        Self::CardFailed,
        Self::NotGenuine,
        Self::NotPermitted,
        Self::NoFile,
        Self::MarkedInvalid,
        Self::Failed,
        Self::Away,
    ];

    fn code(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::NoCard => 2,
            Self::SeveralCards => 3,
            Self::CardFailed => 4,
            Self::NotGenuine => 5,
            Self::NotPermitted => 6,
            Self::NoFile => 7,
            Self::MarkedInvalid => 8,
            Self::Failed => 9,
            Self::Away => 10,
        }
    }
}

/// The length in front of a message, when it is one that may follow.
#[must_use]
pub fn length(octets: [u8; 4], most: usize) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(octets)).ok()?;
    (2..=most).contains(&length).then_some(length)
}

impl Request {
    /// The request as it is sent, its length first; `None` when it is longer than any that is read.
    #[must_use]
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Writer::new(VERSION, MAX_REQUEST);
        match self {
            Self::PowerOn { reader } => {
                out.octet(1);
                out.short(reader.as_bytes());
            }
            Self::Card(card, order) => order.write(*card, &mut out),
        }
        out.finish()
    }

    /// Reads the one form that a request has, its length left out.
    #[must_use]
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut from = Reader::new(octets, VERSION, MAX_REQUEST)?;
        let request = match from.octet()? {
            1 => {
                let reader = from.short()?;
                let reader =
                    std::str::from_utf8(reader).ok().filter(|_| reader.len() <= MAX_READER);
                Self::PowerOn { reader: reader?.to_owned() }
            }
            kind => {
                let card = Insertion(from.take()?);
                Self::Card(card, Order::read(kind, &mut from)?)
            }
        };
        from.is_done().then_some(request)
    }
}

impl Order {
    fn write(&self, card: Insertion, out: &mut Writer) {
        let kind = match self {
            Self::Free => 2,
            Self::Holder => 3,
            Self::File { .. } => 4,
            Self::Change { .. } => 5,
        };
        out.octet(kind);
        out.octets(&card.0);
        match self {
            Self::Free | Self::Holder => {}
            Self::File { visit, purpose, file } => {
                out.octets(&visit.0);
                out.octet(match purpose {
                    Purpose::Treatment => 1,
                    Purpose::PatientRequest => 2,
                });
                out.file(*file);
            }
            Self::Change { visit, change } => {
                out.octet(u8::from(visit.is_some()));
                out.octets(visit.as_ref().map_or(&[], |visit| &visit.0[..]));
                change.write(out);
            }
        }
    }

    fn read(kind: u8, from: &mut Reader<'_>) -> Option<Self> {
        Some(match kind {
            2 => Self::Free,
            3 => Self::Holder,
            4 => Self::File {
                visit: VisitId(from.take()?),
                purpose: match from.octet()? {
                    1 => Purpose::Treatment,
                    2 => Purpose::PatientRequest,
                    _ => return None,
                },
                file: from.file()?,
            },
            5 => Self::Change {
                visit: match from.octet()? {
                    0 => None,
                    1 => Some(VisitId(from.take()?)),
                    _ => return None,
                },
                change: Change::read(from)?,
            },
            _ => return None,
        })
    }
}

impl Change {
    fn write(&self, out: &mut Writer) {
        let spelled = match self {
            Self::Items(items) => {
                out.octet(1);
                items
            }
            Self::Record { file, items } => {
                out.octet(2);
                out.file(*file);
                items
            }
            Self::Visit { kind, items } => {
                out.octet(3);
                out.octet(match kind {
                    VisitKind::Inpatient => 1,
                    VisitKind::Outpatient => 2,
                });
                items
            }
        };
        out.number(spelled.len());
        for Spelled { item, text } in spelled {
            out.octets(&item.to_be_bytes());
            out.long(text.as_bytes());
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(match from.octet()? {
            1 => Self::Items(spellings(from)?),
            2 => Self::Record { file: from.file()?, items: spellings(from)? },
            3 => {
                let kind = match from.octet()? {
                    1 => VisitKind::Inpatient,
                    2 => VisitKind::Outpatient,
                    _ => return None,
                };
                Self::Visit { kind, items: spellings(from)? }
            }
            _ => return None,
        })
    }
}

fn spellings(from: &mut Reader<'_>) -> Option<Vec<Spelled>> {
    let count = from.number().filter(|count| (1..=MAX_SPELLINGS).contains(count))?;
    let spelled = (0..count).map(|_| {
        let item = from.item()?;
        let text = Zeroizing::new(std::str::from_utf8(from.long()?).ok()?.to_owned());
        Some(Spelled { item, text })
    });
    spelled.collect()
}

impl Answer {
    /// The answer as it is sent, its length first; `None` when it is longer than any that is read.
    #[must_use]
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Writer::new(VERSION, MAX_ANSWER);
        match self {
            Self::Card { card, atr } => {
                out.octet(1);
                out.octets(&card.0);
                out.short(atr);
            }
            Self::Fields(fields) => {
                out.octet(2);
                out.number(fields.len());
                for Field { item, record, bytes } in fields {
                    out.octets(&item.to_be_bytes());
                    out.octet(*record);
                    out.long(bytes);
                }
            }
            Self::Photo(picture) => {
                out.octet(3);
                out.long(picture);
            }
            Self::Changed(files) => {
                out.octet(4);
                out.count(files.len());
                for file in files {
                    out.file(*file);
                }
            }
            Self::Refused(why) => {
                out.octet(5);
                out.octet(why.code());
            }
        }
        out.finish()
    }

    /// Reads the one form that an answer has, its length left out.
    #[must_use]
    pub fn decode(octets: &[u8]) -> Option<Self> {
        let mut from = Reader::new(octets, VERSION, MAX_ANSWER)?;
        let answer = match from.octet()? {
            1 => {
                let card = Insertion(from.take()?);
                let atr = from.short().filter(|atr| atr.len() <= MAX_ATR)?.to_vec();
                Self::Card { card, atr }
            }
            2 => {
                let count = from.number().filter(|count| *count <= MAX_FIELDS)?;
                let fields = (0..count).map(|_| {
                    let (item, record) = (from.item()?, from.octet()?);
                    let bytes = Zeroizing::new(from.long()?.to_vec());
                    Some(Field { item, record, bytes })
                });
                Self::Fields(fields.collect::<Option<_>>()?)
            }
            3 => {
                let picture = from.long().filter(|picture| picture.len() <= Photo::MAX)?;
                Self::Photo(Zeroizing::new(picture.to_vec()))
            }
            4 => {
                let count = from.octet()?;
                let files = (0..count).map(|_| from.file());
                Self::Changed(files.collect::<Option<_>>()?)
            }
            5 => {
                let code = from.octet()?;
                Self::Refused(Refusal::ALL.into_iter().find(|why| why.code() == code)?)
            }
            _ => return None,
        };
        from.is_done().then_some(answer)
    }
}
