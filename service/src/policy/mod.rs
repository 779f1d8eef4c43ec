//! May this caller do this? Pure: rules and a request give a decision; nothing is read or written.
//!
//! A set of rules is three texts: what roles may do (`rules.toml`), who sees which data (`access.cedar`), and decisions
//! that have to come out of them (`cases.toml`). The SM3 digest of all three stands in every token and audit entry that
//! rests on them. What no rule allows is refused.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use card::code::MedicalStep;
use serde::Deserialize;

use crate::vocabulary::{DataClass, Frame, Grade, Mask, Purpose, Relation, Role};

mod access;
mod act;
mod bounds;
mod cases;
mod emergency;
mod explain;
mod facts;
mod mentions;
mod record;
mod sorted;
mod standing;
#[cfg(test)]
mod tests;
mod words;

pub use access::schema;
pub use act::Act;
pub use cases::{Case, CaseError};
pub use emergency::EmergencyRules;
pub use explain::Explanation;
pub use record::{Decided, Ruling, Unclear, explained, looked_for};
pub use standing::{Domain, Standing};

use access::AccessRules;
use emergency::EmergencyText;
use facts::Action;
use standing::IN_PERSON;

/// The texts of a set of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts<'a> {
    /// `rules.toml`
    pub rules: Cow<'a, str>,
    /// `access.cedar`
    pub access: Cow<'a, str>,
    /// `cases.toml`
    pub cases: Cow<'a, str>,
}

impl Texts<'_> {
    /// The names of the files, in this order.
    pub const FILES: [&'static str; 3] = ["rules.toml", "access.cedar", "cases.toml"];

    /// The files, by name.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        Self::FILES.into_iter().zip([&*self.rules, &*self.access, &*self.cases])
    }
}

/// The rules that ship with the service: a county hospital's.
pub const SHIPPED: Texts<'static> = Texts {
    rules: Cow::Borrowed(include_str!("county-hospital/rules.toml")),
    access: Cow::Borrowed(include_str!("county-hospital/access.cedar")),
    cases: Cow::Borrowed(include_str!("county-hospital/cases.toml")),
};

/// What makes a role one whose certificates take two persons.
const POWERS: [Act; 25] = [
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
    Act::EmergencyReview,
    Act::AuditRead,
    Act::AuditRemoveEnter,
    Act::AuditRemoveReview,
];

/// A set of rules, checked, with the digest of its text.
#[derive(Debug)]
pub struct Policy {
    acts: BTreeMap<Act, Vec<Role>>,
    codes: CodeRules,
    emergency: EmergencyRules,
    access: AccessRules,
    digest: [u8; 32],
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    acts: BTreeMap<Act, Vec<Role>>,
    #[serde(default)]
    codes: CodeText,
    #[serde(default)]
    emergency: EmergencyText,
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

/// A rule of access, as it is told to people.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// What it says (中文).
    pub zh: String,
    /// What it says.
    pub en: String,
    /// Of a rule by which the institution forbids something: what is missing, and who can grant it.
    pub missing: Option<Explanation>,
}

/// Why a text of rules was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not of the expected shape, or with a word, an attribute or an action that does not exist.
    #[error("reading the rules: {0}")]
    Malformed(String),
    /// Something that every rule of access says is missing or out of its range.
    #[error("rule {rule:?}: `@{field}` is missing, or not what it may be")]
    OutOfRange {
        /// The rule's `id`.
        rule: String,
        /// The annotation.
        field: &'static str,
    },
    /// A rule of access is larger, or nested deeper, than is read.
    #[error("rule of access no. {rule} is too long or too deep")]
    TooLarge {
        /// Its place in the text, from 1.
        rule: usize,
    },
    /// More rules of access than are looked at.
    #[error("there are more than {0} rules of access")]
    TooMany(usize),
    /// A decision does not come out as it should.
    #[error("the rules do not decide as their cases say")]
    Case(#[from] CaseError),
    /// A number or word about codes is out of its range.
    #[error("codes: {0} is out of range")]
    Codes(&'static str),
    /// A number about emergency accesses is out of its range.
    #[error("emergency: {0} is out of range")]
    Emergency(&'static str),
    /// Two access rules have the same `id`.
    #[error("two rules are called {0:?}")]
    DuplicateRule(String),
}

/// Who asks for access to what.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// How the caller stands to what is asked for.
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
    /// The rule that allowed it.
    pub rule: Arc<Rule>,
    /// The relations it rests on: as few as suffice.
    pub relations: Vec<Relation>,
    /// Life of the token; zero where there is none.
    pub lifetime: Duration,
    /// How much is left out of what is seen.
    pub mask: Mask,
}

/// A no, with the first condition that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// No rule gives this act to the caller's role.
    Role,
    /// The visit belongs to another institution.
    OtherInstitution,
    /// Another institution keeps the data, and no rule of this role reaches there.
    RecordsElsewhere,
    /// The visit is closed.
    VisitClosed,
    /// No rule of this role covers the purpose.
    Purpose,
    /// Rules of this role cover the purpose within any of these, and never within what was asked.
    Frame(Vec<Frame>),
    /// Nothing ties the caller to this resident that any of these would be.
    NoRelation(Vec<Relation>),
    /// The resident or card was registered by another institution, and no card was read here.
    RegisteredElsewhere,
    /// Kinds of data that no rule of this role covers.
    Class {
        /// Which.
        classes: Vec<DataClass>,
        /// Relations with each of which it would be allowed.
        opened_by: Vec<Relation>,
    },
    /// A grade above what the rule allows.
    Grade {
        /// The highest grade that would have been allowed.
        most: u8,
        /// Relations with each of which it would be allowed.
        opened_by: Vec<Relation>,
    },
    /// The caller is late with the account of an emergency access.
    AccountOverdue,
    /// The resident objects to it.
    Objected,
    /// A rule of the institution forbids it.
    Forbidden(Arc<Rule>),
}

