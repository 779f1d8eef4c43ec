//! The desk agent of this machine (`healthcard desk --interface`): the service holds the card keys and
//! decides what is permitted. What takes a SAM cannot be done here, and says so.
//!
//! The first call, or `PowerOn`, asks which card is there. Every later request names that insertion;
//! once the card is out, each fails until `PowerOn` is called again.

use std::fs::{self, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use card::agent::{
    Answer, Change, Field, Insertion, MAX_ANSWER, Order, Purpose, Refusal, Request, Spelled,
    VisitId, length,
};
use card::data::Value;
use card::layout::{Directory, File, Item, Profile, ddf1};
use card::sam::SamFile;
use card::write::{Mark, VisitKind};
use socket2::{Domain, SockAddr, Socket, Type};
use zeroize::Zeroizing;

use super::{Body, PinRefused, Slot, Station, record_of};
use crate::code::Code;
use crate::field::Characters;

/// The environment variables that name the reader, the visit, and what its data are read for.
const READER: &str = "HEALTHCARD_READER";
const VISIT: &str = "HEALTHCARD_VISIT";
const PURPOSE: &str = "HEALTHCARD_PURPOSE";
/// Longest that a request is under way: the agent and the service have shorter limits of their own.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longest that the agent may take to accept a connection and take a request.
const TRANSIT: Duration = Duration::from_secs(10);

/// The agent at its socket.
pub(super) struct AgentStation {
    socket: PathBuf,
    card: Powered,
    patience: Duration,
}

/// The card that this connection is about.
#[derive(Clone, Copy)]
enum Powered {
    NotYet,
    Card(Insertion),
    /// It was taken out.
    Gone,
}

impl AgentStation {
    /// Looks whether the agent is there.
    pub(super) fn open(socket: PathBuf) -> Result<Self, Code> {
        match connect(&socket) {
            Ok(_) => Ok(Self { socket, card: Powered::NotYet, patience: PATIENCE }),
            Err(_) => Err(Code::Sam),
        }
    }

    fn ask(&self, request: &Request) -> Result<Answer, Code> {
        let request = request.encode().ok_or(Code::Parameter)?;
        // An agent that is not there, or breaks off, cannot compute for us.
        exchange(&self.socket, &request, self.patience).ok().flatten().ok_or(Code::Sam)
    }

    /// Asks something of the card; what it fails with is `failed`, unless the reason is another.
    fn order(&mut self, order: Order, failed: Code) -> Result<Answer, Code> {
        let card = match self.card {
            Powered::Card(card) => card,
            Powered::NotYet => self.find()?.0,
            Powered::Gone => return Err(Code::Card),
        };
        match self.ask(&Request::Card(card, order))? {
            Answer::Refused(why) => Err(self.refused(why, failed)),
            answer => Ok(answer),
        }
    }

    /// The card that is there now, and its answer to reset.
    fn find(&mut self) -> Result<(Insertion, Vec<u8>), Code> {
        let reader = std::env::var(READER).unwrap_or_default();
        self.card = Powered::NotYet;
        match self.ask(&Request::PowerOn { reader })? {
            Answer::Card { card, atr } => {
                self.card = Powered::Card(card);
                Ok((card, atr))
            }
            Answer::Refused(why) => Err(self.refused(why, Code::Card)),
            _ => Err(Code::Card),
        }
    }

    fn refused(&mut self, why: Refusal, failed: Code) -> Code {
        match why {
            Refusal::Request => Code::Parameter,
            Refusal::NoCard => {
                if let Powered::Card(_) = self.card {
                    self.card = Powered::Gone;
                }
                Code::Card
            }
            Refusal::SeveralCards | Refusal::CardFailed => Code::Card,
            Refusal::NotGenuine | Refusal::NotPermitted => Code::Authentication,
            Refusal::NoFile => Code::NoFile,
            Refusal::MarkedInvalid => Code::Invalid,
            Refusal::Failed => failed,
            Refusal::Away => Code::Sam,
        }
    }

    /// The fields of a file, within the visit that the environment names.
    fn file(&mut self, file: &File, failed: Code) -> Result<Vec<Field>, Code> {
        let visit = visit()?.ok_or(Code::Authentication)?;
        let order = Order::File { visit, purpose: purpose()?, file: file.name };
        match self.order(order, failed)? {
            Answer::Fields(fields) => Ok(fields),
            _ => Err(failed),
        }
    }

    /// Has a change made; the files that were written.
    fn change(
        &mut self,
        directory: Directory,
        change: Change,
        failed: Code,
    ) -> Result<Vec<card::layout::FileName>, Code> {
        let visit = match directory {
            Directory::Df02 | Directory::Df03 => visit()?,
            Directory::Ddf1 | Directory::Df01 => None,
        };
        match self.order(Order::Change { visit, change }, failed)? {
            Answer::Changed(files) => Ok(files),
            _ => Err(failed),
        }
    }

    /// Whether a body says this already.
    fn says(&mut self, file: &'static File, values: &[(Item, Value)]) -> Result<bool, Code> {
        let body = self.body(file)?;
        Ok(values.iter().all(|(item, value)| item.read(&body).as_ref() == Ok(value)))
    }

    /// Where the service puts the next record of a visit: the first invalid place, else that of the
    /// oldest visit (`card::Session::write`).
    fn place(&mut self, kind: VisitKind, flags: &[u8]) -> Result<u8, Code> {
        if let Some(free) = flags.iter().position(|flag| *flag != 0x00) {
            return Ok(free as u8 + 1);
        }
        let mut oldest: Option<(Option<String>, u8)> = None;
        for (number, file) in (1..).zip(kind.files()).take(flags.len()) {
            let body = self.body(file)?;
            let items = file.items(Profile::Full).into_iter();
            let date = items.into_iter().find(|item| item.element.item == kind.date());
            let day = match date.map(|date| date.read(&body)) {
                Some(Ok(value)) if value != Value::Empty => Some(String::clone(&value.to_text())),
                _ => None,
            };
            if oldest.as_ref().is_none_or(|(known, _)| day < *known) {
                oldest = Some((day, number));
            }
        }
        oldest.map(|(_, number)| number).ok_or(Code::NoFile)
    }
}

impl Station for AgentStation {
    fn power_on(&mut self, slot: Slot) -> Result<Vec<u8>, Code> {
        match slot {
            Slot::User => self.find().map(|(_, atr)| atr),
            Slot::Sam => Err(Code::Sam),
        }
    }

    /// Commands may use what others have proven to the card.
    fn send(&mut self, slot: Slot, _: &[u8]) -> Result<Characters, Code> {
        match slot {
            Slot::User => Err(Code::Card),
            Slot::Sam => Err(Code::Sam),
        }
    }

    fn verify_pin(&mut self, _: &[u8]) -> Result<(), PinRefused> {
        Err(PinRefused { code: Code::Sam, tries_left: None })
    }

    fn change_pin(&mut self, _: &[u8], _: &[u8]) -> Result<(), Code> {
        Err(Code::Sam)
    }

    fn sam_file(&mut self, _: SamFile) -> Result<Vec<u8>, Code> {
        Err(Code::Sam)
    }

    fn sign(&mut self, _: &[u8; 32]) -> Result<[u8; 64], Code> {
        Err(Code::Sam)
    }

    fn fields(&mut self, file: &'static File) -> Result<Vec<Option<Characters>>, Code> {
        let holder = file.name == ddf1::ef06::FILE.name && visit()?.is_none();
        let open = match file.name {
            name if name == ddf1::ef05::FILE.name => Some(Order::Free),
            _ if holder => Some(Order::Holder),
            _ => None,
        };
        let mut said = match open {
            None => self.file(file, Code::ReadRecord)?,
            Some(order) => match self.order(order, Code::ReadRecord)? {
                Answer::Fields(fields) => fields,
                _ => return Err(Code::ReadRecord),
            },
        };
        let fields = file.items(Profile::Full).into_iter().map(|Item { element, .. }| {
            match said.iter().position(|field| field.item == element.item) {
                Some(at) => sized(said.swap_remove(at).bytes, element.length).map(Some),
                None if element.full_only => Ok(None),
                None => Err(Code::ReadRecord),
            }
        });
        fields.collect()
    }

    fn record(&mut self, file: &'static File, number: u8) -> Result<Characters, Code> {
        let mut said = self.file(file, Code::ReadRecord)?;
        said.retain(|field| field.record == number);
        sized(joined(file, &said, Code::ReadRecord)?, file.size(Profile::Full))
    }

    fn flags(&mut self, index: &'static File) -> Result<Vec<u8>, Code> {
        let said = self.file(index, Code::ReadRecord)?;
        let flags = (1..=index.records(Profile::Full)).map_while(|number| {
            let entry = said.iter().find(|field| field.record == number)?;
            entry.bytes.first().copied()
        });
        Ok(flags.collect())
    }

    fn photo(&mut self) -> Result<Characters, Code> {
        let visit = visit()?.ok_or(Code::Authentication)?;
        let file = ddf1::ef07::FILE.name;
        match self.order(Order::File { visit, purpose: purpose()?, file }, Code::Photo)? {
            Answer::Photo(picture) => Ok(picture),
            _ => Err(Code::Photo),
        }
    }

    fn body(&mut self, file: &'static File) -> Result<Characters, Code> {
        let said = self.file(file, Code::ReadBinary)?;
        joined(file, &said, Code::ReadBinary)
    }

    fn set(&mut self, file: &'static File, items: Vec<Spelled>) -> Result<(), Code> {
        self.change(file.name.directory, Change::Items(items), Code::WriteRecord).map(drop)
    }

    fn append(&mut self, file: &'static File, items: Vec<Spelled>) -> Result<(), Code> {
        let change = Change::Record { file: file.name, items };
        self.change(file.name.directory, change, Code::WriteRecord).map(drop)
    }

    /// The service marks what it writes, valid last. Software written for the interface marks a record
    /// first and then writes it: it may, where the service is going to.
    fn mark(&mut self, kind: VisitKind, number: u8, mark: Mark) -> Result<(), Code> {
        let flags = self.flags(kind.index())?;
        let valid = flags.get(usize::from(number) - 1) == Some(&0x00);
        match mark {
            Mark::Valid if valid || self.place(kind, &flags)? == number => Ok(()),
            Mark::Valid => Err(Code::SetValid),
            Mark::Invalid if valid => Err(Code::SetInvalid),
            Mark::Invalid => Ok(()),
        }
    }

    /// A part alone would leave the record without the signature of who wrote it.
    fn write_part(&mut self, _: &Body, _: &[u8]) -> Result<(), Code> {
        Err(Code::WriteBinary)
    }

    /// The service signs the record and finds its place. Of another place than the caller named there
    /// would be nothing to tell them.
    fn write_body(&mut self, file: &'static File, values: &[(Item, Value)]) -> Result<(), Code> {
        let (kind, number) = record_of(file)?;
        let flags = self.flags(kind.index())?;
        // Written before, when the answer did not come.
        let valid = flags.get(usize::from(number) - 1) == Some(&0x00);
        if valid && self.says(file, values)? {
            return Ok(());
        }
        if self.place(kind, &flags)? != number {
            return Err(Code::WriteBinary);
        }
        let said = values.iter().filter(|(_, value)| *value != Value::Empty);
        let items = said.map(|(Item { element, .. }, value)| Spelled {
            item: element.item,
            text: value.to_text(),
        });
        let change = Change::Visit { kind, items: items.collect() };
        match self.change(Directory::Df03, change, Code::WriteBinary)?.contains(&file.name) {
            true => Ok(()),
            false => Err(Code::WriteBinary),
        }
    }
}

/// The visit that the environment names, if any.
fn visit() -> Result<Option<VisitId>, Code> {
    match std::env::var(VISIT) {
        Err(_) => Ok(None),
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => text.parse().map(Some).map_err(|_| Code::Parameter),
    }
}

fn purpose() -> Result<Purpose, Code> {
    match std::env::var(PURPOSE).as_deref() {
        Ok("treatment") => Ok(Purpose::Treatment),
        Ok("patient-request") => Ok(Purpose::PatientRequest),
        Ok("") | Err(_) => Err(Code::Authentication),
        Ok(_) => Err(Code::Parameter),
    }
}

fn sized(field: Characters, length: u16) -> Result<Characters, Code> {
    if field.len() == usize::from(length) { Ok(field) } else { Err(Code::ReadRecord) }
}

/// A record or body from its items, which stand without gaps. Items of 32K cards at its end may be
/// missing.
fn joined(file: &File, said: &[Field], failed: Code) -> Result<Characters, Code> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(file.size(Profile::Full).into()));
    for Item { element, .. } in file.items(Profile::Full) {
        match said.iter().find(|field| field.item == element.item) {
            Some(field) if field.bytes.len() == usize::from(element.length) => {
                bytes.extend_from_slice(&field.bytes);
            }
            None if element.full_only => {}
            _ => return Err(failed),
        }
    }
    Ok(bytes)
}

