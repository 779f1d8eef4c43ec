//! A slot of the virtual PC/SC reader (vpcd): the card is in while a connection is open.
//!
//! Messages are a length of two bytes, big-endian, and a body. From the reader a body of one byte is
//! 0 power off, 1 power on, 2 reset, 4 give the answer to reset; anything longer is a command.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;

use crate::card::{Card, Outcome};
use crate::chip::Chip;

/// How long to wait before looking again for a reader that is not there.
const RETRY: Duration = Duration::from_millis(100);

/// The link between reader and card, which takes time for each byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Bits a second; a link of 0 takes as long as one of 1.
    pub bit_rate: u32,
}

impl Link {
    /// The rate that every contactless card has, 106 kbit/s (ISO/IEC 14443-2): a carrier of
    /// 13.56 MHz, a bit in 128 of its periods.
    pub const CONTACTLESS: Self = Self { bit_rate: 13_560_000 / 128 };

    /// The least time that a command and its answer take: each byte with its parity bit, each
    /// block with a byte of protocol and two of check sum (ISO/IEC 14443-4). Delays between blocks
    /// and what the chip computes come on top, and are none here.
    #[must_use]
    pub fn time(self, command: usize, answer: usize) -> Duration {
        let bits = 9 * (command + answer + 2 * 3) as u64;
        Duration::from_micros(bits * 1_000_000 / u64::from(self.bit_rate.max(1)))
    }
}

/// What happened in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotEvent {
    /// There is a card, but no reader to put it into; it is looked for until it is there.
    Waiting,
    /// The card is in the reader.
    Inserted,
    /// The reader powered or reset the card.
    Powered,
    /// The card was taken out on request.
    Removed,
    /// The card left by itself, as its fault says.
    Left,
    /// The reader is gone, with the card still offered.
    ReaderGone,
}

/// One slot, served by a thread of its own until it is dropped.
pub struct Slot<C = Card> {
    shared: Arc<Shared<C>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<C> {
    inner: Mutex<Inner<C>>,
    changed: Condvar,
}

struct Inner<C> {
    card: Option<C>,
    /// How the card is reached; `None` takes no time.
    link: Option<Link>,
    /// The open connection, to be shut when the card is taken out.
    stream: Option<TcpStream>,
    closed: bool,
}

impl<C> Shared<C> {
    fn lock(&self) -> MutexGuard<'_, Inner<C>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Inner<C> {
    /// Ends the connection, which the reader sees as removal.
    fn hang_up(&mut self) {
        if let Some(stream) = self.stream.take() {
            let _ = stream.shutdown(Shutdown::Both); // an error means that it is closed already
        }
    }
}

impl<C: Chip + 'static> Slot<C> {
    /// A slot at `address`, empty. `tell` is called for each event, from the slot's thread.
    pub fn open(address: SocketAddr, tell: impl Fn(SlotEvent) + Send + 'static) -> Self {
        let empty = Inner { card: None, link: None, stream: None, closed: false };
        let shared = Arc::new(Shared { inner: Mutex::new(empty), changed: Condvar::new() });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || serve(&shared, address, &tell)
        });
        Self { shared, thread: Some(thread) }
    }

    /// Puts a card in, taking out the one that is there.
    pub fn insert(&self, card: C) {
        let mut inner = self.shared.lock();
        inner.hang_up();
        inner.card = Some(card);
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// Lets this and later cards be reached over `link`.
    pub fn reach_over(&self, link: Link) {
        self.shared.lock().link = Some(link);
    }

    /// Takes the card out; `None` when there is none.
    pub fn remove(&self) -> Option<C> {
        let mut inner = self.shared.lock();
        inner.hang_up();
        let card = inner.card.take();
        drop(inner);
        self.shared.changed.notify_all();
        card
    }

    /// Lets `act` change the card while it is in; `None` when there is none.
    pub fn with_card<T>(&self, act: impl FnOnce(&mut C) -> T) -> Option<T> {
        self.shared.lock().card.as_mut().map(act)
    }
}

impl<C> Drop for Slot<C> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.closed = true;
        inner.hang_up();
        drop(inner);
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was printed there
        }
    }
}

