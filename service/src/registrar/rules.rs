//! The rules of access in force: which they are, and that the record has them.

use audit::{Entry, Outcome, rules::Manifest};

use super::{Registrar, entry_by, service_actor};
use crate::{
    clock::UtcTime,
    policy::Act,
    start::StartError,
    store::{NewRules, Taken},
};

/// What the rules that the service ships with are called.
const SHIPPED: &str = "county-hospital";

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesInForce {
    /// What they are called.
    pub name: String,
    /// Their version; 0 for those that the service ships with.
    pub version: u32,
    /// What decisions name them by: SM3 of their texts, hexadecimal.
    pub digest: String,
}

impl Registrar {
    /// The rules in force.
    #[must_use]
    pub fn rules_in_force(&self) -> RulesInForce {
        let (name, version) = match &self.bundle {
            Some(bundle) => (bundle.manifest().name.as_str(), bundle.manifest().version),
            None => (SHIPPED, 0),
        };
        RulesInForce { name: name.to_owned(), version, digest: self.policy_hash.clone() }
    }

    /// Takes rules into use that an institution signed, before anything is decided by them: from now on there are no
    /// older ones. After failed self-tests nothing is recorded, and nothing is decided.
    ///
    /// # Errors
    /// [`StartError::Rules`] when others came into use meanwhile, [`StartError::Store`].
    pub(crate) async fn take_rules(&self, now: UtcTime) -> Result<(), StartError> {
        let Some(bundle) = self.bundle.as_ref().filter(|_| self.tested().is_ok()) else {
            return Ok(());
        };
        let Manifest { version, digest, .. } = *bundle.manifest();
        let texts = bundle.texts();
        let rules = NewRules {
            version,
            digest,
            manifest: bundle.signed().to_owned(),
            texts: [&texts.rules, &texts.access, &texts.cases].map(|text| text.to_string()),
            at: now,
        };
        let entry = about(&self.name, Act::RulesTake, bundle.manifest(), now);
        match self.store.record_rules_taken(rules, entry).await? {
            Taken::Recorded(_) => {
                tracing::info!(version, digest = self.policy_hash, "rules of access came into use");
                Ok(())
            }
            Taken::Before => Ok(()),
            Taken::Refused(why) => Err(bundle.refused(why).into()),
        }
    }
}

/// The entry for rules that were signed.
pub(crate) fn rules_signed(name: &str, manifest: &Manifest, now: UtcTime) -> Entry {
    about(name, Act::RulesSign, manifest, now)
}

/// The entry for going back to the rules that the service ships with.
pub(crate) fn rules_shipped(name: &str, now: UtcTime) -> Entry {
    entry_by(service_actor(name), Act::RulesShipped, Outcome::Granted, now).on("rules", SHIPPED)
}

fn about(name: &str, act: Act, manifest: &Manifest, now: UtcTime) -> Entry {
    entry_by(service_actor(name), act, Outcome::Granted, now)
        .on("rules", manifest.name.clone())
        .with("version", manifest.version.to_string())
        .with("digest", hex::encode(manifest.digest))
}
