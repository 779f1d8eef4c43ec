//! `healthcardd keys list`: which keys the keystore holds, with what each of them is compared by: the check
//! value of a secret key, the thumbprint of a key pair.

use hsm::{KeyDescription, Keystore, key::VersionState};
use serde::Serialize;

use crate::token::thumbprint;

/// One version of a key, as a line of the list.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct KeyLine {
    /// Its name.
    pub key: String,
    /// What people call it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What it is for.
    pub key_use: &'static str,
    /// Its version.
    pub version: u32,
    /// What it still does.
    pub state: &'static str,
    /// Of a secret key, the check value, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_value: Option<String>,
    /// Of a key pair, SM3 of its JSON Web Key (RFC 7638), base64url: its `kid` in key sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbprint: Option<String>,
}

impl KeyLine {
    /// What two holders compare.
    #[must_use]
    pub fn compared_by(&self) -> &str {
        self.check_value.as_deref().or(self.thumbprint.as_deref()).unwrap_or("")
    }
}

impl From<KeyDescription> for KeyLine {
    fn from(version: KeyDescription) -> Self {
        Self {
            key: version.reference.to_string(),
            label: version.label.to_string(),
            key_use: version.key_use.name(),
            version: version.version,
            state: version.state.name(),
            check_value: version.check_value.map(|value| value.to_string()),
            thumbprint: version.public_key.as_ref().map(thumbprint),
        }
    }
}

/// Every version of every key, by name.
#[must_use]
pub fn list(keystore: &dyn Keystore) -> Vec<KeyLine> {
    keystore.list().into_iter().map(KeyLine::from).collect()
}

/// A state in both languages.
#[must_use]
pub fn state_text(state: &str) -> &'static str {
    let known = VersionState::ALL.into_iter().find(|known| known.name() == state);
    match known {
        Some(VersionState::PreActive) => "预备 · pre-active",
        Some(VersionState::Active) => "在用 · active",
        Some(VersionState::Retired) => "停用 · retired",
        Some(VersionState::Destroyed) => "已销毁 · destroyed",
        Some(VersionState::Compromised) => "已泄露 · compromised",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use hsm::{
        KeyUse,
        sm4::Sm4Key,
        soft::{Iterations, Passphrase, SoftKeystore},
    };

    use super::*;

    #[test]
    fn secret_keys_show_check_values_and_pairs_their_thumbprints() {
        let directory = tempfile::tempdir().unwrap();
        let passphrase =
            Passphrase::from_string("correct horse battery".to_owned().into()).unwrap();
        let few = Iterations::MINIMUM;
        let path = directory.path().join("keys");
        let mut keystore = SoftKeystore::create_with(&path, &passphrase, few).unwrap();
        let octets = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
        let root = Sm4Key::fill::<()>(|key| {
            *key = octets;
            Ok(())
        });
        let name = "soft:card-irk".parse().unwrap();
        keystore.import_card_master(&name, root.unwrap()).unwrap();
        keystore.generate(&"soft:token".parse().unwrap(), KeyUse::SignTokens).unwrap();
        keystore.save().unwrap();
        let lines = list(&keystore);
        // OpenSSL's SM4 of a block of zeros under the root key of GM/T 0002, annex A.
        assert_eq!(lines[0].check_value.as_deref(), Some("2677F4"));
        assert_eq!((lines[1].key.as_str(), &lines[1].check_value), ("soft:token", &None));
        let token = keystore.signer(&"soft:token".parse().unwrap(), KeyUse::SignTokens).unwrap();
        assert_eq!(lines[1].thumbprint, Some(thumbprint(token.public_key())));
    }
}
