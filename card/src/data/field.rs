//! One codec for every element of the table: a [`Value`] from the bytes of a field, and back.

use std::fmt;

use time::{Date, PrimitiveDateTime};
use zeroize::Zeroizing;

use super::Amount;
use crate::codes::CodeTable;
use crate::layout::{Element, Kind};
use crate::value::{self, BadText, BadValue};

/// What a field says. It is personal data: `Debug` tells the kind alone, and the only way to the
/// content is to match on it, or [`Value::to_text`].
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing: only padding.
    Empty,
    /// Characters of GBK.
    Text(Zeroizing<String>),
    /// Decimal digits, zeros before them included.
    Digits(Zeroizing<String>),
    /// A decimal number.
    Amount(Amount),
    /// A day.
    Date(Date),
    /// A moment, by the clock of the place.
    DateTime(PrimitiveDateTime),
    /// True or false.
    Flag(bool),
    /// A code of the element's table, or one that the table does not know.
    Code(Code),
    /// Bytes as they are.
    Bytes(Zeroizing<Vec<u8>>),
}

/// A code with its meaning. A code that its table does not know is kept, and has no labels.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    text: Zeroizing<String>,
    labels: Option<(&'static str, &'static str)>,
}

impl Code {
    /// The code as its table writes it; an unknown number without zeros before it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The code as a number, when it is one.
    pub fn number(&self) -> Option<u8> {
        self.text.parse().ok()
    }

    /// Labels in Chinese and English; `None` when the table does not know the code.
    pub fn labels(&self) -> Option<(&'static str, &'static str)> {
        self.labels
    }
}

