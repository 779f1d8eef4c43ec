//! Access tokens (访问令牌) as they are made here. What they say, and how they are checked, is [`access_token`].

use std::sync::{Arc, PoisonError, RwLock};

use access_token::{
    BadJws, Claims, KeySet, MAX_TOKEN, TYPE, jws,
    keys::{PublishedKey, SM2_ID},
    snapshot::{self, EndedToken},
};
use hsm::{
    KeyError, Sm2Signer,
    sm2::{PublicKey, VerifiedSignatures},
};
use serde::{Serialize, de::DeserializeOwned};

pub use access_token::keys::thumbprint;

/// Signs tokens with one key, and knows the keys that verify.
pub struct TokenKeys {
    in_use: RwLock<Arc<InUse>>,
    /// A resource server asks about one token again and again.
    verified: VerifiedSignatures,
}

struct InUse {
    signer: Arc<dyn Sm2Signer>,
    /// Name of the signer's key.
    kid: String,
    /// The first is the signer's.
    published: Vec<PublicKey>,
    set: KeySet,
}

impl InUse {
    fn new(signer: Arc<dyn Sm2Signer>, others: Vec<PublicKey>) -> Arc<Self> {
        let own = signer.public_key().clone();
        let published: Vec<_> = std::iter::once(own).chain(others).collect();
        let (kid, set) = (thumbprint(signer.public_key()), published.iter().collect());
        Arc::new(Self { signer, kid, published, set })
    }

    fn seal(&self, signing_input: String) -> Result<String, KeyError> {
        let signature = self.signer.sign(&self.signer.digest(signing_input.as_bytes()))?;
        Ok(jws::signed(signing_input, &signature))
    }
}

/// How many tokens are remembered to have verified, at least: in less than 2 MiB.
const VERIFIED: usize = 8192;

impl TokenKeys {
    /// `signer` signs; tokens of `others` are verified, those of before and one that was made ahead.
    #[must_use]
    pub fn new(signer: Arc<dyn Sm2Signer>, others: Vec<PublicKey>) -> Self {
        let in_use = RwLock::new(InUse::new(signer, others));
        Self { in_use, verified: VerifiedSignatures::new(VERIFIED) }
    }

    /// Has `signer` sign from now on. Tokens of all keys of before are verified as ever.
    pub fn succeed(&self, signer: Arc<dyn Sm2Signer>) {
        let mut in_use = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        let mut others = in_use.published.clone();
        others.retain(|key| key != signer.public_key());
        *in_use = InUse::new(signer, others);
    }

    fn in_use(&self) -> Arc<InUse> {
        Arc::clone(&self.in_use.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes and signs a token.
    ///
    /// # Errors
    /// [`KeyError`] when the signing key is not available.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        self.sign_statement(TYPE, claims)
    }

    /// Writes and signs something else of a type of its own, which no reader of tokens takes for one.
    ///
    /// # Errors
    /// [`KeyError`] when the signing key is not available.
    pub fn sign_statement(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        let in_use = self.in_use();
        in_use.seal(jws::signing_input(typ, &in_use.kid, claims))
    }

    /// Writes and signs a snapshot of what ended early, made at `now`; times in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError`] when the signing key is not available.
    pub fn sign_snapshot(
        &self,
        issuer: &str,
        now: i64,
        next_update: i64,
        ended: Vec<EndedToken>,
    ) -> Result<String, KeyError> {
        let in_use = self.in_use();
        in_use.seal(snapshot::signing_input(&in_use.kid, issuer, now, next_update, ended))
    }

    /// Checks form and signature. Time, audience and revocation are the caller's to check.
    ///
    /// # Errors
    /// [`BadJws`] says what is wrong.
    pub fn verify(&self, token: &str) -> Result<Claims, BadJws> {
        access_token::read_by(token, &self.in_use().set, &|key, e, signature| {
            self.verified.verify_prepared(key, e, signature)
        })
    }

    /// Checks form and signature of something else of that type that was signed here.
    ///
    /// # Errors
    /// [`BadJws`] says what is wrong.
    pub fn verify_statement<T: DeserializeOwned>(
        &self,
        typ: &str,
        text: &str,
    ) -> Result<T, BadJws> {
        jws::open(text, typ, MAX_TOKEN, &self.in_use().set)
    }

    /// The published keys, the one that signs first.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedKey> {
        self.in_use().published.iter().map(|key| PublishedKey::new(key, SM2_ID)).collect()
    }
}

#[cfg(test)]
mod tests {
    use hsm::sm2::SecretKey;

    use super::*;

    fn keys() -> TokenKeys {
        TokenKeys::new(Arc::new(SecretKey::generate()), Vec::new())
    }

    fn claims() -> Claims {
        serde_json::from_str(include_str!("../../tests/vectors/token_claims.json")).unwrap()
    }

    #[test]
    fn a_token_is_read_back() {
        let keys = keys();
        assert_eq!(keys.verify(&keys.sign(&claims()).unwrap()), Ok(claims()));
    }

    #[test]
    fn a_token_of_an_earlier_key_still_verifies() {
        let old = SecretKey::generate();
        let earlier = old.public_key().clone();
        let token = TokenKeys::new(Arc::new(old), Vec::new()).sign(&claims()).unwrap();
        let keys = TokenKeys::new(Arc::new(SecretKey::generate()), vec![earlier]);
        assert_eq!(keys.verify(&token), Ok(claims()));
    }

    #[test]
    fn a_key_that_was_published_signs_when_it_succeeds_and_all_of_before_verify() {
        let (own, device) = (SecretKey::generate(), SecretKey::generate());
        let [first, next] = [&own, &device].map(|key| thumbprint(key.public_key()));
        let ahead = vec![device.public_key().clone()];
        let keys = TokenKeys::new(Arc::new(own), ahead);
        let named = |keys: &TokenKeys| {
            let published = serde_json::to_value(keys.published()).unwrap();
            [0, 1].map(|at| published[at]["kid"].as_str().unwrap().to_owned())
        };
        assert_eq!(named(&keys), [first.clone(), next.clone()]);
        let before = keys.sign(&claims()).unwrap();
        keys.succeed(Arc::new(device));
        assert_eq!(named(&keys), [next, first]);
        let after = keys.sign(&claims()).unwrap();
        let header = |token: &str| token.split('.').next().map(str::to_owned);
        assert_ne!(header(&before), header(&after), "another key signs");
        assert_eq!((keys.verify(&before), keys.verify(&after)), (Ok(claims()), Ok(claims())));
    }
}
