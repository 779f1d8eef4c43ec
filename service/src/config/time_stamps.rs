//! Settings of time stamps.

use ca::cms::World;
use ca::timestamp::{Policy, Terms};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Identifier of what this service promises when nothing else is set, under the arc of UUIDs (ITU-T
/// X.667): the clock of the machine, watched for jumps; each stamp in the log before it is signed.
const POLICY: &str = "2.25.194130109155388351410475059099725349798";

/// How times are stamped.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawTimeStamps {
    /// Object identifier of the policy.
    pub policy: String,
    /// How far the time may be off either way, milliseconds, 1 to 60000.
    pub accuracy: u32,
    /// Under which numbers tokens go: `rfc3161`, or `gm-t-0033` for the national ones.
    pub form: String,
    /// Whether anybody is given stamps, or only who has a session: each is an entry in the log.
    pub insecure_for_anybody: bool,
}

impl Default for RawTimeStamps {
    fn default() -> Self {
        Self {
            policy: POLICY.to_owned(),
            accuracy: 1000,
            form: "rfc3161".to_owned(),
            insecure_for_anybody: false,
        }
    }
}

/// How times are stamped, checked.
#[derive(Debug, Clone)]
pub struct TimeStamps {
    /// Policy, accuracy and form.
    pub terms: Terms,
    /// Who gets stamps.
    pub clients: Clients,
}

/// Who gets stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Those who have a session.
    Sessions,
    /// Anybody, at a rate.
    Anybody,
}

impl TimeStamps {
    pub(super) fn check(raw: RawTimeStamps) -> Result<Self, ConfigError> {
        let policy: Policy = raw.policy.parse().map_err(|_| ConfigError::Value {
            setting: "time_stamps.policy",
            why: "an object identifier, such as 1.2.156.1",
        })?;
        if !(1..=60_000).contains(&raw.accuracy) {
            return Err(ConfigError::Value { setting: "time_stamps.accuracy", why: "1 to 60000" });
        }
        let world = match raw.form.as_str() {
            "rfc3161" => World::Rfc5652,
            "gm-t-0033" => World::Gm0010,
            _ => {
                let why = "rfc3161 or gm-t-0033";
                return Err(ConfigError::Value { setting: "time_stamps.form", why });
            }
        };
        let clients = match raw.insecure_for_anybody {
            true => Clients::Anybody,
            false => Clients::Sessions,
        };
        let accuracy = time::Duration::milliseconds(raw.accuracy.into());
        Ok(Self { terms: Terms { policy, accuracy, world }, clients })
    }
}
