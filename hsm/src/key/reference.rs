//! Names of keys.

use std::fmt;
use std::str::FromStr;

/// The name of a key: where it is kept, and how it is called there, as in `soft:token-2026a`.
///
/// The scheme has 1 to 16, the name 1 to 64 of the characters `a`–`z`, `0`–`9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRef {
    text: String,
    /// Where the colon is.
    colon: usize,
}

impl KeyRef {
    /// The kind of keystore: `soft`, `sdf`, `pkcs11`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The name within that keystore.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.colon + 1..]
    }
}

impl FromStr for KeyRef {
    type Err = BadKeyRef;

    fn from_str(text: &str) -> Result<Self, BadKeyRef> {
        let (scheme, name) = text.split_once(':').ok_or(BadKeyRef::NoScheme)?;
        for (part, longest) in [(scheme, 16), (name, 64)] {
            if part.is_empty() || part.len() > longest {
                return Err(BadKeyRef::Length);
            }
            if !part.bytes().all(|c| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
                return Err(BadKeyRef::Character);
            }
        }
        Ok(Self { text: text.to_owned(), colon: scheme.len() })
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRef({self})")
    }
}

/// Why text is not the name of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadKeyRef {
    /// There is no colon.
    #[error("a key is named scheme:name, as in soft:token")]
    NoScheme,
    /// The scheme or the name is empty or too long.
    #[error("the scheme of a key has 1 to 16 characters, its name 1 to 64")]
    Length,
    /// Something other than `a`–`z`, `0`–`9` and `-`.
    #[error("key names are made of a-z, 0-9 and -")]
    Character,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        let long = format!("soft:{}", "a".repeat(64));
        for (text, scheme, name) in [
            ("soft:token-2026a", "soft", "token-2026a"),
            ("sdf:3", "sdf", "3"),
            (&long, "soft", &long[5..]),
        ] {
            let key: KeyRef = text.parse().unwrap();
            assert_eq!((key.scheme(), key.name(), key.to_string().as_str()), (scheme, name, text));
        }
    }

    #[test]
    fn other_names_are_refused() {
        let long = format!("soft:{}", "a".repeat(65));
        for (text, refusal) in [
            ("", BadKeyRef::NoScheme),
            ("token", BadKeyRef::NoScheme),
            (":token", BadKeyRef::Length),
            ("soft:", BadKeyRef::Length),
            (&long, BadKeyRef::Length),
            ("seventeen-letters:a", BadKeyRef::Length),
            ("soft:a:b", BadKeyRef::Character),
            ("soft:Token", BadKeyRef::Character),
            ("soft:../token", BadKeyRef::Character),
            ("soft:a b", BadKeyRef::Character),
            ("soft:密钥", BadKeyRef::Character),
            ("soft:a\0", BadKeyRef::Character),
        ] {
            assert_eq!(text.parse::<KeyRef>(), Err(refusal), "{text:?}");
        }
    }
}
