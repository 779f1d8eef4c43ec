//! How long the log and records are kept (保存期), and by how many entries the log is closed.

use audit::segment::Instant;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::clock::{self, UtcTime};

/// How long the log and records are kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawRetention {
    /// Entries of a segment (日志分段), which is closed and removed as one: a power of two, 256 to 65536.
    pub segment: u64,
    /// Months that entries are kept, 6 to 1200; 0 keeps them for ever. A log is kept for six months at the least
    /// (Cybersecurity Law, article 21), what belongs to an inpatient's record for 30 years.
    pub log_months: u32,
    /// Whether entries are removed where no witness (见证方) is set that could hold the log to what it removed.
    pub without_witness: bool,
    /// Years after the end of a visit in which the resident is not erased on their own request, 1 to 100.
    pub records_years: u8,
}

impl Default for RawRetention {
    /// Records of inpatients (住院病历) are kept for thirty years, those of outpatients for fifteen: Regulations on Medical
    /// Records (医疗机构病历管理规定, 2013), article 29. The service does not know which visit was which.
    fn default() -> Self {
        Self { segment: 65_536, log_months: 360, without_witness: false, records_years: 30 }
    }
}

/// How long the log and records are kept, checked.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Entries of a segment.
    pub segment: u64,
    /// Years that what is on record of a visit is kept after its end.
    pub records_years: i32,
    /// Whether entries are removed that no witness could have signed.
    pub without_witness: bool,
    months: u32,
}

impl Retention {
    pub(super) fn check(raw: &RawRetention) -> Result<Self, ConfigError> {
        let RawRetention { segment, log_months: months, without_witness, records_years } = *raw;
        if !segment.is_power_of_two() || !(256..=65_536).contains(&segment) {
            let why = "a power of two, 256 to 65536";
            return Err(ConfigError::Value { setting: "retention.segment", why });
        }
        if months != 0 && !(6..=1200).contains(&months) {
            let why = "6 to 1200, or 0 to keep the log for ever";
            return Err(ConfigError::Value { setting: "retention.log_months", why });
        }
        if !(1..=100).contains(&records_years) {
            return Err(ConfigError::Value { setting: "retention.records_years", why: "1 to 100" });
        }
        Ok(Self { segment, records_years: records_years.into(), without_witness, months })
    }

    /// Months that entries of the log are kept; `None` where they are for ever.
    #[must_use]
    pub fn months(self) -> Option<u32> {
        (self.months != 0).then_some(self.months)
    }

    /// When the term of what was written at a time is over; `None` where it never is.
    #[must_use]
    pub fn over(self, written: UtcTime) -> Option<UtcTime> {
        let written = Instant::read(&clock::rfc3339(written))?;
        clock::read(&written.months_later(self.months()?)?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn retention(segment: u64, log_months: u32) -> Result<Retention, ConfigError> {
        Retention::check(&RawRetention { segment, log_months, ..RawRetention::default() })
    }

    #[test]
    fn a_term_is_over_on_the_day_of_its_month() {
        for (months, written, over) in [
            (6, datetime!(2026-05-28 10:00 UTC), datetime!(2026-11-28 10:00 UTC)),
            (6, datetime!(2026-08-31 23:59:59 UTC), datetime!(2027-03-01 23:59:59 UTC)),
            (7, datetime!(2026-12-31 0:00 UTC), datetime!(2027-07-31 0:00 UTC)),
            (360, datetime!(2024-02-29 1:00 UTC), datetime!(2054-03-01 1:00 UTC)),
            (12, datetime!(2026-12-01 7:00 +8), datetime!(2027-11-30 23:00 UTC)),
        ] {
            assert_eq!(retention(256, months).unwrap().over(written), Some(over), "{written}");
        }
        assert_eq!(retention(256, 0).unwrap().over(datetime!(2026-05-28 10:00 UTC)), None);
        assert_eq!(retention(256, 1200).unwrap().over(datetime!(9990-05-28 10:00 UTC)), None);
    }

    #[test]
    fn no_log_is_kept_too_short() {
        for (segment, months, setting) in [
            (128, 360, "retention.segment"),
            (131_072, 360, "retention.segment"),
            (300, 360, "retention.segment"),
            (0, 360, "retention.segment"),
            (256, 5, "retention.log_months"),
            (256, 1201, "retention.log_months"),
        ] {
            let refused = retention(segment, months);
            assert!(
                matches!(refused, Err(ConfigError::Value { setting: told, .. }) if told == setting),
                "{segment} {months}"
            );
        }
    }
}
