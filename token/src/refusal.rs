//! Why access is refused: a stable reason, and a text for people in both languages.

use crate::jws::BadJws;

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident $reason:literal $zh:literal, $en:literal;)+) => {
        /// Why a token, a proof or a snapshot is not taken. Nothing of it is in the texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* $name,)+
        }

        impl Refusal {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// For programs. It stays.
            #[must_use]
            pub fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)+ }
            }

            /// For people, in Chinese.
            #[must_use]
            pub fn zh(self) -> &'static str {
                match self { $(Self::$name => $zh,)+ }
            }

            /// For people, in English.
            #[must_use]
            pub fn en(self) -> &'static str {
                match self { $(Self::$name => $en,)+ }
            }
        }
    };
}

refusals! {
    /// None is shown, or not as `DPoP`.
    TokenMissing "TOKEN_MISSING" "未以 DPoP 方式出示访问令牌", "no access token is shown as DPoP";
    /// Longer than 4096 octets.
    TokenTooLong "TOKEN_TOO_LONG" "访问令牌过长", "the access token is too long";
    /// Not of the one form that tokens have, or shown beside another.
    TokenMalformed "TOKEN_MALFORMED" "访问令牌格式不正确", "the access token is malformed";
    /// `alg` or `typ` is another.
    TokenAlgorithm "TOKEN_ALGORITHM" "访问令牌的算法或类型不符", "the access token names another algorithm or type";
    /// Its key is not in the set. The set may be old: see [`Refusal::asks_for_keys`].
    TokenKeyUnknown "TOKEN_KEY_UNKNOWN" "签发访问令牌的密钥未公布", "the access token was signed with a key that is not known here";
    /// Its key is published for something else.
    TokenKeyOther "TOKEN_KEY_OTHER" "签发访问令牌的密钥不是令牌密钥", "the access token names a key that is for something else";
    /// The signature does not verify.
    TokenSignature "TOKEN_SIGNATURE" "访问令牌的签名验证不通过", "the signature of the access token does not verify";
    /// Another service issued it.
    TokenOtherIssuer "TOKEN_OTHER_ISSUER" "访问令牌由其他服务签发", "the access token was issued by another service";
    /// It is for another resource server.
    TokenOtherAudience "TOKEN_OTHER_AUDIENCE" "访问令牌用于其他系统", "the access token is for another system";
    /// Its time, or the time of its issue, is still to come.
    TokenNotYetValid "TOKEN_NOT_YET_VALID" "访问令牌尚未生效", "the access token is not valid yet";
    /// Its time is over.
    TokenExpired "TOKEN_EXPIRED" "访问令牌已过期", "the access token has expired";
    /// It ended before its time, as the snapshot has it.
    TokenEnded "TOKEN_ENDED" "访问令牌已提前终止", "the access token was ended before its time";
    /// Issued so long ago that the snapshot does not name all that ended: ask the service.
    TokenNotCovered "TOKEN_NOT_COVERED" "撤销快照未覆盖该访问令牌，请联机核验", "the snapshot does not cover the access token: ask the service";
    /// There is none yet, and one is demanded.
    SnapshotMissing "SNAPSHOT_MISSING" "尚无撤销快照", "there is no revocation snapshot yet";
    /// It is older than is allowed here.
    SnapshotTooOld "SNAPSHOT_TOO_OLD" "撤销快照已过旧", "the revocation snapshot is too old";
    /// Not of the form that snapshots have, or too long.
    SnapshotMalformed "SNAPSHOT_MALFORMED" "撤销快照格式不正确", "the revocation snapshot is malformed";
    /// Its key is not in the set, or is for something else.
    SnapshotKeyUnknown "SNAPSHOT_KEY_UNKNOWN" "签发撤销快照的密钥未公布", "the revocation snapshot was signed with a key that is not known here";
    /// Its signature does not verify.
    SnapshotSignature "SNAPSHOT_SIGNATURE" "撤销快照的签名验证不通过", "the signature of the revocation snapshot does not verify";
    /// Another service issued it.
    SnapshotOtherIssuer "SNAPSHOT_OTHER_ISSUER" "撤销快照由其他服务签发", "the revocation snapshot was issued by another service";
    /// It was made later than now.
    SnapshotNotYetValid "SNAPSHOT_NOT_YET_VALID" "撤销快照的时间晚于当前时间", "the revocation snapshot is from the future";
    /// A later one is here.
    SnapshotOlder "SNAPSHOT_OLDER" "已有更新的撤销快照", "a later revocation snapshot is here";
    /// There is none.
    ProofMissing "PROOF_MISSING" "缺少持有者证明", "the proof of possession is missing";
    /// Not of the form that proofs have, too long, or shown beside another.
    ProofMalformed "PROOF_MALFORMED" "持有者证明格式不正确", "the proof of possession is malformed";
    /// `alg`, `typ` or the identifier of its key is another.
    ProofAlgorithm "PROOF_ALGORITHM" "持有者证明的算法或类型不符", "the proof of possession names another algorithm, type or signer's identifier";
    /// It was made with a key that the token is not bound to.
    ProofOtherKey "PROOF_OTHER_KEY" "持有者证明的密钥与访问令牌绑定的不符", "the proof of possession was made with another key than the token is bound to";
    /// Its signature does not verify.
    ProofSignature "PROOF_SIGNATURE" "持有者证明的签名验证不通过", "the signature of the proof of possession does not verify";
    /// It is for another method or address.
    ProofOtherRequest "PROOF_OTHER_REQUEST" "持有者证明用于其他请求", "the proof of possession is for another request";
    /// It is for another token.
    ProofOtherToken "PROOF_OTHER_TOKEN" "持有者证明用于其他访问令牌", "the proof of possession is for another token";
    /// It was made too long ago, or later than now.
    ProofStale "PROOF_STALE" "持有者证明不在有效时间内", "the proof of possession was not made just now";
    /// It was used before.
    ProofReplayed "PROOF_REPLAYED" "持有者证明已被使用过", "the proof of possession was used before";
    /// No more proofs can be remembered, so that none is taken.
    ProofsTooMany "PROOFS_TOO_MANY" "持有者证明过多，请稍后再试", "too many proofs of possession at a time: try again later";
}

