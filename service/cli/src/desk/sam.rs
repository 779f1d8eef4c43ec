//! The SAM beside the readers. It computes for the service, which drives it through this desk, and for
//! the desk itself while the service is away. Its PIN is typed here and goes to it alone.

mod agent;
mod pin;
mod show;

use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use card::{
    Apdu, Atr, IdentityReading, Pin, ReadError, Sam, SamError, SamSecurityModule, SecurityError,
    TransportError, read_identity,
    transport::{LinkError, pcsc::Lent},
};
use clap::Args;
use time::Date;
use tokio::{
    sync::{Mutex, Notify},
    task::spawn_blocking,
    time::timeout,
};

pub(super) use self::agent::Restored;
pub(crate) use self::{
    pin::{NewPin, change as change_pin},
    show::show,
};
use super::{
    metrics::Metrics,
    reader::{Abandoned, Reader, Trouble},
    watch::{Sight, Watch},
};
use crate::{
    failure::Failure,
    screen::Screen,
    text::{self, problems},
};

/// Longest wait for the SAM.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which SAM there is.
#[derive(Debug, Default, Args)]
pub(crate) struct SamOptions {
    /// SAM 卡所在的读卡器，名称含此文字 | The reader of the SAM: its name contains this
    #[arg(long, value_name = "TEXT")]
    sam: Option<String>,
    /// 含 SAM 卡 PIN 的文件，只能由本人读取；省略时在终端输入 | File with the SAM's PIN, readable by its owner only; asked for at the terminal when absent
    #[arg(long, value_name = "FILE", requires = "sam")]
    sam_pin_file: Option<PathBuf>,
}

/// A SAM that was taken hold of, for all readers of the desk.
#[derive(Clone)]
pub(super) struct SamReader(Rc<Held>);

struct Held {
    name: String,
    atr: RefCell<Atr>,
    /// Its own serial: another SAM is not given this one's PIN.
    serial: RefCell<String>,
    pin_file: Option<PathBuf>,
    reader: Mutex<Reader>,
    /// Whether it is to sign: it was given its PIN when the desk began.
    signs: bool,
    state: Cell<State>,
    /// The PIN of the file was refused: it is not presented again before somebody says so.
    refused: Cell<bool>,
    /// Tells that it failed.
    failed: Notify,
}

/// How far a SAM can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its PIN was presented.
    Signing,
    /// It does all but sign.
    Computing,
    /// It failed, was reset or taken out since it was last looked at.
    Failed,
}

/// What a SAM says before anything is asked of it.
struct Look {
    atr: Atr,
    serial: String,
    tries: u8,
}

impl SamReader {
    /// Takes hold of the SAM, shows how many tries its PIN has left, and presents the PIN; `None`
    /// when the desk is to have none. Without a PIN the SAM does all but sign.
    pub(super) async fn open(
        options: &SamOptions,
        screen: Screen,
    ) -> Result<Option<Self>, Failure> {
        let Some(wanted) = &options.sam else { return Ok(None) };
        let missing = || Failure::of(problems::SAM_UNREADABLE).about(wanted);
        let name = found(wanted).await.ok_or_else(missing)?;
        let mut reader = Reader::new(&name, Abandoned::default(), Metrics::new());
        let Look { atr, serial, tries } = look(&mut reader).await.ok_or_else(missing)?;
        if tries == 0 {
            return Err(problems::SAM_PIN_BLOCKED.into());
        }
        let file = options.sam_pin_file.clone();
        let pin = pin::pin(file.as_deref(), screen, text::ASK_SAM_PIN, tries).await?;
        let state = match pin {
            Some(pin) => {
                present(&mut reader, pin).await?;
                State::Signing
            }
            None => State::Computing,
        };
        let signs = state == State::Signing;
        Ok(Some(Self(Rc::new(Held {
            name,
            atr: RefCell::new(atr),
            serial: RefCell::new(serial),
            pin_file: file,
            reader: Mutex::new(reader),
            signs,
            state: Cell::new(state),
            refused: Cell::new(false),
            failed: Notify::new(),
        }))))
    }

