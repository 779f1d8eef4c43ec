//! From a card in a reader to the person on screen, with the real programs and a real PC/SC daemon.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::{
    BenchError,
    measure::{Measured, milliseconds},
};
use crate::demo::{
    people::{CLERK, HOSPITAL, PATIENT},
    programs::Programs,
    readers::{Desk, VirtualReaders},
    stage::{CardKeys, Stage},
};

/// How often the card is put in.
const TIMES: usize = 40;

pub(super) fn ask(directory: &Path) -> Result<Vec<(String, Value)>, BenchError> {
    let mut stage = Stage::empty(directory, Programs::beside_this_one()?)?;
    stage.init()?;
    stage.serve()?;
    let hospital = stage.register_institution(&HOSPITAL)?;
    stage.engage(&hospital, &CLERK)?;
    let resident = stage.register_resident(CLERK.key, &PATIENT)?;
    let image = stage.make_card(&PATIENT, CardKeys::Genuine)?;
    stage.register_card(CLERK.key, &resident, &PATIENT)?;
    let mut readers = VirtualReaders::start(&stage)?;
    let mut desk = Desk::start(&stage, CLERK.key, &[])?;

    let (mut total, mut card, mut commands) = (Vec::new(), Vec::new(), 0);
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
        readers.remove(0)?;
        desk.event("removed")?;
    }
    let whole = total.iter().sum();
    let (total, card) = (Measured::of(total, whole), Measured::of(card, whole));
    Ok(vec![
        ("insertion event to person on screen, p50, ms".into(), milliseconds(total.percentile(50))),
        ("  p95, ms".into(), milliseconds(total.percentile(95))),
        ("  of which reader and card, p50, ms".into(), milliseconds(card.percentile(50))),
        ("commands to the card".into(), commands.into()),
        ("times".into(), TIMES.into()),
    ])
}
