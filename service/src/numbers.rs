//! Other numbers of a resident (社会保障卡号, 护照号, 病案号 …): each kind with its own form, parsed once.
//!
//! Where a kind's form was never published in a text that could be read, the check is as strict as
//! what is known allows and says so. Regions, states and validity are not looked up: they change.
//! The driving licence (code 05 of health-card.md, 7.3) is no kind of its own, as it bears the
//! resident identity number.

use std::fmt;

use card::ResidentIdNumber;

use crate::vocabulary::words;

#[cfg(test)]
mod tests;

/// Most bytes of a number as it is typed.
const MOST_TYPED: usize = 96;

words! {
    /// What a number stands on.
    NumberKind {
        /// Household book (户口簿), code 02.
        HouseholdBook = "household-book",
        /// Passport (护照), code 03.
        Passport = "passport",
        /// Officer's card (军官证), code 04.
        OfficerCard = "officer-card",
        /// Permit of residents of Hong Kong and Macau (港澳居民来往内地通行证), code 06.
        HkMacauPermit = "hk-macau-permit",
        /// Permit of residents of Taiwan (台湾居民来往大陆通行证), code 07.
        TaiwanPermit = "taiwan-permit",
        /// Birth certificate (出生医学证明), code 08.
        BirthCertificate = "birth-certificate",
        /// Permanent residence card of foreigners (外国人永久居留身份证).
        ForeignResidenceCard = "foreign-residence-card",
        /// Social security card (社会保障卡): the number of the card, not of the person.
        SocialSecurityCard = "social-security-card",
        /// City card (市民卡, 城市通卡).
        CityCard = "city-card",
        /// Medical record number of a hospital (病案号).
        MedicalRecord = "medical-record",
        /// Patient number of a hospital (就诊号, 门诊号).
        Patient = "patient",
        /// Another document, code 99.
        Other = "other",
    }
}

/// Within what a number of a kind is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere; the issuer is left out.
    Everywhere,
    /// A state or authority that issues passports: its code in the machine-readable zone.
    State,
    /// A region: six digits of GB/T 2260.
    Region,
    /// A hospital: its identifier here.
    Institution,
}

impl NumberKind {
    /// Within what numbers of this kind are unique.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Passport => Scope::State,
            // That these are unique in the whole country could not be established.
            Self::SocialSecurityCard | Self::CityCard => Scope::Region,
            Self::MedicalRecord | Self::Patient => Scope::Institution,
            Self::HouseholdBook
            | Self::OfficerCard
            | Self::HkMacauPermit
            | Self::TaiwanPermit
            | Self::BirthCertificate
            | Self::ForeignResidenceCard
            | Self::Other => Scope::Everywhere,
        }
    }
}

/// A number in the one spelling that it has here, with its issuer where that is part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct BoundNumber {
    kind: NumberKind,
    issuer: String,
    number: String,
}

/// Why text is no number of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadBoundNumber {
    /// The issuer has not the form that the kind asks for, or was given where there is none.
    #[error("the issuer does not fit this kind of number")]
    Issuer,
    /// The number has not the form of its kind.
    #[error("the number has not the form of its kind")]
    Number,
}

impl BoundNumber {
    /// Reads a number as people type it: full-width signs and small letters are taken for what
    /// they stand for, spaces around it are dropped.
    ///
    /// # Errors
    /// [`BadBoundNumber`] names the part that has not the form of the kind.
    pub fn parse(kind: NumberKind, issuer: &str, number: &str) -> Result<Self, BadBoundNumber> {
        if issuer.len() > MOST_TYPED {
            return Err(BadBoundNumber::Issuer);
        }
        if number.len() > MOST_TYPED {
            return Err(BadBoundNumber::Number);
        }
        let issuer = match kind.scope() {
            // Identifiers of ours are in small letters.
            Scope::Institution => issuer.to_owned(),
            _ => typed(issuer),
        };
        if !is_issuer(kind.scope(), &issuer) {
            return Err(BadBoundNumber::Issuer);
        }
        let number = canonical(kind, &issuer, &typed(number)).ok_or(BadBoundNumber::Number)?;
        Ok(Self { kind, issuer, number })
    }

    /// What the number stands on.
    #[must_use]
    pub fn kind(&self) -> NumberKind {
        self.kind
    }

    /// Who gave it out; empty where that is not part of it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The number. It is personal data.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Issuer and number in one text, read back by [`from_joined`](Self::from_joined).
    #[must_use]
    pub fn joined(&self) -> String {
        format!("{}|{}", self.issuer, self.number)
    }

    /// Reads what [`joined`](Self::joined) wrote.
    ///
    /// # Errors
    /// [`BadBoundNumber`] for any other text.
    pub fn from_joined(kind: NumberKind, text: &str) -> Result<Self, BadBoundNumber> {
        let (issuer, number) = text.split_once('|').ok_or(BadBoundNumber::Number)?;
        Self::parse(kind, issuer, number)
    }
}

/// Personal data: prints the kind alone.
impl fmt::Debug for BoundNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoundNumber({}, ..)", self.kind)
    }
}

/// Text as it was meant: full-width signs as ASCII, capitals, no space around it.
fn typed(text: &str) -> String {
    half_width(text).trim().to_ascii_uppercase()
}

