//! The electronic health card (电子健康卡): the codes on a screen that stand for it.
//!
//! Two forms are known, and [`Code`] reads both:
//!
//! - the **plain** form of the platforms in use: `card-id ":" type [":" dynamic [":" platform]]`, of
//!   66, 77, 99 or 109 characters. Type 1 is *static* (静态码): it never changes, and whoever has seen
//!   it can show it. Type 0 is *dynamic* (动态码): it is good for a short time and few uses, which the
//!   server that made it counts.
//! - the **signed** form of our own, [`SignedCode`]: bound to one desk where the desk gave a nonce,
//!   and checkable with a published key and no call.
//!
//! Every code is written in one way only: capital letters, nothing around it. Its text can therefore
//! be named by its digest. A code is its holder's secret until it is used: no type here shows one in
//! `Debug`. Nothing here reads a clock, draws randomness or sees a key.

mod list;
mod signed;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use hsm::{KeyError, MacKey};
use subtle::ConstantTimeEq as _;

pub use list::{Channel, MedicalStep, UnknownListCode};
pub use signed::{DeskNonce, SIGNER_ID, SignedCode, Unsigned};

/// Most characters of a code in the plain form that a reader accepts, as hospitals do (S14).
pub const MAX_PLAIN: usize = 130;
/// Most characters of any scan that is looked at.
pub const MAX_CODE: usize = 512;

/// What a reader scanned, when it is an electronic health card's code.
#[derive(Clone, PartialEq, Eq)]
pub enum Code {
    /// 静态码: the same every time.
    Static {
        /// Whose.
        card: ElectronicId,
        /// The platform that gave it.
        platform: Option<Platform>,
    },
    /// 动态码: for a short time.
    Dynamic {
        /// Whose.
        card: ElectronicId,
        /// What makes it this one.
        dynamic: Dynamic,
        /// The platform that gave it.
        platform: Option<Platform>,
    },
    /// Of our own form.
    Signed(Box<SignedCode>),
}

/// Why a scan is not a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCode {
    /// Something else was scanned: neither of the two forms.
    #[error("this is not the code of an electronic health card")]
    NotACode,
    /// More than [`MAX_CODE`] characters, or [`MAX_PLAIN`] of the plain form.
    #[error("{0} characters are more than a code has")]
    TooLong(usize),
    /// The card id is not of 64 characters.
    #[error("the card id has {0} characters, not 64")]
    IdLength(usize),
    /// A character that is no capital hexadecimal digit.
    #[error("character {at} is not a capital hexadecimal digit")]
    NotHex {
        /// Counted from 0.
        at: usize,
    },
    /// The card id alone, which is no code.
    #[error("there is no type after the card id")]
    NoType,
    /// A type that is neither 0 nor 1.
    #[error("the type is neither 0 nor 1")]
    UnknownType,
    /// A dynamic code whose changing part is not of 32 characters.
    #[error("the dynamic part has {0} characters, not 32")]
    DynamicLength(usize),
    /// A static code with a changing part.
    #[error("a static code has no dynamic part")]
    DynamicOfStatic,
    /// Not a platform code of four digits, a letter and four digits.
    #[error("the platform code is malformed")]
    Platform,
    /// Something follows where the code ends.
    #[error("something follows the code")]
    Trailing,
    /// A version of the signed form that is not known here.
    #[error("a version of the signed code that is not known")]
    UnknownVersion,
    /// Not base45, or not the one way of writing it.
    #[error("the signed code is not base45")]
    Encoding,
    /// The octets are not those of a signed code.
    #[error("the octets of the signed code are malformed")]
    Layout,
}

impl BadCode {
    /// A stable word for the log, which may not hold what was scanned.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotACode => "not-a-code",
            Self::TooLong(_) => "too-long",
            Self::IdLength(_) => "id-length",
            Self::NotHex { .. } => "not-hex",
            Self::NoType => "no-type",
            Self::UnknownType => "unknown-type",
            Self::DynamicLength(_) => "dynamic-length",
            Self::DynamicOfStatic => "dynamic-of-static",
            Self::Platform => "platform",
            Self::Trailing => "trailing",
            Self::UnknownVersion => "unknown-version",
            Self::Encoding => "encoding",
            Self::Layout => "layout",
        }
    }
}

impl Code {
    /// The card it stands for.
    #[must_use]
    pub fn card(&self) -> &ElectronicId {
        match self {
            Self::Static { card, .. } | Self::Dynamic { card, .. } => card,
            Self::Signed(code) => code.card(),
        }
    }
}

