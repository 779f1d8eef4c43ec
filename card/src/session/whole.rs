//! The whole card, or some of its files: every item with its name, its place and what it says.
//!
//! Who holds the card is read strictly, as everywhere. All else is taken as it is: a record with a
//! wrong tag or length, a date that does not exist or a text that is not GBK is told with its bytes,
//! and the next one is read. A card with no transmission left, or with none of our keys, ends it.

use time::{Date, OffsetDateTime};
use zeroize::Zeroizing;

use super::{IdentityReading, ReadError, Session};
use crate::apdu::Status;
use crate::certificate::CardCertificate;
use crate::command::{CardError, ReadRecord};
use crate::data::{Malformed, Photo, Value};
use crate::layout::ddf1::{ef05, ef07, ef08};
use crate::layout::df03;
use crate::layout::{Directory, FILES, File, FileName, Item, Place, Profile, Structure};
use crate::record_signature::{self, BadRecordSignature, DigestRule};
use crate::security::{SecurityError, SecurityModule};
use crate::transport::Transport;
use crate::write::VisitKind;

/// What a card says, file by file.
#[derive(Debug)]
pub struct Dump {
    /// Which kind of card it is.
    pub profile: Profile,
    /// The files that were asked for and that a card of this kind has, in the order of the card.
    pub files: Vec<FileReading>,
    /// Commands sent to the card, those for the identity included.
    pub commands: u32,
}

/// What one file says.
#[derive(Debug)]
pub struct FileReading {
    /// The file.
    pub file: &'static File,
    /// When it was read.
    pub read_at: OffsetDateTime,
    /// Whether it could be read.
    pub outcome: FileOutcome,
    /// Its items, in the order of the card.
    pub fields: Vec<Field>,
    /// The picture, of the file that holds one.
    pub photo: Option<Photo>,
}

/// How the reading of a file went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOutcome {
    /// It was read; its fields may still be malformed, each for itself.
    Read,
    /// The card does not have it, though cards of its kind do.
    NotOnCard,
    /// Its index says that it is not valid (标识无效), and so it was not read.
    MarkedInvalid,
    /// The card does not accept our read key of its directory, or we have none.
    NotAllowed,
    /// The card did not give it, or gave something else.
    Failed(CardError),
    /// The picture in it is none.
    Damaged(Malformed),
}

/// One item as it was read.
pub struct Field {
    /// The item.
    pub item: Item,
    /// Its record in the file, from 1; 0 in a file without records.
    pub record: u8,
    /// Its bytes as the card gave them; of a record of its own, with tag and length.
    pub raw: Zeroizing<Vec<u8>>,
    /// What it says.
    pub value: Result<Value, Malformed>,
}

impl FileReading {
    /// Whether the file is the record of a visit.
    #[must_use]
    pub fn is_visit(&self) -> bool {
        self.visit().is_some()
    }

    fn visit(&self) -> Option<VisitKind> {
        let is_body =
            |kind: &VisitKind| kind.files().iter().any(|file| file.name == self.file.name);
        VisitKind::ALL.into_iter().find(is_body)
    }

    /// What the signature of a visit's record is worth, with `issuer` as the one who vouches for its
    /// signer, as of `day`: `None` for other files, and for a record that was not read whole or carries no
    /// signature.
    #[must_use]
    pub fn signature(
        &self,
        issuer: &CardCertificate,
        day: Date,
    ) -> Option<Result<DigestRule, BadRecordSignature>> {
        let kind = self.visit()?;
        let fields = self.fields.iter().flat_map(|field| &field.raw[..]);
        let body: Zeroizing<Vec<u8>> = fields.copied().collect::<Vec<_>>().into();
        if self.outcome != FileOutcome::Read {
            return None;
        }
        let (signed, proof) = body.split_at_checked(kind.signature().offset().into())?;
        let (signature, certificate) = proof.split_first_chunk()?;
        // Room that was never written on.
        if [[0; 64], [0xff; 64]].contains(signature) {
            return None;
        }
        Some(record_signature::verify(signed, signature, certificate, issuer, day))
    }
}

/// Personal data: the place alone.
impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Field({}, record {})", self.item.element.item, self.record)
    }
}

