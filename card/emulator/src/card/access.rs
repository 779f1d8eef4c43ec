//! Reading and writing files, as far as their access rules allow.

use ::card::key::CardKey;
use ::card::layout::{Access, Element, File};
use ::card::security::profile;
use ::card::{Apdu, Status, tlv};
use subtle::ConstantTimeEq;

use super::files::Content;
use super::{Card, State};

/// How P2 of a record command names the record.
enum Wanted {
    Number(u8),
    Tag(u8),
}

impl Card {
    pub(super) fn read_record(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let wanted = match command.header() {
            [_, _, number @ 1..=0xFF, 0x04] => Wanted::Number(number),
            [_, _, tag @ 1..=0xFF, 0x00] => Wanted::Tag(tag),
            _ => return Err(Status::WrongParameters),
        };
        let expected = reads(command)?;
        let (file, content) = self.files.file(self.state.file.ok_or(Status::NoFile)?);
        let Content::Records(records) = content else { return Err(Status::WrongStructure) };
        self.state.allows(file.read)?;
        let at = position(file, &wanted).ok_or(Status::RecordNotFound)?;
        let record = records.get(at).ok_or(Status::RecordNotFound)?;
        match usize::from(expected) {
            256 => Ok(record.clone()),
            length if length == record.len() => Ok(record.clone()),
            // A spoilt record of another size is given as it is, so that readers can be tried.
            length if length == usize::from(file.elements()[at].record_size()) => {
                Ok(record.clone())
            }
            _ => Err(Status::RightLength { length: record.len() as u8 }),
        }
    }

    pub(super) fn read_binary(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let offset = offset(command)?;
        let expected = usize::from(reads(command)?);
        let (file, content) = self.files.file(self.state.file.ok_or(Status::NoFile)?);
        let Content::Transparent(bytes) = content else { return Err(Status::WrongStructure) };
        self.state.allows(file.read)?;
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(Status::WrongOffset)?;
        match rest.get(..expected) {
            Some(part) => Ok(part.to_vec()),
            None if expected == 256 => Ok(rest.to_vec()),
            None => Err(Status::RightLength { length: rest.len() as u8 }),
        }
    }

    pub(super) fn update_binary(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let offset = offset(command)?;
        if command.data().is_empty() {
            return Err(Status::WrongLength);
        }
        let (file, content) = self.files.file(self.state.file.ok_or(Status::NoFile)?);
        let Content::Transparent(bytes) = content else { return Err(Status::WrongStructure) };
        self.state.allows(file.update)?;
        if offset >= bytes.len() {
            return Err(Status::WrongOffset);
        }
        let place = bytes.get_mut(offset..offset + command.data().len());
        place.ok_or(Status::NoSpace)?.copy_from_slice(command.data());
        Ok(Vec::new())
    }

    /// Plain UPDATE RECORD belongs to personalisation, which this card has behind it.
    pub(super) fn plain_update_refused(&mut self, command: &Apdu) -> Status {
        let checked = update_number(command).and_then(|_| {
            let (file, content) = self.files.file(self.state.file.ok_or(Status::NoFile)?);
            match content {
                Content::Records(_) => self.state.allows(file.update),
                Content::Transparent(_) => Err(Status::WrongStructure),
            }
        });
        checked.err().unwrap_or(Status::Unprotected)
    }

    /// UPDATE RECORD, protected: rights first, then the MAC under the line key and the last
    /// challenge, then the contents.
    pub(super) fn update_record(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let number = update_number(command)?;
        let (file, content) = self.files.file(self.state.file.ok_or(Status::NoFile)?);
        let Content::Records(records) = content else { return Err(Status::WrongStructure) };
        self.state.allows(file.update)?;
        let at = position(file, &Wanted::Number(number)).ok_or(Status::RecordNotFound)?;
        let line = self.keys.slot(CardKey::StkDdf1, 1).ok_or(Status::KeyNotFound)?;
        let challenge = self.state.challenge.take().ok_or(Status::NoChallenge)?;
        let session = line.session(&challenge);

        let split = command.data().split_last_chunk::<4>();
        let (encrypted, mac) = split.ok_or(Status::Unprotected)?;
        let lc = command.data().len() as u8;
        let signed = [&command.header()[..], &[lc], encrypted].concat();
        let right = profile::mac(&session, &profile::pad(&signed));
        if !bool::from(right.ct_eq(mac)) {
            return Err(Status::BadProtection);
        }
        let plain = session.decrypt_ecb(encrypted).map_err(|_| Status::WrongLength)?;
        let record = unpad(&plain).ok_or(Status::WrongData)?;
        tlv::unwrap(&file.elements()[at], record).map_err(|_| Status::WrongData)?;
        records[at] = record.to_vec();
        Ok(Vec::new())
    }
}

impl State {
    fn allows(&self, access: Access) -> Result<(), Status> {
        match access {
            Access::Free => Ok(()),
            Access::Key(key) if self.proven.contains(&key) => Ok(()),
            Access::Key(_) | Access::Never => Err(Status::NotAllowed),
        }
    }
}

/// Where in the file the wanted record stands.
fn position(file: &File, wanted: &Wanted) -> Option<usize> {
    file.elements().iter().position(|element: &Element| match wanted {
        Wanted::Number(number) => element.record() == *number,
        Wanted::Tag(tag) => element.tag() == *tag,
    })
}

/// A reading command carries no data and says how much it expects.
fn reads(command: &Apdu) -> Result<u16, Status> {
    match command.data() {
        [] => command.expected().ok_or(Status::WrongLength),
        _ => Err(Status::WrongLength),
    }
}

/// P1 and P2 as an offset; the high bit would name a short identifier, which this card has not.
fn offset(command: &Apdu) -> Result<usize, Status> {
    match command.header() {
        [_, _, high @ 0x00..=0x7F, low] => Ok(usize::from(u16::from_be_bytes([high, low]))),
        _ => Err(Status::WrongParameters),
    }
}

/// The record number of an UPDATE RECORD.
fn update_number(command: &Apdu) -> Result<u8, Status> {
    match command.header() {
        [_, _, number @ 1..=0xFF, 0x04] if !command.data().is_empty() => Ok(number),
        [_, _, 1..=0xFF, 0x04] => Err(Status::WrongLength),
        _ => Err(Status::WrongParameters),
    }
}

/// Length byte, data, `80`, zeros (health-card.md, 3.4, steps 3 and 4).
fn unpad(plain: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = plain.split_first()?;
    let (data, padding) = rest.split_at_checked(usize::from(length))?;
    let (&mark, zeros) = padding.split_first()?;
    let right = mark == 0x80 && zeros.len() < 16 && zeros.iter().all(|byte| *byte == 0);
    right.then_some(data)
}
