//! May this caller do this? Pure: rules and a request give a decision; nothing is read or written.
//!
//! The rules are one text (`default.toml`, or a file of the institution's) whose SM3 digest stands
//! in every token and audit entry that rests on it. What no rule allows is refused.

use std::{collections::BTreeMap, time::Duration};

use card::code::MedicalStep;
use serde::Deserialize;

use crate::vocabulary::{DataClass, Grade, Purpose, Relation, Role};

mod act;
mod explain;
mod standing;
#[cfg(test)]
mod tests;

pub use act::Act;
pub use explain::Explanation;
pub use standing::Standing;

/// The rules that ship with the service.
const DEFAULT_RULES: &str = include_str!("default.toml");

/// What makes a role one whose certificates take two persons.
const POWERS: [Act; 22] = [
    Act::InstitutionRegister,
    Act::IdentityRegister,
    Act::IdentityQualify,
    Act::IdentityChange,
    Act::IdentityDepart,
    Act::CertificateEnter,
    Act::CertificateReview,
    Act::CertificateRevoke,
    Act::CertificateRenew,
    Act::CertificateSuspend,
    Act::CertificateRelease,
    Act::ServiceStatus,
    Act::KeyCentreMake,
    Act::KeyRecoveryEnter,
    Act::KeyRecoveryReview,
    Act::ResidentRegister,
    Act::CardRegister,
    Act::CardIssue,
    Act::CardReplace,
    Act::CardUnblacklist,
    Act::CardReview,
    Act::AuditRead,
];

/// A set of rules, checked, with the digest of its text.
#[derive(Debug)]
pub struct Policy {
    acts: BTreeMap<Act, Vec<Role>>,
    codes: CodeRules,
    dumps: BTreeMap<Purpose, Vec<Role>>,
    access: Vec<AccessRule>,
    digest: [u8; 32],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    acts: BTreeMap<Act, Vec<Role>>,
    #[serde(default)]
    codes: CodeText,
    #[serde(default)]
    dumps: BTreeMap<Purpose, Vec<Role>>,
    access: Vec<AccessRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CodeText {
    uses: u32,
    r#static: Vec<String>,
}

impl Default for CodeText {
    fn default() -> Self {
        Self { uses: 1, r#static: Vec::new() }
    }
}

/// What codes of electronic cards are good for.
#[derive(Debug)]
struct CodeRules {
    uses: u32,
    static_steps: Vec<MedicalStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessRule {
    id: String,
    roles: Vec<Role>,
    purposes: Vec<Purpose>,
    relations: Vec<Relation>,
    grade: u8,
    classes: Vec<DataClass>,
    lifetime: u32,
}

/// Why a text of rules was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not TOML of the expected shape, or an unknown word.
    #[error("reading the rules: {0}")]
    Malformed(String),
    /// A rule's number is out of its range.
    #[error("rule {rule:?}: {field} is out of range")]
    OutOfRange {
        /// The rule's `id`.
        rule: String,
        /// The field.
        field: &'static str,
    },
    /// A number or word about codes is out of its range.
    #[error("codes: {0} is out of range")]
    Codes(&'static str),
    /// Two access rules have the same `id`.
    #[error("two rules are called {0:?}")]
    DuplicateRule(String),
}

/// Who asks for access to what.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// How the caller stands to the visit.
    pub standing: &'a Standing,
    /// Why.
    pub purpose: Purpose,
    /// Highest grade asked for.
    pub grade: Grade,
    /// Kinds of data asked for.
    pub classes: &'a [DataClass],
    /// Life asked for; zero asks for the rule's own.
    pub lifetime: Duration,
}

/// A yes, with its ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `id` of the rule that allowed it.
    pub rule: String,
    /// The relation it rests on.
    pub relation: Relation,
    /// Life of the token.
    pub lifetime: Duration,
}

/// A no, with the first condition that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// No rule gives this act to the caller's role.
    Role,
    /// The visit belongs to another institution.
    OtherInstitution,
    /// The visit is closed.
    VisitClosed,
    /// No rule of this role covers the purpose.
    Purpose,
    /// Nothing ties the caller to this resident.
    NoRelation,
    /// The resident or card was registered by another institution, and no card was read here.
    RegisteredElsewhere,
    /// A kind of data that no rule of this role covers.
    Class,
    /// A grade above what the rule allows.
    Grade {
        /// The highest grade that would have been allowed.
        most: u8,
    },
}

impl Denial {
    /// Name of the rule that said no, for the log and the caller.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Role => "role-may-act",
            Self::OtherInstitution => "same-institution",
            Self::VisitClosed => "visit-open",
            Self::Purpose => "purpose-covered",
            Self::NoRelation => "relation-to-resident",
            Self::RegisteredElsewhere => "registered-here-or-present",
            Self::Class => "class-covered",
            Self::Grade { .. } => "grade-covered",
        }
    }
}

impl Policy {
    /// The rules that ship with the service.
    ///
    /// # Errors
    /// Never, unless the shipped text is broken, which a test excludes.
    pub fn shipped() -> Result<Self, PolicyError> {
        Self::parse(DEFAULT_RULES)
    }

