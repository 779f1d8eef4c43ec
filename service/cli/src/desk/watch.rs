//! The readers, watched on a thread of their own.

use std::{collections::BTreeSet, thread, time::Instant};

use card::transport::pcsc::{self, Event, Monitor, Stopper};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::{failure::Failure, text::problems};

/// What was seen at the readers that this desk is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// The PC/SC service does not answer.
    ServiceLost,
    /// The readers that are there now, when it was looked first and whenever that changes.
    Readers(Vec<String>),
    Card {
        reader: String,
        atr: Vec<u8>,
    },
    Unreadable {
        reader: String,
    },
    Removed {
        reader: String,
    },
    /// The SAM is in its reader.
    SamIn,
    /// The SAM was taken out.
    SamOut,
}

impl Sight {
    /// The reader whose card it is about.
    pub(super) fn reader(&self) -> Option<&str> {
        match self {
            Self::Card { reader, .. } | Self::Unreadable { reader } | Self::Removed { reader } => {
                Some(reader)
            }
            Self::ServiceLost | Self::Readers(_) | Self::SamIn | Self::SamOut => None,
        }
    }
}

/// A running watch.
pub(super) struct Watch {
    wanted: Wanted,
    sights: UnboundedReceiver<(Instant, Sight)>,
    stopper: Stopper,
}

/// Which readers are watched.
#[derive(Clone, Default)]
struct Wanted {
    /// Their names contain this.
    part: Option<String>,
    /// It is not this one, which has the SAM.
    sam: Option<String>,
}

impl Wanted {
    fn has(&self, reader: &str) -> bool {
        self.part.as_ref().is_none_or(|part| reader.contains(part))
            && self.sam.as_deref() != Some(reader)
    }
}

impl Watch {
    /// Watches the readers whose names contain `reader`, or all; the one of the SAM is none of them.
    pub(super) fn start(reader: Option<String>, sam: Option<String>) -> Self {
        let monitor = Monitor::new();
        let stopper = monitor.stopper();
        let (told, sights) = mpsc::unbounded_channel();
        let wanted = Wanted { part: reader, sam };
        let watched = wanted.clone();
        // Not joined: it ends with the monitor, or with the process.
        thread::spawn(move || follow(monitor, &watched, &told));
        Self { wanted, sights, stopper }
    }

    /// A watch that sees these and ends.
    #[cfg(test)]
    pub(super) fn of(seen: Vec<Sight>) -> Self {
        let (told, sights) = mpsc::unbounded_channel();
        for sight in seen {
            told.send((Instant::now(), sight)).unwrap();
        }
        Self { wanted: Wanted::default(), sights, stopper: Monitor::new().stopper() }
    }

    /// The next sight and when it was seen. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Option<(Instant, Sight)> {
        self.sights.recv().await
    }

    /// Whether there is a card in another of the readers now. The PC/SC service is asked: sights
    /// come one after the other, and those of the other readers may still be on their way.
    pub(super) async fn has_another_card(&self, than: &str) -> Result<bool, Failure> {
        let present = tokio::task::spawn_blocking(pcsc::readers_with_cards).await;
        let present = present.map_err(|_| Failure::of(problems::READER_SERVICE_UNAVAILABLE))?;
        let present = present.map_err(|_| Failure::of(problems::READER_SERVICE_UNAVAILABLE))?;
        Ok(present.iter().any(|reader| reader != than && self.wanted.has(reader)))
    }

    /// Whether a card was put into a reader other than this one since.
    pub(super) fn saw_another_card(&mut self, than: &str) -> bool {
        while let Ok((_, sight)) = self.sights.try_recv() {
            if matches!(&sight, Sight::Card { reader, .. } if reader != than) {
                return true;
            }
        }
        false
    }

    pub(super) fn stop(&self) {
        self.stopper.stop();
    }
}

fn follow(monitor: Monitor, wanted: &Wanted, told: &UnboundedSender<(Instant, Sight)>) {
    let mut readers = Readers::default();
    for event in monitor {
        let at = Instant::now();
        let listed = || pcsc::readers().unwrap_or_default();
        if let Some(sight) = readers.see(event, wanted, listed)
            && told.send((at, sight)).is_err()
        {
            return;
        }
    }
}

/// The readers told of so far.
#[derive(Default)]
struct Readers(BTreeSet<String>);

impl Readers {
    /// Translates an event; `listed` gives the readers of a service that was just found.
    fn see(
        &mut self,
        event: Event,
        wanted: &Wanted,
        listed: impl FnOnce() -> Vec<String>,
    ) -> Option<Sight> {
        let ours = |reader: &String| wanted.has(reader);
        let of_sam = |reader: &String| wanted.sam.as_ref() == Some(reader);
        match event {
            Event::ServiceLost => {
                self.0.clear();
                Some(Sight::ServiceLost)
            }
            Event::ServiceFound => {
                self.0 = listed().into_iter().filter(ours).collect();
                Some(self.all())
            }
            Event::ReaderFound { reader } if ours(&reader) => {
                self.0.insert(reader).then(|| self.all())
            }
            Event::ReaderLost { reader } => self.0.remove(&reader).then(|| self.all()),
            Event::CardInserted { reader, atr } if ours(&reader) => {
                Some(Sight::Card { reader, atr: atr.bytes().to_vec() })
            }
            Event::CardUnreadable { reader } if ours(&reader) => Some(Sight::Unreadable { reader }),
            Event::CardRemoved { reader } if ours(&reader) => Some(Sight::Removed { reader }),
            Event::CardInserted { reader, .. } if of_sam(&reader) => Some(Sight::SamIn),
            Event::CardRemoved { reader } if of_sam(&reader) => Some(Sight::SamOut),
            _ => None,
        }
    }

    fn all(&self) -> Sight {
        Sight::Readers(self.0.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Sight {
        Sight::Readers(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn only_the_wanted_readers_are_seen() {
        let found = |reader: &str| Event::ReaderFound { reader: reader.to_owned() };
        let lost = |reader: &str| Event::ReaderLost { reader: reader.to_owned() };
        let removed = |reader: &str| Event::CardRemoved { reader: reader.to_owned() };
        let steps = [
            (Event::ServiceLost, Some(Sight::ServiceLost)),
            (Event::ServiceFound, Some(named(&["Desk 1"]))),
            (found("Desk 1"), None),
            (found("Office"), None),
            (found("Desk SAM"), None),
            (found("Desk 2"), Some(named(&["Desk 1", "Desk 2"]))),
            (removed("Office"), None),
            (removed("Desk 2"), Some(Sight::Removed { reader: "Desk 2".to_owned() })),
            (removed("Desk SAM"), Some(Sight::SamOut)),
            (lost("Desk 1"), Some(named(&["Desk 2"]))),
            (lost("Office"), None),
            (Event::ServiceLost, Some(Sight::ServiceLost)),
            (found("Desk 2"), Some(named(&["Desk 2"]))),
        ];
        let wanted = Wanted { part: Some("Desk".to_owned()), sam: Some("Desk SAM".to_owned()) };
        let mut readers = Readers::default();
        for (event, expected) in steps {
            let listed = || vec!["Office".to_owned(), "Desk 1".to_owned()];
            let told = format!("{event:?}");
            assert_eq!(readers.see(event, &wanted, listed), expected, "{told}");
        }
    }
}
