//! A user card in one reader and a SAM in another, both of this process.
//!
//! Each call starts from the card anew: it is recognised, proves itself, and is read or written
//! under rights that end with the call. So nothing depends on what an earlier call, or another
//! program, left selected.

use card::agent::Spelled;
use card::command::CardError;
use card::data::{self, Value};
use card::layout::{File, Item, Profile};
use card::record_signature::RecordSigner;
use card::sam::{Pin, Sam, SamError, SamFile, SamSecurityModule};
use card::session::Session;
use card::transport::LinkError;
use card::transport::pcsc::{PcscCard, readers};
use card::write::{Changes, Mark, VisitKind, WriteError};
use card::{Apdu, ReadError, Status, Transport as _, TransportError};
use zeroize::Zeroizing;

use super::{Body, PinRefused, Slot, Station, record_of};
use crate::code::Code;
use crate::field::Characters;

/// The SAM as security module and signer.
type SamModule = SamSecurityModule<PcscCard>;

/// The two readers.
pub(super) struct SamStation {
    user_reader: String,
    sam_reader: String,
    user: Option<PcscCard>,
    sam: Option<SamModule>,
    /// The SAM has its PIN, and records that are written are signed.
    pin_verified: bool,
}

impl SamStation {
    /// Finds the readers. Cards are powered when they are first needed.
    pub(super) fn open() -> Result<Self, Code> {
        let present = readers().map_err(|_| Code::Card)?;
        let named = |variable: &str, at: usize| {
            std::env::var(variable).ok().or_else(|| present.get(at).cloned())
        };
        let user_reader = named("HEALTHCARD_READER", 0).ok_or(Code::Card)?;
        // A desk without a SAM can still read what is free.
        let sam_reader = named("HEALTHCARD_SAM_READER", 1).unwrap_or_default();
        Ok(Self { user_reader, sam_reader, user: None, sam: None, pin_verified: false })
    }

    fn with_sam<R>(
        &mut self,
        act: impl FnOnce(&mut Sam<PcscCard>) -> Result<R, SamError>,
    ) -> Result<R, Code> {
        let done = self.sam()?.with_sam(act);
        done.map_err(|error| self.sam_failed(&error))
    }

