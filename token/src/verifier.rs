//! The one question of a resource server: may this request be answered?

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::{Claims, KeySet, LEEWAY, Proofs, Refusal, Snapshot, proof, proof::Request};

/// Most proofs that a verifier remembers at a time, unless told otherwise.
const MOST_PROOFS: usize = 100_000;

/// Checks tokens offline. It is shared by all that answer requests: keys and snapshot are replaced while others check.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    audience: String,
    keys: RwLock<Arc<KeySet>>,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    oldest: Option<Duration>,
    proofs: Proofs,
}

/// A token that is good, for this request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it says.
    pub claims: Claims,
    /// How long ago the snapshot was made by which it has not ended; `None` when there was none.
    pub snapshot_age: Option<Duration>,
}

impl Verifier {
    /// Takes tokens of `issuer` for `audience` that are signed with `keys`, and takes whatever time they have for the
    /// time they are good: [`demand_snapshot`](Self::demand_snapshot) says otherwise.
    #[must_use]
    pub fn new(issuer: &str, audience: &str, keys: KeySet) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            keys: RwLock::new(Arc::new(keys)),
            snapshot: RwLock::default(),
            oldest: None,
            proofs: Proofs::new(MOST_PROOFS),
        }
    }

    /// Takes no token unless there is a snapshot, and none older than `oldest`.
    #[must_use]
    pub fn demand_snapshot(self, oldest: Duration) -> Self {
        Self { oldest: Some(oldest), ..self }
    }

    /// Remembers `most` proofs at a time; a hundred thousand if nothing is said, which is 830 requests a second.
    #[must_use]
    pub fn remember_proofs(self, most: usize) -> Self {
        Self { proofs: Proofs::new(most), ..self }
    }

    /// Takes the keys that are published now, for those of before.
    pub fn take_keys(&self, keys: KeySet) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Takes a snapshot for the one of before, if it is good and later, and answers the one that is used now. That the
    /// one of before came again is no error.
    ///
    /// # Errors
    /// [`Refusal`], one of those about snapshots; the one of before then stays.
    pub fn take_snapshot(&self, text: &str, now: i64) -> Result<Arc<Snapshot>, Refusal> {
        let snapshot = Snapshot::read(text, &self.keys(), &self.issuer)?;
        if snapshot.made_at() > now.saturating_add(LEEWAY) {
            return Err(Refusal::SnapshotNotYetValid);
        }
        let mut held = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(held) if held.made_at() > snapshot.made_at() => Err(Refusal::SnapshotOlder),
            _ => Ok(Arc::clone(held.insert(Arc::new(snapshot)))),
        }
    }

    /// Whether `request`, which came with `token` and `proof`, may be answered; `now` is in seconds since 1970. What was
    /// refused leaves the proof unused, unless it is [`Refusal::ProofReplayed`].
    ///
    /// # Errors
    /// [`Refusal`] says what was wrong first.
    pub fn check(
        &self,
        token: &str,
        proof: Option<&str>,
        request: Request<'_>,
        now: i64,
    ) -> Result<Checked, Refusal> {
        let claims = crate::read(token, &self.keys()).map_err(Refusal::of_token)?;
        if claims.iss != self.issuer {
            return Err(Refusal::TokenOtherIssuer);
        }
        if claims.aud != self.audience {
            return Err(Refusal::TokenOtherAudience);
        }
        if claims.nbf.max(claims.iat) > now.saturating_add(LEEWAY) {
            return Err(Refusal::TokenNotYetValid);
        }
        if claims.exp <= now.saturating_sub(LEEWAY) {
            return Err(Refusal::TokenExpired);
        }
        let snapshot_age = self.not_ended(&claims, now)?;
        let proof = proof.ok_or(Refusal::ProofMissing)?;
        let proof = proof::read(proof, token, &claims.cnf.thumbprint, request, now)?;
        self.proofs.take(&proof, now)?;
        Ok(Checked { claims, snapshot_age })
    }

    /// How long ago it was made sure of.
    fn not_ended(&self, claims: &Claims, now: i64) -> Result<Option<Duration>, Refusal> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(snapshot) = snapshot else {
            return if self.oldest.is_some() { Err(Refusal::SnapshotMissing) } else { Ok(None) };
        };
        let age = u64::try_from(now.saturating_sub(snapshot.made_at())).unwrap_or_default();
        let age = Duration::from_secs(age);
        if self.oldest.is_some_and(|oldest| age > oldest) {
            return Err(Refusal::SnapshotTooOld);
        }
        snapshot.judge(&claims.jti, claims.iat)?;
        Ok(Some(age))
    }

    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
