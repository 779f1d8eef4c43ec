use std::fmt;
use std::str::FromStr;

/// Organization code (组织机构代码): eight digits or capitals and a check character (GB 11714-1997),
/// kept without the hyphen that is sometimes written before the last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrganizationCode([u8; 9]);

/// Why text is not an organization code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadOrganizationCode {
    /// Not nine characters.
    #[error("an organization code has 9 characters, not {0}")]
    Length(usize),
    /// A character other than a digit or a capital letter.
    #[error("character {at} cannot be in an organization code")]
    Character {
        /// Position, from 0, in bytes.
        at: usize,
    },
    /// The last character does not fit the others.
    #[error("the check character of the organization code is wrong")]
    Check,
}

impl FromStr for OrganizationCode {
    type Err = BadOrganizationCode;

    fn from_str(text: &str) -> Result<Self, BadOrganizationCode> {
        const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
        let plain = match text.as_bytes() {
            [code @ .., b'-', check] if code.len() == 8 => [code, &[*check]].concat(),
            other => other.to_vec(),
        };
        let chars: [u8; 9] =
            plain.try_into().map_err(|_| BadOrganizationCode::Length(text.chars().count()))?;
        let mut sum = 0;
        for (at, (weight, c)) in WEIGHTS.iter().zip(chars).enumerate() {
            let value = match c {
                b'0'..=b'9' => c - b'0',
                b'A'..=b'Z' => c - b'A' + 10,
                _ => return Err(BadOrganizationCode::Character { at }),
            };
            sum += weight * u32::from(value);
        }
        // 11 − sum mod 11; 10 is written X and 11 is written 0.
        if chars[8] != b"0X987654321"[(sum % 11) as usize] {
            return Err(BadOrganizationCode::Check);
        }
        Ok(Self(chars))
    }
}

impl OrganizationCode {
    /// The nine characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and capitals are ASCII")
    }
}

/// Unified social credit code (统一社会信用代码) of an institution: 18 characters of which the last
/// is a check (GB 32100-2015).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CreditCode([u8; 18]);

/// Why text is not a credit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCreditCode {
    /// Not 18 characters.
    #[error("a credit code has 18 characters, not {0}")]
    Length(usize),
    /// A character outside the code's alphabet, which lacks I, O, S, V and Z.
    #[error("character {at} cannot be in a credit code")]
    Character {
        /// Position, from 0, in bytes.
        at: usize,
    },
    /// The last character does not fit the others.
    #[error("the check character of the credit code is wrong")]
    Check,
}

/// The alphabet, in order of value.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

impl FromStr for CreditCode {
    type Err = BadCreditCode;

    fn from_str(text: &str) -> Result<Self, BadCreditCode> {
        let chars: [u8; 18] =
            text.as_bytes().try_into().map_err(|_| BadCreditCode::Length(text.chars().count()))?;
        let (mut sum, mut weight) = (0, 1);
        for (at, c) in chars.iter().enumerate() {
            let value = ALPHABET.iter().position(|known| known == c);
            let value = value.ok_or(BadCreditCode::Character { at })?;
            // Position 18 weighs 1 in the end: check = (31 − sum mod 31) mod 31.
            sum += value * if at == 17 { 1 } else { weight };
            weight = weight * 3 % 31;
        }
        if sum % 31 != 0 {
            return Err(BadCreditCode::Check);
        }
        Ok(Self(chars))
    }
}

impl CreditCode {
    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }

    /// The organization code in positions 9 to 17, when its own check holds. Codes of
    /// organizations founded after 2015 need not have one.
    pub fn organization_code(&self) -> Result<OrganizationCode, BadOrganizationCode> {
        self.as_str()[8..17].parse()
    }
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreditCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn organization_codes_are_judged_as_the_standard_does() {
        use BadOrganizationCode::*;
        // GB 11714-1997: vectors/identifiers.json, cases 17 and 18; health-card.md, 8.
        let cases = [
            ("example of the standard", "D2143569X", Ok("D2143569X")),
            ("written with a hyphen", "D2143569-X", Ok("D2143569X")),
            ("seen on a card", "45075129-0", Ok("450751290")),
            ("check wrong", "D21435690", Err(Check)),
            ("lower case", "d2143569X", Err(Character { at: 0 })),
            ("short", "D2143569", Err(Length(8))),
        ];
        for (name, text, expected) in cases {
            let read = text.parse::<OrganizationCode>();
            assert_eq!(
                read.as_ref().map(OrganizationCode::as_str),
                expected.as_ref().copied(),
                "{name}"
            );
        }
    }

    #[test]
    fn credit_codes_are_judged_as_the_standard_does() {
        use BadCreditCode::*;
        // GB 32100-2015: vectors/identifiers.json, cases 19 to 23.
        let cases = [
            ("19 example of the standard", "91350100M000100Y43", Ok(())),
            ("20 check wrong", "91350100M000100Y44", Err(Check)),
            ("21 letter O", "91350100M0O0100Y43", Err(Character { at: 10 })),
            ("22 17 characters", "91350100M000100Y4", Err(Length(17))),
            ("23 public institution", "12999999123456788W", Ok(())),
        ];
        for (name, text, expected) in cases {
            assert_eq!(text.parse::<CreditCode>().map(|_| ()), expected, "{name}");
        }
        let code: CreditCode = "12999999123456788W".parse().unwrap();
        assert_eq!(code.organization_code(), "123456788".parse());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_changed_character_is_refused(at in 0usize..18, by in 1usize..31) {
            let mut text = *b"91350100M000100Y43";
            let value = ALPHABET.iter().position(|c| *c == text[at]).unwrap();
            text[at] = ALPHABET[(value + by) % 31];
            prop_assert_eq!(
                std::str::from_utf8(&text).unwrap().parse::<CreditCode>(),
                Err(BadCreditCode::Check)
            );
        }

        #[test]
        fn any_text_parses_or_is_refused(text in ".{0,20}") {
            let _: Result<CreditCode, _> = text.parse();
            let _: Result<OrganizationCode, _> = text.parse();
        }
    }
}