/// Reads who holds a genuine, valid card, and then `files`, or the whole card when there are none.
/// `now` is asked once for each file.
///
/// # Errors
/// As for [`read_identity`](super::read_identity): a card whose holder cannot be told is not read
/// further. Afterwards only what ends the conversation: a card that was taken out, a reader or a
/// security module that failed.
pub fn read_whole(
    transport: &mut dyn Transport,
    security: &dyn SecurityModule,
    randomness: &mut dyn FnMut(&mut [u8; 8]),
    today: Date,
    files: &[FileName],
    now: &mut dyn FnMut() -> OffsetDateTime,
) -> Result<(IdentityReading, Dump), ReadError> {
    let mut session = Session::open(transport, security, randomness)?;
    let wanted = |file: &File| files.is_empty() || files.contains(&file.name);
    // A file that is wanted whole is read whole while it is selected.
    for file in [&ef05::FILE, &ef08::FILE] {
        if wanted(file) {
            session.records(file)?;
        }
        if file.name == ef05::FILE.name {
            session.issuer()?;
        } else {
            session.valid_on(today)?;
        }
    }
    let identity = session.identity(today)?;
    let mut dump = Dump { profile: Profile::Full, files: Vec::new(), commands: 0 };
    for file in FILES.into_iter().filter(|file| wanted(file)) {
        if file.name.directory != Directory::Ddf1 {
            session.profile()?;
        }
        if let Some(read) = session.file(file, now)? {
            dump.files.push(read);
        }
    }
    dump.profile = session.profile()?;
    if dump.profile == Profile::Reduced {
        // What only 32K cards have is not missing.
        for read in &mut dump.files {
            read.fields.retain(|field| {
                !(field.item.element.full_only && field.value == Err(Malformed::Missing))
            });
        }
    }
    dump.commands = session.commands();
    Ok((identity, dump))
}

impl Session<'_> {
    /// Which kind of card this is: 16K cards have no file for the photo. A card that gave a record
    /// that only 32K cards have was not asked for that.
    ///
    /// # Errors
    /// [`ReadError`] when the card does not say.
    pub fn profile(&mut self) -> Result<Profile, ReadError> {
        if let Some(profile) = self.profile {
            return Ok(profile);
        }
        let profile = match self.select(&ef07::FILE) {
            Ok(()) => Profile::Full,
            Err(error) if status(&error) == Some(Status::FileNotFound) => Profile::Reduced,
            Err(error) => return Err(error),
        };
        self.profile = Some(profile);
        Ok(profile)
    }

    /// Reads one file; `None` when cards of this kind do not have it.
    fn file(
        &mut self,
        file: &'static File,
        now: &mut dyn FnMut() -> OffsetDateTime,
    ) -> Result<Option<FileReading>, ReadError> {
        if self.denied.contains(&file.name.directory) {
            return Ok(Some(FileReading::without(file, now(), FileOutcome::NotAllowed)));
        }
        let read = match file.structure {
            Structure::Variable(_) => self.records(file).map(Some),
            Structure::Fixed { records, .. } | Structure::Cyclic { records, .. } => {
                self.like_records(file, records).map(Some)
            }
            Structure::Transparent { sections: [], .. } => return self.photo_file(now),
            Structure::Transparent { .. } => self.body(file),
        };
        let outcome = match read {
            Ok(Some(fields)) => {
                let outcome = FileOutcome::Read;
                let read_at = now();
                return Ok(Some(FileReading { file, read_at, outcome, fields, photo: None }));
            }
            Ok(None) => FileOutcome::MarkedInvalid,
            Err(error) => self.outcome(file, error)?,
        };
        let unread = matches!(outcome, FileOutcome::NotOnCard | FileOutcome::MarkedInvalid);
        let absent = unread && !file.exists(self.profile()?);
        Ok((!absent).then(|| FileReading::without(file, now(), outcome)))
    }

    /// What an error means for one file; an error that ends the conversation is one still.
    fn outcome(&mut self, file: &File, error: ReadError) -> Result<FileOutcome, ReadError> {
        Ok(match error {
            ReadError::ReadRefused { .. }
            | ReadError::KeyBlocked { .. }
            | ReadError::Security(SecurityError::NoKey { .. })
            | ReadError::Refused { at: super::Step::ProveRight, .. } => {
                self.denied.insert(file.name.directory);
                FileOutcome::NotAllowed
            }
            ReadError::Refused { source: CardError::Refused(status), .. } => match status {
                Status::FileNotFound => FileOutcome::NotOnCard,
                Status::NotAllowed => FileOutcome::NotAllowed,
                other => FileOutcome::Failed(CardError::Refused(other)),
            },
            ReadError::Refused { source: CardError::Endless, .. } => return Err(error),
            ReadError::Refused { source, .. } => FileOutcome::Failed(source),
            ReadError::MalformedRecord(malformed) => FileOutcome::Damaged(malformed.why),
            other => return Err(other),
        })
    }

    /// The records of a file in which each is an item.
    fn records(&mut self, file: &'static File) -> Result<Vec<Field>, ReadError> {
        let mut fields = Vec::new();
        for item in file.items(Profile::Full) {
            let number = item.element.record();
            let said = self.record_of(file, number, &ReadRecord::ByTag(&item.element));
            if item.element.full_only && said.is_ok() {
                self.profile.get_or_insert(Profile::Full);
            }
            fields.push(field(item, number, missing_or_withheld(said)?));
        }
        Ok(fields)
    }

    /// The records of a file in which each has all items. A ring ends where it was written up to.
    fn like_records(&mut self, file: &'static File, most: u8) -> Result<Vec<Field>, ReadError> {
        let mut fields = Vec::new();
        for number in 1..=most {
            let said = self.record_of(file, number, &ReadRecord::ByNumber(number));
            let said = match missing_or_withheld(said)? {
                Err(Malformed::Missing) => break,
                said => said,
            };
            for item in file.items(Profile::Full) {
                fields.push(field(item, number, said.clone()));
            }
        }
        Ok(fields)
    }

    /// The body of a visit; `None` when its index does not call it valid, for then it may be half
    /// written (health-card.md, 5.3).
    fn body(&mut self, file: &'static File) -> Result<Option<Vec<Field>>, ReadError> {
        let index = match file.name.id & 0xFF00 {
            0xEE00 => &df03::ef05::FILE,
            _ => &df03::ef06::FILE,
        };
        let number = (file.name.id & 0x0F) as u8;
        let said = self.record_of(index, number, &ReadRecord::ByNumber(number));
        if missing_or_withheld(said)?.is_ok_and(|flag| *flag == [VALID]) {
            let profile = self.profile()?;
            let bytes = self.bytes(file, usize::from(file.size(profile)))?;
            let items = file.items(profile).into_iter();
            return Ok(Some(items.map(|item| field(item, 0, Ok(bytes.clone()))).collect()));
        }
        Ok(None)
    }

    /// The first `size` bytes of a transparent file.
    pub(super) fn bytes(
        &mut self,
        file: &File,
        size: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        self.range(file, 0, size)
    }

    fn photo_file(
        &mut self,
        now: &mut dyn FnMut() -> OffsetDateTime,
    ) -> Result<Option<FileReading>, ReadError> {
        if self.profile()? == Profile::Reduced {
            return Ok(None);
        }
        let file = &ef07::FILE;
        let (outcome, photo) = match self.photo() {
            Ok(photo) => (FileOutcome::Read, photo),
            Err(error) => (self.outcome(file, error)?, None),
        };
        Ok(Some(FileReading { photo, ..FileReading::without(file, now(), outcome) }))
    }
}

