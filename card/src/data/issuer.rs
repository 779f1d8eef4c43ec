use std::fmt;
use std::str::FromStr;

use time::Date;

use zeroize::Zeroizing;

use super::{
    CannotHold, MalformedRecord, Records, Value, date, filled, number, record, write_record,
};
use crate::layout::ddf1::ef05::{self, FILE};
use crate::number::{CardNumber, ChipSerial, CityCode};
use crate::tlv;
use crate::value::{self, BadText, BadValue};

/// Issuer data (发卡机构基本数据文件, DDF1/EF05): what anyone may read of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerData {
    /// Item 1.
    pub class: CardClass,
    /// Item 2.
    pub version: Version,
    /// Issuer name (发卡机构名称, item 3), at most 30 bytes of GBK.
    pub name: String,
    /// Item 4.
    pub code: IssuerCode,
    /// Item 5.
    pub certificate: IssuerCertificate,
    /// Issue date (发卡时间, item 6).
    pub issued_on: Date,
    /// Item 8.
    pub card_number: CardNumber,
    /// Item 9.
    pub security_code: SecurityCode,
    /// Item 10.
    pub chip_serial: ChipSerial,
    /// Item 57.
    pub city: CityCode,
}

/// Card class (卡的类别): `1` ordinary, `2` advanced; other values are kept as they are, since the
/// sources disagree on what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardClass(pub u8);

/// Specification version (规范版本), such as `1.0`: up to four ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl FromStr for Version {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        let (bytes, _) = value::write_text(text, 4)?;
        match bytes.iter().position(|byte| !byte.is_ascii_graphic()) {
            Some(at) => Err(BadText::Character { at }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl Version {
    /// The version as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Issuer code (发卡机构代码): up to 22 digits, opaque, since codes of WS 218 may hold letters and
/// this field cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerCode(String);

impl FromStr for IssuerCode {
    type Err = BadValue;

    fn from_str(digits: &str) -> Result<Self, BadValue> {
        match value::write_digits(digits, usize::from(ef05::ISSUER_CODE.length)) {
            Some(_) => Ok(Self(digits.to_owned())),
            None => Err(BadValue::NotDigits),
        }
    }
}

impl IssuerCode {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Issuer certificate (发卡机构证书): 180 bytes, kept as they are; zeros when there is none.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerCertificate(pub [u8; 180]);

impl fmt::Debug for IssuerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuerCertificate(180 bytes)")
    }
}

/// Security code (安全码): three digits that vouch for number and validity of the card.
#[derive(Clone, PartialEq, Eq)]
pub struct SecurityCode([u8; 3]);

impl FromStr for SecurityCode {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let digits: [u8; 3] =
            text.as_bytes().try_into().map_err(|_| BadValue::DigitCount(text.len()))?;
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(Self(digits))
        } else {
            Err(BadValue::NotDigits)
        }
    }
}

impl SecurityCode {
    /// The three digits, for whoever writes or checks the card.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}

/// A secret between card and issuer: prints nothing of itself.
impl fmt::Debug for SecurityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecurityCode(..)")
    }
}

impl IssuerData {
    /// Reads the file from its records.
    ///
    /// # Errors
    /// [`MalformedRecord`] for the first record that is not as the table says.
    pub fn decode(records: &[Vec<u8>]) -> Result<Self, MalformedRecord> {
        Self::read(&mut &*records)
    }

    pub(crate) fn read<R: Records>(records: &mut R) -> Result<Self, R::Error> {
        Ok(Self {
            class: records.element(&FILE, &ef05::CARD_CLASS, |value| {
                filled(value)?.bytes().next().map(CardClass).ok_or(BadValue::Empty)
            })?,
            version: records.element(&FILE, &ef05::VERSION, number)?,
            name: records.element(&FILE, &ef05::ISSUER_NAME, |value| {
                filled(value).map(|name| String::clone(&name))
            })?,
            code: records.element(&FILE, &ef05::ISSUER_CODE, |value| {
                Ok(IssuerCode(String::clone(&value.to_text())))
            })?,
            certificate: records.element(&FILE, &ef05::CERTIFICATE, |value| match value {
                Value::Bytes(bytes) => {
                    let bytes = bytes.as_slice().try_into();
                    bytes.map(IssuerCertificate).map_err(|_| BadValue::Empty)
                }
                _ => Ok(IssuerCertificate([0; 180])),
            })?,
            issued_on: records.element(&FILE, &ef05::ISSUED_ON, date)?,
            card_number: records.element(&FILE, &ef05::CARD_NUMBER, number)?,
            security_code: records.element(&FILE, &ef05::SECURITY_CODE, number)?,
            chip_serial: records.element(&FILE, &ef05::CHIP_SERIAL, number)?,
            city: records.element(&FILE, &ef05::CITY_CODE, number)?,
        })
    }

    /// The records of the file, in order.
    ///
    /// # Errors
    /// [`BadText`] when the issuer's name does not fit the card.
    pub fn encode(&self) -> Result<Vec<Vec<u8>>, BadText> {
        let name = match write_record(&ef05::ISSUER_NAME, &Value::of(&self.name)) {
            Err(CannotHold::Text(bad)) => return Err(bad),
            name => name.expect("text is what the field holds"),
        };
        let digits = |text: &str| Value::Digits(Zeroizing::new(text.to_owned()));
        let certificate = Value::Bytes(Zeroizing::new(self.certificate.0.to_vec()));
        Ok(vec![
            // One byte whatever it is: see its type.
            tlv::wrap(&ef05::CARD_CLASS, &[self.class.0]),
            record(&ef05::VERSION, Value::of(&self.version.0)),
            name,
            record(&ef05::ISSUER_CODE, digits(&self.code.0)),
            record(&ef05::CERTIFICATE, certificate),
            record(&ef05::ISSUED_ON, Value::Date(self.issued_on)),
            record(&ef05::CARD_NUMBER, Value::of(self.card_number.as_str())),
            record(&ef05::SECURITY_CODE, Value::of(self.security_code.expose())),
            record(&ef05::CHIP_SERIAL, Value::of(self.chip_serial.as_str())),
            record(&ef05::CITY_CODE, digits(self.city.as_str())),
        ])
    }
}
