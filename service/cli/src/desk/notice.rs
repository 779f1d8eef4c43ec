//! What happens at the readers and is said at the terminal, and what the desk takes of it.

use std::time::Instant;

use card::agent::Insertion;

use super::{
    Daemon, Desk, answers::meant, event::Shown, sam::SamReader, seat::Seat, table::Place,
    watch::Sight,
};
use crate::exit::Exit;

impl Desk {
    /// Takes note of what happened at the readers.
    pub(super) fn notice(&mut self, at: Instant, sight: Sight) -> Option<Exit> {
        if sight.reader().is_some_and(|reader| self.table.is_busy(reader)) {
            self.deferred.push((at, sight));
            return None;
        }
        self.tell(&Shown::Sight(&sight));
        match sight {
            Sight::Card { reader, atr } => {
                self.table.put_in(Place { reader, card: insertion(), atr }, at);
                None
            }
            Sight::Removed { reader } => {
                self.table.take_out(&reader);
                // The card took its fault with it.
                if let Some(resetting) = self.resets.get(&reader) {
                    resetting.withdraw();
                }
                if let Some(Some(Seat { relay: Some(relay), .. })) = self.seats.get(&reader) {
                    relay.card_left();
                }
                None
            }
            Sight::Unreadable { .. } => self.after_card(Exit::Refused),
            Sight::Readers(readers) => {
                self.readers = readers.len();
                if self.daemon == Daemon::Lost {
                    self.metrics.daemon_back();
                }
                self.daemon = Daemon::Found;
                // Seats at work come back first.
                self.seats.retain(|name, seat| seat.is_none() || readers.contains(name));
                None
            }
            Sight::ServiceLost => {
                self.readers = 0;
                self.metrics.daemon_lost();
                self.daemon = Daemon::Lost;
                self.lose_sam();
                None
            }
            Sight::SamIn => {
                if self.sam.as_ref().is_some_and(SamReader::is_lost) {
                    self.restore_sam();
                }
                None
            }
            Sight::SamOut => {
                self.lose_sam();
                None
            }
        }
    }

    /// Takes what somebody said at the terminal, or a program.
    pub(super) fn answered(&mut self, line: &str) {
        if Self::means_pin(line) {
            return self.take_sam_pin();
        }
        let Some(readers) = self.table.question().map(<[String]>::to_vec) else { return };
        match meant(line, &readers) {
            Some(reader) => {
                self.tell(&Shown::Chosen(reader));
                self.table.choose(reader);
            }
            None => self.tell(&Shown::Choose(&readers)),
        }
    }
}

/// A name that no other insertion has.
fn insertion() -> Insertion {
    let mut name = [0; 8];
    getrandom::fill(&mut name).expect("the operating system gives random bytes");
    Insertion(name)
}
