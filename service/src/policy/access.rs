//! Who sees which data of a resident: Cedar policies over the words of [`vocabulary`](crate::vocabulary).
//!
//! The schema is made from those words, so that a rule that speaks of a word, an attribute or an action that does not
//! exist is refused when the rules are read. Policies have no loops and no calls: the time of a decision grows with their
//! text, which is bounded.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr as _,
    sync::{Arc, LazyLock},
    time::Duration,
};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Request, RestrictedExpression, Schema,
    ValidationMode, Validator,
};

use super::{
    AccessRequest, Denial, Domain, Explanation, Grant, PolicyError, Rule, Standing, bounds,
};
use crate::vocabulary::{DataClass, Grade, Purpose, Relation, Role};

/// Most rules.
const MAX_RULES: usize = 200;

/// The longest life of a token, seconds.
const MAX_LIFETIME: u32 = 86_400;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// A token for data of these kinds, up to this grade.
    Access,
    /// The whole of a card.
    Dump,
}

impl Action {
    fn uid(self) -> EntityUid {
        uid(&ACTION, self.as_str())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Dump => "dump",
        }
    }
}

/// The rules, type-checked.
#[derive(Debug)]
pub(super) struct AccessRules {
    policies: PolicySet,
    /// In the order of the text.
    rules: Vec<ReadRule>,
    authorizer: Authorizer,
}

#[derive(Debug)]
struct ReadRule {
    id: PolicyId,
    rule: Arc<Rule>,
    lifetime: Option<Duration>,
}

/// What a decision is made on.
#[derive(Debug, Clone)]
struct Facts<'a> {
    action: Action,
    role: Role,
    /// The institution of whoever asks, and its region.
    own: &'a Domain,
    /// Those of the visit.
    records: &'a Domain,
    visit_open: bool,
    purpose: Purpose,
    relations: Vec<Relation>,
    classes: Vec<DataClass>,
    grade: Grade,
}

/// The words that rules speak with, as a Cedar schema.
pub fn schema() -> String {
    fn list(words: impl Iterator<Item = &'static str>) -> String {
        words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
    }
    format!(
        r#"// The words of rules of access (授权规则). Made from those of the service.
entity Role enum [{roles}];
entity Purpose enum [{purposes}];
entity Relation enum [{relations}];
entity Class enum [{classes}];
// An institution lies in its county, that in a city, that in a province: region codes of GB/T 2260, of 6, 4 and 2 digits.
entity Domain in [Domain];
// Whoever asks.
entity Person = {{ role: Role, institution: Domain }};
// What is kept about one resident where the visit is.
entity Records in [Domain];
action access appliesTo {{
  principal: Person,
  resource: Records,
  context: {{ purpose: Purpose, relations: Set<Relation>, visit_open: Bool, classes: Set<Class>, grade: Long }}
}};
action dump appliesTo {{
  principal: Person,
  resource: Records,
  context: {{ purpose: Purpose, relations: Set<Relation>, visit_open: Bool }}
}};
"#,
        roles = list(Role::ALL.iter().map(|word| word.as_str())),
        purposes = list(Purpose::ALL.iter().map(|word| word.as_str())),
        relations = list(Relation::ALL.iter().map(|word| word.as_str())),
        classes = list(DataClass::ALL.iter().map(|word| word.as_str())),
    )
}

impl AccessRules {
    pub(super) fn parse(text: &str) -> Result<Self, PolicyError> {
        bounds::check(text)?;
        let malformed = |error: &dyn std::fmt::Display| PolicyError::Malformed(error.to_string());
        let (schema, _) = Schema::from_cedarschema_str(&schema()).map_err(|e| malformed(&e))?;
        let read = PolicySet::from_str(text).map_err(|e| malformed(&e))?;
        if read.templates().next().is_some() {
            return Err(PolicyError::Malformed("templates are not used here".to_owned()));
        }
        // The reader numbers them in the order of the text.
        let mut policies: Vec<_> = read.policies().cloned().collect();
        policies.sort_by_key(|policy| number(policy.id()));
        if policies.len() > MAX_RULES {
            return Err(PolicyError::TooMany(MAX_RULES));
        }
        let mut rules: Vec<ReadRule> = Vec::with_capacity(policies.len());
        let mut named = Vec::with_capacity(policies.len());
        for policy in policies {
            let read = ReadRule::of(&policy)?;
            if rules.iter().any(|other| other.id == read.id) {
                return Err(PolicyError::DuplicateRule(read.rule.id.clone()));
            }
            named.push(policy.new_id(read.id.clone()));
            rules.push(read);
        }
        let policies = PolicySet::from_policies(named).map_err(|e| malformed(&e))?;
        let checked = Validator::new(schema).validate(&policies, ValidationMode::Strict);
        // A warning is a rule that never applies, or a word that looks like another.
        let faults = checked.validation_errors().map(ToString::to_string);
        let faults = faults.chain(checked.validation_warnings().map(ToString::to_string));
        let faults: Vec<_> = faults.collect();
        if !faults.is_empty() {
            return Err(PolicyError::Malformed(faults.join("; ")));
        }
        Ok(Self { policies, rules, authorizer: Authorizer::new() })
    }

