//! Sessions that can be resumed: in memory, each once, for a while, and not too many. A ticket is their number and
//! nothing else, so that no key of tickets can give old connections away.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustls::server::StoresServerSessions;
use zeroize::Zeroizing;

/// How long a session can be resumed.
const LIFE: Duration = Duration::from_secs(3600);
/// Sessions that are remembered; the oldest makes room.
const MOST: usize = 4096;

/// Sessions by their number.
pub(crate) struct Remembered {
    most: usize,
    life: Duration,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    sessions: HashMap<Vec<u8>, Session>,
    /// In the order of their coming. Those that were used are here until they would have ended.
    ends: VecDeque<(Instant, Vec<u8>)>,
}

struct Session {
    end: Instant,
    secrets: Zeroizing<Vec<u8>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { most: MOST, life: LIFE, table: Mutex::default() }
    }
}

impl Remembered {
    fn put_at(&self, now: Instant, number: Vec<u8>, session: Vec<u8>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        while table.ends.len() >= self.most
            || table.ends.front().is_some_and(|(end, _)| *end <= now)
        {
            let Some((_, oldest)) = table.ends.pop_front() else { break };
            table.sessions.remove(&oldest);
        }
        let end = now + self.life;
        table.ends.push_back((end, number.clone()));
        table.sessions.insert(number, Session { end, secrets: Zeroizing::new(session) });
    }

    fn take_at(&self, now: Instant, number: &[u8]) -> Option<Vec<u8>> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = table.sessions.remove(number)?;
        (now < session.end).then(|| std::mem::take(&mut *session.secrets))
    }
}

impl StoresServerSessions for Remembered {
    fn put(&self, number: Vec<u8>, session: Vec<u8>) -> bool {
        self.put_at(Instant::now(), number, session);
        true
    }

    /// TLS 1.3 takes, and never only looks.
    fn get(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, number: &[u8]) -> Option<Vec<u8>> {
        self.take_at(Instant::now(), number)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(most: usize) -> Remembered {
        Remembered { most, life: LIFE, table: Mutex::default() }
    }

    #[test]
    fn a_session_is_resumed_once_and_in_time() {
        let (all, now) = (remembered(8), Instant::now());
        for number in 1..=3 {
            all.put_at(now, vec![number], vec![number; 4]);
        }
        assert_eq!(all.take_at(now, &[1]), Some(vec![1; 4]));
        assert_eq!(all.take_at(now, &[1]), None);
        assert_eq!(all.take_at(now + LIFE - Duration::from_nanos(1), &[2]), Some(vec![2; 4]));
        assert_eq!(all.take_at(now + LIFE, &[3]), None);
        assert_eq!(all.take_at(now, &[9]), None);
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes() {
        let (all, now) = (remembered(4), Instant::now());
        for number in 0..6 {
            all.put_at(now, vec![number], vec![number]);
        }
        let there: Vec<_> = (0..6).map(|number| all.take_at(now, &[number]).is_some()).collect();
        assert_eq!(there, [false, false, true, true, true, true]);
        all.put_at(now + LIFE, vec![7], vec![7]);
        let table = all.table.lock().unwrap();
        assert_eq!((table.ends.len(), table.sessions.len()), (1, 1), "what is over is forgotten");
    }
}
