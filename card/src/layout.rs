//! The facts of the card's files, in one table: one line a file, one line a data element.
//!
//! A correction of the standard is a correction of one line here. The table has all 384 items of
//! the interface specification (health-card.md, 2.4 to 2.7), in the order of the card: [`ddf1`],
//! [`df01`], [`df02`], [`df03`].

pub mod ddf1;
pub mod df01;
pub mod df02;
pub mod df03;
mod name;

pub use name::{Directory, FileName, NoSuchFile};

use crate::codes::CodeTable;
use crate::key::CardKey;

/// Master file (主文件).
pub const MASTER_FILE: u16 = 0x3F00;

/// Which files a card has (卡容量).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// 32K: everything.
    #[default]
    Full,
    /// 16K: fewer records of visits, and no element that is marked as `full_only`.
    Reduced,
}

impl Profile {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Full, Self::Reduced];

    /// How people say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "32K",
            Self::Reduced => "16K",
        }
    }

    /// The profile of this name, capitals or not.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }
}

/// Who may do something with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone (自由读).
    Free,
    /// Who proved knowledge of this key.
    Key(CardKey),
    /// Nobody, once the card is issued (禁止改写).
    Never,
}

/// How a file is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Records of variable length (变长记录), each one element with its tag and length.
    Variable(&'static [Element]),
    /// Records of one fixed length (定长记录), without tags.
    Fixed {
        /// How many.
        records: u8,
        /// How many a 16K card has.
        reduced_records: u8,
        /// What each of them holds.
        elements: &'static [Element],
    },
    /// A ring of records of one fixed length (循环), without tags; record 1 is the newest.
    Cyclic {
        /// How many the ring holds.
        records: u8,
        /// What each of them holds.
        elements: &'static [Element],
    },
    /// A run of bytes (透明).
    Transparent {
        /// How many.
        size: u16,
        /// What they hold, in order; empty for the photo, which is one picture.
        sections: &'static [Section],
    },
}

/// A part of a transparent file that may be there several times, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// How often it is there.
    pub count: u8,
    /// Bytes from one repetition to the next.
    pub stride: u16,
    /// The elements of the first repetition, with their offsets in the file.
    pub elements: &'static [Element],
}

/// An elementary file (基本文件).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its name: directory and identifier.
    pub name: FileName,
    /// Chinese title.
    pub zh: &'static str,
    /// English title.
    pub en: &'static str,
    /// How it is built.
    pub structure: Structure,
    /// Who may read it.
    pub read: Access,
    /// Who may change it after issuing; in an index: who may set a record valid.
    pub update: Access,
    /// Who may set a record of an index invalid; [`Access::Never`] elsewhere.
    pub erase: Access,
    /// What becomes of it on a 16K card.
    pub reduced: Reduced,
}

/// A file on a 16K card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduced {
    /// As on a 32K card, less the elements that only those have.
    Kept,
    /// The same, but it can be changed with this key.
    Updatable(CardKey),
    /// Not there.
    Absent,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `an`, `ans`: characters, Chinese in two bytes, filled with `00`.
    Text,
    /// `cn`: digits, two to a byte, filled with nibbles `F`.
    Digits,
    /// `cn`: an amount or a measured value; a nibble `A` is the decimal point.
    Amount,
    /// `cn` 4: YYYYMMDD.
    Date,
    /// `cn` 7: YYYYMMDDhhmmss.
    DateTime,
    /// `b` 1: `01` true, `00` false.
    Flag,
    /// `b`: bytes as they are; of a single byte that has a code table, the code.
    Bytes,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A record of its own.
    Record {
        /// Number of the record in its file, from 1.
        number: u8,
        /// Tag before the value.
        tag: u8,
    },
    /// This many bytes into the record or the transparent file.
    Offset(u16),
}

/// A data element (数据元).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Where it stands.
    pub place: Place,
    /// Item number used by the ministry's interfaces, 1 to 384.
    pub item: u16,
    /// Chinese name.
    pub zh: &'static str,
    /// English name.
    pub en: &'static str,
    /// How the value is written.
    pub kind: Kind,
    /// Length of the value in bytes; also the length written in a record.
    pub length: u16,
    /// The table its codes are from.
    pub codes: Option<&'static CodeTable>,
    /// Whether only 32K cards have it.
    pub full_only: bool,
}

impl Element {
    /// The record it is alone in, from 1; 0 when it shares its record or file with others.
    pub const fn record(&self) -> u8 {
        match self.place {
            Place::Record { number, .. } => number,
            Place::Offset(_) => 0,
        }
    }

    /// The tag before the value; 0 where there is none.
    pub const fn tag(&self) -> u8 {
        match self.place {
            Place::Record { tag, .. } => tag,
            Place::Offset(_) => 0,
        }
    }

    /// Where the value starts in its record or transparent file, tag and length left out.
    pub const fn offset(&self) -> u16 {
        match self.place {
            Place::Record { .. } => 0,
            Place::Offset(offset) => offset,
        }
    }

    /// Size of the whole record: tag, length, value. This is also the Le it is read with.
    pub const fn record_size(&self) -> u16 {
        self.length + 2
    }

    /// The same element in repetition `times` (from 0) of its section.
    const fn repeated(self, section: &Section, times: u8) -> Self {
        let times = times as u16;
        Self {
            place: Place::Offset(self.offset() + times * section.stride),
            item: self.item + times * section.elements.len() as u16,
            ..self
        }
    }

    const fn coded(self, codes: &'static CodeTable) -> Self {
        Self { codes: Some(codes), ..self }
    }

