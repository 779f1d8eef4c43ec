//! A decision as the log has it: everything it was made on, and what was decided. With rules it is made again.
//!
//! What is read back is what was written, or nothing: a word that is not known is no reason to guess.
//! The whole of a card has no grade and no classes, and its reading is not objected to. Who somebody is to the resident as a
//! person is found out only where rules look at it; by others a decision is made again only where it makes no difference.

use std::time::Duration;

use audit::{Entry, Outcome};

use super::{AccessRequest, Act, Denial, Domain, Grant, Policy, Standing};
use crate::vocabulary::{DataClass, Frame, Grade, Mask, Purpose, Relation, Role};

/// Details of an entry.
const GRADE: &str = "grade";
const CLASSES: &str = "classes";
const RELATIONS: &str = "relations";
const LOOKED_FOR: &str = "looked-for";
const WITHIN: &str = "within";
const HERE: &str = "here";
const VISIT_OPEN: &str = "visit-open";
const OBJECTED: &str = "objected";
const REGION: &str = "region";
const RECORDS_REGION: &str = "records-region";
const RECORDS_INSTITUTION: &str = "records-institution";
const DECISION: &str = "decision";
const RESTS_ON: &str = "rests-on";
const MASK: &str = "mask";

/// What was decided. How long a token lived is no part of it: whoever asks may shorten it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It was allowed.
    Allowed {
        /// The rule that allowed it.
        rule: String,
        /// The relations it rests on.
        relations: Vec<Relation>,
        /// How much is left out of what is seen.
        mask: Mask,
    },
    /// It was refused.
    Refused {
        /// The rule that refused it.
        rule: String,
    },
}

/// A decision of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Digest of the rules it was made with, hexadecimal.
    pub rules: String,
    /// What was decided.
    pub ruling: Ruling,
    act: Act,
    role: Role,
    /// What was looked for of the caller as a person.
    looked_for: Vec<Relation>,
    /// Nothing where the role was refused before anything else was looked at.
    question: Option<Question>,
}

/// What a decision about data was made on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    standing: Standing,
    purpose: Purpose,
    sought: Sought,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sought {
    Data(Grade, Vec<DataClass>),
    /// The whole of a card.
    Card,
}

/// Why a decision of the log cannot be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unclear {
    /// The entry lacks something.
    #[error("the entry has no {0}")]
    Missing(&'static str),
    /// The entry says something that is not known.
    #[error("the entry has a {0} that is not known")]
    Unknown(&'static str),
    /// Then the role might not ask at all, and now it may: what it asked for was not looked at.
    #[error("the role was refused before anything else was looked at, and is not any more")]
    RoleAlone,
    /// It was of no matter then whether the caller has this tie to the resident, and now it is.
    #[error(
        "whether the caller is tied to the resident as {0} was not looked for, and matters now"
    )]
    NotLookedFor(Relation),
}

impl Ruling {
    /// What this decision is.
    #[must_use]
    pub fn of(decision: &Result<Grant, Denial>) -> Self {
        match decision {
            Ok(Grant { rule, relations, mask, .. }) => {
                Self::Allowed { rule: rule.id.clone(), relations: relations.clone(), mask: *mask }
            }
            Err(denial) => Self::Refused { rule: denial.rule().to_owned() },
        }
    }

    /// Whether it was allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// The rule that decided.
    #[must_use]
    pub fn rule(&self) -> &str {
        match self {
            Self::Allowed { rule, .. } | Self::Refused { rule } => rule,
        }
    }
}

impl AccessRequest<'_> {
    /// The entry, by whoever asks, with everything that it is decided on.
    #[must_use]
    pub fn recorded(&self, entry: Entry) -> Entry {
        let standing = self.standing;
        standing
            .recorded(entry, self.purpose)
            .with(GRADE, self.grade.level().to_string())
            .with(CLASSES, list(self.classes, DataClass::as_str))
            .with(OBJECTED, said(standing.objected))
    }
}

