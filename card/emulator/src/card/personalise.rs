//! How a blank card becomes one (see [`::card::command::personalise`]).

use ::card::command::personalise::Create;
use ::card::layout::{Directory, FILES};
use ::card::{Apdu, CardKey, Instruction, KeyVersion, Status};
use zeroize::Zeroizing;

use super::Card;
use crate::image::Name;

impl Card {
    /// CREATE.
    pub(super) fn create(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        self.is_opened()?;
        match (command.header(), command.data()) {
            ([_, _, 0x00, 0x00], [high, low]) => {
                let id = u16::from_be_bytes([*high, *low]);
                let directory = Directory::ALL.into_iter().find(|directory| directory.id() == id);
                let directory = directory.ok_or(Status::WrongData)?;
                // The application is below the master file, the others below the application.
                let above = (directory != Directory::Ddf1).then_some(Directory::Ddf1);
                if self.state.directory != above || self.memory.files.has(directory) {
                    return Err(Status::NotNow);
                }
                self.memory.files.create_directory(directory);
                Ok(Vec::new())
            }
            ([_, _, 0x01, 0x00], [high, low, _, _, _, _, _, _]) => {
                let id = u16::from_be_bytes([*high, *low]);
                let current = self.state.directory.ok_or(Status::NotNow)?;
                let file = FILES
                    .into_iter()
                    .find(|file| file.name.directory == current && file.name.id == id)
                    .ok_or(Status::WrongData)?;
                let profile = self.memory.profile;
                if !file.exists(profile) {
                    return Err(Status::NoSpace);
                }
                if self.memory.files.content(file.name).is_some() {
                    return Err(Status::NotNow);
                }
                // This card software knows the health application: it makes no other file.
                if Create::File(file, profile).encode().data() != command.data() {
                    return Err(Status::WrongData);
                }
                self.memory.files.create(file, profile);
                Ok(Vec::new())
            }
            ([_, _, 0x00 | 0x01, 0x00], _) => Err(Status::WrongLength),
            _ => Err(Status::WrongParameters),
        }
    }

    /// WRITE KEY.
    pub(super) fn write_key(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        self.is_opened()?;
        let [_, _, version, index] = command.header();
        let key = CardKey::indexed(index).ok_or(Status::WrongParameters)?;
        let version = KeyVersion::new(version).filter(|v| key.versions().any(|known| known == *v));
        let version = version.ok_or(Status::WrongParameters)?;
        if key.directory().is_some_and(|directory| !self.memory.files.has(directory)) {
            return Err(Status::FileNotFound);
        }
        if command.data().len() != 20 {
            return Err(Status::WrongLength);
        }
        let (session, wrapped) = self.protected(command, Name::Transport)?;
        let mut bytes = Zeroizing::new(*wrapped.first_chunk().ok_or(Status::WrongLength)?);
        session.decrypt_block(&mut bytes);
        self.memory.keys.insert(Name::Card(key, version), bytes);
        Ok(Vec::new())
    }

    /// END PERSONALISATION.
    pub(super) fn end_personalisation(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [.., 0x00, 0x00] = command.header() else { return Err(Status::WrongParameters) };
        if !command.data().is_empty() {
            return Err(Status::WrongLength);
        }
        self.is_opened()?;
        if !self.memory.is_complete() {
            return Err(Status::NotNow);
        }
        self.memory.keys.remove(Name::Transport);
        self.enter(None);
        self.state.opened = false;
        Ok(Vec::new())
    }

    /// These commands exist on an open card alone, after proof of its transport key.
    fn is_opened(&self) -> Result<(), Status> {
        match (self.memory.is_open(), self.state.opened) {
            (false, _) => Err(Status::WrongState),
            (true, false) => Err(Status::NotAllowed),
            (true, true) => Ok(()),
        }
    }
}