/// Why a value cannot be written into a field. The value is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotHold {
    /// Text into a date, and the like.
    #[error("the field holds another kind of value")]
    Kind,
    /// Nothing, into a field that always says something.
    #[error("the field cannot be empty")]
    Empty,
    /// Text that the card cannot hold.
    #[error(transparent)]
    Text(#[from] BadText),
    /// Something else than digits.
    #[error("the field holds digits")]
    NotDigits,
    /// More digits than the field has places for; the decimal point takes a place.
    #[error("{needed} digits do not fit, the field has room for {room}")]
    TooManyDigits {
        /// Digits of the value.
        needed: usize,
        /// Digits the field has room for.
        room: usize,
    },
    /// A code that its field cannot hold.
    #[error("the field cannot hold the code")]
    Code,
    /// Text that spells no such value: a date that does not exist, an amount with two points.
    #[error(transparent)]
    Spelling(#[from] BadValue),
    /// Something else than pairs of hexadecimal digits.
    #[error("the field holds bytes, written in hexadecimal")]
    NotHex,
    /// Another number of bytes than the field has.
    #[error("{found} bytes are not the {expected} of the field")]
    Size {
        /// Bytes of the value.
        found: usize,
        /// Bytes of the field.
        expected: usize,
    },
}

/// How a field is read and written, by its kind and whether it holds a code.
enum Form {
    Text(Option<&'static CodeTable>),
    Digits,
    /// A number of a table in `cn`: zeros before it fill the field. Codes of one digit are `01` on
    /// the cards that were seen; `1F`, which 2.5 would have, is read as the same.
    DigitCode(&'static CodeTable),
    /// A number of a table as one byte.
    ByteCode(&'static CodeTable),
    Amount,
    Date,
    DateTime,
    Flag,
    Bytes,
}

impl Form {
    fn of(element: &Element) -> Self {
        match (element.kind, element.codes) {
            (Kind::Text, codes) => Self::Text(codes),
            (Kind::Digits, None) => Self::Digits,
            (Kind::Digits, Some(codes)) => Self::DigitCode(codes),
            (Kind::Bytes, Some(codes)) if element.length == 1 => Self::ByteCode(codes),
            (Kind::Bytes, _) => Self::Bytes,
            (Kind::Amount, _) => Self::Amount,
            (Kind::Date, _) => Self::Date,
            (Kind::DateTime, _) => Self::DateTime,
            (Kind::Flag, _) => Self::Flag,
        }
    }
}

/// Reads the field of `element`: the value without tag and length. Codes that the table does not
/// know are values too; see [`Value::is_unknown_code`].
///
/// # Errors
/// [`BadValue`] when the bytes are not what the table says: text that is not GBK, digits that are
/// none, a date that does not exist.
pub fn read(element: &Element, field: &[u8]) -> Result<Value, BadValue> {
    if field.len() != usize::from(element.length) {
        return Err(BadValue::Size(field.len()));
    }
    let filled_with = |fill| field.iter().all(|byte| *byte == fill);
    Ok(match Form::of(element) {
        Form::Text(codes) => match (value::read_text(field)?.map(Zeroizing::new), codes) {
            (None, _) => Value::Empty,
            (Some(text), None) => Value::Text(text),
            (Some(text), Some(table)) => Value::of_text_code(table, text),
        },
        Form::Digits => match value::read_digits(field).map(Zeroizing::new)? {
            digits if digits.is_empty() => Value::Empty,
            digits => Value::Digits(digits),
        },
        Form::DigitCode(table) => {
            Value::of_number(table, &Zeroizing::new(value::read_digits(field)?), None)
        }
        Form::ByteCode(table) => Value::of_number(table, &field[0].to_string(), Some("255")),
        Form::Amount => Amount::read(field)?.map_or(Value::Empty, Value::Amount),
        Form::Date => value::read_date(field)?.map_or(Value::Empty, Value::Date),
        Form::DateTime => value::read_date_time(field)?.map_or(Value::Empty, Value::DateTime),
        Form::Flag => match field {
            [0x00] => Value::Flag(false),
            [0x01] => Value::Flag(true),
            [0xFF] => Value::Empty,
            _ => return Err(BadValue::NotFlag),
        },
        Form::Bytes if filled_with(0x00) || filled_with(0xFF) => Value::Empty,
        Form::Bytes => Value::Bytes(Zeroizing::new(field.to_vec())),
    })
}

/// Writes `value` as the field of `element`, filled to its length: `00` after text, nibbles `F`
/// after digits, `00` for bytes that are not there, `FF` for a flag or code that is not. What
/// [`read`] makes of it is `value` again; of text, spaces at its end are padding and do not count.
///
/// # Errors
/// [`CannotHold`] when the field cannot hold it.
pub fn write(element: &Element, value: &Value) -> Result<Vec<u8>, CannotHold> {
    let room = usize::from(element.length);
    let too_many = |needed| CannotHold::TooManyDigits { needed, room: 2 * room };
    match (Form::of(element), value) {
        (Form::ByteCode(table), Value::Empty) if table.find("255").is_some() => {
            Err(CannotHold::Empty)
        }
        (Form::Text(_) | Form::Bytes, Value::Empty) => Ok(vec![0x00; room]),
        (_, Value::Empty) => Ok(vec![0xFF; room]),
        (Form::Text(None), Value::Text(text)) => write_text(text, room),
        (Form::Text(Some(_)), Value::Code(code)) => write_text(&code.text, room),
        (Form::Digits, Value::Digits(digits)) => match value::write_digits(digits, room) {
            Some(field) => Ok(field),
            None if digits.len() > 2 * room => Err(too_many(digits.len())),
            None => Err(CannotHold::NotDigits),
        },
        (Form::DigitCode(_), Value::Code(code)) => {
            let digits = Zeroizing::new(format!("{:0>width$}", *code.text, width = 2 * room));
            value::write_digits(&digits, room).ok_or(CannotHold::Code)
        }
        (Form::ByteCode(_), Value::Code(code)) => {
            code.number().map(|number| vec![number]).ok_or(CannotHold::Code)
        }
        (Form::Amount, Value::Amount(amount)) => {
            amount.write(room).ok_or_else(|| too_many(amount.as_str().len()))
        }
        (Form::Date, Value::Date(date)) => Ok(value::write_date(*date)),
        (Form::DateTime, Value::DateTime(at)) => Ok(value::write_date_time(*at)),
        (Form::Flag, Value::Flag(flag)) => Ok(vec![u8::from(*flag)]),
        (Form::Bytes, Value::Bytes(bytes)) if bytes.len() == room => Ok(bytes.to_vec()),
        (Form::Bytes, Value::Bytes(bytes)) => {
            Err(CannotHold::Size { found: bytes.len(), expected: room })
        }
        _ => Err(CannotHold::Kind),
    }
}

fn write_text(text: &str, room: usize) -> Result<Vec<u8>, CannotHold> {
    let mut field = match text.trim_end_matches(' ') {
        "" => Vec::new(),
        text => value::write_text(text, room)?.0,
    };
    field.resize(room, 0x00);
    Ok(field)
}

impl Value {
    /// The value that `text` spells in the field of `element`; what [`to_text`](Self::to_text)
    /// wrote is read again. Empty text is an empty field. Dates are `2024-12-31` or `20241231`,
    /// moments `2024-12-31T08:30:00`, `20241231T083000` or `20241231083000`, flags `true` and
    /// `false`, bytes hexadecimal. An unknown code is a value, as on a card: who writes for people
    /// asks [`is_unknown_code`](Self::is_unknown_code).
    ///
    /// # Errors
    /// [`CannotHold`] when it spells no such value, or one that does not fit the field.
    pub fn parse(element: &Element, text: &str) -> Result<Self, CannotHold> {
        let text = text.trim_end_matches(' ');
        let number = |table, empty| match text.bytes().all(|c| c.is_ascii_digit()) {
            true => Ok(Self::of_number(table, text, empty)),
            false => Err(CannotHold::NotDigits),
        };
        let value = match Form::of(element) {
            _ if text.is_empty() => Self::Empty,
            Form::Text(None) => Self::Text(Zeroizing::new(text.to_owned())),
            Form::Text(Some(table)) => Self::of_text_code(table, Zeroizing::new(text.to_owned())),
            Form::Digits => Self::Digits(Zeroizing::new(text.to_owned())),
            Form::DigitCode(table) => number(table, None)?,
            Form::ByteCode(table) => number(table, Some("255"))?,
            Form::Amount => Self::Amount(text.parse()?),
            Form::Date => Self::Date(value::date_of(&digits(text, &["0000-00-00"])?)?),
            Form::DateTime => {
                let forms = ["0000-00-00T00:00:00", "00000000T000000"];
                Self::DateTime(value::date_time_of(&digits(text, &forms)?)?)
            }
            Form::Flag => match text {
                "true" | "1" | "01" => Self::Flag(true),
                "false" | "0" | "00" => Self::Flag(false),
                _ => return Err(BadValue::NotFlag.into()),
            },
            Form::Bytes => match bytes(text).ok_or(CannotHold::NotHex)? {
                bytes if bytes.iter().all(|byte| *byte == 0x00) => Self::Empty,
                bytes if bytes.iter().all(|byte| *byte == 0xFF) => Self::Empty,
                bytes => Self::Bytes(bytes),
            },
        };
        write(element, &value).map(|_| value)
    }

    /// The value as text, for whoever may see it: dates and moments as ISO 8601 has them, bytes in
    /// capital hexadecimal digits, codes as their table writes them, nothing for an empty field.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Digits(text) => String::clone(text),
            Self::Amount(amount) => amount.as_str().to_owned(),
            Self::Date(date) => iso(*date),
            Self::DateTime(at) => {
                let (hour, minute, second) = at.as_hms();
                format!("{}T{hour:02}:{minute:02}:{second:02}", iso(at.date()))
            }
            Self::Flag(flag) => flag.to_string(),
            Self::Code(code) => code.as_str().to_owned(),
            Self::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02X}")).collect(),
        })
    }

    /// What a code or flag means, in Chinese and English; `None` of other values, and of codes that
    /// their table does not know.
    pub fn labels(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Code(code) => code.labels(),
            Self::Flag(true) => Some(("是", "yes")),
            Self::Flag(false) => Some(("否", "no")),
            _ => None,
        }
    }

    /// Whether it is a code that its table does not know.
    pub fn is_unknown_code(&self) -> bool {
        matches!(self, Self::Code(code) if code.labels.is_none())
    }

    /// A code of characters, kept as it is written.
    fn of_text_code(table: &CodeTable, text: Zeroizing<String>) -> Self {
        Self::Code(Code { labels: table.labels(&text), text })
    }

    /// A code that is a number, written as its table has it. Digits that mean nothing in the table
    /// and are all zeros, or are `empty`, are a field that was never filled.
    fn of_number(table: &CodeTable, digits: &str, empty: Option<&str>) -> Self {
        let number = digits.trim_start_matches('0');
        match table.find(digits) {
            Some((code, zh, en)) => {
                Self::Code(Code { text: Zeroizing::new(code.to_owned()), labels: Some((zh, en)) })
            }
            None if number.is_empty() || Some(number) == empty => Self::Empty,
            None => Self::Code(Code { text: Zeroizing::new(number.to_owned()), labels: None }),
        }
    }
}

