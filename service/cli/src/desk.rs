//! The desk agent: it watches readers and relays bytes between cards and the service. It holds no
//! card key and understands no answer of a reading; the person comes from the service.
//!
//! Each reader has a worker with a PC/SC context of its own (`reader`) and a stream of its own
//! (`relay`), joined in a `seat`: a card that is slow, mute or floods keeps nobody waiting but
//! itself. `table` decides what to do about the cards; this module has it done.

mod alone;
mod answers;
mod attend;
mod event;
mod hold;
mod interface;
mod interruption;
mod issue;
mod metrics;
mod notice;
mod offline;
mod presence;
mod reader;
mod relay;
mod reset;
mod sam;
mod seat;
mod serve;
mod single;
mod spool;
mod table;
mod watch;
mod work;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinError, JoinSet, LocalSet},
    time::{sleep, sleep_until},
};

pub(crate) use self::hold::{HoldOptions, hold};
pub(crate) use self::interruption::Interruption;
pub(crate) use self::issue::run as issue;
use self::{
    answers::Answers,
    attend::Counter,
    event::{Shown, tell},
    interface::Asked,
    metrics::Metrics,
    offline::Offline,
    reader::Abandoned,
    relay::{Outcome, Relay},
    reset::Resetting,
    sam::SamReader,
    seat::Seat,
    table::{Presence, Rule, Table},
    watch::{Sight, Watch},
    work::Report,
};
pub(crate) use self::{
    sam::{NewPin, SamOptions, change_pin as change_sam_pin, show as show_sam},
    single::{dump_one, read_one, write_one},
};
use crate::{
    context::{self, Context},
    exit::Exit,
    failure::Failure,
    screen::Screen,
    service::Service,
};

/// How long to wait before the service is looked for again.
const RETRY: Duration = Duration::from_secs(1);
/// How often what is needed without the service is brought up to date.
const REFRESH: Duration = Duration::from_secs(600);
/// Streams of readers that are kept at once; the service takes sixteen of a session. A reader
/// beyond them takes over the stream of one that has nothing to do.
const MOST_STREAMS: usize = 12;

/// When the desk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Interrupted,
    FirstCard,
}

/// Whose readers these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    /// All of one desk: with two cards it asks which one is meant.
    One,
    /// Each reader is a desk of its own.
    Each,
}

/// What the desk is asked to be.
#[derive(Debug)]
pub(crate) struct Options {
    /// Only readers whose names contain this.
    pub(crate) reader: Option<String>,
    pub(crate) until: Until,
    pub(crate) windows: Windows,
    /// Where metrics are offered.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where software on this machine may ask.
    pub(crate) interface: Option<PathBuf>,
    /// The SAM beside the readers.
    pub(crate) sam: SamOptions,
}

/// The desk at work.
struct Desk {
    screen: Screen,
    service: Arc<Service>,
    until: Until,
    watch: Watch,
    sam: Option<SamReader>,
    /// The SAM is being brought back, or its PIN is being typed.
    sam_at_work: bool,
    /// A stream with no card: while the desk is idle, its end says that the service is gone.
    line: Option<Relay>,
    seeking: bool,
    table: Table,
    /// The readers that have been used; `None` while something is done there.
    seats: BTreeMap<String, Option<Seat>>,
    jobs: JoinSet<Report>,
    /// Resets that are under way; the next card in that reader waits for the end.
    resets: BTreeMap<String, Resetting>,
    /// What was seen at a reader while something was done there, in order.
    deferred: Vec<(Instant, Sight)>,
    abandoned: Abandoned,
    answers: Answers,
    counter: Counter,
    offline: Offline,
    /// Readings are being told to the service.
    reconciling: bool,
    /// When what is needed without the service is asked for again.
    refresh_at: Instant,
    metrics: Metrics,
    /// The readers that are there.
    readers: usize,
    daemon: Daemon,
}

/// Whether the smart card service was lost since it was last found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Daemon {
    NotSeen,
    Found,
    Lost,
}

/// What wakes the desk.
enum Wake {
    Report(Box<Result<Report, JoinError>>),
    Sight(Option<(Instant, Sight)>),
    LineEnded(Failure),
    Answer(String),
    Asked(Asked),
    /// A request has waited long enough.
    Overdue,
    Retry,
    Refresh,
    SamFailed,
}

