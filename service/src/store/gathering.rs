//! Waiting for those who were just answered.
//!
//! Whoever was answered by one commit often comes again at once. A commit that begins before they are there has a part of
//! them only, and the others wait for two; pages, signature and flush are then paid for twice as well. So the writer
//! waits after a commit that several shared, as long as more come and as many are not there as were, but not longer than
//! that commit took. Where they do not come again, it goes on without waiting for a while.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use crate::clock;

/// When nobody came for so long, nobody is waited for.
const MOMENT: Duration = Duration::from_micros(200);
/// Commits that are not waited after when waiting was in vain.
const AFTER_VAIN: u32 = 32;

/// What the writer waits for, and who wakes it.
#[derive(Default)]
pub(super) struct Gathering {
    /// Facts in the queue that it is woken for; 0 while it does not wait.
    wanted: AtomicUsize,
    writer: OnceLock<Thread>,
}

impl Gathering {
    /// A fact came into the queue, which now has so many.
    pub(super) fn arrived(&self, queued: usize) {
        let wanted = self.wanted.load(Ordering::SeqCst);
        if wanted > 0
            && queued >= wanted
            && let Some(writer) = self.writer.get()
        {
            writer.unpark();
        }
    }

    /// Waits, on the thread of the writer, while more come within a moment, until so many are queued or the longest time
    /// is over.
    fn wait(&self, wanted: usize, moment: Duration, longest: Duration, queued: impl Fn() -> usize) {
        self.writer.get_or_init(thread::current);
        self.wanted.store(wanted, Ordering::SeqCst);
        let mut now = clock::count();
        let until = now + longest;
        let (mut seen, mut end) = (queued(), until.min(now + moment));
        // Whoever came late for the last one may wake it for nothing.
        while seen < wanted && now < end {
            thread::park_timeout(end - now);
            now = clock::count();
            let queued = queued();
            if queued > seen {
                (seen, end) = (queued, until.min(now + moment));
            }
        }
        self.wanted.store(0, Ordering::SeqCst);
    }
}

/// Whether waiting is worth its while.
#[derive(Default)]
pub(super) struct Habit {
    /// Commits that are still not waited after.
    without: u32,
}

impl Habit {
    /// Waits after a commit that `shared` facts shared and that took so long, for as many as are `wanted` for the next.
    pub(super) fn wait_again(
        &mut self,
        gathering: &Gathering,
        (shared, wanted): (usize, usize),
        took: Duration,
        queued: impl Fn() -> usize,
    ) {
        if shared < 2 {
            return;
        }
        if self.without > 0 {
            self.without -= 1;
            return;
        }
        gathering.wait(wanted, MOMENT, took, &queued);
        // Not even half of them.
        if queued() + shared.div_ceil(2) < wanted {
            self.without = AFTER_VAIN;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// How often it was looked how many are queued, who come one after the other until there are `most`.
    fn looked(wanted: usize, most: usize, longest: Duration) -> usize {
        let (gathering, looked) = (Gathering::default(), Cell::new(0));
        gathering.wait(wanted, Duration::from_millis(5), longest, || {
            looked.set(looked.get() + 1);
            looked.get().min(most)
        });
        assert_eq!(gathering.wanted.load(Ordering::SeqCst), 0, "nobody is woken later");
        looked.get()
    }

    #[test]
    fn they_are_waited_for_while_they_come() {
        assert_eq!(looked(1, 1, HOUR), 1, "enough are there");
        assert_eq!(looked(5, 5, HOUR), 5, "all come");
        assert!(looked(5, 3, HOUR) >= 4, "no more come");
        assert_eq!(looked(5, 5, Duration::ZERO), 1, "there is no time");
    }

    #[test]
    fn the_last_to_come_wakes_the_writer() {
        let (gathering, queued) = (Gathering::default(), AtomicUsize::new(1));
        gathering.arrived(1);
        thread::scope(|scope| {
            scope.spawn(|| {
                while gathering.wanted.load(Ordering::SeqCst) == 0 {
                    thread::yield_now();
                }
                queued.store(4, Ordering::SeqCst);
                gathering.arrived(4);
            });
            gathering.wait(4, HOUR, HOUR, || queued.load(Ordering::SeqCst));
        });
        assert_eq!(gathering.wanted.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn who_does_not_come_again_is_not_waited_for() {
        let (gathering, mut habit) = (Gathering::default(), Habit::default());
        let mut waits = |shared, queued: usize| {
            let looked = Cell::new(false);
            habit.wait_again(&gathering, (shared, shared + 1), HOUR, || {
                looked.set(true);
                queued
            });
            looked.get()
        };
        assert!(!waits(1, 0), "one alone");
        assert!(waits(4, 5) && waits(4, 3), "they come, or half of them");
        assert!(waits(4, 2), "it shows that they do not come");
        assert!((0..AFTER_VAIN).all(|_| !waits(4, 5)), "for a while");
        assert!(waits(4, 5));
    }
}
