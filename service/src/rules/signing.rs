//! `healthcardd policy sign`, `check` and `shipped`. The service is not running while rules are signed, as with changes
//! of keys: it is put together first, with the rules that are to be signed, as it would be at a start. Then the act is
//! recorded, and only then is the manifest written: there is no manifest without an entry.

use std::{
    borrow::Cow,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use audit::rules::{Manifest, SIGNER_ID};
use hsm::{
    KeyError, Sm2Signer,
    key::Label,
    random::SystemRandom,
    self_test::{self, SelfTestError},
    sm2::SignerId,
    soft::{KeystoreError, SoftKeystore, Unseal},
};

use super::{Bundle, FILE, RulesError, admit, signed_manifest};
use crate::{
    clock,
    config::{self, Config, ConfigError, RawConfig},
    devices::Devices,
    init,
    keys::Keys,
    policy::{Policy, PolicyError, SHIPPED, Texts},
    registrar::{rules_shipped, rules_signed},
    start::{self, StartError, Unlocked},
    store::{Change, RulesInUse, RulesRecord, StoreError},
};

/// How rules are signed.
#[derive(Debug, Clone, Default)]
pub struct SignOrder {
    /// What they are called; as before when absent.
    pub name: Option<Label>,
    /// Their version; the next one when absent.
    pub version: Option<NonZeroU32>,
}

/// Rules that were signed.
#[derive(Debug)]
pub struct Signed {
    /// What was signed.
    pub manifest: Manifest,
    /// The version that is in use; `None` where the shipped rules are.
    pub in_use: Option<u32>,
    /// The texts in use.
    pub before: Texts<'static>,
    /// The texts that were signed.
    pub after: Texts<'static>,
}

/// Why rules were not signed, or would not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The settings are not accepted, or a text of the rules could not be read.
    #[error("reading settings and rules")]
    Config(#[from] ConfigError),
    /// The rules are not acceptable.
    #[error("trying the rules on their cases")]
    Policy(#[from] PolicyError),
    /// A rule of these signatures is not kept.
    #[error("checking the signed rules")]
    Rules(#[from] RulesError),
    /// A signature would not be a good one.
    #[error("testing the algorithms and the random generator")]
    SelfTest(#[from] SelfTestError),
    /// The keystore does not open.
    #[error("opening the keystore")]
    Keystore(#[from] KeystoreError),
    /// The service would not start with these rules, or it is running.
    #[error("putting the service together with these rules")]
    Service(#[from] Box<StartError>),
    /// The key did not sign.
    #[error("signing the rules")]
    Key(#[from] KeyError),
    /// The act could not be recorded, or the record not be read.
    #[error("working with the record; nothing was signed or changed")]
    Record(#[from] StoreError),
    /// The name is empty, or begins or ends with a space.
    #[error(
        "规则名称为空，或首尾有空格 · the name of the rules is empty, or begins or ends with a space"
    )]
    Name,
    /// There is no later version.
    #[error("版本号已到尽头 · there is no later version")]
    LastVersion,
    /// The manifest was recorded and could not be written.
    #[error("writing {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Signs the rules in a folder, in the service of a data directory.
///
/// # Errors
/// [`SigningError`]; the manifest in the folder is then as it was.
pub async fn sign(
    data: &Path,
    unseal: Unseal<'_>,
    folder: &Path,
    order: SignOrder,
) -> Result<Signed, SigningError> {
    let texts = config::policy_texts(folder)?;
    let policy = Policy::read(&texts)?;
    let digest = *policy.digest();
    let config = Config::with_rules(RawConfig::load(data)?, data, policy, None)?;
    let mut unlocked = unlock(config, unseal).await?;
    let Unlocked { config, keys, store } = &mut unlocked;
    let record = store.rules().await?;

    // What is there counts when it is ours: its name, and that its version was given out.
    let there = signed_manifest(folder).ok();
    let ours = |text: &String| {
        let mut keys = keys.rules_keys().into_iter();
        keys.find_map(|key| audit::rules::check(text, key.as_sec1()).ok())
    };
    let there = there.as_ref().and_then(ours);
    let name = match (order.name, &there) {
        (Some(name), _) => name.to_string(),
        (None, Some(there)) => there.name.clone(),
        (None, None) => folder_name(folder),
    };
    if name.is_empty() || name.trim() != name {
        return Err(SigningError::Name);
    }
    let newest = record.highest.map(|(version, _)| version);
    let newest = newest.max(there.map(|there| there.version)).unwrap_or(0);
    let next = || newest.checked_add(1).ok_or(SigningError::LastVersion);
    let version = order.version.map_or_else(next, |version| Ok(version.get()))?;
    let now = clock::now();
    let manifest = Manifest {
        service: config.name.clone(),
        name,
        version,
        made: clock::rfc3339(now),
        files: [&texts.rules, &texts.access, &texts.cases]
            .map(|text| hsm::sm3::digest(text.as_bytes())),
        digest,
    };
    let signed = manifest.sign(|octets| signature(&*keys.rules()?, octets))?;
    let bundle = Bundle::of(folder, texts.clone(), signed.clone())?;
    config.bundle = Some(bundle);

    // As it would be at a start: what it would refuse is not signed.
    let registrar = start::assemble(unlocked).await.map_err(Box::new)?;
    let entry = rules_signed(registrar.name(), &manifest, now);
    registrar.store().record_act(entry).await?;
    let path = folder.join(FILE);
    init::replace(&path, signed.as_bytes())
        .map_err(|source| SigningError::File { path, source })?;
    let (in_use, before) = match record.in_use {
        RulesInUse::Shipped => (None, SHIPPED),
        RulesInUse::Signed { version, texts: [rules, access, cases], .. } => {
            let texts = Texts { rules: rules.into(), access: access.into(), cases: cases.into() };
            (Some(version), texts)
        }
    };
    Ok(Signed { manifest, in_use, before, after: texts })
}

/// Checks the rules in a folder as a start of the service does that has the folder in its settings; it may be running
/// meanwhile, and nothing is changed. What is signed, and whether these rules are the ones in use.
///
/// # Errors
/// [`SigningError`]; with such rules the service does not start.
pub fn check(
    data: &Path,
    unseal: Unseal<'_>,
    folder: &Path,
) -> Result<(Manifest, bool), SigningError> {
    let raw = RawConfig {
        policy: Some(
            std::path::absolute(folder)
                .map_err(|source| SigningError::File { path: folder.to_owned(), source })?,
        ),
        ..RawConfig::load(data)?
    };
    let config = Config::check(raw, data)?;
    let record = RulesRecord::of(&config.database)?;
    let keystore = SoftKeystore::open(&config.keystore, unseal)?;
    let keys = Keys::with_devices(keystore, Devices::new(config.devices), Ok(()));
    admit(&config.policy, config.bundle.as_ref(), &config.name, &keys, &record)?;
    let manifest = config.bundle.expect("the settings name a folder").manifest().clone();
    let in_use = record.uses(manifest.version);
    Ok((manifest, in_use))
}

/// Has the service go back to the rules that it ships with, whatever its settings say of others.
///
/// # Errors
/// [`SigningError`]; then nothing was changed.
pub async fn go_back(data: &Path, unseal: Unseal<'_>) -> Result<Change, SigningError> {
    let config = Config::with_rules(RawConfig::load(data)?, data, Policy::shipped()?, None)?;
    let Unlocked { config, store, .. } = unlock(config, unseal).await?;
    let now = clock::now();
    Ok(store.record_rules_shipped(now, rules_shipped(&config.name, now)).await?)
}

/// Keystore and database of a service that does not run, after good self-tests.
async fn unlock(config: Config, unseal: Unseal<'_>) -> Result<Unlocked, SigningError> {
    let tested = self_test::run(&mut SystemRandom);
    tested?;
    Ok(start::unlock(config, unseal, tested).await.map_err(Box::new)?)
}

pub(super) fn signature(key: &dyn Sm2Signer, octets: &[u8]) -> Result<[u8; 64], KeyError> {
    let id = SignerId::new(SIGNER_ID.as_bytes()).expect("a short literal");
    Ok(*key.sign(&key.public_key().digest(&id, octets))?.as_raw())
}

/// What rules are called that have no name yet: as their folder.
fn folder_name(folder: &Path) -> String {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().map(|name| name.to_string_lossy()).unwrap_or(Cow::Borrowed(""));
    // Names of folders may have what a manifest does not.
    name.parse().map_or_else(|_| String::new(), |name: Label| name.to_string())
}
