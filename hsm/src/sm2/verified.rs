//! Signatures that verified, so that none is computed twice.

use super::{BadSignature, PreparedKey, PublicKey, Signature};
use crate::sm3;
use std::collections::HashSet;
use std::fmt;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Remembers which signatures verified: the same key, *e* and signature get the same verdict, so that whoever
/// checks the same document at each step computes it at the first. A signature that does not verify is not
/// remembered, and one bit more or less is another signature.
///
/// It is bounded: the latest are kept, and what is still asked for.
pub struct VerifiedSignatures(Mutex<Generations>);

/// The latest, and those before them.
struct Generations {
    most: usize,
    latest: HashSet<[u8; 32]>,
    before: HashSet<[u8; 32]>,
}

impl VerifiedSignatures {
    /// Remembers at least the last `most`, and at most twice as many, in some 100 octets each.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let (latest, before) = (HashSet::new(), HashSet::new());
        Self(Mutex::new(Generations { most, latest, before }))
    }

    /// Checks a signature over *e*, with the same verdict as [`PublicKey::verify`].
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        key: &PublicKey,
        e: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.once(digest(key, e, signature), || key.verify(e, signature))
    }

    /// The same with a key that was [prepared](PublicKey::prepare).
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_prepared(
        &self,
        key: &PreparedKey,
        e: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        self.once(digest(key.public_key(), e, signature), || key.verify(e, signature))
    }

    fn once(
        &self,
        digest: [u8; 32],
        verify: impl FnOnce() -> Result<(), BadSignature>,
    ) -> Result<(), BadSignature> {
        if self.digests().holds(&digest) {
            return Ok(());
        }
        verify()?;
        self.digests().keep(digest);
        Ok(())
    }

    fn digests(&self) -> MutexGuard<'_, Generations> {
        // A set of digests is whole whatever happened to who held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn holds(&mut self, digest: &[u8; 32]) -> bool {
        if self.latest.contains(digest) {
            return true;
        }
        // What is asked for again does not end with its generation.
        let held = self.before.remove(digest);
        if held {
            self.keep(*digest);
        }
        held
    }

    fn keep(&mut self, digest: [u8; 32]) {
        if self.latest.len() >= self.most {
            self.before = mem::take(&mut self.latest);
        }
        self.latest.insert(digest);
    }
}

/// Names the three: all have fixed lengths, so that no other three have the same octets.
fn digest(key: &PublicKey, e: &[u8; 32], signature: &Signature) -> [u8; 32] {
    let mut digest = sm3::Hasher::new();
    digest.update(key.as_sec1());
    digest.update(e);
    digest.update(signature.as_raw());
    digest.finalize()
}

impl fmt::Debug for VerifiedSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedSignatures").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sm2Signer;
    use crate::sm2::SecretKey;
    use proptest::prelude::*;

    fn kept(verified: &VerifiedSignatures) -> usize {
        let digests = verified.digests();
        digests.latest.len() + digests.before.len()
    }

    #[test]
    fn what_verified_is_remembered_and_nothing_else() {
        let verified = VerifiedSignatures::new(8);
        let (key, other) = (SecretKey::generate(), SecretKey::generate());
        let signature = key.sign(&[7; 32]).unwrap();
        let prepared = [&key, &other].map(|key| key.public().prepare());
        for _ in 0..2 {
            assert_eq!(verified.verify(key.public(), &[7; 32], &signature), Ok(()));
            assert_eq!(verified.verify_prepared(&prepared[0], &[7; 32], &signature), Ok(()));
            for (key, e) in [(0, [8; 32]), (1, [7; 32])] {
                let refused = verified.verify_prepared(&prepared[key], &e, &signature);
                assert_eq!(refused, Err(BadSignature));
            }
            assert_eq!(verified.verify(key.public(), &[8; 32], &signature), Err(BadSignature));
            assert_eq!(verified.verify(other.public(), &[7; 32], &signature), Err(BadSignature));
        }
        assert_eq!(kept(&verified), 1);
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_asked_for() {
        let verified = VerifiedSignatures::new(4);
        let key = SecretKey::generate();
        let first = key.sign(&[0; 32]).unwrap();
        for e in 1..40 {
            let signature = key.sign(&[e; 32]).unwrap();
            verified.verify(key.public(), &[0; 32], &first).unwrap();
            verified.verify(key.public(), &[e; 32], &signature).unwrap();
            assert!(kept(&verified) <= 8);
        }
        assert!(verified.digests().holds(&digest(key.public(), &[0; 32], &first)));
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 64, failure_persistence: None, ..ProptestConfig::default()
        })]

        /// One bit of the signature makes another one, remembered or not.
        #[test]
        fn the_verdict_is_that_of_the_key(bit in 0_usize..512, e: [u8; 32]) {
            let verified = VerifiedSignatures::new(8);
            let key = SecretKey::generate();
            let signature = key.sign(&e).unwrap();
            verified.verify(key.public(), &e, &signature).unwrap();
            let mut raw = *signature.as_raw();
            raw[bit / 8] ^= 1 << (bit % 8);
            if let Ok(altered) = Signature::from_raw(&raw) {
                prop_assert_eq!(verified.verify(key.public(), &e, &altered), key.public().verify(&e, &altered));
            }
        }
    }
}
