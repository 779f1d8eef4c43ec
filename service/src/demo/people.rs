//! Who plays in the demo. Nobody exists: the region 990000 of the ID numbers is assigned to no place (GB/T 2260),
//! the phones begin with three zeros, and the names say what they are.

/// A resident with a health card.
#[derive(Clone, Copy, Debug)]
pub struct Resident {
    /// Name of files about this resident.
    pub key: &'static str,
    /// 姓名
    pub name: &'static str,
    /// 公民身份号码
    pub id_number: &'static str,
    /// 本人电话
    pub phone: &'static str,
    /// Ethnic group (民族), GB 3304-1991.
    pub ethnic_group: u32,
    /// YYYY-MM-DD, which the ID number repeats.
    pub birth_date: &'static str,
    /// Issuing serial of the card (发卡序列号).
    pub chip_serial: &'static str,
    /// Diversification factor of the card: eight bytes, hexadecimal.
    pub card_factor: &'static str,
}

/// The patient of the demo.
pub const PATIENT: Resident = Resident {
    key: "patient",
    name: "张演示",
    id_number: "990000194906120015",
    phone: "00099900017",
    ethnic_group: 1,
    birth_date: "1949-06-12",
    chip_serial: "9900000001",
    card_factor: "9900000000000001",
};

/// Somebody else, whose card is not the patient's.
pub const SOMEBODY_ELSE: Resident = Resident {
    key: "somebody-else",
    name: "李样例",
    id_number: "990000198802290026",
    phone: "00099900025",
    ethnic_group: 11,
    birth_date: "1988-02-29",
    chip_serial: "9900000002",
    card_factor: "9900000000000002",
};

/// The hospital (医疗机构).
#[derive(Clone, Copy, Debug)]
pub struct Institution {
    /// 统一社会信用代码
    pub credit_code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// 行政区划代码
    pub region: &'static str,
}

/// The only institution of the demo.
pub const HOSPITAL: Institution =
    Institution {
        credit_code: "12999999123456788W", name: "虚构县人民医院", region: "990000"
    };

/// Somebody, or something, that works at the hospital.
#[derive(Clone, Copy, Debug)]
pub struct Staff {
    /// Name of the directory with key and certificate.
    pub key: &'static str,
    /// Role as the command line spells it.
    pub role: &'static str,
    /// Name, or label of a device or system.
    pub name: &'static str,
    /// 工号
    pub number: &'static str,
    /// Department (科室); empty for those who treat nobody.
    pub department: &'static str,
    /// What to call this one in Chinese.
    pub zh: &'static str,
    /// And in English.
    pub en: &'static str,
}

/// Department of the visit.
pub const DEPARTMENT: &str = "内科";

/// Front desk (窗口人员): registers residents and cards.
pub const CLERK: Staff = Staff {
    key: "clerk",
    role: "clerk",
    name: "钱窗口",
    number: "C001",
    department: "",
    zh: "窗口人员",
    en: "clerk",
};

/// The desk's device (窗口设备): relays cards, opens visits.
pub const DESK: Staff = Staff {
    key: "desk",
    role: "desk",
    name: "一号窗口",
    number: "K001",
    department: "",
    zh: "窗口设备",
    en: "desk",
};

/// The treating doctor (接诊医师).
pub const DOCTOR: Staff = Staff {
    key: "doctor",
    role: "doctor",
    name: "孙医师",
    number: "D001",
    department: DEPARTMENT,
    zh: "接诊医师",
    en: "treating doctor",
};

/// A doctor of another department, with no relation to the patient.
pub const COLLEAGUE: Staff = Staff {
    key: "colleague",
    role: "doctor",
    name: "周医师",
    number: "D002",
    department: "骨科",
    zh: "无关医师",
    en: "unrelated doctor",
};

/// Auditor (审计员).
pub const AUDITOR: Staff = Staff {
    key: "auditor",
    role: "auditor",
    name: "吴审计",
    number: "A001",
    department: "",
    zh: "审计员",
    en: "auditor",
};

/// The system that keeps the records (电子病历系统).
pub const RECORDS: Staff = Staff {
    key: "emr",
    role: "system",
    name: "示例病历",
    number: "S001",
    department: "",
    zh: "病历系统",
    en: "EMR system",
};

/// All staff, in the order in which they are put on record.
pub const STAFF: [Staff; 6] = [CLERK, DESK, DOCTOR, COLLEAGUE, AUDITOR, RECORDS];