    pub(super) fn access(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let facts = Facts {
            classes: request.classes.to_vec(),
            grade: request.grade,
            ..Facts::of(request.standing, Action::Access, request.purpose)
        };
        if facts.classes.is_empty() {
            return Err(Denial::Class(Vec::new()));
        }
        let grant = self.decide(&facts)?;
        let (most, asked) = (grant.lifetime, request.lifetime);
        let lifetime = if asked.is_zero() { most } else { asked.min(most) };
        Ok(Grant { lifetime, ..grant })
    }

    pub(super) fn dump(&self, standing: &Standing, purpose: Purpose) -> Result<Grant, Denial> {
        self.decide(&Facts::of(standing, Action::Dump, purpose))
    }

    /// The rule that allows it, and the first relation that it rests on.
    fn decide(&self, facts: &Facts<'_>) -> Result<Grant, Denial> {
        let Verdict::Allowed(read) = self.ask(facts) else { return Err(self.missing(facts)) };
        let with = |relations: Vec<Relation>| {
            let facts = Facts { relations, ..facts.clone() };
            matches!(self.ask(&facts), Verdict::Allowed(by) if by.id == read.id)
        };
        let relation = match with(Vec::new()) {
            true => None,
            false => {
                let alone = facts.relations.iter().find(|relation| with(vec![**relation]));
                // None of them alone, where a rule takes two.
                alone.or(facts.relations.first()).copied()
            }
        };
        let lifetime = read.lifetime.unwrap_or_default();
        Ok(Grant { rule: Arc::clone(&read.rule), relation, lifetime })
    }