    /// The code of a SAM that did not do what it was asked. One that does not answer is let go of.
    fn sam_failed(&mut self, error: &SamError) -> Code {
        match error {
            SamError::Link(LinkError::Transport(_)) => self.lost(Slot::Sam, Code::Sam),
            _ => Code::Sam,
        }
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
            Slot::Sam => {
                self.sam = None;
                self.pin_verified = false;
            }
        }
        code
    }

    /// Runs `act` on a card that was recognised and has proven itself; what it fails with is
    /// `code`, unless the reason is the card, the SAM, or proof.
    fn session<R>(
        &mut self,
        code: Code,
        act: impl FnOnce(&mut Session<'_>, &SamModule) -> Result<R, ReadError>,
    ) -> Result<R, Code> {
        self.user()?;
        self.sam()?;
        let (Some(user), Some(sam)) = (&mut self.user, &self.sam) else { return Err(Code::Card) };
        let mut randomness = |bytes: &mut [u8; 8]| {
            // Nothing safe can be done without randomness, and no caller could do better.
            getrandom::fill(bytes).expect("the operating system gives random bytes");
        };
        let outcome = Session::open(user, sam, &mut randomness)
            .and_then(|mut session| act(&mut session, sam));
        outcome.map_err(|error| match error {
            ReadError::Removed { .. } => self.lost(Slot::User, Code::Card),
            ReadError::Transport { source: TransportError::Timeout, .. } => Code::Card,
            ReadError::Transport { .. } => self.lost(Slot::User, Code::Card),
            ReadError::NotHealthCard(_) => Code::Card,
            ReadError::Security(_) => self.lost(Slot::Sam, Code::Sam),
            ReadError::NotGenuine { .. }
            | ReadError::ReadRefused { .. }
            | ReadError::KeyBlocked { .. } => Code::Authentication,
            error if status(&error) == Some(Status::FileNotFound) => Code::NoFile,
            _ => code,
        })
    }

    /// Runs a change on a card that has proven itself.
    fn change(
        &mut self,
        code: Code,
        act: impl FnOnce(&mut Session<'_>, &dyn RecordSigner) -> Result<(), WriteError>,
    ) -> Result<(), Code> {
        let refused = self.session(code, |session, sam| match act(session, sam) {
            Ok(()) => Ok(None),
            Err(WriteError::Card(error)) => Err(error),
            Err(other) => Ok(Some(other)),
        })?;
        match refused {
            None => Ok(()),
            Some(WriteError::UpdateRefused { .. }) => Err(Code::Authentication),
            Some(WriteError::Sign(_)) => Err(Code::Sam),
            Some(WriteError::NotOnThisCard { .. }) => Err(Code::NoFile),
            Some(_) => Err(code),
        }
    }

    fn write(&mut self, changes: Changes) -> Result<(), Code> {
        // Nothing is given: nothing is to be done.
        let Ok(changes) = changes.some() else { return Ok(()) };
        self.change(Code::WriteRecord, |session, _| session.write(&changes, None, &mut Vec::new()))
    }

    /// Whether the index calls a body valid.
    fn is_valid(&mut self, file: &'static File) -> Result<bool, Code> {
        let (kind, number) = record_of(file)?;
        self.session(Code::ReadRecord, |session, _| {
            Ok(*session.record_bytes(kind.index(), number)? == [0x00])
        })
    }

    fn rewrite(&mut self, file: &'static File, offset: u16, bytes: &[u8]) -> Result<(), Code> {
        let (kind, number) = record_of(file)?;
        if !self.is_valid(file)? {
            return Err(Code::Invalid);
        }
        let signs = self.pin_verified;
        self.change(Code::WriteBinary, |session, signer| {
            session.rewrite(kind, number, offset, bytes, signs.then_some(signer))
        })
    }
}

impl Station for SamStation {
    fn power_on(&mut self, slot: Slot) -> Result<Vec<u8>, Code> {
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
        Ok(answer.bytes().to_vec())
    }

    fn send(&mut self, slot: Slot, command: &[u8]) -> Result<Characters, Code> {
        let command = Apdu::parse(command).map_err(|_| Code::Parameter)?;
        let (answer, code) = match slot {
            Slot::User => (self.user()?.transmit(&command), Code::Card),
            Slot::Sam => {
                (self.sam()?.with_sam(|sam| sam.transport().transmit(&command)), Code::Sam)
            }
        };
        match answer {
            Ok(response) => Ok(Zeroizing::new(response.to_bytes())),
            Err(_) => Err(self.lost(slot, code)),
        }
    }

    fn verify_pin(&mut self, pin: &[u8]) -> Result<(), PinRefused> {
        let refused = |code| PinRefused { code, tries_left: None };
        let pin = digits(pin).map_err(refused)?;
        let sam = self.sam().map_err(refused)?;
        let verified = sam.with_sam(|sam| sam.verify(&pin));
        self.pin_verified = verified.is_ok();
        verified.map_err(|error| PinRefused {
            code: self.sam_failed(&error),
            tries_left: error.wrong_pin(),
        })
    }

    fn change_pin(&mut self, old: &[u8], new: &[u8]) -> Result<(), Code> {
        let (old, new) = (digits(old)?, digits(new)?);
        self.with_sam(|sam| sam.change_pin(&old, &new))
    }

    fn sam_file(&mut self, file: SamFile) -> Result<Vec<u8>, Code> {
        self.with_sam(|sam| sam.file(file))
    }

    fn sign(&mut self, digest: &[u8; 32]) -> Result<[u8; 64], Code> {
        self.with_sam(|sam| sam.sign_digest(digest)).map(|signature| *signature.as_raw())
    }

    fn fields(&mut self, file: &'static File) -> Result<Vec<Option<Characters>>, Code> {
        self.session(Code::ReadRecord, |session, _| {
            let items = file.items(Profile::Full).into_iter();
            let fields = items.map(|item| match session.field_bytes(file, &item.element) {
                Ok(field) => Ok(Some(field)),
                Err(error) if item.element.full_only && is_missing(&error) => Ok(None),
                Err(error) => Err(error),
            });
            fields.collect()
        })
    }

    fn record(&mut self, file: &'static File, number: u8) -> Result<Characters, Code> {
        self.session(Code::ReadRecord, |session, _| session.record_bytes(file, number))
    }

    fn flags(&mut self, index: &'static File) -> Result<Vec<u8>, Code> {
        self.session(Code::ReadRecord, |session, _| {
            let mut flags = Vec::new();
            for number in 1..=index.records(Profile::Full) {
                match session.record_bytes(index, number) {
                    Ok(flag) => flags.extend_from_slice(&flag),
                    Err(error) if is_missing(&error) => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(flags)
        })
    }

    fn photo(&mut self) -> Result<Characters, Code> {
        self.session(Code::Photo, |session, _| {
            let photo = session.photo()?;
            Ok(photo.map(|photo| Zeroizing::new(photo.jpeg().to_vec())).unwrap_or_default())
        })
    }

    fn body(&mut self, file: &'static File) -> Result<Characters, Code> {
        match self.is_valid(file)? {
            true => self.session(Code::ReadBinary, |session, _| session.file_bytes(file)),
            false => Err(Code::Invalid),
        }
    }

    fn set(&mut self, _: &'static File, items: Vec<Spelled>) -> Result<(), Code> {
        let mut changes = Changes::new();
        for Spelled { item, text } in &items {
            changes.set(*item, text).map_err(|_| Code::Parameter)?;
        }
        self.write(changes)
    }

    fn append(&mut self, file: &'static File, items: Vec<Spelled>) -> Result<(), Code> {
        let mut changes = Changes::new();
        let items = items.iter().map(|spelled| (spelled.item, spelled.text.as_str()));
        changes.append(file.name, items).map_err(|_| Code::Parameter)?;
        self.write(changes)
    }

    fn mark(&mut self, kind: VisitKind, number: u8, mark: Mark) -> Result<(), Code> {
        let code = match mark {
            Mark::Valid => Code::SetValid,
            Mark::Invalid => Code::SetInvalid,
        };
        self.change(code, |session, _| session.mark(kind, number, mark))
    }

    fn write_part(&mut self, part: &Body, bytes: &[u8]) -> Result<(), Code> {
        self.rewrite(part.file, part.offset as u16, bytes)
    }

    fn write_body(&mut self, file: &'static File, values: &[(Item, Value)]) -> Result<(), Code> {
        let mut body = Zeroizing::new(Vec::with_capacity(file.size(Profile::Full).into()));
        for (item, value) in values {
            let field = data::write(&item.element, value).map_err(|_| Code::Parameter)?;
            body.extend_from_slice(&Zeroizing::new(field));
        }
        self.rewrite(file, 0, &body)
    }
}

fn digits(pin: &[u8]) -> Result<Pin, Code> {
    let digits = std::str::from_utf8(pin).map_err(|_| Code::Parameter)?;
    Pin::from_digits(digits).map_err(|_| Code::Parameter)
}

fn status(error: &ReadError) -> Option<Status> {
    match error {
        ReadError::Refused { source: CardError::Refused(status), .. } => Some(*status),
        _ => None,
    }
}

fn is_missing(error: &ReadError) -> bool {
    status(error) == Some(Status::RecordNotFound)
}
