//! Decisions that have to come out of a set of rules, kept beside it: what a privacy officer reads, and what is tried
//! each time the rules are read.

use std::time::Duration;

use serde::Deserialize;

use super::{
    AccessRequest, Denial, Domain, Grant, Policy, PolicyError, Standing, Texts,
    words::{Labelled, list},
};
use crate::vocabulary::{DataClass, Frame, Grade, Purpose, Relation, Role};

/// Most cases.
const MAX_CASES: usize = 1000;

/// A decision that is expected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is about (中文).
    pub zh: String,
    /// What it is about.
    pub en: String,
    /// Whether the whole of a card is asked for, and not a token.
    #[serde(default)]
    pub card: bool,
    role: Role,
    #[serde(default)]
    relations: Vec<Relation>,
    #[serde(default = "visit")]
    frame: Frame,
    /// Where the visit is, as whoever asks sees it.
    #[serde(default)]
    visit_at: Place,
    #[serde(default)]
    visit_closed: bool,
    #[serde(default)]
    objected: bool,
    /// Who keeps the data; where the visit is, if nothing is said.
    #[serde(default)]
    records_at: Option<Place>,
    purpose: Purpose,
    #[serde(default)]
    classes: Vec<DataClass>,
    #[serde(default)]
    grade: u32,
    /// The rule that allows it.
    #[serde(default)]
    allowed_by: Option<String>,
    /// The rule that refuses it.
    #[serde(default)]
    refused_by: Option<String>,
}

fn visit() -> Frame {
    Frame::Visit
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    #[default]
    OwnInstitution,
    SameCounty,
    SameCity,
    SameProvince,
    Elsewhere,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    #[serde(default)]
    cases: Vec<Case>,
}

/// A decision that does not come out as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{case}: decided by {decided}, not {expected}")]
pub struct CaseError {
    /// The case.
    pub case: String,
    /// The rule that decided.
    pub decided: String,
    /// The rule that should have.
    pub expected: String,
}

impl Case {
    /// The cases that are kept beside a set of rules.
    ///
    /// # Errors
    /// [`PolicyError::Malformed`].
    pub fn read(texts: &Texts<'_>) -> Result<Vec<Self>, PolicyError> {
        let CaseText { cases } = toml::from_str(&texts.cases)
            .map_err(|e| PolicyError::Malformed(e.message().to_owned()))?;
        let malformed = |case: &Case, why| PolicyError::Malformed(format!("{}: {why}", case.en));
        if cases.len() > MAX_CASES {
            return Err(PolicyError::Malformed(format!("more than {MAX_CASES} cases")));
        }
        for case in &cases {
            if case.allowed_by.is_some() == case.refused_by.is_some() {
                return Err(malformed(case, "either `allowed_by` or `refused_by` is needed"));
            }
            let without_visit = case.frame != Frame::Visit;
            if without_visit
                && (case.card || case.visit_closed || case.visit_at != Place::default())
            {
                return Err(malformed(
                    case,
                    "there is no visit, where `frame` says something else",
                ));
            }
            if case.card != (case.grade == 0 && case.classes.is_empty()) {
                return Err(malformed(
                    case,
                    "`classes` and `grade` go with a token, not with a card",
                ));
            }
            if !case.card && Grade::new(case.grade).is_none() {
                return Err(malformed(case, "`grade` is 1 to 5"));
            }
        }
        Ok(cases)
    }
}

impl Policy {
    /// Whether a case is decided as it says.
    pub(super) fn tried(&self, case: &Case) -> Result<(), CaseError> {
        let decided = match self.decided(case) {
            Ok(grant) => (true, grant.rule.id.clone()),
            Err(denial) => (false, denial.rule().to_owned()),
        };
        let expected = match (&case.allowed_by, &case.refused_by) {
            (Some(rule), _) => (true, rule.clone()),
            (None, rule) => (false, rule.clone().unwrap_or_default()),
        };
        if decided == expected {
            return Ok(());
        }
        let said = |(allowed, rule): (bool, String)| {
            format!("{}{rule}", if allowed { "allowed: " } else { "refused: " })
        };
        Err(CaseError { case: case.en.clone(), decided: said(decided), expected: said(expected) })
    }

    fn decided(&self, case: &Case) -> Result<Grant, Denial> {
        let domain = |institution: &str, region: &str| Domain {
            institution: institution.to_owned(),
            region: region.to_owned(),
        };
        let standing = Standing {
            role: case.role,
            own: domain("own", "330106"),
            frame: case.frame,
            here: case.visit_at == Place::OwnInstitution,
            records: match case.records_at.unwrap_or(case.visit_at) {
                Place::OwnInstitution => domain("own", "330106"),
                Place::SameCounty => domain("other", "330106"),
                Place::SameCity => domain("other", "330108"),
                Place::SameProvince => domain("other", "330206"),
                Place::Elsewhere => domain("other", "510107"),
            },
            visit_open: !case.visit_closed,
            objected: case.objected,
            relations: case.relations.clone(),
        };
        let purpose = case.purpose;
        match Grade::new(case.grade) {
            Some(grade) => self.access(&AccessRequest {
                standing: &standing,
                purpose,
                grade,
                classes: &case.classes,
                lifetime: Duration::ZERO,
            }),
            None => self.dump(&standing, purpose),
        }
    }

