//! Records and files as bytes, under the same rights as everything else that is read. For callers
//! that have forms of their own for what the bytes say.

use zeroize::Zeroizing;

use super::photo::PART;
use super::{ReadError, Session};
use crate::command::{ReadBinary, ReadRecord};
use crate::data::MalformedRecord;
use crate::layout::{Element, File, Profile};
use crate::tlv::{self, BadRecord};

impl Session<'_> {
    /// The field of an element that is a record of its own, padding included.
    ///
    /// # Errors
    /// [`ReadError`] when the record is missing, withheld, or has another tag or length.
    pub fn field_bytes(
        &mut self,
        file: &File,
        element: &Element,
    ) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let record = self.record_of(file, element.record(), &ReadRecord::ByTag(element))?;
        match tlv::unwrap(element, &record) {
            Ok(field) => Ok(Zeroizing::new(field.to_vec())),
            Err(why) => Err(malformed(file, element.record(), why)),
        }
    }

    /// Record `number`, from 1, of a ring or an index.
    ///
    /// # Errors
    /// [`ReadError`] when the record is missing, withheld, or has another length.
    pub fn record_bytes(
        &mut self,
        file: &File,
        number: u8,
    ) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let record = self.record_of(file, number, &ReadRecord::ByNumber(number))?;
        match record.len().checked_sub(usize::from(file.size(Profile::Full))) {
            Some(0) => Ok(record),
            None => Err(malformed(file, number, BadRecord::Truncated(record.len()))),
            Some(more) => Err(malformed(file, number, BadRecord::Trailing(more))),
        }
    }

    /// A transparent file, as long as cards of this kind have it.
    ///
    /// # Errors
    /// [`ReadError`] when it is missing or withheld.
    pub fn file_bytes(&mut self, file: &File) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let profile = self.profile()?;
        self.range(file, 0, file.size(profile).into())
    }

    /// `length` bytes of a transparent file.
    pub(super) fn range(
        &mut self,
        file: &File,
        offset: usize,
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        while bytes.len() < length {
            let part = ReadBinary {
                offset: (offset + bytes.len()) as u16,
                length: PART.min(length - bytes.len()) as u16,
            };
            bytes.extend(self.read(file, 0, &part)?);
        }
        Ok(bytes)
    }
}

pub(super) fn malformed(file: &File, record: u8, why: BadRecord) -> ReadError {
    MalformedRecord { file: file.name, record, why: why.into() }.into()
}
