//! What a SAM computes with its keys.

use ::card::{Apdu, CardFactor, CardFactors, CardKey, KeyVersion, ProvinceFactor, Status};
use hsm::Sm2Signer as _;
use hsm::sm3::Hasher;

use super::{APPLICATION, Brings, Sam, parameters};

impl Sam {
    pub(super) fn delivery(&mut self, command: &Apdu) -> Result<Brings, Status> {
        self.state.temporary = None;
        let (key, version) = self.named(command)?;
        let (factors, challenge) = parts(key, command.data()).ok_or(Status::WrongLength)?;
        let master = self.masters.master(key, version).ok_or(Status::KeyNotFound)?;
        let mut blocks = key.derivation(self.rule, &factors);
        blocks.push(self.rule.block(&challenge));
        let session = master.derive(&blocks).map_err(|_| Status::MemoryFailure)?;
        self.state.temporary = Some(session);
        Ok(Brings::Now(Vec::new()))
    }

    /// The temporary key serves one CIPHER.
    pub(super) fn cipher(&mut self, command: &Apdu) -> Result<Brings, Status> {
        let key = self.state.temporary.take();
        let [_, _, p1, p2] = command.header();
        let data = command.data();
        match [p1, p2] {
            [0x00, 0x00] => {
                let key = key.ok_or(Status::NotNow)?;
                key.encrypt_ecb(data).map(Brings::Later).map_err(|_| Status::WrongLength)
            }
            [0x05, 0x00] => {
                let key = key.ok_or(Status::NotNow)?;
                let (from, data) = data.split_first_chunk().ok_or(Status::WrongLength)?;
                let last = key.cbc_mac_last_block(from, data);
                last.map(|last| Brings::Later(last.to_vec())).map_err(|_| Status::WrongLength)
            }
            _ => Err(Status::WrongParameters),
        }
    }

    pub(super) fn check_value(&mut self, command: &Apdu) -> Result<Brings, Status> {
        let (key, version) = self.named(command)?;
        match (command.data(), command.expected()) {
            ([], Some(3)) => {
                let master = self.masters.master(key, version).ok_or(Status::KeyNotFound)?;
                let value = master.check_value().map_err(|_| Status::MemoryFailure)?;
                Ok(Brings::Now(value.to_vec()))
            }
            ([], Some(_)) => Err(Status::RightLength { length: 3 }),
            _ => Err(Status::WrongLength),
        }
    }

    pub(super) fn hash(&mut self, command: &Apdu, mut so_far: Hasher) -> Result<Brings, Status> {
        let [_, _, p1, p2] = command.header();
        if command.data().is_empty() {
            return Err(Status::WrongLength);
        }
        so_far.update(command.data());
        match [p1, p2] {
            [0x80, 0x00] => {
                self.state.hasher = Some(so_far);
                Ok(Brings::Now(Vec::new()))
            }
            [0x00, 0x00] => Ok(Brings::Later(so_far.finalize().to_vec())),
            _ => Err(Status::WrongParameters),
        }
    }

    /// SM2 over a digest as it is, after the PIN.
    pub(super) fn sign(&mut self, command: &Apdu) -> Result<Brings, Status> {
        parameters(command, [0x00, 0x00])?;
        let digest = command.data().try_into().map_err(|_| Status::WrongLength)?;
        if !self.state.verified {
            return Err(Status::NotAllowed);
        }
        let signature = self.signer.sign(digest).map_err(|_| Status::MemoryFailure)?;
        Ok(Brings::Later(signature.as_raw().to_vec()))
    }

    /// The master that P1 and P2 of DELIVERY name.
    fn named(&self, command: &Apdu) -> Result<(CardKey, KeyVersion), Status> {
        let [_, _, usage, p2] = command.header();
        if self.state.directory != APPLICATION {
            return Err(Status::KeyNotFound);
        }
        let (group, index) = (p2 >> 5, p2 & 0x1F);
        let key = CardKey::indexed(index);
        let key = key.filter(|key| key.facts().usage == usage).ok_or(Status::KeyNotFound)?;
        let version = match (key.facts().versions, group) {
            (1, 0) => Some(KeyVersion::FIRST),
            (1, _) => None,
            (_, group) => KeyVersion::new(group),
        };
        Ok((key, version.ok_or(Status::KeyNotFound)?))
    }
}

/// Card factor, province factor when the key needs it, challenge.
fn parts(key: CardKey, data: &[u8]) -> Option<(CardFactors, [u8; 8])> {
    let ([card, rest @ ..], []) = data.as_chunks::<8>() else { return None };
    let card = CardFactor(*card);
    let (province, challenge) = match (key.steps(), rest) {
        (::card::key::Steps::Card, [challenge]) => ([0; 8], challenge),
        (::card::key::Steps::ProvinceAndCard, [province, challenge]) => (*province, challenge),
        _ => return None,
    };
    Some((CardFactors { province: ProvinceFactor(province), card }, *challenge))
}
