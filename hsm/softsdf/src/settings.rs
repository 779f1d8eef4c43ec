//! Which keys the device has: `softsdf.toml`.
//!
//! ```toml
//! keystore = "keystore.hck"          # paths are relative to this file
//! passphrase_file = "passphrase"
//! ecc_bits = 512                     # ECCref_MAX_BITS: 512, or 256
//! fault_file = "fault"               # optional: while it exists, the device is pulled out
//!
//! [keys.3]                           # the key of index 3
//! sign = "soft:token"                # its signing pair
//! decrypt = "soft:envelope"          # its encryption pair
//! access_code_file = "code-3"        # optional: the code that private keys of this index ask for
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hsm::key::BadKeyRef;
use hsm::sdf::Layout;
use hsm::soft::{KeystoreError, Passphrase, PassphraseError};
use hsm::{KeyError, KeyRef};
use serde::Deserialize;

/// Largest settings file that is read.
const MAX_FILE: u64 = 64 * 1024;
/// Most keys of a device.
const MOST_KEYS: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    keystore: PathBuf,
    passphrase_file: PathBuf,
    #[serde(default = "default_bits")]
    ecc_bits: u32,
    fault_file: Option<PathBuf>,
    #[serde(default)]
    keys: BTreeMap<String, RawKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    sign: Option<String>,
    decrypt: Option<String>,
    access_code_file: Option<PathBuf>,
}

fn default_bits() -> u32 {
    512
}

/// Settings, checked.
pub(crate) struct Settings {
    pub(crate) keystore: PathBuf,
    pub(crate) passphrase: Passphrase,
    pub(crate) layout: Layout,
    pub(crate) fault_file: Option<PathBuf>,
    pub(crate) keys: BTreeMap<u32, KeySettings>,
}

/// What an index stands for.
pub(crate) struct KeySettings {
    pub(crate) sign: Option<KeyRef>,
    pub(crate) decrypt: Option<KeyRef>,
    pub(crate) access_code: Option<Passphrase>,
}

/// Why there is no device.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("reading {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    #[error("{}: {why}", path.display())]
    Malformed { path: PathBuf, why: String },
    #[error("setting `{setting}`: {why}")]
    Value { setting: &'static str, why: &'static str },
    #[error("the name of a key in `keys`")]
    Reference(#[from] BadKeyRef),
    #[error("reading a passphrase or an access code")]
    Passphrase(#[from] PassphraseError),
    #[error("opening the keystore")]
    Keystore(#[from] KeystoreError),
    #[error("looking for a key of the device")]
    Key(#[from] KeyError),
    #[error("the device is unplugged")]
    Unplugged,
}

impl Settings {
    /// Reads the settings.
    pub(crate) fn load(path: &Path) -> Result<Self, OpenError> {
        let read = |source| OpenError::Read(path.to_owned(), source);
        if fs::metadata(path).map_err(read)?.len() > MAX_FILE {
            let why = format!("longer than {MAX_FILE} bytes");
            return Err(OpenError::Malformed { path: path.to_owned(), why });
        }
        let text = fs::read_to_string(path).map_err(read)?;
        let raw: RawSettings = toml::from_str(&text).map_err(|error| OpenError::Malformed {
            path: path.to_owned(),
            why: error.message().to_owned(),
        })?;
        Self::check(raw, path.parent().unwrap_or(Path::new(".")))
    }

    fn check(raw: RawSettings, folder: &Path) -> Result<Self, OpenError> {
        let layout = match raw.ecc_bits {
            512 => Layout::Bits512,
            256 => Layout::Bits256,
            _ => return Err(OpenError::Value { setting: "ecc_bits", why: "512 or 256" }),
        };
        if raw.keys.len() > MOST_KEYS {
            return Err(OpenError::Value { setting: "keys", why: "at most 256" });
        }
        let mut keys = BTreeMap::new();
        for (index, key) in raw.keys {
            let index: u32 = index.parse().map_err(|_| OpenError::Value {
                setting: "keys",
                why: "the index of a key is a number, as in [keys.3]",
            })?;
            let reference = |name: Option<String>| name.map(|name| name.parse()).transpose();
            let code = key.access_code_file.map(|file| Passphrase::from_file(&folder.join(file)));
            let settings = KeySettings {
                sign: reference(key.sign)?,
                decrypt: reference(key.decrypt)?,
                access_code: code.transpose()?,
            };
            keys.insert(index, settings);
        }
        Ok(Self {
            keystore: folder.join(raw.keystore),
            passphrase: Passphrase::from_file(&folder.join(raw.passphrase_file))?,
            layout,
            fault_file: raw.fault_file.map(|file| folder.join(file)),
            keys,
        })
    }
}
