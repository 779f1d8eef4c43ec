//! The one reader of the system time; everything else is handed `now`. And where the desk's clock
//! hangs.

use time::{
    OffsetDateTime, UtcOffset,
    macros::{format_description, offset},
};

/// The zone of every desk: China has one (北京时间), the same all year.
pub(crate) const DESK: UtcOffset = offset!(+8);

/// The time now, in UTC.
#[expect(clippy::disallowed_methods, reason = "this is the clock that all else is handed")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// A time as statements and entries of the log have it: UTC, six digits of a second.
pub(crate) fn written(at: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    at.to_offset(UtcOffset::UTC).format(form).unwrap_or_default()
}
