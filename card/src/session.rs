//! From a powered card to a reading that can be trusted.
//!
//! The order is that of the field: recognise the card, have it prove that it is genuine, check its
//! validity, prove that we may read, read. Nothing outlives the session.
//!
//! Each directory has a read key of its own; its right is proven once, when the first of its files
//! is read, and is lost when another directory is selected. No command is sent twice: a record that
//! was read is remembered until the session ends. So [`read_identity`] takes 18 commands, and all of
//! EF05 to EF08 but the photo takes 29, which is the least that the file structure allows: five
//! selections (MF, DDF1, three files), three authentications (internal, challenge, external) and 21
//! records, one command each.
//!
//! What the proof covers: that a genuine card took part, now. Records travel plain and unsigned, as
//! the standard has it, so whoever holds the wire could change a name on its way. A caller that
//! keeps a register of cards compares: the card factor, the chip serial and the ID number belong
//! together there.

mod error;
mod free;
mod photo;
mod raw;
mod rewriting;
mod whole;
mod writing;

pub use error::{Inconsistency, NotHealthCard, ReadError, Step};
pub use free::{FreeField, FreeReading, read_free, read_free_fields, recognise_card};
pub use photo::read_photo;
pub use whole::{Dump, Field, FileOutcome, FileReading, read_whole};

use std::collections::{BTreeMap, BTreeSet};

use subtle::ConstantTimeEq;
use time::Date;
use zeroize::Zeroizing;

use crate::apdu::Status;
use crate::command::{
    CardError, ExternalAuthenticate, GetChallenge, Instruction, InternalAuthenticate, ReadRecord,
    Select,
};
use crate::data::{self, HolderData, Records};
use crate::key::{CardFactors, CardKey, KeyVersion, ProvinceFactor};
use crate::layout::ddf1::{ef05, ef08};
use crate::layout::{Access, Directory, Element, File, FileName, MASTER_FILE, Profile};
use crate::number::{CardNumber, ChipSerial, CityCode};
use crate::security::SecurityModule;
use crate::transport::{Link, LinkError, Transport};

/// What a genuine, valid card says of itself and its holder.
#[derive(Debug, Clone)]
pub struct IdentityReading {
    /// The factors of its keys.
    pub factors: CardFactors,
    /// What the issuer wrote, as far as it names the card.
    pub issuer: IssuerSummary,
    /// Last day of validity (卡有效期, item 7); not before the day of reading.
    pub valid_until: Date,
    /// The holder, consistent in itself and with the card number.
    pub holder: HolderData,
    /// Commands sent for this reading.
    pub commands: u32,
}

/// The part of EF05 that names the card. The rest (class, version, dates, certificate) is in
/// [`IssuerData`](crate::IssuerData) and is not worth a command each at the desk.
#[derive(Debug, Clone)]
pub struct IssuerSummary {
    /// Issuer name (发卡机构名称, item 3).
    pub name: String,
    /// Item 57.
    pub city: CityCode,
    /// Item 8.
    pub card_number: CardNumber,
    /// Item 10.
    pub chip_serial: ChipSerial,
}

/// Reads the holder's identity. `randomness` fills eight unpredictable bytes; `today` is the date
/// at the desk.
///
/// # Errors
/// [`ReadError`], one variant for each way a card can be wrong.
pub fn read_identity(
    transport: &mut dyn Transport,
    security: &dyn SecurityModule,
    randomness: &mut dyn FnMut(&mut [u8; 8]),
    today: Date,
) -> Result<IdentityReading, ReadError> {
    Session::open(transport, security, randomness)?.identity(today)
}

/// A record, or what the card said instead of it.
type Said = Result<Zeroizing<Vec<u8>>, CardError>;

