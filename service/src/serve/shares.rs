//! How many of a thing one party may have at a time.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// What each party has at the moment. A party with nothing is not remembered.
pub(crate) struct Shares<K: Eq + Hash + Copy> {
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Eq + Hash + Copy> Default for Shares<K> {
    fn default() -> Self {
        Self { taken: Mutex::default() }
    }
}

/// One of a party's share; dropped, it is free again.
pub(crate) struct Share<K: Eq + Hash + Copy> {
    party: K,
    of: Arc<Shares<K>>,
}

impl<K: Eq + Hash + Copy> Shares<K> {
    /// One more for `party`, unless it has `most` of them.
    pub(crate) fn take(self: &Arc<Self>, party: K, most: usize) -> Option<Share<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&party).copied().unwrap_or_default();
        (count < most).then(|| {
            taken.insert(party, count + 1);
            Share { party, of: Arc::clone(self) }
        })
    }
}

impl<K: Eq + Hash + Copy> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.party) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.party);
            }
        }
    }
}

/// Whom an address counts as: itself for IPv4, its /64 for IPv6, where one subscriber has them all
/// (RFC 6177, 2).
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_is_given_back_can_be_taken_again() {
        let shares = Arc::new(Shares::default());
        let held: Vec<_> = (0..2).map(|_| shares.take("one", 2).unwrap()).collect();
        assert!(shares.take("one", 2).is_none());
        let other = shares.take("other", 2).unwrap();
        drop(held);
        assert!(shares.take("one", 1).is_some());
        drop(other);
        assert!(shares.taken.lock().unwrap().is_empty(), "nobody with nothing is remembered");
    }

    #[test]
    fn addresses_count_as_their_network() {
        let cases = [
            ("10.0.0.1", "10.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ];
        for (address, counts_as) in cases {
            let counts_as: IpAddr = counts_as.parse().unwrap();
            assert_eq!(network(address.parse().unwrap()), counts_as, "{address}");
        }
    }
}
