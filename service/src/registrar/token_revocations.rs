//! The revocation snapshot (撤销快照): which tokens ended before their time, signed, for whoever checks tokens offline.

use std::{sync::Arc, time::Duration};

use access_token::LEEWAY;
use tokio::sync::Mutex;

use super::{Error, Registrar};
use crate::clock::{self, UtcTime};

/// When the next one should be fetched.
const NEXT: i64 = 60;
/// The least time that one is handed out before another is made.
const LEAST: Duration = Duration::from_secs(1);
/// How many times the time of its making one is handed out at least: making them takes a tenth of one core at most.
const SHARE: u32 = 10;
/// And at most.
const MOST: Duration = Duration::from_secs(30);

/// The snapshot that is handed out.
#[derive(Default)]
pub(super) struct Revocations(Mutex<Option<Made>>);

struct Made {
    at: UtcTime,
    text: Arc<str>,
    hold: Duration,
}

impl Made {
    /// A clock that was set back makes it old as well.
    fn is_new(&self, now: UtcTime) -> bool {
        now >= self.at && now < self.at + self.hold
    }
}

impl Registrar {
    /// The snapshot of a moment ago: one is made at a time, whoever asks meanwhile waits for it.
    ///
    /// # Errors
    /// [`Error::Store`] when records cannot be read; [`Error::Key`] when the token key is not available.
    pub async fn token_revocations(&self) -> Result<Arc<str>, Error> {
        let mut made = self.revocations.0.lock().await;
        // Not when it was asked: whoever waited is given what was made meanwhile.
        let now = clock::now();
        if let Some(made) = made.as_ref().filter(|made| made.is_new(now)) {
            return Ok(Arc::clone(&made.text));
        }
        let start = clock::count();
        // Those who check give a token as much more time as clocks may be apart, by a clock that may be so much late.
        let before = now - Duration::from_secs(2 * LEEWAY.unsigned_abs());
        let ended = self.store.tokens_ended_early(before, now).await?;
        let at = now.unix_timestamp();
        let text: Arc<str> = self.tokens.sign_snapshot(&self.name, at, at + NEXT, ended)?.into();
        let hold = (start.elapsed() * SHARE).clamp(LEAST, MOST);
        *made = Some(Made { at: now, text: Arc::clone(&text), hold });
        Ok(text)
    }
}
