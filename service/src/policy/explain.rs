//! What a refusal is missing, and who can grant it: said to people, in both languages.

use std::borrow::Cow;

use super::{
    Denial,
    words::{Labelled as _, list},
};
use crate::vocabulary::{Frame, Relation};

const DESK_ZH: &str = "本机构窗口";
const DESK_EN: &str = "the desk of your institution";

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
            Self::RecordsElsewhere => fixed([
                "能查看外机构所保管数据的授权规则",
                "a rule by which your role sees what another institution keeps",
                RULES_ZH,
                RULES_EN,
            ]),
            Self::VisitClosed => fixed(["进行中的就诊", "a visit that is open", DESK_ZH, DESK_EN]),
            Self::Purpose => fixed([
                "当前角色可用的访问目的",
                "a purpose that your role may use",
                RULES_ZH,
                RULES_EN,
            ]),
            Self::Frame(frames) => within(frames),
            // No relation would do: the rules ask for something else that is not there.
            Self::NoRelation(would) if would.is_empty() => fixed([
                "当前角色可用的诊疗关系",
                "a relation that lets your role see it",
                RULES_ZH,
                RULES_EN,
            ]),
            Self::NoRelation(would) => tied(would, None),
            Self::RegisteredElsewhere => fixed([
                "居民本人持卡到场，或由登记机构办理",
                "the resident's card in the reader, or the institution that registered them",
                "居民本人，或登记机构的窗口",
                "the resident, or the desk of that institution",
            ]),
            Self::Class { opened_by, .. } if !opened_by.is_empty() => {
                tied(opened_by, Some(&self.without_relations()))
            }
            Self::Grade { opened_by, .. } if !opened_by.is_empty() => {
                tied(opened_by, Some(&self.without_relations()))
            }
            Self::Class { classes, .. } if classes.is_empty() => fixed([
                "能同时涵盖所求各类数据的授权规则",
                "a rule that covers these classes of data together",
                RULES_ZH,
                RULES_EN,
            ]),
            Self::Class { classes, .. } => {
                let [zh, en] = list(classes, ["，或", ", or "]);
                let missing_zh = format!("涵盖此类数据的授权规则：{zh}").into();
                let missing_en = format!("a rule that covers this class of data: {en}").into();
                Explanation { missing_zh, missing_en, ..fixed(["", "", RULES_ZH, RULES_EN]) }
            }
            Self::Grade { most, .. } => {
                let missing_zh = format!("高于 {most} 级数据的授权规则").into();
                let missing_en = format!("a rule that covers data above grade {most}").into();
                Explanation { missing_zh, missing_en, ..fixed(["", "", RULES_ZH, RULES_EN]) }
            }
            Self::AccountOverdue => fixed([
                "对此前紧急访问的书面说明（healthcard emergency account）",
                "a written account of an earlier emergency access (`healthcard emergency account`)",
                "医护人员本人",
                "you, who began it",
            ]),
            Self::Objected => fixed([
                "居民撤回其拒绝",
                "that the resident withdraws their objection",
                "居民本人或其监护人，在窗口办理",
                "the resident or their guardian, at a desk",
            ]),
            Self::Forbidden(rule) => match &rule.missing {
                Some(missing) => missing.clone(),
                None => Self::Role.explain(),
            },
        }
    }

    /// What is refused for its data alone, as if no relation opened it.
    fn without_relations(&self) -> Self {
        let mut alone = self.clone();
        if let Self::Class { opened_by, .. } | Self::Grade { opened_by, .. } = &mut alone {
            opened_by.clear();
        }
        alone
    }
}

/// Any of these is missing: what data are open within for this purpose.
fn within(frames: &[Frame]) -> Explanation {
    let told = frames.iter().map(|frame| match frame {
        Frame::Visit => (
            ("在本机构办理、进行中的就诊", "an open visit at your own institution"),
            (DESK_ZH, DESK_EN),
        ),
        Frame::Consent => (
            (
                "居民为此目的给您的授权确认（healthcard token issue --consent）",
                "the resident's consent to you for this purpose (`healthcard token issue --consent`)",
            ),
            grantor(Relation::Consent),
        ),
        Frame::Emergency => (
            (
                "您本人已开始的紧急访问（healthcard emergency begin）",
                "an emergency access that you have begun (`healthcard emergency begin`)",
            ),
            grantor(Relation::Emergency),
        ),
    });
    let (missing, grantors): ((Vec<_>, Vec<_>), (Vec<_>, Vec<_>)) = told.unzip();
    Explanation {
        missing_zh: missing.0.join("，或").into(),
        missing_en: missing.1.join(", or ").into(),
        grantor_zh: grantors.0.join("；或").into(),
        grantor_en: grantors.1.join("; or ").into(),
    }
}

/// Any of these relations is missing, or else what `rule` says.
fn tied(relations: &[Relation], rule: Option<&Denial>) -> Explanation {
    let ties = relations.iter().map(|relation| match relation {
        // There may be one, and not for this.
        Relation::Consent => {
            ("涵盖此次所求的居民的授权确认", "the resident's consent to just this")
        }
        relation => relation.label(),
    });
    let (ties_zh, ties_en): (Vec<_>, Vec<_>) = ties.unzip();
    let (ties_zh, ties_en) = (ties_zh.join("，或"), ties_en.join(", or "));
    let mut grantors: Vec<(Cow<'static, str>, Cow<'static, str>)> = Vec::new();
    for relation in relations {
        let (zh, en) = grantor(*relation);
        if !grantors.iter().any(|(known, _)| known == zh) {
            grantors.push((zh.into(), en.into()));
        }
    }
    let (missing_zh, missing_en) = match rule.map(Denial::explain) {
        None => {
            (format!("与该居民的关系：{ties_zh}"), format!("a tie to this resident: {ties_en}"))
        }
        Some(rule) => {
            grantors.push((rule.grantor_zh, rule.grantor_en));
            (
                format!("{ties_zh}，或{}", rule.missing_zh),
                format!("{ties_en}, or {}", rule.missing_en),
            )
        }
    };
    // Semicolons: a grantor may have commas of its own.
    let (zh, en): (Vec<_>, Vec<_>) = grantors.into_iter().unzip();
    Explanation {
        missing_zh: missing_zh.into(),
        missing_en: missing_en.into(),
        grantor_zh: zh.join("；或").into(),
        grantor_en: en.join("; or ").into(),
    }
}

/// Who can bring a relation about: in Chinese and in English.
fn grantor(relation: Relation) -> (&'static str, &'static str) {
    match relation {
        Relation::Attending | Relation::Department => (
            "办理就诊的窗口，或就诊科室负责人",
            "the desk that opened the visit, or the head of its department",
        ),
        Relation::Referral => ("保管数据的机构", "the institution that keeps the data"),
        Relation::FamilyDoctor | Relation::Consent => {
            ("居民本人或其监护人，在窗口办理", "the resident or their guardian, at a desk")
        }
        Relation::Emergency => {
            ("医护人员本人，须说明理由并接受复核", "you, who state why and are reviewed")
        }
        Relation::Resident => (
            "如您就是该居民：系统管理员，凭身份号码登记您的身份",
            "if you are the resident: an operator, who registers you with your ID number",
        ),
        Relation::Guardian => (
            "窗口，登记监护人（healthcard resident guardian add --scopes consent）",
            "a desk, which puts guardians on record (`healthcard resident guardian add --scopes consent`)",
        ),
    }
}
