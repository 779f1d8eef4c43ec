use super::{CardError, Instruction, exactly, nothing};
use crate::apdu::{Apdu, Response, Status};
use crate::key::{CardKey, KeyVersion};

/// GET CHALLENGE: eight bytes that the next authentication must answer.
pub struct GetChallenge;

impl Instruction for GetChallenge {
    type Answer = [u8; 8];

    fn encode(&self) -> Apdu {
        Apdu::new([0x00, 0x84, 0x00, 0x00]).expecting(8)
    }

    fn decode(&self, response: Response) -> Result<[u8; 8], CardError> {
        exactly(response)
    }
}

/// INTERNAL AUTHENTICATE (内部认证): has the card prove that it holds the internal key.
pub struct InternalAuthenticate {
    /// The challenge of the security module.
    pub challenge: [u8; 8],
    /// Random bytes of the terminal.
    pub data: [u8; 8],
    /// Version of the internal key.
    pub version: KeyVersion,
}

impl Instruction for InternalAuthenticate {
    type Answer = [u8; 8];

    fn encode(&self) -> Apdu {
        let mut data = [0; 17];
        data[..8].copy_from_slice(&self.challenge);
        data[8..16].copy_from_slice(&self.data);
        data[16] = self.version.number();
        Apdu::new([0x00, 0x88, 0x00, 0x00]).with_data(data).expecting(8)
    }

    fn decode(&self, response: Response) -> Result<[u8; 8], CardError> {
        exactly(response)
    }
}

/// EXTERNAL AUTHENTICATE (外部认证): proves to the card that the caller may use `key`.
pub struct ExternalAuthenticate {
    /// The key.
    pub key: CardKey,
    /// Its version.
    pub version: KeyVersion,
    /// What the key makes of the card's last challenge and `data`.
    pub cryptogram: [u8; 8],
    /// Random bytes of the terminal.
    pub data: [u8; 8],
}

impl Instruction for ExternalAuthenticate {
    type Answer = ();

    fn encode(&self) -> Apdu {
        let mut data = [0; 17];
        data[..8].copy_from_slice(&self.cryptogram);
        data[8..16].copy_from_slice(&self.data);
        data[16] = self.version.number();
        Apdu::new([0x00, 0x82, 0x00, self.key.facts().id]).with_data(data)
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        match response.status {
            Status::Failed { tries_left } => Err(CardError::WrongKey { tries_left }),
            Status::Blocked => Err(CardError::KeyBlocked),
            _ => nothing(response),
        }
    }
}
