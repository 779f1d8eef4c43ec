//! What a refusal is missing, and who can grant it: said to people, in both languages.

use super::Denial;

/// What a refusal is missing, and who can grant it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The missing step (中文).
    pub missing_zh: &'static str,
    /// The missing step.
    pub missing_en: &'static str,
    /// Who can grant it (中文).
    pub grantor_zh: &'static str,
    /// Who can grant it.
    pub grantor_en: &'static str,
}

impl Denial {
    /// What is missing, and who can grant it.
    #[must_use]
    pub fn explain(self) -> Explanation {
        let [missing_zh, missing_en, grantor_zh, grantor_en] = match self {
            Self::Role => [
                "具有此权限的角色",
                "a role that may do this",
                "系统管理员",
                "an operator of the service",
            ],
            Self::OtherInstitution => [
                "在本机构办理的就诊",
                "a visit at your own institution",
                "本机构窗口",
                "the desk of your institution",
            ],
            Self::VisitClosed => [
                "进行中的就诊",
                "a visit that is open",
                "本机构窗口",
                "the desk of your institution",
            ],
            Self::Purpose => [
                "当前角色可用的访问目的",
                "a purpose that your role may use",
                "机构的授权规则负责人",
                "whoever keeps the institution's rules",
            ],
            Self::NoRelation => [
                "与该居民的诊疗关系：被登记为接诊人员，或属于就诊科室",
                "a treatment relation: named as attending, or working in the visit's department",
                "办理就诊的窗口，或就诊科室负责人",
                "the desk that opened the visit, or the head of its department",
            ],
            Self::RegisteredElsewhere => [
                "居民本人持卡到场，或由登记机构办理",
                "the resident's card in the reader, or the institution that registered them",
                "居民本人，或登记机构的窗口",
                "the resident, or the desk of that institution",
            ],
            Self::Class => [
                "该类数据的授权规则",
                "a rule that covers this class of data",
                "机构的授权规则负责人",
                "whoever keeps the institution's rules",
            ],
            Self::Grade { .. } => [
                "更高数据级别的授权规则",
                "a rule that covers this grade of data",
                "机构的授权规则负责人",
                "whoever keeps the institution's rules",
            ],
        };
        Explanation { missing_zh, missing_en, grantor_zh, grantor_en }
    }
}
