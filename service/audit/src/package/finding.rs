//! What is found out about a package beside its entries.

use std::fmt;

use super::{BadManifest, ContainerError};

/// Something about a package that is not as it was signed, by the member that shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Finding {
    /// Its octets are not those that the manifest has the digest of.
    Altered(String),
    /// It is not there.
    Missing(String),
    /// The manifest does not have it, or a package has no such member.
    Added(String),
    /// It stands in another's place.
    Misplaced(String),
    /// It is as it was signed, and not what it has to be.
    Malformed(String),
    /// It does not fit what the others say.
    Disagrees(String),
    /// It is no signature over what it has to be one of, by whom the package names.
    NotSigned(String),
    /// Who signed it is not who has to have signed it.
    Forged(String),
}

impl Finding {
    /// A stable word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Altered(_) => "member_altered",
            Self::Missing(_) => "member_missing",
            Self::Added(_) => "member_added",
            Self::Misplaced(_) => "member_misplaced",
            Self::Malformed(_) => "member_malformed",
            Self::Disagrees(_) => "member_disagrees",
            Self::NotSigned(_) => "member_not_signed",
            Self::Forged(_) => "member_forged",
        }
    }

    /// The member.
    pub fn member(&self) -> &str {
        match self {
            Self::Altered(name)
            | Self::Missing(name)
            | Self::Added(name)
            | Self::Misplaced(name)
            | Self::Malformed(name)
            | Self::Disagrees(name)
            | Self::NotSigned(name)
            | Self::Forged(name) => name,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Altered(_) => "was altered",
            Self::Missing(_) => "is missing",
            Self::Added(_) => "was added",
            Self::Misplaced(_) => "is in another's place",
            Self::Malformed(_) => "is as it was signed, and not what it has to be",
            Self::Disagrees(_) => "does not fit the rest of the package",
            Self::NotSigned(_) => "is not the signature that it has to be",
            Self::Forged(_) => "was not made by whom it names",
        };
        write!(f, "{} {what}", self.member())
    }
}

/// What is needed to believe a package and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// The key given is not one of the log's, as far as the package knows.
    KeyUnknown,
    /// The key given vouches for so many entries of the log, and the package has some that came later.
    KeyStops {
        /// The number.
        size: u64,
    },
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyUnknown => {
                f.write_str("the key given is none of the log that the package names")
            }
            Self::KeyStops { size } => {
                write!(f, "the key given vouches for the first {size} entries of the log alone")
            }
        }
    }
}

/// Why a file is not judged as a package.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The container is none.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// There is no manifest.
    #[error("the package has no manifest")]
    NoManifest,
    /// The manifest is none.
    #[error("reading the manifest")]
    Manifest(#[from] BadManifest),
}
