//! How often one address may try to log in: a bucket of tokens per address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use crate::clock::UtcTime;

/// Tries that are allowed at once.
const BURST: f64 = 200.0;
/// Tries that come back each second.
const PER_SECOND: f64 = 20.0;
/// Addresses that are remembered.
const MOST: usize = 10_000;

/// Counts tries by address.
#[derive(Default)]
pub(crate) struct LoginRate {
    buckets: Mutex<HashMap<IpAddr, (f64, UtcTime)>>,
}

impl LoginRate {
    /// Whether one more try from `address` is allowed now.
    pub(crate) fn admit(&self, address: IpAddr, now: UtcTime) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(&address) {
            // Whoever has a full bucket again need not be remembered.
            buckets.retain(|_, (left, since)| refilled(*left, *since, now) < BURST);
            if buckets.len() >= MOST {
                return false;
            }
        }
        let (left, since) = buckets.entry(address).or_insert((BURST, now));
        *left = refilled(*left, *since, now);
        *since = now;
        let admitted = *left >= 1.0;
        if admitted {
            *left -= 1.0;
        }
        admitted
    }
}

fn refilled(left: f64, since: UtcTime, now: UtcTime) -> f64 {
    (left + (now - since).as_seconds_f64().max(0.0) * PER_SECOND).min(BURST)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_burst_is_allowed_then_a_rate_and_others_are_not_touched() {
        let rate = LoginRate::default();
        let now = datetime!(2026-11-23 08:00 UTC);
        let one = IpAddr::from([10, 0, 0, 1]);
        assert!((0..200).all(|_| rate.admit(one, now)));
        assert!(!rate.admit(one, now));
        assert!(rate.admit(IpAddr::from([10, 0, 0, 2]), now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| rate.admit(one, later)).count(), 20);
    }

    #[test]
    fn remembered_addresses_are_bounded() {
        let rate = LoginRate::default();
        let now = datetime!(2026-11-23 08:00 UTC);
        let address = |n: u32| IpAddr::V4(Ipv4Addr::from(n));
        assert!((0..10_000).all(|n| rate.admit(address(n), now)));
        assert!(!rate.admit(address(10_000), now));
        assert!(rate.admit(address(10_000), now + Duration::from_secs(1)));
    }
}
