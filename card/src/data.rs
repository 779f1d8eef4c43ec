//! What the files of DDF1 say, typed in both directions.

mod contact;
mod holder;
mod issuer;
mod photo;

use time::Date;

pub use contact::ContactData;
pub use holder::HolderData;
pub use issuer::{CardClass, IssuerCertificate, IssuerCode, IssuerData, SecurityCode, Version};
pub(crate) use issuer::{card_number, chip_serial, city, issuer_name};
pub use photo::{Photo, PhotoFile};

use crate::layout::{Element, File, FileName};
use crate::tlv::{self, BadRecord};
use crate::value::{self, BadValue};

/// A record that cannot be read as what it should be. Its contents are not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {record} of {file}")]
pub struct MalformedRecord {
    /// The file.
    pub file: FileName,
    /// The record, from 1; 0 for a file without records.
    pub record: u8,
    /// What is wrong with it.
    #[source]
    pub why: Malformed,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The record's frame.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// The value in it.
    #[error(transparent)]
    Value(#[from] BadValue),
}

/// Where records come from: a card, or a whole file in memory.
pub(crate) trait Records {
    /// Why a record did not come.
    type Error: From<MalformedRecord>;

    /// The bytes of one record, tag and length included.
    fn record(&mut self, file: &File, element: &Element) -> Result<Vec<u8>, Self::Error>;

    /// Reads one element: fetches the record, checks its frame, hands the value to `read`.
    fn element<T>(
        &mut self,
        file: &File,
        element: &Element,
        read: fn(&[u8]) -> Result<T, BadValue>,
    ) -> Result<T, Self::Error> {
        let bytes = self.record(file, element)?;
        Ok(one(file, element, &bytes, read)?)
    }
}

/// Reads one record: checks its frame, then its value.
pub(crate) fn one<T>(
    file: &File,
    element: &Element,
    record: &[u8],
    read: fn(&[u8]) -> Result<T, BadValue>,
) -> Result<T, MalformedRecord> {
    let malformed = |why| MalformedRecord { file: file.name, record: element.record(), why };
    let value = tlv::unwrap(element, record).map_err(|bad| malformed(bad.into()))?;
    read(value).map_err(|bad| malformed(bad.into()))
}

/// A file in memory: its records in order.
impl Records for &[Vec<u8>] {
    type Error = MalformedRecord;

    fn record(&mut self, file: &File, element: &Element) -> Result<Vec<u8>, MalformedRecord> {
        self.get(usize::from(element.record()) - 1).cloned().ok_or(MalformedRecord {
            file: file.name,
            record: element.record(),
            why: BadRecord::Truncated(0).into(),
        })
    }
}

/// A text field that must be filled and is a number of its own form.
fn number<T: std::str::FromStr>(field: &[u8]) -> Result<T, BadValue> {
    let text = value::read_text(field)?.ok_or(BadValue::Empty)?;
    text.parse().map_err(|_| BadValue::Number)
}

/// A date that must be there.
pub(crate) fn date(field: &[u8]) -> Result<Date, BadValue> {
    value::read_date(field)?.ok_or(BadValue::Empty)
}

/// The record of `element` holding bytes, filled with `00`.
fn text_record(element: &Element, bytes: &[u8]) -> Vec<u8> {
    let mut field = bytes.to_vec();
    field.resize(usize::from(element.length), 0);
    tlv::wrap(element, &field)
}

#[cfg(test)]
mod tests;
