use time::Date;

use super::holder::{code, code_field};
use super::{MalformedRecord, Records, date, text_record};
use crate::codes::Payment;
use crate::layout::ddf1::ef08::{self, FILE};
use crate::tlv;
use crate::value::{self, BadValue, Phone};

/// Validity, phones and payment (持卡人支付信息数据文件, DDF1/EF08).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactData {
    /// Last day on which the card is valid (卡有效期, item 7).
    pub valid_until: Date,
    /// Items 16 and 17.
    pub phones: [Option<Phone>; 2],
    /// Items 18 to 20.
    pub payments: [Option<Payment>; 3],
}

impl ContactData {
    /// Reads the file from its records.
    ///
    /// # Errors
    /// [`MalformedRecord`] for the first record that is not as the table says.
    pub fn decode(records: &[Vec<u8>]) -> Result<Self, MalformedRecord> {
        Self::read(&mut &*records)
    }

    pub(crate) fn read<R: Records>(records: &mut R) -> Result<Self, R::Error> {
        Ok(Self {
            valid_until: records.element(&FILE, &ef08::VALID_UNTIL, date)?,
            phones: [
                records.element(&FILE, &ef08::PHONE_1, phone)?,
                records.element(&FILE, &ef08::PHONE_2, phone)?,
            ],
            payments: [
                records.element(&FILE, &ef08::PAYMENT_1, payment)?,
                records.element(&FILE, &ef08::PAYMENT_2, payment)?,
                records.element(&FILE, &ef08::PAYMENT_3, payment)?,
            ],
        })
    }

    /// The records of the file, in order.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let phone = |phone: &Option<Phone>| {
            phone.as_ref().map_or_else(Vec::new, |phone| phone.as_str().as_bytes().to_vec())
        };
        let payment = |payment: Option<Payment>| code_field(payment.map(Payment::code));
        vec![
            tlv::wrap(&ef08::VALID_UNTIL, &value::write_date(self.valid_until)),
            text_record(&ef08::PHONE_1, &phone(&self.phones[0])),
            text_record(&ef08::PHONE_2, &phone(&self.phones[1])),
            tlv::wrap(&ef08::PAYMENT_1, &payment(self.payments[0])),
            tlv::wrap(&ef08::PAYMENT_2, &payment(self.payments[1])),
            tlv::wrap(&ef08::PAYMENT_3, &payment(self.payments[2])),
        ]
    }
}

fn phone(field: &[u8]) -> Result<Option<Phone>, BadValue> {
    let text = value::read_text(field)?;
    text.map(|text| text.parse().map_err(|_| BadValue::Number)).transpose()
}

fn payment(field: &[u8]) -> Result<Option<Payment>, BadValue> {
    match code(field)? {
        None => Ok(None),
        Some(code) => Payment::from_code(code).map(Some).ok_or(BadValue::UnknownCode),
    }
}
