//! Revocation snapshot (撤销快照): the tokens that ended before their time, signed by the service with its token key.

use std::{collections::HashSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{KeySet, jws, refusal::Refusal};

/// Type of a snapshot.
pub const TYPE: &str = "token-revocations+jwt";
/// Most tokens that one names.
pub const MAX_ENDED: usize = 20_000;
/// Largest snapshot that is looked at, octets: as many identifiers of 36 characters, in base64url.
pub const MAX_SNAPSHOT: usize = 1_100_000;

/// What a snapshot says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    iss: String,
    iat: i64,
    next_update: i64,
    covers_from: i64,
    ended: Vec<String>,
}

/// The tokens that ended before their time, of all that were issued at `covers_from` or later.
#[derive(Clone)]
pub struct Snapshot {
    issuer: String,
    made_at: i64,
    next_update: i64,
    covers_from: i64,
    ended: HashSet<String>,
}

impl Snapshot {
    /// Reads a snapshot of `issuer` that one of `keys` signed.
    ///
    /// # Errors
    /// [`Refusal`], one of those about snapshots.
    pub fn read(text: &str, keys: &KeySet, issuer: &str) -> Result<Self, Refusal> {
        let said: Statement =
            jws::open(text, TYPE, MAX_SNAPSHOT, keys).map_err(Refusal::of_snapshot)?;
        if said.iss != issuer {
            return Err(Refusal::SnapshotOtherIssuer);
        }
        let Statement { iss, iat, next_update, covers_from, ended } = said;
        if ended.len() > MAX_ENDED || next_update <= iat {
            return Err(Refusal::SnapshotMalformed);
        }
        let ended = ended.into_iter().collect();
        Ok(Self { issuer: iss, made_at: iat, next_update, covers_from, ended })
    }

    /// When it was made, seconds since 1970.
    #[must_use]
    pub fn made_at(&self) -> i64 {
        self.made_at
    }

    /// When the service expects to be asked for the next one, seconds since 1970.
    #[must_use]
    pub fn next_update(&self) -> i64 {
        self.next_update
    }

    /// Of which service.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How a token stands that was issued at `issued_at`.
    pub(crate) fn judge(&self, id: &str, issued_at: i64) -> Result<(), Refusal> {
        if self.ended.contains(id) {
            return Err(Refusal::TokenEnded);
        }
        if issued_at < self.covers_from { Err(Refusal::TokenNotCovered) } else { Ok(()) }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({}, {}, {} ended)", self.issuer, self.made_at, self.ended.len())
    }
}

/// A token that ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedToken {
    /// Its `jti`.
    pub id: String,
    /// When it was issued, seconds since 1970.
    pub issued_at: i64,
}

/// What has to be signed for a snapshot of what `ended`. When these are too many, the latest are named, and of tokens
/// issued earlier it says that it does not cover them.
#[must_use]
pub fn signing_input(
    kid: &str,
    issuer: &str,
    now: i64,
    next_update: i64,
    mut ended: Vec<EndedToken>,
) -> String {
    ended.sort_unstable_by_key(|token| std::cmp::Reverse(token.issued_at));
    // Among those of one second some may be left out, so that none of that second is covered.
    let covers_from = ended.get(MAX_ENDED).map_or(0, |first_left_out| first_left_out.issued_at + 1);
    let ended = ended.into_iter().take(MAX_ENDED).map(|token| token.id).collect();
    let statement = Statement { iss: issuer.to_owned(), iat: now, next_update, covers_from, ended };
    jws::signing_input(TYPE, kid, &statement)
}
