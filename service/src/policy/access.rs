//! Who sees which data of a resident: Cedar policies over the words of [`vocabulary`](crate::vocabulary).
//!
//! The schema is made from those words, so that a rule that speaks of a word, an attribute or an action that does not
//! exist is refused when the rules are read. Policies have no loops and no calls: the time of a decision grows with their
//! text, which is bounded.

use std::{cmp::Reverse, collections::HashMap, str::FromStr as _, sync::Arc, time::Duration};

use cedar_policy::{
    ActionConstraint, Authorizer, Decision, Effect, Entities, Policy, PolicyId, PolicySet,
    Response, Schema, ValidationMode, Validator,
};

use super::{
    AccessRequest, Denial, Explanation, Grant, PolicyError, Rule, Standing, bounds,
    facts::{Action, Facts, Step},
    mentions,
    sorted::SortedRules,
};
use crate::vocabulary::{DataClass, Frame, Grade, Mask, Purpose, Relation, Role};

/// Most rules.
const MAX_RULES: usize = 200;

/// The longest life of a token, seconds.
const MAX_LIFETIME: u32 = 86_400;

/// The rules, type-checked.
#[derive(Debug)]
pub(super) struct AccessRules {
    sorted: SortedRules,
    /// In the order of the text.
    rules: Vec<ReadRule>,
    /// Where each of them is.
    places: HashMap<PolicyId, usize>,
    authorizer: Authorizer,
}

