use std::fmt;

use super::{Malformed, MalformedRecord};
use crate::layout::ddf1::ef07;
use crate::value::BadValue;

/// Photo (照片文件, DDF1/EF07): a JPEG of at most 3072 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo(Vec<u8>);

/// A JPEG starts with SOI and the first byte of the next marker (ITU-T T.81, B.1.1.2).
const JPEG_START: [u8; 3] = [0xFF, 0xD8, 0xFF];

impl Photo {
    /// The longest picture.
    pub const MAX: usize = ef07::SIZE as usize - 2;

    /// A picture.
    ///
    /// # Errors
    /// [`BadValue::Picture`] when it is too long or does not start as a JPEG does.
    pub fn new(jpeg: Vec<u8>) -> Result<Self, BadValue> {
        let good = jpeg.len() <= Self::MAX && jpeg.starts_with(&JPEG_START);
        if good { Ok(Self(jpeg)) } else { Err(BadValue::Picture) }
    }

    /// The bytes of the JPEG. They are personal data.
    pub fn jpeg(&self) -> &[u8] {
        &self.0
    }
}

/// Personal data: prints its size only.
impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Photo({} bytes)", self.0.len())
    }
}

/// The file around the photo: two bytes of length, big-endian, then the picture.
pub struct PhotoFile;

impl PhotoFile {
    /// How long the picture is, by the first two bytes of the file. `None` without a picture, that
    /// is when the length is 0 or was never written (`FFFF`).
    ///
    /// # Errors
    /// [`MalformedRecord`] when it cannot fit the file.
    pub fn length(start: [u8; 2]) -> Result<Option<usize>, MalformedRecord> {
        match u16::from_be_bytes(start) {
            0 | 0xFFFF => Ok(None),
            length if usize::from(length) <= Photo::MAX => Ok(Some(usize::from(length))),
            _ => Err(malformed()),
        }
    }

    /// Checks the picture's bytes.
    ///
    /// # Errors
    /// [`MalformedRecord`] when they are no JPEG.
    pub fn picture(bytes: Vec<u8>) -> Result<Photo, MalformedRecord> {
        Photo::new(bytes).map_err(|_| malformed())
    }

    /// The whole file, filled with `00`.
    pub fn encode(photo: Option<&Photo>) -> Vec<u8> {
        let jpeg = photo.map_or(&[][..], Photo::jpeg);
        let mut file = (jpeg.len() as u16).to_be_bytes().to_vec();
        file.extend(jpeg);
        file.resize(usize::from(ef07::SIZE), 0);
        file
    }
}

fn malformed() -> MalformedRecord {
    MalformedRecord { file: ef07::FILE.name, record: 0, why: Malformed::Value(BadValue::Picture) }
}
