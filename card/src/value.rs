//! Values as the card writes them: characters of GB 2312 or GBK, digits two to a byte, dates.
//!
//! Reading is strict about what is said and tolerant about how the rest of a field is filled: `00`,
//! `FF` and spaces after text, nibbles `F` after digits.

use std::fmt;
use std::str::FromStr;

use encoding_rs::GBK;
use time::{Date, Month, PrimitiveDateTime, Time};

/// Why the value of a record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadValue {
    /// Nothing in a field that must be filled.
    #[error("the field is empty")]
    Empty,
    /// Bytes that are no character of GBK.
    #[error("the text is not GBK")]
    NotGbk,
    /// A control character within the text.
    #[error("the text holds a control character")]
    Control,
    /// A nibble that is neither digit nor padding at its end.
    #[error("the digits hold something else")]
    NotDigits,
    /// A number of digits the field cannot have.
    #[error("{0} digits do not fit the field")]
    DigitCount(usize),
    /// Eight digits that are no date.
    #[error("there is no such date")]
    NoSuchDate,
    /// Six digits after a date that are no time of a day.
    #[error("there is no such time")]
    NoSuchTime,
    /// Nibbles that are no decimal number.
    #[error("the field holds no amount")]
    NotAmount,
    /// A byte that is neither true nor false.
    #[error("the flag is neither true nor false")]
    NotFlag,
    /// A field that is not as long as the table says.
    #[error("the field has {0} bytes")]
    Size(usize),
    /// A code that is not in its table.
    #[error("the code is not in its table")]
    UnknownCode,
    /// A number with a wrong form or check.
    #[error("the number has a wrong form or check")]
    Number,
    /// A picture with a wrong length or start.
    #[error("the picture is damaged")]
    Picture,
}

/// Which character set a text needs on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterSet {
    /// GB 2312-1980, the set the card's standard names.
    Gb2312,
    /// Its superset GBK, for names with rarer characters.
    Gbk,
}

/// Text that the card cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadText {
    /// Nothing but space.
    #[error("the text is empty")]
    Empty,
    /// A character outside GBK, or a control character.
    #[error("character {at} cannot be written on the card")]
    Character {
        /// Position, from 0, in characters.
        at: usize,
    },
    /// More bytes of GBK than the field has.
    #[error("the text takes {needed} bytes, the field has {room}")]
    TooLong {
        /// Bytes the text takes.
        needed: usize,
        /// Bytes the field has.
        room: usize,
    },
}

/// Reads an `an` or `ans` field; `None` when it is empty.
pub(crate) fn read_text(field: &[u8]) -> Result<Option<String>, BadValue> {
    let filled = field.iter().rposition(|byte| !matches!(byte, 0x00 | 0x20 | 0xFF));
    let Some(last) = filled else { return Ok(None) };
    let bytes = &field[..=last];
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (0x20..=0x7E, _) => tail,
            (0x00..=0x1F | 0x7F, _) => return Err(BadValue::Control),
            // The decoder below also knows the four-byte forms of GB 18030; GBK has none.
            (0x81..=0xFE, [0x40..=0x7E | 0x80..=0xFE, tail @ ..]) => tail,
            _ => return Err(BadValue::NotGbk),
        };
    }
    let text = GBK.decode_without_bom_handling_and_without_replacement(bytes);
    let text = text.ok_or(BadValue::NotGbk)?;
    if text.chars().any(is_private) { Err(BadValue::NotGbk) } else { Ok(Some(text.into_owned())) }
}

