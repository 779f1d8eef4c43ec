//! The secure access module (安全存取模块, SAM): a card of the desk's that holds the masters, derives
//! session keys inside itself, and signs records with SM2.
//!
//! Its commands are instructions like those of the user card. What the sources do not establish is
//! ours, and is answered by our own SAMs alone: how tries are asked for ([`PinTries`]), how digests
//! and signatures are made ([`Hash`](struct@Hash), [`SignDigest`]; health-card.md, 10, no. 12), and how a master
//! shows its check value ([`MasterCheck`]).

mod command;
mod files;
mod module;
mod pin;

use crate::certificate::{CardCertificate, Stored};
use crate::command::{CardError, Instruction, ReadBinary, Select};
use crate::key::{CardKey, KeyVersion};
use crate::layout::MASTER_FILE;
use crate::transport::{Link, LinkError, Transport};
pub use command::{
    ChangePin, Cipher, Delivery, Hash, MasterCheck, MasterCheckValue, PinTries, SignDigest,
    VerifyPin,
};
pub use files::{ApplicationFile, BadSamFile, PublicFile, SamFile, TerminalNumber};
pub use module::SamSecurityModule;
pub use pin::{BadPin, Pin};

/// Directory of the national application on a SAM; DELIVERY works in it.
pub const APPLICATION: u16 = 0xDF01;

/// Why a SAM did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamError {
    /// It refused, or no answer came.
    #[error("the SAM failed")]
    Link(#[from] LinkError),
    /// It says that signing needs its PIN first.
    #[error("the SAM wants its PIN first")]
    PinNeeded,
    /// A file that is not as the standard says.
    #[error("the SAM holds a malformed file")]
    File(#[from] BadSamFile),
    /// No signature where one was asked for.
    #[error("the SAM answered something that is no signature")]
    NoSignature,
}

impl SamError {
    /// Tries left when a PIN was wrong; `Some(0)` when it is blocked; `None` for other failures.
    pub fn wrong_pin(&self) -> Option<u8> {
        match self {
            Self::Link(LinkError::Card(CardError::WrongPin { tries_left })) => {
                Some(tries_left.unwrap_or(0))
            }
            Self::Link(LinkError::Card(CardError::PinBlocked)) => Some(0),
            _ => None,
        }
    }
}

/// A conversation with a SAM.
pub struct Sam<T> {
    transport: T,
    /// Which directory is selected.
    selected: Option<u16>,
}

impl<T: Transport> Sam<T> {
    /// A conversation over `transport`. Selects the application, which only a SAM has in that place.
    ///
    /// # Errors
    /// [`SamError`] when that is not there.
    pub fn open(transport: T) -> Result<Self, SamError> {
        let mut sam = Self { transport, selected: None };
        sam.enter(APPLICATION)?;
        Ok(sam)
    }

    /// How many tries the PIN has left. Consumes none.
    ///
    /// # Errors
    /// [`SamError`] when the SAM does not tell.
    pub fn tries_left(&mut self) -> Result<u8, SamError> {
        Ok(self.run(&PinTries)?)
    }

    /// Presents the PIN.
    ///
    /// # Errors
    /// [`SamError`]; see [`SamError::wrong_pin`].
    pub fn verify(&mut self, pin: &Pin) -> Result<(), SamError> {
        Ok(self.run(&VerifyPin(pin))?)
    }

    /// Changes the PIN.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify).
    pub fn change_pin(&mut self, old: &Pin, new: &Pin) -> Result<(), SamError> {
        Ok(self.run(&ChangePin { old, new })?)
    }

    /// Its serial and versions.
    ///
    /// # Errors
    /// [`SamError`] when the file is missing or malformed; so for the files below.
    pub fn public(&mut self) -> Result<PublicFile, SamError> {
        Ok(PublicFile::parse(&self.file(SamFile::Public)?)?)
    }

    /// The number of the terminal it is made for.
    ///
    /// # Errors
    /// See [`public`](Self::public).
    pub fn terminal(&mut self) -> Result<TerminalNumber, SamError> {
        Ok(TerminalNumber::parse(&self.file(SamFile::Terminal)?)?)
    }

    /// Whose it is, and until when.
    ///
    /// # Errors
    /// See [`public`](Self::public).
    pub fn application(&mut self) -> Result<ApplicationFile, SamError> {
        Ok(ApplicationFile::parse(&self.file(SamFile::Application)?)?)
    }

    /// The certificate of the card issuer.
    ///
    /// # Errors
    /// See [`public`](Self::public).
    pub fn issuer_certificate(&mut self) -> Result<Stored, SamError> {
        Ok(CardCertificate::stored(&self.file(SamFile::IssuerCertificate)?))
    }

    /// Its own certificate: 190 bytes, as they go into a signed record.
    ///
    /// # Errors
    /// See [`public`](Self::public).
    pub fn certificate(&mut self) -> Result<[u8; 190], SamError> {
        let bytes = self.file(SamFile::Certificate)?;
        Ok(bytes.try_into().expect("READ BINARY brings the length it asks for"))
    }

    /// Check value of a master, for comparing with that of a keystore; `None` when the SAM holds no
    /// such master or does not tell.
    ///
    /// # Errors
    /// [`SamError`] when no answer came.
    pub fn check_value(
        &mut self,
        key: CardKey,
        version: KeyVersion,
    ) -> Result<Option<[u8; 3]>, SamError> {
        let Some(ask) = MasterCheck::new(key, version) else { return Ok(None) };
        match self.run(&ask) {
            Ok(value) => Ok(Some(value.0)),
            Err(LinkError::Card(CardError::Refused(_))) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// A file as bytes.
    ///
    /// # Errors
    /// [`SamError`] when the file is missing.
    pub fn file(&mut self, file: SamFile) -> Result<Vec<u8>, SamError> {
        let (directory, id, size) = file.facts();
        self.enter(directory)?;
        self.run(&Select(id))?;
        Ok(self.run(&ReadBinary { offset: 0, length: size })?)
    }

    /// The wire to the SAM, for commands of the caller's own. What they leave selected is not known
    /// here, and is selected anew.
    pub fn transport(&mut self) -> &mut T {
        self.selected = None;
        &mut self.transport
    }

    fn enter(&mut self, directory: u16) -> Result<(), SamError> {
        if self.selected != Some(directory) {
            self.selected = None;
            self.run(&Select(MASTER_FILE))?;
            if directory != MASTER_FILE {
                self.run(&Select(directory))?;
            }
            self.selected = Some(directory);
        }
        Ok(())
    }

    fn run<I: Instruction>(&mut self, instruction: &I) -> Result<I::Answer, LinkError> {
        Link::new(&mut self.transport).run(instruction)
    }

    /// Runs an instruction that is written without Le, and fetches its answer.
    fn fetch<I: Instruction>(&mut self, instruction: &I) -> Result<I::Answer, LinkError> {
        Link::new(&mut self.transport).fetch(instruction)
    }
}

#[cfg(test)]
mod tests;
