//! Whoever signs the log as a witness.

use std::{collections::BTreeSet, time::Duration};

use audit::cosignature::WitnessKey;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Most witnesses: their signatures stand below one checkpoint.
const MOST: usize = 8;

/// Whoever signs the log as a witness.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawWitnesses {
    /// Their keys, `name+id+base64`, as `healthcard witness begin` tells them.
    pub keys: Vec<String>,
    /// Seconds without a signature after which one is late, 60 to 604800.
    pub late: u64,
}

impl Default for RawWitnesses {
    fn default() -> Self {
        Self { keys: Vec::new(), late: 3600 }
    }
}

/// Whoever signs the log as a witness, checked.
#[derive(Debug, Clone)]
pub struct Witnesses {
    /// Their keys, each of another name.
    pub keys: Vec<WitnessKey>,
    /// How long after its last signature one is late.
    pub late: Duration,
}

impl Witnesses {
    pub(super) fn check(raw: &RawWitnesses) -> Result<Self, ConfigError> {
        let wrong = |why| ConfigError::Value { setting: "witnesses.keys", why };
        if raw.keys.len() > MOST {
            return Err(wrong("at most 8"));
        }
        let keys = raw.keys.iter().map(|key| key.parse()).collect::<Result<Vec<WitnessKey>, _>>();
        let keys = keys.map_err(|_| wrong("keys as `healthcard witness begin` tells them"))?;
        let names: BTreeSet<_> = keys.iter().map(WitnessKey::name).collect();
        let points: BTreeSet<_> = keys.iter().map(WitnessKey::public_key).collect();
        if names.len() < keys.len() || points.len() < keys.len() {
            return Err(wrong("each of another name and key"));
        }
        if !(60..=604_800).contains(&raw.late) {
            return Err(ConfigError::Value { setting: "witnesses.late", why: "60 to 604800" });
        }
        Ok(Self { keys, late: Duration::from_secs(raw.late) })
    }
}
