//! Settings of cryptographic devices, and of the keys that are in them.
//!
//! ```toml
//! [devices.rack]
//! library = "/usr/lib/libsdf.so"        # of the device's maker; GM/T 0018
//! sessions = 8                          # open at once, 1 to 64
//! ecc_bits = 512                        # ECCref_MAX_BITS of its header: 512 or 256
//! signature_number = "sm2"              # sm2 (00020200), sm3-sm2 (00020201), sm3-sm2-old (00020101)
//!
//! [keys.token]                          # the key that signs tokens is
//! device = "rack"                       # in that device,
//! index = 3                             # the signing pair of this index
//! access_code_file = "secrets/rack-3"   # where it asks for a code
//! public_key = "04…"                    # where it is known: the service then starts without the device
//! ```

use std::{
    collections::BTreeMap,
    num::NonZeroU8,
    path::{Path, PathBuf},
    time::Duration,
};

use hsm::{KeyRef, key::Label, sdf::Layout, sm2::PublicKey, soft::Passphrase};
use hsm_device::sdf::{DecryptOrder, Dialect, SdfKey, SdfSettings, SignatureNumber};
use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::keys;

/// How long a caller waits for a session of a device.
const WAIT: Duration = Duration::from_secs(5);

/// A device.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDevice {
    /// The library of its maker.
    pub library: PathBuf,
    /// Most sessions that are open at once.
    #[serde(default = "default_sessions")]
    pub sessions: u8,
    /// Width of big numbers.
    #[serde(default = "default_bits")]
    pub ecc_bits: u32,
    /// The number of SM2 signatures.
    #[serde(default = "default_number")]
    pub signature_number: String,
}

/// Where a key is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawKeyPlace {
    /// The device.
    pub device: String,
    /// The index of its signing pair.
    pub index: u32,
    /// A file with the access code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_code_file: Option<PathBuf>,
    /// The public key: 04 ‖ X ‖ Y, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

fn default_sessions() -> u8 {
    8
}

fn default_bits() -> u32 {
    512
}

fn default_number() -> String {
    "sm2".to_owned()
}

/// Devices and the keys in them, checked.
#[derive(Debug, Default)]
pub struct DeviceSettings {
    /// The devices by name.
    pub devices: BTreeMap<String, SdfSettings>,
    /// Keys of the service that are in a device: its name, and the index.
    pub places: BTreeMap<KeyRef, (String, u32)>,
}

impl DeviceSettings {
    pub(super) fn check(
        devices: BTreeMap<String, RawDevice>,
        places: BTreeMap<String, RawKeyPlace>,
        data: &Path,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        for (name, device) in devices {
            settings.devices.insert(name, self::device(device, data)?);
        }
        for (name, place) in places {
            settings.place(&name, place, data)?;
        }
        Ok(settings)
    }

    fn place(&mut self, name: &str, place: RawKeyPlace, data: &Path) -> Result<(), ConfigError> {
        let (reference, key_use) = keys::movable(name).ok_or_else(|| {
            value("keys", "token, log, code, card-list, ocsp or tsa: certificates name the others")
        })?;
        let device = self.devices.get_mut(&place.device);
        let device =
            device.ok_or_else(|| value("keys.*.device", "a name of [devices], as in rack"))?;
        let code = place.access_code_file.map(|file| Passphrase::from_file(&data.join(file)));
        let access_code = code.transpose().map_err(ConfigError::AccessCode)?;
        let key = |text: String| -> Option<PublicKey> {
            PublicKey::from_sec1(&hex::decode(text).ok()?).ok()
        };
        let public_key = match place.public_key {
            None => None,
            Some(text) => Some(key(text).ok_or_else(|| {
                value("keys.*.public_key", "04 and the coordinates of an SM2 key, 130 hex digits")
            })?),
        };
        let key = SdfKey { key_use, label: Label::default(), access_code, public_key };
        if device.keys.insert(place.index, key).is_some() {
            return Err(value("keys.*.index", "another one for each key"));
        }
        self.places.insert(reference, (place.device, place.index));
        Ok(())
    }
}

fn device(raw: RawDevice, data: &Path) -> Result<SdfSettings, ConfigError> {
    let sessions = NonZeroU8::new(raw.sessions).filter(|sessions| sessions.get() <= 64);
    let layout = match raw.ecc_bits {
        512 => Layout::Bits512,
        256 => Layout::Bits256,
        _ => return Err(value("devices.*.ecc_bits", "512 or 256")),
    };
    let signature_number = match raw.signature_number.as_str() {
        "sm2" => SignatureNumber::Sm2,
        "sm3-sm2" => SignatureNumber::Sm3Sm2,
        "sm3-sm2-old" => SignatureNumber::Sm3Sm2Old,
        _ => return Err(value("devices.*.signature_number", "sm2, sm3-sm2 or sm3-sm2-old")),
    };
    Ok(SdfSettings {
        library: data.join(raw.library),
        sessions: sessions.ok_or_else(|| value("devices.*.sessions", "1 to 64"))?,
        wait: WAIT,
        dialect: Dialect { layout, signature_number, decrypt_order: DecryptOrder::default() },
        keys: BTreeMap::new(),
    })
}

fn value(setting: &'static str, why: &'static str) -> ConfigError {
    ConfigError::Value { setting, why }
}