#[derive(Debug)]
struct ReadRule {
    id: PolicyId,
    /// It alone, to find out what it rests on.
    alone: PolicySet,
    /// The relations that it looks at.
    mentions: Vec<Relation>,
    rule: Arc<Rule>,
    lifetime: Option<Duration>,
    mask: Mask,
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
// What it is within: somebody who has no visit has a consent or an emergency.
entity Frame enum [{frames}];
// An institution lies in its county, that in a city, that in a province: region codes of GB/T 2260, of 6, 4 and 2 digits.
entity Domain in [Domain];
// Whoever asks.
entity Person = {{ role: Role, institution: Domain, county: Domain, city: Domain, province: Domain }};
// What an institution keeps about one resident.
entity Records in [Domain];
action access appliesTo {{
  principal: Person,
  resource: Records,
  context: {{
    purpose: Purpose, relations: Set<Relation>, classes: Set<Class>, grade: Long,
    // Within what, whether that is of the own institution, and whether it is no visit that was closed.
    frame: Frame, here: Bool, visit_open: Bool,
    // Whether the resident objects to any of it.
    objected: Bool
  }}
}};
action dump appliesTo {{
  principal: Person,
  resource: Records,
  context: {{ purpose: Purpose, relations: Set<Relation>, frame: Frame, here: Bool, visit_open: Bool }}
}};
"#,
        roles = list(Role::ALL.iter().map(|word| word.as_str())),
        purposes = list(Purpose::ALL.iter().map(|word| word.as_str())),
        relations = list(Relation::ALL.iter().map(|word| word.as_str())),
        classes = list(DataClass::ALL.iter().map(|word| word.as_str())),
        frames = list(Frame::ALL.iter().map(|word| word.as_str())),
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
            named.extend(read.alone.policies().cloned());
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
        let sorted = SortedRules::of(policies.policies())?;
        let places = rules.iter().enumerate().map(|(at, read)| (read.id.clone(), at)).collect();
        Ok(Self { sorted, rules, places, authorizer: Authorizer::new() })
    }

    /// Of the ties that somebody has as a person, those that a rule which may apply looks at.
    pub(super) fn looks_for(&self, action: Action, role: Role, purpose: Purpose) -> &[Relation] {
        self.sorted.about(action, role, purpose).map_or(&[], |about| &about.in_person)
    }

    pub(super) fn access(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let facts = Facts {
            classes: request.classes.to_vec(),
            grade: request.grade,
            ..Facts::of(request.standing, Action::Access, request.purpose)
        };
        if facts.classes.is_empty() {
            return Err(Denial::Class { classes: Vec::new(), opened_by: Vec::new() });
        }
        let grant = self.decide(&facts)?;
        let (most, asked) = (grant.lifetime, request.lifetime);
        let lifetime = if asked.is_zero() { most } else { asked.min(most) };
        Ok(Grant { lifetime, ..grant })
    }

    pub(super) fn dump(&self, standing: &Standing, purpose: Purpose) -> Result<Grant, Denial> {
        self.decide(&Facts::of(standing, Action::Dump, purpose))
    }

    /// The rule that allows it, of several the one that gives most, and the relations that it rests on: as few as suffice,
    /// the first ones where several do.
    fn decide(&self, facts: &Facts<'_>) -> Result<Grant, Denial> {
        let entities = facts.entities();
        let Verdict::Allowed(read) = self.ask(facts, entities.as_ref()) else {
            return Err(self.missing(facts));
        };
        let with = |relations: Vec<Relation>| {
            let facts = Facts { relations, ..facts.clone() };
            let response = self.judge(&read.alone, &facts, entities.as_ref());
            response.is_some_and(|it| it.decision() == Decision::Allow)
        };
        // What it does not look at it does not rest on.
        let (looked_at, others): (Vec<_>, Vec<_>) =
            facts.relations.iter().copied().partition(|it| read.mentions.contains(it));
        let mut relations = looked_at.clone();
        for relation in looked_at.iter().rev() {
            let without: Vec<_> = relations.iter().copied().filter(|it| it != relation).collect();
            if with(without.clone()) {
                relations = without;
            }
        }
        // What lifted a rule that forbids it is among what it rests on, too.
        let reduced = Facts { relations: relations.clone(), ..facts.clone() };
        let less = !others.is_empty() || relations.len() < looked_at.len();
        if less && self.is_forbidden(&reduced, entities.as_ref()) {
            relations.clone_from(&facts.relations);
        }
        let lifetime = read.lifetime.unwrap_or_default();
        Ok(Grant { rule: Arc::clone(&read.rule), relations, lifetime, mask: read.mask })
    }

    /// What Cedar says. Nothing, which is a no, for what cannot be asked.
    fn judge(
        &self,
        policies: &PolicySet,
        facts: &Facts<'_>,
        entities: Option<&Entities>,
    ) -> Option<Response> {
        Some(self.authorizer.is_authorized(&facts.request()?, policies, entities?))
    }

    /// Whether a rule that looks at relations forbids what is not forbidden otherwise.
    fn is_forbidden(&self, facts: &Facts<'_>, entities: Option<&Entities>) -> bool {
        let Some(about) = self.sorted.about(facts.action, facts.role, facts.purpose) else {
            return true;
        };
        if about.forbid_by_relation.is_empty() {
            return false;
        }
        let response = self.judge(&about.forbid_by_relation, facts, entities);
        response.is_none_or(|it| {
            let said = it.diagnostics();
            said.reason().next().is_some() || said.errors().next().is_some()
        })
    }

    fn ask(&self, facts: &Facts<'_>, entities: Option<&Entities>) -> Verdict<'_> {
        let about = self.sorted.about(facts.action, facts.role, facts.purpose);
        let response = about.and_then(|about| self.judge(&about.all, facts, entities));
        let Some(response) = response else {
            return Verdict::Refused(None);
        };
        let diagnostics = response.diagnostics();
        // Rules that were type-checked fail for want of stack alone, which is looked at before it is used. What
        // was not evaluated might have forbidden it.
        if let Some(error) = diagnostics.errors().next() {
            tracing::error!(%error, "a rule of access could not be evaluated");
            return Verdict::Refused(None);
        }
        let places = diagnostics.reason().filter_map(|id| self.places.get(id).copied());
        let by = places.filter_map(|at| Some((at, self.rules.get(at)?)));
        match response.decision() {
            Decision::Allow => match by.min_by_key(|(at, read)| (read.preference(), *at)) {
                Some((_, read)) => Verdict::Allowed(read),
                None => Verdict::Refused(None),
            },
            Decision::Deny => Verdict::Refused(by.min_by_key(|(at, _)| *at).map(|(_, read)| read)),
        }
    }

    /// The first condition that fails, of which [`Denial`] has the order, when those after it are as favourable as
    /// they can be.
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
        let variants = facts.variants(step);
        // They differ in what is asked for, not in where.
        let entities = variants.first().unwrap_or(facts).entities();
        for variant in &variants {
            match self.ask(variant, entities.as_ref()) {
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
            let forbidden = matches!(self.ask(facts, facts.entities().as_ref()), Verdict::Refused(Some(it)) if it.id == by.id);
            forbidden && by.rule.missing.is_some()
        };
        if let Some(by) = by.filter(forbids) {
            return Denial::Forbidden(Arc::clone(&by.rule));
        }
        let allows = |variant: Facts<'_>| self.possible(&variant, step).is_ok();
        if step <= Step::Purpose {
            let frames = self.covered_within(facts);
            if !frames.is_empty() {
                return Denial::Frame(frames);
            }
        }
        match step {
            Step::Role if facts.within_others().any(allows) => Denial::Purpose,
            Step::Role => Denial::Role,
            Step::Institution if facts.here => Denial::RecordsElsewhere,
            Step::Institution => Denial::OtherInstitution,
            Step::Visit => Denial::VisitClosed,
            Step::Purpose if allows(Facts { records: facts.own, ..facts.clone() }) => {
                Denial::RecordsElsewhere
            }
            Step::Purpose => Denial::Purpose,
            Step::Relation => {
                let enough = |more: &[Relation]| allows(facts.with_relations(more));
                let looked_at = self.looked_at(facts);
                let one: Vec<_> = looked_at.iter().copied().filter(|it| enough(&[*it])).collect();
                // Where it takes two, each of them is a step.
                let of_two = |it: &Relation| {
                    let mut others = looked_at.iter().filter(|other| *other != it);
                    others.any(|other| enough(&[*it, *other]))
                };
                Denial::NoRelation(match one.is_empty() {
                    false => one,
                    true => looked_at.iter().copied().filter(of_two).collect(),
                })
            }
            Step::Class => {
                let covered =
                    |class: &DataClass| allows(Facts { classes: vec![*class], ..facts.clone() });
                let classes = facts.classes.iter().copied().filter(|it| !covered(it)).collect();
                Denial::Class { classes, opened_by: self.opened_by(facts) }
            }
            Step::Grade => {
                let lower = (1..facts.grade.level()).rev().filter_map(|it| Grade::new(it.into()));
                let mut lower =
                    lower.filter(|grade| allows(Facts { grade: *grade, ..facts.clone() }));
                let most = lower.next().map_or(0, Grade::level);
                Denial::Grade { most, opened_by: self.opened_by(facts) }
            }
        }
    }

    /// What data are open within for this purpose, where they never are within what was asked.
    fn covered_within(&self, facts: &Facts<'_>) -> Vec<Frame> {
        let covered = |facts: &Facts<'_>| self.possible(facts, Step::Purpose).is_ok();
        // A whole card is read within a visit, whatever rules may say.
        if facts.action == Action::Dump || covered(&facts.within(facts.frame)) {
            return Vec::new();
        }
        facts.within_others().filter(covered).map(|it| it.frame).collect()
    }

    /// The relations with each of which it would be allowed as it is asked.
    fn opened_by(&self, facts: &Facts<'_>) -> Vec<Relation> {
        let entities = facts.entities();
        let opens = |relation: &Relation| {
            let facts = facts.with_relations(&[*relation]);
            matches!(self.ask(&facts, entities.as_ref()), Verdict::Allowed(_))
        };
        self.looked_at(facts).iter().copied().filter(opens).collect()
    }

    /// The relations that may make a difference.
    fn looked_at(&self, facts: &Facts<'_>) -> &[Relation] {
        let about = self.sorted.about(facts.action, facts.role, facts.purpose);
        about.map_or(&[], |about| &about.looked_at)
    }
}

enum Verdict<'a> {
    Allowed(&'a ReadRule),
    /// With the rule that forbids it, if it is not that none allows it.
    Refused(Option<&'a ReadRule>),
}

impl ReadRule {
    /// Of several that allow it the least is taken: it leaves out least, and then lasts longest.
    fn preference(&self) -> (Mask, Reverse<Option<Duration>>) {
        (self.mask, Reverse(self.lifetime))
    }

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
        let mask = match told("mask") {
            None => Mask::None,
            Some(_) if !grants_tokens => return Err(out_of_range("mask")),
            Some(word) => Mask::from_word(word).ok_or_else(|| out_of_range("mask"))?,
        };
        let (zh, en) = (needed("zh")?, needed("en")?);
        let policy_id = PolicyId::new(&id);
        let alone = PolicySet::from_policies([policy.new_id(policy_id.clone())])
            .map_err(|e| PolicyError::Malformed(e.to_string()))?;
        let rule = Arc::new(Rule { id, zh, en, missing });
        let mentions = mentions::relations(policy);
        Ok(Self { id: policy_id, alone, mentions, rule, lifetime, mask })
    }
}

/// The place of a rule in the text, as the reader numbers them.
fn number(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(usize::MAX)
}