    /// Reads a text of rules.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong with the text; nothing of it is then used.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let rules: RuleText =
            toml::from_str(text).map_err(|e| PolicyError::Malformed(e.message().to_owned()))?;
        for (at, rule) in rules.access.iter().enumerate() {
            let out_of_range =
                |field| Err(PolicyError::OutOfRange { rule: rule.id.clone(), field });
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if !(1..=64).contains(&rule.id.len()) || !rule.id.bytes().all(plain) {
                return out_of_range("id");
            }
            if rule.roles.is_empty() || rule.relations.is_empty() {
                return out_of_range("roles or relations");
            }
            if !(1..=5).contains(&rule.grade) {
                return out_of_range("grade");
            }
            if !(1..=86_400).contains(&rule.lifetime) {
                return out_of_range("lifetime");
            }
            if rules.access[..at].iter().any(|other| other.id == rule.id) {
                return Err(PolicyError::DuplicateRule(rule.id.clone()));
            }
        }
        let codes = rules.codes.check()?;
        Ok(Self {
            acts: rules.acts,
            codes,
            dumps: rules.dumps,
            access: rules.access,
            digest: hsm::sm3::digest(text.as_bytes()),
        })
    }

    /// SM3 of the rules' text.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether this role may do this at all.
    ///
    /// # Errors
    /// [`Denial::Role`] when no rule says so.
    pub fn may(&self, role: Role, act: Act) -> Result<(), Denial> {
        match self.acts.get(&act) {
            Some(roles) if roles.contains(&role) => Ok(()),
            _ => Err(Denial::Role),
        }
    }

    /// Whether certificates of this role always take two persons: devices and systems, and whoever enrols,
    /// reviews, administers or audits by these rules. One person could make others of them.
    #[must_use]
    pub fn takes_two_persons(&self, role: Role) -> bool {
        matches!(role, Role::Desk | Role::System)
            || POWERS.iter().any(|act| self.may(role, *act).is_ok())
    }

    /// The most successful verifications that a code is made for.
    #[must_use]
    pub fn code_uses(&self) -> u32 {
        self.codes.uses
    }

    /// Whether a static code is made at all.
    #[must_use]
    pub fn makes_static_codes(&self) -> bool {
        !self.codes.static_steps.is_empty()
    }

    /// Whether a static code is accepted for this step.
    #[must_use]
    pub fn accepts_static_code(&self, step: MedicalStep) -> bool {
        self.codes.static_steps.contains(&step)
    }

    /// Decides on reading the whole of a resident's card within a visit.
    ///
    /// # Errors
    /// The first condition that failed, in the order of [`Denial`].
    pub fn dump(&self, standing: &Standing, purpose: Purpose) -> Result<(), Denial> {
        self.may(standing.role, Act::CardDump)?;
        standing.in_open_visit()?;
        match self.dumps.get(&purpose) {
            Some(roles) if roles.contains(&standing.role) => standing.may_see(),
            _ => Err(Denial::Purpose),
        }
    }

    /// Decides on access to a resident's data within a visit.
    ///
    /// # Errors
    /// The first condition that failed, in the order of [`Denial`].
    pub fn access(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let standing = request.standing;
        self.may(standing.role, Act::TokenIssue)?;
        standing.in_open_visit()?;
        // The denial of the rule that came furthest names the step that is really missing.
        let mut nearest = Denial::Role;
        for rule in self.access.iter().filter(|rule| rule.roles.contains(&standing.role)) {
            match rule.decide(request) {
                Ok(grant) => return Ok(grant),
                Err(denial) if denial.distance() >= nearest.distance() => nearest = denial,
                Err(_) => {}
            }
        }
        Err(nearest)
    }
}

impl Denial {
    /// How many conditions held before this one failed.
    fn distance(self) -> u8 {
        match self {
            Self::Role => 0,
            Self::OtherInstitution | Self::RegisteredElsewhere => 1,
            Self::VisitClosed => 2,
            Self::Purpose => 3,
            Self::NoRelation => 4,
            Self::Class => 5,
            Self::Grade { .. } => 6,
        }
    }
}

impl CodeText {
    fn check(self) -> Result<CodeRules, PolicyError> {
        if !(1..=99).contains(&self.uses) {
            return Err(PolicyError::Codes("uses"));
        }
        let steps = self.r#static.iter().map(|step| step.parse());
        let static_steps =
            steps.collect::<Result<_, _>>().map_err(|_| PolicyError::Codes("static"))?;
        Ok(CodeRules { uses: self.uses, static_steps })
    }
}

impl AccessRule {
    fn decide(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        if !self.purposes.contains(&request.purpose) {
            return Err(Denial::Purpose);
        }
        let relation = self
            .relations
            .iter()
            .find(|relation| request.standing.relations.contains(relation))
            .ok_or(Denial::NoRelation)?;
        if request.classes.is_empty() || !request.classes.iter().all(|c| self.classes.contains(c)) {
            return Err(Denial::Class);
        }
        if request.grade.level() > self.grade {
            return Err(Denial::Grade { most: self.grade });
        }
        let most = Duration::from_secs(self.lifetime.into());
        let lifetime = if request.lifetime.is_zero() { most } else { request.lifetime.min(most) };
        Ok(Grant { rule: self.id.clone(), relation: *relation, lifetime })
    }
}
