//! Settings of the numbers for whoever watches the service.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Who is given the numbers of `/metrics`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawMetrics {
    /// `nobody`; `this_machine` for programs on the same machine, among them a proxy that lets others through; or
    /// `insecure_anybody`.
    pub readers: String,
}

impl Default for RawMetrics {
    fn default() -> Self {
        Self { readers: "nobody".to_owned() }
    }
}

/// Who is given the numbers, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsReaders {
    /// Nobody.
    Nobody,
    /// Whoever connects from this machine.
    ThisMachine,
    /// Anybody.
    Anybody,
}

impl MetricsReaders {
    pub(super) fn check(raw: &RawMetrics) -> Result<Self, ConfigError> {
        match raw.readers.as_str() {
            "nobody" => Ok(Self::Nobody),
            "this_machine" => Ok(Self::ThisMachine),
            "insecure_anybody" => Ok(Self::Anybody),
            _ => Err(ConfigError::Value {
                setting: "metrics.readers",
                why: "nobody, this_machine or insecure_anybody",
            }),
        }
    }
}
