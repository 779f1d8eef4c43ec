//! Logins that fail again and again: they are slowed down, and then locked out for a while.
//!
//! A certificate is public, and whoever has seen a signed record can try it with signatures made up. What is locked is
//! therefore the certificate at the one address that it was tried from: its holder gets in at another desk, and no
//! stranger keeps a doctor from an emergency. Signatures cannot be guessed, so that more is not needed.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{clock::UtcTime, config::LoginRules};

/// Certificates at addresses that are remembered. One more takes the place of the one that was refused longest ago:
/// whoever fills this keeps nobody out, and gains nothing but further tries.
const MOST: usize = 4096;

/// A certificate that is tried from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tried {
    /// SM3 of the whole certificate.
    certificate: [u8; 32],
    /// Whole, not its network: others in it are other desks of the same ward.
    address: IpAddr,
}

impl Tried {
    pub(super) fn new(certificate: [u8; 32], address: IpAddr) -> Self {
        Self { certificate, address: address.to_canonical() }
    }
}

/// Who was refused how often.
pub(super) struct LoginLocks {
    rules: LoginRules,
    refused: Mutex<HashMap<Tried, Refusals>>,
}

#[derive(Clone, Copy, Debug)]
struct Refusals {
    count: u32,
    first: UtcTime,
    last: UtcTime,
    locked_until: Option<UtcTime>,
}

/// Why a login is not looked at now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// The pause after the last refusal is not over.
    Waiting,
    /// It is locked until then.
    Locked(UtcTime),
}

impl Refusals {
    /// Whether it says nothing any more.
    fn is_over(&self, rules: LoginRules, now: UtcTime) -> bool {
        match self.locked_until {
            Some(until) => until <= now,
            None => self.first + rules.within <= now,
        }
    }

    fn pause(&self) -> Duration {
        LoginRules::pause(self.count)
    }
}

impl LoginLocks {
    pub(super) fn new(rules: LoginRules) -> Self {
        Self { rules, refused: Mutex::default() }
    }