    /// Name of its reader, which is none for cards.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Its answer to reset.
    pub(super) fn atr(&self) -> Vec<u8> {
        self.0.atr.borrow().bytes().to_vec()
    }

    /// Sends a command to the SAM.
    pub(super) async fn transmit(&self, command: Apdu) -> Result<(Vec<u8>, Duration), Trouble> {
        let mut reader = self.0.reader.lock().await;
        let sent = reader.transmit(command).await;
        if sent.is_err() {
            self.recover(&mut reader).await;
        }
        sent
    }

    /// Has a card prove itself to the SAM, and reads whose it is, on a thread of its own; nobody else
    /// uses the SAM meanwhile.
    pub(super) async fn read(
        &self,
        mut card: Lent,
        today: Date,
    ) -> Result<IdentityReading, ReadError> {
        let mut reader = self.0.reader.lock().await;
        let atr = self.0.atr.borrow().clone();
        let Some(sam) = reader.lend(atr) else {
            self.recover(&mut reader).await;
            return Err(unavailable(link(TransportError::ReaderGone)));
        };
        let work = spawn_blocking(move || {
            let module = SamSecurityModule::new(Sam::open(sam).map_err(unavailable)?);
            let mut randomness = |octets: &mut [u8; 8]| {
                getrandom::fill(octets).expect("the system's random generator works");
            };
            read_identity(&mut card, &module, &mut randomness, today)
        });
        let read = match work.await {
            Ok(read) => read,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        if let Err(ReadError::Security(SecurityError::Unavailable(error))) = &read {
            if is_hung(error) {
                reader.give_up();
            }
            self.recover(&mut reader).await;
        }
        read
    }

    /// What it computed with is gone, and with it the right to sign; without its PIN it goes on as
    /// far as it can.
    async fn recover(&self, reader: &mut Reader) {
        reader.release();
        if let Ok(atr) = reader.connect().await {
            self.0.atr.replace(atr);
        }
        self.lose();
        self.0.failed.notify_one();
    }
}

/// Takes hold of a SAM anew, and asks it what it tells anybody.
async fn look(reader: &mut Reader) -> Option<Look> {
    let looked = reader
        .ask(|place| -> Result<Look, SamError> {
            let card = place.connect().map_err(link)?;
            let atr = card::Transport::atr(card).clone();
            let mut sam = Sam::open(&mut *card)?;
            Ok(Look { atr, serial: sam.public()?.serial.to_string(), tries: sam.tries_left()? })
        })
        .await;
    looked.ok()?.ok()
}

async fn present(reader: &mut Reader, pin: Pin) -> Result<(), Failure> {
    let verified = reader
        .ask(move |place| -> Result<(), SamError> {
            Sam::open(place.card().map_err(link)?)?.verify(&pin)
        })
        .await;
    match verified {
        Ok(verified) => verified.map_err(|error| pin::refused(&error)),
        Err(_) => Err(problems::SAM_UNREADABLE.into()),
    }
}

/// The reader that holds the SAM, once it is there: a desk may start before its reader is ready.
async fn found(wanted: &str) -> Option<String> {
    let mut watch = Watch::start(Some(wanted.to_owned()), None);
    let search = async {
        while let Some((_, sight)) = watch.next().await {
            match sight {
                Sight::Card { reader, .. } => return Some(reader),
                Sight::ServiceLost => return None,
                _ => {}
            }
        }
        None
    };
    let found = timeout(PATIENCE, search).await.ok().flatten();
    watch.stop();
    found
}

fn link(error: TransportError) -> SamError {
    LinkError::from(error).into()
}

fn unavailable(error: SamError) -> ReadError {
    SecurityError::from(error).into()
}

/// Whether a SAM did not answer in time.
fn is_hung(error: &SamError) -> bool {
    matches!(error, SamError::Link(LinkError::Transport(TransportError::Timeout)))
}
