//! The card: state, and the dispatch of commands.

mod access;
mod authenticate;
mod files;
mod keys;

use ::card::key::CardKey;
use ::card::layout::{self, FileName, MASTER_FILE};
use ::card::{Apdu, Atr, Response, Status};
use std::collections::BTreeSet;

use crate::fault::{Fault, Faults};
use crate::image::{Answers, Image, ImageError};
use files::Files;
use keys::Keys;

/// The health application's directory.
const HEALTH_DIRECTORY: u16 = layout::Directory::Ddf1.id();

/// Fills eight bytes for a challenge; a test hands in fixed ones.
pub type Randomness = Box<dyn FnMut(&mut [u8; 8]) + Send>;

/// A powered health card.
pub struct Card {
    atr: Atr,
    files: Files,
    keys: Keys,
    answers: Answers,
    faults: Faults,
    randomness: Randomness,
    state: State,
}

/// What a reset forgets.
#[derive(Default)]
struct State {
    directory: Directory,
    file: Option<FileName>,
    /// Keys that were proven to the selected directory.
    proven: BTreeSet<CardKey>,
    /// The last challenge, until it is used.
    challenge: Option<[u8; 8]>,
    /// What GET RESPONSE will fetch.
    waiting: Vec<u8>,
    commands: u32,
}

/// The selected directory.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Directory {
    #[default]
    Master,
    Health,
}

/// What comes back from the card.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// These bytes.
    Answer(Vec<u8>),
    /// Nothing: the card left the reader.
    Gone,
    /// Nothing, though the card is still there.
    Silent,
}

impl Card {
    /// The card of an image.
    ///
    /// # Errors
    /// [`ImageError`] when the image's data do not fit the card's files.
    pub fn new(image: &Image, randomness: Randomness) -> Result<Self, ImageError> {
        Ok(Self {
            atr: Atr::contactless(image.factor),
            files: Files::new(image)?,
            keys: Keys::new(image),
            answers: image.answers,
            faults: Faults::default(),
            randomness,
            state: State::default(),
        })
    }

    /// The answer to reset.
    pub fn atr(&self) -> &Atr {
        &self.atr
    }

    /// Power off, power on, reset: everything proven is forgotten, try counters are not.
    pub fn reset(&mut self) {
        self.state = State::default();
    }

    /// Makes the card misbehave from now on.
    pub fn misbehave(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Ends all misbehaviour.
    pub fn behave(&mut self) {
        self.faults = Faults::default();
    }

    /// Answers one command, as bytes.
    pub fn exchange(&mut self, command: &[u8]) -> Outcome {
        self.state.commands += 1;
        if self.faults.gone_at(self.state.commands) {
            return Outcome::Gone;
        }
        if self.faults.mute() {
            return Outcome::Silent;
        }
        let response = match Apdu::parse(command) {
            Ok(command) => {
                let response = self.respond(&command);
                self.faults.spoil(&command, response)
            }
            Err(_) => Response::of(Status::WrongLength),
        };
        Outcome::Answer(self.faults.garble(response.to_bytes()))
    }

    fn respond(&mut self, command: &Apdu) -> Response {
        let [cla, ins, ..] = command.header();
        // What waits for GET RESPONSE waits for the very next command only.
        let waiting = std::mem::take(&mut self.state.waiting);
        let outcome = match (cla, ins) {
            (0x00, 0xA4) => self.select(command),
            (0x00, 0xB2) => self.read_record(command),
            (0x00, 0xB0) => self.read_binary(command),
            (0x00, 0xD6) => self.update_binary(command),
            (0x04, 0xDC) => self.update_record(command),
            (0x00, 0xDC) => Err(self.plain_update_refused(command)),
            (0x00, 0x84) => self.challenge(command),
            (0x00, 0x88) => self.internal_authenticate(command),
            (0x00, 0x82) => self.external_authenticate(command),
            (0x00, 0xC0) => return self.get_response(command, waiting),
            (0x00, 0x20) => Err(Status::KeyNotFound), // this card has no PIN
            (0x00 | 0x04 | 0x84, ins) if known(ins) => Err(Status::UnknownClass),
            (0x00 | 0x04 | 0x84, _) => Err(Status::UnknownInstruction),
            _ => Err(Status::UnknownClass),
        };
        match outcome {
            Ok(data) if data.is_empty() => Response::of(Status::Done),
            Ok(data) if self.answers == Answers::InParts => {
                let available = data.len() as u8; // 256 is told as 00
                self.state.waiting = data;
                Response::of(Status::MoreData { available })
            }
            Ok(data) => Response::done(data),
            Err(status) => Response::of(status),
        }
    }

    fn select(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [_, _, 0x00, 0x00] = command.header() else { return Err(Status::WrongParameters) };
        let id: [u8; 2] = command.data().try_into().map_err(|_| Status::WrongLength)?;
        match (u16::from_be_bytes(id), self.state.directory) {
            (MASTER_FILE, _) => self.enter(Directory::Master),
            (HEALTH_DIRECTORY, _) => self.enter(Directory::Health),
            (id, Directory::Health) => {
                self.state.file = Some(self.files.named(id).ok_or(Status::FileNotFound)?);
            }
            _ => return Err(Status::FileNotFound),
        }
        Ok(Vec::new()) // no FCI: its form is not established
    }

    /// Rights belong to the directory: selecting one, even the same, ends them.
    fn enter(&mut self, directory: Directory) {
        let commands = self.state.commands;
        self.state = State { directory, commands, ..State::default() };
    }

    fn get_response(&mut self, command: &Apdu, waiting: Vec<u8>) -> Response {
        match (command.header(), command.expected()) {
            ([.., 0x00, 0x00], _) if waiting.is_empty() => Response::of(Status::NotNow),
            ([.., 0x00, 0x00], Some(length)) if command.data().is_empty() => {
                let length = usize::from(length).min(waiting.len());
                let (now, later) = waiting.split_at(length);
                self.state.waiting = later.to_vec();
                let status = match later.len() {
                    0 => Status::Done,
                    left => Status::MoreData { available: left as u8 },
                };
                Response { data: now.to_vec(), status }
            }
            ([.., 0x00, 0x00], _) => Response::of(Status::WrongLength),
            _ => Response::of(Status::WrongParameters),
        }
    }
}

/// Whether an instruction exists, in whatever class.
fn known(ins: u8) -> bool {
    matches!(ins, 0xA4 | 0xB2 | 0xB0 | 0xD6 | 0xDC | 0x84 | 0x88 | 0x82 | 0xC0 | 0x20)
}

#[cfg(test)]
mod tests;
