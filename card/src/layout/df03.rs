//! Records of visits and their indexes (DF03). All of it is read with RK1_DF03; bodies are written
//! and index entries set valid with UK1_DF03, set invalid with UK2_DF03.

use crate::codes::{
    ANAESTHESIA, DRUG_FORMS, DRUG_ROUTES, INDEX_FLAGS, OUTCOMES, OUTPATIENT_FEES, PAYMENTS,
    SEROLOGY_ITEMS, SEROLOGY_RESULTS, TEST_RESULTS, TRANSFUSIONS, WOUND_HEALING,
};
use crate::key::CardKey;
use crate::layout::{
    Access, Directory, Element, File, FileName, Kind, Reduced, Section, Structure, at, once, times,
};

const fn file(
    id: u16,
    zh: &'static str,
    en: &'static str,
    structure: Structure,
    erase: Access,
    reduced: Reduced,
) -> File {
    File {
        name: FileName::of(Directory::Df03, id),
        zh,
        en,
        structure,
        read: Access::Key(CardKey::Rk1Df03),
        update: Access::Key(CardKey::Uk1Df03),
        erase,
        reduced,
    }
}

/// An index: record *n* says whether the *n*-th body is valid. 16K cards have two records.
const fn index(
    id: u16,
    zh: &'static str,
    en: &'static str,
    records: u8,
    elements: &'static [Element],
) -> File {
    let structure = Structure::Fixed { records, reduced_records: 2, elements };
    file(id, zh, en, structure, Access::Key(CardKey::Uk2Df03), Reduced::Kept)
}

/// A body; 16K cards have the first two of each kind.
const fn body(
    id: u16,
    zh: &'static str,
    en: &'static str,
    size: u16,
    sections: &'static [Section],
) -> File {
    let reduced = match id & 0x0F {
        1 | 2 => Reduced::Kept,
        _ => Reduced::Absent,
    };
    file(id, zh, en, Structure::Transparent { size, sections }, Access::Never, reduced)
}

/// Inpatient index (住院信息索引文件).
pub mod ef05 {
    use super::*;

    /// The file.
    pub static FILE: File = index(0xEF05, "住院信息索引文件", "Inpatient index", 3, &ELEMENTS);

    #[rustfmt::skip]
    static ELEMENTS: [Element; 1] =
        [at((0, 62), "住院记录标识", "Inpatient record", Kind::Bytes, 1).coded(&INDEX_FLAGS)];
}

/// Outpatient index (门诊信息索引文件).
pub mod ef06 {
    use super::*;

    /// The file.
    pub static FILE: File = index(0xEF06, "门诊信息索引文件", "Outpatient index", 5, &ELEMENTS);

    #[rustfmt::skip]
    static ELEMENTS: [Element; 1] =
        [at((0, 63), "门诊记录标识", "Outpatient record", Kind::Bytes, 1).coded(&INDEX_FLAGS)];
}

/// Inpatient records (住院信息文件), EE01 to EE03.
pub mod inpatient {
    use super::*;

    /// Size of a file in bytes.
    pub const SIZE: u16 = 1893;

    /// The files.
    pub static FILES: [File; 3] = [
        body(0xEE01, "住院信息文件1", "Inpatient record 1", SIZE, &SECTIONS),
        body(0xEE02, "住院信息文件2", "Inpatient record 2", SIZE, &SECTIONS),
        body(0xEE03, "住院信息文件3", "Inpatient record 3", SIZE, &SECTIONS),
    ];

    /// Transaction signature (交易信息签名): over all bytes before it.
    #[rustfmt::skip]
    pub const SIGNATURE: Element = at((1639, 211), "交易信息签名", "Transaction signature", Kind::Bytes, 64).full_only();
    /// SAM certificate (SAM卡证书) of the signer.
    #[rustfmt::skip]
    pub const CERTIFICATE: Element = at((1703, 212), "SAM卡证书", "SAM certificate", Kind::Bytes, 190).full_only();

    static SECTIONS: [Section; 6] = [
        once(&ADMISSION),
        times(3, 247, &DIAGNOSIS),
        times(4, 13, &TRANSFUSION),
        once(&DISCHARGE),
        times(20, 26, &FEE),
        once(&TOTALS),
    ];

    #[rustfmt::skip]
    static ADMISSION: [Element; 9] = [
        at((0, 64), "住院机构名称", "Institution", Kind::Text, 70),
        at((70, 65), "住院机构组织机构代码", "Institution code", Kind::Text, 10),
        at((80, 66), "入院日期", "Admitted on", Kind::Date, 4),
        at((84, 67), "住院次数", "Number of admissions", Kind::Digits, 2),
        at((86, 68), "病案号", "Record number", Kind::Text, 18),
        at((104, 69), "入院科室名称", "Admitting department", Kind::Text, 50),
        at((154, 70), "入院病情", "Condition at admission", Kind::Digits, 1),
        at((155, 71), "医院感染名称", "Hospital infection", Kind::Text, 50),
        at((205, 72), "损伤和中毒外部原因", "External cause", Kind::Text, 7),
    ];

