//! How the service goes over its own log, to see whether it still is what was signed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How the service goes over its own log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawScrub {
    /// Seconds in which it goes over the whole log once, 1 to 31536000.
    pub round: u64,
    /// Most entries that it looks at in a second, 100 to 100000; a log for which they are too few takes longer.
    pub most: u32,
}

impl Default for RawScrub {
    fn default() -> Self {
        Self { round: 24 * 3600, most: 2000 }
    }
}

/// How the service goes over its own log, checked.
#[derive(Debug, Clone, Copy)]
pub struct Scrub {
    round: Duration,
    most: u32,
}

impl Scrub {
    pub(super) fn check(raw: &RawScrub) -> Result<Self, ConfigError> {
        if !(1..=31_536_000).contains(&raw.round) {
            return Err(ConfigError::Value { setting: "scrub.round", why: "1 to 31536000" });
        }
        if !(100..=100_000).contains(&raw.most) {
            return Err(ConfigError::Value { setting: "scrub.most", why: "100 to 100000" });
        }
        Ok(Self { round: Duration::from_secs(raw.round), most: raw.most })
    }

    /// How long to wait after so many entries of a log of this size: the round is as long as it is to be, and no second
    /// has more than the most.
    #[must_use]
    pub fn pause(self, entries: u64, size: u64) -> Duration {
        let share = entries as f64 / size.max(entries).max(1) as f64;
        let shortest = Duration::from_secs_f64(entries as f64 / f64::from(self.most));
        self.round.mul_f64(share).max(shortest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_takes_its_time_and_no_second_too_much() {
        let scrub = Scrub::check(&RawScrub { round: 1000, most: 2000 }).unwrap();
        for (entries, size, milliseconds) in [
            (1024, 10_240, 100_000),
            (1024, 1_024_000, 1000),
            // Too many for a round: the most that a second may have.
            (1024, 1_024_000_000, 512),
            (5, 5, 1_000_000),
            (0, 0, 0),
        ] {
            let pause = scrub.pause(entries, size);
            assert_eq!(pause.as_millis(), milliseconds, "{entries} of {size}");
        }
    }
}