/// Flag of a valid body in its index.
const VALID: u8 = 0x00;

impl FileReading {
    fn without(file: &'static File, read_at: OffsetDateTime, outcome: FileOutcome) -> Self {
        Self { file, read_at, outcome, fields: Vec::new(), photo: None }
    }
}

/// What a card said to a command that it refused.
fn status(error: &ReadError) -> Option<Status> {
    match error {
        ReadError::Refused { source: CardError::Refused(status), .. } => Some(*status),
        _ => None,
    }
}

/// A record that did not come, as its field tells it. Without the right, or when the conversation
/// is over, there is no field.
fn missing_or_withheld(
    said: Result<Zeroizing<Vec<u8>>, ReadError>,
) -> Result<Result<Zeroizing<Vec<u8>>, Malformed>, ReadError> {
    match said {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(ReadError::Refused { at: super::Step::Read { .. }, source })
            if source != CardError::Endless && source != CardError::Refused(Status::NotAllowed) =>
        {
            Ok(Err(match source {
                CardError::Refused(Status::RecordNotFound) => Malformed::Missing,
                other => Malformed::Withheld(other),
            }))
        }
        Err(error) => Err(error),
    }
}

/// An item of a record, or of a file without records.
fn field(item: Item, record: u8, said: Result<Zeroizing<Vec<u8>>, Malformed>) -> Field {
    let (raw, value) = match said {
        Err(why) => (Zeroizing::default(), Err(why)),
        Ok(bytes) => {
            let value = item.read(&bytes);
            let raw = match item.element.place {
                Place::Record { .. } => bytes,
                Place::Offset(_) => Zeroizing::new(item.field(&bytes).unwrap_or_default().to_vec()),
            };
            (raw, value)
        }
    };
    Field { item, record, raw, value }
}
