//! What may be said about a key.

use super::{KeyRef, KeyUse, VersionState};
use crate::sm2::PublicKey;
use std::fmt;
use std::str::FromStr;

/// One version of one key, without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyDescription {
    /// The name of the key.
    pub reference: KeyRef,
    /// What it is for.
    pub key_use: KeyUse,
    /// What people call it.
    pub label: Label,
    /// Which version this is, from 1.
    pub version: u32,
    /// What it still does.
    pub state: VersionState,
    /// The public key, if it is a key that signs.
    pub public_key: Option<PublicKey>,
    /// The check value, if it is a key of one party alone.
    pub check_value: Option<CheckValue>,
}

/// The check value of a secret key (密钥校验值): three octets by which two holders see that they
/// have the same key, and which say nothing else of it.
///
/// Of a card master they are the first of what SM4 makes of a block of zeros, as everywhere with
/// cards. Of other keys they are derived with HKDF-SM3: of a key for GCM that block is what all its
/// tags rest on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckValue(pub [u8; 3]);

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c]) = self;
        write!(f, "{a:02X}{b:02X}{c:02X}")
    }
}

/// What people call a key (标签): up to 60 characters on one line, or nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Label(String);

impl Label {
    /// Most characters of a label.
    pub const LONGEST: usize = 60;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = BadLabel;

    fn from_str(text: &str) -> Result<Self, BadLabel> {
        if text.chars().count() > Self::LONGEST || text.chars().any(char::is_control) {
            return Err(BadLabel);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The text is no label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a label has up to 60 characters, none of them a line break or another control character")]
pub struct BadLabel;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_one_line_of_60_characters() {
        for (text, accepted) in [
            ("", true),
            ("2026 年度令牌签名", true),
            (&"钥".repeat(60), true),
            (&"钥".repeat(61), false),
            ("a\nb", false),
            ("a\u{1b}[31m", false),
        ] {
            assert_eq!(text.parse::<Label>().is_ok(), accepted, "{text:?}");
        }
    }
}
