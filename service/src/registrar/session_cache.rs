//! Sessions that were looked up a moment ago, so that a call does not ask the database again.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Holder;
use crate::clock::UtcTime;

/// Sessions that are remembered; past that, all are forgotten and looked up again.
const MOST: usize = 50_000;

/// Remembered sessions by the SM3 digest of their token.
#[derive(Default)]
pub(crate) struct SessionCache {
    sessions: RwLock<HashMap<[u8; 32], Arc<Holder>>>,
    /// Grows when something is forgotten, so that a lookup begun before cannot bring it back.
    forgotten: AtomicU64,
}

/// What a lookup takes before it asks the database, and gives back with the answer.
#[derive(Clone, Copy)]
pub(crate) struct Since(u64);

impl SessionCache {
    pub(crate) fn since(&self) -> Since {
        Since(self.forgotten.load(Ordering::Acquire))
    }

    pub(crate) fn find(&self, digest: &[u8; 32]) -> Option<Arc<Holder>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Remembers a session, unless something was forgotten since the lookup began.
    pub(crate) fn remember(&self, digest: [u8; 32], holder: Arc<Holder>, since: Since) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::Acquire) != since.0 {
            return;
        }
        if sessions.len() >= MOST {
            sessions.clear();
        }
        sessions.insert(digest, holder);
    }

    /// Takes note that a lease was renewed.
    pub(crate) fn renewed(&self, digest: &[u8; 32], until: UtcTime) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(holder) = sessions.get_mut(digest) {
            let leased_until = holder.leased_until.max(Some(until));
            *holder = Arc::new(Holder { leased_until, ..Holder::clone(holder) });
        }
    }

    /// Forgets all sessions for which `ended` holds.
    pub(crate) fn forget(&self, ended: impl Fn(&Holder) -> bool) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        sessions.retain(|_, holder| !ended(holder));
    }
}
