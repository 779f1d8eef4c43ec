//! A log's key and its notes, for tests.

use sm2::SecretKey;
use sm2::dsa::{Signature, SigningKey, signature::Signer as _};

use crate::{
    checkpoint::{Checkpoint, VerifierKey},
    tree::Hash,
};

pub(crate) const NAME: &str = "log.example/healthcard";

pub(crate) fn signing_key(seed: u8) -> SigningKey {
    SigningKey::new("1234567812345678", &SecretKey::from_slice(&[seed; 32]).unwrap()).unwrap()
}

pub(crate) fn verifier(name: &str, key: &SigningKey) -> VerifierKey {
    let public_key = key.verifying_key().to_sec1_bytes();
    VerifierKey::new(name, public_key.as_ref().try_into().unwrap()).unwrap()
}

pub(crate) fn sign(checkpoint: &Checkpoint, name: &str, key: &SigningKey) -> String {
    let sign = |text: &[u8]| -> Result<[u8; 64], std::convert::Infallible> {
        let signature: Signature = key.sign(text);
        Ok(signature.to_bytes().into())
    };
    checkpoint.sign(&verifier(name, key), sign).unwrap()
}

/// The key of the log in tests.
pub(crate) fn key() -> VerifierKey {
    verifier(NAME, &signing_key(1))
}

/// Somebody else's.
pub(crate) fn other_key() -> VerifierKey {
    verifier(NAME, &signing_key(2))
}

/// A checkpoint of the log in tests.
pub(crate) fn note(size: u64, root: Hash) -> String {
    sign(&Checkpoint { origin: NAME.into(), size, root }, NAME, &signing_key(1))
}
