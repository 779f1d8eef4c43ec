//! Blocking and unblocking (project choice, health-card.md, 10, no. 9).

use ::card::layout::Directory;
use ::card::{Apdu, CardKey, KeyVersion, Status};

use super::Card;
use crate::image::Name;

impl Card {
    /// Whether the instruction is answered at all, as things are blocked.
    pub(super) fn admits(&self, ins: u8) -> Result<(), Status> {
        if self.memory.blocked.card {
            return Err(Status::NotSupported);
        }
        match self.state.directory {
            // SELECT, GET CHALLENGE and UNBLOCK remain; SELECT of a file is refused there.
            Some(directory) if self.is_blocked(directory) && !matches!(ins, 0xA4 | 0x84 | 0x18) => {
                Err(self.blocked_status(directory))
            }
            _ => Ok(()),
        }
    }

    fn is_blocked(&self, directory: Directory) -> bool {
        self.memory.blocked.directories.contains(&directory)
    }

    /// What a selected directory answers to its selection.
    pub(super) fn usable(&self, directory: Directory) -> Result<Vec<u8>, Status> {
        match (self.is_blocked(directory), self.blocked_status(directory)) {
            (false, _) => Ok(Vec::new()),
            (true, Status::NotNow) => Err(Status::FileInvalidated),
            (true, for_good) => Err(for_good),
        }
    }

    /// What is answered within a blocked directory: it is blocked for good once its lock key is.
    pub(super) fn blocked_status(&self, directory: Directory) -> Status {
        let lock = directory.lock_key().map(|key| Name::Card(key, KeyVersion::FIRST));
        match lock.is_some_and(|lock| self.memory.keys.is_blocked(lock)) {
            true => Status::ApplicationBlocked,
            false => Status::NotNow,
        }
    }

    pub(super) fn block_application(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let directory = self.locked_by_mac(command)?;
        self.memory.blocked.directories.insert(directory);
        self.state.proven.clear();
        Ok(Vec::new())
    }

    pub(super) fn unblock_application(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let directory = self.locked_by_mac(command)?;
        self.memory.blocked.directories.remove(&directory);
        Ok(Vec::new())
    }

    /// The selected directory, when the command's MAC is one of its lock key.
    fn locked_by_mac(&mut self, command: &Apdu) -> Result<Directory, Status> {
        let [.., 0x00, 0x00] = command.header() else { return Err(Status::WrongParameters) };
        let directory = self.state.directory.ok_or(Status::KeyNotFound)?;
        let key = directory.lock_key().ok_or(Status::KeyNotFound)?;
        match self.authentic(command, key) {
            Err(Status::Blocked) if self.is_blocked(directory) => Err(Status::ApplicationBlocked),
            other => other.map(|()| directory),
        }
    }

    pub(super) fn block_card(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let [.., 0x00, 0x00] = command.header() else { return Err(Status::WrongParameters) };
        self.authentic(command, CardKey::BkMf)?;
        self.memory.blocked.card = true;
        Ok(Vec::new())
    }
}
