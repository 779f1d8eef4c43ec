use std::fmt;

use time::Date;

use super::{MalformedRecord, Records, Value, code, coded, date, filled, number, record};
use crate::codes::{EthnicGroup, Sex};
use crate::layout::ddf1::ef06::{self, FILE};
use crate::number::ResidentIdNumber;
use crate::value::{BadValue, Name};

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
            name: records.element(&FILE, &ef06::NAME, |value| {
                filled(value)?.parse().map_err(|_| BadValue::Empty)
            })?,
            sex: records.element(&FILE, &ef06::SEX, |value| {
                coded(value, Sex::from_code)?.ok_or(BadValue::Empty)
            })?,
            ethnic_group: records.element(&FILE, &ef06::ETHNIC_GROUP, |value| {
                coded(value, EthnicGroup::from_code)
            })?,
            birth_date: records.element(&FILE, &ef06::BIRTH_DATE, date)?,
            id_number: records.element(&FILE, &ef06::ID_NUMBER, number)?,
        })
    }

    /// The records of the file, in order.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let group = self.ethnic_group.map(EthnicGroup::code);
        vec![
            record(&ef06::NAME, Value::of(self.name.as_str())),
            record(&ef06::SEX, code(&ef06::SEX, Some(self.sex.code()))),
            record(&ef06::ETHNIC_GROUP, code(&ef06::ETHNIC_GROUP, group)),
            record(&ef06::BIRTH_DATE, Value::Date(self.birth_date)),
            record(&ef06::ID_NUMBER, Value::of(self.id_number.as_str())),
        ]
    }
}

/// Personal data: prints nothing of itself.
impl fmt::Debug for HolderData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HolderData(..)")
    }
}
