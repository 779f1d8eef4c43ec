//! A slot against a reader of the test's own, which speaks as vpcd does.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use card_emulator::slot::{Link, Slot, SlotEvent};
use card_emulator::{Fault, sample};

/// Long enough for a busy machine; nothing waits that long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// The reader's end of a connection.
struct Reader(TcpStream);

impl Reader {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send(&mut self, body: &[u8]) {
        // In two writes, as vpcd does.
        self.0.write_all(&(body.len() as u16).to_be_bytes()).unwrap();
        self.0.write_all(body).unwrap();
    }

    /// The card's next message; `None` when it is out.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
        self.0.read_exact(&mut body).ok()?;
        Some(body)
    }

    fn ask(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        self.send(body);
        self.receive()
    }
}

fn slot(listener: &TcpListener) -> (Slot, Receiver<SlotEvent>) {
    let (events, told) = channel();
    let slot = Slot::open(listener.local_addr().unwrap(), move |event| {
        let _ = events.send(event);
    });
    (slot, told)
}

fn next(told: &Receiver<SlotEvent>) -> SlotEvent {
    told.recv_timeout(PATIENCE).expect("an event")
}

const SELECT: [u8; 7] = [0x00, 0xA4, 0x00, 0x00, 0x02, 0xDD, 0xF1];
const SELECT_EF05: [u8; 7] = [0x00, 0xA4, 0x00, 0x00, 0x02, 0xEF, 0x05];
const DONE: [u8; 2] = [0x90, 0x00];

#[test]
fn a_card_goes_in_answers_and_comes_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (slot, told) = slot(&listener);
    assert!(slot.remove().is_none(), "empty at first");
    slot.insert(sample::card(sample::image()));
    let mut reader = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);

    reader.send(&[1]);
    assert_eq!(next(&told), SlotEvent::Powered);
    let atr = reader.ask(&[4]).unwrap();
    assert_eq!(atr, sample::card(sample::image()).atr().bytes());
    assert_eq!(reader.ask(&SELECT).unwrap(), DONE);
    assert_eq!(reader.ask(&SELECT_EF05).unwrap(), DONE);

    reader.send(&[2]);
    assert_eq!(next(&told), SlotEvent::Powered);
    assert_eq!(reader.ask(&SELECT_EF05).unwrap(), [0x6A, 0x82], "a reset forgets the directory");

    assert!(slot.remove().is_some());
    assert_eq!(reader.receive(), None);
    assert_eq!(next(&told), SlotEvent::Removed);

    slot.insert(sample::card(sample::image()));
    let mut reader = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);
    assert_eq!(reader.ask(&SELECT).unwrap(), DONE);
}

#[test]
fn a_card_that_leaves_by_itself_does_not_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (slot, told) = slot(&listener);
    slot.insert(sample::card(sample::image()));
    let mut reader = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);
    slot.with_card(|card| card.misbehave(Fault::GoneAt(2))).unwrap();
    assert_eq!(reader.ask(&SELECT).unwrap(), DONE);
    assert_eq!(reader.ask(&SELECT), None);
    assert_eq!(next(&told), SlotEvent::Left);
    assert!(slot.with_card(|_| ()).is_none());
}

#[test]
fn a_reader_that_comes_back_finds_the_card() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (slot, told) = slot(&listener);
    slot.insert(sample::card(sample::image()));
    let reader = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);
    drop(listener);
    drop(reader);
    assert_eq!(next(&told), SlotEvent::ReaderGone);
    assert_eq!(next(&told), SlotEvent::Waiting);
    let listener = TcpListener::bind(address).unwrap();
    let mut reader = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);
    assert_eq!(reader.ask(&SELECT).unwrap(), DONE);
    drop(slot);
    assert_eq!(reader.receive(), None, "a slot that ends takes its card along");
}

#[test]
fn a_card_swapped_for_another_is_seen_as_out_and_in() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (slot, told) = slot(&listener);
    slot.insert(sample::card(sample::image()));
    let mut first = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);
    slot.insert(sample::card(sample::image()));
    assert_eq!(first.receive(), None);
    let mut second = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Removed);
    assert_eq!(next(&told), SlotEvent::Inserted);
    assert_eq!(second.ask(&SELECT).unwrap(), DONE);
}

#[test]
fn an_answer_comes_late_or_not_at_all_and_the_card_can_still_be_taken_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (slot, told) = slot(&listener);
    slot.insert(sample::card(sample::image()));
    let mut reader = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);
    let delay = Duration::from_millis(120);
    slot.with_card(|card| card.misbehave(Fault::Slow(delay))).unwrap();
    let began = Instant::now();
    assert_eq!(reader.ask(&SELECT).unwrap(), DONE);
    assert!(began.elapsed() >= delay);

    // Whoever waits for an answer of an hour from now waits no longer than the card is in.
    let hour = Fault::Slow(Duration::from_secs(3600));
    slot.with_card(|card| card.misbehave(hour)).unwrap();
    reader.send(&SELECT);
    slot.with_card(|_| ()).unwrap();
    assert!(slot.remove().is_some());
    assert_eq!(reader.receive(), None);
    assert_eq!(next(&told), SlotEvent::Removed);
}

#[test]
fn a_card_on_a_link_takes_the_time_of_its_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (slot, told) = slot(&listener);
    let link = Link { bit_rate: 1000 };
    slot.reach_over(link);
    slot.insert(sample::card(sample::image()));
    let mut reader = Reader::accept(&listener);
    assert_eq!(next(&told), SlotEvent::Inserted);
    let began = Instant::now();
    assert_eq!(reader.ask(&SELECT).unwrap(), DONE);
    assert!(began.elapsed() >= link.time(SELECT.len(), DONE.len()));
}
