//! Sessions: opened when they are needed, bounded, each with one thread at a time; and the device they
//! are on, which is opened anew after it was lost.

use std::collections::BTreeSet;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::SdfError;
use super::ffi::{Device, Functions, Session};

/// How long a device that could not be opened is not looked for again: opening may take long, and callers
/// would queue up for it.
const RETRY: Duration = Duration::from_millis(100);

pub(super) struct Pool {
    library: PathBuf,
    most: NonZeroU8,
    wait: Duration,
    state: Mutex<State>,
    /// A place became free.
    freed: Condvar,
    /// Held by whoever opens the device, which may take long.
    opening: Mutex<()>,
}

#[derive(Default)]
struct State {
    functions: Option<Arc<Functions>>,
    device: Option<Arc<Device>>,
    idle: Vec<Lent>,
    /// Sessions in use.
    used: u8,
    /// The last attempt to reach the device failed.
    lost: bool,
    /// When it could not be opened.
    failed: Option<Instant>,
}

/// A session, and the indexes whose access code it has presented.
pub(super) struct Lent {
    pub(super) session: Session,
    pub(super) rights: BTreeSet<u32>,
}

/// Gives the place of a session back, whatever happened.
struct Place<'a>(&'a Pool);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().used -= 1;
        self.0.freed.notify_one();
    }
}

impl Pool {
    pub(super) fn new(library: PathBuf, most: NonZeroU8, wait: Duration) -> Self {
        let (state, freed, opening) = Default::default();
        Self { library, most, wait, state, freed, opening }
    }

    /// Works on a session. `admit` looks at a device that was just opened, before anything else is done
    /// with it.
    pub(super) fn with<T>(
        &self,
        admit: impl FnOnce(&mut Session) -> Result<(), SdfError>,
        work: impl FnOnce(&mut Lent) -> Result<T, SdfError>,
    ) -> Result<T, SdfError> {
        let _place = self.wait_for_place()?;
        let mut lent = self.session(admit).inspect_err(|_| self.lock().lost = true)?;
        let outcome = work(&mut lent);
        match &outcome {
            Err(error) if error.is_loss() => self.lose(&lent.session),
            // A right that was taken may have run out: the next session takes it anew.
            Err(error) if error.is_denial() => drop(lent),
            _ => self.keep(lent),
        }
        outcome
    }

    /// Whether the device was there when it was last asked.
    pub(super) fn is_lost(&self) -> bool {
        self.lock().lost
    }

    /// Whether there is an open device.
    pub(super) fn is_open(&self) -> bool {
        self.lock().device.is_some()
    }

    fn wait_for_place(&self) -> Result<Place<'_>, SdfError> {
        let full = |state: &mut State| state.used >= self.most.get();
        let waited = self.freed.wait_timeout_while(self.lock(), self.wait, full);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(SdfError::Busy(self.wait));
        }
        state.used += 1;
        Ok(Place(self))
    }

    /// A session that nobody uses, or a new one.
    fn session(
        &self,
        admit: impl FnOnce(&mut Session) -> Result<(), SdfError>,
    ) -> Result<Lent, SdfError> {
        if let Some(lent) = self.lock().idle.pop() {
            return Ok(lent);
        }
        let device = self.device(admit)?;
        let session = device.session().inspect_err(|error| {
            if error.is_loss() {
                self.forget(&device);
            }
        })?;
        Ok(Lent { session, rights: BTreeSet::new() })
    }

    /// The open device, or the device opened anew.
    fn device(
        &self,
        admit: impl FnOnce(&mut Session) -> Result<(), SdfError>,
    ) -> Result<Arc<Device>, SdfError> {
        let _turn = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let state = self.lock();
            if let Some(device) = &state.device {
                return Ok(Arc::clone(device));
            }
            if state.failed.is_some_and(|failed| failed.elapsed() < RETRY) {
                return Err(SdfError::Lost);
            }
        }
        let opened = self.open(admit);
        let mut state = self.lock();
        state.failed = opened.is_err().then(Instant::now);
        state.device = opened.as_ref().ok().cloned();
        opened
    }

    /// Opens the device and looks at it.
    fn open(
        &self,
        admit: impl FnOnce(&mut Session) -> Result<(), SdfError>,
    ) -> Result<Arc<Device>, SdfError> {
        let loaded = self.lock().functions.clone();
        let functions = loaded.map_or_else(|| Functions::load(&self.library), Ok)?;
        self.lock().functions = Some(Arc::clone(&functions));
        let device = Device::open(&functions)?;
        admit(&mut device.session()?)?;
        Ok(device)
    }

    /// Keeps a session for the next caller, unless its device was given up meanwhile.
    fn keep(&self, lent: Lent) {
        let mut state = self.lock();
        if state.device.as_ref().is_some_and(|device| lent.session.is_on(device)) {
            state.lost = false;
            state.idle.push(lent);
        }
    }

    /// Gives up the device of a session. Sessions in use end with their calls.
    fn lose(&self, session: &Session) {
        let device = self.lock().device.clone();
        if let Some(device) = device.filter(|device| session.is_on(device)) {
            self.forget(&device);
        }
    }

    fn forget(&self, device: &Arc<Device>) {
        let mut state = self.lock();
        let is_this = |open: &Arc<Device>| Arc::ptr_eq(open, device);
        if state.device.as_ref().is_some_and(is_this) {
            let closed = (state.device.take(), std::mem::take(&mut state.idle));
            state.lost = true;
            drop(state);
            // Closing calls the library, outside the lock.
            drop(closed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
