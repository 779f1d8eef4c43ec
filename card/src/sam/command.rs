use super::Pin;
use crate::apdu::{Apdu, Response, Status};
use crate::command::{CardError, Instruction};
use crate::key::{CardFactors, CardKey, KeyVersion, Steps};

/// VERIFY (验证 PIN): presents the PIN, `00 20 00 00`.
pub struct VerifyPin<'p>(pub &'p Pin);

impl Instruction for VerifyPin<'_> {
    type Answer = ();

    fn encode(&self) -> Apdu {
        Apdu::new([0x00, 0x20, 0x00, 0x00]).with_data(self.0.expose())
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        verified(response.status)
    }
}

/// Asks how many tries the PIN has left and consumes none: VERIFY without data, answered by `63Cx`
/// (project choice, as ISO/IEC 7816-4:2005, 7.5.6, has it). After a right PIN it is `9000`, which
/// tells no number; such a SAM has all of its tries.
pub struct PinTries;

impl PinTries {
    /// Tries of a SAM's PIN (project choice).
    pub const ALL: u8 = 10;
}

impl Instruction for PinTries {
    type Answer = u8;

    fn encode(&self) -> Apdu {
        Apdu::new([0x00, 0x20, 0x00, 0x00])
    }

    fn decode(&self, response: Response) -> Result<u8, CardError> {
        match response.status {
            Status::Failed { tries_left: Some(tries) } => Ok(tries),
            Status::Blocked => Ok(0),
            Status::Done => Ok(Self::ALL),
            refused => Err(CardError::Refused(refused)),
        }
    }
}

/// CHANGE PIN (修改 PIN), `80 5E 01 00`: the old one, `FF`, the new one.
pub struct ChangePin<'p> {
    /// The PIN so far.
    pub old: &'p Pin,
    /// The PIN from now on.
    pub new: &'p Pin,
}

impl Instruction for ChangePin<'_> {
    type Answer = ();

    fn encode(&self) -> Apdu {
        let mut data = zeroize::Zeroizing::new(Vec::with_capacity(13));
        data.extend_from_slice(self.old.expose());
        data.push(0xFF);
        data.extend_from_slice(self.new.expose());
        Apdu::new([0x80, 0x5E, 0x01, 0x00]).with_data(data.as_slice())
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        verified(response.status)
    }
}

fn verified(status: Status) -> Result<(), CardError> {
    match status {
        Status::Done => Ok(()),
        Status::Failed { tries_left } => Err(CardError::WrongPin { tries_left }),
        Status::Blocked => Err(CardError::PinBlocked),
        refused => Err(CardError::Refused(refused)),
    }
}

/// Where DELIVERY finds a master: P1 and P2. Keys with one version on the card are called with
/// version 0; `None` for a version that no card has.
fn place(key: CardKey, version: KeyVersion) -> Option<[u8; 2]> {
    let facts = key.facts();
    let group = match (facts.versions, version.number()) {
        (1, 1) => 0,
        (versions, number) if versions > 1 && number <= versions => number,
        _ => return None,
    };
    Some([facts.usage, group << 5 | facts.index])
}

/// DELIVERY (分散), `80 DE`: derives a session key, which stays inside as the temporary key.
#[derive(Clone, Copy)]
pub struct Delivery {
    key: CardKey,
    place: [u8; 2],
    factors: CardFactors,
    challenge: [u8; 8],
}

impl Delivery {
    /// The command for `key` of the card with `factors`; `None` for a version that no card has.
    pub fn new(
        key: CardKey,
        version: KeyVersion,
        factors: &CardFactors,
        challenge: &[u8; 8],
    ) -> Option<Self> {
        let place = place(key, version)?;
        Some(Self { key, place, factors: *factors, challenge: *challenge })
    }
}

impl Instruction for Delivery {
    type Answer = ();

    /// Card factor, province factor when the master is national, challenge: Lc `10` or `18`.
    fn encode(&self) -> Apdu {
        let [usage, index] = self.place;
        let mut data = self.factors.card.0.to_vec();
        if self.key.steps() == Steps::ProvinceAndCard {
            data.extend(self.factors.province.0);
        }
        data.extend(self.challenge);
        Apdu::new([0x80, 0xDE, usage, index]).with_data(data)
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        match response.status {
            Status::Done | Status::MoreData { .. } => Ok(()),
            refused => Err(CardError::Refused(refused)),
        }
    }
}

