//! The content of a file of format 1, as this program wrote it until there were states. Read only:
//! the next save writes the present format.
//!
//! ```text
//! 2  number of keys; then for each key
//!   1  length of the name    n  the name, without "soft:"
//!   1  code of the use       2  number of versions
//!   …  SM2: 65 octets of public key for each older version, then the 32 of the secret key
//!      sealing: 16 octets for each version; HMAC: 32; card master: 16
//! ```
//!
//! The newest version is in use, all before are retired.

use super::content::{self, Input};
use super::entry::{Entry, Version};
use crate::key::{KeyAlgorithm, KeyRef, Label, VersionState};
use std::collections::BTreeMap;

/// Reads all keys.
pub(super) fn decode(content: &[u8]) -> Option<BTreeMap<KeyRef, Entry>> {
    content::read(content, entry)
}

fn entry(input: &mut Input<'_>) -> Option<Entry> {
    let key_use = input.key_use()?;
    let newest = input.version_count()?;
    let version = |number| {
        let (state, material) = match key_use.algorithm() {
            KeyAlgorithm::Sm2 if number < newest => (VersionState::Retired, input.public()?),
            algorithm if number < newest => (VersionState::Retired, input.secret(algorithm)?),
            algorithm => (VersionState::Active, input.secret(algorithm)?),
        };
        Some(Version { state, material })
    };
    let versions = (1..=newest).map(version).collect::<Option<_>>()?;
    let entry = Entry { key_use, label: Label::default(), versions };
    entry.is_sound().then_some(entry)
}
