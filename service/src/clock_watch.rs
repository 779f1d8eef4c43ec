//! Whether the clock of this machine goes as time does: it is held against a count of seconds that
//! nobody can set.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::clock::UtcTime;

/// How far the clock may move against the count since the look that is remembered. A clock that is
/// being brought right moves by half a millisecond a second at most, 30 ms a minute.
const TOLERANCE: time::Duration = time::Duration::milliseconds(500);
/// A look is remembered for so long: small steps within that time add up.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Remembers the last look at which clock and count went together.
pub(crate) struct ClockWatch {
    last: Mutex<(UtcTime, Instant)>,
}

/// The clock was set, or the machine slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock moved by {by} against a steady count")]
pub(crate) struct Jumped {
    /// How far: ahead, or back when negative.
    pub(crate) by: time::Duration,
}

impl ClockWatch {
    pub(crate) fn new(now: UtcTime, count: Instant) -> Self {
        Self { last: Mutex::new((now, count)) }
    }

    /// Looks at both. After a jump each look says so, until the clock goes with the count again: it
    /// was set right, or the service was started anew by somebody who knows that it is right.
    pub(crate) fn look(&self, now: UtcTime, count: Instant) -> Result<(), Jumped> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, counted) = *last;
        // Of two that look at the same time the later may come first.
        let passed = match count.checked_duration_since(counted) {
            Some(passed) => time::Duration::try_from(passed),
            None => time::Duration::try_from(counted.duration_since(count)).map(|back| -back),
        };
        let by = now - before - passed.unwrap_or(time::Duration::MAX);
        if by.abs() > TOLERANCE {
            return Err(Jumped { by });
        }
        if count >= counted + REMEMBERED {
            *last = (now, count);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_jump_is_told_until_it_is_taken_back() {
        let (start, zero) = (datetime!(2026-11-26 08:00 UTC), crate::clock::count());
        let watch = ClockWatch::new(start, zero);
        let second = time::Duration::SECOND;
        let jumped = |seconds| Err(Jumped { by: second * seconds });
        // (seconds that passed, how far the clock is off, what is said)
        for (passed, off, said) in [
            (60, 0, Ok(())),
            (3600, 0, Ok(())),
            (3660, 2, jumped(2)),
            (7200, 2, jumped(2)),
            (7260, 0, Ok(())),
            (7320, -3600, jumped(-3600)),
            (7319, 0, Ok(())),
            (7380, 0, Ok(())),
        ] {
            let now = start + second * passed + second * off;
            let count = zero + Duration::from_secs(u64::try_from(passed).unwrap());
            assert_eq!(watch.look(now, count), said, "after {passed} s");
        }
    }

    #[test]
    fn small_steps_add_up() {
        let (start, zero) = (datetime!(2026-11-26 08:00 UTC), crate::clock::count());
        let watch = ClockWatch::new(start, zero);
        let step = Duration::from_millis(200);
        let look = |number| {
            let passed = Duration::from_secs(10) * number;
            watch.look(start + passed + step * number, zero + passed)
        };
        assert_eq!([1, 2, 3].map(|number| look(number).is_ok()), [true, true, false]);
    }

    #[test]
    fn a_clock_that_is_brought_right_is_followed() {
        let (start, zero) = (datetime!(2026-11-26 08:00 UTC), crate::clock::count());
        let watch = ClockWatch::new(start, zero);
        // 500 ppm over an hour is almost two seconds, in steps of 30 ms.
        for minute in 1..=60 {
            let count = zero + Duration::from_secs(60 * minute);
            let now = start + Duration::from_millis(60_030 * minute);
            assert_eq!(watch.look(now, count), Ok(()));
        }
    }
}