/// Full-width forms and the ideographic space as the ASCII they stand for.
pub(crate) fn half_width(text: &str) -> String {
    let narrow = |c: char| match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(c) - 0xff01 + u32::from('!')).unwrap_or(c)
        }
        c => c,
    };
    text.chars().map(narrow).collect()
}

fn is_issuer(scope: Scope, issuer: &str) -> bool {
    match scope {
        Scope::Everywhere => issuer.is_empty(),
        // ICAO Doc 9303-3, 5: three letters, but D for Germany.
        Scope::State => issuer == "D" || issuer.len() == 3 && all(issuer, is_letter),
        Scope::Region => issuer.len() == 6 && all(issuer, is_digit),
        Scope::Institution => {
            issuer.len() == 36 && all(issuer, |b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'))
        }
    }
}

/// The one spelling of a number of this kind; `None` when it is none.
fn canonical(kind: NumberKind, issuer: &str, number: &str) -> Option<String> {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let plain = |lengths: std::ops::RangeInclusive<usize>, least_digits| {
        lengths.contains(&number.len()) && all(number, is_plain) && digits >= least_digits
    };
    let good = match kind {
        NumberKind::Passport if issuer == "CHN" => is_chinese_passport(number),
        // ICAO Doc 9303-4, 4.2.2: nine places in the machine-readable zone.
        NumberKind::Passport => plain(5..=9, 1),
        NumberKind::OfficerCard => return officer_card(number),
        NumberKind::HkMacauPermit => return hk_macau_permit(number),
        // The lifelong number of the cards issued since 2015.
        NumberKind::TaiwanPermit => number.len() == 8 && all(number, is_digit),
        NumberKind::BirthCertificate => lettered(number, is_letter, 9),
        NumberKind::ForeignResidenceCard => is_foreign_residence_card(number),
        // Numbers of households differ from place to place.
        NumberKind::HouseholdBook => plain(6..=18, 6),
        // First generations of cards had numbers of their towns; nine places are usual since.
        NumberKind::SocialSecurityCard | NumberKind::CityCard => plain(8..=20, 4),
        NumberKind::MedicalRecord | NumberKind::Patient => is_written(number, 1..=32),
        NumberKind::Other => is_written(number, 4..=32),
    };
    good.then(|| number.to_owned())
}

/// Ordinary passports are E, or E and a letter, before 2012 G, or 14 and 15 before 2007; official
/// ones begin with D, S or P, those of Hong Kong with H or K, those of Macau with M.
fn is_chinese_passport(number: &str) -> bool {
    match number.as_bytes() {
        [b'1', b'4' | b'5', rest @ ..] => rest.len() == 7 && rest.iter().all(u8::is_ascii_digit),
        [b'D' | b'S' | b'P', rest @ ..] if rest.len() == 7 => rest.iter().all(u8::is_ascii_digit),
        [b'D' | b'E' | b'G' | b'H' | b'K' | b'M' | b'P' | b'S', second, rest @ ..] => {
            (second.is_ascii_digit() || is_letter(*second) && !matches!(second, b'I' | b'O'))
                && rest.len() == 7
                && rest.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// H (Hong Kong) or M (Macau) and eight digits for life. Cards before 2013 add how often they were
/// renewed, two digits, which is no part of the number.
fn hk_macau_permit(number: &str) -> Option<String> {
    let is_region = |b| matches!(b, b'H' | b'M');
    (lettered(number, is_region, 8) || lettered(number, is_region, 10))
        .then(|| number[..9].to_owned())
}

/// Three letters and twelve digits; since 2023 eighteen characters that begin with 9 and end with
/// the check of GB 11643.
fn is_foreign_residence_card(number: &str) -> bool {
    let first_form = number.len() == 15
        && number.bytes().take(3).all(is_letter)
        && number.bytes().skip(3).all(is_digit);
    first_form || number.starts_with('9') && number.parse::<ResidentIdNumber>().is_ok()
}

/// A sign of the arm or region, 字第, four to eight letters and digits, 号: `军字第2001988号`.
fn officer_card(number: &str) -> Option<String> {
    let mut signs = number.chars();
    let sign = signs.next().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c))?;
    let rest = signs.as_str().strip_prefix("字第")?;
    let serial = rest.strip_suffix('号').unwrap_or(rest);
    let good = (4..=8).contains(&serial.len())
        && all(serial, is_plain)
        && serial.bytes().any(|b| b.is_ascii_digit());
    good.then(|| format!("{sign}字第{serial}号"))
}

/// Letters and digits with `-`, `/` and `.` between them.
fn is_written(number: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&number.len())
        && all(number, |b| is_plain(b) || matches!(b, b'-' | b'/' | b'.'))
        && number.starts_with(|c: char| c.is_ascii_alphanumeric())
        && number.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// One byte that fits, then so many digits.
fn lettered(number: &str, first: fn(u8) -> bool, digits: usize) -> bool {
    match number.as_bytes() {
        [letter, rest @ ..] => {
            first(*letter) && rest.len() == digits && rest.iter().all(u8::is_ascii_digit)
        }
        [] => false,
    }
}

fn all(text: &str, allowed: fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_uppercase()
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn is_plain(byte: u8) -> bool {
    is_letter(byte) || is_digit(byte)
}