/// CIPHER (加密), `80 FA`: computes with the temporary key.
pub enum Cipher<'b> {
    /// Encrypts blocks one by one, at most 15.
    Encrypt(&'b [[u8; 16]]),
    /// The last block of CBC over at most 14 blocks.
    Mac {
        /// What the first block is mixed with.
        from: [u8; 16],
        /// The blocks.
        blocks: &'b [[u8; 16]],
    },
}

impl Cipher<'_> {
    /// Most blocks of one encryption.
    pub const ENCRYPT_BLOCKS: usize = 15;
    /// Most blocks of one MAC; the start takes the room of one.
    pub const MAC_BLOCKS: usize = 14;
}

impl Instruction for Cipher<'_> {
    type Answer = Vec<u8>;

    fn encode(&self) -> Apdu {
        match self {
            Self::Encrypt(blocks) => Apdu::new([0x80, 0xFA, 0x00, 0x00]).with_data(blocks.concat()),
            Self::Mac { from, blocks } => {
                let data = [&from[..], blocks.as_flattened()].concat();
                Apdu::new([0x80, 0xFA, 0x05, 0x00]).with_data(data)
            }
        }
    }

    /// All encrypted blocks; of a MAC, the four bytes at least that are used of it.
    fn decode(&self, response: Response) -> Result<Vec<u8>, CardError> {
        let data = done(response)?;
        let (least, most) = match self {
            Self::Encrypt(blocks) => (16 * blocks.len(), 16 * blocks.len()),
            Self::Mac { .. } => (4, 16),
        };
        match (least..=most).contains(&data.len()) {
            true => Ok(data),
            false => Err(CardError::Length { expected: most as u16, found: data.len() }),
        }
    }
}

/// Digest, `80 FC` (project choice): SM3 of all that was sent since the last answer. P1 is `80`
/// while more follows, `00` with the last part.
pub struct Hash<'d> {
    /// The next bytes, at most [`Hash::PART`].
    pub part: &'d [u8],
    /// Whether they are the last ones.
    pub last: bool,
}

impl Hash<'_> {
    /// Most bytes of one command.
    pub const PART: usize = 240;
}

impl Instruction for Hash<'_> {
    /// 32 bytes after the last part, none before.
    type Answer = Vec<u8>;

    fn encode(&self) -> Apdu {
        let p1 = if self.last { 0x00 } else { 0x80 };
        Apdu::new([0x80, 0xFC, p1, 0x00]).with_data(self.part)
    }

    fn decode(&self, response: Response) -> Result<Vec<u8>, CardError> {
        sized(response, if self.last { 32 } else { 0 })
    }
}

/// Signature, `80 FE` (project choice): SM2 over a digest as it is, after the PIN.
pub struct SignDigest<'d>(pub &'d [u8; 32]);

impl Instruction for SignDigest<'_> {
    /// *r* ‖ *s*, 64 bytes.
    type Answer = Vec<u8>;

    fn encode(&self) -> Apdu {
        Apdu::new([0x80, 0xFE, 0x00, 0x00]).with_data(*self.0)
    }

    fn decode(&self, response: Response) -> Result<Vec<u8>, CardError> {
        sized(response, 64)
    }
}

/// Check value of a master, `80 FB` with P1 and P2 of DELIVERY (project choice).
pub struct MasterCheck([u8; 2]);

/// The first three bytes of what a master makes of a block of zeros.
pub struct MasterCheckValue(pub [u8; 3]);

impl MasterCheck {
    /// The command for a master; `None` for a version that no card has.
    pub fn new(key: CardKey, version: KeyVersion) -> Option<Self> {
        place(key, version).map(Self)
    }
}

impl Instruction for MasterCheck {
    type Answer = MasterCheckValue;

    fn encode(&self) -> Apdu {
        let [usage, index] = self.0;
        Apdu::new([0x80, 0xFB, usage, index]).expecting(3)
    }

    fn decode(&self, response: Response) -> Result<MasterCheckValue, CardError> {
        let data = done(response)?;
        let value = <[u8; 3]>::try_from(data);
        value
            .map(MasterCheckValue)
            .map_err(|data| CardError::Length { expected: 3, found: data.len() })
    }
}

fn done(response: Response) -> Result<Vec<u8>, CardError> {
    match response.status {
        Status::Done => Ok(response.data),
        refused => Err(CardError::Refused(refused)),
    }
}

fn sized(response: Response, expected: u16) -> Result<Vec<u8>, CardError> {
    let data = done(response)?;
    match data.len() == usize::from(expected) {
        true => Ok(data),
        false => Err(CardError::Length { expected, found: data.len() }),
    }
}