    fn ask(&self, facts: &Facts<'_>) -> Verdict<'_> {
        let Some((request, entities)) = facts.question() else { return Verdict::Refused(None) };
        let response = self.authorizer.is_authorized(&request, &self.policies, &entities);
        let diagnostics = response.diagnostics();
        // Rules that were type-checked fail for want of stack alone, which is looked at before it is used. What
        // was not evaluated might have forbidden it.
        if let Some(error) = diagnostics.errors().next() {
            tracing::error!(%error, "a rule of access could not be evaluated");
            return Verdict::Refused(None);
        }
        let by: HashSet<_> = diagnostics.reason().collect();
        let first = self.rules.iter().find(|read| by.contains(&read.id));
        match (response.decision(), first) {
            (Decision::Allow, Some(rule)) => Verdict::Allowed(rule),
            (_, first) => Verdict::Refused(first),
        }
    }

    /// The first condition that fails, of which [`Denial`] has the order: everything but those before it is taken as
    /// favourable as it can be.
    fn missing(&self, facts: &Facts<'_>) -> Denial {
        for step in Step::ALL {
            if let Err(by) = self.possible(facts, step) {
                return self.denial(facts, step, by);
            }
        }
        // What is possible with everything fixed is allowed.
        Denial::Role
    }

    /// Whether the rules allow it when what comes after this step is as favourable as it can be; otherwise a rule that
    /// forbids it even then.
    fn possible(&self, facts: &Facts<'_>, step: Step) -> Result<(), Option<&ReadRule>> {
        let mut refused_by: Vec<Option<&ReadRule>> = Vec::new();
        for variant in facts.variants(step) {
            match self.ask(&variant) {
                Verdict::Allowed(_) => return Ok(()),
                Verdict::Refused(by) => refused_by.push(by),
            }
        }
        let first = refused_by.first().copied().flatten();
        Err(first
            .filter(|first| refused_by.iter().all(|by| by.is_some_and(|by| by.id == first.id))))
    }

    fn denial(&self, facts: &Facts<'_>, step: Step, by: Option<&ReadRule>) -> Denial {
        // A rule of the institution's own that forbids just this says itself what is missing.
        let forbids = |by: &&ReadRule| {
            let forbidden = matches!(self.ask(facts), Verdict::Refused(Some(it)) if it.id == by.id);
            forbidden && by.rule.missing.is_some()
        };
        if let Some(by) = by.filter(forbids) {
            return Denial::Forbidden(Arc::clone(&by.rule));
        }
        let allows = |variant: Facts<'_>| self.possible(&variant, step).is_ok();
        match step {
            Step::Role => Denial::Role,
            Step::Institution => Denial::OtherInstitution,
            Step::Visit => Denial::VisitClosed,
            Step::Purpose => Denial::Purpose,
            Step::Relation => {
                let would = |relation: &&Relation| {
                    allows(Facts { relations: vec![**relation], ..facts.clone() })
                };
                Denial::NoRelation(Relation::ALL.iter().filter(would).copied().collect())
            }
            Step::Class => {
                let covered =
                    |class: &DataClass| allows(Facts { classes: vec![*class], ..facts.clone() });
                Denial::Class(facts.classes.iter().copied().filter(|it| !covered(it)).collect())
            }
            Step::Grade => {
                let lower = (1..facts.grade.level()).rev().filter_map(|it| Grade::new(it.into()));
                let mut lower =
                    lower.filter(|grade| allows(Facts { grade: *grade, ..facts.clone() }));
                Denial::Grade { most: lower.next().map_or(0, Grade::level) }
            }
        }
    }
}

enum Verdict<'a> {
    Allowed(&'a ReadRule),
    /// With the rule that forbids it, if it is not that none allows it.
    Refused(Option<&'a ReadRule>),
}

/// Conditions in the order in which they are looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Role,
    Institution,
    Visit,
    Purpose,
    Relation,
    Class,
    Grade,
}

impl Step {
    const ALL: [Self; 7] = [
        Self::Role,
        Self::Institution,
        Self::Visit,
        Self::Purpose,
        Self::Relation,
        Self::Class,
        Self::Grade,
    ];
}

impl<'a> Facts<'a> {
    fn of(standing: &'a Standing, action: Action, purpose: Purpose) -> Self {
        Self {
            action,
            role: standing.role,
            own: &standing.own,
            records: &standing.records,
            visit_open: standing.visit_open,
            purpose,
            relations: standing.relations.clone(),
            classes: Vec::new(),
            grade: Grade::LOWEST,
        }
    }

    /// These facts with whatever comes after this step at its most favourable: lists are short, so all of them are tried.
    fn variants(&self, step: Step) -> Vec<Facts<'a>> {
        let mut best = self.clone();
        if step < Step::Institution {
            best.records = best.own;
        }
        best.visit_open |= step < Step::Visit;
        if step < Step::Relation {
            best.relations = Relation::ALL.to_vec();
        }
        let purposes =
            if step < Step::Purpose { Purpose::ALL.to_vec() } else { vec![self.purpose] };
        let mut classes = vec![self.classes.clone()];
        if step < Step::Class && self.action == Action::Access {
            classes.extend(DataClass::ALL.iter().map(|class| vec![*class]));
        }
        let mut grades = vec![self.grade];
        if step < Step::Grade {
            grades.push(Grade::LOWEST);
        }
        let mut variants = Vec::with_capacity(purposes.len() * classes.len() * grades.len());
        for purpose in purposes {
            for classes in &classes {
                for grade in &grades {
                    let (classes, grade) = (classes.clone(), *grade);
                    variants.push(Facts { purpose, classes, grade, ..best.clone() });
                }
            }
        }
        variants
    }

