use std::fmt;
use std::str::FromStr;

use crate::key::CardKey;

/// A directory of the health application (目录文件).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Directory {
    /// The application's own directory (DDF1), directly under the master file: who holds the card.
    Ddf1,
    /// Address, contacts, documents (DF01).
    Df01,
    /// Clinical basics (DF02).
    Df02,
    /// Records of visits (DF03).
    Df03,
}

impl Directory {
    /// All of them, in the order of the card.
    pub const ALL: [Self; 4] = [Self::Ddf1, Self::Df01, Self::Df02, Self::Df03];

    /// File identifier, by which it is selected.
    pub const fn id(self) -> u16 {
        match self {
            Self::Ddf1 => 0xDDF1,
            Self::Df01 => 0xDF01,
            Self::Df02 => 0xDF02,
            Self::Df03 => 0xDF03,
        }
    }

    /// The key that protects changes on the line (STK, 线路保护密钥).
    pub const fn line_key(self) -> CardKey {
        match self {
            Self::Ddf1 => CardKey::StkDdf1,
            Self::Df01 => CardKey::StkDf01,
            Self::Df02 => CardKey::StkDf02,
            Self::Df03 => CardKey::StkDf03,
        }
    }

    /// The key that blocks and unblocks it (LK, 应用锁定密钥). DDF1 has none: the whole card is
    /// blocked with BK_MF.
    pub const fn lock_key(self) -> Option<CardKey> {
        match self {
            Self::Ddf1 => None,
            Self::Df01 => Some(CardKey::LkDf01),
            Self::Df02 => Some(CardKey::LkDf02),
            Self::Df03 => Some(CardKey::LkDf03),
        }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.id())
    }
}

/// Name of an elementary file: its directory and its identifier there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName {
    /// The directory it is in.
    pub directory: Directory,
    /// File identifier, by which it is selected there.
    pub id: u16,
}

impl FileName {
    pub(super) const fn of(directory: Directory, id: u16) -> Self {
        Self { directory, id }
    }
}

/// As `DF01/EF05`.
impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:04X}", self.directory, self.id)
    }
}

/// Text that names no file of a health card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such file; names are like DDF1/EF05")]
pub struct NoSuchFile;

impl FromStr for FileName {
    type Err = NoSuchFile;

    fn from_str(text: &str) -> Result<Self, NoSuchFile> {
        let named = super::FILES.into_iter().find(|file| file.name.to_string() == text);
        named.map(|file| file.name).ok_or(NoSuchFile)
    }
}
