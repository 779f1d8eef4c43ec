//! Decisions of the log, made again: by the rules that they were made with, so that anybody can see that they came of
//! them, or by others, so that a person sees what these would change. Nothing is changed, and the service may be running.

use std::{collections::BTreeMap, num::NonZeroU32, path::Path};

use audit::Entry;

use crate::{
    clock::{self, UtcTime},
    config::{self, Config, ConfigError, RawConfig},
    policy::{self, Decided, Policy, PolicyError, Ruling, Texts},
    store::{DecisionLog, LogEntry, MAX_PAGE, StoreError},
};

/// Which decisions are looked at, and how many of them are named.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Those of so many days; all of them when absent.
    pub days: Option<NonZeroU32>,
    /// The most that are named of each kind of change.
    pub most: usize,
}

/// How decisions come out when they are made again.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// So many as before.
    pub same: u64,
    /// Those that do not, by how they differ.
    pub changed: BTreeMap<Change, Changed>,
    /// So many could not be made again, by why.
    pub unclear: BTreeMap<Unclear, u64>,
}

/// How a decision differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Refused before, and allowed now.
    Opened,
    /// Allowed before, and refused now.
    Closed,
    /// Allowed by another rule, with another mask, or resting on other relations.
    AllowedOtherwise,
    /// Refused by another rule.
    RefusedOtherwise,
}

/// Decisions that differ in one way.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// How many.
    pub count: u64,
    /// The first ones.
    pub first: Vec<Differing>,
}

/// A decision that differs. It names people as the log does.
#[derive(Debug, PartialEq, Eq)]
pub struct Differing {
    /// Position of its leaf.
    pub position: u64,
    /// When it was made, as the log has it.
    pub at: String,
    /// The act.
    pub act: String,
    /// Who asked, by identifier.
    pub identity: Option<String>,
    /// About whom, by pseudonym.
    pub resident: Option<String>,
    /// What was decided.
    pub then: Ruling,
    /// What it is now.
    pub now: Ruling,
}

/// Why a decision could not be made again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unclear {
    /// The rules of this digest are neither on record nor those of this program.
    Rules(String),
    /// This program does not read the rules of this digest, which are on record.
    OldRules(String),
    /// What the leaf says.
    Leaf(policy::Unclear),
    /// The leaf is no entry.
    NoEntry,
}

