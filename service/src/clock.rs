//! The one reader of system time. Everything else is handed `now`.

use time::OffsetDateTime;

/// A moment in UTC, precise to the microsecond, as the log and the certificates write it.
pub type UtcTime = OffsetDateTime;

/// The time now, cut to whole microseconds so that what is stored equals what was decided on.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one reader of system time")]
pub fn now() -> UtcTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}

/// RFC 3339 in UTC with six decimals, e.g. `2026-11-23T08:30:00.000001Z`: the form of the log.
#[must_use]
pub fn rfc3339(at: UtcTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.microsecond()
    )
}