/// Writes text into a field of `room` bytes, without padding.
pub(crate) fn write_text(text: &str, room: usize) -> Result<(Vec<u8>, CharacterSet), BadText> {
    let mut bytes = Vec::with_capacity(room);
    let mut set = CharacterSet::Gb2312;
    for (at, character) in text.chars().enumerate() {
        let mut utf8 = [0; 4];
        let (gbk, _, unmappable) = GBK.encode(character.encode_utf8(&mut utf8));
        // The encoder gives the euro sign the one byte that it had on Windows alone.
        let gbk = if character == '€' { &EURO[..] } else { &gbk };
        match *gbk {
            [0x20..=0x7E] => {}
            [lead, trail] if !unmappable && !is_private(character) => {
                if !is_gb2312(lead, trail) {
                    set = CharacterSet::Gbk;
                }
            }
            _ => return Err(BadText::Character { at }),
        }
        bytes.extend_from_slice(gbk);
    }
    match bytes.len() {
        0 => Err(BadText::Empty),
        needed if needed > room => Err(BadText::TooLong { needed, room }),
        _ => Ok((bytes, set)),
    }
}

/// The euro sign in GB 18030-2000 and later.
const EURO: [u8; 2] = [0xA2, 0xE3];

/// Characters for private use have no agreed meaning, although the decoder yields them.
fn is_private(character: char) -> bool {
    ('\u{E000}'..='\u{F8FF}').contains(&character)
}

/// Whether a code of GBK is assigned in GB 2312-1980 (row = lead − A0, cell = trail − A0).
fn is_gb2312(lead: u8, trail: u8) -> bool {
    match lead {
        0xA1 | 0xA3 | 0xB0..=0xD6 | 0xD8..=0xF7 => matches!(trail, 0xA1..=0xFE),
        0xA2 => matches!(trail, 0xB1..=0xE2 | 0xE5..=0xEE | 0xF1..=0xFC),
        0xA4 => matches!(trail, 0xA1..=0xF3),
        0xA5 => matches!(trail, 0xA1..=0xF6),
        0xA6 => matches!(trail, 0xA1..=0xB8 | 0xC1..=0xD8),
        0xA7 => matches!(trail, 0xA1..=0xC1 | 0xD1..=0xF1),
        0xA8 => matches!(trail, 0xA1..=0xBA | 0xC5..=0xE9),
        0xA9 => matches!(trail, 0xA4..=0xEF),
        0xD7 => matches!(trail, 0xA1..=0xF9),
        _ => false,
    }
}

/// Reads a `cn` field: digits two to a byte, filled with nibbles `F` on the right.
pub(crate) fn read_digits(field: &[u8]) -> Result<String, BadValue> {
    let nibbles = || field.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let digits: String = nibbles().map_while(|n| (n < 10).then(|| char::from(b'0' + n))).collect();
    match nibbles().skip(digits.len()).all(|n| n == 0x0F) {
        true => Ok(digits),
        false => Err(BadValue::NotDigits),
    }
}

/// Writes digits into a `cn` field of `room` bytes. `None` when they do not fit or are no digits.
pub(crate) fn write_digits(digits: &str, room: usize) -> Option<Vec<u8>> {
    let fits = digits.len() <= 2 * room && digits.bytes().all(|d| d.is_ascii_digit());
    fits.then(|| {
        let mut field = vec![0xFF; room];
        for (at, digit) in digits.bytes().enumerate() {
            let digit = digit - b'0';
            field[at / 2] = match at % 2 {
                0 => digit << 4 | 0x0F,
                _ => field[at / 2] & 0xF0 | digit,
            };
        }
        field
    })
}

/// Reads a date, `cn` 4, YYYYMMDD; `None` when the field is empty (all `F`, or all `0`).
pub(crate) fn read_date(field: &[u8]) -> Result<Option<Date>, BadValue> {
    let digits = read_digits(field)?;
    match digits.trim_matches('0') {
        "" if digits.is_empty() || digits.len() == 8 => Ok(None),
        _ => date_of(&digits).map(Some),
    }
}

/// The date that eight digits are.
pub(crate) fn date_of(digits: &str) -> Result<Date, BadValue> {
    let [year, month, day] = numbers(digits, [4, 2, 2])?;
    let month = Month::try_from(month as u8).map_err(|_| BadValue::NoSuchDate)?;
    Date::from_calendar_date(i32::from(year), month, day as u8).map_err(|_| BadValue::NoSuchDate)
}

