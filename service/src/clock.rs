//! The one reader of system time. Everything else is handed `now`.

use std::time::Instant;

use time::{Date, Month, OffsetDateTime, format_description::well_known::Rfc3339};

/// A moment in UTC, precise to the microsecond, as the log and the certificates write it.
pub type UtcTime = OffsetDateTime;

/// The time now, cut to whole microseconds so that what is stored equals what was decided on.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one reader of system time")]
pub fn now() -> UtcTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}

/// A count of time that nobody can set, to hold the clock against.
#[must_use]
pub fn count() -> Instant {
    Instant::now()
}

/// The date at a desk: all of China keeps one time, UTC+8 (GB/T 7408). What is printed on a card as
/// its last day ends with that day there.
#[must_use]
pub fn date_at_desk(now: UtcTime) -> Date {
    now.to_offset(time::macros::offset!(+8)).date()
}

/// The day so many years after another. After 29 February it is the 28th where the year has no 29th: a term that ends on
/// a day the month lacks ends with the month.
#[must_use]
pub fn years_after(day: Date, years: i32) -> Date {
    let year = day.year().saturating_add(years);
    let in_month = |number| Date::from_calendar_date(year, day.month(), number);
    let leap_day = day.month() == Month::February && day.day() == 29;
    let found =
        in_month(day.day()).or_else(|error| if leap_day { in_month(28) } else { Err(error) });
    // Only a year beyond 9999 has no such day.
    found.unwrap_or(Date::MAX)
}

/// When a day is over at a desk.
#[must_use]
pub fn over_at_desk(day: Date) -> UtcTime {
    let next = day.next_day().unwrap_or(day);
    next.midnight().assume_offset(time::macros::offset!(+8)).to_offset(time::UtcOffset::UTC)
}

/// A time at a desk for people to read, to the second: `2026-11-23 16:30:00`.
#[must_use]
pub fn moment_at_desk(at: UtcTime) -> String {
    let at = at.to_offset(time::macros::offset!(+8));
    format!("{} {:02}:{:02}:{:02}", at.date(), at.hour(), at.minute(), at.second())
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

/// Reads a time in that form; no other is one.
#[must_use]
pub fn read(text: &str) -> Option<UtcTime> {
    let at = UtcTime::parse(text, &Rfc3339).ok()?;
    (rfc3339(at) == text).then_some(at)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_day_at_the_desk_ends_eight_hours_before_it_does_in_utc() {
        for (now, date) in [
            (datetime!(2026-11-22 15:59:59 UTC), date!(2026 - 11 - 22)),
            (datetime!(2026-11-22 16:00 UTC), date!(2026 - 11 - 23)),
        ] {
            assert_eq!(date_at_desk(now), date);
        }
        let over = over_at_desk(date!(2026 - 11 - 22));
        assert_eq!(over, datetime!(2026-11-22 16:00 UTC));
    }

    #[test]
    fn people_read_the_time_of_their_desk() {
        let at = datetime!(2026-11-22 16:04:05.6 UTC);
        assert_eq!(moment_at_desk(at), "2026-11-23 00:04:05");
    }

    #[test]
    fn times_of_the_log_have_one_form() {
        let at = datetime!(2026-01-02 03:04:05.000_006 +08:00);
        assert_eq!(rfc3339(at), "2026-01-01T19:04:05.000006Z");
    }
}