    /// What is asked in a case, and what is decided, with its ground: in Chinese and in English.
    #[must_use]
    pub fn told(&self, case: &Case) -> [String; 2] {
        let (role_zh, role_en) = case.role.label();
        let (purpose_zh, purpose_en) = case.purpose.label();
        let [classes_zh, classes_en] = told(&case.classes);
        let [relations_zh, relations_en] = told(&case.relations);
        let [within_zh, within_en] = case.within();
        let (what_zh, what_en) = match case.card {
            true => ("读取整张卡".to_owned(), "the whole card".to_owned()),
            false => (
                format!("{classes_zh}数据，最高 {} 级", case.grade),
                format!("{classes_en} data up to grade {}", case.grade),
            ),
        };
        let asked_zh =
            format!("{role_zh}为{purpose_zh}求取：{what_zh}。关系：{relations_zh}；{within_zh}。");
        let asked_en = format!(
            "The {role_en} asks, for {purpose_en}: {what_en}. Relation: {relations_en}; {within_en}."
        );
        let [decided_zh, decided_en] = match self.decided(case) {
            Ok(grant) => {
                let [zh, en] = match &grant.relations[..] {
                    [] => ["不需要关系".to_owned(), "no relation needed".to_owned()],
                    relations => list(relations, ["、", ", "]),
                };
                let (rule, (mask_zh, mask_en)) = (&grant.rule, grant.mask.label());
                let [mask_zh, mask_en] = match case.card {
                    true => [String::new(), String::new()],
                    false => [format!("{mask_zh}。"), format!(" Seen {mask_en}.")],
                };
                [
                    format!("准许，规则 {}：{}。依据：{zh}。{mask_zh}", rule.id, rule.zh),
                    format!("Allowed by {}: {}. It rests on: {en}.{mask_en}", rule.id, rule.en),
                ]
            }
            Err(denial) => {
                let (rule, missing) = (denial.rule(), denial.explain());
                [
                    format!(
                        "拒绝，规则 {rule}。缺少：{}。可由其办理：{}。",
                        missing.missing_zh, missing.grantor_zh
                    ),
                    format!(
                        "Refused by {rule}. Missing: {}. Who can grant it: {}.",
                        missing.missing_en, missing.grantor_en
                    ),
                ]
            }
        };
        [
            format!("{}\n  {asked_zh}\n  {decided_zh}", case.zh),
            format!("{}\n  {asked_en}\n  {decided_en}", case.en),
        ]
    }
}

impl Case {
    /// What it is within, and who keeps the data.
    fn within(&self) -> [String; 2] {
        let (mut zh, mut en) = match (self.frame, self.visit_closed) {
            (Frame::Visit, closed) => {
                let (place_zh, place_en) = self.visit_at.label();
                let (state_zh, state_en) = if closed {
                    ("就诊已结束", "closed")
                } else {
                    ("就诊进行中", "open")
                };
                (format!("{place_zh}的就诊，{state_zh}"), format!("visit {place_en}, {state_en}"))
            }
            (frame, _) => {
                let (zh, en) = frame.label();
                let a = if frame == Frame::Emergency { "an" } else { "a" };
                (format!("依据{zh}，无就诊"), format!("within {a} {en}, without a visit"))
            }
        };
        if self.objected {
            zh.push_str("；居民已拒绝");
            en.push_str("; the resident objects");
        }
        if let Some(place) = self.records_at {
            let (place_zh, place_en) = place.label();
            zh = format!("{zh}；数据由{place_zh}保管");
            en = format!("{en}; data kept {place_en}");
        }
        [zh, en]
    }
}

impl Place {
    fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::OwnInstitution => ("本机构", "at the own institution"),
            Self::SameCounty => ("本县另一机构", "elsewhere in the county"),
            Self::SameCity => ("本市另一县的机构", "in another county of the city"),
            Self::SameProvince => ("本省另一市的机构", "in another city of the province"),
            Self::Elsewhere => ("外省的机构", "in another province"),
        }
    }
}

/// The labels of what was asked or held, or that there is nothing.
fn told<W: Labelled>(words: &[W]) -> [String; 2] {
    match words {
        [] => ["无".to_owned(), "none".to_owned()],
        words => list(words, ["、", ", "]),
    }
}
