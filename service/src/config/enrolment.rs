//! How certificates are issued: which take one person.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::{policy::Policy, vocabulary::Role};

/// How certificates are issued.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawEnrolment {
    /// Roles whose certificates one operator issues alone; none when absent. Only such as neither enrol,
    /// review, administer nor audit by the rules, and are people: doctors and nurses.
    pub one_person: Vec<Role>,
    /// Hours in which a second person reviews what the first entered, 1 to 720.
    pub review_hours: u32,
}

impl Default for RawEnrolment {
    fn default() -> Self {
        Self { one_person: Vec::new(), review_hours: 72 }
    }
}

/// How certificates are issued.
#[derive(Debug, Clone)]
pub struct EnrolmentRules {
    /// Roles whose certificates are issued on the entry alone.
    pub one_person: Vec<Role>,
    /// How long an entry waits for a second person.
    pub review: time::Duration,
}

impl EnrolmentRules {
    pub(super) fn check(raw: RawEnrolment, policy: &Policy) -> Result<Self, ConfigError> {
        if !(1..=720).contains(&raw.review_hours) {
            return Err(ConfigError::Value { setting: "enrolment.review_hours", why: "1 to 720" });
        }
        if raw.one_person.iter().any(|role| policy.takes_two_persons(*role)) {
            return Err(ConfigError::Value {
                setting: "enrolment.one_person",
                why: "roles of people who neither enrol, review, administer nor audit by the rules",
            });
        }
        let review = time::Duration::hours(raw.review_hours.into());
        Ok(Self { one_person: raw.one_person, review })
    }
}