/// Runs the desk until it is interrupted, or for one card.
pub(crate) async fn run(context: &Context, options: Options) -> context::Outcome {
    let sam = SamReader::open(&options.sam, context.screen).await?;
    let (offline, problem) = Offline::open(&context.service);
    // A desk that cannot log in is told at once; a service that goes later is waited for, and one
    // that is away is if cards can be seen without it.
    let line = match Relay::open(&context.service).await {
        Err(failure) if failure.exit == Exit::Unreachable && offline.is_ready() => Err(failure),
        line => Ok(line?),
    };
    let rule = match options.windows {
        Windows::One => Rule::Ask,
        Windows::Each => Rule::Each,
    };
    let mut desk = Desk {
        screen: context.screen,
        service: Arc::clone(&context.service),
        until: options.until,
        watch: Watch::start(options.reader, sam.as_ref().map(|sam| sam.name().to_owned())),
        sam,
        sam_at_work: false,
        line: None,
        seeking: false,
        table: Table::new(rule),
        seats: BTreeMap::new(),
        jobs: JoinSet::new(),
        resets: BTreeMap::new(),
        deferred: Vec::new(),
        abandoned: Abandoned::default(),
        answers: Answers::default(),
        counter: Counter::default(),
        offline,
        reconciling: false,
        refresh_at: Instant::now(),
        metrics: Metrics::new(),
        readers: 0,
        daemon: Daemon::NotSeen,
    };
    if let Some(address) = options.metrics {
        let bound = desk.metrics.offer(address).await?;
        desk.tell(&Shown::Metrics(bound));
    }
    if let Some(path) = &options.interface {
        desk.open_counter(path)?;
    }
    if let Some(failure) = &problem {
        desk.tell(&Shown::NoOffline(failure));
    }
    if desk.offline.damaged() > 0 {
        desk.tell(&Shown::SpoolDamaged(desk.offline.damaged()));
    }
    let mut interrupted = Interruption::new()?;
    let local = LocalSet::new();
    let ended = local
        .run_until(async {
            match line {
                Ok(line) => desk.take_line(line),
                Err(failure) => desk.tell(&Shown::ServiceLost(&failure)),
            }
            tokio::select! {
                ended = desk.work() => ended,
                () = interrupted.came() => Ok(Exit::Done),
            }
        })
        .await;
    desk.watch.stop();
    tell(context.screen, &Shown::Ended);
    ended
}

impl Desk {
    async fn work(&mut self) -> context::Outcome {
        loop {
            while let Some(step) = self.table.next(self.presence()) {
                if let Some(exit) = self.take(step) {
                    return Ok(exit);
                }
            }
            self.attend();
            self.measure();
            let woken = match self.wake().await {
                Wake::Report(report) => self.heed(*report)?,
                Wake::Sight(None) => return Ok(Exit::Done),
                Wake::Sight(Some((at, sight))) => self.notice(at, sight),
                Wake::LineEnded(failure) => {
                    self.lose_service(&failure);
                    None
                }
                Wake::Answer(line) => {
                    self.answered(&line);
                    None
                }
                Wake::Asked(asked) => {
                    self.counter.keep(asked);
                    None
                }
                Wake::Overdue => None,
                Wake::Retry => {
                    self.seek_service();
                    None
                }
                Wake::Refresh => {
                    self.prepare();
                    None
                }
                Wake::SamFailed => {
                    self.restore_sam();
                    None
                }
            };
            if let Some(exit) = woken {
                return Ok(exit);
            }
        }
    }

    async fn wake(&mut self) -> Wake {
        let away = self.line.is_none() && !self.seeking;
        let asked = self.table.question().is_some() || self.sam_needs_pin();
        let overdue = self.counter.overdue();
        tokio::select! {
            biased; // what was done at a reader comes before what was seen there meanwhile
            Some(report) = self.jobs.join_next() => Wake::Report(Box::new(report)),
            sight = self.watch.next() => Wake::Sight(sight),
            failure = line_ended(&mut self.line) => Wake::LineEnded(failure),
            () = sam_failed(self.sam.as_ref()) => Wake::SamFailed,
            line = self.answers.next(), if asked => Wake::Answer(line),
            asked = self.counter.next() => Wake::Asked(asked),
            () = sleep_until(overdue.unwrap_or(self.refresh_at).into()), if overdue.is_some() => Wake::Overdue,
            () = sleep(RETRY), if away => Wake::Retry,
            () = sleep_until(self.refresh_at.into()), if self.line.is_some() => Wake::Refresh,
        }
    }

    fn measure(&self) {
        self.metrics.readers(self.table.states(self.readers));
        let (spool, abandoned) = (self.offline.waiting(), self.abandoned.count());
        self.metrics.state(self.line.is_some(), spool, abandoned);
        self.metrics.list(self.offline.list_issued_at());
    }

    fn presence(&self) -> Presence {
        match (&self.line, self.offline.is_ready()) {
            (Some(_), _) => Presence::Here,
            (None, true) => Presence::Offline,
            (None, false) => Presence::Away,
        }
    }

    fn show(&mut self, reader: &str, since: Instant, outcome: &Outcome) -> Option<Exit> {
        self.metrics.card(match outcome {
            Outcome::Reading(_) => "read",
            Outcome::Refused(_) => "refused",
        });
        self.tell(&Shown::Outcome { reader, outcome, since });
        self.after_card(match outcome {
            Outcome::Reading(_) => Exit::Done,
            Outcome::Refused(_) => Exit::Refused,
        })
    }

    fn after_card(&self, exit: Exit) -> Option<Exit> {
        (self.until == Until::FirstCard).then_some(exit)
    }

    /// Whether somebody is there to answer.
    fn can_answer(&self) -> bool {
        self.screen.json || self.screen.can_ask()
    }

    fn tell(&self, shown: &Shown<'_>) {
        tell(self.screen, shown);
    }
}

/// Ends when the SAM fails; never, when there is none.
async fn sam_failed(sam: Option<&SamReader>) {
    match sam {
        Some(sam) => sam.failed().await,
        None => std::future::pending().await,
    }
}

/// Ends when the line does; never, when there is none.
async fn line_ended(line: &mut Option<Relay>) -> Failure {
    match line {
        Some(line) => line.ended().await,
        None => std::future::pending().await,
    }
}
