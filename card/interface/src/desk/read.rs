use std::ffi::c_int;

use card::command::CardError;
use card::layout::{File, Item, Profile};
use card::session::Session;
use card::{ReadError, Status, TransportError};
use zeroize::Zeroizing;

use super::write::record_of;
use super::{Body, Desk, SamModule, Slot};
use crate::code::Code;
use crate::field::Style;

/// Fields of a record as C strings.
type Fields = Vec<Vec<u8>>;

impl Desk {
    /// All fields of a file with one record an item, in record order.
    pub(crate) fn fields(&mut self, file: &'static File) -> Result<Fields, Code> {
        self.session(Code::ReadRecord, |session, _| {
            let mut fields = Vec::new();
            for item in file.items(Profile::Full) {
                let shown = match session.field_bytes(file, &item.element) {
                    Ok(field) => Style::of(&item.element).show(&field),
                    // What a 16K card does not have is empty.
                    Err(error) if item.element.full_only && is_missing(&error) => Vec::new(),
                    Err(error) => return Err(error),
                };
                fields.push(shown);
            }
            Ok(fields)
        })
    }

    /// The fields of record `number` of a ring, the newest being 1.
    pub(crate) fn cyclic(&mut self, file: &'static File, number: c_int) -> Result<Fields, Code> {
        let number = record_number(file, number)?;
        self.session(Code::ReadRecord, |session, _| {
            let record = session.record_bytes(file, number)?;
            Ok(split(&file.items(Profile::Full), &record))
        })
    }

    /// The entries of an index, in hex.
    pub(crate) fn flags(&mut self, file: &'static File) -> Result<Fields, Code> {
        self.session(Code::ReadRecord, |session, _| {
            let flags = (1..=file.records(Profile::Full)).map(|number| {
                match session.record_bytes(file, number) {
                    Ok(flag) => Ok(Style::Hex.show(&flag)),
                    // A 16K card has fewer; what it does not have is not valid.
                    Err(error) if is_missing(&error) => Ok(b"FF".to_vec()),
                    Err(error) => Err(error),
                }
            });
            flags.collect()
        })
    }

    /// The photo; empty when there is none.
    pub(crate) fn photo(&mut self) -> Result<Vec<u8>, Code> {
        self.session(Code::Photo, |session, _| {
            Ok(session.photo()?.map(|photo| photo.jpeg().to_vec()).unwrap_or_default())
        })
    }

    /// A part of a body, in its form.
    pub(crate) fn read_part(&mut self, part: &Body) -> Result<Vec<u8>, Code> {
        let body = self.body(part.file)?;
        let bytes = body.get(part.offset..part.offset + part.length).ok_or(Code::ReadBinary)?;
        Ok(part.style.show(bytes))
    }

    /// All items of a body, joined by bars.
    pub(crate) fn all_items(&mut self, file: &'static File) -> Result<Vec<u8>, Code> {
        let body = self.body(file)?;
        Ok(split(&file.items(Profile::Full), &body).join(&b'|'))
    }

    /// The bytes of a body that its index calls valid.
    fn body(&mut self, file: &'static File) -> Result<Zeroizing<Vec<u8>>, Code> {
        match self.is_valid(file)? {
            true => self.session(Code::ReadBinary, |session, _| session.file_bytes(file)),
            false => Err(Code::Invalid),
        }
    }

    /// Whether the index calls a body valid.
    pub(super) fn is_valid(&mut self, file: &'static File) -> Result<bool, Code> {
        let (kind, number) = record_of(file)?;
        self.session(Code::ReadRecord, |session, _| {
            Ok(*session.record_bytes(kind.index(), number)? == [0x00])
        })
    }

    /// Runs `act` on a card that was recognised and has proven itself; what it fails with is
    /// `code`, unless the reason is the card, the SAM, or proof.
    pub(super) fn session<R>(
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
}

/// A record number that the file can have.
pub(super) fn record_number(file: &File, number: c_int) -> Result<u8, Code> {
    let number = u8::try_from(number).map_err(|_| Code::Parameter)?;
    match (1..=file.records(Profile::Full)).contains(&number) {
        true => Ok(number),
        false => Err(Code::Parameter),
    }
}

/// The items of a record or body without tags, as C strings.
fn split(items: &[Item], bytes: &[u8]) -> Fields {
    let shown = items.iter().map(|Item { element, .. }| {
        let from = usize::from(element.offset());
        let field = bytes.get(from..from + usize::from(element.length));
        field.map_or_else(Vec::new, |field| Style::of(element).show(field))
    });
    shown.collect()
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