impl Standing {
    /// The entry, by whoever stands so, with everything that reading the whole of a card is decided on.
    #[must_use]
    pub fn recorded(&self, entry: Entry, purpose: Purpose) -> Entry {
        let Self { own, records, .. } = self;
        let entry = entry
            .for_purpose(purpose.as_str())
            .with(RELATIONS, list(&self.relations, Relation::as_str))
            .with(WITHIN, self.frame.as_str())
            .with(HERE, said(self.here))
            .with(VISIT_OPEN, said(self.visit_open))
            .with(REGION, own.region.as_str())
            .with(RECORDS_REGION, records.region.as_str());
        match own.institution == records.institution {
            true => entry,
            false => entry.with(RECORDS_INSTITUTION, records.institution.as_str()),
        }
    }
}

/// The entry of a decision for which these ties of the caller as a person were looked for.
#[must_use]
pub fn looked_for(entry: Entry, relations: &[Relation]) -> Entry {
    match relations {
        [] => entry,
        relations => entry.with(LOOKED_FOR, list(relations, Relation::as_str)),
    }
}

impl Grant {
    /// The entry with what was granted, by rules of this digest.
    #[must_use]
    pub fn recorded(&self, entry: Entry, rules: &str) -> Entry {
        entry
            .under(rules, self.rule.id.as_str())
            .with(RESTS_ON, list(&self.relations, Relation::as_str))
            .with(MASK, self.mask.as_str())
    }
}

/// The entry with a decision that was asked about, by rules of this digest, and not acted on.
#[must_use]
pub fn explained(entry: Entry, decision: &Result<Grant, Denial>, rules: &str) -> Entry {
    match decision {
        Ok(grant) => grant.recorded(entry, rules).with(DECISION, "allowed"),
        Err(denial) => entry.under(rules, denial.rule()).with(DECISION, "refused"),
    }
}

impl Decided {
    /// The decision that an entry about a token or the whole of a card has; nothing where no rule decided.
    ///
    /// # Errors
    /// [`Unclear`], where the entry does not have what it was made on.
    pub fn read(entry: &Entry) -> Result<Option<Self>, Unclear> {
        let Some(policy) = &entry.policy else { return Ok(None) };
        // An account that is late is no matter of the rules: they allowed it.
        if policy.rule == Denial::AccountOverdue.rule() {
            return Ok(None);
        }
        let act = Act::from_word(&entry.action).ok_or(Unclear::Unknown("action"))?;
        let detail =
            |name| entry.detail.get(name).map(String::as_str).ok_or(Unclear::Missing(name));
        let rule = policy.rule.clone();
        let allowed = match (act, entry.outcome) {
            (Act::TokenIssue | Act::CardDump, Outcome::Granted) => true,
            (Act::TokenExplain, Outcome::Granted) => match detail(DECISION)? {
                "allowed" => true,
                "refused" => false,
                _ => return Err(Unclear::Unknown(DECISION)),
            },
            (Act::TokenIssue | Act::TokenExplain | Act::CardDump, Outcome::Refused) => false,
            (Act::TokenIssue | Act::TokenExplain | Act::CardDump, Outcome::Failed) => {
                return Err(Unclear::Unknown("outcome"));
            }
            _ => return Err(Unclear::Unknown("action")),
        };
        let ruling = match allowed {
            true => Ruling::Allowed {
                rule,
                relations: words(RESTS_ON, detail(RESTS_ON)?, Relation::from_word)?,
                mask: word(MASK, detail(MASK)?, Mask::from_word)?,
            },
            false => Ruling::Refused { rule },
        };
        let role = entry.actor.role.as_deref().ok_or(Unclear::Missing("role"))?;
        let role = word("role", role, Role::from_word)?;
        let role_alone = ruling.rule() == Denial::Role.rule() && !entry.detail.contains_key(WITHIN);
        let question = match role_alone {
            true => None,
            false => Some(Question::read(entry, act, role)?),
        };
        let looked_for = match entry.detail.get(LOOKED_FOR) {
            None => Vec::new(),
            Some(said) => words(LOOKED_FOR, said, Relation::from_word)?,
        };
        Ok(Some(Self { rules: policy.hash.clone(), ruling, act, role, looked_for, question }))
    }
}

