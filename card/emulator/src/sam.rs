//! A SAM in memory: masters, PIN, SM2 key and files, behind the commands of a SAM (health-card.md,
//! 3.2, 3.3, and 10, no. 12).

mod compute;
mod image;

use std::collections::BTreeMap;

use ::card::sam::{Pin, PinTries, SamFile, VerifyPin};
use ::card::security::Diversification;
use ::card::{Apdu, Atr, Instruction as _, Response, Status};
use hsm::sm2::SecretKey;
use hsm::sm3::Hasher;
use hsm::sm4::Sm4Key;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::card::{Outcome, Randomness};
use crate::personalise::Masters;
pub use image::{MasterPlace, SamImage, SamImageError};

/// Directory of the national application.
const APPLICATION: u16 = ::card::sam::APPLICATION;
const MASTER_FILE: u16 = ::card::layout::MASTER_FILE;

/// A powered SAM.
pub struct Sam {
    atr: Atr,
    masters: Masters,
    rule: Diversification,
    files: BTreeMap<SamFile, Vec<u8>>,
    /// As it travels: two digits to a byte.
    pin: Zeroizing<Vec<u8>>,
    tries_left: u8,
    signer: SecretKey,
    randomness: Randomness,
    gone_at: Option<u32>,
    state: State,
}

/// What a reset forgets.
struct State {
    directory: u16,
    file: Option<SamFile>,
    verified: bool,
    /// The session key of the last DELIVERY, until CIPHER used it.
    temporary: Option<Sm4Key>,
    hasher: Option<Hasher>,
    waiting: Vec<u8>,
    commands: u32,
}

impl Default for State {
    fn default() -> Self {
        Self {
            directory: MASTER_FILE,
            file: None,
            verified: false,
            temporary: None,
            hasher: None,
            waiting: Vec::new(),
            commands: 0,
        }
    }
}

/// What a command brings: data with the answer, data that wait for GET RESPONSE, or a refusal.
enum Brings {
    Now(Vec<u8>),
    Later(Vec<u8>),
}

impl Sam {
    /// The SAM of an image, holding `masters`.
    pub fn new(image: SamImage, masters: Masters, randomness: Randomness) -> Self {
        let files = BTreeMap::from([
            (SamFile::Public, image.public.to_bytes()),
            (SamFile::Terminal, image.terminal.0.to_vec()),
            (SamFile::Application, image.application.to_bytes()),
            (SamFile::IssuerCertificate, image.issuer_certificate.to_vec()),
            (SamFile::Certificate, image.certificate.to_vec()),
        ]);
        // T=0 alone and four historical bytes: too few for a card factor, so nobody takes it for a
        // user card.
        let atr = Atr::parse(b"\x3B\x04SAM1").expect("no interface bytes, no check byte");
        Self {
            atr,
            masters,
            rule: Diversification::Div1,
            files,
            pin: block(&image.pin),
            tries_left: PinTries::ALL,
            signer: image.key,
            randomness,
            gone_at: None,
            state: State::default(),
        }
    }

    /// The answer to reset.
    pub fn atr(&self) -> &Atr {
        &self.atr
    }

    /// Power off, power on, reset: PIN and temporary key are forgotten, tries are not.
    pub fn reset(&mut self) {
        self.state = State::default();
    }

    /// Makes the SAM leave its slot instead of answering this command, counted from 1 since reset.
    pub fn leave_at(&mut self, command: u32) {
        self.gone_at = Some(command);
    }

    /// Answers one command, as bytes.
    pub fn exchange(&mut self, command: &[u8]) -> Outcome {
        self.state.commands += 1;
        if self.gone_at == Some(self.state.commands) {
            return Outcome::Gone;
        }
        let response = match Apdu::parse(command) {
            Ok(command) => self.respond(&command),
            Err(_) => Response::of(Status::WrongLength),
        };
        Outcome::Answer(response.to_bytes())
    }

    fn respond(&mut self, command: &Apdu) -> Response {
        let [cla, ins, ..] = command.header();
        let waiting = std::mem::take(&mut self.state.waiting);
        let hasher = self.state.hasher.take();
        let brings = match (cla, ins) {
            (0x00, 0xA4) => self.select(command),
            (0x00, 0x20) => self.verify(command),
            (0x80, 0x5E) => self.change_pin(command),
            (0x80, 0xDE) => self.delivery(command),
            (0x80, 0xFA) => self.cipher(command),
            (0x80, 0xFB) => self.check_value(command),
            (0x80, 0xFC) => self.hash(command, hasher.unwrap_or_default()),
            (0x80, 0xFE) => self.sign(command),
            (0x00, 0x84) => self.challenge(command),
            (0x00, 0xB0) => self.read_binary(command),
            (0x00, 0xC0) => self.get_response(command, waiting),
            (0x00 | 0x80, _) => Err(Status::UnknownInstruction),
            _ => Err(Status::UnknownClass),
        };
        match brings {
            Ok(Brings::Now(data)) => Response::done(data),
            Ok(Brings::Later(data)) => {
                let available = data.len() as u8; // 256 is told as 00
                self.state.waiting = data;
                Response::of(Status::MoreData { available })
            }
            Err(status) => Response::of(status),
        }
    }