impl Refusal {
    /// Whether the same may be good under the keys that are published now: fetch them, and check again. What was
    /// refused so was not used up.
    #[must_use]
    pub fn asks_for_keys(self) -> bool {
        matches!(self, Self::TokenKeyUnknown | Self::SnapshotKeyUnknown)
    }

    pub(crate) fn of_token(why: BadJws) -> Self {
        match why {
            BadJws::TooLong => Self::TokenTooLong,
            BadJws::Malformed => Self::TokenMalformed,
            BadJws::Algorithm => Self::TokenAlgorithm,
            BadJws::UnknownKey => Self::TokenKeyUnknown,
            BadJws::OtherKey => Self::TokenKeyOther,
            BadJws::Signature => Self::TokenSignature,
        }
    }

    pub(crate) fn of_snapshot(why: BadJws) -> Self {
        match why {
            BadJws::TooLong | BadJws::Malformed | BadJws::Algorithm => Self::SnapshotMalformed,
            BadJws::UnknownKey | BadJws::OtherKey => Self::SnapshotKeyUnknown,
            BadJws::Signature => Self::SnapshotSignature,
        }
    }

    /// A proof brings its key along.
    pub(crate) fn of_proof(why: BadJws) -> Self {
        match why {
            BadJws::Algorithm | BadJws::UnknownKey | BadJws::OtherKey => Self::ProofAlgorithm,
            BadJws::TooLong | BadJws::Malformed => Self::ProofMalformed,
            BadJws::Signature => Self::ProofSignature,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.en())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_reason_is_its_own_and_has_both_texts() {
        let reasons: BTreeSet<_> = Refusal::ALL.iter().map(|it| it.reason()).collect();
        assert_eq!(reasons.len(), Refusal::ALL.len());
        for refusal in Refusal::ALL {
            assert!(!refusal.zh().is_ascii() && refusal.en().is_ascii(), "{}", refusal.reason());
        }
    }
}
