//! Numbers that are written down by people and carry a check, or a fixed form.

mod credit_code;
mod resident_id;

use std::fmt;
use std::str::FromStr;

pub use credit_code::{BadCreditCode, BadOrganizationCode, CreditCode, OrganizationCode};
pub use resident_id::{BadResidentIdNumber, ResidentIdNumber};

/// Text that has not the form of the number it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadNumber {
    /// Not as long as the number is.
    #[error("{0} characters are too few or too many")]
    Length(usize),
    /// A character that the number cannot hold.
    #[error("character {at} is not allowed")]
    Character {
        /// Position, from 0, in bytes.
        at: usize,
    },
}

/// Checks length, then every byte.
fn checked(
    text: &str,
    lengths: std::ops::RangeInclusive<usize>,
    allowed: fn(&u8) -> bool,
) -> Result<String, BadNumber> {
    if !lengths.contains(&text.len()) {
        return Err(BadNumber::Length(text.chars().count()));
    }
    match text.as_bytes().iter().position(|byte| !allowed(byte)) {
        Some(at) => Err(BadNumber::Character { at }),
        None => Ok(text.to_owned()),
    }
}

fn is_letter_or_digit(byte: &u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase()
}

/// Issuing serial (发卡序列号, item 10): ten digits or capital letters, unique per chip.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChipSerial(String);

impl FromStr for ChipSerial {
    type Err = BadNumber;

    fn from_str(text: &str) -> Result<Self, BadNumber> {
        checked(text, 10..=10, is_letter_or_digit).map(Self)
    }
}

impl ChipSerial {
    /// The ten characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChipSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Application city code (应用城市代码, item 57): six digits of GB/T 2260.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CityCode(String);

impl FromStr for CityCode {
    type Err = BadNumber;

    fn from_str(text: &str) -> Result<Self, BadNumber> {
        checked(text, 6..=6, u8::is_ascii_digit).map(Self)
    }
}

impl CityCode {
    /// The six digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Card number (卡号, item 8): the ID number of the holder, or the number of another document.
/// 1 to 18 digits or letters, kept as capitals so that one card has one spelling; it has no check
/// of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CardNumber(String);

impl FromStr for CardNumber {
    type Err = BadNumber;

    fn from_str(text: &str) -> Result<Self, BadNumber> {
        checked(&text.to_ascii_uppercase(), 1..=18, is_letter_or_digit).map(Self)
    }
}

impl CardNumber {
    /// The characters. They are personal data.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&ResidentIdNumber> for CardNumber {
    fn from(id: &ResidentIdNumber) -> Self {
        Self(id.as_str().to_owned())
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardNumber(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_kept() {
        assert!("0000000001".parse::<ChipSerial>().is_ok());
        assert_eq!("000000001".parse::<ChipSerial>(), Err(BadNumber::Length(9)));
        assert_eq!("00000 0001".parse::<ChipSerial>(), Err(BadNumber::Character { at: 5 }));
        assert_eq!("41010".parse::<CityCode>(), Err(BadNumber::Length(5)));
        assert_eq!("41010X".parse::<CityCode>(), Err(BadNumber::Character { at: 5 }));
        assert_eq!("".parse::<CardNumber>(), Err(BadNumber::Length(0)));
        assert_eq!("E123-567".parse::<CardNumber>(), Err(BadNumber::Character { at: 4 }));
        assert_eq!("1x".parse::<CardNumber>().unwrap().as_str(), "1X");
    }
}
