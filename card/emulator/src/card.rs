//! The card: state, and the dispatch of commands.

mod access;
mod authenticate;
mod block;
mod personalise;
mod protection;
mod records;

use ::card::key::CardKey;
use ::card::layout::{self, Directory, File, FileName, MASTER_FILE};
use ::card::{Apdu, Atr, Response, Status};
use hsm::sm4::Sm4Key;
use std::collections::BTreeSet;

use std::time::Duration;

use crate::fault::{Fault, Faults, Script, other_key};
use crate::image::{Answers, Content, Image, Name};

/// Fills eight bytes for a challenge; a test hands in fixed ones.
pub type Randomness = Box<dyn FnMut(&mut [u8; 8]) + Send>;

/// Told what the card holds, whenever that has changed.
pub type Keeper = Box<dyn FnMut(&Image) + Send>;

/// A powered health card.
pub struct Card {
    atr: Atr,
    memory: Image,
    keeper: Option<Keeper>,
    faults: Faults,
    randomness: Randomness,
    state: State,
}

/// What a reset forgets.
#[derive(Default)]
struct State {
    /// The selected directory; `None` is the master file.
    directory: Option<Directory>,
    file: Option<FileName>,
    /// Keys that were proven to the selected directory.
    proven: BTreeSet<CardKey>,
    /// The transport key was proven; that lasts until reset.
    opened: bool,
    /// The last challenge, until it is used.
    challenge: Option<[u8; 8]>,
    /// What GET RESPONSE will fetch.
    waiting: Vec<u8>,
    commands: u32,
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
    /// These bytes, after so long.
    Late(Duration, Vec<u8>),
}

impl Card {
    /// The card of an image.
    pub fn new(memory: Image, randomness: Randomness) -> Self {
        Self {
            atr: Atr::contactless(memory.factor),
            memory,
            keeper: None,
            faults: Faults::default(),
            randomness,
            state: State::default(),
        }
    }

    /// The answer to reset.
    pub fn atr(&self) -> &Atr {
        &self.atr
    }

    /// What the card holds now.
    pub fn image(&self) -> &Image {
        &self.memory
    }

