//! What a refusal is missing, and who can grant it: said to people, in both languages.

use std::borrow::Cow;

use super::{Denial, words::list};

/// What a refusal is missing, and who can grant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The missing step (中文).
    pub missing_zh: Cow<'static, str>,
    /// The missing step.
    pub missing_en: Cow<'static, str>,
    /// Who can grant it (中文).
    pub grantor_zh: Cow<'static, str>,
    /// Who can grant it.
    pub grantor_en: Cow<'static, str>,
}

impl Denial {
    /// What is missing, and who can grant it.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let fixed = |[missing_zh, missing_en, grantor_zh, grantor_en]: [&'static str; 4]| {
            let [missing_zh, missing_en, grantor_zh, grantor_en] =
                [missing_zh, missing_en, grantor_zh, grantor_en].map(Cow::Borrowed);
            Explanation { missing_zh, missing_en, grantor_zh, grantor_en }
        };
        const RULES_ZH: &str = "机构的授权规则负责人";
        const RULES_EN: &str = "whoever keeps the institution's rules";
        const DESK_ZH: &str = "本机构窗口";
        const DESK_EN: &str = "the desk of your institution";
        match self {
            Self::Role => fixed([
                "具有此权限的角色",
                "a role that may do this",
                "系统管理员",
                "an operator of the service",
            ]),
            Self::OtherInstitution => {
                fixed(["在本机构办理的就诊", "a visit at your own institution", DESK_ZH, DESK_EN])
            }
            Self::VisitClosed => fixed(["进行中的就诊", "a visit that is open", DESK_ZH, DESK_EN]),
            Self::Purpose => fixed([
                "当前角色可用的访问目的",
                "a purpose that your role may use",
                RULES_ZH,
                RULES_EN,
            ]),
            // No relation would do: the rules ask for something else that is not there.
            Self::NoRelation(would) if would.is_empty() => fixed([
                "当前角色可用的诊疗关系",
                "a relation that lets your role see it",
                RULES_ZH,
                RULES_EN,
            ]),
            Self::NoRelation(would) => {
                let [zh, en] = list(would, ["，或", ", or "]);
                let missing_zh = format!("与该居民的诊疗关系：{zh}").into();
                let missing_en = format!("a treatment relation: {en}").into();
                let grantors = fixed([
                    "",
                    "",
                    "办理就诊的窗口，或就诊科室负责人",
                    "the desk that opened the visit, or the head of its department",
                ]);
                Explanation { missing_zh, missing_en, ..grantors }
            }
            Self::RegisteredElsewhere => fixed([
                "居民本人持卡到场，或由登记机构办理",
                "the resident's card in the reader, or the institution that registered them",
                "居民本人，或登记机构的窗口",
                "the resident, or the desk of that institution",
            ]),
            Self::Class(classes) if classes.is_empty() => fixed([
                "能同时涵盖所求各类数据的授权规则",
                "a rule that covers these classes of data together",
                RULES_ZH,
                RULES_EN,
            ]),
            Self::Class(classes) => {
                let [zh, en] = list(classes, ["，或", ", or "]);
                let missing_zh = format!("涵盖此类数据的授权规则：{zh}").into();
                let missing_en = format!("a rule that covers this class of data: {en}").into();
                Explanation { missing_zh, missing_en, ..fixed(["", "", RULES_ZH, RULES_EN]) }
            }
            Self::Grade { most } => {
                let missing_zh = format!("高于 {most} 级数据的授权规则").into();
                let missing_en = format!("a rule that covers data above grade {most}").into();
                Explanation { missing_zh, missing_en, ..fixed(["", "", RULES_ZH, RULES_EN]) }
            }
            Self::Forbidden(rule) => match &rule.missing {
                Some(missing) => missing.clone(),
                None => Self::Role.explain(),
            },
        }
    }
}