    #[rustfmt::skip]
    static DIAGNOSIS: [Element; 16] = [
        at((212, 73), "血清学检查项目代码", "Serology item", Kind::Digits, 1).coded(&SEROLOGY_ITEMS),
        at((213, 74), "血清学检查结果代码", "Serology result", Kind::Digits, 1).coded(&SEROLOGY_RESULTS),
        at((214, 75), "疾病诊断名称", "Diagnosis", Kind::Text, 50),
        at((264, 76), "疾病诊断代码", "Diagnosis code", Kind::Text, 7),
        at((271, 77), "确诊日期", "Diagnosed on", Kind::Date, 4),
        at((275, 78), "诊断符合情况-详细描述", "Agreement", Kind::Text, 20),
        at((295, 79), "诊断符合情况代码", "Agreement code", Kind::Digits, 1),
        at((296, 80), "疾病诊断类型-详细描述", "Diagnosis type", Kind::Text, 20),
        at((316, 81), "疾病诊断类型代码", "Diagnosis type code", Kind::Digits, 1),
        at((317, 82), "治疗结果代码", "Outcome", Kind::Digits, 1).coded(&OUTCOMES),
        at((318, 83), "手术/操作-名称", "Operation", Kind::Text, 80),
        at((398, 84), "手术/操作-代码", "Operation code", Kind::Text, 5),
        at((403, 85), "手术/操作-日期", "Operated on", Kind::Date, 4),
        at((407, 86), "麻醉-方法", "Anaesthesia", Kind::Text, 50),
        at((457, 87), "麻醉-方法代码", "Anaesthesia code", Kind::Digits, 1).coded(&ANAESTHESIA),
        at((458, 88), "切口愈合等级代码", "Wound healing", Kind::Digits, 1).coded(&WOUND_HEALING),
    ];

    #[rustfmt::skip]
    static TRANSFUSION: [Element; 3] = [
        at((953, 121), "输血品种代码", "Transfusion kind", Kind::Digits, 1).coded(&TRANSFUSIONS),
        at((954, 122), "输血量", "Transfusion amount", Kind::Digits, 2),
        at((956, 123), "输血计量单位", "Transfusion unit", Kind::Text, 10),
    ];

    #[rustfmt::skip]
    static DISCHARGE: [Element; 8] = [
        at((1005, 133), "抢救次数", "Rescues", Kind::Digits, 2),
        at((1007, 134), "抢救成功次数", "Successful rescues", Kind::Digits, 2),
        at((1009, 135), "出院日期", "Discharged on", Kind::Date, 4),
        at((1013, 136), "出院科室名称", "Discharging department", Kind::Text, 50),
        at((1063, 137), "住院天数", "Days", Kind::Digits, 3),
        at((1066, 138), "尸检标志", "Autopsy", Kind::Flag, 1),
        at((1067, 139), "随诊标志", "Follow-up", Kind::Flag, 1),
        at((1068, 140), "医疗付款方式代码", "Payment", Kind::Digits, 1).coded(&PAYMENTS),
    ];

    #[rustfmt::skip]
    static FEE: [Element; 3] = [
        at((1069, 141), "住院费用分类", "Fee class", Kind::Text, 20),
        at((1089, 142), "住院费用分类代码", "Fee class code", Kind::Text, 1),
        at((1090, 143), "住院费用金额", "Fee", Kind::Amount, 5),
    ];

    #[rustfmt::skip]
    static TOTALS: [Element; 12] = [
        at((1589, 201), "总费用", "Total fee", Kind::Amount, 5),
        at((1594, 202), "床位费", "Bed fee", Kind::Amount, 5),
        at((1599, 203), "护理费", "Nursing fee", Kind::Amount, 5),
        at((1604, 204), "西药费", "Western drug fee", Kind::Amount, 5),
        at((1609, 205), "中药费", "Chinese drug fee", Kind::Amount, 5),
        at((1614, 206), "化验费", "Laboratory fee", Kind::Amount, 5),
        at((1619, 207), "诊疗费", "Treatment fee", Kind::Amount, 5),
        at((1624, 208), "手术费", "Surgery fee", Kind::Amount, 5),
        at((1629, 209), "检查费", "Examination fee", Kind::Amount, 5),
        at((1634, 210), "其他费", "Other fee", Kind::Amount, 5),
        SIGNATURE,
        CERTIFICATE,
    ];
}

/// Outpatient records (门诊信息文件), ED01 to ED05.
pub mod outpatient {
    use super::*;

    /// Size of a file in bytes.
    pub const SIZE: u16 = 3267;

