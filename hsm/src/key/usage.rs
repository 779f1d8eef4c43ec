//! What a key is for.

use std::fmt;
use std::str::FromStr;

/// The one thing a key does. A key made for one use refuses every other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum KeyUse {
    /// Signs certificates and revocation lists: a root or an issuing CA.
    SignCertificates,
    /// Signs access tokens.
    SignTokens,
    /// Signs checkpoints of the audit log.
    SignLog,
    /// Signs answers about the status of certificates (OCSP).
    SignStatus,
    /// Signs time stamps (RFC 3161).
    SignTimestamps,
    /// Seals data at rest.
    SealData,
    /// Computes blind indexes.
    Index,
    /// Diversifies card keys.
    CardMaster,
    /// Signs codes of electronic cards.
    SignCodes,
    /// Authenticates codes of electronic cards.
    MacCodes,
    /// Signs lists of cards that are not to be served.
    SignCardLists,
    /// Signs records on cards.
    SignRecords,
    /// Decrypts keys that were enveloped for it (加密密钥对): it never signs.
    Decrypt,
    /// Signs handshakes of national TLS (RFC 8998): the service shows who it is.
    SignHandshakes,
    /// Signs revocation lists, and certificates of who answers about the status of others: an issuing
    /// CA that another key has succeeded. It certifies nobody else.
    SignLists,
    /// Signs bundles of rules of access (授权规则).
    SignRules,
}

/// How keys of a use compute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// SM2 signatures over SM3.
    Sm2,
    /// SM2 decryption.
    Sm2Decryption,
    /// SM4-GCM.
    Sm4Gcm,
    /// HMAC-SM3.
    HmacSm3,
    /// The SM4 block.
    Sm4,
}

impl KeyUse {
    /// Every use, in the order of their codes.
    pub const ALL: [Self; 16] = [
        Self::SignCertificates,
        Self::SignTokens,
        Self::SignLog,
        Self::SignStatus,
        Self::SignTimestamps,
        Self::SealData,
        Self::Index,
        Self::CardMaster,
        Self::SignCodes,
        Self::MacCodes,
        Self::SignCardLists,
        Self::SignRecords,
        Self::Decrypt,
        Self::SignHandshakes,
        Self::SignLists,
        Self::SignRules,
    ];

    /// The algorithm of keys of this use.
    #[must_use]
    pub fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::SignCertificates
            | Self::SignTokens
            | Self::SignLog
            | Self::SignStatus
            | Self::SignTimestamps
            | Self::SignCodes
            | Self::SignCardLists
            | Self::SignRecords
            | Self::SignHandshakes
            | Self::SignLists
            | Self::SignRules => KeyAlgorithm::Sm2,
            Self::Decrypt => KeyAlgorithm::Sm2Decryption,
            Self::SealData => KeyAlgorithm::Sm4Gcm,
            Self::Index | Self::MacCodes => KeyAlgorithm::HmacSm3,
            Self::CardMaster => KeyAlgorithm::Sm4,
        }
    }

    /// The word for this use in configuration and output, as in `sign-tokens`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SignCertificates => "sign-certificates",
            Self::SignTokens => "sign-tokens",
            Self::SignLog => "sign-log",
            Self::SignStatus => "sign-status",
            Self::SignTimestamps => "sign-timestamps",
            Self::SealData => "seal-data",
            Self::Index => "index",
            Self::CardMaster => "card-master",
            Self::SignCodes => "sign-codes",
            Self::MacCodes => "mac-codes",
            Self::SignCardLists => "sign-card-lists",
            Self::SignRecords => "sign-records",
            Self::Decrypt => "decrypt",
            Self::SignHandshakes => "sign-handshakes",
            Self::SignLists => "sign-lists",
            Self::SignRules => "sign-rules",
        }
    }

    /// The use to which a key of this one can be restricted: a part of what it did, and nothing else.
    #[must_use]
    pub fn restricted(self) -> Option<Self> {
        (self == Self::SignCertificates).then_some(Self::SignLists)
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyUse {
    type Err = UnknownUse;

    fn from_str(text: &str) -> Result<Self, UnknownUse> {
        Self::ALL.into_iter().find(|key_use| key_use.name() == text).ok_or(UnknownUse)
    }
}

/// The text names no use of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a use of a key, such as sign-tokens or seal-data")]
pub struct UnknownUse;
