//! What the functions do: fields and records of the card at a station, as C strings.

#[cfg(unix)]
mod agent;
mod part;
mod read;
mod sam;
mod station;
mod write;

use std::ffi::c_int;

use card::layout::{File, Profile};
use card::write::VisitKind;

pub(crate) use card::sam::SamFile;
pub(crate) use part::Part as Body;
use sam::SamStation;
use station::Station;

use crate::code::Code;
use crate::field::Characters;

/// The environment variable that names the desk agent's socket.
const AGENT: &str = "HEALTHCARD_AGENT";

/// A slot of the desk's reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The resident's card.
    User,
    /// The SAM.
    Sam,
}

impl Slot {
    /// The slot of that number in the interface specification.
    pub(crate) fn numbered(slot: c_int) -> Result<Self, Code> {
        match slot {
            0x01 => Ok(Self::User),
            0x11 => Ok(Self::Sam),
            _ => Err(Code::Parameter),
        }
    }
}

/// A PIN that was refused.
pub(crate) struct PinRefused {
    pub(crate) code: Code,
    /// Tries that are left, when the SAM told.
    pub(crate) tries_left: Option<u8>,
}

/// An open connection.
pub(crate) struct Desk(Box<dyn Station>);

impl Desk {
    /// Opens the agent that the environment names, else the readers of this machine.
    pub(crate) fn open() -> Result<Self, Code> {
        match std::env::var_os(AGENT).filter(|path| !path.is_empty()) {
            None => Ok(Self(Box::new(SamStation::open()?))),
            #[cfg(unix)]
            Some(path) => Ok(Self(Box::new(agent::AgentStation::open(path.into())?))),
            // There is no agent on other systems, and whoever asks for one wants no SAM instead.
            #[cfg(not(unix))]
            Some(_) => Err(Code::Card),
        }
    }

    /// Powers a slot, also when it has power already; the answer to reset in hex.
    pub(crate) fn power_on(&mut self, slot: Slot) -> Result<Vec<u8>, Code> {
        Ok(hex::encode_upper(self.0.power_on(slot)?).into_bytes())
    }

    /// Sends a command as it is.
    pub(crate) fn send(&mut self, slot: Slot, command: &[u8]) -> Result<Characters, Code> {
        self.0.send(slot, command)
    }

    /// Presents the PIN to the SAM.
    pub(crate) fn verify_pin(&mut self, pin: &[u8]) -> Result<(), PinRefused> {
        self.0.verify_pin(pin)
    }

    /// Changes the PIN of the SAM.
    pub(crate) fn change_pin(&mut self, old: &[u8], new: &[u8]) -> Result<(), Code> {
        self.0.change_pin(old, new)
    }

    /// A file of the SAM, in hex.
    pub(crate) fn sam_file(&mut self, file: SamFile) -> Result<Vec<u8>, Code> {
        Ok(hex::encode_upper(self.0.sam_file(file)?).into_bytes())
    }

    /// Signs a digest with the SAM's key.
    pub(crate) fn sign(&mut self, digest: &[u8; 32]) -> Result<[u8; 64], Code> {
        self.0.sign(digest)
    }
}

/// A record number that the file can have.
fn record_number(file: &File, number: c_int) -> Result<u8, Code> {
    let number = u8::try_from(number).map_err(|_| Code::Parameter)?;
    match (1..=file.records(Profile::Full)).contains(&number) {
        true => Ok(number),
        false => Err(Code::Parameter),
    }
}

/// The kind and number of a visit's record.
fn record_of(file: &File) -> Result<(VisitKind, u8), Code> {
    let found = VisitKind::ALL.into_iter().find_map(|kind| {
        let at = kind.files().iter().position(|body| body.name == file.name)?;
        Some((kind, at as u8 + 1))
    });
    found.ok_or(Code::Parameter)
}
