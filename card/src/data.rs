//! What the files say, typed in both directions.
//!
//! - [`read`] and [`write()`] are the one codec: the [`Value`] of an [`Element`] and its bytes.
//! - [`Contents`] is what a file says, or one record of a file of like records, by item.
//! - [`IssuerData`], [`HolderData`], [`ContactData`] and [`Photo`] are the files of DDF1 with a type
//!   for each element, read strictly: they say who somebody is.

mod amount;
mod contact;
mod contents;
mod field;
mod holder;
mod issuer;
mod photo;

pub use amount::Amount;
pub use contact::ContactData;
pub use contents::{CannotSet, Contents};
pub use field::{CannotHold, Code, Value, read, write};
pub use holder::HolderData;
pub use issuer::{CardClass, IssuerCertificate, IssuerCode, IssuerData, SecurityCode, Version};
pub use photo::{Photo, PhotoFile};

use std::str::FromStr;

use time::Date;
use zeroize::Zeroizing;

use crate::command::CardError;
use crate::layout::{Element, File, FileName};
use crate::tlv::{self, BadRecord};
use crate::value::BadValue;

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
    /// The card has no such record, though the table does.
    #[error("the card has no such record")]
    Missing,
    /// The card did not give the record.
    #[error("the card did not give the record: {0}")]
    Withheld(CardError),
}

/// Where records come from: a card, or a whole file in memory.
pub(crate) trait Records {
    /// Why a record did not come.
    type Error: From<MalformedRecord>;

    /// The bytes of one record, tag and length included.
    fn record(&mut self, file: &File, element: &Element) -> Result<Vec<u8>, Self::Error>;

    /// Reads one element: fetches the record, checks it, hands the value to `convert`.
    fn element<T>(
        &mut self,
        file: &File,
        element: &Element,
        convert: fn(Value) -> Result<T, BadValue>,
    ) -> Result<T, Self::Error> {
        let bytes = self.record(file, element)?;
        Ok(one(file, element, &bytes, convert)?)
    }
}

/// Reads one record and hands its value to `convert`.
pub(crate) fn one<T>(
    file: &File,
    element: &Element,
    record: &[u8],
    convert: fn(Value) -> Result<T, BadValue>,
) -> Result<T, MalformedRecord> {
    let malformed = |why| MalformedRecord { file: file.name, record: element.record(), why };
    let value = read_record(element, record).map_err(malformed)?;
    convert(value).map_err(|bad| malformed(bad.into()))
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

/// Reads the record that `element` is alone in: its frame, then its value.
///
/// # Errors
/// [`Malformed`] when either is not as the table says.
pub fn read_record(element: &Element, record: &[u8]) -> Result<Value, Malformed> {
    Ok(read(element, tlv::unwrap(element, record)?)?)
}

/// Writes the record that `element` is alone in: tag, length, value.
///
/// # Errors
/// [`CannotHold`] when the element cannot hold the value.
pub fn write_record(element: &Element, value: &Value) -> Result<Vec<u8>, CannotHold> {
    Ok(tlv::wrap(element, &write(element, value)?))
}

/// The record of `element`, of which the caller's types say that it can hold `value`.
fn record(element: &Element, value: Value) -> Vec<u8> {
    write_record(element, &value).expect("a type of its own keeps to the field")
}

impl Value {
    /// A text, from a type that keeps to its field.
    fn of(text: &str) -> Self {
        Self::Text(Zeroizing::new(text.to_owned()))
    }
}

/// A text that must be there.
pub(crate) fn filled(value: Value) -> Result<Zeroizing<String>, BadValue> {
    match value {
        Value::Empty => Err(BadValue::Empty),
        value => Ok(value.to_text()),
    }
}

/// A text that must be there and has a form of its own.
pub(crate) fn number<T: FromStr>(value: Value) -> Result<T, BadValue> {
    filled(value)?.parse().map_err(|_| BadValue::Number)
}

/// A date that must be there.
pub(crate) fn date(value: Value) -> Result<Date, BadValue> {
    match value {
        Value::Date(date) => Ok(date),
        _ => Err(BadValue::Empty),
    }
}

/// A code of a type of its own; `None` when the field is not filled.
fn coded<T>(value: Value, from_code: fn(u8) -> Option<T>) -> Result<Option<T>, BadValue> {
    match value {
        Value::Code(code) => {
            let known = code.number().and_then(from_code);
            known.map(Some).ok_or(BadValue::UnknownCode)
        }
        _ => Ok(None),
    }
}

/// The code of `element` that is this number, or nothing.
fn code(element: &Element, number: Option<u8>) -> Value {
    match number {
        None => Value::Empty,
        Some(number) => {
            Value::parse(element, &number.to_string()).expect("codes of the table fit its field")
        }
    }
}

#[cfg(test)]
mod tests;
