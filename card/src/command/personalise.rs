//! The commands that make a blank card a health card: those of the emulator's card software
//! (project choice, health-card.md, 10, no. 7), since each maker of real cards has its own.
//!
//! The order: SELECT `3F00`; prove the transport key (传输密钥) with [`ProveTransport`]; for each
//! directory CREATE it in the one above, SELECT it, CREATE its files; [`WriteKey`] for every key in
//! every version; select each file, prove the key of
//! [`File::personalised_with`](crate::layout::File::personalised_with), write it with plain
//! [`UpdateRecord`](super::UpdateRecord) and [`UpdateBinary`](super::UpdateBinary); and
//! [`EndPersonalisation`].
//!
//! The transport key is the card's own: a transport master diversified once, by the card factor. Its
//! session key under a challenge follows by the same rule as that of any other key: with DIV-1,
//! `master.derive(&[div1(card factor), div1(challenge)])`. Proof of it lasts until reset, whatever
//! is selected. It is gone from the card once personalisation has ended.

use super::{CardError, Instruction, nothing};
use crate::apdu::{Apdu, Response, Status};
use crate::key::{CardKey, KeyVersion};
use crate::layout::{Access, Directory, File, Profile, Structure};
use crate::security::profile::{self, pad};
use hsm::sm4::Sm4Key;

/// Name of the transport master in a keystore.
pub const TRANSPORT_MASTER: &str = "card-transport";

/// EXTERNAL AUTHENTICATE with the transport key: `00 82 00 00 11` cryptogram(8) ‖ data(8) ‖ `01`.
pub struct ProveTransport {
    /// What the transport key makes of the card's last challenge and `data`.
    pub cryptogram: [u8; 8],
    /// Random bytes of the terminal.
    pub data: [u8; 8],
}

impl ProveTransport {
    /// The proof by a session of the transport key under the card's last challenge.
    pub fn with(session: &Sm4Key, data: [u8; 8]) -> Self {
        Self { cryptogram: profile::cryptogram(session, &data), data }
    }
}

impl Instruction for ProveTransport {
    type Answer = ();

    fn encode(&self) -> Apdu {
        let data = [&self.cryptogram[..], &self.data, &[KeyVersion::FIRST.number()]].concat();
        Apdu::new([0x00, 0x82, 0x00, 0x00]).with_data(data)
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        match response.status {
            Status::Failed { tries_left } => Err(CardError::WrongKey { tries_left }),
            Status::Blocked => Err(CardError::KeyBlocked),
            _ => nothing(response),
        }
    }
}

/// CREATE, `80 E0`, in the selected directory, after proof of the transport key. What is created is
/// not selected by it.
pub enum Create {
    /// `80 E0 00 00 02` FID(2): a directory.
    Directory(Directory),
    /// `80 E0 01 00 08` FID(2) ‖ structure(1) ‖ size(2) ‖ read(1) ‖ update(1) ‖ erase(1): a file,
    /// as long as the card's capacity has it.
    ///
    /// - structure: `01` transparent, `02` fixed records, `04` variable records, `06` cyclic
    ///   (file descriptor byte, ISO/IEC 7816-4:2005, table 14);
    /// - size: bytes of a transparent file, big-endian; of others number of records, then size of
    ///   one (`00` where each has its own);
    /// - read, update, erase: who may, once personalisation has ended: index of the key in the key
    ///   table, `00` anyone, `FF` nobody.
    File(&'static File, Profile),
}

impl Instruction for Create {
    type Answer = ();

    fn encode(&self) -> Apdu {
        match self {
            Self::Directory(directory) => {
                Apdu::new([0x80, 0xE0, 0x00, 0x00]).with_data(directory.id().to_be_bytes())
            }
            Self::File(file, profile) => {
                Apdu::new([0x80, 0xE0, 0x01, 0x00]).with_data(description(file, *profile))
            }
        }
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        nothing(response)
    }
}

/// The file as CREATE describes it.
fn description(file: &File, profile: Profile) -> [u8; 8] {
    let structure = match file.structure {
        Structure::Transparent { .. } => 0x01,
        Structure::Fixed { .. } => 0x02,
        Structure::Variable(_) => 0x04,
        Structure::Cyclic { .. } => 0x06,
    };
    let size = file.size(profile);
    let [high, low] = match file.structure {
        Structure::Transparent { .. } => size.to_be_bytes(),
        // Records of one size are shorter than 256 bytes.
        _ => [file.records(profile), size as u8],
    };
    let [id_high, id_low] = file.name.id.to_be_bytes();
    let [read, update, erase] = [file.read, file.update_on(profile), file.erase].map(byte);
    [id_high, id_low, structure, high, low, read, update, erase]
}

fn byte(access: Access) -> u8 {
    match access {
        Access::Free => 0x00,
        Access::Key(key) => key.facts().index,
        Access::Never => 0xFF,
    }
}

/// WRITE KEY, `84 D4 version index 14` enc(16) ‖ MAC(4), after proof of the transport key, under a
/// session of it with a challenge of its own. The directory of the key must exist; which one is
/// selected does not matter.
///
/// - index: that of the key in the key table, which no two keys share;
/// - enc: the key, one block, encrypted under the session key: what
///   [`CardMaster::derive_wrapped`](hsm::CardMaster::derive_wrapped) makes, so that it is nowhere in
///   clear;
/// - MAC: as in secure messaging (health-card.md, 3.4, step 7), over header, Lc and enc.
pub struct WriteKey {
    header: [u8; 4],
    data: [u8; 20],
}

impl WriteKey {
    /// Loads `version` of `key`, which is `wrapped` under `session`.
    pub fn new(session: &Sm4Key, key: CardKey, version: KeyVersion, wrapped: &[u8; 16]) -> Self {
        let header = [0x84, 0xD4, version.number(), key.facts().index];
        Self { header, data: Self::sealed(session, header, wrapped) }
    }

    /// The data of a command with this header: the wrapped key and the MAC over all of it.
    pub(crate) fn sealed(session: &Sm4Key, header: [u8; 4], wrapped: &[u8; 16]) -> [u8; 20] {
        let mut data = [0; 20];
        data[..16].copy_from_slice(wrapped);
        let signed = [&header[..], &[data.len() as u8], wrapped].concat();
        data[16..].copy_from_slice(&profile::mac(session, &pad(&signed)));
        data
    }
}

impl Instruction for WriteKey {
    type Answer = ();

    fn encode(&self) -> Apdu {
        Apdu::new(self.header).with_data(self.data)
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        nothing(response)
    }
}

/// END PERSONALISATION, `80 F0 00 00`, after proof of the transport key: from now on the access
/// rules of issued cards hold. The card refuses (6985) while a file or key is missing.
pub struct EndPersonalisation;

impl Instruction for EndPersonalisation {
    type Answer = ();

    fn encode(&self) -> Apdu {
        Apdu::new([0x80, 0xF0, 0x00, 0x00])
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        nothing(response)
    }
}
