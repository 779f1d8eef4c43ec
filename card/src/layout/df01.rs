//! Address, contacts, occupation, documents (DF01). All of it is read with RK1_DF01 and changed with
//! UK1_DF01.

use crate::codes::{ADDRESS_CLASSES, DOCUMENTS, EDUCATION, MARRIAGE, OCCUPATIONS, RELATIONS};
use crate::key::CardKey;
use crate::layout::{Access, Directory, Element, File, FileName, Kind, Reduced, Structure, record};

const fn file(id: u16, zh: &'static str, en: &'static str, elements: &'static [Element]) -> File {
    File {
        name: FileName::of(Directory::Df01, id),
        zh,
        en,
        structure: Structure::Variable(elements),
        read: Access::Key(CardKey::Rk1Df01),
        update: Access::Key(CardKey::Uk1Df01),
        erase: Access::Never,
        reduced: Reduced::Kept,
    }
}

/// Addresses (地址信息文件).
pub mod ef05 {
    use super::*;

    /// The file.
    pub static FILE: File = file(0xEF05, "地址信息文件", "Addresses", &ELEMENTS);

    #[rustfmt::skip]
    static ELEMENTS: [Element; 4] = [
        record((1, 0x15, 21), "地址类别1", "Address class 1", Kind::Digits, 1).coded(&ADDRESS_CLASSES),
        record((2, 0x16, 22), "地址1", "Address 1", Kind::Text, 100),
        record((3, 0x17, 23), "地址类别2", "Address class 2", Kind::Digits, 1).coded(&ADDRESS_CLASSES).full_only(),
        record((4, 0x18, 24), "地址2", "Address 2", Kind::Text, 100).full_only(),
    ];
}

/// Contacts (联系人信息文件). On a 16K card the first one only (project choice: the source says
/// that second contacts are missing there).
pub mod ef06 {
    use super::*;

    /// The file.
    pub static FILE: File = file(0xEF06, "联系人信息文件", "Contacts", &ELEMENTS);

    #[rustfmt::skip]
    static ELEMENTS: [Element; 9] = [
        record((1, 0x19, 25), "联系人姓名1", "Contact 1 name", Kind::Text, 30),
        record((2, 0x1A, 26), "联系人关系1", "Contact 1 relation", Kind::Digits, 1).coded(&RELATIONS),
        record((3, 0x1B, 27), "联系人电话1", "Contact 1 phone", Kind::Text, 20),
        record((4, 0x1C, 28), "联系人姓名2", "Contact 2 name", Kind::Text, 30).full_only(),
        record((5, 0x1D, 29), "联系人关系2", "Contact 2 relation", Kind::Digits, 1).coded(&RELATIONS).full_only(),
        record((6, 0x1E, 30), "联系人电话2", "Contact 2 phone", Kind::Text, 20).full_only(),
        record((7, 0x1F, 31), "联系人姓名3", "Contact 3 name", Kind::Text, 30).full_only(),
        record((8, 0x20, 32), "联系人关系3", "Contact 3 relation", Kind::Digits, 1).coded(&RELATIONS).full_only(),
        record((9, 0x21, 33), "联系人电话3", "Contact 3 phone", Kind::Text, 20).full_only(),
    ];
}

/// Education, marriage, occupation (职业婚姻信息文件).
pub mod ef07 {
    use super::*;

    /// The file.
    pub static FILE: File =
        file(0xEF07, "职业婚姻信息文件", "Education, marriage and occupation", &ELEMENTS);

    #[rustfmt::skip]
    static ELEMENTS: [Element; 3] = [
        record((1, 0x22, 34), "文化程度代码", "Education", Kind::Digits, 1).coded(&EDUCATION),
        record((2, 0x23, 35), "婚姻状况代码", "Marriage", Kind::Digits, 1).coded(&MARRIAGE),
        record((3, 0x24, 36), "职业代码", "Occupation", Kind::Text, 3).coded(&OCCUPATIONS),
    ];
}

/// Documents (证件记录信息文件).
pub mod ef08 {
    use super::*;

    /// The file.
    pub static FILE: File = file(0xEF08, "证件记录信息文件", "Documents", &ELEMENTS);

    #[rustfmt::skip]
    static ELEMENTS: [Element; 4] = [
        record((1, 0x25, 37), "证件类别", "Document class", Kind::Digits, 1).coded(&DOCUMENTS).full_only(),
        record((2, 0x26, 38), "证件号码", "Document number", Kind::Text, 18).full_only(),
        record((3, 0x27, 39), "健康档案编号", "Health record number", Kind::Text, 17),
        record((4, 0x28, 40), "新农合证(卡)号", "Rural insurance number", Kind::Text, 18),
    ];
}
