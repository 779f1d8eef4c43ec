//! What is to be changed on an issued card, checked before any card is touched.
//!
//! Three kinds of change exist: items of files with one record an item, new records of rings, and
//! records of visits. [`Session::write`](crate::Session::write) carries them out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::data::{CannotSet, Contents, Value};
use crate::layout::{Access, Element, FILES, File, FileName, Item, Profile, Structure, df03};
use crate::record_signature::SignError;
use crate::sam::SamError;
use crate::session::ReadError;

/// Changes of one card, in the order of the card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Values of items, by file and record.
    pub(crate) items: BTreeMap<(FileName, u8), (Item, Value)>,
    /// New records of rings.
    pub(crate) appended: Vec<Contents>,
    /// Records of visits, with the number of bytes and their kind.
    pub(crate) visits: Vec<(VisitKind, Contents)>,
}

/// Most new records and visits in one set of changes; a card holds ten of a kind at most.
pub const MOST_RECORDS: usize = 10;

/// Which kind of visit a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum VisitKind {
    /// A stay (住院).
    Inpatient,
    /// A visit of a day (门诊).
    Outpatient,
}

/// Why a change was not accepted. What was to be written is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadChange {
    /// No file of an issued card can be given this item by itself.
    #[error("item {0} cannot be changed by itself")]
    NotChangeable(u16),
    /// The item cannot hold the value, or the record has no such item.
    #[error(transparent)]
    CannotSet(#[from] CannotSet),
    /// A code that its table does not know.
    #[error("item {0}: the code is not in its table")]
    UnknownCode(u16),
    /// The item is given twice.
    #[error("item {0} is given twice")]
    Twice(u16),
    /// The file is not one that records are added to.
    #[error("records are not added to {0}")]
    NotARing(FileName),
    /// A record that says nothing.
    #[error("a record of {0} says nothing")]
    EmptyRecord(FileName),
    /// A visit without its date, by which records are ordered.
    #[error("a visit needs its date, item {0}")]
    NoDate(u16),
    /// Signature and certificate are made when a record is written.
    #[error("item {0} is made when the record is signed")]
    MadeBySigning(u16),
    /// More records than any card holds.
    #[error("more than {MOST_RECORDS} new records")]
    TooMany,
    /// Nothing to do.
    #[error("no changes")]
    Nothing,
}

/// What an index says of a record (记录标识).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It may be read (有效).
    Valid,
    /// It is torn, or not there (无效).
    Invalid,
}

impl VisitKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Inpatient, Self::Outpatient];

    /// The index of its records.
    pub fn index(self) -> &'static File {
        match self {
            Self::Inpatient => &df03::ef05::FILE,
            Self::Outpatient => &df03::ef06::FILE,
        }
    }

    /// The bodies of its records, in the order of the index.
    pub fn files(self) -> &'static [File] {
        match self {
            Self::Inpatient => &df03::inpatient::FILES,
            Self::Outpatient => &df03::outpatient::FILES,
        }
    }

    /// Where the signature stands; the bytes before it are what is signed.
    pub fn signature(self) -> &'static Element {
        match self {
            Self::Inpatient => &df03::inpatient::SIGNATURE,
            Self::Outpatient => &df03::outpatient::SIGNATURE,
        }
    }

    /// Where the certificate of the signer stands.
    pub fn certificate(self) -> &'static Element {
        match self {
            Self::Inpatient => &df03::inpatient::CERTIFICATE,
            Self::Outpatient => &df03::outpatient::CERTIFICATE,
        }
    }

    /// The item by whose value records are ordered in time: admission, visit.
    pub const fn date(self) -> u16 {
        match self {
            Self::Inpatient => 66,
            Self::Outpatient => 215,
        }
    }

    /// The items of one record.
    pub(crate) fn items(self, profile: Profile) -> Vec<Item> {
        self.files()[0].items(profile)
    }
}

impl Changes {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives an item of a file with one record an item the value that `text` spells; empty text
    /// clears it.
    ///
    /// # Errors
    /// [`BadChange`].
    pub fn set(&mut self, item: u16, text: &str) -> Result<(), BadChange> {
        let changeable = |file: &&&File| {
            matches!((file.structure, file.update), (Structure::Variable(_), Access::Key(_)))
        };
        let found = FILES.iter().filter(changeable).find_map(|file| {
            let items = file.items(Profile::Full).into_iter();
            items.map(|found| (file.name, found)).find(|(_, found)| found.element.item == item)
        });
        let (file, found) = found.ok_or(BadChange::NotChangeable(item))?;
        let value = known(&found.element, text)?;
        match self.items.entry((file, found.element.record())) {
            Entry::Vacant(place) => place.insert((found, value)),
            Entry::Occupied(_) => return Err(BadChange::Twice(item)),
        };
        Ok(())
    }

    /// Adds a record to a ring: an allergy, an immunisation.
    ///
    /// # Errors
    /// [`BadChange`].
    pub fn append<'t>(
        &mut self,
        file: FileName,
        items: impl IntoIterator<Item = (u16, &'t str)>,
    ) -> Result<(), BadChange> {
        let ring = crate::layout::file(file).filter(|file| {
            matches!((file.structure, file.update), (Structure::Cyclic { .. }, Access::Key(_)))
        });
        let record = contents(ring.ok_or(BadChange::NotARing(file))?, 1, items)?;
        self.has_room()?;
        self.appended.push(record);
        Ok(())
    }