/// Sends a request and reads its answer; `None` when that is none.
fn exchange(socket: &Path, request: &[u8], patience: Duration) -> io::Result<Option<Answer>> {
    let until = Instant::now() + patience;
    let mut stream = connect(socket)?;
    stream.write_all(request)?;
    let mut head = [0; 4];
    read(&mut stream, &mut head, until)?;
    let Some(length) = length(head, MAX_ANSWER) else { return Ok(None) };
    let mut message = Zeroizing::new(vec![0; length]);
    read(&mut stream, &mut message, until)?;
    Ok(Answer::decode(&message))
}

/// Fills `bytes`, until the deadline.
fn read(stream: &mut UnixStream, mut bytes: &mut [u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        // None at all would mean to wait without end.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match stream.read(bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes = &mut bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted && !left.is_zero() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Connects to an agent of this user: nobody else can have put a socket there.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let around = fs::metadata(directory.unwrap_or(Path::new(".")))?;
    let found = fs::symlink_metadata(path)?;
    let user = fs::metadata("/proc/self")?.uid();
    let private = |of: &Metadata| of.uid() == user && of.permissions().mode() & 0o077 == 0;
    if !found.file_type().is_socket() || !private(&found) || !private(&around) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // For the connection as well: an agent that hangs lets nobody in.
    socket.set_write_timeout(Some(TRANSIT))?;
    socket.connect(&SockAddr::unix(path)?)?;
    // It sends without SIGPIPE, which would end the program that we are a guest of.
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests;
