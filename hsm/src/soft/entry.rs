//! Keys of the software keystore, each with its versions.

use super::material::{Material, SoftCardMaster, SoftHmacKey, SoftSealer};
use crate::key::{
    DataSealer, KeyAlgorithm, KeyDescription, KeyRef, KeyUse, Label, Sm2Signer, Transition,
    VersionState,
};
use crate::sm2::SecretKey;
use std::sync::Arc;

/// One key: its versions, oldest first and numbered from 1, at least one.
pub(super) struct Entry {
    pub(super) key_use: KeyUse,
    pub(super) label: Label,
    pub(super) versions: Vec<Version>,
}

/// One version of a key.
pub(super) struct Version {
    pub(super) state: VersionState,
    pub(super) material: Material,
}

impl Entry {
    pub(super) fn generate(key_use: KeyUse) -> Self {
        Self::of(key_use, Material::generate(key_use.algorithm()))
    }

    /// A key whose one version is in use.
    pub(super) fn of(key_use: KeyUse, material: Material) -> Self {
        let version = Version { state: VersionState::Active, material };
        Self { key_use, label: Label::default(), versions: vec![version] }
    }

    /// Whether a key of this use may have several versions. A blind index is stored with what it
    /// finds, the version of a card master is written in the cards, and what was encrypted for a key
    /// names no version.
    fn has_versions(&self) -> bool {
        matches!(self.key_use.algorithm(), KeyAlgorithm::Sm2 | KeyAlgorithm::Sm4Gcm)
    }

    /// Whether a keystore may hold these versions: one is in use at most, one was made ahead at most,
    /// and that is the newest.
    pub(super) fn is_sound(&self) -> bool {
        let count = |state| self.versions.iter().filter(|version| version.state == state).count();
        let mut older = self.versions.iter().rev().skip(1);
        count(VersionState::Active) <= 1
            && older.all(|version| version.state != VersionState::PreActive)
            && (self.versions.len() == 1 || self.has_versions())
    }

    /// Number of the newest version.
    pub(super) fn newest(&self) -> u32 {
        u32::try_from(self.versions.len()).expect("bounded by the file format")
    }

    /// Makes a version ahead and gives its number: the one that is there already, if it is.
    /// Nothing for keys of one version.
    pub(super) fn prepare(&mut self) -> Option<u32> {
        if !self.has_versions() {
            return None;
        }
        if self.versions.last().is_none_or(|last| last.state != VersionState::PreActive) {
            let material = Material::generate(self.key_use.algorithm());
            self.versions.push(Version { state: VersionState::PreActive, material });
        }
        Some(self.newest())
    }

    /// Retires the active version, and takes the one into use that was made ahead, or a new one.
    /// Gives its number; nothing for keys of one version.
    pub(super) fn rotate(&mut self) -> Option<u32> {
        let next = self.prepare()?;
        if let Some(active) = self.active_number() {
            self.change(active, Transition::Retire).expect("active versions can be retired");
        }
        self.change(next, Transition::Activate).expect("it was made ahead");
        Some(next)
    }

    /// Changes the state of a version, and forgets what the new state has no use for. Otherwise the
    /// state that forbids it, or nothing when there is no such version.
    pub(super) fn change(
        &mut self,
        number: u32,
        transition: Transition,
    ) -> Result<VersionState, Option<VersionState>> {
        let position = (number as usize).checked_sub(1).ok_or(None)?;
        let version = self.versions.get_mut(position).ok_or(None)?;
        let state = version.state.after(transition).ok_or(Some(version.state))?;
        version.state = state;
        version.material.keep_for(self.key_use, state);
        Ok(state)
    }

    fn active(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.state == VersionState::Active)
    }

    fn active_number(&self) -> Option<u32> {
        (1..)
            .zip(&self.versions)
            .find_map(|(number, version)| (version.state == VersionState::Active).then_some(number))
    }

    pub(super) fn signer(&self) -> Option<Arc<dyn Sm2Signer>> {
        match &self.active()?.material {
            Material::Pair(secret) => Some(secret.clone()),
            _ => None,
        }
    }

    /// It has one version, which decrypts until it is destroyed: nothing else reads what was
    /// encrypted for it.
    pub(super) fn decrypter(&self) -> Option<Arc<SecretKey>> {
        match &self.versions.last()?.material {
            Material::Pair(secret) => Some(Arc::clone(secret)),
            _ => None,
        }
    }

    /// Seals with the active version, opens what any version sealed that is still here.
    pub(super) fn sealer(&self) -> Arc<dyn DataSealer> {
        let keys = self.versions.iter().map(|version| match &version.material {
            Material::Sm4(key) => Some(Arc::clone(key)),
            _ => None,
        });
        Arc::new(SoftSealer { active: self.active_number(), keys: keys.collect() })
    }

    pub(super) fn hmac(&self) -> Option<Arc<SoftHmacKey>> {
        match &self.usable()?.material {
            Material::Hmac(key) => Some(Arc::clone(key)),
            _ => None,
        }
    }

    pub(super) fn card_master(&self) -> Option<Arc<SoftCardMaster>> {
        match &self.usable()?.material {
            Material::Sm4(key) => Some(Arc::new(SoftCardMaster(Arc::clone(key)))),
            _ => None,
        }
    }

    /// The version of a key of one version: what it made before is checked by making it again, so
    /// a retired one goes on.
    fn usable(&self) -> Option<&Version> {
        let usable = [VersionState::Active, VersionState::Retired];
        self.versions.iter().find(|version| usable.contains(&version.state))
    }

    /// Every version, newest first.
    pub(super) fn describe(&self, key: &KeyRef) -> Vec<KeyDescription> {
        let numbered = (1..=self.newest()).rev().zip(self.versions.iter().rev());
        numbered
            .map(|(number, version)| KeyDescription {
                reference: key.clone(),
                key_use: self.key_use,
                label: self.label.clone(),
                version: number,
                state: version.state,
                public_key: version.material.public_key().cloned(),
                check_value: version.material.check_value(self.key_use),
            })
            .collect()
    }
}