    /// Adds the record of a visit.
    ///
    /// # Errors
    /// [`BadChange`].
    pub fn visit<'t>(
        &mut self,
        kind: VisitKind,
        items: impl IntoIterator<Item = (u16, &'t str)>,
    ) -> Result<(), BadChange> {
        let record = contents(&kind.files()[0], 0, items)?;
        for element in [kind.signature(), kind.certificate()] {
            if record.get(element.item).is_some_and(|value| *value != Value::Empty) {
                return Err(BadChange::MadeBySigning(element.item));
            }
        }
        if matches!(record.get(kind.date()), None | Some(Value::Empty)) {
            return Err(BadChange::NoDate(kind.date()));
        }
        self.has_room()?;
        self.visits.push((kind, record));
        Ok(())
    }

    /// The changes, when there are any.
    ///
    /// # Errors
    /// [`BadChange::Nothing`].
    pub fn some(self) -> Result<Self, BadChange> {
        match self.items.is_empty() && self.appended.is_empty() && self.visits.is_empty() {
            true => Err(BadChange::Nothing),
            false => Ok(self),
        }
    }

    /// Every file that is changed, in the order of the card; of visits, the index.
    pub fn files(&self) -> Vec<FileName> {
        let mut files: Vec<FileName> = self.items.keys().map(|(file, _)| *file).collect();
        files.extend(self.appended.iter().map(|record| record.file.name));
        files.extend(self.visits.iter().map(|(kind, _)| kind.index().name));
        files.sort_unstable();
        files.dedup();
        files
    }

    /// The value that an item of a file with one record an item is to get.
    pub fn value(&self, item: u16) -> Option<&Value> {
        self.items.values().find(|(known, _)| known.element.item == item).map(|(_, value)| value)
    }

    /// Whether a record of a visit is to be written, which is signed.
    pub fn need_signature(&self) -> bool {
        !self.visits.is_empty()
    }

    /// Whether one more record can be taken.
    fn has_room(&self) -> Result<(), BadChange> {
        match self.appended.len() + self.visits.len() < MOST_RECORDS {
            true => Ok(()),
            false => Err(BadChange::TooMany),
        }
    }
}

/// The value that `text` spells, a code only when its table has it.
fn known(element: &Element, text: &str) -> Result<Value, BadChange> {
    let value = Value::parse(element, text)
        .map_err(|why| CannotSet { item: element.item, why: Some(why) })?;
    match value.is_unknown_code() {
        true => Err(BadChange::UnknownCode(element.item)),
        false => Ok(value),
    }
}

/// One record with these items, of a 32K card.
fn contents<'t>(
    file: &'static File,
    number: u8,
    items: impl IntoIterator<Item = (u16, &'t str)>,
) -> Result<Contents, BadChange> {
    let mut record = Contents::empty(file, number, Profile::Full);
    let mut given = Vec::new();
    for (item, text) in items {
        if given.contains(&item) {
            return Err(BadChange::Twice(item));
        }
        given.push(item);
        record.set_text(item, text)?;
        if record.get(item).is_some_and(Value::is_unknown_code) {
            return Err(BadChange::UnknownCode(item));
        }
    }
    let says_something = record.values().any(|(_, value)| *value != Value::Empty);
    if says_something { Ok(record) } else { Err(BadChange::EmptyRecord(file.name)) }
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub file: FileName,
    /// The record, from 1; 0 for the body of a visit.
    pub record: u8,
    /// What was done to it.
    pub effect: Effect,
}

/// What was done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was written, and read back as written.
    Changed,
    /// It said so already.
    Unchanged,
}

/// Why changes were not written, or not all of them. What was written before is in the list handed
/// in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The card, the reader or the security module failed at a step.
    #[error(transparent)]
    Card(#[from] ReadError),
    /// The card does not accept our update key.
    #[error("the card does not accept {key} for {file}")]
    UpdateRefused {
        /// The key.
        key: crate::key::CardKey,
        /// The file.
        file: FileName,
        /// Tries that are left, when the card tells.
        tries_left: Option<u8>,
    },
    /// Cards of this kind have no such item or file. Nothing was written.
    #[error("a card of this kind has no place for item {item} in {file}")]
    NotOnThisCard {
        /// The file.
        file: FileName,
        /// The item.
        item: u16,
    },
    /// What was read back is not what was written.
    #[error("record {record} of {file} does not read as it was written")]
    Differs {
        /// The file.
        file: FileName,
        /// The record; 0 for a body.
        record: u8,
    },
    /// The record was not signed. It is marked invalid on the card.
    #[error("signing the record of a visit")]
    Sign(#[from] SignError),
    /// Changes with a visit were handed in without a signer. Nothing was written.
    #[error("the record of a visit needs a signer")]
    NoSigner,
}

impl WriteError {
    /// Whether a SAM waits for its PIN.
    pub fn needs_pin(&self) -> bool {
        matches!(self, Self::Sign(SignError::Sam(SamError::PinNeeded)))
    }
}

#[cfg(test)]
mod tests;
