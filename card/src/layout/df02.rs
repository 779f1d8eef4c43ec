//! Clinical basics, alerts, allergies, immunisations (DF02). All of it is read with RK1_DF02.

use crate::codes::{ABO_GROUPS, RH_GROUPS};
use crate::key::CardKey;
use crate::layout::{
    Access, Directory, Element, File, FileName, Kind, Reduced, Structure, at, record,
};

const fn file(
    id: u16,
    zh: &'static str,
    en: &'static str,
    structure: Structure,
    update: CardKey,
) -> File {
    File {
        name: FileName::of(Directory::Df02, id),
        zh,
        en,
        structure,
        read: Access::Key(CardKey::Rk1Df02),
        update: Access::Key(update),
        erase: Access::Never,
        reduced: Reduced::Kept,
    }
}

/// Clinical basics (临床基本数据文件).
pub mod ef05 {
    use super::*;

    /// The file.
    pub static FILE: File = file(
        0xEF05,
        "临床基本数据文件",
        "Clinical basics",
        Structure::Variable(&ELEMENTS),
        CardKey::Uk1Df02,
    );

    #[rustfmt::skip]
    static ELEMENTS: [Element; 15] = [
        record((1, 0x29, 41), "ABO血型代码", "ABO group", Kind::Bytes, 1).coded(&ABO_GROUPS),
        record((2, 0x2A, 42), "RH血型代码", "Rh group", Kind::Digits, 1).coded(&RH_GROUPS),
        record((3, 0x2B, 43), "哮喘标志", "Asthma", Kind::Flag, 1),
        record((4, 0x2C, 44), "心脏病标志", "Heart disease", Kind::Flag, 1),
        record((5, 0x2D, 45), "心脑血管病标志", "Cardio- and cerebrovascular disease", Kind::Flag, 1),
        record((6, 0x2E, 46), "癫痫病标志", "Epilepsy", Kind::Flag, 1),
        record((7, 0x2F, 47), "凝血紊乱标志", "Coagulation disorder", Kind::Flag, 1),
        record((8, 0x30, 48), "糖尿病标志", "Diabetes", Kind::Flag, 1),
        record((9, 0x31, 49), "青光眼标志", "Glaucoma", Kind::Flag, 1),
        record((10, 0x32, 50), "透析标志", "Dialysis", Kind::Flag, 1),
        record((11, 0x33, 51), "器官移植标志", "Organ transplant", Kind::Flag, 1),
        record((12, 0x34, 52), "器官缺失标志", "Organ missing", Kind::Flag, 1),
        record((13, 0x35, 53), "可装卸的义肢标志", "Removable prosthesis", Kind::Flag, 1),
        record((14, 0x36, 54), "心脏起搏器标志", "Pacemaker", Kind::Flag, 1),
        record((15, 0x37, 55), "其他医学警示名称", "Other alerts", Kind::Text, 40).full_only(),
    ];
}

/// Special information (特殊信息数据文件).
pub mod ef06 {
    use super::*;

    /// The file.
    pub static FILE: File = file(
        0xEF06,
        "特殊信息数据文件",
        "Special information",
        Structure::Variable(&ELEMENTS),
        CardKey::Uk2Df02,
    );

    #[rustfmt::skip]
    static ELEMENTS: [Element; 1] =
        [record((1, 0x38, 56), "精神病标志", "Mental illness", Kind::Flag, 1)];
}

/// Allergies (过敏基本数据文件).
pub mod ef07 {
    use super::*;

    /// The file.
    pub static FILE: File = file(
        0xEF07,
        "过敏基本数据文件",
        "Allergies",
        Structure::Cyclic { records: 3, elements: &ELEMENTS },
        CardKey::Uk3Df02,
    );

    #[rustfmt::skip]
    static ELEMENTS: [Element; 2] = [
        at((0, 58), "过敏物质名称", "Allergen", Kind::Text, 20),
        at((20, 59), "过敏反应", "Reaction", Kind::Text, 100),
    ];
}

/// Immunisations (免疫基本数据文件).
pub mod ef08 {
    use super::*;

    /// The file. Ten records: one source says three, two say ten.
    pub static FILE: File = file(
        0xEF08,
        "免疫基本数据文件",
        "Immunisations",
        Structure::Cyclic { records: 10, elements: &ELEMENTS },
        CardKey::Uk3Df02,
    );

    #[rustfmt::skip]
    static ELEMENTS: [Element; 2] = [
        at((0, 60), "免疫接种名称", "Vaccine", Kind::Text, 20),
        at((20, 61), "免疫接种时间", "Vaccinated on", Kind::Date, 4),
    ];
}
