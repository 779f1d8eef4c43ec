//! Who may do what with a file, and reading.

use ::card::key::CardKey;
use ::card::layout::{Access, Element, File};
use ::card::{Apdu, Status};

use super::Card;
use crate::image::Content;

impl Card {
    pub(super) fn read_record(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let (named, by_tag) = match command.header() {
            [_, _, number @ 1..=0xFF, 0x04] => (number, false),
            [_, _, tag @ 1..=0xFF, 0x00] => (tag, true),
            _ => return Err(Status::WrongParameters),
        };
        let expected = reads(command)?;
        let (file, content) = self.current()?;
        if matches!(content, Content::Transparent(_)) {
            return Err(Status::WrongStructure);
        }
        self.may(file.read)?;
        let element = |element: &&Element| match by_tag {
            true => element.tag() == named,
            false => element.record() == named,
        };
        let element = file.elements().iter().find(element);
        let number = match (by_tag, element) {
            (true, Some(element)) => element.record(),
            (true, None) => return Err(Status::RecordNotFound),
            (false, _) => named,
        };
        let (_, content) = self.current()?;
        let record = match content {
            Content::Records(records) => records.get(&number),
            Content::Ring(records) => records.get(usize::from(number) - 1),
            Content::Transparent(_) => None,
        };
        let record = record.ok_or(Status::RecordNotFound)?;
        match usize::from(expected) {
            256 => Ok(record.clone()),
            length if length == record.len() => Ok(record.clone()),
            // A spoilt record of another size is given as it is, so that readers can be tried.
            length if element.is_some_and(|e| length == usize::from(e.record_size())) => {
                Ok(record.clone())
            }
            _ => Err(Status::RightLength { length: record.len() as u8 }),
        }
    }

    pub(super) fn read_binary(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let offset = offset(command)?;
        let expected = usize::from(reads(command)?);
        let (file, content) = self.current()?;
        if !matches!(content, Content::Transparent(_)) {
            return Err(Status::WrongStructure);
        }
        self.may(file.read)?;
        let (_, Content::Transparent(bytes)) = self.current()? else {
            return Err(Status::WrongStructure);
        };
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
        let (file, content) = self.current()?;
        if !matches!(content, Content::Transparent(_)) {
            return Err(Status::WrongStructure);
        }
        self.may(self.update_rule(file))?;
        let (_, Content::Transparent(bytes)) = self.current()? else {
            return Err(Status::WrongStructure);
        };
        if offset >= bytes.len() {
            return Err(Status::WrongOffset);
        }
        let place = bytes.get_mut(offset..offset + command.data().len());
        place.ok_or(Status::NoSpace)?.copy_from_slice(command.data());
        Ok(Vec::new())
    }

    /// Who may change `file` now: another rule holds until the card is issued.
    pub(super) fn update_rule(&self, file: &File) -> Access {
        match self.memory.is_open() {
            true => Access::Key(file.personalised_with()),
            false => file.update_on(self.memory.profile),
        }
    }

    pub(super) fn may(&self, access: Access) -> Result<(), Status> {
        match access {
            Access::Free => Ok(()),
            Access::Key(key) if self.has_proven(key) => Ok(()),
            Access::Key(_) | Access::Never => Err(Status::NotAllowed),
        }
    }

    fn has_proven(&self, key: CardKey) -> bool {
        self.state.proven.contains(&key)
    }
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