impl FromStr for Code {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        if text.len() > MAX_CODE {
            return Err(BadCode::TooLong(text.len()));
        }
        if let Some(code) = signed::recognise(text) {
            return code.map(|code| Self::Signed(Box::new(code)));
        }
        let (id, rest) = match text.split_once(':') {
            Some((id, rest)) => (id, Some(rest)),
            None => (text, None),
        };
        // Readers tell a code by the colon behind 64 characters (S9, S16). What begins with many
        // hexadecimal digits was meant as one, and is told what is wrong with it.
        let hex = |b: u8| b.is_ascii_hexdigit();
        if id.len() != 64 && (rest.is_none() || id.len() < 32 || !id.bytes().all(hex)) {
            return Err(BadCode::NotACode);
        }
        if text.len() > MAX_PLAIN {
            return Err(BadCode::TooLong(text.len()));
        }
        if id.len() != 64 {
            return Err(BadCode::IdLength(id.len()));
        }
        let card = ElectronicId(octets(id, 0)?);
        let mut parts = rest.ok_or(BadCode::NoType)?.splitn(4, ':');
        let (kind, dynamic, platform) = (parts.next(), parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(BadCode::Trailing);
        }
        let platform = platform.map(str::parse).transpose()?;
        match (kind, dynamic) {
            (Some("0"), dynamic) => {
                let dynamic = dynamic.unwrap_or_default();
                if dynamic.len() != 32 {
                    return Err(BadCode::DynamicLength(dynamic.len()));
                }
                Ok(Self::Dynamic { card, dynamic: Dynamic(octets(dynamic, 67)?), platform })
            }
            (Some("1"), None) => Ok(Self::Static { card, platform }),
            (Some("1"), Some("")) if platform.is_some() => Ok(Self::Static { card, platform }),
            (Some("1"), Some("")) => Err(BadCode::Trailing),
            (Some("1"), Some(_)) => Err(BadCode::DynamicOfStatic),
            _ => Err(BadCode::UnknownType),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static { card, platform: None } => write!(f, "{card}:1"),
            Self::Static { card, platform: Some(platform) } => write!(f, "{card}:1::{platform}"),
            Self::Dynamic { card, dynamic, platform } => {
                write!(f, "{card}:0:{dynamic}")?;
                platform.iter().try_for_each(|platform| write!(f, ":{platform}"))
            }
            Self::Signed(code) => code.fmt(f),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static { .. } => "Static(..)",
            Self::Dynamic { .. } => "Dynamic(..)",
            Self::Signed(_) => "Signed(..)",
        })
    }
}

/// The id of an electronic card (电子健康卡ID): 32 octets, written as 64 capital hexadecimal digits.
///
/// A static code is nothing but this id, and dynamic ones show it: it is not given to those who need
/// not know it, and compared in constant time.
#[derive(Clone)]
pub struct ElectronicId(pub [u8; 32]);

impl PartialEq for ElectronicId {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ElectronicId {}

impl FromStr for ElectronicId {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        if text.len() != 64 {
            return Err(BadCode::IdLength(text.len()));
        }
        octets(text, 0).map(Self)
    }
}

impl fmt::Display for ElectronicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for ElectronicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ElectronicId(..)")
    }
}

/// The changing part of a dynamic code: 16 octets. Compared in constant time.
#[derive(Clone)]
pub struct Dynamic([u8; 16]);

impl Dynamic {
    /// The changing part of a code for `card`: the first half of HMAC-SM3 over the card id (32
    /// octets), `nonce` and the second in which the code ends (8 octets, big-endian, since 1970).
    ///
    /// # Errors
    /// [`KeyError`] when the key is not available.
    pub fn make(
        key: &dyn MacKey,
        card: &ElectronicId,
        nonce: &[u8; 16],
        ends: u64,
    ) -> Result<Self, KeyError> {
        let tag = key.mac(&[&card.0, nonce, &ends.to_be_bytes()])?;
        let [first, _] = halves(tag);
        Ok(Self(first))
    }
}

fn halves(tag: [u8; 32]) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    halves.as_flattened_mut().copy_from_slice(&tag);
    halves
}

impl PartialEq for Dynamic {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Dynamic {}

impl fmt::Display for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dynamic(..)")
    }
}

/// Code of a platform (平台代码), such as `5100A0013`: region of four digits, a letter, four digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform([u8; 9]);

impl FromStr for Platform {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        let code: [u8; 9] = text.as_bytes().try_into().map_err(|_| BadCode::Platform)?;
        let fits = code.iter().enumerate().all(|(at, b)| match at {
            4 => b.is_ascii_uppercase(),
            _ => b.is_ascii_digit(),
        });
        if fits { Ok(Self(code)) } else { Err(BadCode::Platform) }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{}", char::from(*b)))
    }
}

/// The octets of capital hexadecimal digits, of which there are twice as many; `at` is where they
/// begin.
fn octets<const N: usize>(text: &str, at: usize) -> Result<[u8; N], BadCode> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    };
    let mut octets = [0; N];
    for (position, b) in text.bytes().enumerate() {
        let digit = digit(b).ok_or(BadCode::NotHex { at: at + position })?;
        let octet = octets.get_mut(position / 2).ok_or(BadCode::Trailing)?;
        *octet = *octet << 4 | digit;
    }
    Ok(octets)
}

fn write_hex(f: &mut fmt::Formatter<'_>, octets: &[u8]) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
}
