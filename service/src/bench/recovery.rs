//! How soon a desk reads again after the PC/SC daemon was killed, a reader was torn out, or a card was pulled out of its
//! reading; and what a card that never answers costs whoever uses the other reader. With the real programs and a real
//! daemon, in a private space (`scripts/with-pcsc --no-daemon`).

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    BenchError,
    measure::{Measured, milliseconds, ratio},
};
use crate::demo::{
    daemon::PcscDaemon,
    people::{CLERK, HOSPITAL, PATIENT, SOMEBODY_ELSE},
    programs::Programs,
    readers::{Desk, VirtualReaders},
    stage::{CardKeys, Stage},
};

/// The reader that is not tormented.
const OTHER_READER: &str = "Virtual PCD 00 01";

/// What is done to a desk in a round.
#[derive(Clone, Copy)]
enum Torment {
    DaemonKilled,
    CardPulled,
    ReaderTornOut,
}

const TORMENTS: [(Torment, &str); 3] = [
    (Torment::DaemonKilled, "daemon killed, to person on screen"),
    (Torment::CardPulled, "card pulled out of its reading and put in again, to person on screen"),
    (Torment::ReaderTornOut, "reader torn out and back, to person on screen"),
];

struct Round {
    _stage: Stage,
    daemon: PcscDaemon,
    readers: VirtualReaders,
    desk: Desk,
    patient: PathBuf,
    other: PathBuf,
}

pub(super) fn ask(directory: &Path, rounds: u32) -> Result<Vec<(String, Value)>, BenchError> {
    let mut round = Round::open(directory)?;
    let mut recovered = [Vec::new(), Vec::new(), Vec::new()];
    let (mut calm, mut beside) = (Vec::new(), Vec::new());
    for number in 0..rounds as usize {
        let at = number % TORMENTS.len();
        recovered[at].push(round.recover(TORMENTS[at].0)?);
        // One in ten rounds looks at the other reader, without and with trouble in this one.
        if number % 10 == 0 {
            calm.push(round.other_reader()?);
            beside.push(round.other_reader_beside_trouble()?);
        }
    }
    let mut figures = vec![("rounds, none without recovery".into(), rounds.into())];
    let all: Vec<Duration> = recovered.iter().flatten().copied().collect();
    let kinds = TORMENTS.iter().map(|(_, name)| *name).zip(recovered);
    for (name, times) in [("all", all)].into_iter().chain(kinds) {
        let whole = times.iter().sum();
        let times = Measured::of(times, whole);
        figures.push((format!("{name}: rounds"), times.count().into()));
        for percent in [50, 95, 99, 100] {
            figures
                .push((format!("{name}: p{percent}, ms"), milliseconds(times.percentile(percent))));
        }
    }
    let [calm, beside] = [calm, beside].map(|times| {
        let whole = times.iter().sum();
        Measured::of(times, whole)
    });
    for (name, times) in [("alone", &calm), ("beside a card that never answers", &beside)] {
        for percent in [50, 95] {
            let figure = format!("other reader, insertion to screen, {name}: p{percent}, ms");
            figures.push((figure, milliseconds(times.percentile(percent))));
        }
    }
    for percent in [50, 95] {
        let compared =
            ratio(beside.percentile(percent).as_secs_f64(), calm.percentile(percent).as_secs_f64());
        figures.push((format!("other reader, beside it to alone: p{percent}"), compared));
    }
    Ok(figures)
}

impl Round {
    fn open(directory: &Path) -> Result<Self, BenchError> {
        let mut stage = Stage::empty(directory, Programs::beside_this_one()?)?;
        stage.init()?;
        stage.serve()?;
        let hospital = stage.register_institution(&HOSPITAL)?;
        stage.engage(&hospital, &CLERK)?;
        let mut images = Vec::new();
        for person in [&PATIENT, &SOMEBODY_ELSE] {
            let resident = stage.register_resident(CLERK.key, person)?;
            images.push(stage.make_card(person, CardKeys::Genuine)?);
            stage.register_card(CLERK.key, &resident, person)?;
        }
        let [patient, other] = images.try_into().map_err(|_| "two cards")?;
        let daemon = PcscDaemon::start(&stage.path("log/pcscd"))?;
        let readers = VirtualReaders::start(&stage)?;
        let desk = Desk::start(&stage, CLERK.key, &["--each"])?;
        Ok(Self { _stage: stage, daemon, readers, desk, patient, other })
    }

    /// Does it to the first reader; how long it was until the person was on the screen again.
    fn recover(&mut self, torment: Torment) -> Result<Duration, BenchError> {
        self.readers.insert(0, &self.patient)?;
        let began = match torment {
            Torment::DaemonKilled => {
                self.read()?;
                let began = Instant::now();
                self.daemon.kill();
                self.daemon.restart()?;
                began
            }
            Torment::CardPulled => {
                self.readers.order("fault 0 gone-at:5")?;
                let event = self.desk.outcome()?;
                if event["failure"]["reason"] != "CARD_REMOVED" {
                    return Err(format!("the card was not pulled out: {event}").into());
                }
                self.desk.event("removed")?;
                self.daemon.settle();
                let began = Instant::now();
                self.readers.insert(0, &self.patient)?;
                began
            }
            Torment::ReaderTornOut => {
                self.read()?;
                self.daemon.kill();
                self.daemon.restart_without_readers()?;
                self.desk.event("reader_service_lost")?;
                // No reader is there, and the desk has seen it.
                self.desk.event("readers")?;
                self.daemon.kill();
                let began = Instant::now();
                self.daemon.restart()?;
                began
            }
        };
        self.read()?;
        let recovered = began.elapsed();
        self.take_out(0)?;
        Ok(recovered)
    }

    fn read(&mut self) -> Result<(), BenchError> {
        let event = self.desk.outcome()?;
        if event["event"] != "reading" {
            return Err(format!("the card was not read: {}", event["failure"]["reason"]).into());
        }
        Ok(())
    }

    fn take_out(&mut self, slot: u8) -> Result<(), BenchError> {
        self.readers.remove(slot)?;
        self.desk.event("removed")?;
        self.daemon.settle();
        Ok(())
    }

    /// From insertion to screen, at the other reader.
    fn other_reader(&mut self) -> Result<Duration, BenchError> {
        self.readers.insert(1, &self.other)?;
        let event = loop {
            let event = self.desk.outcome()?;
            if event["reader"] == OTHER_READER {
                break event;
            }
        };
        if event["event"] != "reading" {
            return Err(format!("the other card was not read: {event}").into());
        }
        let milliseconds = event["screen_ms"].as_f64().ok_or("no screen_ms")?;
        self.take_out(1)?;
        Ok(Duration::from_secs_f64(milliseconds / 1e3))
    }

    /// The same, while the card in the first reader never answers.
    fn other_reader_beside_trouble(&mut self) -> Result<Duration, BenchError> {
        self.readers.insert(0, &self.patient)?;
        self.readers.order("fault 0 mute")?;
        self.desk.event("inserted")?;
        let taken = self.other_reader()?;
        self.desk.event("quarantined")?;
        self.take_out(0)?;
        Ok(taken)
    }
}