impl Denial {
    /// Name of the rule that said no, for the log and the caller.
    #[must_use]
    pub fn rule(&self) -> &str {
        match self {
            Self::Role => "role-may-act",
            Self::OtherInstitution => "same-institution",
            Self::RecordsElsewhere => "records-elsewhere",
            Self::VisitClosed => "visit-open",
            Self::Purpose => "purpose-covered",
            Self::Frame(_) => "frame-covered",
            Self::NoRelation(_) => "relation-to-resident",
            Self::RegisteredElsewhere => "registered-here-or-present",
            Self::Class { .. } => "class-covered",
            Self::Grade { .. } => "grade-covered",
            Self::AccountOverdue => "account-given",
            Self::Objected => "resident-objects",
            Self::Forbidden(rule) => &rule.id,
        }
    }
}

impl Policy {
    /// The rules that ship with the service. A test tries them on their cases.
    ///
    /// # Errors
    /// Never, unless the shipped text is broken, which a test excludes.
    pub fn shipped() -> Result<Self, PolicyError> {
        Self::untried(&SHIPPED)
    }

    /// Reads a set of rules, and tries it on its cases.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong with the texts; nothing of them is then used.
    pub fn read(texts: &Texts<'_>) -> Result<Self, PolicyError> {
        let policy = Self::untried(texts)?;
        for case in Case::read(texts)? {
            policy.tried(&case)?;
        }
        Ok(policy)
    }

    /// Reads a set of rules as [`read`](Self::read) does, and leaves its cases aside.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn untried(texts: &Texts<'_>) -> Result<Self, PolicyError> {
        let rules: RuleText = toml::from_str(&texts.rules)
            .map_err(|e| PolicyError::Malformed(e.message().to_owned()))?;
        let codes = rules.codes.check()?;
        let emergency = rules.emergency.check()?;
        let access = AccessRules::parse(&texts.access)?;
        Ok(Self { acts: rules.acts, codes, emergency, access, digest: digest(texts) })
    }

    /// SM3 of the rules' texts.
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

    /// What the rules say of emergency accesses.
    #[must_use]
    pub fn emergency(&self) -> &EmergencyRules {
        &self.emergency
    }

    /// What has to be known of whoever asks as a person, before it is decided: whether they are the resident, or care for
    /// them, each where a rule that may apply looks at it.
    #[must_use]
    pub fn looks_for(&self, act: Act, role: Role, purpose: Purpose) -> &[Relation] {
        let action = if act == Act::CardDump { Action::Dump } else { Action::Access };
        self.access.looks_for(action, role, purpose)
    }

    /// Decides on reading the whole of a resident's card within a visit.
    ///
    /// # Errors
    /// The first condition that failed, in the order of [`Denial`].
    pub fn dump(&self, standing: &Standing, purpose: Purpose) -> Result<Grant, Denial> {
        self.may(standing.role, Act::CardDump)?;
        let grant = self.access.dump(standing, purpose)?;
        // Whatever the rules say: within an open visit of one's own institution, and of clinicians with a relation.
        standing.in_open_visit()?;
        standing.may_see()?;
        Ok(grant)
    }

    /// Decides on access to a resident's data within a visit.
    ///
    /// # Errors
    /// The first condition that failed, in the order of [`Denial`].
    pub fn access(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        self.may(request.standing.role, Act::TokenIssue)?;
        let grant = self.access.access(request)?;
        // Whatever the rules say: within what is one's own and lasts, with the relation that goes with it, and never
        // what the resident objects to.
        let AccessRequest { standing, purpose, .. } = *request;
        let with = |relations| Standing { relations, ..standing.clone() };
        if with(grant.relations.clone()).may_ask(purpose).is_ok() {
            return Ok(grant);
        }
        // Who somebody is counts where a rule asks for it, and not because it is known.
        let counts = |it: &&Relation| !IN_PERSON.contains(it) || grant.relations.contains(it);
        let Standing { relations, .. } = standing;
        let counted = with(relations.iter().filter(counts).copied().collect());
        counted.may_ask(purpose)?;
        Ok(Grant { relations: counted.relations, ..grant })
    }
}

/// Names these texts: each is preceded by its length, so that no other three have the same octets.
fn digest(texts: &Texts<'_>) -> [u8; 32] {
    let mut hasher = hsm::sm3::Hasher::new();
    for text in [&texts.rules, &texts.access, &texts.cases] {
        hasher.update(&(text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize()
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
