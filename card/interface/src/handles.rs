//! Open connections, by number. A number is never used twice, so a closed handle is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::code::Code;
use crate::desk::Desk;

/// Connections one process may have open; a desk has one or two.
const MOST: usize = 16;

static OPEN: Mutex<Open> = Mutex::new(Open { last: 0, desks: BTreeMap::new() });

struct Open {
    last: usize,
    desks: BTreeMap<usize, Arc<Mutex<Desk>>>,
}

/// A panic while a connection was in use leaves it usable: each call starts from the card anew.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a connection; its number.
pub(crate) fn add(desk: Desk) -> Result<usize, Code> {
    let mut open = lock(&OPEN);
    if open.desks.len() >= MOST {
        return Err(Code::Parameter);
    }
    open.last += 1;
    let number = open.last;
    open.desks.insert(number, Arc::new(Mutex::new(desk)));
    Ok(number)
}

/// Ends a connection; whether there was one of that number. Its cards are let go of, which may take
/// as long as a reader does, when other connections can go on.
pub(crate) fn remove(number: usize) -> bool {
    let removed = lock(&OPEN).desks.remove(&number);
    removed.is_some()
}

/// Works on a connection. Other connections go on meanwhile.
pub(crate) fn with(
    number: usize,
    work: impl FnOnce(&mut Desk) -> Result<(), Code>,
) -> Result<(), Code> {
    let desk = lock(&OPEN).desks.get(&number).cloned().ok_or(Code::Parameter)?;
    work(&mut lock(&desk))
}
