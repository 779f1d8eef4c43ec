//! A SAM as a text file. It holds its PIN, its SM2 key and, unless it names a keystore, its masters:
//! it is for tests, and is written readable by its owner alone.

use std::path::{Path, PathBuf};

use ::card::certificate::{ISSUER_SIZE, SAM_SIZE, SamSerial};
use ::card::sam::{ApplicationFile, Pin, PublicFile, TerminalNumber};
use ::card::{CardKey, KeyVersion};
use hsm::KeyRef;
use hsm::sm2::SecretKey;
use hsm::sm4::Sm4Key;
use hsm::soft::{KeystoreError, Passphrase, PassphraseError, SoftKeystore};
use serde::{Deserialize, Serialize};
use time::Date;
use time::macros::format_description;
use zeroize::Zeroizing;

use crate::personalise::{Masters, PersonaliseError};

/// Everything that makes one SAM but its masters.
pub struct SamImage {
    /// MF/0015.
    pub public: PublicFile,
    /// MF/0016.
    pub terminal: TerminalNumber,
    /// DF01/001A.
    pub application: ApplicationFile,
    /// DF01/001B.
    pub issuer_certificate: [u8; ISSUER_SIZE],
    /// DF01/001C.
    pub certificate: [u8; SAM_SIZE],
    /// Its PIN.
    pub pin: Pin,
    /// Its key for signing records.
    pub key: SecretKey,
}

/// Why a text is no SAM. Values are never told: they are keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamImageError {
    /// Not TOML of the expected shape.
    #[error("not the image of a SAM")]
    Syntax,
    /// A field with a value it cannot have.
    #[error("the image of the SAM has a wrong value for {0}")]
    Field(&'static str),
    /// Both or neither of the places masters come from.
    #[error("the image of the SAM has either a master or a [keystore]")]
    Masters,
    /// The keystore's passphrase cannot be read.
    #[error("reading the passphrase of the SAM's keystore")]
    Passphrase(#[from] PassphraseError),
    /// The keystore does not open.
    #[error("opening the SAM's keystore")]
    Keystore(#[from] KeystoreError),
    /// A master is missing in the keystore, or is for something else.
    #[error("taking the masters from the SAM's keystore")]
    Key(#[from] PersonaliseError),
}

/// The image as written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    serial: String,
    terminal: String,
    issuer: String,
    receiver: String,
    valid_from: String,
    valid_until: String,
    issuer_certificate: String,
    certificate: String,
    pin: Zeroizing<String>,
    /// PKCS#8 PEM.
    key: Zeroizing<String>,
    /// One master for every key, hex; those of further versions follow from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    master: Option<Zeroizing<String>>,
    /// A keystore that holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keystore: Option<RawKeystore>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKeystore {
    file: PathBuf,
    passphrase_file: PathBuf,
}

/// Where an image says that its masters are.
pub enum MasterPlace<'p> {
    /// In the image: one for every key, as [`Masters::single`] takes it.
    Single(&'p [u8; 16]),
    /// In a keystore, which is opened when the SAM is powered.
    Keystore {
        /// Its file.
        file: &'p Path,
        /// The file with its passphrase.
        passphrase_file: &'p Path,
    },
}

impl SamImage {
    /// Reads an image and fetches the masters it speaks of.
    ///
    /// # Errors
    /// [`SamImageError`].
    pub fn from_toml(text: &str) -> Result<(Self, Masters), SamImageError> {
        let raw: Raw = toml::from_str(text).map_err(|_| SamImageError::Syntax)?;
        let masters = match (&raw.master, &raw.keystore) {
            (Some(master), None) => {
                let key = Sm4Key::fill(|key| hex::decode_to_slice(master.as_bytes(), key));
                Masters::single(key.map_err(|_| SamImageError::Field("master"))?)
            }
            (None, Some(place)) => {
                let passphrase = Passphrase::from_file(&place.passphrase_file)?;
                Masters::of_keystore(&SoftKeystore::open(&place.file, &passphrase)?, usual_name)?
            }
            _ => return Err(SamImageError::Masters),
        };
        let key = SecretKey::from_pkcs8_pem(&raw.key).map_err(|_| SamImageError::Field("key"))?;
        let image = Self {
            public: PublicFile {
                serial: SamSerial(bytes(&raw.serial, "serial")?),
                version: 1,
                key_card: 1,
                commands: 1,
                issuer_fci: 0,
            },
            terminal: TerminalNumber(bytes(&raw.terminal, "terminal")?),
            application: ApplicationFile {
                key_index: 1,
                issuer: bytes(&raw.issuer, "issuer")?,
                receiver: bytes(&raw.receiver, "receiver")?,
                valid_from: day(&raw.valid_from, "valid_from")?,
                valid_until: day(&raw.valid_until, "valid_until")?,
            },
            issuer_certificate: bytes(&raw.issuer_certificate, "issuer_certificate")?,
            certificate: bytes(&raw.certificate, "certificate")?,
            pin: Pin::from_digits(&raw.pin).map_err(|_| SamImageError::Field("pin"))?,
            key,
        };
        Ok((image, masters))
    }

    /// Writes the image as [`from_toml`](Self::from_toml) reads it. The PIN is handed in, since
    /// none can be read back.
    pub fn to_toml(&self, pin: &str, masters: MasterPlace<'_>) -> Zeroizing<String> {
        let (master, keystore) = match masters {
            MasterPlace::Single(octets) => (Some(Zeroizing::new(hex::encode_upper(octets))), None),
            MasterPlace::Keystore { file, passphrase_file } => {
                let (file, passphrase_file) = (file.to_owned(), passphrase_file.to_owned());
                (None, Some(RawKeystore { file, passphrase_file }))
            }
        };
        let raw = Raw {
            serial: self.public.serial.to_string(),
            terminal: self.terminal.to_string(),
            issuer: hex::encode_upper(self.application.issuer),
            receiver: hex::encode_upper(self.application.receiver),
            valid_from: self.application.valid_from.to_string(),
            valid_until: self.application.valid_until.to_string(),
            issuer_certificate: hex::encode_upper(self.issuer_certificate),
            certificate: hex::encode_upper(self.certificate),
            pin: Zeroizing::new(pin.to_owned()),
            key: self.key.to_pkcs8_pem(),
            master,
            keystore,
        };
        Zeroizing::new(toml::to_string(&raw).expect("strings and tables of them"))
    }
}

fn usual_name(key: CardKey, version: KeyVersion) -> KeyRef {
    let name = format!("soft:{}", key.master_name(version));
    name.parse().expect("letters, digits and hyphens")
}

fn bytes<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], SamImageError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| SamImageError::Field(field))?;
    Ok(bytes)
}

fn day(text: &str, field: &'static str) -> Result<Date, SamImageError> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map_err(|_| SamImageError::Field(field))
}
