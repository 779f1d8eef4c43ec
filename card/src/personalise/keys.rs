use std::collections::BTreeMap;
use std::sync::Arc;

use hsm::sm4::Sm4Key;
use hsm::{CardMaster, KeyError};

use crate::atr::CardFactor;
use crate::command::ExternalAuthenticate;
use crate::command::personalise::ProveTransport;
use crate::key::{CardFactors, CardKey, KeyVersion};
use crate::security::Diversification;
use crate::security::profile::{self, div1};

/// The masters that an issuer needs: one for each version of each key, and the transport master.
pub struct IssuingKeys {
    transport: Arc<dyn CardMaster>,
    masters: BTreeMap<(CardKey, KeyVersion), Arc<dyn CardMaster>>,
}

/// Why a key was not derived.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFailure {
    /// A master is missing.
    #[error("no master for {key} version {version}")]
    NoMaster {
        /// The key.
        key: CardKey,
        /// Its version.
        version: KeyVersion,
    },
    /// The keystore refused or could not be reached.
    #[error("deriving a key of the card")]
    Derive(#[source] KeyError),
}

impl IssuingKeys {
    /// With the transport master alone.
    pub fn new(transport: Arc<dyn CardMaster>) -> Self {
        Self { transport, masters: BTreeMap::new() }
    }

    /// The same with the master of a version of `key`.
    #[must_use]
    pub fn with(mut self, key: CardKey, version: KeyVersion, master: Arc<dyn CardMaster>) -> Self {
        self.masters.insert((key, version), master);
        self
    }

    /// Whether every version of every key has its master.
    pub fn are_complete(&self) -> bool {
        CardKey::all_versions().all(|key| self.masters.contains_key(&key))
    }

    /// The session of the card's transport key under a challenge.
    fn transport(&self, card: &CardFactor, challenge: &[u8; 8]) -> Result<Sm4Key, KeyFailure> {
        self.transport.derive(&[div1(&card.0), div1(challenge)]).map_err(KeyFailure::Derive)
    }

    /// The session of a key of the card under a challenge.
    fn session(
        &self,
        key: CardKey,
        factors: &CardFactors,
        challenge: &[u8; 8],
    ) -> Result<Sm4Key, KeyFailure> {
        let mut blocks = key.derivation(Diversification::default(), factors);
        blocks.push(div1(challenge));
        self.master(key, KeyVersion::FIRST)?.derive(&blocks).map_err(KeyFailure::Derive)
    }

    /// The proof of the card's transport key under a challenge.
    pub(super) fn transport_proof(
        &self,
        card: &CardFactor,
        challenge: &[u8; 8],
        random: [u8; 8],
    ) -> Result<ProveTransport, KeyFailure> {
        Ok(ProveTransport::with(&self.transport(card, challenge)?, random))
    }

    /// The proof of a key of the card under a challenge.
    pub(super) fn proof(
        &self,
        key: CardKey,
        factors: &CardFactors,
        challenge: &[u8; 8],
        random: [u8; 8],
    ) -> Result<ExternalAuthenticate, KeyFailure> {
        let session = self.session(key, factors, challenge)?;
        let cryptogram = profile::cryptogram(&session, &random);
        Ok(ExternalAuthenticate { key, version: KeyVersion::FIRST, cryptogram, data: random })
    }

    /// A key of the card, encrypted under a session of its transport key, and that session.
    pub(super) fn wrapped(
        &self,
        key: CardKey,
        version: KeyVersion,
        factors: &CardFactors,
        challenge: &[u8; 8],
    ) -> Result<(Sm4Key, [u8; 16]), KeyFailure> {
        let session = self.transport(&factors.card, challenge)?;
        let derivation = key.derivation(Diversification::default(), factors);
        let wrapped = self.master(key, version)?.derive_wrapped(&derivation, &session);
        Ok((session, wrapped.map_err(KeyFailure::Derive)?))
    }

    fn master(&self, key: CardKey, version: KeyVersion) -> Result<&dyn CardMaster, KeyFailure> {
        let master = self.masters.get(&(key, version));
        Ok(&**master.ok_or(KeyFailure::NoMaster { key, version })?)
    }
}
