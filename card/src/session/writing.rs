//! Changes on a card: each record is written under its directory's line key after its update key
//! was proven, and read back.
//!
//! The record of a visit is written so that a card torn out at any command holds the old record or
//! one that is marked invalid (health-card.md, 5.3): mark invalid, body, signature and certificate,
//! compare, and mark valid last.

use zeroize::Zeroizing;

use super::{ReadError, Session, Step};
use crate::apdu::Status;
use crate::command::{
    CardError, ExternalAuthenticate, GetChallenge, Protected, ReadBinary, ReadRecord, UpdateBinary,
};
use crate::data::{Contents, Value, write_record};
use crate::key::{CardKey, KeyVersion};
use crate::layout::{Access, File, Item, Profile};
use crate::messaging::ProtectError;
use crate::record_signature::RecordSigner;
use crate::security::KeySession;
use crate::transport::LinkError;
use crate::write::{Changes, Effect, Mark, VisitKind, WriteError, Written};

/// Flag of a valid record in an index.
const VALID: [u8; 1] = [0x00];
/// Bytes from the start of a body that tell one visit from another: institution, date, number.
const HEAD: u16 = 104;

impl Session<'_> {
    /// Writes changes, and reads each of them back. `written` gets a line for every record that is
    /// done, so that a caller knows them when the card is torn out; the same changes can then be
    /// written again, and what is there already stays as it is.
    ///
    /// # Errors
    /// [`WriteError`]. With [`WriteError::NotOnThisCard`] and [`WriteError::NoSigner`] nothing was
    /// written.
    pub fn write(
        &mut self,
        changes: &Changes,
        signer: Option<&dyn RecordSigner>,
        written: &mut Vec<Written>,
    ) -> Result<(), WriteError> {
        let profile = self.profile()?;
        fits(changes, profile)?;
        let signed = profile == Profile::Full && changes.need_signature();
        if signed && signer.is_none() {
            return Err(WriteError::NoSigner);
        }
        for ((name, _), (item, value)) in &changes.items {
            let file = crate::layout::file(*name).expect("changes name files of the table");
            written.push(self.write_item(file, item, value)?);
        }
        for record in &changes.appended {
            written.push(self.append(record)?);
        }
        for (kind, visit) in &changes.visits {
            let body = body(*kind, visit, profile);
            written.push(self.write_visit(*kind, body, profile, signer)?);
        }
        Ok(())
    }

    /// A record that is one item.
    fn write_item(
        &mut self,
        file: &'static File,
        item: &Item,
        value: &Value,
    ) -> Result<Written, WriteError> {
        let number = item.element.record();
        let record = write_record(&item.element, value).expect("checked when it was accepted");
        let record = Zeroizing::new(record);
        let read = ReadRecord::ByTag(&item.element);
        let done = |effect| Written { file: file.name, record: number, effect };
        if *self.record_of(file, number, &read)? == *record {
            return Ok(done(Effect::Unchanged));
        }
        self.records.remove(&(file.name, number));
        self.protected(file, number, update_key(file), |session| {
            Protected::update(session, number, &record)
        })?;
        match *self.record_of(file, number, &read)? == *record {
            true => Ok(done(Effect::Changed)),
            false => Err(WriteError::Differs { file: file.name, record: number }),
        }
    }

    /// A new first record of a ring.
    fn append(&mut self, contents: &Contents) -> Result<Written, WriteError> {
        let file = contents.file;
        let record = contents.encode().expect("each item was checked when it was accepted");
        let record = Zeroizing::new(record.concat());
        let done = |effect| Written { file: file.name, record: 1, effect };
        // A ring that was never written to has no record 1.
        let newest = |session: &mut Self| match session.read(file, 1, &ReadRecord::ByNumber(1)) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(ReadError::Refused {
                source: CardError::Refused(Status::RecordNotFound), ..
            }) => Ok(None),
            Err(error) => Err(error),
        };
        if newest(self)?.as_ref() == Some(&record) {
            return Ok(done(Effect::Unchanged));
        }
        self.records.retain(|(name, _), _| *name != file.name); // all move down by one
        self.protected(file, 1, update_key(file), |session| Protected::append(session, &record))?;
        match newest(self)?.as_ref() == Some(&record) {
            true => Ok(done(Effect::Changed)),
            false => Err(WriteError::Differs { file: file.name, record: 1 }),
        }
    }

    /// The record of a visit: the first invalid place, else that of the oldest visit.
    fn write_visit(
        &mut self,
        kind: VisitKind,
        body: Zeroizing<Vec<u8>>,
        profile: Profile,
        signer: Option<&dyn RecordSigner>,
    ) -> Result<Written, WriteError> {
        let place = self.place(kind, &body, profile)?;
        let file = &kind.files()[usize::from(place.number) - 1];
        let done = |effect| Written { file: file.name, record: 0, effect };
        if place.holds_it {
            return Ok(done(Effect::Unchanged));
        }
        if place.valid {
            self.mark(kind, place.number, Mark::Invalid)?;
        }
        self.write_bytes(file, 0, &body)?;
        let mut whole = body;
        if let (Profile::Full, Some(signer)) = (profile, signer) {
            let signature = signer.sign(&whole)?;
            let proof = [&signature.as_raw()[..], &signer.certificate()?].concat();
            self.write_bytes(file, kind.signature().offset(), &proof)?;
            whole.extend(proof);
        }
        if *self.bytes(file, whole.len())? != *whole {
            return Err(WriteError::Differs { file: file.name, record: 0 });
        }
        self.mark(kind, place.number, Mark::Valid)?;
        Ok(done(Effect::Changed))
    }

    /// Marks record `number`, from 1, of a visit in its index, and reads the mark back.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn mark(&mut self, kind: VisitKind, number: u8, mark: Mark) -> Result<(), WriteError> {
        let index = kind.index();
        self.records.remove(&(index.name, number));
        match mark {
            Mark::Valid => self.protected(index, number, update_key(index), |session| {
                Protected::set_valid(session, number)
            })?,
            Mark::Invalid => {
                let Access::Key(erase) = index.erase else { unreachable!("an index has one") };
                self.protected(index, number, erase, |session| {
                    Protected::set_invalid(session, number)
                })?;
            }
        }
        let flag = self.record_of(index, number, &ReadRecord::ByNumber(number))?;
        match (*flag == VALID) == (mark == Mark::Valid) {
            true => Ok(()),
            false => Err(WriteError::Differs { file: index.name, record: number }),
        }
    }

    /// Where the record of a visit goes.
    fn place(
        &mut self,
        kind: VisitKind,
        body: &[u8],
        profile: Profile,
    ) -> Result<Place, WriteError> {
        let index = kind.index();
        let mut flags = Vec::new();
        for number in 1..=index.records(profile) {
            flags.push(*self.record_of(index, number, &ReadRecord::ByNumber(number))? == VALID);
        }
        let date = kind.items(profile).into_iter();
        let date = date.into_iter().find(|item| item.element.item == kind.date());
        let date = date.expect("every record has its date");
        let mut oldest: Option<(Option<String>, Place)> = None;
        for (number, _) in (1..).zip(&flags).filter(|(_, valid)| **valid) {
            let file = &kind.files()[usize::from(number) - 1];
            let head =
                Zeroizing::new(self.read(file, 0, &ReadBinary { offset: 0, length: HEAD })?);
            // Written before, by a conversation whose last answer did not come.
            if head[..] == body[..head.len()] && self.bytes(file, body.len())?[..] == *body {
                return Ok(Place { number, valid: true, holds_it: true });
            }
            // A record whose date cannot be read goes first.
            let day = match date.read(&head) {
                Ok(Value::Empty) | Err(_) => None,
                Ok(value) => Some(String::clone(&value.to_text())), // as ISO 8601 has it, in order of time
            };
            let place = Place { number, valid: true, holds_it: false };
            if oldest.as_ref().is_none_or(|(known, _)| day < *known) {
                oldest = Some((day, place));
            }
        }
        let free = (1..).zip(&flags).find(|(_, valid)| !**valid).map(|(number, _)| number);
        match (free, oldest) {
            (Some(number), _) => Ok(Place { number, valid: false, holds_it: false }),
            (None, Some((_, place))) => Ok(place),
            (None, None) => unreachable!("an index has two records at least"),
        }
    }

    /// Writes bytes of a body, plain, in parts.
    pub(super) fn write_bytes(
        &mut self,
        file: &'static File,
        offset: u16,
        bytes: &[u8],
    ) -> Result<(), WriteError> {
        let key = update_key(file);
        let step = Step::Write { file: file.name, record: 0 };
        self.enter_to_write(file, key)?;
        for part in UpdateBinary::parts(offset, bytes) {
            let mut answer = self.link.run(&part);
            if self.must_prove_again(file, key, &answer) {
                self.prove_update(file, key)?;
                answer = self.link.run(&part);
            }
            answer.map_err(|error| ReadError::at(step, error))?;
        }
        Ok(())
    }

    /// One command under secure messaging, after `key` was proven.
    fn protected(
        &mut self,
        file: &'static File,
        record: u8,
        key: CardKey,
        command: impl Fn(&mut dyn KeySession) -> Result<Protected, ProtectError>,
    ) -> Result<(), WriteError> {
        let step = Step::Write { file: file.name, record };
        self.enter_to_write(file, key)?;
        let mut answer = self.send_protected(file, &command)?;
        if self.must_prove_again(file, key, &answer) {
            self.prove_update(file, key)?;
            answer = self.send_protected(file, &command)?;
        }
        Ok(answer.map_err(|error| ReadError::at(step, error))?)
    }

    /// Steps 1 to 8 of secure messaging (health-card.md, 3.4).
    fn send_protected(
        &mut self,
        file: &File,
        command: &impl Fn(&mut dyn KeySession) -> Result<Protected, ProtectError>,
    ) -> Result<Result<(), LinkError>, ReadError> {
        let challenge = self.run(Step::Challenge, &GetChallenge)?;
        let (key, version) = (file.name.directory.line_key(), KeyVersion::FIRST);
        let mut session = self.security.session(key, version, &self.factors, &challenge)?;
        let command = match command(&mut *session) {
            Ok(command) => command,
            Err(ProtectError::Security(error)) => return Err(error.into()),
            Err(ProtectError::TooLong(_)) => unreachable!("the longest record is protected in one"),
        };
        drop(session);
        Ok(self.link.run(&command))
    }

    fn enter_to_write(&mut self, file: &File, key: CardKey) -> Result<(), WriteError> {
        self.select(file)?;
        match self.updates.contains_key(&key) {
            true => Ok(()),
            false => self.prove_update(file, key),
        }
    }

    /// Rights belong to the directory, yet cards exist whose software proves them for each file
    /// anew: such a card says so, and is asked again once.
    fn must_prove_again(&self, file: &File, key: CardKey, answer: &Result<(), LinkError>) -> bool {
        matches!(answer, Err(LinkError::Card(CardError::Refused(Status::NotAllowed))))
            && self.updates.get(&key) != Some(&file.name)
    }

    /// External authentication with an update key, as the field does it: two challenges, of which
    /// the first serves as the terminal's random bytes (health-card.md, 4.3).
    fn prove_update(&mut self, file: &File, key: CardKey) -> Result<(), WriteError> {
        let data = self.run(Step::Challenge, &GetChallenge)?;
        let challenge = self.run(Step::Challenge, &GetChallenge)?;
        let version = KeyVersion::FIRST;
        let security = self.security.session(key, version, &self.factors, &challenge);
        let cryptogram =
            security.and_then(|mut session| session.cryptogram(&data)).map_err(ReadError::from)?;
        let command = ExternalAuthenticate { key, version, cryptogram, data };
        match self.link.run(&command) {
            Ok(()) => {
                self.updates.insert(key, file.name);
                Ok(())
            }
            Err(LinkError::Card(CardError::WrongKey { tries_left })) => {
                Err(WriteError::UpdateRefused { key, file: file.name, tries_left })
            }
            Err(LinkError::Card(CardError::KeyBlocked)) => {
                Err(ReadError::KeyBlocked { key }.into())
            }
            Err(other) => Err(ReadError::at(Step::ProveRight, other).into()),
        }
    }
}

