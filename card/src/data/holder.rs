use std::fmt;

use time::Date;

use super::{MalformedRecord, Records, date, number, text_record};
use crate::codes::{EthnicGroup, Sex};
use crate::layout::ddf1::ef06::{self, FILE};
use crate::number::ResidentIdNumber;
use crate::tlv;
use crate::value::{self, BadValue, Name};

/// Holder data (持卡人基本信息数据文件, DDF1/EF06): who the card is about.
#[derive(Clone, PartialEq, Eq)]
pub struct HolderData {
    /// Item 11.
    pub name: Name,
    /// Item 12.
    pub sex: Sex,
    /// Item 13; `None` when the field is not filled.
    pub ethnic_group: Option<EthnicGroup>,
    /// Date of birth (出生日期, item 14).
    pub birth_date: Date,
    /// Item 15.
    pub id_number: ResidentIdNumber,
}

impl HolderData {
    /// Reads the file from its records.
    ///
    /// # Errors
    /// [`MalformedRecord`] for the first record that is not as the table says.
    pub fn decode(records: &[Vec<u8>]) -> Result<Self, MalformedRecord> {
        Self::read(&mut &*records)
    }

    pub(crate) fn read<R: Records>(records: &mut R) -> Result<Self, R::Error> {
        Ok(Self {
            name: records.element(&FILE, &ef06::NAME, |field| {
                let text = value::read_text(field)?.ok_or(BadValue::Empty)?;
                text.parse().map_err(|_| BadValue::Empty)
            })?,
            sex: records.element(&FILE, &ef06::SEX, |field| match field {
                [code] => Sex::from_code(*code).ok_or(BadValue::UnknownCode),
                _ => Err(BadValue::Empty),
            })?,
            ethnic_group: records.element(&FILE, &ef06::ETHNIC_GROUP, ethnic_group)?,
            birth_date: records.element(&FILE, &ef06::BIRTH_DATE, date)?,
            id_number: records.element(&FILE, &ef06::ID_NUMBER, number)?,
        })
    }

    /// The records of the file, in order.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        vec![
            text_record(&ef06::NAME, &self.name.written().0),
            tlv::wrap(&ef06::SEX, &[self.sex.code()]),
            tlv::wrap(&ef06::ETHNIC_GROUP, &code_field(self.ethnic_group.map(EthnicGroup::code))),
            tlv::wrap(&ef06::BIRTH_DATE, &value::write_date(self.birth_date)),
            text_record(&ef06::ID_NUMBER, self.id_number.as_str().as_bytes()),
        ]
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for HolderData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderData(..)")
    }
}

/// Two digits, `FF` when empty. A card that was never told holds `00`, which no table has.
fn ethnic_group(field: &[u8]) -> Result<Option<EthnicGroup>, BadValue> {
    match code(field)? {
        None => Ok(None),
        Some(code) => EthnicGroup::from_code(code).map(Some).ok_or(BadValue::UnknownCode),
    }
}

/// A code of one or two digits in `cn` 1. One digit may stand left (`1F`) or after a zero (`01`).
pub(super) fn code(field: &[u8]) -> Result<Option<u8>, BadValue> {
    match value::read_digits(field)?.as_str() {
        "" | "00" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| BadValue::NotDigits),
    }
}

/// A code as two digits in one byte; `FF` when there is none.
pub(super) fn code_field(code: Option<u8>) -> [u8; 1] {
    [code.map_or(0xFF, |code| ((code / 10) << 4) | (code % 10))]
}
