//! Settings: read as written (`RawConfig`, unknown keys refused), checked once into [`Config`].

mod certificates;
mod devices;
mod disk;
mod enrolment;
mod logins;
mod metrics;
mod national;
mod retention;
mod revocation_lists;
mod scrub;
mod time_stamps;
mod witnesses;

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use card::Diversification;
use card::personalise::{BadScript, Script};
use hsm::soft::PassphraseError;
use serde::{Deserialize, Serialize};

pub use self::certificates::{CertificateRules, IdentifierRow, IdentifierSource, RawCertificates};
pub use self::devices::{DeviceSettings, RawDevice, RawKeyPlace};
pub use self::disk::RawDisk;
pub use self::enrolment::{EnrolmentRules, RawEnrolment};
pub use self::logins::{LoginRules, RawLogins};
pub use self::metrics::{MetricsReaders, RawMetrics};
pub use self::national::RawNational;
pub use self::retention::{RawRetention, Retention};
pub use self::revocation_lists::RawRevocationLists;
pub use self::scrub::{RawScrub, Scrub};
pub use self::time_stamps::{Clients, RawTimeStamps, TimeStamps};
pub use self::witnesses::{RawWitnesses, Witnesses};
use crate::{
    disk::Budget,
    policy::{Policy, PolicyError, Texts},
    rules::{Bundle, RulesError},
    store::Limits,
    warnings,
};

/// Name of the settings file in the data directory.
pub const FILE: &str = "healthcard.toml";
/// Largest settings file that is read.
const MAX_FILE: u64 = 64 * 1024;
/// Largest script by which cards are made, bytes.
const MAX_SCRIPT: u64 = 256 * 1024;

/// Settings as written in `healthcard.toml`. Paths are relative to the file's own directory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// Name of this service: what certificates, tokens and the log call it.
    pub name: String,
    /// Address to listen on.
    pub listen: String,
    /// The sealed file of keys.
    #[serde(default = "default_keystore")]
    pub keystore: PathBuf,
    /// The database: records and log.
    #[serde(default = "default_database")]
    pub database: PathBuf,
    /// Who computes with card keys: `keystore`, or `sam` for a SAM at each desk.
    #[serde(default = "default_card_security")]
    pub card_security: String,
    /// How card keys are diversified: `div-1`, the rule of cards of our own.
    #[serde(default = "default_card_diversification")]
    pub card_diversification: String,
    /// Certificate chain and key of the TLS listener, PEM.
    #[serde(default)]
    pub tls: RawTls,
    /// The national listener; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<RawNational>,
    /// Rules of access, a signed folder; the shipped ones when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PathBuf>,
    /// The script by which the maker of the blank cards has them made; our own card software when
    /// absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_script: Option<PathBuf>,
    /// Where others reach this service over HTTP, e.g. `http://ca.hospital.example`: written into
    /// certificates as the place of revocation lists. Nothing is written when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Life of things that end by themselves.
    #[serde(default)]
    pub lifetimes: RawLifetimes,
    /// When logins that fail again and again are locked out.
    #[serde(default)]
    pub logins: RawLogins,
    /// Times in the life of a card.
    #[serde(default)]
    pub cards: RawCards,
    /// How certificates are issued.
    #[serde(default)]
    pub enrolment: RawEnrolment,
    /// How certificates say who their holders are.
    #[serde(default)]
    pub certificates: RawCertificates,
    /// How times are stamped.
    #[serde(default)]
    pub time_stamps: RawTimeStamps,
    /// Who is given the numbers of `/metrics`.
    #[serde(default)]
    pub metrics: RawMetrics,
    /// How revocation lists are divided.
    #[serde(default)]
    pub revocation_lists: RawRevocationLists,
    /// What is warned of.
    #[serde(default)]
    pub warnings: warnings::Settings,
    /// Whoever signs the log as a witness.
    #[serde(default)]
    pub witnesses: RawWitnesses,
    /// How the service goes over its own log.
    #[serde(default)]
    pub scrub: RawScrub,
    /// How long the log and records are kept.
    #[serde(default)]
    pub retention: RawRetention,
    /// What is expected of the disk.
    #[serde(default)]
    pub disk: RawDisk,
    /// Cryptographic devices, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, RawDevice>,
    /// Keys that are in a device, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, RawKeyPlace>,
}