    /// Has `keeper` told of every change of what the card holds, at once, so that it outlives the
    /// card.
    pub fn keep(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    /// Power off, power on, reset: everything proven is forgotten, try counters are not.
    pub fn reset(&mut self) {
        self.state = State::default();
    }

    /// Makes the card misbehave from now on.
    pub fn misbehave(&mut self, fault: impl Into<Script>) {
        self.faults.add(fault.into());
    }

    /// Ends all misbehaviour.
    pub fn behave(&mut self) {
        self.faults = Faults::default();
    }

    /// Answers one command, as bytes.
    pub fn exchange(&mut self, command: &[u8]) -> Outcome {
        self.state.commands += 1;
        self.faults.at(self.state.commands);
        if self.faults.gone() {
            return Outcome::Gone;
        }
        if self.faults.has(Fault::Mute) {
            return Outcome::Silent;
        }
        if self.faults.has(Fault::Reset) {
            self.state = State { commands: self.state.commands, ..State::default() };
        }
        let response = match Apdu::parse(command) {
            Ok(command) => {
                let response = self.respond_and_keep(&command);
                self.faults.spoil(&command, response)
            }
            Err(_) => Response::of(Status::WrongLength),
        };
        let answer = self.faults.garble(response.to_bytes());
        match self.faults.delay() {
            Duration::ZERO => Outcome::Answer(answer),
            delay => Outcome::Late(delay, answer),
        }
    }

    fn respond_and_keep(&mut self, command: &Apdu) -> Response {
        let tries = self.memory.keys.tries_left();
        let response = self.respond(command);
        let [_, ins, ..] = command.header();
        let changes = CHANGING.contains(&ins) && response.status == Status::Done;
        if (changes || self.memory.keys.tries_left() != tries)
            && let Some(keeper) = &mut self.keeper
        {
            keeper(&self.memory);
        }
        response
    }

    fn respond(&mut self, command: &Apdu) -> Response {
        let [cla, ins, ..] = command.header();
        // What waits for GET RESPONSE waits for the very next command only.
        let waiting = std::mem::take(&mut self.state.waiting);
        if let Err(status) = self.admits(ins) {
            return Response::of(status);
        }
        let outcome = match (cla, ins) {
            (0x00, 0xA4) => self.select(command),
            (0x00, 0xB2) => self.read_record(command),
            (0x00, 0xB0) => self.read_binary(command),
            (0x00, 0xD6) => self.update_binary(command),
            (0x00, 0xDC) => self.update_record_plain(command),
            (0x04, 0xDC) => self.update_record(command),
            (0x84, 0xD2) => self.set_valid(command),
            (0x84, 0x0C) => self.set_invalid(command),
            (0x00, 0x84) => self.challenge(command),
            (0x00, 0x88) => self.internal_authenticate(command),
            (0x00, 0x82) => self.external_authenticate(command),
            (0x84, 0x1E) => self.block_application(command),
            (0x84, 0x18) => self.unblock_application(command),
            (0x84, 0x16) => self.block_card(command),
            (0x80, 0xE0) => self.create(command),
            (0x84, 0xD4) => self.write_key(command),
            (0x80, 0xF0) => self.end_personalisation(command),
            (0x00, 0xC0) => return self.get_response(command, waiting),
            (0x00, 0x20) => Err(Status::KeyNotFound), // this card has no PIN
            (0x00 | 0x04 | 0x80 | 0x84, ins) if known(ins) => Err(Status::UnknownClass),
            (0x00 | 0x04 | 0x80 | 0x84, _) => Err(Status::UnknownInstruction),
            _ => Err(Status::UnknownClass),
        };
        match outcome {
            Ok(data) if data.is_empty() => Response::of(Status::Done),
            Ok(data) if self.memory.answers == Answers::InParts => {
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
        let id = u16::from_be_bytes(id);
        if id == MASTER_FILE {
            self.enter(None);
            return Ok(Vec::new());
        }
        if let Some(directory) = self.directory_in_reach(id) {
            self.enter(Some(directory));
            return self.usable(directory);
        }
        let current = self.state.directory.ok_or(Status::FileNotFound)?;
        let file = layout::FILES.into_iter().find(|file| {
            file.name.directory == current
                && file.name.id == id
                && self.memory.files.content(file.name).is_some()
        });
        let file = file.filter(|_| !self.faults.has(Fault::Transit)).ok_or(Status::FileNotFound)?;
        if self.memory.blocked.directories.contains(&current) {
            return Err(self.blocked_status(current));
        }
        self.state.file = Some(file.name);
        Ok(Vec::new()) // no FCI: its form is not established
    }

    /// The directory with this identifier, if it is the health application, or one of those below
    /// it while the application or one of them is selected.
    fn directory_in_reach(&self, id: u16) -> Option<Directory> {
        let directory = Directory::ALL.into_iter().find(|directory| directory.id() == id)?;
        if self.faults.has(Fault::Transit) && directory != Directory::Ddf1 {
            return None;
        }
        let in_reach = directory == Directory::Ddf1 || self.state.directory.is_some();
        (in_reach && self.memory.files.has(directory)).then_some(directory)
    }

    /// Rights belong to the directory: selecting one, even the same, ends them.
    fn enter(&mut self, directory: Option<Directory>) {
        let State { commands, opened, .. } = self.state;
        self.state = State { directory, commands, opened, ..State::default() };
    }

    /// The selected file with what is in it.
    fn current(&mut self) -> Result<(&'static File, &mut Content), Status> {
        let name = self.state.file.ok_or(Status::NoFile)?;
        let file = layout::file(name).expect("only files of the table are selected");
        let content = self.memory.files.content_mut(name);
        Ok((file, content.expect("only files that exist are selected")))
    }

    /// The session key of a key under `challenge`; of a card with wrong keys, a wrong one.
    fn session(&mut self, name: Name, challenge: &[u8; 8]) -> Option<Sm4Key> {
        let session = self.memory.keys.slot(name)?.session(challenge);
        match name {
            Name::Card(key, version) if self.faults.wrong_key(key) => {
                Some(session.derive(&[other_key(key, version)]))
            }
            _ => Some(session),
        }
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

/// Instructions that change what the card holds.
const CHANGING: [u8; 10] = [0xD6, 0xDC, 0xD2, 0x0C, 0x1E, 0x18, 0x16, 0xE0, 0xD4, 0xF0];

/// Whether an instruction exists, in whatever class.
fn known(ins: u8) -> bool {
    CHANGING.contains(&ins) || matches!(ins, 0xA4 | 0xB2 | 0xB0 | 0x84 | 0x88 | 0x82 | 0xC0 | 0x20)
}

#[cfg(test)]
mod tests;
