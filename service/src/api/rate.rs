//! How often one peer may ask for what costs something: a bucket of tries for each IPv4 address or IPv6 /64.
//!
//! A login is two tries, since asking for a challenge and answering it are calls of their own. A
//! call with a token that was not seen before is one.

use std::net::IpAddr;

use crate::{clock::UtcTime, rate::Buckets, serve::network};

/// Tries of a login: its challenge and its answer.
const LOGIN: f64 = 2.0;
/// Tries that are allowed at once: 200 logins.
const BURST: f64 = 200.0 * LOGIN;
/// Tries that come back each second: 20 logins.
const PER_SECOND: f64 = 20.0 * LOGIN;
/// Peers that are remembered.
const MOST: usize = 10_000;

/// Stamps that one peer may have at once, and that come back each second.
const STAMPS: (f64, f64) = (100.0, 20.0);
/// Answers about certificates that have to be signed for one peer at once, and that come back each
/// second. Those that are kept ready cost nothing, and are not counted.
const STATUSES: (f64, f64) = (400.0, 100.0);

/// Counts by peer what is asked for without a session, or to get one.
pub(crate) struct PeerRate(Buckets<IpAddr>);

impl PeerRate {
    /// Of tries to get in.
    pub(crate) fn of_logins() -> Self {
        Self(Buckets::new(BURST, PER_SECOND, MOST))
    }

    /// Of time stamps.
    pub(crate) fn of_stamps() -> Self {
        Self(Buckets::new(STAMPS.0, STAMPS.1, MOST))
    }

    /// Of signed answers about certificates.
    pub(crate) fn of_statuses() -> Self {
        Self(Buckets::new(STATUSES.0, STATUSES.1, MOST))
    }

    /// Whether `address` may have one more now.
    pub(crate) fn admit(&self, address: IpAddr, now: UtcTime) -> bool {
        self.0.admit(network(address), now)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_burst_is_allowed_then_a_rate_and_others_are_not_touched() {
        // (who, another address that counts as the same peer, somebody else)
        let cases = [
            ("10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"),
            ("2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"),
        ];
        for (one, same, other) in cases.map(|(a, b, c)| (address(a), address(b), address(c))) {
            let rate = PeerRate::of_logins();
            let now = datetime!(2026-11-23 08:00 UTC);
            assert!((0..400).all(|_| rate.admit(one, now)), "{one}: 200 logins of two tries");
            assert!(!rate.admit(one, now) && !rate.admit(same, now));
            assert!(rate.admit(other, now));
            let later = now + Duration::from_secs(1);
            assert_eq!((0..100).filter(|_| rate.admit(same, later)).count(), 40, "20 logins");
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn remembered_addresses_are_bounded() {
        let rate = PeerRate::of_logins();
        let now = datetime!(2026-11-23 08:00 UTC);
        let address = |n: u32| IpAddr::V4(Ipv4Addr::from(n));
        assert!((0..10_000).all(|n| rate.admit(address(n), now)));
        assert!(!rate.admit(address(10_000), now));
        assert!(rate.admit(address(10_000), now + Duration::from_secs(1)));
    }
}
