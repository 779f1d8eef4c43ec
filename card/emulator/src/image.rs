//! A card as a text file: what it says, in readable form, and its keys in hex.
//!
//! An image holds keys and personal data. It is for test cards, and is written readable by its
//! owner alone.

mod text;

use std::collections::BTreeMap;

use ::card::data::{ContactData, HolderData, IssuerData, Photo};
use ::card::layout::FileName;
use ::card::value::BadText;
use ::card::{CardFactor, CardKey};
use zeroize::Zeroizing;

/// Everything that makes one card.
pub struct Image {
    /// The historical bytes of its answer to reset.
    pub factor: CardFactor,
    /// How it hands over answers.
    pub answers: Answers,
    /// Its keys, diversified, version 1 of each.
    pub keys: BTreeMap<CardKey, Zeroizing<[u8; 16]>>,
    /// DDF1/EF05.
    pub issuer: IssuerData,
    /// DDF1/EF06.
    pub holder: HolderData,
    /// DDF1/EF07.
    pub photo: Option<Photo>,
    /// DDF1/EF08.
    pub contact: ContactData,
    /// Records replaced by other bytes, tag and length included, so that a card can be wrong in any
    /// way; record 0 is the whole of a file without records.
    pub overrides: BTreeMap<(FileName, u8), Vec<u8>>,
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
    /// An override of a record that no card has.
    #[error("the card image overrides record {record} of {file}, which does not exist")]
    NoSuchRecord {
        /// The file.
        file: FileName,
        /// The record.
        record: u8,
    },
    /// The issuer's name does not fit.
    #[error("the issuer's name does not fit the card")]
    IssuerName(#[from] BadText),
}

impl Image {
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
}

#[cfg(test)]
mod tests;
