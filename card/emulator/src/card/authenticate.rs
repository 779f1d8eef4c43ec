//! Challenges, internal and external authentication.

use ::card::key::CardKey;
use ::card::security::profile::cryptogram;
use ::card::{Apdu, Status};
use subtle::ConstantTimeEq;

use super::keys::TRIES;
use super::{Card, Directory};

impl Card {
    pub(super) fn challenge(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [_, _, 0x00, 0x00] = command.header() else { return Err(Status::WrongParameters) };
        match command.expected() {
            Some(8) if command.data().is_empty() => {}
            Some(_) if command.data().is_empty() => return Err(Status::RightLength { length: 8 }),
            _ => return Err(Status::WrongLength),
        }
        let mut challenge = [0; 8];
        (self.randomness)(&mut challenge);
        self.state.challenge = Some(challenge);
        Ok(challenge.to_vec())
    }

    pub(super) fn internal_authenticate(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [_, _, 0x00, 0x00] = command.header() else { return Err(Status::WrongParameters) };
        let (challenge, data, version) = parts(command)?;
        if self.state.directory != Directory::Health {
            return Err(Status::KeyNotFound);
        }
        let slot = self.keys.slot(CardKey::IrkDdf1, version).ok_or(Status::KeyNotFound)?;
        Ok(cryptogram(&slot.session(&challenge), &data).to_vec())
    }

    pub(super) fn external_authenticate(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [_, _, 0x00, id] = command.header() else { return Err(Status::WrongParameters) };
        let (proof, data, version) = parts(command)?;
        // The internal key shares its number with the read key and answers only to INS 88.
        let key = match (self.state.directory, id) {
            (Directory::Health, 0x04) => CardKey::Rk1Ddf1,
            (Directory::Health, 0x05) => CardKey::Uk1Ddf1,
            _ => return Err(Status::KeyNotFound),
        };
        let slot = self.keys.slot(key, version).ok_or(Status::KeyNotFound)?;
        if slot.tries_left == 0 {
            return Err(Status::Blocked);
        }
        let challenge = self.state.challenge.take().ok_or(Status::NoChallenge)?;
        if bool::from(cryptogram(&slot.session(&challenge), &data).ct_eq(&proof)) {
            slot.tries_left = TRIES;
            self.state.proven.insert(key);
            return Ok(Vec::new());
        }
        slot.tries_left -= 1;
        self.state.proven.remove(&key);
        Err(Status::Failed { tries_left: Some(slot.tries_left) })
    }
}

/// The two halves and the version of an authentication command: 8, 8 and 1 bytes.
fn parts(command: &Apdu) -> Result<([u8; 8], [u8; 8], u8), Status> {
    match command.data().split_first_chunk::<8>() {
        Some((first, rest)) => match rest.split_first_chunk::<8>() {
            Some((second, [version])) => Ok((*first, *second, *version)),
            _ => Err(Status::WrongLength),
        },
        None => Err(Status::WrongLength),
    }
}
