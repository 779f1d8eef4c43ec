//! `healthcardd keys`: which keys the keystore holds, and the check values of the card masters, by which two parties see
//! that they hold the same.

use hsm::{KeyError, KeyUse, Keystore, key::VersionState};

/// One version of a key, as a line of the list.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyLine {
    /// Its name.
    pub key: String,
    /// What it is for.
    pub key_use: KeyUse,
    /// Its version.
    pub version: u32,
    /// Whether it still signs and seals.
    pub state: VersionState,
    /// Of a card master, the first three octets of what it makes of a block of zeros, hexadecimal.
    pub check_value: Option<String>,
}

/// Every version of every key, by name.
///
/// # Errors
/// [`KeyError`] when a card master does not compute.
pub fn list(keystore: &dyn Keystore) -> Result<Vec<KeyLine>, KeyError> {
    let line = |key: hsm::KeyDescription| {
        let check_value = match key.key_use {
            KeyUse::CardMaster => {
                let value = keystore.card_master(&key.reference)?.check_value()?;
                Some(hex::encode_upper(value))
            }
            _ => None,
        };
        let (version, state, key_use) = (key.version, key.state, key.key_use);
        Ok(KeyLine { key: key.reference.to_string(), key_use, version, state, check_value })
    };
    keystore.list().into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use hsm::{
        sm4::Sm4Key,
        soft::{Iterations, Passphrase, SoftKeystore},
    };

    use super::*;

    #[test]
    fn masters_show_their_check_values_and_others_do_not() {
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
        let lines = list(&keystore).unwrap();
        // OpenSSL's SM4 of a block of zeros under the root key of GM/T 0002, annex A.
        assert_eq!(lines[0].check_value.as_deref(), Some("2677F4"));
        assert_eq!((lines[1].key.as_str(), &lines[1].check_value), ("soft:token", &None));
    }
}