    /// Whether a login with this certificate from this address is looked at now.
    ///
    /// # Errors
    /// [`Kept`].
    pub(super) fn admit(&self, tried: Tried, now: UtcTime) -> Result<(), Kept> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let found = refused.get(&tried);
        match found.filter(|found| !found.is_over(self.rules, now)) {
            Some(Refusals { locked_until: Some(until), .. }) => Err(Kept::Locked(*until)),
            Some(found) if now < found.last + found.pause() => Err(Kept::Waiting),
            _ => Ok(()),
        }
    }

    /// Takes note of a signature or challenge that was wrong. Says until when this locks, if it does.
    pub(super) fn refused(&self, tried: Tried, now: UtcTime) -> Option<UtcTime> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MOST && !refused.contains_key(&tried) {
            refused.retain(|_, it| !it.is_over(self.rules, now));
            if refused.len() >= MOST
                && let Some(oldest) = refused.iter().min_by_key(|(_, it)| it.last).map(|(k, _)| *k)
            {
                refused.remove(&oldest);
            }
        }
        let fresh = Refusals { count: 0, first: now, last: now, locked_until: None };
        let found = refused.entry(tried).or_insert(fresh);
        if found.is_over(self.rules, now) {
            *found = fresh;
        }
        found.count += 1;
        found.last = now;
        // Several may have been looked at when the last one was refused: that locks once.
        if found.count < self.rules.refusals || found.locked_until.is_some() {
            return None;
        }
        found.locked_until = Some(now + self.rules.locked);
        found.locked_until
    }

    /// Forgets what was refused of a certificate, wherever that was; at how many addresses.
    pub(super) fn unlock(&self, certificate: [u8; 32], now: UtcTime) -> u32 {
        let mut unlocked = 0;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|tried, refusals| {
            let of_it = tried.certificate == certificate;
            unlocked += u32::from(of_it && !refusals.is_over(self.rules, now));
            !of_it
        });
        unlocked
    }

    /// Forgets what was refused before the holder of the key was there.
    pub(super) fn opened(&self, tried: Tried) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.remove(&tried);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use time::macros::datetime;

    use super::*;

    const NOW: UtcTime = datetime!(2026-11-23 08:00 UTC);
    const MINUTE: Duration = Duration::from_secs(60);

    fn address(n: u32) -> IpAddr {
        Ipv4Addr::from(n).into()
    }

    fn here() -> Tried {
        Tried::new([1; 32], address(1))
    }

    fn elsewhere() -> Tried {
        Tried::new([1; 32], address(2))
    }

    fn somebody_else() -> Tried {
        Tried::new([2; 32], address(1))
    }

    fn locks() -> LoginLocks {
        LoginLocks::new(LoginRules { refusals: 5, within: 15 * MINUTE, locked: 15 * MINUTE })
    }

    /// Refuses as often as is said, a minute apart, from `NOW` on; the time after the last one.
    fn refuse(locks: &LoginLocks, times: u32) -> (UtcTime, Option<UtcTime>) {
        let mut now = NOW;
        let mut until = None;
        for _ in 0..times {
            now += MINUTE;
            assert_eq!(locks.admit(here(), now), Ok(()));
            until = locks.refused(here(), now);
        }
        (now, until)
    }

    #[test]
    fn the_fifth_refusal_locks_this_certificate_at_this_address_for_a_while() {
        let locks = locks();
        assert_eq!(refuse(&locks, 4).1, None);
        let now = NOW + 5 * MINUTE;
        let until = now + 15 * MINUTE;
        assert_eq!(locks.refused(here(), now), Some(until));
        let locked = Err(Kept::Locked(until));
        assert_eq!(locks.admit(here(), now), locked);
        assert_eq!(locks.admit(here(), until - Duration::from_micros(1)), locked);
        assert_eq!(locks.admit(elsewhere(), now), Ok(()), "the holder at another desk");
        assert_eq!(locks.admit(somebody_else(), now), Ok(()), "somebody else at this desk");
        // What was under way when it was locked neither locks again nor makes it last longer.
        assert_eq!(locks.refused(here(), now + MINUTE), None);
        assert_eq!(locks.admit(here(), until), Ok(()));
        assert_eq!(locks.refused(here(), until), None, "it is counted from one again");
    }

    #[test]
    fn one_waits_longer_after_each_refusal() {
        let locks = locks();
        for (already, seconds) in [(1, 0), (2, 1), (3, 2), (4, 4)] {
            let now = NOW + MINUTE * already;
            locks.refused(here(), now);
            if seconds > 0 {
                let early = now + Duration::from_secs(seconds) - Duration::from_micros(1);
                assert_eq!(locks.admit(here(), early), Err(Kept::Waiting), "{already}");
            }
            let later = now + Duration::from_secs(seconds);
            assert_eq!(locks.admit(here(), later), Ok(()), "{already}");
        }
    }

    #[test]
    fn refusals_that_are_long_past_or_before_a_login_do_not_count() {
        let locks = locks();
        let (now, _) = refuse(&locks, 4);
        locks.opened(here());
        assert_eq!(locks.refused(here(), now), None);
        let locks = self::locks();
        refuse(&locks, 4);
        let later = NOW + MINUTE + 15 * MINUTE;
        assert_eq!(locks.refused(here(), later), None);
    }

    #[test]
    fn a_certificate_is_unlocked_everywhere_and_no_other_is() {
        let locks = locks();
        let (now, until) = refuse(&locks, 5);
        assert!(until.is_some());
        locks.refused(elsewhere(), now);
        locks.refused(somebody_else(), now);
        assert_eq!(locks.unlock([1; 32], now), 2);
        assert_eq!(locks.admit(here(), now), Ok(()));
        assert_eq!(locks.refused(here(), now), None, "it is counted from one again");
        assert_eq!(locks.unlock([1; 32], now), 1);
        assert_eq!(locks.unlock([1; 32], now), 0);
        assert_eq!(locks.refused.lock().unwrap().len(), 1, "somebody else's");
        assert_eq!(locks.unlock([2; 32], now + 15 * MINUTE), 0, "it was over");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_keeps_nobody_out() {
        let locks = locks();
        for n in 0..MOST as u32 + 10 {
            let now = NOW + Duration::from_millis(n.into());
            locks.refused(Tried::new([1; 32], address(n)), now);
        }
        assert_eq!(locks.refused.lock().unwrap().len(), MOST);
        assert_eq!(locks.admit(somebody_else(), NOW), Ok(()));
        // Those that are over make room first.
        locks.refused(somebody_else(), NOW + 16 * MINUTE);
        assert_eq!(locks.refused.lock().unwrap().len(), 1);
    }

    #[test]
    fn an_address_is_locked_alone_however_it_is_written() {
        let cases = [("2001:db8::1", "2001:db8::2"), ("192.0.2.1", "192.0.2.2")];
        for (one, neighbour) in cases {
            let locks = locks();
            let of = |text: &str| Tried::new([1; 32], text.parse().unwrap());
            for second in 0..5 {
                locks.refused(of(one), NOW + Duration::from_secs(second));
            }
            assert!(matches!(locks.admit(of(one), NOW), Err(Kept::Locked(_))), "{one}");
            assert_eq!(locks.admit(of(neighbour), NOW), Ok(()), "{neighbour}");
        }
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(Tried::new([1; 32], mapped), Tried::new([1; 32], "192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn who_tries_again_as_soon_as_they_may_is_locked_out() {
        for (refusals, within) in [(3, 60), (7, 60), (100, 3008)] {
            let within = Duration::from_secs(within);
            let rules = LoginRules { refusals, within, locked: MINUTE };
            let locks = LoginLocks::new(rules);
            let mut now = NOW;
            for count in 1..refusals {
                assert_eq!(locks.admit(here(), now), Ok(()), "{count} of {refusals}");
                assert_eq!(locks.refused(here(), now), None, "{count} of {refusals}");
                now += LoginRules::pause(count);
            }
            assert_eq!(locks.refused(here(), now), Some(now + MINUTE), "{refusals}");
        }
    }
}