    fn select(&mut self, command: &Apdu) -> Result<Brings, Status> {
        parameters(command, [0x00, 0x00])?;
        let id: [u8; 2] = command.data().try_into().map_err(|_| Status::WrongLength)?;
        match u16::from_be_bytes(id) {
            directory @ (MASTER_FILE | APPLICATION) => {
                let State { verified, commands, .. } = self.state;
                self.state = State { directory, verified, commands, ..State::default() };
            }
            id => {
                let here = |file: &SamFile| {
                    let (directory, file_id, _) = file.facts();
                    directory == self.state.directory && file_id == id
                };
                let file = SamFile::ALL.into_iter().find(here);
                self.state.file = Some(file.ok_or(Status::FileNotFound)?);
            }
        }
        Ok(Brings::Now(Vec::new()))
    }

    fn verify(&mut self, command: &Apdu) -> Result<Brings, Status> {
        parameters(command, [0x00, 0x00])?;
        match command.data() {
            [] if self.tries_left == 0 => Err(Status::Blocked),
            [] if self.state.verified => Ok(Brings::Now(Vec::new())),
            [] => Err(Status::Failed { tries_left: Some(self.tries_left) }),
            pin => {
                self.present(pin)?;
                self.state.verified = true;
                Ok(Brings::Now(Vec::new()))
            }
        }
    }

    /// Old PIN, `FF`, new PIN. No byte of a PIN is `FF`.
    fn change_pin(&mut self, command: &Apdu) -> Result<Brings, Status> {
        parameters(command, [0x01, 0x00])?;
        let mut parts = command.data().splitn(2, |byte| *byte == 0xFF);
        let (Some(old), Some(new)) = (parts.next(), parts.next()) else {
            return Err(Status::WrongData);
        };
        if !is_block(new) {
            return Err(Status::WrongData);
        }
        self.present(old)?;
        self.pin = Zeroizing::new(new.to_vec());
        Ok(Brings::Now(Vec::new()))
    }

    /// Compares a PIN and counts.
    fn present(&mut self, pin: &[u8]) -> Result<(), Status> {
        if self.tries_left == 0 {
            return Err(Status::Blocked);
        }
        if bool::from(self.pin.ct_eq(pin)) {
            self.tries_left = PinTries::ALL;
            return Ok(());
        }
        self.tries_left -= 1;
        self.state.verified = false;
        match self.tries_left {
            0 => Err(Status::Blocked),
            left => Err(Status::Failed { tries_left: Some(left) }),
        }
    }

    fn challenge(&mut self, command: &Apdu) -> Result<Brings, Status> {
        parameters(command, [0x00, 0x00])?;
        match (command.data(), command.expected()) {
            ([], Some(8)) => {
                let mut challenge = [0; 8];
                (self.randomness)(&mut challenge);
                Ok(Brings::Now(challenge.to_vec()))
            }
            ([], Some(_)) => Err(Status::RightLength { length: 8 }),
            _ => Err(Status::WrongLength),
        }
    }

    fn read_binary(&mut self, command: &Apdu) -> Result<Brings, Status> {
        let [_, _, high @ 0x00..=0x7F, low] = command.header() else {
            return Err(Status::WrongParameters);
        };
        let ([], Some(length)) = (command.data(), command.expected()) else {
            return Err(Status::WrongLength);
        };
        let bytes = &self.files[&self.state.file.ok_or(Status::NoFile)?];
        let rest = bytes.get(usize::from(u16::from_be_bytes([high, low]))..);
        let rest = rest.filter(|rest| !rest.is_empty()).ok_or(Status::WrongOffset)?;
        match rest.get(..usize::from(length)) {
            Some(part) => Ok(Brings::Now(part.to_vec())),
            None if length == 256 => Ok(Brings::Now(rest.to_vec())),
            None => Err(Status::RightLength { length: rest.len() as u8 }),
        }
    }

    fn get_response(&mut self, command: &Apdu, waiting: Vec<u8>) -> Result<Brings, Status> {
        parameters(command, [0x00, 0x00])?;
        match command.expected() {
            _ if waiting.is_empty() => Err(Status::NotNow),
            Some(length) if usize::from(length) >= waiting.len() => Ok(Brings::Now(waiting)),
            _ => Err(Status::WrongLength),
        }
    }
}

fn parameters(command: &Apdu, right: [u8; 2]) -> Result<(), Status> {
    let [_, _, p1, p2] = command.header();
    if [p1, p2] == right { Ok(()) } else { Err(Status::WrongParameters) }
}

/// A PIN as it travels.
fn block(pin: &Pin) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(VerifyPin(pin).encode().data().to_vec())
}

/// Whether bytes are 4 to 12 digits, two to a byte, with at most the last nibble `F`.
fn is_block(bytes: &[u8]) -> bool {
    let nibbles = || bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let digits = nibbles().take_while(|nibble| *nibble < 10).count();
    (4..=12).contains(&digits)
        && digits.div_ceil(2) == bytes.len()
        && nibbles().skip(digits).all(|nibble| nibble == 0x0F)
}

#[cfg(test)]
mod tests;
