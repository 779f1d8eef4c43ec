use time::Date;

use super::{MalformedRecord, Records, Value, code, coded, date, number, record};
use crate::codes::Payment;
use crate::layout::ddf1::ef08::{self, FILE};
use crate::value::{BadValue, Phone};

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
            phone.as_ref().map_or(Value::Empty, |phone| Value::of(phone.as_str()))
        };
        let payment = |element, payment: Option<Payment>| {
            record(element, code(element, payment.map(Payment::code)))
        };
        vec![
            record(&ef08::VALID_UNTIL, Value::Date(self.valid_until)),
            record(&ef08::PHONE_1, phone(&self.phones[0])),
            record(&ef08::PHONE_2, phone(&self.phones[1])),
            payment(&ef08::PAYMENT_1, self.payments[0]),
            payment(&ef08::PAYMENT_2, self.payments[1]),
            payment(&ef08::PAYMENT_3, self.payments[2]),
        ]
    }
}

fn phone(value: Value) -> Result<Option<Phone>, BadValue> {
    match value {
        Value::Empty => Ok(None),
        value => number(value).map(Some),
    }
}

fn payment(value: Value) -> Result<Option<Payment>, BadValue> {
    coded(value, Payment::from_code)
}
