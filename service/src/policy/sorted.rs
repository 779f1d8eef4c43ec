//! Rules sorted by who they may be about, so that a decision looks at those alone.
//!
//! A rule whose condition has `principal.role == …` among what all has to hold never applies to another role. What is
//! not seen to be so is kept for everybody.

use std::collections::BTreeMap;

use cedar_policy::{ActionConstraint, Policy, PolicySet};
use serde_json::Value;

use super::{PolicyError, facts::Action};
use crate::vocabulary::Role;

/// The rules that may apply, by what is asked for and the role of who asks.
#[derive(Debug)]
pub(super) struct SortedRules(BTreeMap<(Action, Role), PolicySet>);

impl SortedRules {
    pub(super) fn of<'a>(policies: impl Iterator<Item = &'a Policy>) -> Result<Self, PolicyError> {
        let about: Vec<_> = policies.map(|policy| (policy, roles(policy))).collect();
        let mut sorted = BTreeMap::new();
        for action in Action::ALL {
            for role in Role::ALL {
                let apply = about.iter().filter(|(policy, roles)| {
                    may_be_about(policy, action)
                        && roles.as_ref().is_none_or(|roles| roles.contains(role))
                });
                let apply = apply.map(|(policy, _)| (*policy).clone());
                let apply = PolicySet::from_policies(apply)
                    .map_err(|e| PolicyError::Malformed(e.to_string()))?;
                sorted.insert((action, *role), apply);
            }
        }
        Ok(Self(sorted))
    }

    /// The rules that may apply; none, which allows nothing, where there are none.
    pub(super) fn about(&self, action: Action, role: Role) -> Option<&PolicySet> {
        self.0.get(&(action, role))
    }
}

fn may_be_about(policy: &Policy, action: Action) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only == action.uid(),
        ActionConstraint::In(some) => some.contains(&action.uid()),
    }
}

/// The only roles to which a rule can apply, if its condition says so.
fn roles(policy: &Policy) -> Option<Vec<Role>> {
    let text = policy.to_json().ok()?;
    let conditions = text["conditions"].as_array()?;
    let all = conditions.iter().filter(|it| it["kind"] == "when").map(|it| &it["body"]);
    all.filter_map(named).next()
}

/// The roles that this condition names, or one of those that all have to hold within it.
fn named(condition: &Value) -> Option<Vec<Role>> {
    if let Some(both) = condition.get("&&") {
        return named(&both["left"]).or_else(|| named(&both["right"]));
    }
    let (left, right, one) = match (condition.get("=="), condition.get("contains")) {
        (Some(equal), _) => (&equal["left"], &equal["right"], true),
        (None, Some(within)) => (&within["left"], &within["right"], false),
        (None, None) => return None,
    };
    match (is_role(left), is_role(right), one) {
        (_, true, true) => Some(vec![word(left)?]),
        (true, _, true) => Some(vec![word(right)?]),
        (_, true, false) => left["Set"].as_array()?.iter().map(word).collect(),
        _ => None,
    }
}

/// `principal.role`
fn is_role(expression: &Value) -> bool {
    let member = &expression["."];
    member["attr"] == "role" && member["left"]["Var"] == "principal"
}

/// `Role::"…"`
fn word(expression: &Value) -> Option<Role> {
    let entity = &expression["Value"]["__entity"];
    if entity["type"] != "Role" {
        return None;
    }
    Role::from_word(entity["id"].as_str()?)
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
            ("unless { principal.role == Role::\"doctor\" }", None),
            ("when { principal.role == principal.role }", None),
            ("when { context.role == Role::\"doctor\" }", None),
            ("", None),
        ];
        for (condition, expected) in cases {
            let text = format!("permit (principal, action, resource) {condition};");
            assert_eq!(roles(&Policy::from_str(&text).unwrap()), expected, "{condition}");
        }
    }
}
