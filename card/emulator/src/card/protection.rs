//! Secure messaging as the card checks it (health-card.md, 3.4).

use ::card::security::profile;
use ::card::{Apdu, CardKey, KeyVersion, Status};
use hsm::sm4::Sm4Key;
use subtle::ConstantTimeEq;

use super::Card;
use crate::fault::Fault;
use crate::image::Name;

impl Card {
    /// The data of a command of class `04` under the line key of the selected directory.
    pub(super) fn decrypted(&mut self, command: &Apdu) -> Result<Vec<u8>, Status> {
        let line = self.line_key()?;
        let (session, encrypted) = self.protected(command, named(line))?;
        let plain = session.decrypt_ecb(encrypted).map_err(|_| Status::WrongLength)?;
        unpad(&plain).map(<[u8]>::to_vec).ok_or(Status::WrongData)
    }

    /// A command of class `84` that is nothing but its MAC under `key`.
    pub(super) fn authentic(&mut self, command: &Apdu, key: CardKey) -> Result<(), Status> {
        let (_, data) = self.protected(command, named(key))?;
        if data.is_empty() { Ok(()) } else { Err(Status::WrongLength) }
    }

    /// Checks the MAC at the end of the command under `key` and the last challenge, which is used
    /// up by it; the session key, and the data before the MAC. A wrong one costs the key a try.
    pub(super) fn protected<'c>(
        &mut self,
        command: &'c Apdu,
        key: Name,
    ) -> Result<(Sm4Key, &'c [u8]), Status> {
        self.usable_key(key)?;
        let challenge = self.state.challenge.take().ok_or(Status::NoChallenge)?;
        let (data, mac) = command.data().split_last_chunk::<4>().ok_or(Status::Unprotected)?;
        let session = self.session(key, &challenge).ok_or(Status::KeyNotFound)?;
        let signed = [&command.header()[..], &[command.data().len() as u8], data].concat();
        let right = profile::mac(&session, &profile::pad(&signed));
        let right = bool::from(right.ct_eq(mac)) && !self.faults.has(Fault::RefusesMac);
        self.memory.keys.tried(key, right);
        if right { Ok((session, data)) } else { Err(Status::BadProtection) }
    }

    /// Checks that the key is there and not blocked.
    pub(super) fn usable_key(&self, name: Name) -> Result<(), Status> {
        match (self.memory.keys.has(name), self.memory.keys.is_blocked(name)) {
            (false, _) => Err(Status::KeyNotFound),
            (true, true) => Err(Status::Blocked),
            (true, false) => Ok(()),
        }
    }
}

/// Line and lock keys have one version.
fn named(key: CardKey) -> Name {
    Name::Card(key, KeyVersion::FIRST)
}

/// Length byte, data, `80`, zeros (health-card.md, 3.4, steps 3 and 4).
fn unpad(plain: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = plain.split_first()?;
    let (data, padding) = rest.split_at_checked(usize::from(length))?;
    let (&mark, zeros) = padding.split_first()?;
    let right = mark == 0x80 && zeros.len() < 16 && zeros.iter().all(|byte| *byte == 0);
    right.then_some(data)
}
