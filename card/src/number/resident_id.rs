use std::fmt;
use std::str::FromStr;

use time::{Date, Month};

use crate::codes::Sex;

/// Resident identity number (公民身份号码): 17 digits and a check character (GB 11643-1999).
///
/// The birth date in it exists; the region is not looked up, since regions come and go. The check
/// character is always kept as a capital X, so that one person has one spelling.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResidentIdNumber {
    chars: [u8; 18],
    birth_date: Date,
}

/// Why text is not a resident identity number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadResidentIdNumber {
    /// Not 18 characters. Numbers of the first generation (15 digits) have no check and are refused.
    #[error("an ID number has 18 characters, not {0}")]
    Length(usize),
    /// A character that is not a digit, before the last.
    #[error("character {at} of the ID number is not a digit")]
    NotDigit {
        /// Position, from 0, in bytes.
        at: usize,
    },
    /// No such birth date.
    #[error("the ID number holds no date of birth")]
    BirthDate,
    /// The last character does not fit the others.
    #[error("the check character of the ID number is wrong")]
    Check,
}

/// The earliest year of birth taken for real: the standard's own example is of 1880.
const EARLIEST_YEAR: i32 = 1800;

impl FromStr for ResidentIdNumber {
    type Err = BadResidentIdNumber;

    fn from_str(text: &str) -> Result<Self, BadResidentIdNumber> {
        let mut chars: [u8; 18] = text
            .as_bytes()
            .try_into()
            .map_err(|_| BadResidentIdNumber::Length(text.chars().count()))?;
        if let Some(at) = chars[..17].iter().position(|c| !c.is_ascii_digit()) {
            return Err(BadResidentIdNumber::NotDigit { at });
        }
        chars[17].make_ascii_uppercase();
        if chars[17] != check_character(&chars) {
            return Err(BadResidentIdNumber::Check);
        }
        let birth_date = date(&chars[6..14]).ok_or(BadResidentIdNumber::BirthDate)?;
        Ok(Self { chars, birth_date })
    }
}

impl ResidentIdNumber {
    /// The 18 characters. They are personal data.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.chars).expect("digits and X are ASCII")
    }

    /// Date of birth, positions 7 to 14.
    pub fn birth_date(&self) -> Date {
        self.birth_date
    }

    /// Sex, position 17: odd is male.
    pub fn sex(&self) -> Sex {
        if self.chars[16] % 2 == 1 { Sex::Male } else { Sex::Female }
    }
}

/// The check character over the first 17 digits (GB 11643-1999, ISO 7064 MOD 11-2).
fn check_character(digits: &[u8; 18]) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = WEIGHTS.iter().zip(digits).map(|(w, d)| w * u32::from(d - b'0')).sum();
    b"10X98765432"[(sum % 11) as usize]
}

/// A date of eight ASCII digits.
fn date(digits: &[u8]) -> Option<Date> {
    let number = |range: std::ops::Range<usize>| {
        digits[range].iter().fold(0u16, |n, d| n * 10 + u16::from(d - b'0'))
    };
    let month = Month::try_from(number(4..6) as u8).ok()?;
    let year = i32::from(number(0..4));
    (year >= EARLIEST_YEAR).then_some(())?;
    Date::from_calendar_date(year, month, number(6..8) as u8).ok()
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for ResidentIdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResidentIdNumber(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::date;

    #[test]
    fn numbers_are_judged_as_the_standard_does() {
        use BadResidentIdNumber::*;
        // GB 11643-1999 (ISO 7064 MOD 11-2): vectors/identifiers.json, cases 1 to 16.
        #[rustfmt::skip]
        let cases = [
            ("1 example of the standard", "11010519491231002X", Ok("11010519491231002X")),
            ("2 example of the standard", "440524188001010014", Ok("440524188001010014")),
            ("3 region unknown", "999999190001010015", Ok("999999190001010015")),
            ("4 check wrong", "110105194912310021", Err(Check)),
            ("5 lower-case x is normalised", "11010519491231002x", Ok("11010519491231002X")),
            ("6 full-width X", "11010519491231002Ｘ", Err(Length(18))),
            ("7 X in the middle", "1101051949X231002X", Err(NotDigit { at: 10 })),
            ("8 month 13", "110105194913310021", Err(BirthDate)),
            ("9 29 February in a common year", "110105194902290029", Err(BirthDate)),
            ("10 day 00", "110105194912000021", Err(BirthDate)),
            ("11 two digits exchanged", "11010519491230102X", Err(Check)),
            ("12 17 characters", "11010519491231002", Err(Length(17))),
            ("13 19 characters", "11010519491231002X0", Err(Length(19))),
            ("14 leading space", " 1010519491231002X", Err(NotDigit { at: 0 })),
            ("15 Arabic-Indic digits", "١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", Err(Length(18))),
            ("16 first generation", "110105491231002", Err(Length(15))),
        ];
        for (name, text, expected) in cases {
            let read = text.parse::<ResidentIdNumber>();
            assert_eq!(
                read.as_ref().map(ResidentIdNumber::as_str),
                expected.as_ref().copied(),
                "{name}"
            );
        }
    }

    #[test]
    fn birth_date_and_sex_are_in_the_number() {
        let woman: ResidentIdNumber = "11010519491231002X".parse().unwrap();
        assert_eq!((woman.birth_date(), woman.sex()), (date!(1949 - 12 - 31), Sex::Female));
        let man: ResidentIdNumber = "440524188001010014".parse().unwrap();
        assert_eq!((man.birth_date(), man.sex()), (date!(1880 - 01 - 01), Sex::Male));
        assert_eq!(format!("{man:?}"), "ResidentIdNumber(..)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_changed_digit_is_refused(at in 0usize..17, by in 1u8..10) {
            let mut text = *b"11010519491231002X";
            text[at] = b'0' + (text[at] - b'0' + by) % 10;
            prop_assert_eq!(
                std::str::from_utf8(&text).unwrap().parse::<ResidentIdNumber>(),
                Err(BadResidentIdNumber::Check)
            );
        }

        #[test]
        fn any_text_parses_or_is_refused(text in ".{0,24}") {
            if let Ok(id) = text.parse::<ResidentIdNumber>() {
                prop_assert_eq!(id.as_str(), text.to_ascii_uppercase());
            }
        }
    }
}
