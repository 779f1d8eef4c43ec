//! Why a command did not do what was asked, as told to people and to programs.

use std::{error::Error, fmt, ops::Deref};

use serde_json::{Map, Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    exit::Exit,
    text::{Lang, Problem, Text, problems},
};

/// `ErrorInfo.domain` of the service.
const DOMAIN: &str = "healthcard.v1";

/// A failed command. Never holds personal data or a secret. On the heap, so that results stay small.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Box<Told>);

/// What there is to tell.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) reason: String,
    pub(crate) exit: Exit,
    pub(crate) message: Both,
    pub(crate) advice: Both,
    /// What it is about, such as a path, and the cause below it.
    pub(crate) detail: Vec<String>,
    /// The field of the request that the service refused.
    pub(crate) field: Option<String>,
    /// What a refusal of the policy adds.
    pub(crate) refusal: Option<Refusal>,
    /// Whom staff must tell apart before it goes on.
    pub(crate) alike: Option<Alike>,
    /// Rows of a file that keep it from being used.
    pub(crate) rows: Vec<RowFault>,
    /// Present when the service said no to the session itself: worth one new log-in.
    pub(crate) session_over: bool,
}

/// What is wrong in a row of a file. It quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowFault {
    /// Line of the file, from 1.
    pub(crate) row: u32,
    pub(crate) column: &'static str,
    /// Stable name for programs.
    pub(crate) code: &'static str,
    pub(crate) text: Both,
}

/// A text of two languages that came from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Both {
    pub(crate) zh: String,
    pub(crate) en: String,
}

/// Why the policy said no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) rule: String,
    pub(crate) missing: Both,
    pub(crate) grantor: Both,
}

/// Residents that look alike, or share a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Alike {
    /// The rules that matched.
    pub(crate) rules: Vec<String>,
    /// Those whose records are open here, by pseudonym.
    pub(crate) here: Vec<String>,
    /// How many others there are.
    pub(crate) elsewhere: String,
    /// What a decision names; empty where there is none to take.
    pub(crate) case: String,
}

