//! The facts of the card's files, in one table: one line a file, one line a data element.
//!
//! A correction of the standard is a correction of one line here. Files of DDF1; the directories
//! below it (DF01 to DF03) take the same shape when they come.

use crate::codes::CodeTable;
use crate::key::CardKey;

/// Master file (主文件).
pub const MASTER_FILE: u16 = 0x3F00;

/// The health application's directory, directly under the master file.
pub const HEALTH_DIRECTORY: u16 = 0xDDF1;

/// Name of an elementary file, for errors and images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the facts of each are in `FILES`")]
pub enum FileName {
    Ef05,
    Ef06,
    Ef07,
    Ef08,
}

impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ef05 => "DDF1/EF05",
            Self::Ef06 => "DDF1/EF06",
            Self::Ef07 => "DDF1/EF07",
            Self::Ef08 => "DDF1/EF08",
        })
    }
}

/// Who may do something with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone (自由读).
    Free,
    /// Who proved knowledge of this key.
    Key(CardKey),
    /// Nobody, once the card is issued (禁止改写).
    Never,
}

/// How a file is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Records of variable length (变长记录), each one element.
    Records(&'static [Element]),
    /// A run of bytes (透明) of this size.
    Transparent(u16),
}

/// An elementary file (基本文件).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its name in this code.
    pub name: FileName,
    /// File identifier, by which it is selected.
    pub id: u16,
    /// Chinese title.
    pub zh: &'static str,
    /// How it is built.
    pub structure: Structure,
    /// Who may read it.
    pub read: Access,
    /// Who may change it after issuing.
    pub update: Access,
}

impl File {
    /// The elements, in record order; none in a transparent file.
    pub fn elements(&self) -> &'static [Element] {
        match self.structure {
            Structure::Records(elements) => elements,
            Structure::Transparent(_) => &[],
        }
    }
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `an`, `ans`: characters, Chinese in two bytes, filled with `00`.
    Text,
    /// `cn`: digits, two to a byte, filled with nibbles `F`.
    Digits,
    /// `cn` 4: YYYYMMDD.
    Date,
    /// `b`: bytes as they are.
    Bytes,
}

/// A data element (数据元): one record of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Number of the record in its file, from 1.
    pub record: u8,
    /// Tag before the value.
    pub tag: u8,
    /// Item number used by the ministry's interfaces.
    pub item: u16,
    /// Chinese name.
    pub zh: &'static str,
    /// How the value is written.
    pub kind: Kind,
    /// Length of the value; also the length written in the record.
    pub length: u8,
    /// The table its codes are from.
    pub codes: Option<&'static CodeTable>,
}

impl Element {
    /// Size of the whole record: tag, length, value. This is also the Le it is read with.
    pub const fn record_size(&self) -> u16 {
        self.length as u16 + 2
    }

    const fn coded(self, codes: &'static CodeTable) -> Self {
        Self { codes: Some(codes), ..self }
    }
}

const fn element(
    record: u8,
    tag: u8,
    item: u16,
    zh: &'static str,
    kind: Kind,
    length: u8,
) -> Element {
    Element { record, tag, item, zh, kind, length, codes: None }
}

/// Every file of the table.
pub static FILES: [&File; 4] = [&ef05::FILE, &ef06::FILE, &ef07::FILE, &ef08::FILE];

/// Issuer data (发卡机构基本数据文件).
#[expect(missing_docs, reason = "each line is a row of the table and names itself")]
pub mod ef05 {
    use super::{Access, Element, File, FileName, Kind, Structure, element};

    pub static FILE: File = File {
        name: FileName::Ef05,
        id: 0xEF05,
        zh: "发卡机构基本数据文件",
        structure: Structure::Records(&ELEMENTS),
        read: Access::Free,
        update: Access::Never,
    };

    //                                              rec  tag  item  name      written as     bytes
    pub const CARD_CLASS: Element = element(1, 0x01, 1, "卡的类别", Kind::Text, 1);
    pub const VERSION: Element = element(2, 0x02, 2, "规范版本", Kind::Text, 4);
    pub const ISSUER_NAME: Element = element(3, 0x03, 3, "发卡机构名称", Kind::Text, 30);
    pub const ISSUER_CODE: Element = element(4, 0x04, 4, "发卡机构代码", Kind::Digits, 11);
    pub const CERTIFICATE: Element = element(5, 0x05, 5, "发卡机构证书", Kind::Bytes, 180);
    pub const ISSUED_ON: Element = element(6, 0x06, 6, "发卡时间", Kind::Date, 4);
    pub const CARD_NUMBER: Element = element(7, 0x08, 8, "卡号", Kind::Text, 18);
    pub const SECURITY_CODE: Element = element(8, 0x09, 9, "安全码", Kind::Text, 3);
    pub const CHIP_SERIAL: Element = element(9, 0x0A, 10, "发卡序列号", Kind::Text, 10);
    pub const CITY_CODE: Element = element(10, 0x39, 57, "应用城市代码", Kind::Digits, 3);

