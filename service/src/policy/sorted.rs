//! Rules sorted by who they may be about and what for, so that a decision looks at those alone.
//!
//! A rule whose condition has `principal.role == …` among what all has to hold never applies to another role, and so it
//! is with `context.purpose`. What is not seen to be so is kept for everybody.

use std::collections::BTreeMap;

use cedar_policy::{ActionConstraint, Effect, Policy, PolicySet};
use serde_json::Value;

use super::{PolicyError, facts::Action, mentions, standing::IN_PERSON};
use crate::vocabulary::{Purpose, Relation, Role};

/// The rules that may apply, by what is asked for, the role of who asks, and why.
#[derive(Debug)]
pub(super) struct SortedRules(BTreeMap<(Action, Role, Purpose), Applicable>);

/// Rules that may apply.
#[derive(Debug)]
pub(super) struct Applicable {
    pub(super) all: PolicySet,
    /// Those among them that forbid something and look at relations.
    pub(super) forbid_by_relation: PolicySet,
    /// The relations that one of them looks at: no other makes a difference.
    pub(super) looked_at: Vec<Relation>,
    /// Those of them that somebody has as a person.
    pub(super) in_person: Vec<Relation>,
}

/// A rule, with the only roles and purposes to which it can apply, where its condition says so.
struct About<'a> {
    policy: &'a Policy,
    /// The relations that it looks at.
    mentions: Vec<Relation>,
    roles: Option<Vec<Role>>,
    purposes: Option<Vec<Purpose>>,
}

impl SortedRules {
    pub(super) fn of<'a>(policies: impl Iterator<Item = &'a Policy>) -> Result<Self, PolicyError> {
        let rules: Vec<_> = policies.map(About::of).collect();
        let mut sorted = BTreeMap::new();
        for action in Action::ALL {
            for role in Role::ALL {
                for purpose in Purpose::ALL {
                    let apply = rules.iter().filter(|it| it.may_apply(action, *role, *purpose));
                    let looked_at =
                        |it: &Relation| apply.clone().any(|about| about.mentions.contains(it));
                    let apply = Applicable {
                        forbid_by_relation: set(apply
                            .clone()
                            .filter(|it| it.forbids_by_relation()))?,
                        looked_at: Relation::ALL.iter().copied().filter(looked_at).collect(),
                        in_person: IN_PERSON.into_iter().filter(looked_at).collect(),
                        all: set(apply)?,
                    };
                    sorted.insert((action, *role, *purpose), apply);
                }
            }
        }
        Ok(Self(sorted))
    }

    /// The rules that may apply.
    pub(super) fn about(
        &self,
        action: Action,
        role: Role,
        purpose: Purpose,
    ) -> Option<&Applicable> {
        self.0.get(&(action, role, purpose))
    }
}

fn set<'a>(rules: impl Iterator<Item = &'a About<'a>>) -> Result<PolicySet, PolicyError> {
    PolicySet::from_policies(rules.map(|it| it.policy.clone()))
        .map_err(|e| PolicyError::Malformed(e.to_string()))
}

impl<'a> About<'a> {
    fn of(policy: &'a Policy) -> Self {
        let text = policy.to_json().unwrap_or_default();
        let words = |of: (&str, &str), kind: &str| {
            let conditions = text["conditions"].as_array()?;
            let mut all = conditions.iter().filter(|it| it["kind"] == "when");
            all.find_map(|it| named(&it["body"], of, kind))
        };
        let roles = words(("principal", "role"), "Role");
        let purposes = words(("context", "purpose"), "Purpose");
        // A word that is none of ours was refused when the rules were read; kept for everybody all the same.
        let roles = roles.and_then(|it| it.iter().map(|word| Role::from_word(word)).collect());
        let purposes =
            purposes.and_then(|it| it.iter().map(|word| Purpose::from_word(word)).collect());
        Self { policy, mentions: mentions::relations(policy), roles, purposes }
    }

    fn forbids_by_relation(&self) -> bool {
        self.policy.effect() == Effect::Forbid && !self.mentions.is_empty()
    }

    fn may_apply(&self, action: Action, role: Role, purpose: Purpose) -> bool {
        let action = match self.policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(only) => only == action.uid(),
            ActionConstraint::In(some) => some.contains(&action.uid()),
        };
        action
            && self.roles.as_ref().is_none_or(|roles| roles.contains(&role))
            && self.purposes.as_ref().is_none_or(|purposes| purposes.contains(&purpose))
    }
}

/// The words that this condition, or one of those that all have to hold within it, leaves of an attribute.
fn named(condition: &Value, of: (&str, &str), kind: &str) -> Option<Vec<String>> {
    if let Some(both) = condition.get("&&") {
        return named(&both["left"], of, kind).or_else(|| named(&both["right"], of, kind));
    }
    let is_it = |expression: &Value| {
        let member = &expression["."];
        member["attr"] == of.1 && member["left"]["Var"] == of.0
    };
    let word = |expression: &Value| {
        let entity = &expression["Value"]["__entity"];
        (entity["type"] == kind).then(|| entity["id"].as_str().map(str::to_owned)).flatten()
    };
    if let Some(equal) = condition.get("==") {
        let (left, right) = (&equal["left"], &equal["right"]);
        return match (is_it(left), is_it(right)) {
            (true, _) => Some(vec![word(right)?]),
            (_, true) => Some(vec![word(left)?]),
            _ => None,
        };
    }
    let within = condition.get("contains").filter(|within| is_it(&within["right"]))?;
    within["left"]["Set"].as_array()?.iter().map(word).collect()
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn only_what_has_to_hold_narrows_a_rule() {
        let doctor = Some(vec![Role::Doctor]);
        #[rustfmt::skip]
        let cases = [
            ("when { principal.role == Role::\"doctor\" }", doctor.clone()),
            ("when { Role::\"doctor\" == principal.role }", doctor.clone()),
            ("when { context.grade < 3 && principal.role == Role::\"doctor\" && context.here }", doctor.clone()),
            ("when { context.here } when { principal.role == Role::\"doctor\" }", doctor),
            ("when { [Role::\"doctor\", Role::\"nurse\"].contains(principal.role) }", Some(vec![Role::Doctor, Role::Nurse])),
            ("when { principal.role == Role::\"doctor\" || context.here }", None),
            ("when { !(principal.role == Role::\"doctor\") }", None),
            ("when { if principal.role == Role::\"doctor\" then true else context.here }", None),
            ("when { principal.role != Role::\"doctor\" }", None),
            ("when { principal.role == Role::\"nobody\" }", None),
            ("unless { principal.role == Role::\"doctor\" }", None),
            ("when { principal.role == principal.role }", None),
            ("when { context.role == Role::\"doctor\" }", None),
            ("", None),
        ];
        for (condition, expected) in cases {
            let text = format!("permit (principal, action, resource) {condition};");
            let policy = Policy::from_str(&text).unwrap();
            assert_eq!(About::of(&policy).roles, expected, "{condition}");
        }
        let treats = "permit (principal, action, resource) when { context.purpose == Purpose::\"treatment\" };";
        let policy = Policy::from_str(treats).unwrap();
        let about = About::of(&policy);
        assert_eq!((about.roles, about.purposes), (None, Some(vec![Purpose::Treatment])));
    }
}
