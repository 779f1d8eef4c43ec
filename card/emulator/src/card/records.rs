//! Changing records.

use ::card::layout::{File, Structure};
use ::card::{Apdu, CardKey, Status, tlv};

use super::Card;
use crate::image::Content;

/// What P1 and P2 of UPDATE RECORD ask for.
enum Target {
    /// A record by number.
    Number(u8),
    /// A new record of a ring.
    New,
}

/// The two entries of an index (health-card.md, 2.6).
const VALID: u8 = 0x00;
const INVALID: u8 = 0xFF;

impl Card {
    /// Plain UPDATE RECORD belongs to personalisation; an issued card wants changes protected.
    pub(super) fn update_record_plain(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let target = self.updatable(command)?;
        if !self.memory.is_open() {
            return Err(Status::Unprotected);
        }
        let record = command.data().to_vec();
        self.put(&target, &record)
    }

    /// UPDATE RECORD, protected: rights first, then the MAC under the line key and the last
    /// challenge, then the contents.
    pub(super) fn update_record(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let target = self.updatable(command)?;
        let record = self.decrypted(command)?;
        self.put(&target, &record)
    }

    /// Checks that the selected file has the record, and that it may be changed.
    fn updatable(&mut self, command: &Apdu) -> Result<Target, Status> {
        let target = match command.header() {
            [_, _, number @ 1..=0xFF, 0x04] => Target::Number(number),
            [_, _, 0x00, 0x03] => Target::New,
            _ => return Err(Status::WrongParameters),
        };
        if command.data().is_empty() {
            return Err(Status::WrongLength);
        }
        let (file, content) = self.current()?;
        let there = match (&target, file.structure, content) {
            (Target::Number(number), Structure::Variable(_), Content::Records(records)) => {
                records.contains_key(number)
            }
            (Target::New, Structure::Cyclic { .. }, _) => true,
            // Index records change by WRITE and ERASE alone.
            _ => return Err(Status::WrongStructure),
        };
        self.may(self.update_rule(file))?;
        if there { Ok(target) } else { Err(Status::RecordNotFound) }
    }

    fn put(&mut self, target: &Target, record: &[u8]) -> Result<Vec<u8>, Status> {
        let profile = self.memory.profile;
        let (file, content) = self.current()?;
        match (target, content) {
            (Target::Number(number), Content::Records(records)) => {
                let element = file.elements().iter().find(|element| element.record() == *number);
                let element = element.ok_or(Status::RecordNotFound)?;
                tlv::unwrap(element, record).map_err(|_| Status::WrongData)?;
                records.insert(*number, record.to_vec());
            }
            (Target::New, Content::Ring(records)) => {
                if record.len() != usize::from(file.size(profile)) {
                    return Err(Status::WrongData);
                }
                records.push_front(record.to_vec());
                records.truncate(usize::from(file.records(profile)));
            }
            _ => return Err(Status::WrongStructure),
        }
        Ok(Vec::new())
    }

    /// WRITE RECORD: an index record becomes valid.
    pub(super) fn set_valid(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        self.set_index(command, VALID)
    }

    /// ERASE RECORD: an index record becomes invalid.
    pub(super) fn set_invalid(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        self.set_index(command, INVALID)
    }

    fn set_index(&mut self, command: &Apdu, entry: u8) -> Result<Vec<u8>, Status> {
        let [_, _, number @ 1..=0xFF, 0x04] = command.header() else {
            return Err(Status::WrongParameters);
        };
        let (file, content) = self.current()?;
        let Content::Records(records) = content else { return Err(Status::WrongStructure) };
        if !is_index(file) {
            return Err(Status::WrongStructure);
        }
        let there = records.contains_key(&number);
        self.may(if entry == VALID { self.update_rule(file) } else { file.erase })?;
        if !there {
            return Err(Status::RecordNotFound);
        }
        let line = self.line_key()?;
        self.authentic(command, line)?;
        let (_, Content::Records(records)) = self.current()? else {
            return Err(Status::WrongStructure);
        };
        records.insert(number, vec![entry]);
        Ok(Vec::new())
    }

    /// The line key of the selected directory.
    pub(super) fn line_key(&self) -> Result<CardKey, Status> {
        self.state.directory.map(|directory| directory.line_key()).ok_or(Status::KeyNotFound)
    }
}

/// Indexes are the files with records of fixed length.
fn is_index(file: &File) -> bool {
    matches!(file.structure, Structure::Fixed { .. })
}
