//! Keys that follow the self-tests.

use super::SelfTestError;
use crate::key::{
    CardMaster, DataSealer, IndexKey, KeyDescription, KeyError, KeyRef, KeyUse, Keystore, MacKey,
    Sm2Decrypter, Sm2Signer,
};
use crate::sm2::{PublicKey, Signature};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A keystore whose keys neither sign nor seal when the self-tests failed. What verifies, opens or
/// finds goes on: nothing new comes to rest on it.
pub struct Guarded<K> {
    keystore: K,
    tested: Result<(), SelfTestError>,
}

impl<K: Keystore> Guarded<K> {
    /// A keystore, and how the [self-tests](super::run) ended.
    pub fn new(keystore: K, tested: Result<(), SelfTestError>) -> Self {
        Self { keystore, tested }
    }
}

impl<K: Keystore> Keystore for Guarded<K> {
    fn signer(&self, key: &KeyRef, key_use: KeyUse) -> Result<Arc<dyn Sm2Signer>, KeyError> {
        let signer = self.keystore.signer(key, key_use)?;
        Ok(match self.tested {
            Ok(()) => signer,
            Err(failed) => Arc::new(Stopped { public: signer.public_key().clone(), failed }),
        })
    }

    fn decrypter(&self, key: &KeyRef) -> Result<Arc<dyn Sm2Decrypter>, KeyError> {
        self.keystore.decrypter(key)
    }

    fn sealer(&self, key: &KeyRef) -> Result<Arc<dyn DataSealer>, KeyError> {
        let sealer = self.keystore.sealer(key)?;
        Ok(match self.tested {
            Ok(()) => sealer,
            Err(failed) => Arc::new(OpensOnly { sealer, failed }),
        })
    }

    fn index_key(&self, key: &KeyRef) -> Result<Arc<dyn IndexKey>, KeyError> {
        self.keystore.index_key(key)
    }

    fn mac_key(&self, key: &KeyRef) -> Result<Arc<dyn MacKey>, KeyError> {
        self.keystore.mac_key(key)
    }

    fn card_master(&self, key: &KeyRef) -> Result<Arc<dyn CardMaster>, KeyError> {
        self.keystore.card_master(key)
    }

    fn list(&self) -> Vec<KeyDescription> {
        self.keystore.list()
    }
}

struct Stopped {
    public: PublicKey,
    failed: SelfTestError,
}

impl Sm2Signer for Stopped {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, _: &[u8; 32]) -> Result<Signature, KeyError> {
        Err(KeyError::SelfTest(self.failed))
    }
}

struct OpensOnly {
    sealer: Arc<dyn DataSealer>,
    failed: SelfTestError,
}

impl DataSealer for OpensOnly {
    fn seal(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, KeyError> {
        Err(KeyError::SelfTest(self.failed))
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        self.sealer.open(aad, sealed)
    }
}