/// See [`RawConfig::tls`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTls {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PKCS#8 PEM.
    pub key: PathBuf,
}

/// Seconds that things live.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawLifetimes {
    /// A login challenge, 10 to 600.
    pub challenge: u64,
    /// A session, 60 to 86400.
    pub session: u64,
    /// The presence of a card, in which a visit can be opened, 10 to 3600.
    pub presence: u64,
    /// A prepared signature, 10 to 3600.
    pub signing: u64,
    /// A dynamic or signed code of an electronic card, and the nonce of a desk, 10 to 3600.
    pub code: u64,
}

/// Times in the life of a card.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawCards {
    /// Days that a report of loss stands before the card may be replaced, 0 to 365.
    pub loss_days: u32,
    /// Hours in which a second person reviews what the first entered, 1 to 720.
    pub review_hours: u32,
}

impl Default for RawCards {
    fn default() -> Self {
        Self { loss_days: 15, review_hours: 72 }
    }
}

impl Default for RawTls {
    fn default() -> Self {
        Self { certificate: "tls/server.pem".into(), key: "tls/server.key".into() }
    }
}

impl Default for RawLifetimes {
    fn default() -> Self {
        Self { challenge: 60, session: 8 * 3600, presence: 300, signing: 600, code: 300 }
    }
}

pub(crate) fn default_card_security() -> String {
    CardSecurity::Keystore.as_str().to_owned()
}

pub(crate) fn default_card_diversification() -> String {
    Diversification::default().name().to_owned()
}

pub(crate) fn default_keystore() -> PathBuf {
    "keystore.hck".into()
}

pub(crate) fn default_database() -> PathBuf {
    "healthcard.db".into()
}

/// Settings, checked.
#[derive(Debug)]
pub struct Config {
    /// Name of this service.
    pub name: String,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// The sealed file of keys.
    pub keystore: PathBuf,
    /// The database.
    pub database: PathBuf,
    /// Certificate chain of the TLS listener.
    pub tls_certificate: PathBuf,
    /// Private key of the TLS listener.
    pub tls_key: PathBuf,
    /// Address of the national listener, if there is to be one.
    pub national: Option<SocketAddr>,
    /// Rules of access.
    pub policy: Policy,
    /// Where they come from, when not from the program. Who signed them is asked at a start.
    pub bundle: Option<Bundle>,
    /// How blank cards are made into cards, when not by the commands of our own card software.
    pub card_script: Option<Script>,
    /// Where others reach this service over HTTP, without a slash at the end.
    pub public_url: Option<String>,
    /// Lives of things that end by themselves.
    pub lifetimes: Lifetimes,
    /// When logins that fail again and again are locked out.
    pub login_rules: LoginRules,
    /// Times in the life of a card.
    pub card_rules: CardRules,
    /// How certificates are issued.
    pub enrolment_rules: EnrolmentRules,
    /// How certificates say who their holders are.
    pub certificate_rules: CertificateRules,
    /// Who computes with card keys, and how.
    pub card_keys: CardKeys,
    /// How times are stamped.
    pub time_stamps: TimeStamps,
    /// Who is given the numbers of `/metrics`.
    pub metrics: MetricsReaders,
    /// Revoked certificates of one authority above which each range of serial numbers has a list of its
    /// own.
    pub ranges_above: usize,
    /// Cryptographic devices, and the keys that are in them.
    pub devices: DeviceSettings,
    /// What is warned of.
    pub warnings: warnings::Settings,
    /// Whoever signs the log as a witness.
    pub witnesses: Witnesses,
    /// How the service goes over its own log.
    pub scrub: Scrub,
    /// How long the log and records are kept.
    pub retention: Retention,
    /// Room that has to be on the disk.
    pub disk: Budget,
    /// How fast the disk has to be.
    pub pace: Limits,
}

/// Who computes with card keys, and how.
#[derive(Debug, Clone, Copy)]
pub struct CardKeys {
    /// Who computes.
    pub security: CardSecurity,
    /// How keys are diversified. A SAM follows its own rule.
    pub diversification: Diversification,
}