    #[rustfmt::skip]
    static ELEMENTS: [Element; 10] = [
        CARD_CLASS, VERSION, ISSUER_NAME, ISSUER_CODE, CERTIFICATE, ISSUED_ON, CARD_NUMBER, SECURITY_CODE,
        CHIP_SERIAL, CITY_CODE,
    ];
}

/// Holder data (持卡人基本信息数据文件).
#[expect(missing_docs, reason = "each line is a row of the table and names itself")]
pub mod ef06 {
    use super::{Access, CardKey, Element, File, FileName, Kind, Structure, element};
    use crate::codes::{ETHNIC_GROUPS, SEXES};

    pub static FILE: File = File {
        name: FileName::Ef06,
        id: 0xEF06,
        zh: "持卡人基本信息数据文件",
        structure: Structure::Records(&ELEMENTS),
        read: Access::Key(CardKey::Rk1Ddf1),
        update: Access::Never,
    };

    pub const NAME: Element = element(1, 0x0B, 11, "姓名", Kind::Text, 30);
    pub const SEX: Element = element(2, 0x0C, 12, "性别", Kind::Bytes, 1).coded(&SEXES);
    pub const ETHNIC_GROUP: Element =
        element(3, 0x0D, 13, "民族代码", Kind::Digits, 1).coded(&ETHNIC_GROUPS);
    pub const BIRTH_DATE: Element = element(4, 0x0E, 14, "出生日期", Kind::Date, 4);
    pub const ID_NUMBER: Element = element(5, 0x0F, 15, "居民身份证号码", Kind::Text, 18);

    static ELEMENTS: [Element; 5] = [NAME, SEX, ETHNIC_GROUP, BIRTH_DATE, ID_NUMBER];
}

/// Photo (照片文件): two bytes of length, then the picture.
pub mod ef07 {
    use super::{Access, CardKey, File, FileName, Structure};

    /// The file.
    pub static FILE: File = File {
        name: FileName::Ef07,
        id: 0xEF07,
        zh: "照片文件",
        structure: Structure::Transparent(SIZE),
        read: Access::Key(CardKey::Rk1Ddf1),
        update: Access::Key(CardKey::Uk1Ddf1),
    };

    /// Size of the file in bytes.
    pub const SIZE: u16 = 3074;
}

/// Validity, phones, payment (持卡人支付信息数据文件).
#[expect(missing_docs, reason = "each line is a row of the table and names itself")]
pub mod ef08 {
    use super::{Access, CardKey, Element, File, FileName, Kind, Structure, element};
    use crate::codes::PAYMENTS;

    pub static FILE: File = File {
        name: FileName::Ef08,
        id: 0xEF08,
        zh: "持卡人支付信息数据文件",
        structure: Structure::Records(&ELEMENTS),
        read: Access::Key(CardKey::Rk1Ddf1),
        update: Access::Key(CardKey::Uk1Ddf1),
    };

    pub const VALID_UNTIL: Element = element(1, 0x07, 7, "卡有效期", Kind::Date, 4);
    pub const PHONE_1: Element = element(2, 0x10, 16, "本人电话1", Kind::Text, 20);
    pub const PHONE_2: Element = element(3, 0x11, 17, "本人电话2", Kind::Text, 20);
    pub const PAYMENT_1: Element =
        element(4, 0x12, 18, "医疗费用支付方式1", Kind::Digits, 1).coded(&PAYMENTS);
    pub const PAYMENT_2: Element =
        element(5, 0x13, 19, "医疗费用支付方式2", Kind::Digits, 1).coded(&PAYMENTS);
    pub const PAYMENT_3: Element =
        element(6, 0x14, 20, "医疗费用支付方式3", Kind::Digits, 1).coded(&PAYMENTS);

    static ELEMENTS: [Element; 6] =
        [VALID_UNTIL, PHONE_1, PHONE_2, PAYMENT_1, PAYMENT_2, PAYMENT_3];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        for file in FILES {
            for (at, element) in file.elements().iter().enumerate() {
                assert_eq!(usize::from(element.record), at + 1, "{}", element.zh);
                assert_eq!(u16::from(element.tag), element.item, "{}", element.zh);
            }
        }
    }

    #[test]
    fn sizes_are_those_of_the_standard() {
        // health-card.md, 2.4 (sizes with tag and length) and 2.6 (Le of each record of EF05).
        for (file, size) in [(&ef05::FILE, 284), (&ef06::FILE, 64), (&ef08::FILE, 59)] {
            let sum: u16 = file.elements().iter().map(Element::record_size).sum();
            assert_eq!(sum, size, "{}", file.name);
        }
        let expected: Vec<u16> = ef05::FILE.elements().iter().map(Element::record_size).collect();
        assert_eq!(expected, [3, 6, 0x20, 0x0D, 0xB6, 6, 0x14, 5, 0x0C, 5]);
    }
}