impl Question {
    fn read(entry: &Entry, act: Act, role: Role) -> Result<Self, Unclear> {
        let detail =
            |name| entry.detail.get(name).map(String::as_str).ok_or(Unclear::Missing(name));
        let truth = |name| match detail(name)? {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(Unclear::Unknown(name)),
        };
        let region = |name| match detail(name)? {
            code if code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(code.to_owned())
            }
            _ => Err(Unclear::Unknown(name)),
        };
        let own = entry.actor.institution.as_ref().ok_or(Unclear::Missing("institution"))?;
        let records = match entry.detail.get(RECORDS_INSTITUTION) {
            Some(other) if other == own => return Err(Unclear::Unknown(RECORDS_INSTITUTION)),
            Some(other) => other,
            None => own,
        };
        let purpose = entry.purpose.as_deref().ok_or(Unclear::Missing("purpose"))?;
        let (sought, objected) = match act {
            Act::CardDump => (Sought::Card, false),
            _ => {
                let classes = words(CLASSES, detail(CLASSES)?, DataClass::from_word)?;
                (Sought::Data(word(GRADE, detail(GRADE)?, grade)?, classes), truth(OBJECTED)?)
            }
        };
        let standing = Standing {
            role,
            own: Domain { institution: own.clone(), region: region(REGION)? },
            records: Domain { institution: records.clone(), region: region(RECORDS_REGION)? },
            frame: word(WITHIN, detail(WITHIN)?, Frame::from_word)?,
            here: truth(HERE)?,
            visit_open: truth(VISIT_OPEN)?,
            objected,
            relations: words(RELATIONS, detail(RELATIONS)?, Relation::from_word)?,
        };
        Ok(Self { standing, purpose: word("purpose", purpose, Purpose::from_word)?, sought })
    }
}

impl Policy {
    /// Makes a decision of the log again, by these rules.
    ///
    /// # Errors
    /// [`Unclear::RoleAlone`], [`Unclear::NotLookedFor`].
    pub fn again(&self, decided: &Decided) -> Result<Ruling, Unclear> {
        let question = match (self.may(decided.role, decided.act), &decided.question) {
            (Err(denial), _) => return Ok(Ruling::of(&Err(denial))),
            (Ok(()), None) => return Err(Unclear::RoleAlone),
            (Ok(()), Some(question)) => question,
        };
        let ruling = Ruling::of(&self.answer(question));
        let looks_for = self.looks_for(decided.act, decided.role, question.purpose);
        // Nobody is their own guardian: one at a time is all that there may be.
        for relation in looks_for.iter().filter(|it| !decided.looked_for.contains(it)) {
            let mut tied = question.clone();
            tied.standing.relations.push(*relation);
            if Ruling::of(&self.answer(&tied)) != ruling {
                return Err(Unclear::NotLookedFor(*relation));
            }
        }
        Ok(ruling)
    }

    fn answer(&self, question: &Question) -> Result<Grant, Denial> {
        let Question { standing, purpose, sought } = question;
        match sought {
            Sought::Card => self.dump(standing, *purpose),
            Sought::Data(grade, classes) => self.access(&AccessRequest {
                standing,
                purpose: *purpose,
                grade: *grade,
                classes,
                lifetime: Duration::ZERO,
            }),
        }
    }
}

/// Words of a list as the log has them.
fn list<W: Copy>(words: &[W], spelled: fn(W) -> &'static str) -> String {
    match words {
        [] => "none".to_owned(),
        words => words.iter().map(|word| spelled(*word)).collect::<Vec<_>>().join(","),
    }
}

