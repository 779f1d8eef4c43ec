//! Access tokens (访问令牌) as they are made here. What they say, and how they are checked, is [`access_token`].

use std::sync::Arc;

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

/// Signs tokens with the newest key, and knows the keys that verify.
pub struct TokenKeys {
    signer: Arc<dyn Sm2Signer>,
    /// Name of the signer's key.
    kid: String,
    /// Newest first; the first is the signer's.
    published: Vec<PublicKey>,
    set: KeySet,
    /// A resource server asks about one token again and again.
    verified: VerifiedSignatures,
}

/// How many tokens are remembered to have verified, at least: in less than 2 MiB.
const VERIFIED: usize = 8192;

impl TokenKeys {
    /// `signer` signs; tokens of `earlier` keys are still verified.
    #[must_use]
    pub fn new(signer: Arc<dyn Sm2Signer>, earlier: Vec<PublicKey>) -> Self {
        let newest = signer.public_key().clone();
        let published: Vec<_> = std::iter::once(newest).chain(earlier).collect();
        let (kid, set) = (thumbprint(signer.public_key()), published.iter().collect());
        Self { signer, kid, published, set, verified: VerifiedSignatures::new(VERIFIED) }
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
        self.seal(jws::signing_input(typ, &self.kid, claims))
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
        self.seal(snapshot::signing_input(&self.kid, issuer, now, next_update, ended))
    }

    fn seal(&self, signing_input: String) -> Result<String, KeyError> {
        let signature = self.signer.sign(&self.signer.digest(signing_input.as_bytes()))?;
        Ok(jws::signed(signing_input, &signature))
    }

    /// Checks form and signature. Time, audience and revocation are the caller's to check.
    ///
    /// # Errors
    /// [`BadJws`] says what is wrong.
    pub fn verify(&self, token: &str) -> Result<Claims, BadJws> {
        access_token::read_by(token, &self.set, &|key, e, signature| {
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
        jws::open(text, typ, MAX_TOKEN, &self.set)
    }

    /// The published keys, newest first.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedKey> {
        self.published.iter().map(|key| PublishedKey::new(key, SM2_ID)).collect()
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
}
