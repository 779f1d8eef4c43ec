//! From a card in a reader to the person on screen, and to all that the card says, with the real
//! programs and a real PC/SC daemon.

use std::{path::Path, time::Duration};

use card::layout::Profile;
use serde_json::Value;

use super::{
    BenchError,
    measure::{Measured, milliseconds, ratio},
};
use crate::demo::{
    people::{CLERK, DEPARTMENT, DOCTOR, HOSPITAL, PATIENT},
    programs::Programs,
    readers::{Desk, VirtualReaders},
    stage::{CardKeys, Stage},
};

/// How often the card is put in.
const TIMES: usize = 40;
/// How often it is read whole.
const DUMPS: usize = 10;

pub(super) fn ask(directory: &Path) -> Result<Vec<(String, Value)>, BenchError> {
    let mut stage = Stage::empty(directory, Programs::beside_this_one()?)?;
    stage.init()?;
    stage.serve()?;
    let hospital = stage.register_institution(&HOSPITAL)?;
    stage.engage(&hospital, &CLERK)?;
    let doctor = stage.engage(&hospital, &DOCTOR)?;
    let resident = stage.register_resident(CLERK.key, &PATIENT)?;
    let image = stage.make_card(&PATIENT, CardKeys::Genuine)?;
    let full = stage.make_full_card(&PATIENT, Profile::Full)?;
    stage.register_card(CLERK.key, &resident, &PATIENT)?;
    let mut readers = VirtualReaders::start(&stage)?;
    let mut desk = Desk::start(&stage, CLERK.key, &[])?;

    let (mut total, mut card, mut commands) = (Vec::new(), Vec::new(), 0);
    let mut presence = String::new();
    for _ in 0..TIMES {
        readers.insert(0, &image)?;
        let event = desk.outcome()?;
        if event["event"] != "reading" {
            return Err(format!("the card was not read: {}", event["failure"]["reason"]).into());
        }
        let (screen, reading) = (&event["screen_ms"], &event["reading"]);
        total.push(Duration::from_secs_f64(screen.as_f64().ok_or("no screen_ms")? / 1e3));
        let microseconds = reading["card_microseconds"].as_u64().ok_or("no card_microseconds")?;
        card.push(Duration::from_micros(microseconds));
        commands = reading["commands"].as_u64().ok_or("no commands")?;
        presence = reading["presence_id"].as_str().ok_or("no presence_id")?.to_owned();
        readers.remove(0)?;
        desk.event("removed")?;
    }
    desk.kill();
    let visit = stage.ask(
        CLERK.key,
        &[
            "visit",
            "open",
            "--presence",
            &presence,
            "--department",
            DEPARTMENT,
            "--reason",
            "bench",
            "--attending",
            &doctor,
        ],
    );
    let visit = visit?.granted()?["visit_id"].as_str().ok_or("no visit_id")?.to_owned();
    readers.insert(0, &full)?;
    let photo = dumps(&stage, &["card", "dump", "--visit", &visit, "--file", "DDF1/EF07"])?;
    let whole = dumps(&stage, &["card", "dump", "--visit", &visit])?;

    let overhead = |total: &[Duration], card: &[Duration]| {
        let (total, card): (Duration, Duration) = (total.iter().sum(), card.iter().sum());
        ratio(total.saturating_sub(card).as_secs_f64(), card.as_secs_f64())
    };
    let mut figures: Vec<(String, Value)> = vec![("times".into(), TIMES.into())];
    let mut tell = |what: &str, total: Vec<Duration>, card: Vec<Duration>, commands: u64| {
        let spent = total.iter().sum();
        figures.push((format!("{what}: commands"), commands.into()));
        figures.push((format!("{what}: all but the card, to the card"), overhead(&total, &card)));
        let (total, card) = (Measured::of(total, spent), Measured::of(card, spent));
        figures.push((format!("{what}: p50, ms"), milliseconds(total.percentile(50))));
        figures.push((format!("{what}: p95, ms"), milliseconds(total.percentile(95))));
        figures
            .push((format!("{what}: reader and card, p50, ms"), milliseconds(card.percentile(50))));
    };
    tell("insertion to person on screen", total, card, commands);
    tell("program: person with photo", photo.total, photo.card, photo.commands);
    tell("program: whole card", whole.total, whole.card, whole.commands);
    Ok(figures)
}

/// What some dumps took: each is a program that starts, logs in with its session, and reads.
struct Dumps {
    total: Vec<Duration>,
    card: Vec<Duration>,
    commands: u64,
}

fn dumps(stage: &Stage, arguments: &[&str]) -> Result<Dumps, BenchError> {
    let mut seen = Dumps { total: Vec::new(), card: Vec::new(), commands: 0 };
    for _ in 0..DUMPS {
        let answer = stage.ask(DOCTOR.key, arguments)?;
        seen.total.push(answer.took);
        let dump = answer.granted()?;
        let microseconds = dump["card_microseconds"].as_u64().ok_or("no card_microseconds")?;
        seen.card.push(Duration::from_micros(microseconds));
        seen.commands = dump["commands"].as_u64().ok_or("no commands")?;
    }
    Ok(seen)
}