/// A place in an index.
struct Place {
    number: u8,
    valid: bool,
    /// It has this very record already.
    holds_it: bool,
}

fn update_key(file: &File) -> CardKey {
    match file.update {
        Access::Key(key) => key,
        _ => unreachable!("changes are accepted only for files with an update key"),
    }
}

/// Whether a card of `profile` has a place for all of it.
fn fits(changes: &Changes, profile: Profile) -> Result<(), WriteError> {
    if profile == Profile::Full {
        return Ok(());
    }
    let of_full = |file, item: &Item| match item.element.full_only {
        true => Err(WriteError::NotOnThisCard { file, item: item.element.item }),
        false => Ok(()),
    };
    for ((file, _), (item, _)) in &changes.items {
        of_full(*file, item)?;
    }
    let records = changes.appended.iter().chain(changes.visits.iter().map(|(_, visit)| visit));
    for record in records {
        for (item, _) in record.values().filter(|(_, value)| **value != Value::Empty) {
            of_full(record.file.name, item)?;
        }
    }
    Ok(())
}

/// The bytes of a visit's record up to its signature, or to its end on a card that has none.
fn body(kind: VisitKind, visit: &Contents, profile: Profile) -> Zeroizing<Vec<u8>> {
    let bytes = visit.encode().expect("each item was checked when it was accepted");
    let mut bytes = Zeroizing::new(bytes.concat());
    bytes.truncate(match profile {
        Profile::Full => usize::from(kind.signature().offset()),
        Profile::Reduced => usize::from(kind.files()[0].size(profile)),
    });
    bytes
}
