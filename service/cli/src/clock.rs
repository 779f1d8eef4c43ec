//! The one reader of the system time; everything else is handed `now`. And where the desk's clock
//! hangs.

use time::{OffsetDateTime, UtcOffset, macros::offset};

/// The zone of every desk: China has one (北京时间), the same all year.
pub(crate) const DESK: UtcOffset = offset!(+8);

/// The time now, in UTC.
#[expect(clippy::disallowed_methods, reason = "this is the clock that all else is handed")]
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
