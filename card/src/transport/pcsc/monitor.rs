use std::collections::VecDeque;
use std::ffi::CString;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::pcsc::ffi::DWORD;
use ::pcsc::{Context, Error, PNP_NOTIFICATION, ReaderState, Scope, State};

use crate::atr::Atr;

/// The longest wait for one change. Readers and the wish to stop are looked at again after it, in
/// case their own signal fell between two waits.
const WAIT: Duration = Duration::from_secs(2);

/// How long to wait before looking again for a service that is not there.
const RETRY: Duration = Duration::from_millis(250);

/// What happened at the readers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The PC/SC service answers.
    ServiceFound,
    /// The PC/SC service does not answer; it is looked for until it does.
    ServiceLost,
    /// A reader is there.
    ReaderFound {
        /// Its name.
        reader: String,
    },
    /// A reader is no longer there.
    ReaderLost {
        /// Its name.
        reader: String,
    },
    /// A card was put in and powered.
    CardInserted {
        /// The reader's name.
        reader: String,
        /// The card's answer to reset.
        atr: Atr,
    },
    /// Something was put in that does not answer as a card does: upside down, damaged, foreign.
    CardUnreadable {
        /// The reader's name.
        reader: String,
    },
    /// What was in the reader is out.
    CardRemoved {
        /// The reader's name.
        reader: String,
    },
}

/// Watches readers and cards. As an iterator it blocks until the next [`Event`] and ends after
/// [`Stopper::stop`]. It survives the service: when that is gone, it is looked for again.
pub struct Monitor {
    context: Option<Context>,
    /// Whether the absence of the service was told.
    told_lost: bool,
    readers: Vec<Watched>,
    events: VecDeque<Event>,
    shared: Arc<Shared>,
}

/// A reader as last seen.
struct Watched {
    name: CString,
    /// What the service said last.
    state: State,
    /// Grows with each insertion and removal that the service's own watch saw.
    count: u32,
    /// Whether something in it was told of.
    present: bool,
    known: bool,
}

/// Ends a [`Monitor`] from another thread.
#[derive(Clone)]
pub struct Stopper(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    stopped: Condvar,
}

#[derive(Default)]
struct Inner {
    stop: bool,
    waiting: Option<Context>,
}

impl Shared {
    /// The state is plain data: a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stopper {
    /// Ends the monitor's wait, and its iteration.
    pub fn stop(&self) {
        let waiting = {
            let mut inner = self.0.lock();
            inner.stop = true;
            inner.waiting.take()
        };
        self.0.stopped.notify_all();
        if let Some(context) = waiting {
            // Without a service there is no wait to end; the next look at `stop` comes within WAIT.
            let _ = context.cancel();
        }
    }
}

impl Monitor {
    /// A monitor; it does not look for the service before the first event is asked for.
    pub fn new() -> Self {
        Self {
            context: None,
            told_lost: false,
            readers: Vec::new(),
            events: VecDeque::new(),
            shared: Arc::default(),
        }
    }

    /// A handle that ends this monitor.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.shared.clone())
    }

    /// Finds the service, or waits a moment for it.
    fn find_service(&mut self) {
        match Context::establish(Scope::User) {
            Ok(context) => {
                self.shared.lock().waiting = Some(context.clone());
                self.context = Some(context);
                self.told_lost = false;
                self.events.push_back(Event::ServiceFound);
            }
            Err(_) if !self.told_lost => {
                self.told_lost = true;
                self.events.push_back(Event::ServiceLost);
            }
            Err(_) => {
                let inner = self.shared.lock();
                let wait = self.shared.stopped.wait_timeout_while(inner, RETRY, |i| !i.stop);
                drop(wait);
            }
        }
    }

    /// A context that failed is never used again, whatever it says of itself.
    fn lose_service(&mut self) {
        self.context = None;
        self.shared.lock().waiting = None;
        self.told_lost = true;
        for reader in std::mem::take(&mut self.readers) {
            self.events.extend(reader.lost());
        }
        self.events.push_back(Event::ServiceLost);
    }

    /// Takes note of readers that came and went, then waits for one change.
    fn watch(&mut self, context: &Context) -> Result<(), Error> {
        let names = match context.list_readers_owned() {
            Err(Error::NoReadersAvailable) => Vec::new(),
            names => names?,
        };
        let (kept, lost) = std::mem::take(&mut self.readers)
            .into_iter()
            .partition::<Vec<_>, _>(|reader| names.contains(&reader.name));
        self.readers = kept;
        self.events.extend(lost.iter().flat_map(Watched::lost));
        for name in names {
            if !self.readers.iter().any(|reader| reader.name == name) {
                self.events.push_back(Event::ReaderFound { reader: text(&name) });
                self.readers.push(Watched::new(name));
            }
        }

        let mut states = vec![ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE)];
        states.extend(self.readers.iter().map(Watched::asked));
        if !self.events.is_empty() && self.readers.iter().all(|reader| reader.known) {
            return Ok(()); // tell first, wait later
        }
        match context.get_status_change(WAIT, &mut states) {
            // `UnknownReader`: it left since it was listed, and will be missing from the next list.
            Err(Error::Timeout | Error::Cancelled | Error::UnknownReader) => return Ok(()),
            outcome => outcome?,
        }
        for (reader, now) in self.readers.iter_mut().zip(&states[1..]) {
            self.events.extend(reader.changed(now.event_state(), now.event_count(), now.atr()));
        }
        Ok(())
    }
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new()
    }
}

