//! How long records are kept (保存期).

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How long records are kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRetention {
    /// Years after the end of a visit in which the resident is not erased on their own request, 1 to 100.
    pub records_years: u8,
}

impl Default for RawRetention {
    /// Records of inpatients (住院病历) are kept for thirty years, those of outpatients for fifteen: Regulations on Medical
    /// Records (医疗机构病历管理规定, 2013), article 29. The service does not know which visit was which.
    fn default() -> Self {
        Self { records_years: 30 }
    }
}

impl RawRetention {
    pub(super) fn check(&self) -> Result<i32, ConfigError> {
        match self.records_years {
            1..=100 => Ok(self.records_years.into()),
            _ => Err(ConfigError::Value { setting: "retention.records_years", why: "1 to 100" }),
        }
    }
}
