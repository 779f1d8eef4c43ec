//! What tests sign.

use hsm::{Sm2Signer as _, sm2::SecretKey};
use serde_json::Value;

use crate::{
    Claims, KeySet, TYPE, jws,
    keys::thumbprint,
    proof::{self, Request},
};

/// An issuer with one key.
pub(crate) struct Issuer(pub(crate) SecretKey);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(SecretKey::generate())
    }

    pub(crate) fn kid(&self) -> String {
        thumbprint(self.0.public_key())
    }

    pub(crate) fn keys(&self) -> KeySet {
        [self.0.public_key()].into_iter().collect()
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        self.seal(jws::signing_input(TYPE, &self.kid(), claims))
    }

    /// Any header over any claims, with a good signature.
    pub(crate) fn sign_json(&self, header: &Value, claims: &Value) -> String {
        self.seal(jws::encode(header, claims))
    }

    pub(crate) fn seal(&self, signing_input: String) -> String {
        let signature = self.0.sign(&self.0.digest(signing_input.as_bytes())).unwrap();
        jws::signed(signing_input, &signature)
    }
}

/// A proof by this key, made at `now`.
pub(crate) fn prove(
    key: &SecretKey,
    token: &str,
    request: Request<'_>,
    name: &str,
    now: i64,
) -> String {
    sign_proof(key, proof::signing_input(key.public_key(), token, request, name, now))
}

/// Signed as proofs are.
pub(crate) fn sign_proof(key: &SecretKey, signing_input: String) -> String {
    let e = key.public_key().digest(&proof::signer_id(), signing_input.as_bytes());
    jws::signed(signing_input, &key.sign(&e).unwrap())
}

/// Good from 1000 on, for five minutes.
pub(crate) fn claims() -> Claims {
    serde_json::from_str(include_str!("../../tests/vectors/token_claims.json")).unwrap()
}