/// A conversation with a card that was recognised and has proven itself.
pub struct Session<'a> {
    link: Link<'a>,
    security: &'a dyn SecurityModule,
    randomness: &'a mut dyn FnMut(&mut [u8; 8]),
    factors: CardFactors,
    city: CityCode,
    /// The selected directory, and the selected file in it.
    directory: Directory,
    selected: Option<FileName>,
    /// Where in this directory the right to read was last proven.
    proven_at: Option<FileName>,
    /// Update keys that were proven in this directory, and at which file.
    updates: BTreeMap<CardKey, FileName>,
    /// Directories whose read key the card does not take: it is not tried again, for each try
    /// counts.
    denied: BTreeSet<Directory>,
    /// The records that were asked for, as the card gave them or with what it said instead.
    records: BTreeMap<(FileName, u8), Said>,
    profile: Option<Profile>,
}

impl<'a> Session<'a> {
    /// Recognises a health card and has it prove that it is genuine.
    ///
    /// # Errors
    /// [`ReadError::NotHealthCard`], [`ReadError::NotGenuine`], or what went wrong on the way.
    pub fn open(
        transport: &'a mut dyn Transport,
        security: &'a dyn SecurityModule,
        randomness: &'a mut dyn FnMut(&mut [u8; 8]),
    ) -> Result<Self, ReadError> {
        let mut link = Link::new(transport);
        let card = link.atr().card_factor().map_err(NotHealthCard::HistoricalBytes)?;
        let (city, record) = recognise(&mut link)?;
        let factors = CardFactors { province: ProvinceFactor::from(&city), card };
        let mut session = Self {
            link,
            security,
            randomness,
            factors,
            city,
            directory: Directory::Ddf1,
            selected: Some(ef05::FILE.name),
            proven_at: None,
            updates: BTreeMap::new(),
            denied: BTreeSet::new(),
            records: BTreeMap::from([((ef05::FILE.name, ef05::CITY_CODE.record()), Ok(record))]),
            profile: None,
        };
        session.prove_genuine()?;
        Ok(session)
    }

    /// How many commands were sent so far.
    pub fn commands(&self) -> u32 {
        self.link.commands()
    }

    /// The card's factors.
    pub fn factors(&self) -> CardFactors {
        self.factors
    }

    /// Who holds the card: issuer, validity and holder, checked against each other.
    ///
    /// # Errors
    /// As for [`read_identity`].
    pub fn identity(&mut self, today: Date) -> Result<IdentityReading, ReadError> {
        let issuer = self.issuer()?;
        let valid_until = self.valid_on(today)?;
        let holder = self.holder(&issuer)?;
        let (factors, commands) = (self.factors, self.link.commands());
        Ok(IdentityReading { factors, issuer, valid_until, holder, commands })
    }

    /// The part of the issuer's file that names the card.
    ///
    /// # Errors
    /// [`ReadError`] when a record is missing or malformed.
    pub fn issuer(&mut self) -> Result<IssuerSummary, ReadError> {
        let city = self.city.clone();
        issuer_summary(self, city)
    }

    /// The last day of validity, when that is not before `today`.
    ///
    /// # Errors
    /// [`ReadError::Expired`], or what went wrong while reading.
    pub fn valid_on(&mut self, today: Date) -> Result<Date, ReadError> {
        let valid_until = self.element(&ef08::FILE, &ef08::VALID_UNTIL, data::date)?;
        if valid_until < today { Err(ReadError::Expired { valid_until }) } else { Ok(valid_until) }
    }

    /// The holder, checked against the card number of `issuer`.
    ///
    /// # Errors
    /// [`ReadError::Inconsistent`] when the card contradicts itself, or what went wrong while
    /// reading.
    pub fn holder(&mut self, issuer: &IssuerSummary) -> Result<HolderData, ReadError> {
        let holder = HolderData::read(self)?;
        let id = &holder.id_number;
        if issuer.card_number != CardNumber::from(id) {
            return Err(Inconsistency::CardNumber.into());
        }
        if holder.birth_date != id.birth_date() {
            return Err(Inconsistency::BirthDate.into());
        }
        if holder.sex.is_stated() && holder.sex != id.sex() {
            return Err(Inconsistency::Sex.into());
        }
        Ok(holder)
    }

