//! What revocation lists are called: in addresses, in the log.

use std::{fmt, str::FromStr};

use ca::crl::SerialRange;

use crate::{generation::Generation, store::ListPart};

/// Which list: `ca-people`, `ca-people-4a` of one range of serial numbers, and the same with `-delta`
/// for what has changed. Each generation of an authority has lists of its own: `ca-people-g2-4a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListName {
    /// Whose certificates it is about.
    pub(crate) generation: Generation,
    /// Of one range of serial numbers only.
    pub(crate) range: Option<SerialRange>,
    /// Whether it tells all of them, or what has changed.
    pub(crate) kind: ListKind,
}

/// What a list tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// All that are revoked.
    Complete,
    /// What has changed since a complete list.
    Delta,
}

/// A text is not the name of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a revocation list")]
pub struct BadListName;

const DELTA: &str = "-delta";

impl ListName {
    /// The complete list of a part.
    pub(crate) fn complete(generation: Generation, range: Option<SerialRange>) -> Self {
        Self { generation, range, kind: ListKind::Complete }
    }

    /// What has changed in the same part.
    pub(crate) fn delta(self) -> Self {
        Self { kind: ListKind::Delta, ..self }
    }

    /// The same of all certificates of the generation.
    pub(crate) fn of_all(self) -> Self {
        Self { range: None, ..self }
    }

    /// The part as it stands on record.
    pub(crate) fn part(self) -> ListPart {
        ListPart {
            issuer: self.generation.to_string(),
            range: self.range.map(|range| range.to_string()),
        }
    }

    /// Where the list is, below the address of a service.
    pub(crate) fn url(self, below: &str) -> String {
        format!("{below}/crl/{self}.crl")
    }
}

impl fmt::Display for ListName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.generation)?;
        if let Some(range) = self.range {
            write!(f, "-{range}")?;
        }
        match self.kind {
            ListKind::Complete => Ok(()),
            ListKind::Delta => f.write_str(DELTA),
        }
    }
}

impl FromStr for ListName {
    type Err = BadListName;

    fn from_str(text: &str) -> Result<Self, BadListName> {
        let (part, kind) = match text.strip_suffix(DELTA) {
            Some(part) => (part, ListKind::Delta),
            None => (text, ListKind::Complete),
        };
        if let Ok(generation) = part.parse() {
            return Ok(Self { generation, range: None, kind });
        }
        let (name, range) = part.rsplit_once('-').ok_or(BadListName)?;
        let generation = name.parse().map_err(|_| BadListName)?;
        let range = range.parse().map_err(|_| BadListName)?;
        Ok(Self { generation, range: Some(range), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for generation in
            Generation::first().chain(Generation::first().filter_map(Generation::next))
        {
            for range in [None].into_iter().chain(SerialRange::all().map(Some)) {
                let name = ListName::complete(generation, range);
                for name in [name, name.delta()] {
                    assert_eq!(name.to_string().parse(), Ok(name));
                }
            }
        }
        let name: ListName = "ca-people-4a-delta".parse().unwrap();
        let url = name.url("http://ca.example.invalid");
        assert_eq!(url, "http://ca.example.invalid/crl/ca-people-4a-delta.crl");
        for text in [
            "",
            "ca",
            "ca-people-",
            "ca-people-3f",
            "ca-people-80",
            "ca-people-4A",
            "-4a",
            "ca-people-delta-4a",
            "ca-people-delta-delta",
            "ca-people-4a-4a",
            "ca-people-4a-g2",
            "ca-people-g2-g3",
            "ca-root-g2",
            "tsa-40",
        ] {
            assert_eq!(text.parse::<ListName>(), Err(BadListName), "{text}");
        }
    }
}