/// Who computes with card keys (卡安全模块).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardSecurity {
    /// The masters in the service's keystore.
    Keystore,
    /// The SAM in the second slot of the desk that has the card.
    Sam,
}

impl CardSecurity {
    /// The word in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keystore => "keystore",
            Self::Sam => "sam",
        }
    }
}

/// Times in the life of a card.
#[derive(Debug, Clone, Copy)]
pub struct CardRules {
    /// How long a report of loss stands before the card may be replaced (挂失期).
    pub loss: time::Duration,
    /// How long a change waits for a second person.
    pub review: time::Duration,
}

/// Lives of things that end by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// A login challenge.
    pub challenge: Duration,
    /// A session.
    pub session: Duration,
    /// The presence of a card.
    pub presence: Duration,
    /// A prepared signature.
    pub signing: Duration,
    /// A code of an electronic card, and the nonce of a desk.
    pub code: Duration,
}

/// Why the settings were not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML of the expected shape.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A value is out of its range.
    #[error("setting `{setting}`: {why}")]
    Value {
        /// The setting.
        setting: &'static str,
        /// What it must be.
        why: &'static str,
    },
    /// The rules of access are not acceptable.
    #[error("setting `policy`")]
    Policy(#[source] PolicyError),
    /// The rules of access are not those of a signed manifest.
    #[error("setting `policy`")]
    Rules(#[from] RulesError),
    /// The script that cards are made by is not acceptable.
    #[error("setting `card_script`")]
    CardScript(#[source] BadScript),
    /// What is warned of is out of range.
    #[error("setting `{}`: {}", .0.setting, .0.why)]
    Warnings(#[from] warnings::BadSettings),
    /// The access code of a key in a device could not be read.
    #[error("setting `keys.*.access_code_file`")]
    AccessCode(#[source] PassphraseError),
}

impl RawConfig {
    /// Reads `healthcard.toml` in `data`.
    ///
    /// # Errors
    /// [`ConfigError::Read`], [`ConfigError::Malformed`].
    pub(crate) fn load(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join(FILE);
        let text = read_bounded(&path, MAX_FILE)?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::Malformed { path, why: error.message().to_owned() })
    }
}

impl Config {
    /// Reads `healthcard.toml` in `data`.
    ///
    /// # Errors
    /// [`ConfigError`]; no setting is ever replaced by a default because it was wrong.
    pub fn load(data: &Path) -> Result<Self, ConfigError> {
        Self::check(RawConfig::load(data)?, data)
    }

    pub(crate) fn check(raw: RawConfig, data: &Path) -> Result<Self, ConfigError> {
        let (policy, bundle) = match &raw.policy {
            None => (Policy::shipped(), None),
            Some(folder) => {
                let folder = data.join(folder);
                let bundle = Bundle::read(&folder, policy_texts(&folder)?)?;
                (Policy::read(bundle.texts()), Some(bundle))
            }
        };
        Self::with_rules(raw, data, policy.map_err(ConfigError::Policy)?, bundle)
    }

    /// These settings, with rules in place of those that they name.
    pub(crate) fn with_rules(
        raw: RawConfig,
        data: &Path,
        policy: Policy,
        bundle: Option<Bundle>,
    ) -> Result<Self, ConfigError> {
        if !is_service_name(&raw.name) {
            return Err(ConfigError::Value {
                setting: "name",
                why: "1 to 64 letters, digits, dots and hyphens",
            });
        }
        let listen = raw.listen.parse().map_err(|_| ConfigError::Value {
            setting: "listen",
            why: "an address and a port, such as 127.0.0.1:7443",
        })?;
        let public_url = match raw.public_url {
            Some(url) if !is_public_url(&url) => {
                return Err(ConfigError::Value {
                    setting: "public_url",
                    why: "http:// or https:// and a host, at most 200 letters, without a slash at the end",
                });
            }
            url => url,
        };
        let seconds = |setting, value: u64, least: u64, most: u64, why| {
            if (least..=most).contains(&value) {
                Ok(Duration::from_secs(value))
            } else {
                Err(ConfigError::Value { setting, why })
            }
        };
        let raw_lives = raw.lifetimes;
        let lifetimes = Lifetimes {
            challenge: seconds("lifetimes.challenge", raw_lives.challenge, 10, 600, "10 to 600")?,
            session: seconds("lifetimes.session", raw_lives.session, 60, 86_400, "60 to 86400")?,
            presence: seconds("lifetimes.presence", raw_lives.presence, 10, 3600, "10 to 3600")?,
            signing: seconds("lifetimes.signing", raw_lives.signing, 10, 3600, "10 to 3600")?,
            code: seconds("lifetimes.code", raw_lives.code, 10, 3600, "10 to 3600")?,
        };
        if raw.cards.loss_days > 365 {
            return Err(ConfigError::Value { setting: "cards.loss_days", why: "0 to 365" });
        }
        if !(1..=720).contains(&raw.cards.review_hours) {
            return Err(ConfigError::Value { setting: "cards.review_hours", why: "1 to 720" });
        }
        let card_rules = CardRules {
            loss: time::Duration::days(raw.cards.loss_days.into()),
            review: time::Duration::hours(raw.cards.review_hours.into()),
        };
        let security = [CardSecurity::Keystore, CardSecurity::Sam]
            .into_iter()
            .find(|security| security.as_str() == raw.card_security);
        let security = security
            .ok_or(ConfigError::Value { setting: "card_security", why: "keystore or sam" })?;
        let diversification = Diversification::named(&raw.card_diversification)
            .ok_or(ConfigError::Value { setting: "card_diversification", why: "div-1" })?;
        if security == CardSecurity::Sam && raw.card_script.is_some() {
            return Err(ConfigError::Value {
                setting: "card_script",
                why: "not with card_security = \"sam\": cards are made with the masters of a keystore",
            });
        }
        let card_script = match raw.card_script {
            None => None,
            Some(path) => {
                let script = read_bounded(&data.join(path), MAX_SCRIPT)?.parse();
                Some(script.map_err(ConfigError::CardScript)?)
            }
        };
        let enrolment_rules = EnrolmentRules::check(raw.enrolment, &policy)?;
        let (disk, pace) = raw.disk.check()?;
        Ok(Self {
            name: raw.name,
            listen,
            keystore: data.join(raw.keystore),
            database: data.join(raw.database),
            tls_certificate: data.join(raw.tls.certificate),
            tls_key: data.join(raw.tls.key),
            national: national::check(raw.national)?,
            policy,
            bundle,
            card_script,
            public_url,
            lifetimes,
            login_rules: LoginRules::check(&raw.logins)?,
            card_rules,
            enrolment_rules,
            certificate_rules: CertificateRules::check(raw.certificates)?,
            card_keys: CardKeys { security, diversification },
            time_stamps: TimeStamps::check(raw.time_stamps)?,
            metrics: MetricsReaders::check(&raw.metrics)?,
            ranges_above: raw.revocation_lists.check()?,
            devices: DeviceSettings::check(raw.devices, raw.keys, data)?,
            warnings: raw.warnings.checked()?,
            witnesses: Witnesses::check(&raw.witnesses)?,
            scrub: Scrub::check(&raw.scrub)?,
            retention: Retention::check(&raw.retention)?,
            disk,
            pace,
        })
    }
}

/// Whether a text can name a service: it stands in certificates, tokens and the log's origin line.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

fn is_public_url(url: &str) -> bool {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    url.len() <= 200
        && host.is_some_and(|host| {
            !host.is_empty() && !host.ends_with('/') && host.bytes().all(|b| b.is_ascii_graphic())
        })
}

/// The texts of a set of rules in a folder.
///
/// # Errors
/// [`ConfigError::Read`].
pub fn policy_texts(folder: &Path) -> Result<Texts<'static>, ConfigError> {
    let read = |name| read_bounded(&folder.join(name), MAX_FILE).map(Into::into);
    let [rules, access, cases] = Texts::FILES;
    Ok(Texts { rules: read(rules)?, access: read(access)?, cases: read(cases)? })
}

fn read_bounded(path: &Path, most: u64) -> Result<String, ConfigError> {
    let read = || -> io::Result<String> {
        if fs::metadata(path)?.len() > most {
            let why = format!("larger than {} KiB", most / 1024);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        fs::read_to_string(path)
    };
    read().map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
