use super::{CardError, Instruction, data};
use crate::apdu::{Apdu, Response};
use crate::layout::Element;

/// READ RECORD: one record of the selected file, with tag and length.
pub enum ReadRecord<'e> {
    /// By tag (P2 = 00), as cards in the field are read; Le is the size of the record.
    ByTag(&'e Element),
    /// By number (P2 = 04); Le is open.
    ByNumber(u8),
}

impl Instruction for ReadRecord<'_> {
    type Answer = Vec<u8>;

    fn encode(&self) -> Apdu {
        match self {
            Self::ByTag(element) => {
                Apdu::new([0x00, 0xB2, element.tag(), 0x00]).expecting(element.record_size())
            }
            Self::ByNumber(number) => Apdu::new([0x00, 0xB2, *number, 0x04]).expecting(256),
        }
    }

    fn decode(&self, response: Response) -> Result<Vec<u8>, CardError> {
        data(response)
    }
}

/// READ BINARY: `length` bytes of the selected transparent file, 1 to 256.
pub struct ReadBinary {
    /// Where to start, below 8000.
    pub offset: u16,
    /// How many bytes.
    pub length: u16,
}

impl ReadBinary {
    /// Bytes asked for at once: cards in the field give up to 250.
    pub const PART: u16 = 250;

    /// The commands that read `length` bytes from `offset` on, in parts of [`PART`](Self::PART).
    pub fn parts(offset: u16, length: u16) -> impl Iterator<Item = Self> {
        let end = offset + length;
        (offset..end)
            .step_by(usize::from(Self::PART))
            .map(move |offset| Self { offset, length: Self::PART.min(end - offset) })
    }
}

impl Instruction for ReadBinary {
    type Answer = Vec<u8>;

    fn encode(&self) -> Apdu {
        let [high, low] = self.offset.to_be_bytes();
        Apdu::new([0x00, 0xB0, high, low]).expecting(self.length)
    }

    fn decode(&self, response: Response) -> Result<Vec<u8>, CardError> {
        let data = data(response)?;
        match data.len() == usize::from(self.length) {
            true => Ok(data),
            false => Err(CardError::Length { expected: self.length, found: data.len() }),
        }
    }
}

/// GET RESPONSE: what a `61xx` announced.
pub struct GetResponse(pub u16);

impl Instruction for GetResponse {
    type Answer = Vec<u8>;

    fn encode(&self) -> Apdu {
        Apdu::new([0x00, 0xC0, 0x00, 0x00]).expecting(self.0)
    }

    fn decode(&self, response: Response) -> Result<Vec<u8>, CardError> {
        data(response)
    }
}
