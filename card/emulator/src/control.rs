//! Commands on standard input, one a line; each is answered by `ok` or `error` on standard output.

use std::io::BufRead;
use std::path::Path;

use card_emulator::Sam;
use card_emulator::fault::Script;
use card_emulator::slot::Slot;

use super::{Failure, load, load_sam};

/// Obeys until `quit` or the end of input.
pub(super) fn run(slots: &[Slot], sam: Option<&Slot<Sam>>, save: bool) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let line = line.trim();
        if line == "quit" {
            println!("ok quit");
            return;
        }
        if line.is_empty() {
            continue;
        }
        match obey(slots, sam, save, line) {
            Ok(()) => println!("ok {line}"),
            Err(failure) => println!("error {line}: {failure}"),
        }
    }
}

fn obey(slots: &[Slot], sam: Option<&Slot<Sam>>, save: bool, line: &str) -> Result<(), Failure> {
    let mut words = line.splitn(3, ' ');
    let (verb, slot, rest) = (words.next(), words.next(), words.next());
    let number = slot.and_then(|slot| slot.parse::<usize>().ok()).ok_or("slots are 0 and 1")?;
    if let Some(sam) = sam.filter(|_| number == slots.len()) {
        return obey_at_sam(sam, verb, rest);
    }
    let slot = slots.get(number).ok_or("slots are 0 and 1")?;
    match (verb, rest) {
        (Some("insert"), Some(image)) => slot.insert(load(Path::new(image), save)?),
        (Some("remove"), None) => {
            slot.remove().ok_or("the slot is empty")?;
        }
        (Some("fault"), Some(fault)) => {
            let fault: Script = fault.parse()?;
            slot.with_card(|card| card.misbehave(fault)).ok_or("the slot is empty")?;
        }
        (Some("behave"), None) => {
            slot.with_card(|card| card.behave()).ok_or("the slot is empty")?;
        }
        _ => {
            return Err(
                "commands are insert SLOT FILE, remove SLOT, fault SLOT FAULT, behave SLOT, quit"
                    .into(),
            );
        }
    }
    Ok(())
}

fn obey_at_sam(slot: &Slot<Sam>, verb: Option<&str>, rest: Option<&str>) -> Result<(), Failure> {
    match (verb, rest) {
        (Some("insert"), Some(image)) => slot.insert(load_sam(Path::new(image))?),
        (Some("remove"), None) => {
            slot.remove().ok_or("the slot is empty")?;
        }
        _ => return Err("commands at the SAM are insert SLOT FILE, remove SLOT".into()),
    }
    Ok(())
}
