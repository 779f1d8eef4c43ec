//! How long an emergency access lasts, what is owed for it, and how many are told of.

use std::time::Duration;

use serde::Deserialize;

use super::PolicyError;

/// What the rules say of emergency accesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmergencyRules {
    /// How long one lasts.
    pub lasts: Duration,
    /// Time for whoever began it to account for it, and then for a reviewer to give a finding.
    pub review: Duration,
    /// Of more than so many that one person begins within an hour the duty officer is told.
    pub told_above: u32,
    /// More than so many are refused.
    pub most: u32,
}

/// The same as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EmergencyText {
    minutes: Option<u32>,
    /// For exercises and tests, in place of minutes.
    seconds: Option<u32>,
    review_days: Option<u32>,
    told_above: Option<u32>,
    most_an_hour: Option<u32>,
}

impl EmergencyText {
    pub(super) fn check(self) -> Result<EmergencyRules, PolicyError> {
        let within = |field, range: std::ops::RangeInclusive<u32>, given: u32| match given {
            given if range.contains(&given) => Ok(given),
            _ => Err(PolicyError::Emergency(field)),
        };
        let lasts = match (self.minutes, self.seconds) {
            (minutes, None) => 60 * within("minutes", 1..=24 * 60, minutes.unwrap_or(60))?,
            (None, Some(seconds)) => within("seconds", 5..=59, seconds)?,
            (Some(_), Some(_)) => return Err(PolicyError::Emergency("seconds")),
        };
        let days = within("review_days", 1..=30, self.review_days.unwrap_or(3))?;
        let told_above = within("told_above", 1..=100, self.told_above.unwrap_or(3))?;
        let most = within("most_an_hour", 20..=1000, self.most_an_hour.unwrap_or(60))?;
        if most <= told_above {
            return Err(PolicyError::Emergency("most_an_hour"));
        }
        Ok(EmergencyRules {
            lasts: Duration::from_secs(lasts.into()),
            review: Duration::from_secs(u64::from(days) * 24 * 60 * 60),
            told_above,
            most,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EmergencyRules, PolicyError> {
        toml::from_str::<EmergencyText>(text).unwrap().check()
    }

    #[test]
    fn what_is_not_said_is_usual_and_what_is_said_is_bounded() {
        let usual = read("").unwrap();
        assert_eq!(usual.lasts, Duration::from_secs(3600));
        assert_eq!(usual.review, Duration::from_secs(3 * 86400));
        assert_eq!((usual.told_above, usual.most), (3, 60));
        assert_eq!(read("seconds = 5").unwrap().lasts, Duration::from_secs(5));
        #[rustfmt::skip]
        let cases = [
            ("minutes = 0", "minutes"), ("minutes = 1441", "minutes"),
            ("seconds = 4", "seconds"), ("seconds = 60", "seconds"), ("minutes = 5\nseconds = 30", "seconds"),
            ("review_days = 0", "review_days"), ("review_days = 31", "review_days"),
            ("told_above = 0", "told_above"), ("told_above = 101", "told_above"),
            ("most_an_hour = 19", "most_an_hour"), ("most_an_hour = 1001", "most_an_hour"),
            ("told_above = 20\nmost_an_hour = 20", "most_an_hour"),
        ];
        for (text, field) in cases {
            let found = read(text);
            assert!(
                matches!(found, Err(PolicyError::Emergency(it)) if it == field),
                "{text}: {found:?}"
            );
        }
    }
}
