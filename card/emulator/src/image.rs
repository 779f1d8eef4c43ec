//! A card as a text file: what it says, in readable form, and its keys in hex.
//!
//! An image holds keys and personal data. It is for test cards, and is written readable by its
//! owner alone. A card keeps its memory in this form, so that a card that was changed can be
//! written back.

mod field;
mod files;

mod keys;
mod text;

use std::collections::BTreeSet;

use ::card::data::{Photo, PhotoFile};
use ::card::layout::ddf1::ef07;
use ::card::layout::{Directory, File, FileName, Profile};
use ::card::{CardFactor, CardKey, KeyVersion};
use zeroize::Zeroizing;

pub use files::{Content, Files};
pub(crate) use keys::Name;
pub use keys::{Keys, TRIES};
pub use text::{FileText, fill};

/// Everything that makes one card.
pub struct Image {
    /// The historical bytes of its answer to reset.
    pub factor: CardFactor,
    /// How it hands over answers.
    pub answers: Answers,
    /// What it has room for.
    pub profile: Profile,
    /// Its keys, diversified.
    pub keys: Keys,
    /// Its files.
    pub files: Files,
    /// What of it is blocked.
    pub blocked: Blocked,
}

/// How a card hands over the data of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answers {
    /// With the answer, as contactless cards do.
    #[default]
    Direct,
    /// It says `61xx` and waits for GET RESPONSE, as cards with contacts do.
    InParts,
}

/// What of a card is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blocked {
    /// All of it, for good.
    pub card: bool,
    /// These directories, until they are unblocked.
    pub directories: BTreeSet<Directory>,
}

/// Why a text is no image, or an image no card. Values are never told: they are keys and names.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Not TOML, or a table or key that does not belong there.
    #[error("line {line} of the card image is not what belongs there")]
    Syntax {
        /// The line, from 1.
        line: usize,
    },
    /// A field with a value it cannot have.
    #[error("the card image has a wrong value for {field}")]
    Field {
        /// The field.
        field: String,
    },
    /// A record that no card has, or that this one has no file for.
    #[error("the card image names record {record} of {file}, which does not exist")]
    NoSuchRecord {
        /// The file.
        file: FileName,
        /// The record.
        record: u8,
    },
}

impl Image {
    /// A card as its maker delivers it: an answer to reset and a transport key, no files.
    pub fn blank(factor: CardFactor, profile: Profile, transport: Zeroizing<[u8; 16]>) -> Self {
        let mut keys = Keys::default();
        keys.insert(Name::Transport, transport);
        Self {
            factor,
            answers: Answers::Direct,
            profile,
            keys,
            files: Files::default(),
            blocked: Blocked::default(),
        }
    }

    /// Reads an image.
    ///
    /// # Errors
    /// [`ImageError`] naming the line or the field.
    pub fn from_toml(text: &str) -> Result<Self, ImageError> {
        text::read(text)
    }

    /// Writes the image as [`from_toml`](Self::from_toml) reads it.
    pub fn to_toml(&self) -> Zeroizing<String> {
        text::write(self)
    }

    /// Whether it is still being personalised: the transport key is there.
    pub fn is_open(&self) -> bool {
        self.keys.has(Name::Transport)
    }

    /// A key, by name and version.
    pub fn key(&self, key: CardKey, version: KeyVersion) -> Option<&[u8; 16]> {
        self.keys.bytes(Name::Card(key, version))
    }

    /// Whether every file and key is there that an issued card of its profile has.
    pub fn is_complete(&self) -> bool {
        let files = ::card::layout::FILES.into_iter().filter(|file| file.exists(self.profile));
        let has = |file: &File| self.files.content(file.name).is_some();
        files.into_iter().all(has)
            && CardKey::all_versions().all(|(key, version)| self.key(key, version).is_some())
    }

    /// Replaces a record by other bytes, tag and length included, so that a card can be wrong in
    /// any way; record 0 is the whole of a file without records.
    ///
    /// # Errors
    /// [`ImageError::NoSuchRecord`].
    pub fn replace(
        &mut self,
        file: FileName,
        record: u8,
        bytes: Vec<u8>,
    ) -> Result<(), ImageError> {
        let place = self.files.record_mut(file, record);
        *place.ok_or(ImageError::NoSuchRecord { file, record })? = bytes;
        Ok(())
    }

    /// Puts a photo on the card.
    ///
    /// # Errors
    /// [`ImageError::NoSuchRecord`] on a card that has no room for one.
    pub fn set_photo(&mut self, photo: Option<&Photo>) -> Result<(), ImageError> {
        self.replace(ef07::FILE.name, 0, PhotoFile::encode(photo))
    }
}

#[cfg(test)]
mod tests;
