use super::{CardError, Instruction, nothing};
use crate::apdu::{Apdu, Response};

/// UPDATE RECORD, plain: only while a card is personalised. After that see
/// [`messaging`](crate::messaging).
pub struct UpdateRecord<'r> {
    /// The record, from 1.
    pub number: u8,
    /// The whole record: tag, length, value.
    pub record: &'r [u8],
}

impl Instruction for UpdateRecord<'_> {
    type Answer = ();

    fn encode(&self) -> Apdu {
        Apdu::new([0x00, 0xDC, self.number, 0x04]).with_data(self.record)
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        nothing(response)
    }
}

/// UPDATE BINARY, plain, after authentication with the update key.
pub struct UpdateBinary<'b> {
    /// Where to start, below 8000.
    pub offset: u16,
    /// What to write, at most 255 bytes; 128 is what cards in the field are sent.
    pub bytes: &'b [u8],
}

impl Instruction for UpdateBinary<'_> {
    type Answer = ();

    fn encode(&self) -> Apdu {
        let [high, low] = self.offset.to_be_bytes();
        Apdu::new([0x00, 0xD6, high, low]).with_data(self.bytes)
    }

    fn decode(&self, response: Response) -> Result<(), CardError> {
        nothing(response)
    }
}
