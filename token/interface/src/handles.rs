//! Open verifiers, by number. A number is never used twice, so that a closed one is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use access_token::Verifier;

use crate::code::Code;

/// Verifiers that one process may have open: one for each audience and issuer.
const MOST: usize = 64;

static OPEN: Mutex<Open> = Mutex::new(Open { last: 0, verifiers: BTreeMap::new() });

struct Open {
    last: usize,
    verifiers: BTreeMap<usize, Arc<Verifier>>,
}

fn lock() -> MutexGuard<'static, Open> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a verifier; its number.
pub(crate) fn add(verifier: Verifier) -> Result<usize, Code> {
    let mut open = lock();
    if open.verifiers.len() >= MOST {
        return Err(Code::TooMany);
    }
    open.last += 1;
    let number = open.last;
    open.verifiers.insert(number, Arc::new(verifier));
    Ok(number)
}

/// Ends a verifier; checks that are under way end as they would have.
pub(crate) fn remove(number: usize) -> Result<(), Code> {
    let removed = lock().verifiers.remove(&number);
    removed.map(drop).ok_or(Code::Closed)
}

/// The verifier of a number. Nobody waits for whoever else uses it.
pub(crate) fn find(number: usize) -> Result<Arc<Verifier>, Code> {
    lock().verifiers.get(&number).cloned().ok_or(Code::Closed)
}