impl Deref for Failure {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl From<Told> for Failure {
    fn from(told: Told) -> Self {
        Self(Box::new(told))
    }
}

impl Both {
    pub(crate) fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    pub(crate) fn speak(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

impl From<Text> for Both {
    fn from(text: Text) -> Self {
        Self::new(text.zh, text.en)
    }
}

impl Failure {
    /// A problem of the catalogue.
    pub(crate) fn of(problem: Problem) -> Self {
        Told {
            reason: problem.reason.to_owned(),
            exit: problem.exit,
            message: problem.message.into(),
            advice: problem.advice.into(),
            detail: Vec::new(),
            field: None,
            refusal: None,
            alike: None,
            rows: Vec::new(),
            session_over: false,
        }
        .into()
    }

    /// Names what it is about.
    pub(crate) fn about(mut self, what: impl fmt::Display) -> Self {
        self.0.detail.push(what.to_string());
        self
    }

    /// Names the rows that are wrong.
    pub(crate) fn at_rows(mut self, rows: Vec<RowFault>) -> Self {
        self.0.rows = rows;
        self
    }

    /// The error as programs read it.
    pub(crate) fn json(&self, lang: Lang) -> Value {
        let mut error = Map::new();
        error.insert("reason".to_owned(), json!(self.reason));
        error.insert("exit_code".to_owned(), json!(self.exit.code()));
        error.insert("message".to_owned(), json!(self.message.speak(lang)));
        error.insert("advice".to_owned(), json!(self.advice.speak(lang)));
        if !self.detail.is_empty() {
            error.insert("detail".to_owned(), json!(self.detail));
        }
        if let Some(field) = &self.field {
            error.insert("field".to_owned(), json!(field));
        }
        if !self.rows.is_empty() {
            let told = |it: &RowFault| {
                json!({
                    "row": it.row, "column": it.column, "code": it.code,
                    "message": it.text.speak(lang),
                })
            };
            error.insert("rows".to_owned(), self.rows.iter().map(told).collect());
        }
        if let Some(refusal) = &self.refusal {
            error.insert("rule".to_owned(), json!(refusal.rule));
            error.insert("missing".to_owned(), json!(refusal.missing.speak(lang)));
            error.insert("grantor".to_owned(), json!(refusal.grantor.speak(lang)));
        }
        if let Some(alike) = &self.alike {
            error.insert("rules".to_owned(), json!(alike.rules));
            error.insert("here".to_owned(), json!(alike.here));
            error.insert("elsewhere".to_owned(), json!(alike.elsewhere.parse::<u64>().ok()));
            if !alike.case.is_empty() {
                error.insert("case".to_owned(), json!(alike.case));
            }
        }
        json!({ "error": error })
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::of(problem)
    }
}

/// What the service said: its `ErrorInfo` and two `LocalizedMessage`s, or the bare code.
impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let details = status.get_error_details_vec();
        let mut info = None;
        let mut message = Both::default();
        for detail in details {
            match detail {
                tonic_types::ErrorDetail::ErrorInfo(found) if found.domain == DOMAIN => {
                    info = Some(found);
                }
                tonic_types::ErrorDetail::LocalizedMessage(text) => match text.locale.as_str() {
                    "zh-CN" => message.zh = text.message,
                    "en" => message.en = text.message,
                    _ => {}
                },
                _ => {}
            }
        }
        let Some(info) = info else { return bare(&status) };
        let said = |key: &str| info.metadata.get(key).cloned().unwrap_or_default();
        if message.zh.is_empty() {
            message.zh = status.message().to_owned();
        }
        if message.en.is_empty() {
            message.en = status.message().to_owned();
        }
        let refusal = (!said("rule").is_empty()).then(|| Refusal {
            rule: said("rule"),
            missing: Both::new(said("missing_zh"), said("missing_en")),
            grantor: Both::new(said("grantor_zh"), said("grantor_en")),
        });
        let alike = (!said("elsewhere").is_empty()).then(|| Alike {
            rules: listed(&said("rules")),
            here: listed(&said("here")),
            elsewhere: said("elsewhere"),
            case: said("case"),
        });
        Told {
            exit: exit_of(status.code()),
            message,
            advice: Both::new(said("advice_zh"), said("advice_en")),
            detail: Vec::new(),
            field: Some(said("field")).filter(|field| !field.is_empty()),
            refusal,
            alike,
            rows: Vec::new(),
            session_over: matches!(info.reason.as_str(), "SESSION_MISSING" | "SESSION_INVALID"),
            reason: info.reason,
        }
        .into()
    }
}

/// The parts of a list that travelled as one text.
fn listed(text: &str) -> Vec<String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A status that our catalogue did not write: the transport's, or a proxy's.
fn bare(status: &Status) -> Failure {
    let problem = match status.code() {
        Code::DeadlineExceeded | Code::Cancelled => problems::SERVICE_TIMEOUT,
        Code::Unavailable | Code::Unknown => problems::SERVICE_UNREACHABLE,
        _ => problems::SERVICE_ANSWER_MALFORMED,
    };
    let mut failure = Failure::of(problem);
    if !status.message().is_empty() {
        failure = failure.about(status.message());
    }
    if let Some(cause) = status.source() {
        failure = failure.about(root_cause(cause));
    }
    failure
}

fn exit_of(code: Code) -> Exit {
    match code {
        Code::Unavailable | Code::DeadlineExceeded => Exit::Unreachable,
        _ => Exit::Refused,
    }
}

/// The innermost cause, which is the one worth reading.
pub(crate) fn root_cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetail, ErrorInfo, LocalizedMessage};

    use super::*;

    fn refused(metadata: &[(&str, &str)]) -> Status {
        let metadata: HashMap<_, _> =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Status::with_error_details_vec(
            Code::PermissionDenied,
            "no",
            vec![
                ErrorDetail::ErrorInfo(ErrorInfo::new("NO_RELATION", DOMAIN, metadata)),
                ErrorDetail::LocalizedMessage(LocalizedMessage::new("zh-CN", "没有诊疗关系")),
                ErrorDetail::LocalizedMessage(LocalizedMessage::new("en", "no relation")),
            ],
        )
    }

    #[test]
    fn refusal_of_the_policy_is_told_in_full() {
        let failure = Failure::from(refused(&[
            ("advice_zh", "请由接诊医师授权"),
            ("advice_en", "ask the attending doctor"),
            ("rule", "treatment.attending"),
            ("missing_zh", "接诊登记"),
            ("missing_en", "being named in the visit"),
            ("grantor_zh", "窗口"),
            ("grantor_en", "the desk"),
        ]));
        assert_eq!(failure.exit, Exit::Refused);
        assert_eq!(
            failure.json(Lang::Zh),
            json!({"error": {
                "reason": "NO_RELATION", "exit_code": 1, "message": "没有诊疗关系",
                "advice": "请由接诊医师授权", "rule": "treatment.attending", "missing": "接诊登记",
                "grantor": "窗口",
            }})
        );
        assert_eq!(failure.json(Lang::En)["error"]["advice"], "ask the attending doctor");
        assert!(!failure.session_over);
    }

    #[test]
    fn look_alikes_are_told_with_what_a_decision_needs() {
        let metadata = [
            ("rules", "name-and-birth-date,number"),
            ("here", "r1"),
            ("elsewhere", "2"),
            ("case", "5f"),
        ];
        let error = &Failure::from(refused(&metadata)).json(Lang::Zh)["error"];
        assert_eq!(error["rules"], json!(["name-and-birth-date", "number"]));
        assert_eq!((&error["here"], &error["elsewhere"]), (&json!(["r1"]), &json!(2)));
        assert_eq!(error["case"], "5f");
        let shared = [("rules", ""), ("here", ""), ("elsewhere", "2")];
        let error = &Failure::from(refused(&shared)).json(Lang::Zh)["error"];
        assert_eq!((&error["here"], error.get("case")), (&json!([]), None));
    }

    #[test]
    fn refused_field_is_named_to_programs() {
        let failure = Failure::from(refused(&[("field", "id_number")]));
        assert_eq!(failure.json(Lang::En)["error"]["field"], "id_number");
        assert!(failure.refusal.is_none());
    }

    #[test]
    fn codes_without_details_have_their_own_problem() {
        let cases = [
            (Code::Unavailable, problems::SERVICE_UNREACHABLE),
            (Code::DeadlineExceeded, problems::SERVICE_TIMEOUT),
            (Code::Unimplemented, problems::SERVICE_ANSWER_MALFORMED),
        ];
        for (code, problem) in cases {
            let failure = Failure::from(Status::new(code, "x"));
            assert_eq!((failure.reason.as_str(), failure.exit), (problem.reason, problem.exit));
        }
    }
}
