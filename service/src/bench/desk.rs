//! From a card in a reader to the person on screen, and to all that the card says, with the real
//! programs and a real PC/SC daemon.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use card::layout::Profile;
use serde_json::Value;

use super::{
    BenchError,
    measure::{Measured, milliseconds, ratio},
};
use crate::demo::{
    people::{CLERK, DEPARTMENT, DOCTOR, PATIENT},
    readers::{Desk, VirtualReaders},
    stage::{CardKeys, Stage},
};

/// How often the card is put in.
const TIMES: usize = 40;
/// How often it is read whole.
const DUMPS: usize = 10;

/// Cards that the emulator offers.
struct Cards {
    /// Who holds it, and nothing else.
    small: PathBuf,
    /// Everything, 32K.
    full: PathBuf,
}

pub(super) fn ask(directory: &Path) -> Result<Vec<(String, Value)>, BenchError> {
    let (stage, hospital) = super::with_a_clerk(directory)?;
    let doctor = stage.engage(&hospital, &DOCTOR)?;
    let resident = stage.register_resident(CLERK.key, &PATIENT)?;
    let cards = Cards {
        small: stage.make_card(&PATIENT, CardKeys::Genuine)?,
        full: stage.make_full_card(&PATIENT, Profile::Full)?,
    };
    stage.register_card(CLERK.key, &resident, &PATIENT)?;

    let mut figures: Vec<(String, Value)> = vec![("times".into(), TIMES.into())];
    // A card that takes no time shows what agent and service take; one on a contactless link shows
    // what that means to whoever waits.
    let links = [("card that takes no time", &[][..]), ("contactless card", &["--contactless"])];
    for (link, options) in links {
        for (what, seen) in read(&stage, &cards, &doctor, options)? {
            tell(&mut figures, &format!("{link}, {what}"), seen);
        }
    }
    Ok(figures)
}

/// What readings took.
#[derive(Default)]
struct Seen {
    total: Vec<Duration>,
    card: Vec<Duration>,
    commands: u64,
}

/// Reads cards in every way, with the emulator told `options`.
fn read(
    stage: &Stage,
    cards: &Cards,
    doctor: &str,
    options: &[&str],
) -> Result<[(&'static str, Seen); 3], BenchError> {
    let mut readers = VirtualReaders::start_with(stage, options)?;
    let mut desk = Desk::start(stage, CLERK.key, &[])?;
    let (mut person, mut presence) = (Seen::default(), String::new());
    for _ in 0..TIMES {
        readers.insert(0, &cards.small)?;
        let event = desk.outcome()?;
        if event["event"] != "reading" {
            return Err(format!("the card was not read: {}", event["failure"]["reason"]).into());
        }
        let (screen, reading) = (&event["screen_ms"], &event["reading"]);
        person.total.push(Duration::from_secs_f64(screen.as_f64().ok_or("no screen_ms")? / 1e3));
        person.took(reading)?;
        presence = reading["presence_id"].as_str().ok_or("no presence_id")?.to_owned();
        readers.remove(0)?;
        desk.event("removed")?;
    }
    desk.kill();
    let visit = ["visit", "open", "--presence", &presence, "--department", DEPARTMENT];
    let visit = [&visit[..], &["--reason", "bench", "--attending", doctor]].concat();
    let visit = stage.ask(CLERK.key, &visit)?;
    let visit = visit.granted()?["visit_id"].as_str().ok_or("no visit_id")?.to_owned();
    readers.insert(0, &cards.full)?;
    let photo = dumps(stage, &["card", "dump", "--visit", &visit, "--file", "DDF1/EF07"])?;
    let whole = dumps(stage, &["card", "dump", "--visit", &visit])?;
    // The next card is taken for this one unless the daemon has seen that it left.
    let mut desk = Desk::start(stage, CLERK.key, &[])?;
    desk.outcome()?;
    readers.remove(0)?;
    desk.event("removed")?;
    desk.kill();
    Ok([
        ("insertion to person on screen", person),
        ("program: person with photo", photo),
        ("program: whole card", whole),
    ])
}

/// Reads a card by `healthcard`, which starts, and logs in with its session, each time.
fn dumps(stage: &Stage, arguments: &[&str]) -> Result<Seen, BenchError> {
    let mut seen = Seen::default();
    for _ in 0..DUMPS {
        let answer = stage.ask(DOCTOR.key, arguments)?;
        seen.total.push(answer.took);
        seen.took(&answer.granted()?)?;
    }
    Ok(seen)
}

impl Seen {
    /// Takes note of what a reading says of its commands.
    fn took(&mut self, reading: &Value) -> Result<(), BenchError> {
        let microseconds = reading["card_microseconds"].as_u64().ok_or("no card_microseconds")?;
        self.card.push(Duration::from_micros(microseconds));
        self.commands = reading["commands"].as_u64().ok_or("no commands")?;
        Ok(())
    }
}

fn tell(figures: &mut Vec<(String, Value)>, what: &str, seen: Seen) {
    let [total, card] = [&seen.total, &seen.card].map(|times| times.iter().sum::<Duration>());
    let beside = ratio(total.saturating_sub(card).as_secs_f64(), card.as_secs_f64());
    let [total, card] =
        [(seen.total, total), (seen.card, card)].map(|(t, sum)| Measured::of(t, sum));
    figures.extend([
        (format!("{what}: commands"), seen.commands.into()),
        (format!("{what}: all but the card, to the card"), beside),
        (format!("{what}: p50, ms"), milliseconds(total.percentile(50))),
        (format!("{what}: p95, ms"), milliseconds(total.percentile(95))),
        (format!("{what}: reader and card, p50, ms"), milliseconds(card.percentile(50))),
    ]);
}
