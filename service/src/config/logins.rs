//! When logins that fail again and again are locked out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// When the logins of one certificate from one address are locked out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawLogins {
    /// Refusals for a wrong signature or challenge that lock, 3 to 100.
    pub refusals: u32,
    /// Seconds within which they count, 60 to 86400, and more than the pauses between them take together.
    pub within: u64,
    /// Seconds that it stays locked, 5 to 3600. Where many desks share an address, few: all of them are locked out.
    pub locked: u64,
}

impl Default for RawLogins {
    fn default() -> Self {
        Self { refusals: 5, within: 900, locked: 900 }
    }
}

/// When the logins of one certificate from one address are locked out.
#[derive(Debug, Clone, Copy)]
pub struct LoginRules {
    /// Refusals that lock.
    pub refusals: u32,
    /// The time within which they count.
    pub within: Duration,
    /// How long it stays locked.
    pub locked: Duration,
}

/// Refusals that cost no pause; the one after them costs a second, and each further one twice as much, up to 32.
const FREE: u32 = 1;

impl LoginRules {
    /// The pause after so many refusals.
    pub(crate) fn pause(refusals: u32) -> Duration {
        let doublings = refusals.checked_sub(FREE + 1);
        doublings.map_or(Duration::ZERO, |times| Duration::from_secs(1 << times.min(5)))
    }

    pub(super) fn check(raw: &RawLogins) -> Result<Self, ConfigError> {
        if !(3..=100).contains(&raw.refusals) {
            return Err(ConfigError::Value { setting: "logins.refusals", why: "3 to 100" });
        }
        if !(60..=86_400).contains(&raw.within) {
            return Err(ConfigError::Value { setting: "logins.within", why: "60 to 86400" });
        }
        let within = Duration::from_secs(raw.within);
        let pauses: Duration = (1..raw.refusals).map(Self::pause).sum();
        if pauses >= within {
            let why = "longer than the pauses between `logins.refusals` refusals, or nothing is ever locked";
            return Err(ConfigError::Value { setting: "logins.within", why });
        }
        if !(5..=3600).contains(&raw.locked) {
            return Err(ConfigError::Value { setting: "logins.locked", why: "5 to 3600" });
        }
        Ok(Self { refusals: raw.refusals, within, locked: Duration::from_secs(raw.locked) })
    }
}
