//! What the functions do: a user card in one reader, a SAM in another.
//!
//! Each call starts from the card anew: it is recognised, proves itself, and is read or written
//! under rights that end with the call. So nothing depends on what an earlier call, or another
//! program, left selected.

mod part;
mod read;
mod write;

use std::ffi::c_int;

use card::sam::{Pin, Sam, SamError, SamSecurityModule};
use card::transport::pcsc::{PcscCard, readers};
use card::{Apdu, Transport};

pub(crate) use card::sam::SamFile;
pub(crate) use part::Part as Body;

use crate::code::Code;

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

/// The SAM as security module and signer.
type SamModule = SamSecurityModule<PcscCard>;

/// An open connection.
pub(crate) struct Desk {
    user_reader: String,
    sam_reader: String,
    user: Option<PcscCard>,
    sam: Option<SamModule>,
    /// The SAM has its PIN, and records that are written are signed.
    pin_verified: bool,
}

impl Desk {
    /// Finds the readers. Cards are powered when they are first needed.
    pub(crate) fn open() -> Result<Self, Code> {
        let present = readers().map_err(|_| Code::Card)?;
        let named = |variable: &str, at: usize| {
            std::env::var(variable).ok().or_else(|| present.get(at).cloned())
        };
        let user_reader = named("HEALTHCARD_READER", 0).ok_or(Code::Card)?;
        // A desk without a SAM can still read what is free.
        let sam_reader = named("HEALTHCARD_SAM_READER", 1).unwrap_or_default();
        Ok(Self { user_reader, sam_reader, user: None, sam: None, pin_verified: false })
    }

    /// Powers a slot, also when it has power already; the answer to reset in hex.
    pub(crate) fn power_on(&mut self, slot: Slot) -> Result<Vec<u8>, Code> {
        let answer = match slot {
            Slot::User => {
                self.user = None;
                self.user()?.atr().clone()
            }
            Slot::Sam => {
                self.sam = None;
                self.sam()?.with_sam(|sam| sam.transport().atr().clone())
            }
        };
        Ok(hex::encode_upper(answer.bytes()).into_bytes())
    }

    /// Sends a command as it is.
    pub(crate) fn send(&mut self, slot: Slot, command: &[u8]) -> Result<Vec<u8>, Code> {
        let command = Apdu::parse(command).map_err(|_| Code::Parameter)?;
        let (answer, code) = match slot {
            Slot::User => (self.user()?.transmit(&command), Code::Card),
            Slot::Sam => {
                (self.sam()?.with_sam(|sam| sam.transport().transmit(&command)), Code::Sam)
            }
        };
        match answer {
            Ok(response) => Ok(response.to_bytes()),
            Err(_) => Err(self.lost(slot, code)),
        }
    }

    /// Presents the PIN to the SAM.
    pub(crate) fn verify_pin(&mut self, pin: &[u8]) -> Result<(), PinRefused> {
        let refused = |code| PinRefused { code, tries_left: None };
        let pin = digits(pin).map_err(refused)?;
        let sam = self.sam().map_err(refused)?;
        let verified = sam.with_sam(|sam| sam.verify(&pin));
        self.pin_verified = verified.is_ok();
        verified.map_err(|error| PinRefused { code: Code::Sam, tries_left: error.wrong_pin() })
    }

    /// Changes the PIN of the SAM.
    pub(crate) fn change_pin(&mut self, old: &[u8], new: &[u8]) -> Result<(), Code> {
        let (old, new) = (digits(old)?, digits(new)?);
        self.with_sam(|sam| sam.change_pin(&old, &new))
    }

    /// A file of the SAM, in hex.
    pub(crate) fn sam_file(&mut self, file: SamFile) -> Result<Vec<u8>, Code> {
        let bytes = self.with_sam(|sam| sam.file(file))?;
        Ok(hex::encode_upper(bytes).into_bytes())
    }

    /// Signs a digest with the SAM's key.
    pub(crate) fn sign(&mut self, digest: &[u8; 32]) -> Result<[u8; 64], Code> {
        self.with_sam(|sam| sam.sign_digest(digest)).map(|signature| *signature.as_raw())
    }

    fn with_sam<R>(
        &mut self,
        act: impl FnOnce(&mut Sam<PcscCard>) -> Result<R, SamError>,
    ) -> Result<R, Code> {
        self.sam()?.with_sam(act).map_err(|_| Code::Sam)
    }

    /// The user card, powered.
    fn user(&mut self) -> Result<&mut PcscCard, Code> {
        if self.user.is_none() {
            self.user = Some(PcscCard::connect(&self.user_reader).map_err(|_| Code::Card)?);
        }
        self.user.as_mut().ok_or(Code::Card)
    }

    /// The SAM, powered and with its application selected.
    fn sam(&mut self) -> Result<&SamModule, Code> {
        if self.sam.is_none() {
            self.pin_verified = false;
            let card = PcscCard::connect(&self.sam_reader).map_err(|_| Code::Sam)?;
            self.sam = Some(SamSecurityModule::new(Sam::open(card).map_err(|_| Code::Sam)?));
        }
        self.sam.as_ref().ok_or(Code::Sam)
    }

    /// Lets go of a card that did not answer: the next call looks for it again.
    fn lost(&mut self, slot: Slot, code: Code) -> Code {
        match slot {
            Slot::User => self.user = None,
            Slot::Sam => self.sam = None,
        }
        code
    }
}

fn digits(pin: &[u8]) -> Result<Pin, Code> {
    let digits = std::str::from_utf8(pin).map_err(|_| Code::Parameter)?;
    Pin::from_digits(digits).map_err(|_| Code::Parameter)
}
