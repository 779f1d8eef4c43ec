//! What functions answer.

use access_token::{Refusal, keys::BadKeySet};

/// Why a function did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A pointer is null that must not be, a number is not one of those that are allowed, or a text is not UTF-8 or too
    /// long.
    Argument,
    /// There is no such verifier: it was closed, or never opened.
    Closed,
    /// There is no room for what a token says.
    Room,
    /// As many verifiers are open as may be.
    TooMany,
    /// A fault of the library's own.
    Fault,
    /// The key set is not taken.
    Keys(BadKeySet),
    /// Token, proof or snapshot are not taken.
    Refused(Refusal),
}

/// The library's own: number, code, reason, text in Chinese and in English.
const OWN: [(i32, Code, &str, &str, &str); 5] = [
    (1, Code::Argument, "ARGUMENT", "参数不正确", "a parameter is wrong"),
    (2, Code::Closed, "VERIFIER_CLOSED", "核验器不存在或已关闭", "there is no such verifier"),
    (3, Code::Room, "NO_ROOM", "缓冲区不足", "there is no room for the claims"),
    (4, Code::TooMany, "VERIFIERS_TOO_MANY", "打开的核验器过多", "too many verifiers are open"),
    (5, Code::Fault, "FAULT", "库内部错误", "a fault of the library's own"),
];

/// Key sets that are not taken.
const KEYS: [(i32, BadKeySet, &str, &str, &str); 5] = [
    (16, BadKeySet::TooLarge, "KEYS_TOO_LARGE", "公钥集过大", "the key set is too large"),
    (17, BadKeySet::Malformed, "KEYS_MALFORMED", "公钥集格式不正确", "the key set is malformed"),
    (
        18,
        BadKeySet::SameName,
        "KEYS_SAME_NAME",
        "公钥集有重名的密钥",
        "two keys of the set have one name",
    ),
    (19, BadKeySet::Secret, "KEYS_SECRET", "公钥集泄露了私钥", "the key set gives a secret away"),
    (
        20,
        BadKeySet::NoneForTokens,
        "KEYS_NONE_FOR_TOKENS",
        "公钥集没有令牌密钥",
        "the key set has no key for tokens",
    ),
];

/// What was refused, by number. A number stays as its reason does: more are added at the end.
const REFUSED: [(i32, Refusal); 31] = [
    (32, Refusal::TokenTooLong),
    (33, Refusal::TokenMalformed),
    (34, Refusal::TokenAlgorithm),
    (35, Refusal::TokenKeyUnknown),
    (36, Refusal::TokenKeyOther),
    (37, Refusal::TokenSignature),
    (38, Refusal::TokenOtherIssuer),
    (39, Refusal::TokenOtherAudience),
    (40, Refusal::TokenNotYetValid),
    (41, Refusal::TokenExpired),
    (42, Refusal::TokenEnded),
    (43, Refusal::TokenNotCovered),
    (44, Refusal::SnapshotMissing),
    (45, Refusal::SnapshotTooOld),
    (46, Refusal::SnapshotMalformed),
    (47, Refusal::SnapshotKeyUnknown),
    (48, Refusal::SnapshotSignature),
    (49, Refusal::SnapshotOtherIssuer),
    (50, Refusal::SnapshotNotYetValid),
    (51, Refusal::SnapshotOlder),
    (52, Refusal::ProofMissing),
    (53, Refusal::ProofMalformed),
    (54, Refusal::ProofAlgorithm),
    (55, Refusal::ProofOtherKey),
    (56, Refusal::ProofSignature),
    (57, Refusal::ProofOtherRequest),
    (58, Refusal::ProofOtherToken),
    (59, Refusal::ProofStale),
    (60, Refusal::ProofReplayed),
    (61, Refusal::ProofsTooMany),
    (62, Refusal::TokenMissing),
];

/// A code as it is told: number, reason, text in Chinese and in English.
pub(crate) type Told = (i32, &'static str, &'static str, &'static str);

impl Code {
    /// All that there are, in the order of their numbers.
    pub(crate) fn told() -> impl Iterator<Item = Told> {
        let own = OWN.iter().map(|(number, _, reason, zh, en)| (*number, *reason, *zh, *en));
        let keys = KEYS.iter().map(|(number, _, reason, zh, en)| (*number, *reason, *zh, *en));
        let refused = REFUSED.iter().map(|(number, it)| (*number, it.reason(), it.zh(), it.en()));
        own.chain(keys).chain(refused)
    }

    /// The number that C is answered. It stays.
    #[must_use]
    pub fn number(self) -> i32 {
        let own = OWN.iter().find(|(_, code, ..)| *code == self).map(|(number, ..)| *number);
        let found = match self {
            Self::Keys(why) => KEYS.iter().find(|it| it.1 == why).map(|(number, ..)| *number),
            Self::Refused(why) => REFUSED.iter().find(|it| it.1 == why).map(|(number, _)| *number),
            _ => own,
        };
        found.unwrap_or(OWN[4].0)
    }

    /// Whether a number asks for the keys that are published now ([`Refusal::asks_for_keys`]).
    pub(crate) fn asks_for_keys(number: i32) -> bool {
        REFUSED.iter().any(|(known, refusal)| *known == number && refusal.asks_for_keys())
    }
}

impl From<Refusal> for Code {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}

impl From<BadKeySet> for Code {
    fn from(why: BadKeySet) -> Self {
        Self::Keys(why)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_refusal_has_a_number_and_every_number_a_reason_of_its_own() {
        for refusal in Refusal::ALL {
            assert!(REFUSED.iter().any(|(_, known)| known == refusal), "{}", refusal.reason());
        }
        let numbers: Vec<_> = Code::told().map(|told| told.0).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next) && numbers[0] > 0, "{numbers:?}");
        let reasons: BTreeSet<_> = Code::told().map(|told| told.1).collect();
        assert_eq!(reasons.len(), numbers.len());
        assert_eq!(Code::Refused(Refusal::ProofReplayed).number(), 60);
        assert_eq!(Code::Keys(BadKeySet::Secret).number(), 19);
        assert_eq!(Code::Fault.number(), 5);
    }
}