impl Iterator for Monitor {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            if self.shared.lock().stop {
                return None;
            }
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.context.clone() {
                None => self.find_service(),
                Some(context) => {
                    if self.watch(&context).is_err() {
                        self.lose_service();
                    }
                }
            }
        }
    }
}

impl Watched {
    fn new(name: CString) -> Self {
        Self { name, state: State::UNAWARE, count: 0, present: false, known: false }
    }

    /// What is asked of the service: to answer when things are no longer as they were.
    fn asked(&self) -> ReaderState {
        // The count travels in the high half of the state (PC/SC part 5, 3.2.5.5).
        let state = State::from_bits_retain(self.state.bits() | DWORD::from(self.count << 16));
        ReaderState::new(self.name.clone(), state)
    }

    /// The events between the state as last seen and the state now.
    fn changed(&mut self, state: State, count: u32, atr: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        let was = self.present;
        let said = state.contains(State::PRESENT);
        let counted = count != self.count;
        // A reset, too, makes the service call a card present: the next one, or none at all. Its own
        // watch knows nothing of that card and would never see it leave, so it is not believed in: if
        // one is there, the watch sees it within its interval, and counts it. (Not every service counts.)
        let left = was && (count ^ self.count) & 1 == 1;
        let is = said && !left && (was || counted || !self.known || count == 0);
        // Out and in again between two looks: another card may be there.
        let swapped = was && is && counted;
        if was && (!is || swapped) {
            events.push(Event::CardRemoved { reader: text(&self.name) });
        }
        if is && (!was || swapped) {
            let reader = text(&self.name);
            events.push(match Atr::parse(atr) {
                Ok(atr) if !state.contains(State::MUTE) => Event::CardInserted { reader, atr },
                _ => Event::CardUnreadable { reader },
            });
        }
        self.state = state - State::CHANGED;
        self.count = count;
        self.present = is;
        self.known = true;
        events
    }

    /// The events of losing the reader itself.
    fn lost(&self) -> Vec<Event> {
        let reader = text(&self.name);
        let card = self.present.then(|| Event::CardRemoved { reader: reader.clone() });
        card.into_iter().chain([Event::ReaderLost { reader }]).collect()
    }
}

fn text(name: &CString) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_told_once() {
        let atr = Atr::contactless(crate::CardFactor([1; 8]));
        let reader = "reader".to_owned();
        let put_in = Event::CardInserted { reader: reader.clone(), atr: atr.clone() };
        let out = Event::CardRemoved { reader: reader.clone() };
        let unreadable = Event::CardUnreadable { reader };
        let (empty, present) = (State::EMPTY, State::PRESENT);
        // PC/SC part 5, 3.2.5.5: state, event count, answer to reset; one reader from its start.
        type Case<'c> = (&'c str, State, u32, &'c [u8], Vec<Event>);
        let cases: [Case<'_>; 15] = [
            ("nothing at first", empty, 0, &[], vec![]),
            ("in", present | State::CHANGED, 1, atr.bytes(), vec![put_in.clone()]),
            ("in use", present | State::INUSE, 1, atr.bytes(), vec![]),
            ("out", empty, 2, &[], vec![out.clone()]),
            ("in and out between two looks", empty, 4, &[], vec![]),
            ("in again", present, 5, atr.bytes(), vec![put_in.clone()]),
            (
                "swapped between two looks",
                present,
                7,
                atr.bytes(),
                vec![out.clone(), put_in.clone()],
            ),
            (
                "for a card upside down",
                present | State::MUTE,
                9,
                &[],
                vec![out.clone(), unreadable],
            ),
            ("out", empty, 10, &[], vec![out.clone()]),
            ("a reset met the next card", present, 10, atr.bytes(), vec![]),
            ("which left before it was seen", empty, 10, &[], vec![]),
            ("a reset met an empty reader", present | State::MUTE, 10, &[], vec![]),
            ("a card is in that was seen", present, 11, atr.bytes(), vec![put_in]),
            ("out, and a reset met the next card", present, 12, atr.bytes(), vec![out]),
            ("out at last", empty, 12, &[], vec![]),
        ];
        let mut watched = Watched::new(c"reader".to_owned());
        for (name, state, count, atr, expected) in cases {
            assert_eq!(watched.changed(state, count, atr), expected, "{name}");
        }
        assert_eq!(watched.lost(), [Event::ReaderLost { reader: "reader".to_owned() }]);
    }

    #[test]
    fn a_stopped_monitor_ends() {
        let monitor = Monitor::new();
        monitor.stopper().stop();
        assert_eq!(monitor.count(), 0);
    }
}
