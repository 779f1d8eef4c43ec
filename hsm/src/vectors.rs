//! Runs the test vectors in `tests/vectors`. Every test of a file is run or skipped by a named
//! rule, so that none goes unused unnoticed; every "acceptable" one is pinned to our choice.

mod der;
mod sm2;
mod sm2_exchange;
mod sm3;
mod sm4;

use serde_json::Value;
use std::collections::BTreeMap;

/// What an implementation did with a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Accepted,
    Refused,
}
use Verdict::{Accepted, Refused};

impl<T, E> From<Result<T, E>> for Verdict {
    fn from(result: Result<T, E>) -> Self {
        if result.is_ok() { Accepted } else { Refused }
    }
}

/// One test, and the parameters of its group.
struct Case<'a> {
    group: &'a Value,
    test: &'a Value,
}

impl Case<'_> {
    fn id(&self) -> u64 {
        self.test["id"].as_u64().unwrap()
    }

    fn text(&self, field: &str) -> &str {
        self.test[field].as_str().unwrap_or_else(|| panic!("test {} has no {field}", self.id()))
    }

    fn number(&self, field: &str) -> usize {
        self.test[field].as_u64().unwrap().try_into().unwrap()
    }

    fn octets(&self, field: &str) -> Vec<u8> {
        hex::decode(self.text(field)).unwrap()
    }

    fn array<const N: usize>(&self, field: &str) -> [u8; N] {
        self.octets(field).try_into().unwrap()
    }

    /// Nothing where the file says `null`.
    fn optional(&self, field: &str) -> Option<Vec<u8>> {
        self.test[field].as_str().map(|text| hex::decode(text).unwrap())
    }

    fn is_valid(&self) -> bool {
        self.test["result"] == "valid"
    }

    fn curve(&self) -> &str {
        self.group["curve"]["name"].as_str().unwrap()
    }
}

/// How a file is run.
struct Plan {
    file: &'static str,
    /// What we do with the tests that leave the choice to us.
    choices: &'static [(u64, Verdict)],
    /// Which tests do not apply, and why.
    skip: fn(&Case<'_>) -> Option<&'static str>,
    /// How many tests each reason skips.
    skipped: &'static [(&'static str, usize)],
}

impl Plan {
    fn all(file: &'static str) -> Self {
        Self { file, choices: &[], skip: |_| None, skipped: &[] }
    }

    fn run(&self, mut check: impl FnMut(&Case<'_>) -> Verdict) {
        let path = format!("{}/../tests/vectors/{}", env!("CARGO_MANIFEST_DIR"), self.file);
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut executed = 0;
        let mut skipped = BTreeMap::<&str, usize>::new();
        let mut unused: Vec<u64> = self.choices.iter().map(|(id, _)| *id).collect();

        for group in file["groups"].as_array().unwrap() {
            for test in group["tests"].as_array().unwrap() {
                let case = Case { group, test };
                if let Some(reason) = (self.skip)(&case) {
                    *skipped.entry(reason).or_default() += 1;
                    continue;
                }
                let choice = self.choices.iter().find(|(id, _)| *id == case.id());
                let expected = match (case.text("result"), choice) {
                    ("valid", None) => Accepted,
                    ("invalid", None) => Refused,
                    ("acceptable", Some((id, verdict))) => {
                        unused.retain(|unused| unused != id);
                        *verdict
                    }
                    (result, choice) => panic!("{} {}: {result}, {choice:?}", self.file, case.id()),
                };
                let comment = test["comment"].as_str().unwrap_or_default();
                assert_eq!(check(&case), expected, "{} {}: {comment}", self.file, case.id());
                executed += 1;
            }
        }
        assert_eq!(skipped, BTreeMap::from_iter(self.skipped.iter().copied()), "{}", self.file);
        let count = executed + skipped.values().sum::<usize>();
        assert_eq!(Some(count as u64), file["count"].as_u64(), "{}", self.file);
        assert_eq!(unused, [] as [u64; 0], "{}: choices for tests that are not there", self.file);
    }
}
