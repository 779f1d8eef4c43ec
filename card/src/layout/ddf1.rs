//! Who holds the card and who issued it (DDF1).

/// Issuer data (发卡机构基本数据文件).
#[expect(missing_docs, reason = "each line is a row of the table and names itself")]
pub mod ef05 {
    use crate::codes::CARD_CLASSES;
    use crate::key::CardKey;
    use crate::layout::{
        Access, Directory, Element, File, FileName, Kind, Reduced, Structure, record,
    };

    pub static FILE: File = File {
        name: FileName::of(Directory::Ddf1, 0xEF05),
        zh: "发卡机构基本数据文件",
        en: "Issuer data",
        structure: Structure::Variable(&ELEMENTS),
        read: Access::Free,
        update: Access::Never,
        erase: Access::Never,
        reduced: Reduced::Updatable(CardKey::Uk1Ddf1),
    };

    // record, tag, item; names; written as; bytes
    #[rustfmt::skip]
    mod table {
        use super::*;
        pub const CARD_CLASS: Element = record((1, 0x01, 1), "卡的类别", "Card class", Kind::Text, 1).coded(&CARD_CLASSES);
        pub const VERSION: Element = record((2, 0x02, 2), "规范版本", "Specification version", Kind::Text, 4);
        pub const ISSUER_NAME: Element = record((3, 0x03, 3), "发卡机构名称", "Issuer name", Kind::Text, 30);
        pub const ISSUER_CODE: Element = record((4, 0x04, 4), "发卡机构代码", "Issuer code", Kind::Digits, 11);
        pub const CERTIFICATE: Element = record((5, 0x05, 5), "发卡机构证书", "Issuer certificate", Kind::Bytes, 180).full_only();
        pub const ISSUED_ON: Element = record((6, 0x06, 6), "发卡时间", "Issue date", Kind::Date, 4);
        pub const CARD_NUMBER: Element = record((7, 0x08, 8), "卡号", "Card number", Kind::Text, 18);
        pub const SECURITY_CODE: Element = record((8, 0x09, 9), "安全码", "Security code", Kind::Text, 3);
        pub const CHIP_SERIAL: Element = record((9, 0x0A, 10), "发卡序列号", "Issuing serial", Kind::Text, 10);
        pub const CITY_CODE: Element = record((10, 0x39, 57), "应用城市代码", "Application city code", Kind::Digits, 3);
    }
    pub use table::*;

    static ELEMENTS: [Element; 10] = [
        CARD_CLASS,
        VERSION,
        ISSUER_NAME,
        ISSUER_CODE,
        CERTIFICATE,
        ISSUED_ON,
        CARD_NUMBER,
        SECURITY_CODE,
        CHIP_SERIAL,
        CITY_CODE,
    ];
}

/// Holder data (持卡人基本信息数据文件).
#[expect(missing_docs, reason = "each line is a row of the table and names itself")]
pub mod ef06 {
    use crate::codes::{ETHNIC_GROUPS, SEXES};
    use crate::key::CardKey;
    use crate::layout::{
        Access, Directory, Element, File, FileName, Kind, Reduced, Structure, record,
    };

    pub static FILE: File = File {
        name: FileName::of(Directory::Ddf1, 0xEF06),
        zh: "持卡人基本信息数据文件",
        en: "Holder data",
        structure: Structure::Variable(&ELEMENTS),
        read: Access::Key(CardKey::Rk1Ddf1),
        update: Access::Never,
        erase: Access::Never,
        reduced: Reduced::Updatable(CardKey::Uk1Ddf1),
    };

    #[rustfmt::skip]
    mod table {
        use super::*;
        pub const NAME: Element = record((1, 0x0B, 11), "姓名", "Name", Kind::Text, 30);
        pub const SEX: Element = record((2, 0x0C, 12), "性别", "Sex", Kind::Bytes, 1).coded(&SEXES);
        pub const ETHNIC_GROUP: Element = record((3, 0x0D, 13), "民族代码", "Ethnic group", Kind::Digits, 1).coded(&ETHNIC_GROUPS);
        pub const BIRTH_DATE: Element = record((4, 0x0E, 14), "出生日期", "Date of birth", Kind::Date, 4);
        pub const ID_NUMBER: Element = record((5, 0x0F, 15), "居民身份证号码", "ID number", Kind::Text, 18);
    }
    pub use table::*;

    static ELEMENTS: [Element; 5] = [NAME, SEX, ETHNIC_GROUP, BIRTH_DATE, ID_NUMBER];
}

/// Photo (照片文件): two bytes of length, big-endian, then the picture. It has no item number.
pub mod ef07 {
    use crate::key::CardKey;
    use crate::layout::{Access, Directory, File, FileName, Reduced, Structure};

    /// The file.
    pub static FILE: File = File {
        name: FileName::of(Directory::Ddf1, 0xEF07),
        zh: "照片文件",
        en: "Photo",
        structure: Structure::Transparent { size: SIZE, sections: &[] },
        read: Access::Key(CardKey::Rk1Ddf1),
        update: Access::Key(CardKey::Uk1Ddf1),
        erase: Access::Never,
        reduced: Reduced::Absent,
    };

    /// Size of the file in bytes.
    pub const SIZE: u16 = 3074;
}

/// Validity, phones, payment (持卡人支付信息数据文件).
#[expect(missing_docs, reason = "each line is a row of the table and names itself")]
pub mod ef08 {
    use crate::codes::PAYMENTS;
    use crate::key::CardKey;
    use crate::layout::{
        Access, Directory, Element, File, FileName, Kind, Reduced, Structure, record,
    };

    pub static FILE: File = File {
        name: FileName::of(Directory::Ddf1, 0xEF08),
        zh: "持卡人支付信息数据文件",
        en: "Validity, phones and payment",
        structure: Structure::Variable(&ELEMENTS),
        read: Access::Key(CardKey::Rk1Ddf1),
        update: Access::Key(CardKey::Uk1Ddf1),
        erase: Access::Never,
        reduced: Reduced::Kept,
    };

    #[rustfmt::skip]
    mod table {
        use super::*;
        pub const VALID_UNTIL: Element = record((1, 0x07, 7), "卡有效期", "Valid until", Kind::Date, 4);
        pub const PHONE_1: Element = record((2, 0x10, 16), "本人电话1", "Phone 1", Kind::Text, 20).full_only();
        pub const PHONE_2: Element = record((3, 0x11, 17), "本人电话2", "Phone 2", Kind::Text, 20).full_only();
        pub const PAYMENT_1: Element = record((4, 0x12, 18), "医疗费用支付方式1", "Payment 1", Kind::Digits, 1).coded(&PAYMENTS);
        pub const PAYMENT_2: Element = record((5, 0x13, 19), "医疗费用支付方式2", "Payment 2", Kind::Digits, 1).coded(&PAYMENTS);
        pub const PAYMENT_3: Element = record((6, 0x14, 20), "医疗费用支付方式3", "Payment 3", Kind::Digits, 1).coded(&PAYMENTS);
    }
    pub use table::*;

    static ELEMENTS: [Element; 6] =
        [VALID_UNTIL, PHONE_1, PHONE_2, PAYMENT_1, PAYMENT_2, PAYMENT_3];
}