/// Personal data: tells the kind alone.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Text(_) => "Text(..)",
            Self::Digits(_) => "Digits(..)",
            Self::Amount(_) => "Amount(..)",
            Self::Date(_) => "Date(..)",
            Self::DateTime(_) => "DateTime(..)",
            Self::Flag(_) => "Flag(..)",
            Self::Code(_) => "Code(..)",
            Self::Bytes(_) => "Bytes(..)",
        })
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// The digits of a date or moment, which is written without other signs or as one of `forms`, where
/// `0` stands for any digit.
fn digits(text: &str, forms: &[&str]) -> Result<Zeroizing<String>, BadValue> {
    let is_digit = |sign: char| sign.is_ascii_digit();
    let matches = |form: &&str| {
        let same = |(sign, form): (char, char)| sign == form || form == '0' && is_digit(sign);
        form.len() == text.len() && text.chars().zip(form.chars()).all(same)
    };
    match text.chars().all(is_digit) || forms.iter().any(matches) {
        true => Ok(Zeroizing::new(text.chars().filter(|sign| is_digit(*sign)).collect())),
        false => Err(BadValue::NotDigits),
    }
}

fn bytes(hex: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    rest.is_empty().then(|| bytes.collect::<Option<Vec<u8>>>().map(Zeroizing::new))?
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