    /// All of EF08: validity, phones, payment.
    ///
    /// # Errors
    /// [`ReadError`] when a record is missing or malformed.
    pub fn contact(&mut self) -> Result<data::ContactData, ReadError> {
        data::ContactData::read(self)
    }

    /// Internal authentication (内部认证): the card shows that it holds the internal key.
    fn prove_genuine(&mut self) -> Result<(), ReadError> {
        let key = CardKey::IrkDdf1;
        let command = InternalAuthenticate {
            challenge: self.random(),
            data: self.random(),
            version: KeyVersion::FIRST,
        };
        let answer = match self.link.run(&command) {
            Ok(answer) => answer,
            // A card that cannot even try is no better than one that fails.
            Err(LinkError::Card(CardError::Refused(status))) => {
                return Err(ReadError::NotGenuine { status });
            }
            Err(other) => return Err(ReadError::at(Step::ProveGenuine, other)),
        };
        let mut session =
            self.security.session(key, command.version, &self.factors, &command.challenge)?;
        let expected = session.cryptogram(&command.data)?;
        match bool::from(answer.ct_eq(&expected)) {
            true => Ok(()),
            false => Err(ReadError::NotGenuine { status: Status::Done }),
        }
    }

    /// External authentication (外部认证): shows the card that we may use `key`.
    fn prove(&mut self, key: CardKey) -> Result<(), ReadError> {
        let challenge = self.run(Step::Challenge, &GetChallenge)?;
        let (version, data) = (KeyVersion::FIRST, self.random());
        let mut session = self.security.session(key, version, &self.factors, &challenge)?;
        let cryptogram = session.cryptogram(&data)?;
        let command = ExternalAuthenticate { key, version, cryptogram, data };
        match self.link.run(&command) {
            Ok(()) => {
                self.proven_at = self.selected;
                Ok(())
            }
            Err(LinkError::Card(CardError::WrongKey { tries_left })) => {
                Err(ReadError::ReadRefused { tries_left })
            }
            Err(LinkError::Card(CardError::KeyBlocked)) => Err(ReadError::KeyBlocked { key }),
            Err(other) => Err(ReadError::at(Step::ProveRight, other)),
        }
    }

    /// Selects a directory, which ends the rights in the last one. A card that knows only the
    /// children of its selected directory is led there over DDF1.
    fn change_directory(&mut self, directory: Directory, to: FileName) -> Result<(), ReadError> {
        let way: &[u16] = match directory {
            Directory::Ddf1 => &[MASTER_FILE, Directory::Ddf1.id()],
            below => &[Directory::Ddf1.id(), below.id()],
        };
        let straight = self.link.run(&Select(directory.id()));
        self.selected = None;
        self.proven_at = None;
        self.updates.clear();
        match straight {
            Err(LinkError::Card(CardError::Refused(Status::FileNotFound))) => {
                for id in way {
                    self.run(Step::Select(to), &Select(*id))?;
                    self.directory = Directory::Ddf1;
                }
            }
            other => other.map_err(|error| ReadError::at(Step::Select(to), error))?,
        }
        self.directory = directory;
        Ok(())
    }

    /// Makes `file` the selected one.
    fn select(&mut self, file: &File) -> Result<(), ReadError> {
        let name = file.name;
        if self.directory != name.directory {
            self.change_directory(name.directory, name)?;
        }
        if self.selected != Some(name) {
            self.selected = None;
            self.run(Step::Select(name), &Select(name.id))?;
            self.selected = Some(name);
        }
        Ok(())
    }

    /// Selects `file`, and proves the right to read it if that was not done yet.
    fn enter(&mut self, file: &File) -> Result<(), ReadError> {
        self.select(file)?;
        match (file.read, self.proven_at) {
            (Access::Key(key), None) => self.prove(key),
            _ => Ok(()),
        }
    }

