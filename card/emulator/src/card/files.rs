//! The files of DDF1 and their bytes.

use std::collections::BTreeMap;

use ::card::data::PhotoFile;
use ::card::layout::ddf1::{ef05, ef06, ef07, ef08};
use ::card::layout::{File, FileName};

use crate::image::{Image, ImageError};

/// Contents of one file.
pub(super) enum Content {
    /// Records in order, each with tag and length.
    Records(Vec<Vec<u8>>),
    /// A run of bytes.
    Transparent(Vec<u8>),
}

/// Every file with its facts.
pub(super) struct Files(BTreeMap<FileName, (&'static File, Content)>);

impl Files {
    pub(super) fn new(image: &Image) -> Result<Self, ImageError> {
        let mut files = BTreeMap::new();
        let contents = [
            (&ef05::FILE, Content::Records(image.issuer.encode()?)),
            (&ef06::FILE, Content::Records(image.holder.encode())),
            (&ef07::FILE, Content::Transparent(PhotoFile::encode(image.photo.as_ref()))),
            (&ef08::FILE, Content::Records(image.contact.encode())),
        ];
        for (file, content) in contents {
            files.insert(file.name, (file, content));
        }
        for ((name, record), bytes) in &image.overrides {
            let place = match files.get_mut(name) {
                Some((_, Content::Records(records))) => {
                    usize::from(*record).checked_sub(1).and_then(|at| records.get_mut(at))
                }
                Some((_, Content::Transparent(content))) if *record == 0 => Some(content),
                _ => None,
            };
            let no_such = ImageError::NoSuchRecord { file: *name, record: *record };
            *place.ok_or(no_such)? = bytes.clone();
        }
        Ok(Self(files))
    }

    /// The file with identifier `id`.
    pub(super) fn named(&self, id: u16) -> Option<FileName> {
        self.0.values().find(|(file, _)| file.name.id == id).map(|(file, _)| file.name)
    }

    pub(super) fn file(&mut self, name: FileName) -> (&'static File, &mut Content) {
        let (file, content) = self.0.get_mut(&name).expect("every file of the table is here");
        (file, content)
    }
}
