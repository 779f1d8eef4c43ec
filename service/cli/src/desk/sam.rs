//! The SAM beside the readers. It computes for the service, which drives it through this desk. Its PIN is typed here and
//! goes to it alone.

use std::{path::PathBuf, rc::Rc, time::Duration};

use card::{
    Apdu, CardKey, Pin, Sam, SamError, Transport as _, TransportError,
    certificate::{CardCertificate, Stored},
    transport::pcsc::PcscCard,
};
use clap::Args;
use serde_json::json;
use tokio::{sync::Mutex, time::timeout};

use super::{
    metrics::Metrics,
    reader::{Abandoned, Reader, Trouble},
    watch::{Sight, Watch},
};
use crate::{
    context::{self, Context},
    exit::Exit,
    failure::Failure,
    files,
    page::Page,
    screen::Screen,
    text::{self, problems},
};

/// Longest wait for the SAM.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest file with a PIN, bytes.
const PIN_FILE: u64 = 64;

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
    atr: Vec<u8>,
    reader: Mutex<Reader>,
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
        let looked = reader
            .ask(|place| -> Result<(Vec<u8>, u8), SamError> {
                let card = place.connect().map_err(link)?;
                let atr = card.atr().bytes().to_vec();
                let tries = Sam::open(&mut *card)?.tries_left()?;
                Ok((atr, tries))
            })
            .await;
        let Ok(Ok((atr, tries))) = looked else { return Err(missing()) };
        if tries == 0 {
            return Err(problems::SAM_PIN_BLOCKED.into());
        }
        let mut sam = Self(Rc::new(Held { name, atr, reader: Mutex::new(reader) }));
        if let Some(pin) = pin(options, screen, tries)? {
            sam.present(pin).await?;
        }
        Ok(Some(sam))
    }

    /// Name of its reader, which is none for cards.
    pub(super) fn name(&self) -> &str {
        &self.0.name
    }

    /// Its answer to reset.
    pub(super) fn atr(&self) -> Vec<u8> {
        self.0.atr.clone()
    }

    /// Sends a command to the SAM.
    pub(super) async fn transmit(&self, command: Apdu) -> Result<(Vec<u8>, Duration), Trouble> {
        let mut reader = self.0.reader.lock().await;
        let sent = reader.transmit(command).await;
        if sent.is_err() {
            // What it computed with is gone; without its PIN it goes on as far as it can.
            reader.release();
            let _ = reader.connect().await;
        }
        sent
    }

    async fn present(&mut self, pin: Pin) -> Result<(), Failure> {
        let mut reader = self.0.reader.lock().await;
        let verified = reader
            .ask(move |place| -> Result<(), SamError> {
                let card = place.card().map_err(link)?;
                Sam::open(card)?.verify(&pin)
            })
            .await;
        match verified {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(match error.wrong_pin() {
                Some(0) => problems::SAM_PIN_BLOCKED.into(),
                Some(left) => Failure::of(problems::SAM_PIN_WRONG).about(left),
                None => Failure::of(problems::SAM_UNREADABLE).about(error),
            }),
            Err(_) => Err(problems::SAM_UNREADABLE.into()),
        }
    }
}

/// What a SAM says of itself.
struct Shown {
    public: card::sam::PublicFile,
    terminal: card::sam::TerminalNumber,
    valid_until: String,
    tries: u8,
    /// Whether its certificate is of our layout and vouched for by the issuer's beside it.
    certified: bool,
    /// Key and version, and the check value.
    masters: Vec<(String, String)>,
}

/// Shows a SAM. Its check values are compared with those of a keystore (`healthcardd keys`).
pub(crate) async fn show(context: &Context, wanted: &str) -> context::Outcome {
    let missing = || Failure::of(problems::SAM_UNREADABLE).about(wanted);
    let name = found(wanted).await.ok_or_else(missing)?;
    let mut reader = Reader::new(&name, Abandoned::default(), Metrics::new());
    let looked = reader.ask(|place| look(place.connect().map_err(link)?)).await;
    reader.release();
    let shown = looked.map_err(|_| missing())?.map_err(|error| missing().about(error))?;
    let masters: Vec<_> = shown
        .masters
        .iter()
        .map(|(key, value)| json!({ "key": key, "check_value": value }))
        .collect();
    let json = json!({
        "serial": shown.public.serial.to_string(),
        "terminal": shown.terminal.to_string(),
        "valid_until": shown.valid_until,
        "pin_tries_left": shown.tries,
        "certified": shown.certified,
        "masters": masters,
    });
    let lines = shown.masters.into_iter().map(|(key, value)| vec![key.into(), value.into()]);
    let page = Page::titled(text::SAM)
        .row(text::SAM_SERIAL, shown.public.serial.to_string())
        .row(text::SAM_TERMINAL, shown.terminal.to_string())
        .row(text::VALID_UNTIL, shown.valid_until)
        .row(text::SAM_TRIES, shown.tries.to_string())
        .row(text::SAM_CERTIFIED, if shown.certified { text::YES } else { text::NO })
        .table(&[text::SAM_MASTER, text::SAM_CHECK_VALUE], lines.collect());
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

fn look(card: &mut PcscCard) -> Result<Shown, SamError> {
    let mut sam = Sam::open(card)?;
    let application = sam.application()?;
    let certified = match (sam.issuer_certificate()?, CardCertificate::parse(&sam.certificate()?)) {
        (Stored::Known(issuer), Ok(own)) => own.verify(&issuer, application.valid_from).is_ok(),
        _ => false,
    };
    let mut masters = Vec::new();
    for (key, version) in CardKey::all_versions() {
        if let Some(value) = sam.check_value(key, version)? {
            let value = value.iter().map(|octet| format!("{octet:02X}")).collect();
            masters.push((format!("{key}/{version}"), value));
        }
    }
    Ok(Shown {
        public: sam.public()?,
        terminal: sam.terminal()?,
        valid_until: application.valid_until.to_string(),
        tries: sam.tries_left()?,
        certified,
        masters,
    })
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
    card::transport::LinkError::from(error).into()
}

/// The PIN from its file, or as it is typed after the tries that are left were shown. Nothing typed,
/// or nobody to type: none is presented.
fn pin(options: &SamOptions, screen: Screen, tries: u8) -> Result<Option<Pin>, Failure> {
    let digits = match &options.sam_pin_file {
        Some(path) => {
            let bytes = files::read(path, PIN_FILE)?;
            if files::is_exposed(path).unwrap_or(true) {
                return Err(Failure::of(problems::SAM_PIN_UNUSABLE).about(path.display()));
            }
            zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).trim().to_owned())
        }
        None if screen.can_ask() => {
            let asked = format!("{}{tries}) ", text::ASK_SAM_PIN.speak(screen.lang));
            let typed = rpassword::prompt_password(asked)
                .map_err(|error| Failure::of(problems::SAM_PIN_UNUSABLE).about(error))?;
            zeroize::Zeroizing::new(typed)
        }
        None => return Ok(None),
    };
    match digits.as_str() {
        "" => Ok(None),
        digits => {
            Pin::from_digits(digits).map(Some).map_err(|_| Failure::of(problems::SAM_PIN_UNUSABLE))
        }
    }
}
