//! The keys that an authority has one after another (密钥换代). The root keeps its name, and the next key is a version
//! of the one before; an issuing authority gets a name with each, so that certificates, lists and answers of each say
//! which key they are of.

use std::{fmt, str::FromStr};

use ca::Authority;
use hsm::KeyRef;

/// The authorities, the root first.
pub const AUTHORITIES: [Authority; 4] =
    [Authority::Root, Authority::Institutions, Authority::People, Authority::Devices];

/// An authority with one of its keys: the first is called as the authority, `ca-people`, those that follow have their
/// number, `ca-people-g2`. It is the name of the key, in the store, in the certificate, and in the addresses of its
/// lists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Generation {
    /// Position in [`AUTHORITIES`].
    authority: usize,
    number: u8,
}

/// A text is not the name of a generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not the name of an authority, such as ca-people or ca-people-g2")]
pub struct BadGeneration;

impl Generation {
    /// The root, whatever key it has.
    pub const ROOT: Self = Self { authority: 0, number: 1 };

    /// All authorities with their first keys, the root first.
    pub fn first() -> impl Iterator<Item = Self> {
        (0..AUTHORITIES.len()).map(|authority| Self { authority, number: 1 })
    }

    /// The one that takes its place; none of the root, and none after the last that there can be.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let number = self.number.checked_add(1).filter(|_| self != Self::ROOT)?;
        Some(Self { number, ..self })
    }

    /// Which authority this is.
    #[must_use]
    pub fn authority(self) -> Authority {
        AUTHORITIES[self.authority]
    }

    /// Its key.
    #[must_use]
    pub fn key(self) -> KeyRef {
        format!("soft:{self}").parse().expect("a generation's name is a key's")
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.authority() {
            Authority::Root => "ca-root",
            Authority::Institutions => "ca-institutions",
            Authority::People => "ca-people",
            Authority::Devices => "ca-devices",
        })?;
        match self.number {
            1 => Ok(()),
            number => write!(f, "-g{number}"),
        }
    }
}

impl FromStr for Generation {
    type Err = BadGeneration;

    fn from_str(text: &str) -> Result<Self, BadGeneration> {
        let (name, number) = match text.rsplit_once("-g") {
            Some((name, number)) => (name, number.parse().map_err(|_| BadGeneration)?),
            None => (text, 1),
        };
        let first = Self::first().find(|first| first.to_string() == name).ok_or(BadGeneration)?;
        let read = Self { number, ..first };
        // Each name is written in one way, and the root has one.
        let known = number == 1 || (number > 1 && first != Self::ROOT);
        (known && read.to_string() == text).then_some(read).ok_or(BadGeneration)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn generations_are_named_in_one_way() {
        assert_eq!(Generation::ROOT.next(), None);
        for first in Generation::first().skip(1) {
            let mut all = vec![first];
            all.extend(std::iter::successors(first.next(), |it| it.next()));
            assert_eq!(all.len(), 255);
            for generation in all {
                assert_eq!(generation.to_string().parse(), Ok(generation));
                assert_eq!(generation.authority(), first.authority());
                assert_eq!(generation.key().name(), generation.to_string());
            }
        }
        let people: Generation = "ca-people".parse().unwrap();
        assert_eq!(people.next().unwrap().to_string(), "ca-people-g2");
        for text in [
            "",
            "ca",
            "ca-",
            "people",
            "ca-people-g",
            "ca-people-g0",
            "ca-people-g1",
            "ca-people-g02",
            "ca-people-g+2",
            "ca-people-g256",
            "ca-people-g2-g3",
            "ca-people-g2 ",
            "CA-people",
            "ca-people-ocsp",
            "ca-root-g2",
            "tsa",
        ] {
            assert_eq!(text.parse::<Generation>(), Err(BadGeneration), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_it_was(text in "(ca-)?(root|people|devices)?(-?g?[0-9+]{0,4})") {
            if let Ok(generation) = text.parse::<Generation>() {
                prop_assert_eq!(generation.to_string(), text);
            }
        }
    }
}