fn words<W>(
    name: &'static str,
    text: &str,
    from_word: fn(&str) -> Option<W>,
) -> Result<Vec<W>, Unclear> {
    match text {
        "none" => Ok(Vec::new()),
        text => text.split(',').map(|text| word(name, text, from_word)).collect(),
    }
}

fn word<W>(name: &'static str, text: &str, from_word: fn(&str) -> Option<W>) -> Result<W, Unclear> {
    from_word(text).ok_or(Unclear::Unknown(name))
}

fn said(truth: bool) -> &'static str {
    if truth { "yes" } else { "no" }
}

/// A grade by its one digit.
fn grade(text: &str) -> Option<Grade> {
    let [digit @ b'1'..=b'5'] = text.as_bytes() else { return None };
    Grade::new(u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use audit::Actor;
    use proptest::{
        prelude::*,
        sample::{select, subsequence},
    };

    use super::*;

    static SHIPPED: LazyLock<Policy> = LazyLock::new(|| Policy::shipped().unwrap());

    fn entry(act: Act, outcome: Outcome, standing: &Standing) -> Entry {
        let actor = Actor {
            role: Some(standing.role.as_str().to_owned()),
            institution: Some(standing.own.institution.clone()),
            ..Actor::default()
        };
        let id = "0193a000-0000-7000-8000-000000000000";
        Entry::new(id, "2026-11-23T08:00:00.000000Z", act.as_str(), outcome, actor)
    }

    fn decision(act: Act, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        match act {
            Act::CardDump => SHIPPED.dump(request.standing, request.purpose),
            _ => SHIPPED.access(request),
        }
    }

    /// The entry of a decision by the shipped rules, as the service writes it, read from its octets.
    fn recorded(act: Act, request: &AccessRequest<'_>) -> Entry {
        let rules = hex::encode(SHIPPED.digest());
        let decision = decision(act, request);
        let sought = SHIPPED.looks_for(act, request.standing.role, request.purpose);
        let entry = |outcome| {
            let entry = looked_for(entry(act, outcome, request.standing), sought);
            match act {
                Act::CardDump => request.standing.recorded(entry, request.purpose),
                _ => request.recorded(entry),
            }
        };
        let entry = match (act, &decision) {
            (Act::TokenExplain, _) => explained(entry(Outcome::Granted), &decision, &rules),
            (_, Ok(grant)) => grant.recorded(entry(Outcome::Granted), &rules),
            (_, Err(denial)) => entry(Outcome::Refused).under(rules, denial.rule()),
        };
        Entry::decode(&entry.encode().unwrap()).unwrap()
    }

    fn domain() -> impl Strategy<Value = Domain> {
        (select(vec!["one", "other"]), "[1-9][0-9]{5}").prop_map(|(institution, region)| Domain {
            institution: institution.to_owned(),
            region,
        })
    }

    fn standing() -> impl Strategy<Value = Standing> {
        let facts = (any::<bool>(), any::<bool>(), any::<bool>());
        let relations = subsequence(Relation::ALL, ..=Relation::ALL.len()).prop_shuffle();
        let words = (select(Role::ALL), select(Frame::ALL), relations);
        (words, domain(), domain(), facts).prop_map(|(words, own, records, facts)| {
            let (role, frame, relations) = words;
            let (here, visit_open, objected) = facts;
            Standing { role, own, records, frame, here, visit_open, objected, relations }
        })
    }

    /// What the standing, the purpose and the data are of a decision that the shipped rules often allow.
    fn treating() -> impl Strategy<Value = Standing> {
        standing().prop_map(|standing| Standing {
            role: Role::Doctor,
            records: standing.own.clone(),
            frame: Frame::Visit,
            here: true,
            visit_open: true,
            ..standing
        })
    }

    proptest! {
        /// Whatever is asked: the entry has all that it was decided on, and it is decided so again.
        #[test]
        fn a_decision_is_made_again_from_its_entry(
            standing in prop_oneof![standing(), treating()],
            act in select(vec![Act::TokenIssue, Act::TokenExplain, Act::CardDump]),
            purpose in prop_oneof![Just(Purpose::Treatment), select(Purpose::ALL)],
            grade in 1..=5_u32,
            classes in subsequence(DataClass::ALL, ..=DataClass::ALL.len()),
        ) {
            let grade = Grade::new(grade).unwrap();
            let lifetime = Duration::ZERO;
            let request =
                AccessRequest { standing: &standing, purpose, grade, classes: &classes, lifetime };
            let decided = Decided::read(&recorded(act, &request)).unwrap().unwrap();
            let ruling = Ruling::of(&decision(act, &request));
            prop_assert_eq!(&decided.ruling, &ruling);
            let standing = standing.clone();
            let question = match act {
                Act::CardDump => {
                    let standing = Standing { objected: false, ..standing };
                    Question { standing, purpose, sought: Sought::Card }
                }
                _ => Question { standing, purpose, sought: Sought::Data(grade, classes.clone()) },
            };
            let role = question.standing.role;
            prop_assert_eq!(decided.question.as_ref(), Some(&question));
            // Who may not even ask is not told how it would be decided: no such entry comes to be.
            if SHIPPED.may(role, act).is_ok() {
                prop_assert_eq!(SHIPPED.again(&decided), Ok(ruling));
            }
        }
    }

    fn sample(act: Act) -> Entry {
        let domain = |it: &str| Domain { institution: it.to_owned(), region: "330106".to_owned() };
        let standing = Standing {
            role: Role::Doctor,
            own: domain("one"),
            records: domain("other"),
            frame: Frame::Visit,
            here: true,
            visit_open: true,
            objected: false,
            relations: vec![Relation::Attending, Relation::Consent],
        };
        let classes = [DataClass::Health];
        let request = AccessRequest {
            standing: &standing,
            purpose: Purpose::Treatment,
            grade: Grade::LOWEST,
            classes: &classes,
            lifetime: Duration::ZERO,
        };
        recorded(act, &request)
    }

    #[test]
    fn what_an_entry_lacks_or_says_in_other_words_is_not_guessed() {
        for act in [Act::TokenExplain, Act::CardDump] {
            let sample = || sample(act);
            assert!(Decided::read(&sample()).unwrap().unwrap().ruling.is_allowed());
            for name in sample().detail.into_keys().filter(|name| name != RECORDS_INSTITUTION) {
                let mut entry = sample();
                let known = entry.detail.remove(&name).unwrap();
                let lacks = Decided::read(&entry);
                let missing = matches!(lacks, Err(Unclear::Missing(it)) if it == name);
                assert!(missing, "{name}: {lacks:?}");
                for other in [format!("{known} "), format!("{known},"), known.to_uppercase() + "?"]
                {
                    let read = Decided::read(&entry.clone().with(name.as_str(), other.as_str()));
                    let unknown = matches!(read, Err(Unclear::Unknown(it)) if it == name);
                    assert!(unknown, "{name}: {other}: {read:?}");
                }
            }
        }
        let sample = || sample(Act::TokenExplain);
        for (name, other) in [
            (GRADE, "0"),
            (GRADE, "6"),
            (GRADE, "+1"),
            (GRADE, "01"),
            (REGION, "33010"),
            (REGION, "３３"),
            (RECORDS_INSTITUTION, "one"),
            (RELATIONS, "none,consent"),
        ] {
            let read = Decided::read(&sample().with(name, other));
            assert_eq!(read, Err(Unclear::Unknown(name)), "{other}");
        }
        type Change = fn(&mut Entry);
        let others: [(Change, Unclear); 8] = [
            (|it| it.action = "card.read".to_owned(), Unclear::Unknown("action")),
            (|it| it.action = "token.forge".to_owned(), Unclear::Unknown("action")),
            (|it| it.outcome = Outcome::Failed, Unclear::Unknown("outcome")),
            (|it| it.actor.role = None, Unclear::Missing("role")),
            (|it| it.actor.role = Some("god".to_owned()), Unclear::Unknown("role")),
            (|it| it.actor.institution = None, Unclear::Missing("institution")),
            (|it| it.purpose = None, Unclear::Missing("purpose")),
            (|it| it.purpose = Some("fun".to_owned()), Unclear::Unknown("purpose")),
        ];
        for (change, why) in others {
            let mut entry = sample();
            change(&mut entry);
            assert_eq!(Decided::read(&entry), Err(why));
        }
        let mut by_records = sample();
        by_records.policy = None;
        assert_eq!(Decided::read(&by_records), Ok(None));
    }

    #[test]
    fn of_a_role_that_might_not_ask_no_more_is_known() {
        let nobody = Standing { role: Role::Auditor, ..standing_of_sample() };
        let refused = entry(Act::TokenIssue, Outcome::Refused, &nobody)
            .under(hex::encode(SHIPPED.digest()), Denial::Role.rule());
        let decided = Decided::read(&refused).unwrap().unwrap();
        assert_eq!(SHIPPED.again(&decided), Ok(decided.ruling.clone()));
        let doctor = Decided { role: Role::Doctor, ..decided };
        assert_eq!(SHIPPED.again(&doctor), Err(Unclear::RoleAlone));
    }

    #[test]
    fn what_nobody_looked_for_is_not_guessed_where_it_matters() {
        let nurse = Standing { role: Role::Nurse, ..standing_of_sample() };
        let nurse = Standing { records: nurse.own.clone(), relations: Vec::new(), ..nurse };
        let asked = |standing: &Standing, purpose, looked: &[Relation]| {
            let classes = [DataClass::Health];
            let (grade, lifetime) = (Grade::LOWEST, Duration::ZERO);
            let request = AccessRequest { standing, purpose, grade, classes: &classes, lifetime };
            let entry = entry(Act::TokenIssue, Outcome::Refused, standing);
            let entry = looked_for(request.recorded(entry), looked);
            let denial = SHIPPED.access(&request).unwrap_err();
            let entry = entry.under(hex::encode(SHIPPED.digest()), denial.rule());
            SHIPPED.again(&Decided::read(&entry).unwrap().unwrap())
        };
        let refused = |rule: &str| Ok(Ruling::Refused { rule: rule.to_owned() });
        let (treats, wishes) = (Purpose::Treatment, Purpose::PatientRequest);
        let (resident, guardian) = (Relation::Resident, Relation::Guardian);
        let untied = refused("relation-to-resident");
        assert_eq!(asked(&nurse, wishes, &[resident, guardian]), untied);
        assert_eq!(asked(&nurse, wishes, &[guardian]), Err(Unclear::NotLookedFor(resident)));
        assert_eq!(asked(&nurse, wishes, &[resident]), Err(Unclear::NotLookedFor(guardian)));
        // It makes no difference.
        assert_eq!(asked(&nurse, treats, &[]), untied);
        let afterwards = Standing { visit_open: false, ..nurse };
        assert_eq!(asked(&afterwards, wishes, &[]), refused("visit-open"));
        let read = Decided::read(&sample(Act::TokenIssue).with(LOOKED_FOR, "relative"));
        assert_eq!(read, Err(Unclear::Unknown(LOOKED_FOR)));
    }

    #[test]
    fn a_late_account_is_no_decision_of_rules() {
        let entry = sample(Act::TokenIssue).under("00", Denial::AccountOverdue.rule());
        assert_eq!(Decided::read(&entry), Ok(None));
    }

    fn standing_of_sample() -> Standing {
        Decided::read(&sample(Act::TokenIssue)).unwrap().unwrap().question.unwrap().standing
    }
}