/// Reads a date and time, `cn` 7, YYYYMMDDhhmmss; `None` when the field is empty.
pub(crate) fn read_date_time(field: &[u8]) -> Result<Option<PrimitiveDateTime>, BadValue> {
    let digits = read_digits(field)?;
    match digits.trim_matches('0') {
        "" if digits.is_empty() || digits.len() == 14 => Ok(None),
        _ => date_time_of(&digits).map(Some),
    }
}

/// The moment that fourteen digits are.
pub(crate) fn date_time_of(digits: &str) -> Result<PrimitiveDateTime, BadValue> {
    let (date, time) = match digits.len() {
        14 => digits.split_at(8),
        other => return Err(BadValue::DigitCount(other)),
    };
    let [hour, minute, second] = numbers(time, [2, 2, 2])?;
    let time = Time::from_hms(hour as u8, minute as u8, second as u8);
    Ok(date_of(date)?.with_time(time.map_err(|_| BadValue::NoSuchTime)?))
}

/// Splits digits into numbers of so many digits each, at most four.
fn numbers<const N: usize>(digits: &str, lengths: [usize; N]) -> Result<[u16; N], BadValue> {
    if digits.len() != lengths.iter().sum::<usize>() {
        return Err(BadValue::DigitCount(digits.len()));
    }
    let mut rest = digits;
    Ok(lengths.map(|length| {
        let (number, tail) = rest.split_at(length);
        rest = tail;
        number.bytes().fold(0, |n, d| n * 10 + u16::from(d - b'0'))
    }))
}

/// Writes a date and time, as [`write_date`] does.
pub(crate) fn write_date_time(at: PrimitiveDateTime) -> Vec<u8> {
    let (hour, minute, second) = at.as_hms();
    let time = format!("{hour:02}{minute:02}{second:02}");
    let time = write_digits(&time, 3).expect("six digits fit three bytes");
    [write_date(at.date()), time].concat()
}

/// Writes a date of the years 0 to 9999, which is all that `Date` holds.
pub(crate) fn write_date(date: Date) -> Vec<u8> {
    let digits = format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day());
    write_digits(&digits, 4).expect("eight digits fit four bytes")
}

/// Name of a person (姓名): 1 to 30 bytes of GBK, no control character, no space at either end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// Bytes of GBK a name can take on the card.
    pub const ROOM: usize = 30;

    /// The name. It is personal data.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which character set the name needs; worth a line in the log when it is not GB 2312.
    pub fn character_set(&self) -> CharacterSet {
        self.written().1
    }

    pub(crate) fn written(&self) -> (Vec<u8>, CharacterSet) {
        write_text(&self.0, Self::ROOM).expect("checked when the name was made")
    }
}

impl FromStr for Name {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        let text = text.trim_matches(|c| c == ' ' || c == '\u{3000}');
        write_text(text, Self::ROOM).map(|_| Self(text.to_owned()))
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(..)")
    }
}

/// Telephone number (本人电话): 1 to 20 digits, with `+`, `-`, space and brackets between.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone(String);

impl Phone {
    /// The number. It is personal data.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that is no telephone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a telephone number has 1 to 20 digits, signs + - ( ) and spaces")]
pub struct BadPhone;

impl FromStr for Phone {
    type Err = BadPhone;

    fn from_str(text: &str) -> Result<Self, BadPhone> {
        let text = text.trim();
        let allowed = |c: u8| c.is_ascii_digit() || b"+-() ".contains(&c);
        let good = (1..=20).contains(&text.len())
            && text.bytes().all(allowed)
            && text.bytes().any(|c| c.is_ascii_digit());
        if good { Ok(Self(text.to_owned())) } else { Err(BadPhone) }
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(..)")
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
