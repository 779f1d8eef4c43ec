//! Commands on standard input, one a line; each is answered by `ok` or `error` on standard output.

use std::io::BufRead;
use std::path::Path;

use card_emulator::fault::Script;
use card_emulator::slot::Slot;

use super::{Failure, load};

/// Obeys until `quit` or the end of input.
pub(super) fn run(slots: &[Slot], save: bool) {
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
        match obey(slots, save, line) {
            Ok(()) => println!("ok {line}"),
            Err(failure) => println!("error {line}: {failure}"),
        }
    }
}

fn obey(slots: &[Slot], save: bool, line: &str) -> Result<(), Failure> {
    let mut words = line.splitn(3, ' ');
    let (verb, slot, rest) = (words.next(), words.next(), words.next());
    let slot = slot.and_then(|slot| slot.parse::<usize>().ok()).and_then(|slot| slots.get(slot));
    let slot = slot.ok_or("slots are 0 and 1")?;
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
