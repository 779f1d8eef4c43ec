use std::collections::BTreeMap;
use std::sync::Arc;

use hsm::CardMaster;
use hsm::sm4::Sm4Key;

use super::profile::{self, Diversification};
use super::{KeySession, SecurityError, SecurityModule};
use crate::key::{CardFactors, CardKey, KeyVersion, Steps};

/// A security module over masters in a keystore, with the SM4 profile.
#[derive(Default)]
pub struct SoftSecurityModule {
    masters: BTreeMap<(CardKey, KeyVersion), Arc<dyn CardMaster>>,
    rule: Diversification,
}

impl SoftSecurityModule {
    /// A module that holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same module, diversifying by `rule`.
    #[must_use]
    pub fn diversified_by(self, rule: Diversification) -> Self {
        Self { rule, ..self }
    }

    /// The same module, holding also the master of `key`.
    #[must_use]
    pub fn with(mut self, key: CardKey, version: KeyVersion, master: Arc<dyn CardMaster>) -> Self {
        self.masters.insert((key, version), master);
        self
    }
}

impl CardKey {
    /// The blocks that lead from the master to this card's key, in order of derivation: province
    /// (when the master is national), card.
    pub fn derivation(self, rule: Diversification, factors: &CardFactors) -> Vec<[u8; 16]> {
        let card = rule.block(&factors.card.0);
        match self.steps() {
            Steps::Card => vec![card],
            Steps::ProvinceAndCard => vec![rule.block(&factors.province.0), card],
        }
    }
}

impl SecurityModule for SoftSecurityModule {
    fn session(
        &self,
        key: CardKey,
        version: KeyVersion,
        factors: &CardFactors,
        challenge: &[u8; 8],
    ) -> Result<Box<dyn KeySession + '_>, SecurityError> {
        let master = self.masters.get(&(key, version));
        let master = master.ok_or(SecurityError::NoKey { key, version })?;
        let mut blocks = key.derivation(self.rule, factors);
        blocks.push(self.rule.block(challenge));
        let session =
            master.derive(&blocks).map_err(|source| SecurityError::Key { key, source })?;
        Ok(Box::new(SoftSession(session)))
    }
}

/// A session key in memory, wiped when dropped.
struct SoftSession(Sm4Key);

impl KeySession for SoftSession {
    fn cryptogram(&mut self, data: &[u8; 8]) -> Result<[u8; 8], SecurityError> {
        Ok(profile::cryptogram(&self.0, data))
    }

    fn encrypt(&mut self, blocks: &[[u8; 16]]) -> Result<Vec<u8>, SecurityError> {
        let mut blocks = blocks.to_vec();
        blocks.iter_mut().for_each(|block| self.0.encrypt_block(block));
        Ok(blocks.concat())
    }

    fn mac(&mut self, blocks: &[[u8; 16]]) -> Result<[u8; 4], SecurityError> {
        Ok(profile::mac(&self.0, blocks))
    }
}
