use std::collections::BTreeMap;

use crate::batch::CardOrder;
use crate::data::{IssuerData, PhotoFile};
use crate::layout::ddf1::{ef05, ef06, ef07, ef08};
use crate::layout::{File, FileName, Profile, df01, df02};
use crate::value::BadText;

/// Everything that is written on a new card, in the bytes that are written.
#[derive(Clone, PartialEq, Eq)]
pub struct CardContents {
    profile: Profile,
    files: BTreeMap<FileName, (&'static File, Filling)>,
}

/// What is written into one file.
#[derive(Clone, PartialEq, Eq)]
pub enum Filling {
    /// Records by number, tag and length included.
    Records(BTreeMap<u8, Vec<u8>>),
    /// The start of a transparent file.
    Bytes(Vec<u8>),
}

/// Files of the other directories that a new card can have something in.
static OTHERS: [&File; 6] = [
    &df01::ef05::FILE,
    &df01::ef06::FILE,
    &df01::ef07::FILE,
    &df01::ef08::FILE,
    &df02::ef05::FILE,
    &df02::ef06::FILE,
];

impl CardContents {
    /// What is to be on the card of `order`.
    ///
    /// # Errors
    /// [`BadText`] when the issuer's name does not fit the card.
    pub fn new(issuer: &IssuerData, order: &CardOrder) -> Result<Self, BadText> {
        let profile = order.profile;
        let mut contents = Self { profile, files: BTreeMap::new() };
        contents.put_records(&ef05::FILE, issuer.encode()?);
        contents.put_records(&ef06::FILE, order.holder.encode());
        contents.put_records(&ef08::FILE, order.contact.encode());
        if let Some(photo) = order.photo.as_ref().filter(|_| ef07::FILE.exists(profile)) {
            let file = PhotoFile::encode(Some(photo));
            let used = file[..photo.jpeg().len() + 2].to_vec();
            contents.files.insert(ef07::FILE.name, (&ef07::FILE, Filling::Bytes(used)));
        }
        for file in OTHERS {
            let records = order.records(file);
            contents.put_records(file, records);
        }
        Ok(contents)
    }

    /// Keeps the records of elements that the card has.
    fn put_records(&mut self, file: &'static File, records: Vec<Vec<u8>>) {
        let profile = self.profile;
        let elements = file.elements().iter().zip(records);
        let kept = elements
            .filter(|(element, _)| profile == Profile::Full || !element.full_only)
            .map(|(element, record)| (element.record(), record));
        self.files.insert(file.name, (file, Filling::Records(kept.collect())));
    }

    /// What the card has room for.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The files that are written, in the order of the card.
    pub fn files(&self) -> impl Iterator<Item = (&'static File, &Filling)> {
        self.files.values().map(|(file, filling)| (*file, filling))
    }

    /// What is written into a file.
    pub fn file(&self, name: FileName) -> Option<&Filling> {
        self.files.get(&name).map(|(_, filling)| filling)
    }
}

/// Personal data: prints nothing of itself.
impl std::fmt::Debug for CardContents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CardContents({} files)", self.files.len())
    }
}
