//! Sessions: opened when they are needed, bounded, each with one thread at a time; and the device they
//! are on, which is opened anew after it was lost.

use std::num::NonZeroU8;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a device that could not be opened is not looked for again: opening may take long, and callers
/// would queue up for it.
const RETRY: Duration = Duration::from_millis(100);

/// How devices of a kind are opened.
pub(crate) trait Driver {
    /// An open device.
    type Device;
    /// An open session on one, used by one thread at a time.
    type Session;
    /// What goes wrong.
    type Error: Fault;

    /// Opens the device and looks whether it is the right one.
    fn open(&self) -> Result<Self::Device, Self::Error>;

    /// Opens a session.
    fn session(&self, device: &Arc<Self::Device>) -> Result<Self::Session, Self::Error>;
}

/// What an error means for sessions.
pub(crate) trait Fault {
    /// Whether the device, or what is known of it, is no longer to be relied on: it is opened anew.
    fn is_loss(&self) -> bool;

    /// Whether the right to a private key is missing: the next session takes it anew.
    fn is_denial(&self) -> bool;

    /// The device could not be opened a moment ago.
    fn lost() -> Self;

    /// Every session was in use for as long as was waited.
    fn busy(waited: Duration) -> Self;
}

/// How a device is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceState {
    /// Nobody needed it yet.
    Unused,
    /// It answered when it was last asked.
    Ready,
    /// It could not be reached when it was last asked, or did not answer as it must.
    Lost,
}

pub(crate) struct Pool<D: Driver> {
    pub(crate) driver: D,
    most: NonZeroU8,
    wait: Duration,
    state: Mutex<State<D>>,
    /// A place became free.
    freed: Condvar,
    /// Held by whoever opens the device, which may take long.
    opening: Mutex<()>,
}

struct State<D: Driver> {
    device: Option<Arc<D::Device>>,
    /// Sessions that nobody uses.
    idle: Vec<Open<D>>,
    /// Sessions in use.
    used: u8,
    /// The last attempt to reach the device failed.
    lost: bool,
    /// When it could not be opened.
    failed: Option<Instant>,
}

/// A session with its device, which is closed after it: fields are dropped in this order.
struct Open<D: Driver> {
    session: D::Session,
    device: Arc<D::Device>,
}

/// Gives the place of a session back, whatever happened.
struct Place<'a, D: Driver>(&'a Pool<D>);

impl<D: Driver> Drop for Place<'_, D> {
    fn drop(&mut self) {
        self.0.lock().used -= 1;
        self.0.freed.notify_one();
    }
}

impl<D: Driver> Pool<D> {
    pub(crate) fn new(driver: D, most: NonZeroU8, wait: Duration) -> Self {
        let state = State { device: None, idle: Vec::new(), used: 0, lost: false, failed: None };
        let (freed, opening) = Default::default();
        Self { driver, most, wait, state: Mutex::new(state), freed, opening }
    }

    /// Works on a session.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut D::Session) -> Result<T, D::Error>,
    ) -> Result<T, D::Error> {
        let _place = self.wait_for_place()?;
        let mut open = self.session().inspect_err(|_| self.lock().lost = true)?;
        let outcome = work(&mut open.session);
        match &outcome {
            Err(error) if error.is_loss() => self.forget(&open.device),
            Err(error) if error.is_denial() => {}
            _ => self.keep(open),
        }
        outcome
    }

    /// How the device was when it was last asked.
    pub(crate) fn device_state(&self) -> DeviceState {
        let state = self.lock();
        match (state.lost, &state.device) {
            (true, _) => DeviceState::Lost,
            (false, Some(_)) => DeviceState::Ready,
            (false, None) => DeviceState::Unused,
        }
    }

    fn wait_for_place(&self) -> Result<Place<'_, D>, D::Error> {
        let full = |state: &mut State<D>| state.used >= self.most.get();
        let waited = self.freed.wait_timeout_while(self.lock(), self.wait, full);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(D::Error::busy(self.wait));
        }
        state.used += 1;
        Ok(Place(self))
    }

    /// A session that nobody uses, or a new one.
    fn session(&self) -> Result<Open<D>, D::Error> {
        let idle = self.lock().idle.pop();
        if let Some(open) = idle {
            return Ok(open);
        }
        let device = self.device()?;
        match self.driver.session(&device) {
            Ok(session) => Ok(Open { session, device }),
            Err(error) => {
                if error.is_loss() {
                    self.forget(&device);
                }
                Err(error)
            }
        }
    }

    /// The open device, or the device opened anew.
    fn device(&self) -> Result<Arc<D::Device>, D::Error> {
        let _turn = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let state = self.lock();
            if let Some(device) = &state.device {
                return Ok(Arc::clone(device));
            }
            if state.failed.is_some_and(|failed| failed.elapsed() < RETRY) {
                return Err(D::Error::lost());
            }
        }
        let opened = self.driver.open().map(Arc::new);
        let mut state = self.lock();
        let failed = opened.as_ref().err().is_some_and(Fault::is_loss);
        state.failed = failed.then(Instant::now);
        state.device = opened.as_ref().ok().cloned();
        opened
    }

    /// Keeps a session for the next caller, unless its device was given up meanwhile.
    fn keep(&self, open: Open<D>) {
        let mut state = self.lock();
        if state.device.as_ref().is_some_and(|device| Arc::ptr_eq(device, &open.device)) {
            state.lost = false;
            state.idle.push(open);
        }
    }

    /// Gives a device up, unless there is another one by now. Sessions in use end with their calls.
    fn forget(&self, device: &Arc<D::Device>) {
        let mut state = self.lock();
        if state.device.as_ref().is_some_and(|open| Arc::ptr_eq(open, device)) {
            let closed = (std::mem::take(&mut state.idle), state.device.take());
            state.lost = true;
            drop(state);
            // Closing calls the library, outside the lock.
            drop(closed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
