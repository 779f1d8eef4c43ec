//! Challenges: of logins, each good once, for one certificate, for a short time; and the nonces of
//! desks, each for one session. They live in memory only; a restart ends them, and whoever was
//! logging in starts again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::clock::UtcTime;

/// Most challenges that are open at once.
const MOST: usize = 10_000;

/// Most nonces of one session that are open at once; a newer one takes the place of its oldest.
const MOST_OF_SESSION: usize = 64;

/// The open challenges.
pub(crate) struct Challenges {
    life: Duration,
    /// Most of one holder; a newer one takes the place of its oldest.
    most_of_holder: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: HashMap<[u8; 32], Open>,
    /// In order of their end, which is the order of their making.
    ends: VecDeque<(UtcTime, [u8; 32])>,
}

struct Open {
    certificate: [u8; 32],
    ends: UtcTime,
}

impl Table {
    /// Forgets the oldest challenge of a holder who has `most`.
    fn make_room(&mut self, holder: &[u8; 32], most: usize) {
        let is_theirs = |challenge: &[u8; 32]| {
            self.open.get(challenge).is_some_and(|open| open.certificate == *holder)
        };
        let mut theirs = self.ends.iter().enumerate().filter(|(_, (_, it))| is_theirs(it));
        let oldest = theirs.next().map(|(at, _)| at);
        if let Some(at) = oldest
            && 1 + theirs.count() >= most
            && let Some((_, challenge)) = self.ends.remove(at)
        {
            self.open.remove(&challenge);
        }
    }
}

/// As many challenges are open as are kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Challenges {
    /// For logins. A certificate is public, and who asks for its challenges may be anybody: they
    /// take nothing from each other.
    pub(crate) fn of_logins(life: Duration) -> Self {
        Self { life, most_of_holder: MOST, table: Mutex::default() }
    }

    /// For desks, whose session asked for each: one of them cannot use up what all have.
    pub(crate) fn of_desks(life: Duration) -> Self {
        Self { life, most_of_holder: MOST_OF_SESSION, table: Mutex::default() }
    }

    /// Opens `challenge` for the certificate with this thumbprint and says when it ends.
    pub(crate) fn open(
        &self,
        challenge: [u8; 32],
        certificate: [u8; 32],
        now: UtcTime,
    ) -> Result<UtcTime, TooMany> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((ends, challenge)) = table.ends.front().copied() {
            if ends > now && table.open.contains_key(&challenge) {
                break;
            }
            table.ends.pop_front();
            table.open.remove(&challenge);
        }
        if self.most_of_holder < MOST {
            table.make_room(&certificate, self.most_of_holder);
        }
        if table.ends.len() >= MOST {
            return Err(TooMany);
        }
        let ends = now + self.life;
        table.open.insert(challenge, Open { certificate, ends });
        table.ends.push_back((ends, challenge));
        Ok(ends)
    }

    /// For whom a challenge is open. It stays open.
    pub(crate) fn holder(&self, challenge: &[u8; 32], now: UtcTime) -> Option<[u8; 32]> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.open.get(challenge).filter(|open| open.ends > now).map(|open| open.certificate)
    }

    /// Uses a challenge up. True when it was open, in time, and for this certificate.
    #[must_use]
    pub(crate) fn take(&self, challenge: &[u8], certificate: &[u8; 32], now: UtcTime) -> bool {
        let Ok(challenge) = <[u8; 32]>::try_from(challenge) else { return false };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table
            .open
            .remove(&challenge)
            .is_some_and(|open| open.ends > now && open.certificate == *certificate)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: UtcTime = datetime!(2026-11-23 08:00 UTC);
    const LIFE: Duration = Duration::from_secs(60);

    #[test]
    fn a_challenge_is_good_once_in_time_and_for_its_certificate() {
        let cases = [
            ("right", [1; 32], LIFE / 2, true),
            ("late", [1; 32], LIFE, false),
            ("another certificate", [2; 32], LIFE / 2, false),
        ];
        for (what, certificate, later, good) in cases {
            let challenges = Challenges::of_logins(LIFE);
            challenges.open([7; 32], [1; 32], NOW).unwrap();
            assert_eq!(challenges.take(&[7; 32], &certificate, NOW + later), good, "{what}");
            assert!(!challenges.take(&[7; 32], &[1; 32], NOW), "{what}: used up");
        }
    }

    #[test]
    fn looking_at_a_challenge_leaves_it_open() {
        let challenges = Challenges::of_logins(LIFE);
        challenges.open([7; 32], [1; 32], NOW).unwrap();
        assert_eq!(challenges.holder(&[7; 32], NOW), Some([1; 32]));
        assert_eq!(challenges.holder(&[7; 32], NOW + LIFE), None);
        assert_eq!(challenges.holder(&[8; 32], NOW), None);
        assert!(challenges.take(&[7; 32], &[1; 32], NOW));
    }

    #[test]
    fn what_was_never_given_is_refused() {
        let challenges = Challenges::of_logins(LIFE);
        for wrong in [&[][..], &[0; 31], &[0; 32], &[0; 33]] {
            assert!(!challenges.take(wrong, &[1; 32], NOW));
        }
    }

    #[test]
    fn a_desk_that_asks_for_many_nonces_takes_none_from_others() {
        let desks = Challenges::of_desks(LIFE);
        desks.open([0xFF; 32], [1; 32], NOW).unwrap();
        for n in 0..=MOST_OF_SESSION as u8 {
            desks.open([n; 32], [2; 32], NOW).unwrap();
        }
        let open = |n: u8| desks.holder(&[n; 32], NOW);
        assert_eq!((open(0xFF), open(0), open(1)), (Some([1; 32]), None, Some([2; 32])));
        // One that was used is none of those that are open.
        assert!(desks.take(&[5; 32], &[2; 32], NOW));
        desks.open([0xFE; 32], [2; 32], NOW).unwrap();
        assert_eq!(open(1), Some([2; 32]));
    }

    #[test]
    fn the_table_is_bounded_and_frees_itself() {
        let challenges = Challenges::of_logins(LIFE);
        let numbered = |n: usize| {
            let mut challenge = [0; 32];
            challenge[..8].copy_from_slice(&n.to_be_bytes());
            challenge
        };
        for n in 0..MOST {
            challenges.open(numbered(n), [1; 32], NOW).unwrap();
        }
        assert_eq!(challenges.open(numbered(MOST), [1; 32], NOW), Err(TooMany));
        assert!(challenges.take(&numbered(0), &[1; 32], NOW));
        challenges.open(numbered(MOST), [1; 32], NOW).unwrap();
        challenges.open([9; 32], [1; 32], NOW + LIFE).unwrap();
        assert!(challenges.take(&[9; 32], &[1; 32], NOW + LIFE));
    }
}
