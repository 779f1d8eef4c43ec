use time::Date;

use super::{ReadError, Session};
use crate::command::ReadBinary;
use crate::data::{Photo, PhotoFile};
use crate::layout::ddf1::ef07;
use crate::security::SecurityModule;
use crate::transport::Transport;

/// Bytes asked for at once. Cards in the field are read in parts of up to 250.
pub(super) const PART: usize = 250;

/// Reads the holder's photo from a genuine, valid card; `None` when it has none.
///
/// # Errors
/// As for [`read_identity`](super::read_identity).
pub fn read_photo(
    transport: &mut dyn Transport,
    security: &dyn SecurityModule,
    randomness: &mut dyn FnMut(&mut [u8; 8]),
    today: Date,
) -> Result<Option<Photo>, ReadError> {
    let mut session = Session::open(transport, security, randomness)?;
    session.valid_on(today)?;
    session.photo()
}

impl Session<'_> {
    /// The photo, in as few parts as its own length allows.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read or is no JPEG.
    pub fn photo(&mut self) -> Result<Option<Photo>, ReadError> {
        let mut file = self.part(0, PART)?;
        let start = [file[0], file[1]];
        let Some(length) = PhotoFile::length(start)? else { return Ok(None) };
        let end = length + 2;
        while file.len() < end {
            let next = self.part(file.len(), PART.min(end - file.len()))?;
            file.extend(next);
        }
        Ok(Some(PhotoFile::picture(file[2..end].to_vec())?))
    }

    /// Exactly `length` bytes of the file: [`ReadBinary`] refuses any other answer.
    fn part(&mut self, offset: usize, length: usize) -> Result<Vec<u8>, ReadError> {
        let command = ReadBinary { offset: offset as u16, length: length as u16 };
        self.read(&ef07::FILE, 0, &command)
    }
}
