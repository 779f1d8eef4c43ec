use super::{CardError, Instruction, nothing};
use crate::apdu::{Apdu, Response};

/// UPDATE RECORD, plain: only while a card is personalised. After that see
/// [`Protected`](super::Protected).
pub enum UpdateRecord<'r> {
    /// The record with this number, from 1 (P2 = 04): tag, length, value.
    Number(u8, &'r [u8]),
    /// A new record of a cyclic file, which becomes record 1 (P1 = 00, P2 = 03); without a tag.
    Append(&'r [u8]),
}

impl Instruction for UpdateRecord<'_> {
    type Answer = ();

    fn encode(&self) -> Apdu {
        match self {
            Self::Number(number, record) => {
                Apdu::new([0x00, 0xDC, *number, 0x04]).with_data(*record)
            }
            Self::Append(record) => Apdu::new([0x00, 0xDC, 0x00, 0x03]).with_data(*record),
        }
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

impl<'b> UpdateBinary<'b> {
    /// Bytes that cards in the field are sent at once.
    pub const PART: u16 = 128;

    /// The commands that write `bytes` from `offset` on, in parts of [`PART`](Self::PART).
    pub fn parts(offset: u16, bytes: &'b [u8]) -> impl Iterator<Item = Self> {
        let offsets = (offset..).step_by(usize::from(Self::PART));
        offsets
            .zip(bytes.chunks(usize::from(Self::PART)))
            .map(|(offset, bytes)| Self { offset, bytes })
    }
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
