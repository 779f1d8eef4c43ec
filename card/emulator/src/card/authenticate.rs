//! Challenges, internal and external authentication.

use ::card::key::CardKey;
use ::card::security::profile::cryptogram;
use ::card::{Apdu, KeyVersion, Status};
use subtle::ConstantTimeEq;

use super::Card;
use crate::fault::Fault;
use crate::image::Name;

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
        let before = self.state.challenge.unwrap_or_default();
        let stale = self.faults.has(Fault::StaleChallenge);
        self.state.challenge = Some(if stale { before } else { challenge });
        Ok(challenge.to_vec())
    }

    pub(super) fn internal_authenticate(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [_, _, 0x00, 0x00] = command.header() else { return Err(Status::WrongParameters) };
        let (challenge, data, version) = parts(command)?;
        if self.state.directory.is_none() {
            return Err(Status::KeyNotFound);
        }
        let name = KeyVersion::new(version).map(|version| Name::Card(CardKey::IrkDdf1, version));
        let session = name.and_then(|name| self.session(name, &challenge));
        Ok(cryptogram(&session.ok_or(Status::KeyNotFound)?, &data).to_vec())
    }

    pub(super) fn external_authenticate(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [_, _, 0x00, id] = command.header() else { return Err(Status::WrongParameters) };
        let (proof, data, version) = parts(command)?;
        let version = KeyVersion::new(version).ok_or(Status::KeyNotFound)?;
        let name = match (id, self.state.directory) {
            (0x00, _) if version == KeyVersion::FIRST => Name::Transport,
            (id, Some(directory)) => {
                let key = CardKey::named_by(directory, id).ok_or(Status::KeyNotFound)?;
                Name::Card(key, version)
            }
            _ => return Err(Status::KeyNotFound),
        };
        self.usable_key(name)?;
        let challenge = self.state.challenge.take().ok_or(Status::NoChallenge)?;
        let session = self.session(name, &challenge).ok_or(Status::KeyNotFound)?;
        let right = bool::from(cryptogram(&session, &data).ct_eq(&proof));
        let tries_left = self.memory.keys.tried(name, right);
        match name {
            Name::Transport => self.state.opened = right,
            Name::Card(key, _) if right => {
                self.state.proven.insert(key);
            }
            Name::Card(key, _) => {
                self.state.proven.remove(&key);
            }
        }
        if right { Ok(Vec::new()) } else { Err(Status::Failed { tries_left: Some(tries_left) }) }
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