/// Waits for a card, connects it, serves it until it is out; forever.
fn serve<C: Chip>(shared: &Shared<C>, address: SocketAddr, tell: &dyn Fn(SlotEvent)) {
    let mut told_waiting = false;
    loop {
        let inner = shared.lock();
        let idle = |inner: &mut Inner<C>| inner.card.is_none() && !inner.closed;
        let inner = shared.changed.wait_while(inner, idle).unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return;
        }
        drop(inner);

        let Ok(stream) = connect(address) else {
            if !std::mem::replace(&mut told_waiting, true) {
                tell(SlotEvent::Waiting);
            }
            let inner = shared.lock();
            let still = |inner: &mut Inner<C>| inner.card.is_some() && !inner.closed;
            drop(shared.changed.wait_timeout_while(inner, RETRY, still));
            continue;
        };
        told_waiting = false;
        {
            let mut inner = shared.lock();
            // The slot may have been closed, or the card taken out, while the connection was made.
            if inner.closed {
                return;
            }
            let (true, Ok(handle)) = (inner.card.is_some(), stream.try_clone()) else { continue };
            inner.stream = Some(handle);
        }
        tell(SlotEvent::Inserted);
        let left = converse(shared, stream, tell).is_ok();
        let mut inner = shared.lock();
        let hung_up = inner.stream.is_none();
        inner.hang_up();
        if left {
            inner.card = None;
        }
        drop(inner);
        tell(match (left, hung_up) {
            (true, _) => SlotEvent::Left,
            (false, true) => SlotEvent::Removed,
            (false, false) => SlotEvent::ReaderGone,
        });
    }
}

/// Connects to a reader. Its port lies among those that the system gives to whoever connects, so one who
/// tries while nobody listens there will, by chance, be given that very port and be connected to itself.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    not_itself(TcpStream::connect_timeout(&address, Duration::from_secs(1))?)
}

fn not_itself(stream: TcpStream) -> io::Result<TcpStream> {
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Answers the reader. `Ok` when the card left by itself, an error when the connection ended.
fn converse<C: Chip>(
    shared: &Shared<C>,
    mut stream: TcpStream,
    tell: &dyn Fn(SlotEvent),
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let message = receive(&mut stream)?;
        let mut inner = shared.lock();
        let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
        let link = inner.link;
        let card = inner.card.as_mut().ok_or_else(gone)?;
        let mut delay = Duration::ZERO;
        let reply = match message[..] {
            [] | [0..=2] => {
                card.reset();
                drop(inner);
                if message == [1] || message == [2] {
                    tell(SlotEvent::Powered);
                }
                continue;
            }
            [4] => card.atr().bytes().to_vec(),
            _ => match card.exchange(&message) {
                Outcome::Answer(reply) => {
                    delay = link.map_or(delay, |link| link.time(message.len(), reply.len()));
                    reply
                }
                Outcome::Gone => return Ok(()),
                Outcome::Late(after, reply) => {
                    delay = after;
                    reply
                }
                // The reader waits on, until it gives up or the card is taken out.
                Outcome::Silent => continue,
            },
        };
        if !delay.is_zero() {
            // Until the time has come, or the card is taken out.
            let still = |inner: &mut Inner<C>| inner.stream.is_some() && !inner.closed;
            drop(shared.changed.wait_timeout_while(inner, delay, still));
        } else {
            drop(inner);
        }
        let length = u16::try_from(reply.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let framed = [&length.to_be_bytes()[..], &reply].concat();
        stream.write_all(&framed)?; // at once: two writes would be two packets
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    // The reader sends length and body apart and waits for the first to be acknowledged. The
    // option lasts for one acknowledgement, so it is set before each read (40 ms a message else).
    let mut length = [0; 2];
    SockRef::from(&*stream).set_tcp_quickack(true)?;
    stream.read_exact(&mut length)?;
    let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
    SockRef::from(&*stream).set_tcp_quickack(true)?;
    stream.read_exact(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[test]
    fn a_slot_does_not_take_itself_for_a_reader() {
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&any.into()).unwrap();
        socket.connect(&socket.local_addr().unwrap()).unwrap();
        let refused = not_itself(socket.into()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        let reader = TcpListener::bind(any).unwrap();
        connect(reader.local_addr().unwrap()).unwrap();
    }

    #[test]
    fn a_contactless_card_takes_85_microseconds_for_each_byte() {
        let cases = [((0, 0), 509), ((5, 28), 3313), ((261, 258), 44601)];
        for ((command, answer), microseconds) in cases {
            let time = Link::CONTACTLESS.time(command, answer);
            assert_eq!(time.as_micros(), microseconds, "{command} and {answer} bytes");
        }
    }
}
