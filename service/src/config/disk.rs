//! What is expected of the disk.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::{disk::Budget, store::Limits};

const MIB: u64 = 1024 * 1024;

/// What is expected of the disk that records and log are on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawDisk {
    /// MiB that are free, below which somebody is warned, 1 to 10000000.
    pub low_mib: u64,
    /// The same, below which it is urgent, 1 to `low_mib`.
    pub critical_mib: u64,
    /// MiB of the reserve beside the database, which is given up when the disk is full, 0 (none) to 65536.
    pub reserve_mib: u64,
    /// Milliseconds above which a commit is slow, 10 to 60000.
    pub slow_milliseconds: u64,
    /// Seconds that a caller waits for a disk that does not come back, 1 to 60, and longer than a commit that is slow.
    pub patience_seconds: u64,
}

impl Default for RawDisk {
    fn default() -> Self {
        Self {
            low_mib: 2048,
            critical_mib: 512,
            reserve_mib: 64,
            slow_milliseconds: 1000,
            patience_seconds: 10,
        }
    }
}

impl RawDisk {
    pub(super) fn check(&self) -> Result<(Budget, Limits), ConfigError> {
        let within = |setting, value: u64, least: u64, most: u64, why| {
            if (least..=most).contains(&value) {
                Ok(value)
            } else {
                Err(ConfigError::Value { setting, why })
            }
        };
        let low = within("disk.low_mib", self.low_mib, 1, 10_000_000, "1 to 10000000")?;
        let critical = within("disk.critical_mib", self.critical_mib, 1, low, "1 to `low_mib`")?;
        let reserve = within("disk.reserve_mib", self.reserve_mib, 0, 65_536, "0 to 65536")?;
        let slow = self.slow_milliseconds;
        let slow = within("disk.slow_milliseconds", slow, 10, 60_000, "10 to 60000")?;
        let patience = within("disk.patience_seconds", self.patience_seconds, 1, 60, "1 to 60")?;
        let (slow, patience) = (Duration::from_millis(slow), Duration::from_secs(patience));
        if slow >= patience {
            let why = "longer than `disk.slow_milliseconds`";
            return Err(ConfigError::Value { setting: "disk.patience_seconds", why });
        }
        let budget = Budget { low: low * MIB, critical: critical * MIB, reserve: reserve * MIB };
        Ok((budget, Limits { slow, patience }))
    }
}