/// Why decisions are not looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgainError {
    /// The settings are not accepted, or a text of the rules could not be read.
    #[error("reading settings and rules")]
    Config(#[from] ConfigError),
    /// The rules are not acceptable.
    #[error("reading the rules")]
    Policy(#[from] PolicyError),
    /// The log or the rules on record could not be read.
    #[error("reading the record")]
    Record(#[from] StoreError),
}

/// Makes the decisions of a data directory again, each by the rules that it was made with.
///
/// # Errors
/// [`AgainError`].
pub fn replay(data: &Path, look: Look) -> Result<Again, AgainError> {
    by_their_own(&mut log(data, look)?, look.most)
}

fn by_their_own(log: &mut DecisionLog, most: usize) -> Result<Again, AgainError> {
    let mut known: Option<(String, Result<Policy, Unclear>)> = None;
    again(log, most, |log, decided| {
        // Rules are in use for a long time: those of the decision before are mostly those of this one.
        let before = known.take().filter(|(digest, _)| *digest == decided.rules);
        let rules = match before {
            Some((_, rules)) => rules,
            None => on_record(log, &decided.rules)?,
        };
        let (_, rules) = known.insert((decided.rules.clone(), rules));
        Ok(match rules {
            Ok(rules) => rules.again(decided).map_err(Unclear::Leaf),
            Err(why) => Err(why.clone()),
        })
    })
}

/// Makes the decisions of a data directory by the rules in `folder`, which nobody need have signed. Their cases are
/// left aside.
///
/// # Errors
/// [`AgainError`].
pub fn tried(data: &Path, folder: &Path, look: Look) -> Result<Again, AgainError> {
    let policy = Policy::untried(&config::policy_texts(folder)?)?;
    let mut log = log(data, look)?;
    again(&mut log, look.most, |_, decided| Ok(policy.again(decided).map_err(Unclear::Leaf)))
}

fn log(data: &Path, look: Look) -> Result<DecisionLog, AgainError> {
    // Where the database is. The rules in the settings may be the very ones that are being changed.
    let config = Config::with_rules(RawConfig::load(data)?, data, Policy::shipped()?, None)?;
    Ok(DecisionLog::open(&config.database, look.days.and_then(since))?)
}

/// So many days ago; nothing for a time before all logs.
fn since(days: NonZeroU32) -> Option<UtcTime> {
    clock::now().checked_sub(time::Duration::days(days.get().into()))
}

/// The rules of this digest: the shipped ones of this program, or those on record.
fn on_record(log: &DecisionLog, digest: &str) -> Result<Result<Policy, Unclear>, StoreError> {
    if let Ok(shipped) = Policy::shipped()
        && hex::encode(shipped.digest()) == digest
    {
        return Ok(Ok(shipped));
    }
    let mut octets = [0; 32];
    let texts = match hex::decode_to_slice(digest, &mut octets) {
        Ok(()) => log.rules(&octets)?,
        Err(_) => None,
    };
    let Some([rules, access, cases]) = texts else {
        return Ok(Err(Unclear::Rules(digest.to_owned())));
    };
    let texts = Texts { rules: rules.into(), access: access.into(), cases: cases.into() };
    let read = Policy::untried(&texts).ok().filter(|policy| *policy.digest() == octets);
    Ok(read.ok_or_else(|| Unclear::OldRules(digest.to_owned())))
}

fn again(
    log: &mut DecisionLog,
    most: usize,
    mut made: impl FnMut(&DecisionLog, &Decided) -> Result<Result<Ruling, Unclear>, StoreError>,
) -> Result<Again, AgainError> {
    let mut again = Again::default();
    loop {
        let page = log.page(MAX_PAGE)?;
        if page.is_empty() {
            return Ok(again);
        }
        for LogEntry { position, entry } in page {
            let Ok(entry) = Entry::decode(&entry) else {
                again.is_unclear(Unclear::NoEntry);
                continue;
            };
            let decided = match Decided::read(&entry) {
                Ok(Some(decided)) => decided,
                // Refused by the records, which decide nothing by rules.
                Ok(None) => continue,
                Err(why) => {
                    again.is_unclear(Unclear::Leaf(why));
                    continue;
                }
            };
            match made(log, &decided)? {
                Ok(now) => again.compare(position, entry, decided.ruling, now, most),
                Err(why) => again.is_unclear(why),
            }
        }
    }
}

impl Again {
    /// How many do not come out as before.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.changed.values().map(|changed| changed.count).sum()
    }

    fn is_unclear(&mut self, why: Unclear) {
        *self.unclear.entry(why).or_default() += 1;
    }

    fn compare(&mut self, position: u64, entry: Entry, then: Ruling, now: Ruling, most: usize) {
        let change = match (then.is_allowed(), now.is_allowed()) {
            _ if then == now => {
                self.same += 1;
                return;
            }
            (false, true) => Change::Opened,
            (true, false) => Change::Closed,
            (true, true) => Change::AllowedOtherwise,
            (false, false) => Change::RefusedOtherwise,
        };
        let changed = self.changed.entry(change).or_default();
        changed.count += 1;
        if changed.first.len() < most {
            let Entry { at, action: act, actor, resident, .. } = entry;
            let identity = actor.identity;
            changed.first.push(Differing { position, at, act, identity, resident, then, now });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use audit::{Actor, Outcome};
    use hsm::sm2::SecretKey;
    use uuid::Uuid;

    use super::*;
    use crate::{
        policy::{AccessRequest, Act, Domain, SHIPPED, Standing},
        store::{LogKeys, NewRules, ResidentIndexKey, Store},
        vocabulary::{DataClass, Frame, Grade, Purpose, Relation, Role},
    };

    /// The entry of what a doctor is granted who treats, by the shipped rules.
    fn granted() -> Entry {
        let own = Domain { institution: "one".to_owned(), region: "330106".to_owned() };
        let standing = Standing {
            role: Role::Doctor,
            records: own.clone(),
            own,
            frame: Frame::Visit,
            here: true,
            visit_open: true,
            objected: false,
            relations: vec![Relation::Attending],
        };
        let request = AccessRequest {
            standing: &standing,
            purpose: Purpose::Treatment,
            grade: Grade::LOWEST,
            classes: &[DataClass::Health],
            lifetime: Duration::ZERO,
        };
        let actor = Actor {
            identity: Some("doctor-1".to_owned()),
            role: Some("doctor".to_owned()),
            institution: Some("one".to_owned()),
            ..Actor::default()
        };
        let (id, at) = (Uuid::now_v7().to_string(), clock::rfc3339(clock::now()));
        let act = Act::TokenIssue.as_str();
        let entry = request.recorded(Entry::new(id, at, act, Outcome::Granted, actor));
        let policy = Policy::shipped().unwrap();
        policy.access(&request).unwrap().recorded(entry, &hex::encode(policy.digest()))
    }

    fn under(rules: &str, rule: &str) -> Entry {
        granted().under(rules, rule)
    }

    #[tokio::test]
    async fn each_decision_is_held_against_the_rules_it_was_made_with_or_said_to_be_unclear() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("healthcard.db");
        let signer = Arc::new(SecretKey::from_be_bytes(&[1; 32]).unwrap());
        let resident_index = Arc::new(ResidentIndexKey::new(&[0x5a; 32]));
        let keys = LogKeys { signer, earlier: Vec::new(), resident_index };
        let store = Store::open(&path, keys, "log.example").unwrap();

        // Rules of an institution, which call the rule otherwise; and some that no program reads any more.
        let own =
            Texts { access: SHIPPED.access.replace("doctor-treats", "treats").into(), ..SHIPPED };
        let digest = *Policy::untried(&own).unwrap().digest();
        let (own_rules, old_rules) = (hex::encode(digest), hex::encode([7; 32]));
        let texts = own.files().map(|(_, text)| text.to_owned()).collect::<Vec<_>>();
        let old = ["rules", "access", "cases"].map(str::to_owned);
        let sets = [(1, digest, texts.try_into().unwrap()), (2, [7; 32], old)];
        for (version, digest, texts) in sets {
            let manifest = "manifest".to_owned();
            let rules = NewRules { version, digest, manifest, texts, at: clock::now() };
            let mut taken = granted();
            taken.action = Act::RulesTake.as_str().to_owned();
            store.record_rules_taken(rules, taken).await.unwrap();
        }

        let shipped = granted().policy.unwrap().hash;
        let unknown = "ab".repeat(32);
        let mut lacking = granted();
        lacking.detail.remove("here");
        let mut by_records = granted();
        (by_records.policy, by_records.outcome) = (None, Outcome::Refused);
        let mut refused = granted();
        refused.outcome = Outcome::Refused;
        for entry in [
            granted(),
            under(&own_rules, "treats"),
            under(&own_rules, "doctor-treats"),
            under(&shipped, "treats"),
            granted().with("mask", "full"),
            granted().with("rests-on", "attending,department"),
            refused,
            under(&unknown, "doctor-treats"),
            under("no digest", "doctor-treats"),
            under(&old_rules, "doctor-treats"),
            lacking,
            by_records,
        ] {
            store.record_act(entry).await.unwrap();
        }

        // While the store is open.
        let mut log = DecisionLog::open(&path, None).unwrap();
        let again = by_their_own(&mut log, 2).unwrap();
        assert_eq!((again.same, again.differing()), (2, 5));
        let otherwise = &again.changed[&Change::AllowedOtherwise];
        assert_eq!((otherwise.count, otherwise.first.len()), (4, 2), "the first ones are named");
        let [first, _] = &otherwise.first[..] else { unreachable!() };
        assert_eq!((first.then.rule(), first.now.rule()), ("doctor-treats", "treats"));
        assert_eq!(first.identity.as_deref(), Some("doctor-1"));
        assert_eq!(again.changed[&Change::Opened].count, 1);
        let unclear = [
            (Unclear::Rules(unknown), 1),
            (Unclear::Rules("no digest".to_owned()), 1),
            (Unclear::OldRules(old_rules), 1),
            (Unclear::Leaf(policy::Unclear::Missing("here")), 1),
        ];
        assert_eq!(again.unclear, BTreeMap::from(unclear));
    }
}
