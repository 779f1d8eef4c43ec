//! What the words of rules are called, in both languages.

use crate::vocabulary::{DataClass, Frame, Mask, Purpose, Relation, Role};

/// A word with a label for people.
pub(super) trait Labelled {
    /// In Chinese and in English.
    fn label(&self) -> (&'static str, &'static str);
}

impl Labelled for Role {
    fn label(&self) -> (&'static str, &'static str) {
        match self {
            Self::Operator => ("管理员", "operator"),
            Self::Clerk => ("窗口人员", "clerk"),
            Self::Desk => ("窗口设备", "desk"),
            Self::Doctor => ("医师", "doctor"),
            Self::Nurse => ("护士", "nurse"),
            Self::Auditor => ("审计员", "auditor"),
            Self::System => ("机构系统", "system"),
            Self::Researcher => ("科研人员", "researcher"),
        }
    }
}

impl Labelled for Purpose {
    fn label(&self) -> (&'static str, &'static str) {
        match self {
            Self::Treatment => ("诊疗", "treatment"),
            Self::Payment => ("支付结算", "payment"),
            Self::Operations => ("运营管理", "operations"),
            Self::PatientRequest => ("本人请求", "the resident's own request"),
            Self::Emergency => ("紧急救治", "emergency treatment"),
            Self::Research => ("科研", "research"),
        }
    }
}

impl Labelled for DataClass {
    fn label(&self) -> (&'static str, &'static str) {
        match self {
            Self::Personal => ("个人属性", "personal"),
            Self::Health => ("健康状况", "health"),
            Self::Care => ("医疗应用", "care"),
            Self::Payment => ("医疗支付", "payment"),
            Self::Resources => ("卫生资源", "resources"),
            Self::PublicHealth => ("公共卫生", "public health"),
        }
    }
}

impl Labelled for Relation {
    fn label(&self) -> (&'static str, &'static str) {
        match self {
            Self::Attending => ("被登记为接诊人员", "named as attending"),
            Self::Department => ("属于就诊科室", "working in the visit's department"),
            Self::Referral => {
                ("由保管机构转诊而来", "a referral by the institution that keeps the data")
            }
            Self::FamilyDoctor => ("签约家庭医生", "a contract with the family doctor"),
            Self::Consent => ("居民的授权确认", "the resident's consent"),
            Self::Emergency => ("紧急访问", "an emergency access"),
            Self::Resident => ("居民本人", "being the resident"),
            Self::Guardian => (
                "登记在册、可代为同意的监护人",
                "being on record as a guardian who may consent for them",
            ),
        }
    }
}

impl Labelled for Frame {
    fn label(&self) -> (&'static str, &'static str) {
        match self {
            Self::Visit => ("就诊", "visit"),
            Self::Consent => ("授权确认", "consent"),
            Self::Emergency => ("紧急访问", "emergency access"),
        }
    }
}

impl Labelled for Mask {
    fn label(&self) -> (&'static str, &'static str) {
        match self {
            Self::None => ("不脱敏", "unmasked"),
            Self::Partial => ("部分脱敏", "partly masked"),
            Self::Full => ("完全脱敏", "without anything that says who it is"),
        }
    }
}

/// The labels one after the other, in both languages.
pub(super) fn list<W: Labelled>(words: &[W], between: [&str; 2]) -> [String; 2] {
    let (zh, en): (Vec<_>, Vec<_>) = words.iter().map(Labelled::label).unzip();
    [zh.join(between[0]), en.join(between[1])]
}
