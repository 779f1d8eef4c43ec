//! Settings of revocation lists.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How revocation lists are divided.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRevocationLists {
    /// Revoked certificates of one authority above which each of 64 ranges of serial numbers has a
    /// list of its own, 0 to 100000. Takes `public_url`.
    pub ranges_above: usize,
}

impl Default for RawRevocationLists {
    fn default() -> Self {
        Self { ranges_above: 20_000 }
    }
}

impl RawRevocationLists {
    pub(super) fn check(&self) -> Result<usize, ConfigError> {
        match self.ranges_above {
            above @ 0..=100_000 => Ok(above),
            _ => Err(ConfigError::Value {
                setting: "revocation_lists.ranges_above",
                why: "0 to 100000",
            }),
        }
    }
}