    const fn full_only(self) -> Self {
        Self { full_only: true, ..self }
    }
}

/// An element that is the whole of a record.
const fn record(
    (number, tag, item): (u8, u8, u16),
    zh: &'static str,
    en: &'static str,
    kind: Kind,
    length: u16,
) -> Element {
    let place = Place::Record { number, tag };
    Element { place, item, zh, en, kind, length, codes: None, full_only: false }
}

/// An element at an offset.
const fn at(
    (offset, item): (u16, u16),
    zh: &'static str,
    en: &'static str,
    kind: Kind,
    length: u16,
) -> Element {
    let place = Place::Offset(offset);
    Element { place, item, zh, en, kind, length, codes: None, full_only: false }
}

/// A section that is there once.
const fn once(elements: &'static [Element]) -> Section {
    Section { count: 1, stride: 0, elements }
}

/// Elements that are there `count` times, every `stride` bytes.
const fn times(count: u8, stride: u16, elements: &'static [Element]) -> Section {
    Section { count, stride, elements }
}

/// An item of a file, with the repetition it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The element, with its own item number and offset.
    pub element: Element,
    /// Which repetition, from 1, where the table has several; else `None`.
    pub repetition: Option<u8>,
}

impl File {
    /// The elements that are records of their own, in record order; none in other files.
    pub const fn elements(&self) -> &'static [Element] {
        match self.structure {
            Structure::Variable(elements) => elements,
            _ => &[],
        }
    }

    /// Every item of the file on a card of `profile`, in the order of the card. Of files made of
    /// like records, the items of one record.
    pub fn items(&self, profile: Profile) -> Vec<Item> {
        let alone = |elements: &'static [Element]| {
            elements.iter().map(|element| Item { element: *element, repetition: None }).collect()
        };
        let mut items: Vec<Item> = match self.structure {
            Structure::Variable(elements)
            | Structure::Fixed { elements, .. }
            | Structure::Cyclic { elements, .. } => alone(elements),
            Structure::Transparent { sections, .. } => {
                let repeated = sections.iter().flat_map(|section| {
                    (0..section.count).flat_map(move |times| {
                        section.elements.iter().map(move |element| Item {
                            element: element.repeated(section, times),
                            repetition: (section.count > 1).then_some(times + 1),
                        })
                    })
                });
                repeated.collect()
            }
        };
        items.retain(|item| profile == Profile::Full || !item.element.full_only);
        items
    }

    /// Whether a card of `profile` has the file.
    pub const fn exists(&self, profile: Profile) -> bool {
        !matches!((profile, self.reduced), (Profile::Reduced, Reduced::Absent))
    }

    /// Who may change it on an issued card of `profile`.
    pub const fn update_on(&self, profile: Profile) -> Access {
        match (profile, self.reduced) {
            (Profile::Reduced, Reduced::Updatable(key)) => Access::Key(key),
            _ => self.update,
        }
    }

    /// The key it is written with while the card is personalised. Files that nobody may change
    /// later are written with UK1_DDF1 until then.
    pub const fn personalised_with(&self) -> CardKey {
        match self.update {
            Access::Key(key) => key,
            Access::Free | Access::Never => CardKey::Uk1Ddf1,
        }
    }

    /// How many records a card of `profile` has in it; 0 for a transparent file.
    pub fn records(&self, profile: Profile) -> u8 {
        match self.structure {
            Structure::Variable(_) => self.items(profile).len() as u8,
            Structure::Fixed { reduced_records, .. } if profile == Profile::Reduced => {
                reduced_records
            }
            Structure::Fixed { records, .. } | Structure::Cyclic { records, .. } => records,
            Structure::Transparent { .. } => 0,
        }
    }

    /// Bytes of one record of a file of like records, or of the whole transparent file, on a card of
    /// `profile`; 0 where each record has a size of its own.
    pub fn size(&self, profile: Profile) -> u16 {
        let end = |items: Vec<Item>| {
            items.iter().map(|item| item.element.offset() + item.element.length).max()
        };
        match self.structure {
            Structure::Variable(_) => 0,
            Structure::Transparent { size, .. } if profile == Profile::Full => size,
            Structure::Transparent { size, .. } => end(self.items(profile)).unwrap_or(size),
            Structure::Fixed { .. } | Structure::Cyclic { .. } => {
                end(self.items(profile)).unwrap_or(0)
            }
        }
    }
}

/// Every file of the table, in the order of the card.
pub static FILES: [&File; 22] = [
    &ddf1::ef05::FILE,
    &ddf1::ef06::FILE,
    &ddf1::ef07::FILE,
    &ddf1::ef08::FILE,
    &df01::ef05::FILE,
    &df01::ef06::FILE,
    &df01::ef07::FILE,
    &df01::ef08::FILE,
    &df02::ef05::FILE,
    &df02::ef06::FILE,
    &df02::ef07::FILE,
    &df02::ef08::FILE,
    &df03::ef05::FILE,
    &df03::ef06::FILE,
    &df03::inpatient::FILES[0],
    &df03::inpatient::FILES[1],
    &df03::inpatient::FILES[2],
    &df03::outpatient::FILES[0],
    &df03::outpatient::FILES[1],
    &df03::outpatient::FILES[2],
    &df03::outpatient::FILES[3],
    &df03::outpatient::FILES[4],
];

/// The file of that name.
pub fn file(name: FileName) -> Option<&'static File> {
    FILES.into_iter().find(|file| file.name == name)
}

#[cfg(test)]
mod tests;
