//! Open devices and sessions, by number. A number is never used twice, so a closed handle is refused.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hsm::sdf::Code;

use crate::device::Device;
use crate::session::Session;

/// Devices that one process may have open.
const MOST_DEVICES: usize = 16;
/// Sessions that one process may have open.
const MOST_SESSIONS: usize = 256;

static LAST: AtomicUsize = AtomicUsize::new(0);
static OPEN: Mutex<Open> = Mutex::new(Open { devices: BTreeMap::new(), sessions: BTreeMap::new() });

struct Open {
    devices: BTreeMap<usize, Arc<Device>>,
    /// Each with the number of its device.
    sessions: BTreeMap<usize, (usize, Arc<Mutex<Session>>)>,
}

/// A number for a device, a session or a key.
pub(crate) fn number() -> usize {
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// A panic while a session was in use leaves it usable: each call states all that it rests on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a device; its number.
pub(crate) fn add_device(device: Device) -> Result<usize, Code> {
    let mut open = lock(&OPEN);
    if open.devices.len() >= MOST_DEVICES {
        return Err(Code::OpenDevice);
    }
    let number = number();
    open.devices.insert(number, Arc::new(device));
    Ok(number)
}

/// Forgets a device and its sessions; their keys are wiped when the last call on them returns.
pub(crate) fn remove_device(number: usize) -> Result<(), Code> {
    let mut open = lock(&OPEN);
    open.devices.remove(&number).ok_or(Code::InArgument)?;
    open.sessions.retain(|_, (device, _)| *device != number);
    Ok(())
}

/// Opens a session on a device; its number.
pub(crate) fn add_session(device: usize) -> Result<usize, Code> {
    let mut open = lock(&OPEN);
    let opened = open.devices.get(&device).cloned().ok_or(Code::InArgument)?;
    opened.fault()?;
    if open.sessions.len() >= MOST_SESSIONS {
        return Err(Code::OpenSession);
    }
    let number = number();
    open.sessions.insert(number, (device, Arc::new(Mutex::new(Session::new(opened)))));
    Ok(number)
}

/// Forgets a session.
pub(crate) fn remove_session(number: usize) -> Result<(), Code> {
    lock(&OPEN).sessions.remove(&number).map(drop).ok_or(Code::InArgument)
}

/// Works on a session. Other sessions go on meanwhile.
pub(crate) fn with(
    number: usize,
    work: impl FnOnce(&mut Session) -> Result<(), Code>,
) -> Result<(), Code> {
    let (_, session) = lock(&OPEN).sessions.get(&number).cloned().ok_or(Code::InArgument)?;
    let mut session = lock(&session);
    session.fault()?;
    work(&mut session)
}