    /// Reads from `file`. Rights belong to the directory (health-card.md, 4.3), yet cards exist
    /// whose software proves them for each file anew (5.1): such a card says so, and is asked again
    /// once.
    fn read<I: Instruction>(
        &mut self,
        file: &File,
        record: u8,
        command: &I,
    ) -> Result<I::Answer, ReadError> {
        self.enter(file)?;
        let step = Step::Read { file: file.name, record };
        let first = self.link.run(command);
        let not_allowed =
            matches!(first, Err(LinkError::Card(CardError::Refused(Status::NotAllowed))));
        match file.read {
            Access::Key(key) if not_allowed && self.proven_at != Some(file.name) => {
                self.prove(key)?;
                self.run(step, command)
            }
            _ => first.map_err(|error| ReadError::at(step, error)),
        }
    }

    /// A record as the card gives it, read once in a session.
    fn record_of(
        &mut self,
        file: &File,
        number: u8,
        command: &ReadRecord<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let place = (file.name, number);
        let step = Step::Read { file: file.name, record: number };
        if let Some(known) = self.records.get(&place) {
            return known.clone().map_err(|source| ReadError::Refused { at: step, source });
        }
        let said = match self.read(file, number, command) {
            Ok(bytes) => Ok(Zeroizing::new(bytes)),
            Err(ReadError::Refused { at, source }) if at == step => Err(source),
            Err(other) => return Err(other),
        };
        self.records.insert(place, said.clone());
        said.map_err(|source| ReadError::Refused { at: step, source })
    }

    fn run<I: Instruction>(&mut self, step: Step, command: &I) -> Result<I::Answer, ReadError> {
        self.link.run(command).map_err(|error| ReadError::at(step, error))
    }

    fn random(&mut self) -> [u8; 8] {
        let mut bytes = [0; 8];
        (self.randomness)(&mut bytes);
        bytes
    }
}

/// The part of the issuer's file that names the card, whoever fetches its records.
fn issuer_summary<R: Records>(records: &mut R, city: CityCode) -> Result<IssuerSummary, R::Error> {
    let file = &ef05::FILE;
    Ok(IssuerSummary {
        chip_serial: records.element(file, &ef05::CHIP_SERIAL, data::number)?,
        card_number: records.element(file, &ef05::CARD_NUMBER, data::number)?,
        name: records.element(file, &ef05::ISSUER_NAME, |value| {
            data::filled(value).map(|name| String::clone(&name))
        })?,
        city,
    })
}

/// The recognition rule: after the master file the card knows DDF1, then EF05 in it, and answers
/// tag 39. Never by AID, and never by DDF1 alone, which transit cards have too.
fn recognise(link: &mut Link<'_>) -> Result<(CityCode, Zeroizing<Vec<u8>>), ReadError> {
    for file in [MASTER_FILE, Directory::Ddf1.id(), ef05::FILE.name.id] {
        link.run(&Select(file)).map_err(|error| match error {
            // A blocked card is one of ours, and the desk should hear that.
            LinkError::Card(CardError::Refused(status)) if !status.is_blocking() => {
                NotHealthCard::NoFile(file).into()
            }
            other => ReadError::at(Step::Select(ef05::FILE.name), other),
        })?;
    }
    let element = &ef05::CITY_CODE;
    let record = link.run(&ReadRecord::ByTag(element)).map_err(|error| match error {
        LinkError::Card(_) => NotHealthCard::NoCityCode.into(),
        other => {
            ReadError::at(Step::Read { file: ef05::FILE.name, record: element.record() }, other)
        }
    })?;
    if record.first() != Some(&element.tag()) {
        return Err(NotHealthCard::NoCityCode.into());
    }
    Ok((data::one(&ef05::FILE, element, &record, data::number)?, Zeroizing::new(record)))
}

impl Records for Session<'_> {
    type Error = ReadError;

    fn record(&mut self, file: &File, element: &Element) -> Result<Vec<u8>, ReadError> {
        let record = self.record_of(file, element.record(), &ReadRecord::ByTag(element))?;
        Ok(record.to_vec())
    }
}
