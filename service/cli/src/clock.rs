//! The one reader of the system time; everything else is handed `now`.

use time::OffsetDateTime;

/// The time now, in UTC.
#[expect(clippy::disallowed_methods, reason = "this is the clock that all else is handed")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
