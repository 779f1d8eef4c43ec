//! The transport suite, with the card in memory and behind a real PC/SC daemon.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use card::Transport;
use card::transport::pcsc::{Event, Monitor, PcscCard};
use card_emulator::slot::Slot;
use card_emulator::{Card, InMemory, sample};
use tests::contract::transport::{Reader, suite};
use tests::private::{PcscDaemon, in_private_space};

/// No reader at all.
#[derive(Default)]
struct Memory(Arc<Mutex<Option<InMemory>>>);

/// Both ends share the card, so that it can be taken out while a transport holds it.
struct Shared {
    card: Arc<Mutex<Option<InMemory>>>,
    atr: card::Atr,
}

impl Transport for Shared {
    fn atr(&self) -> &card::Atr {
        &self.atr
    }

    fn transmit(&mut self, command: &card::Apdu) -> Result<card::Response, card::TransportError> {
        match self.card.lock().unwrap().as_mut() {
            Some(card) => card.transmit(command),
            None => Err(card::TransportError::CardRemoved),
        }
    }
}

impl Reader for Memory {
    fn insert(&mut self, card: Card) -> Box<dyn Transport> {
        let card = InMemory::new(card);
        let atr = card.atr().clone();
        self.0 = Arc::new(Mutex::new(Some(card)));
        Box::new(Shared { card: Arc::clone(&self.0), atr })
    }

    fn remove(&mut self) {
        *self.0.lock().unwrap() = None;
    }
}

#[test]
fn memory() {
    assert!(suite(&mut Memory::default()) > 5);
}

/// The first virtual reader, and the monitor that sees cards come and go.
struct Virtual {
    slot: Slot,
    daemon: PcscDaemon,
    monitor: Monitor,
}

impl Virtual {
    fn wait(&mut self, what: &str, mut matches: impl FnMut(&Event) -> bool) -> Event {
        let event = self.monitor.by_ref().find(|event| matches(event));
        event.unwrap_or_else(|| panic!("no {what}"))
    }
}

impl Reader for Virtual {
    fn insert(&mut self, card: Card) -> Box<dyn Transport> {
        self.slot.insert(card);
        let event = self.wait("insertion", |event| matches!(event, Event::CardInserted { .. }));
        let Event::CardInserted { reader, .. } = event else { unreachable!("it was just matched") };
        Box::new(PcscCard::connect(&reader).unwrap())
    }

    fn remove(&mut self) {
        self.slot.remove();
        self.wait("removal", |event| matches!(event, Event::CardRemoved { .. }));
        self.daemon.saw_removal().unwrap();
    }
}

#[test]
fn a_real_daemon() {
    in_private_space(|| {
        let log = tempfile::tempdir().unwrap();
        let daemon = PcscDaemon::start(&log.path().join("pcscd")).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 35963));
        let slot = Slot::open(address, |_| {});
        let mut reader = Virtual { slot, daemon, monitor: Monitor::new() };
        let commands = suite(&mut reader);
        println!("{commands} commands for one reading");
    });
}

#[test]
fn a_card_that_a_reset_met_is_told_with_its_removal_or_not_at_all() {
    in_private_space(|| {
        let log = tempfile::tempdir().unwrap();
        let mut daemon = PcscDaemon::start(&log.path().join("pcscd")).unwrap();
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let slot = Slot::open(address(35963), |_| {});
        let other = Slot::open(address(35964), |_| {});
        let mut monitor = Monitor::new();
        let inserted = |monitor: &mut Monitor| {
            let reader = |event| match event {
                Event::CardInserted { reader, .. } => Some(reader),
                _ => None,
            };
            monitor.find_map(reader).unwrap()
        };
        slot.insert(sample::card(sample::image()));
        let reader = inserted(&mut monitor);
        let held = PcscCard::connect(&reader).unwrap();
        slot.remove();
        daemon.saw_removal().unwrap();
        // Between two looks of the daemon the next card comes, is reset by whoever held the last one, and leaves.
        slot.insert(sample::card(sample::image()));
        drop(held);
        slot.remove();
        daemon.settle();
        other.insert(sample::card(sample::image()));
        let mut there = 1;
        loop {
            match monitor.next().unwrap() {
                Event::CardInserted { reader: of, .. } if of == reader => there += 1,
                Event::CardRemoved { .. } => there -= 1,
                Event::CardInserted { .. } => break,
                _ => {}
            }
        }
        assert_eq!(there, 0, "a card is told of that is gone");
    });
}