    /// The files.
    pub static FILES: [File; 5] = [
        body(0xED01, "门诊信息文件1", "Outpatient record 1", SIZE, &SECTIONS),
        body(0xED02, "门诊信息文件2", "Outpatient record 2", SIZE, &SECTIONS),
        body(0xED03, "门诊信息文件3", "Outpatient record 3", SIZE, &SECTIONS),
        body(0xED04, "门诊信息文件4", "Outpatient record 4", SIZE, &SECTIONS),
        body(0xED05, "门诊信息文件5", "Outpatient record 5", SIZE, &SECTIONS),
    ];

    /// Transaction signature (交易信息签名): over all bytes before it.
    #[rustfmt::skip]
    pub const SIGNATURE: Element = at((3013, 383), "交易信息签名", "Transaction signature", Kind::Bytes, 64).full_only();
    /// SAM certificate (SAM卡证书) of the signer.
    #[rustfmt::skip]
    pub const CERTIFICATE: Element = at((3077, 384), "SAM卡证书", "SAM certificate", Kind::Bytes, 190).full_only();

    static SECTIONS: [Section; 7] = [
        once(&VISIT),
        times(5, 125, &SYMPTOM),
        times(10, 126, &TEST),
        times(5, 91, &DRUG),
        times(3, 89, &OPERATION),
        times(10, 25, &FEE),
        once(&PROOF),
    ];

    #[rustfmt::skip]
    static VISIT: [Element; 6] = [
        at((0, 213), "就诊机构名称", "Institution", Kind::Text, 70),
        at((70, 214), "就诊机构组织机构代码", "Institution code", Kind::Text, 10),
        at((80, 215), "就诊日期时间", "Visited at", Kind::DateTime, 7),
        at((87, 216), "门诊号", "Outpatient number", Kind::Text, 18),
        at((105, 217), "就医科室名称", "Department", Kind::Text, 50),
        at((155, 218), "医疗付款方式", "Payment", Kind::Digits, 1).coded(&PAYMENTS),
    ];

    #[rustfmt::skip]
    static SYMPTOM: [Element; 7] = [
        at((156, 219), "症状名称", "Symptom", Kind::Text, 50),
        at((206, 220), "症状代码", "Symptom code", Kind::Text, 5),
        at((211, 221), "诊断日期", "Diagnosed on", Kind::Date, 4),
        at((215, 222), "门诊诊断名称", "Diagnosis", Kind::Text, 50),
        at((265, 223), "门诊诊断代码", "Diagnosis code", Kind::Text, 7),
        at((272, 224), "发病日期时间", "Onset at", Kind::DateTime, 7),
        at((279, 225), "症状持续时间", "Duration in minutes", Kind::Digits, 2),
    ];

    #[rustfmt::skip]
    static TEST: [Element; 5] = [
        at((781, 254), "检查/检验项目名称", "Test", Kind::Text, 80),
        at((861, 255), "检查/检验结果代码", "Test result", Kind::Digits, 1).coded(&TEST_RESULTS),
        at((862, 256), "检查/检验定量结果", "Test value", Kind::Amount, 5),
        at((867, 257), "检查/检验计量单位", "Test unit", Kind::Text, 20),
        at((887, 258), "检查/检验项目代码", "Test code", Kind::Text, 20),
    ];

    #[rustfmt::skip]
    static DRUG: [Element; 8] = [
        at((2041, 304), "药物名称", "Drug", Kind::Text, 50),
        at((2091, 305), "药物剂型代码", "Drug form", Kind::Digits, 1).coded(&DRUG_FORMS),
        at((2092, 306), "用药天数", "Drug days", Kind::Digits, 3),
        at((2095, 307), "药物使用频率", "Drug frequency", Kind::Text, 20),
        at((2115, 308), "药物使用剂量单位", "Dose unit", Kind::Text, 6),
        at((2121, 309), "药物使用次剂量", "Dose", Kind::Amount, 3),
        at((2124, 310), "药物使用总剂量", "Total dose", Kind::Amount, 6),
        at((2130, 311), "药物使用途径代码", "Drug route", Kind::Digits, 2).coded(&DRUG_ROUTES),
    ];

    #[rustfmt::skip]
    static OPERATION: [Element; 3] = [
        at((2496, 344), "手术/操作名称", "Operation", Kind::Text, 80),
        at((2576, 345), "手术/操作代码", "Operation code", Kind::Text, 5),
        at((2581, 346), "手术/操作日期", "Operated on", Kind::Date, 4),
    ];

    #[rustfmt::skip]
    static FEE: [Element; 3] = [
        at((2763, 353), "门诊费用分类名称", "Fee class", Kind::Text, 20),
        at((2783, 354), "门诊费用分类代码", "Fee class code", Kind::Digits, 1).coded(&OUTPATIENT_FEES),
        at((2784, 355), "门诊费用金额", "Fee", Kind::Amount, 4),
    ];

    static PROOF: [Element; 2] = [SIGNATURE, CERTIFICATE];
}