    /// The question as Cedar has it. Nothing, which is a no, for what cannot be asked.
    fn question(&self) -> Option<(Request, Entities)> {
        let word = |kind: &EntityTypeName, word: &str| {
            RestrictedExpression::new_entity_uid(uid(kind, word))
        };
        let relations = self.relations.iter().map(|it| word(&RELATION, it.as_str()));
        let mut context = vec![
            ("purpose".to_owned(), word(&PURPOSE, self.purpose.as_str())),
            ("relations".to_owned(), RestrictedExpression::new_set(relations)),
            ("visit_open".to_owned(), RestrictedExpression::new_bool(self.visit_open)),
        ];
        if self.action == Action::Access {
            let classes = self.classes.iter().map(|it| word(&CLASS, it.as_str()));
            context.push(("classes".to_owned(), RestrictedExpression::new_set(classes)));
            let grade = RestrictedExpression::new_long(self.grade.level().into());
            context.push(("grade".to_owned(), grade));
        }
        let context = Context::from_pairs(context).ok()?;
        let (person, records) = (uid(&PERSON, "asker"), uid(&RECORDS, "asked-for"));
        let asked = (person.clone(), self.action.uid(), records.clone());
        let request = Request::new(asked.0, asked.1, asked.2, context, None).ok()?;
        let (own, at) = (&self.own.institution, &self.records.institution);
        let attributes = HashMap::from([
            ("role".to_owned(), word(&ROLE, self.role.as_str())),
            ("institution".to_owned(), word(&DOMAIN, own)),
        ]);
        let mut entities = vec![
            Entity::new(person, attributes, HashSet::new()).ok()?,
            Entity::new_no_attrs(records, HashSet::from([uid(&DOMAIN, at)])),
        ];
        for (institution, region) in [(own, &self.own.region), (at, &self.records.region)] {
            let levels =
                [Some(institution.as_str()), region.get(..6), region.get(..4), region.get(..2)];
            let levels: Vec<_> = levels.into_iter().flatten().map(|it| uid(&DOMAIN, it)).collect();
            for (at, domain) in levels.iter().enumerate() {
                if !entities.iter().any(|known| known.uid() == *domain) {
                    let above = levels.get(at + 1).cloned();
                    entities
                        .push(Entity::new_no_attrs(domain.clone(), above.into_iter().collect()));
                }
            }
        }
        Some((request, Entities::from_entities(entities, None).ok()?))
    }
}

impl ReadRule {
    fn of(policy: &Policy) -> Result<Self, PolicyError> {
        let told = |name| policy.annotation(name).filter(|text| !text.is_empty());
        let id = told("id").unwrap_or_default().to_owned();
        let out_of_range = |field| PolicyError::OutOfRange { rule: id.clone(), field };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=64).contains(&id.len()) || !id.bytes().all(plain) {
            return Err(out_of_range("id"));
        }
        let needed = |name| told(name).map(str::to_owned).ok_or_else(|| out_of_range(name));
        let missing = match told("missing_zh").or(told("missing_en")) {
            None => None,
            Some(_) => Some(Explanation {
                missing_zh: needed("missing_zh")?.into(),
                missing_en: needed("missing_en")?.into(),
                grantor_zh: needed("grantor_zh")?.into(),
                grantor_en: needed("grantor_en")?.into(),
            }),
        };
        let grants_tokens = policy.effect() == Effect::Permit
            && policy.action_constraint() != ActionConstraint::Eq(Action::Dump.uid());
        let lifetime = match told("lifetime").map(str::parse::<u32>) {
            None if grants_tokens => return Err(out_of_range("lifetime")),
            None => None,
            Some(Ok(seconds)) if (1..=MAX_LIFETIME).contains(&seconds) => {
                Some(Duration::from_secs(seconds.into()))
            }
            Some(_) => return Err(out_of_range("lifetime")),
        };
        let (zh, en) = (needed("zh")?, needed("en")?);
        Ok(Self { id: PolicyId::new(&id), rule: Arc::new(Rule { id, zh, en, missing }), lifetime })
    }
}

/// The place of a rule in the text, as the reader numbers them.
fn number(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(usize::MAX)
}

/// The types of the schema, read once.
macro_rules! types {
    ($($name:ident = $text:literal),+ $(,)?) => {
        $(static $name: LazyLock<EntityTypeName> =
            LazyLock::new(|| EntityTypeName::from_str($text).expect("an identifier"));)+
    };
}
types! {
    ACTION = "Action",
    ROLE = "Role",
    PURPOSE = "Purpose",
    RELATION = "Relation",
    CLASS = "Class",
    DOMAIN = "Domain",
    PERSON = "Person",
    RECORDS = "Records",
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
