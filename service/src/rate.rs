//! How often somebody may try: a bucket of tries for each, which fills again with time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use crate::clock::UtcTime;

/// Buckets by whom they belong to.
pub(crate) struct Buckets<K> {
    /// Tries that are allowed at once.
    burst: f64,
    /// Tries that come back each second.
    per_second: f64,
    /// Buckets that are remembered; beyond them nobody new is admitted.
    most: usize,
    buckets: Mutex<HashMap<K, (f64, UtcTime)>>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(crate) fn new(burst: f64, per_second: f64, most: usize) -> Self {
        Self { burst, per_second, most, buckets: Mutex::default() }
    }

    /// Whether one more try of `key` is allowed now.
    #[must_use]
    pub(crate) fn admit(&self, key: K, now: UtcTime) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.most && !buckets.contains_key(&key) {
            // Whoever has a full bucket again need not be remembered.
            buckets.retain(|_, (left, since)| self.refilled(*left, *since, now) < self.burst);
            if buckets.len() >= self.most {
                return false;
            }
        }
        let (left, since) = buckets.entry(key).or_insert((self.burst, now));
        *left = self.refilled(*left, *since, now);
        *since = now;
        let admitted = *left >= 1.0;
        if admitted {
            *left -= 1.0;
        }
        admitted
    }

    fn refilled(&self, left: f64, since: UtcTime, now: UtcTime) -> f64 {
        let seconds = (now - since).as_seconds_f64().max(0.0);
        (left + seconds * self.per_second).min(self.burst)
    }
}
