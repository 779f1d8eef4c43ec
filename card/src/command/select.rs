use super::{CardError, Instruction};
use crate::apdu::{Apdu, Response, Status};

/// SELECT FILE by identifier: `00 A4 00 00`. What the card tells of the file is not fetched, since
/// its form is not established; a card that has it ready answers `61xx`, which counts as success.
pub struct Select(pub u16);

impl Instruction for Select {
    type Answer = ();

    fn encode(&self) -> Apdu {
        Apdu::new([0x00, 0xA4, 0x00, 0x00]).with_data(self.0.to_be_bytes())
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        match response.status {
            Status::Done | Status::MoreData { .. } => Ok(()),
            refused => Err(CardError::Refused(refused)),
        }
    }
}
