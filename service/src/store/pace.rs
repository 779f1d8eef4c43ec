//! How long commits take, and who waits for them.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use crate::clock::{self, UtcTime};

/// How far back the slowest commit is remembered, at least; at most twice as long.
const LATELY: Duration = Duration::from_secs(300);
/// How long a commit that was slow makes the disk a slow one.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What is expected of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A commit that takes longer is slow.
    pub slow: Duration,
    /// How long a caller waits for the disk at the most.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { slow: Duration::from_secs(1), patience: Duration::from_secs(10) }
    }
}

/// How commits go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// When the last one that succeeded was on disk, and how long it took.
    pub last: Option<(UtcTime, Duration)>,
    /// How long the slowest took of the last five to ten minutes.
    pub slowest: Duration,
    /// How long whoever has waited longest waits for the one under way.
    pub waits: Option<Duration>,
    /// Whether the one under way, or one within the last minute, took longer than the limit.
    pub slow: bool,
    /// Whether the one under way takes longer than anybody waits: what comes now is refused.
    pub stuck: bool,
}

/// Keeps it.
#[derive(Default)]
pub(super) struct Watch {
    limits: OnceLock<Limits>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    under_way: Option<UnderWay>,
    last: Option<(UtcTime, Duration)>,
    /// When one was slow.
    slow_at: Option<Instant>,
    /// Since when the slowest is looked for, it, and the one of the time before.
    since: Option<Instant>,
    slowest: Duration,
    slowest_before: Duration,
}

#[derive(Clone, Copy)]
struct UnderWay {
    /// Since when whoever waits longest waits.
    oldest: Instant,
    begun: Instant,
}

impl Watch {
    /// Says what is expected; the first word counts.
    pub(super) fn limit(&self, limits: Limits) {
        let _ = self.limits.set(limits);
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits.get().copied().unwrap_or_default()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit begins, for which somebody waits since `oldest`.
    pub(super) fn begin(&self, oldest: Instant) {
        self.seen().under_way = Some(UnderWay { oldest, begun: clock::count() });
    }

    /// It is over; `committed` when all of it is on disk.
    pub(super) fn end(&self, committed: bool) {
        let (at, count) = (clock::now(), clock::count());
        let limits = self.limits();
        let mut seen = self.seen();
        let Some(UnderWay { begun, .. }) = seen.under_way.take() else { return };
        let took = count.saturating_duration_since(begun);
        if committed {
            seen.last = Some((at, took));
        }
        if took > limits.slow {
            seen.slow_at = Some(count);
        }
        seen.pass(count);
        seen.slowest = seen.slowest.max(took);
    }

    /// Whether nobody should wait for the disk now.
    pub(super) fn is_stuck(&self) -> bool {
        let patience = self.limits().patience;
        self.seen().under_way.is_some_and(|it| it.begun.elapsed() > patience)
    }

    pub(super) fn look(&self) -> Pace {
        let Limits { slow, patience } = self.limits();
        let count = clock::count();
        let mut seen = self.seen();
        seen.pass(count);
        let of = |since: Instant| count.saturating_duration_since(since);
        let lasts = seen.under_way.map(|it| of(it.begun));
        Pace {
            last: seen.last,
            slowest: seen.slowest.max(seen.slowest_before).max(lasts.unwrap_or_default()),
            waits: seen.under_way.map(|it| of(it.oldest)),
            slow: lasts.is_some_and(|lasts| lasts > slow)
                || seen.slow_at.is_some_and(|at| of(at) < REMEMBERED),
            stuck: lasts.is_some_and(|lasts| lasts > patience),
        }
    }
}

impl Seen {
    /// Forgets what was slow long ago.
    fn pass(&mut self, count: Instant) {
        let since = *self.since.get_or_insert(count);
        let passed = count.saturating_duration_since(since);
        if passed >= LATELY {
            self.slowest_before = if passed < 2 * LATELY { self.slowest } else { Duration::ZERO };
            self.slowest = Duration::ZERO;
            self.since = Some(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_is_forgotten_after_a_while() {
        let zero = clock::count();
        let second = Duration::from_secs(1);
        let mut seen = Seen::default();
        seen.pass(zero);
        seen.slowest = second;
        // (when it is looked at, the slowest since, and of the time before)
        for (after, slowest, before) in [
            (LATELY - second, second, Duration::ZERO),
            (LATELY, Duration::ZERO, second),
            (2 * LATELY - second, Duration::ZERO, second),
            (2 * LATELY, Duration::ZERO, Duration::ZERO),
        ] {
            seen.pass(zero + after);
            assert_eq!((seen.slowest, seen.slowest_before), (slowest, before), "{after:?}");
        }
        seen.slowest = second;
        seen.pass(zero + 9 * LATELY);
        assert_eq!((seen.slowest, seen.slowest_before), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn a_commit_under_way_is_slow_and_then_stuck() {
        let watch = Watch::default();
        watch.limit(Limits { slow: Duration::ZERO, patience: Duration::from_secs(3600) });
        assert_eq!(watch.look(), Pace::default());
        let oldest = clock::count();
        watch.begin(oldest);
        let pace = watch.look();
        assert!(pace.slow && !pace.stuck && pace.waits.is_some() && pace.last.is_none());
        watch.end(true);
        let pace = watch.look();
        assert!(
            pace.slow
                && pace.waits.is_none()
                && pace.last.is_some_and(|(_, took)| took <= pace.slowest)
        );

        let watch = Watch::default();
        watch.limit(Limits { slow: Duration::from_secs(3600), patience: Duration::ZERO });
        watch.begin(oldest);
        assert!(watch.is_stuck() && watch.look().stuck && !watch.look().slow);
        watch.end(false);
        let pace = watch.look();
        assert!(!watch.is_stuck() && !pace.stuck && pace.last.is_none(), "nothing is on disk");
    }
}
