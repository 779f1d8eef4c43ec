//! Which relations a rule looks at: taking away another cannot change what it says.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use crate::vocabulary::Relation;

/// The relations that a rule names. All of them where it asks for more than whether one of those it names is there.
pub(super) fn relations(policy: &Policy) -> Vec<Relation> {
    let text = policy.to_json().unwrap_or_default();
    let mut named = BTreeSet::new();
    match only_named(&text, &mut named) {
        true => Relation::ALL.iter().copied().filter(|it| named.contains(it.as_str())).collect(),
        false => Relation::ALL.to_vec(),
    }
}

/// Whether relations are asked for by their names alone, which are collected.
fn only_named(expression: &Value, named: &mut BTreeSet<String>) -> bool {
    match expression {
        Value::Array(parts) => parts.iter().all(|part| only_named(part, named)),
        Value::Object(members) => members.iter().all(|(member, value)| {
            let asked = ["contains", "containsAny", "containsAll"].contains(&member.as_str());
            if asked && is_relations(&value["left"]) {
                return collect(&value["right"], named);
            }
            match member.as_str() {
                // The context as a whole has the relations in it.
                "Var" => value != "context",
                "." if value["left"]["Var"] == "context" => value["attr"] != "relations",
                _ => only_named(value, named),
            }
        }),
        _ => true,
    }
}

fn is_relations(expression: &Value) -> bool {
    let member = &expression["."];
    member["attr"] == "relations" && member["left"]["Var"] == "context"
}

/// The relations of a literal, or of a set of them; false for anything else.
fn collect(expression: &Value, named: &mut BTreeSet<String>) -> bool {
    if let Some(set) = expression.get("Set").and_then(Value::as_array) {
        return set.iter().all(|word| collect(word, named));
    }
    match expression["Value"]["__entity"]["id"].as_str() {
        Some(word) => {
            named.insert(word.to_owned());
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn what_is_asked_by_name_is_seen_and_everything_else_is_all() {
        let [all, none] = [Relation::ALL.to_vec(), Vec::new()];
        #[rustfmt::skip]
        let cases = [
            ("context.relations.contains(Relation::\"attending\")", vec![Relation::Attending]),
            ("[Relation::\"referral\", Relation::\"consent\"].contains(Relation::\"consent\") && context.here", none.clone()),
            ("context.relations.containsAny([Relation::\"consent\", Relation::\"attending\"])", vec![Relation::Attending, Relation::Consent]),
            ("!context.relations.containsAll([Relation::\"consent\"]) || context.grade < 3", vec![Relation::Consent]),
            ("if context.relations.contains(Relation::\"consent\") then context.here else context.relations.contains(Relation::\"referral\")", vec![Relation::Referral, Relation::Consent]),
            ("context.here && principal.role == Role::\"doctor\"", none),
            ("context.relations.isEmpty()", all.clone()),
            ("context.relations == [Relation::\"consent\"]", all.clone()),
            ("context.relations.containsAny(context.relations)", all.clone()),
            ("[Relation::\"consent\"].containsAll(context.relations)", all.clone()),
            ("context has relations && context.here", all.clone()),
            ("context == context", all),
        ];
        for (condition, expected) in cases {
            let text = format!("permit (principal, action, resource) when {{ {condition} }};");
            assert_eq!(relations(&Policy::from_str(&text).unwrap()), expected, "{condition}");
        }
    }
}
