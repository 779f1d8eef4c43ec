//! `healthcardd keys rotate`, `retire`, `destroy`, `compromise`: what happens to versions of the service's keys, and
//! `label`, what a key is called; `share`, by which custodians open the keystore, and `passphrase`, by which they no
//! longer do; and `ceremony`, of which they keep a transcript. `succeed-root` is in `root`,
//! `succeed-authority` and `revoke-authority` in `authority`.
//!
//! The service is not running meanwhile: its lock on the database is held. It is put together first,
//! as at a start, so that nothing is changed in a service that is not whole, and so that what an
//! earlier version signed is signed by the one in use before the earlier one is given up: the end of
//! the log, and the list of cards. Then the act is recorded, and only then done: no key changes
//! without an entry. After a crash between the two the entry stands and the key is as it was; the
//! same command does it again.

mod authority;
mod root;

use std::path::{Path, PathBuf};

use access_token::{LEEWAY, keys::KEPT};
use audit::Entry;
use hsm::{
    KeyDescription, KeyError, KeyRef, KeyUse, Keystore as _,
    key::{Label, Transition, VersionState},
    self_test::SelfTestError,
    soft::{Iterations, KeystoreError, Passphrase, Share, ShareError, SoftKeystore, Unseal},
};

use crate::{
    clock::{self, UtcTime},
    config::{Config, ConfigError},
    generation::Generation,
    keys::{self, Succession},
    policy::Act,
    registrar::{Error, Registrar, key_changed, key_labelled, keystore_shared, passphrase_changed},
    start::{self, StartError},
    store::{KeyAct, Store, StoreError},
    token::thumbprint,
};

pub use authority::{RevokedAuthority, SucceededAuthority, revoke_authority, succeed_authority};
pub use root::{Succeeded, succeed_root};

/// What is to happen to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyOrder {
    /// The next version is made, and its public key handed out; it does not sign yet.
    Prepare,
    /// The next version is taken into use: of a key that signs tokens one that whoever verifies could fetch.
    Rotate,
    /// The next version is taken into use, whether anybody could fetch it or not.
    RotateAtOnce,
    /// A version is retired without a successor: of a key that the service does not need.
    Retire(u32),
    /// A version is wiped: of a key that signs tokens one that signed nothing that goes on.
    Destroy(u32),
    /// A version is wiped, though it may have signed receipts of consents that go on: they are fetched anew.
    DestroyReceiptsToo(u32),
    /// A version may be known to others. If it is the one in use, the next takes its place first.
    Compromise(u32),
}

/// Why nothing happened to a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyChangeError {
    /// The authority is revoked on record, and the list that says so is not made yet.
    #[error(
        "making the root's list: the authority is revoked on record, and the list is made when the service starts"
    )]
    Revoked(#[source] Box<KeyChangeError>),
    /// The settings are not accepted.
    #[error("reading the settings")]
    Config(#[from] ConfigError),
    /// The service is not whole, or it is running.
    #[error("putting the service together before its keys are changed")]
    Service(#[from] Box<StartError>),
    /// A new key would not be a good one.
    #[error("testing the algorithms and the random generator")]
    SelfTest(#[from] SelfTestError),
    /// So many shares are not made.
    #[error("sharing what opens the keystore")]
    Shares(#[from] ShareError),
    /// The keystore refused.
    #[error("changing the keystore")]
    Keystore(#[from] KeystoreError),
    /// The act could not be recorded.
    #[error("recording the change; the key is as it was")]
    Record(#[from] StoreError),
    /// There is no such key.
    #[error("looking for the key")]
    Key(#[from] KeyError),
    /// Certificates name the key.
    #[error(
        "certificates name {key} ({key_use}); it is succeeded by an authority with a new certificate, \
         not by a new version"
    )]
    NamedByCertificates {
        /// The key.
        key: KeyRef,
        /// Its use.
        key_use: KeyUse,
    },
    /// The service needs the key.
    #[error(
        "the service needs {0} and does not start without it; `keys rotate` gives it a successor"
    )]
    Needed(KeyRef),
    /// The key is in a device, which has no versions.
    #[error("{0} is in a device: `[keys]` in the settings says which of its keys signs")]
    InDevice(KeyRef),
    /// Whoever verifies tokens could not fetch the next version yet.
    #[error(
        "the next version of {key} has to be published before it signs: {}",
        from.map_or("there is none, or the service did not serve since it was made".to_owned(), |from| {
            format!("it may from {} on", clock::rfc3339(from))
        })
    )]
    NotPublished {
        /// The key.
        key: KeyRef,
        /// When it may sign, if it is published.
        from: Option<UtcTime>,
    },
    /// Tokens that the version signed are not over.
    #[error("tokens that version {version} of {key} signed are good until {}", clock::rfc3339(*until))]
    TokensGoOn {
        /// The key.
        key: KeyRef,
        /// The version.
        version: u32,
        /// When the last of them is over.
        until: UtcTime,
    },
    /// Consents go on whose receipts the version may have signed.
    #[error(
        "consents go on until {} whose receipts version {version} of {key} may have signed; without it the receipts \
         are not believed",
        clock::rfc3339(*until)
    )]
    ConsentsGoOn {
        /// The key.
        key: KeyRef,
        /// The version.
        version: u32,
        /// When the last of them is over.
        until: UtcTime,
    },
    /// There is no issuing authority of this name.
    #[error("there is no authority {name:?}")]
    NotAnAuthority {
        /// What was given.
        name: String,
    },
    /// The root is succeeded in another way.
    #[error("ca-root is the root, which is succeeded with link certificates")]
    IsTheRoot,
    /// The key is the one that the authority issues with.
    #[error("{0} issues: it is succeeded before it is revoked")]
    Issues(Generation),
    /// The certificate in the file is not that of the root.
    #[error("{} does not hold the certificate of the root in force", path.display())]
    NotTheRoot {
        /// The file.
        path: PathBuf,
    },
    /// The root could not sign for the next key, of its own or of another authority, or an authority not be
    /// revoked.
    #[error("working as the root")]
    Link(#[from] Box<Error>),
    /// The new certificate could not be put into its place.
    #[error("writing {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Data is sealed under the version.
    #[error(
        "version {version} of {key} is what opens the data that it sealed; destroyed, they are lost"
    )]
    Opens {
        /// The key.
        key: KeyRef,
        /// The version.
        version: u32,
    },
}

/// Does what was ordered in the service of a data directory; the versions of the key as they then are, newest first.
///
/// # Errors
/// [`KeyChangeError`]; the key is then as it was, except that a compromised version may have got its
/// successor already.
pub async fn change(
    data: &Path,
    unseal: Unseal<'_>,
    key: &KeyRef,
    order: KeyOrder,
) -> Result<Vec<KeyDescription>, KeyChangeError> {
    if let KeyOrder::Compromise(version) = order {
        let config = Config::load(data)?;
        let keystore = SoftKeystore::open(&config.keystore, unseal)?;
        let versions = check(&keystore, key, order)?;
        // One that does not sign any more needs no successor.
        let signs = !config.devices.places.contains_key(key);
        if signs && versions.iter().any(|v| v.version == version && v.state == VersionState::Active)
        {
            drop(keystore);
            carry_out(data, unseal, key, KeyOrder::RotateAtOnce).await?;
        }
    }
    carry_out(data, unseal, key, order).await
}

/// A service that is whole and does not run, whose keys are about to be changed.
struct Opened {
    name: String,
    registrar: Registrar,
    keystore: SoftKeystore,
}

async fn open(data: &Path, unseal: Unseal<'_>) -> Result<Opened, KeyChangeError> {
    let config = Config::load(data)?;
    let (name, path) = (config.name.clone(), config.keystore.clone());
    let registrar = start::open(config, unseal).await.map_err(Box::new)?;
    registrar.tested()?;
    let keystore = SoftKeystore::open(&path, unseal)?;
    Ok(Opened { name, registrar, keystore })
}

async fn carry_out(
    data: &Path,
    unseal: Unseal<'_>,
    key: &KeyRef,
    order: KeyOrder,
) -> Result<Vec<KeyDescription>, KeyChangeError> {
    let Opened { name, registrar, mut keystore } = open(data, unseal).await?;
    check(&keystore, key, order)?;
    let makes = matches!(order, KeyOrder::Prepare | KeyOrder::Rotate | KeyOrder::RotateAtOnce);
    if makes && registrar.devices().have(key) {
        return Err(KeyChangeError::InDevice(key.clone()));
    }
    if key.name() == keys::TOKEN {
        check_tokens(registrar.store(), &keystore, key, order).await?;
    }
    let (act, version) = match order {
        KeyOrder::Prepare => (Act::KeyPrepare, keystore.prepare(key)?),
        KeyOrder::Rotate | KeyOrder::RotateAtOnce => (Act::KeyRotate, keystore.rotate(key)?),
        KeyOrder::Retire(version) => {
            keystore.change(key, version, Transition::Retire)?;
            (Act::KeyRetire, version)
        }
        KeyOrder::Destroy(version) | KeyOrder::DestroyReceiptsToo(version) => {
            keystore.change(key, version, Transition::Destroy)?;
            (Act::KeyDestroy, version)
        }
        KeyOrder::Compromise(version) => {
            keystore.change(key, version, Transition::Compromise)?;
            (Act::KeyCompromise, version)
        }
    };
    let entry = changed(&name, act, key, version, &keystore);
    registrar.store().record_act(entry).await?;
    keystore.save()?;
    Ok(versions(&keystore, key))
}

/// The entry for what happens to a version of a key.
fn changed(name: &str, act: Act, key: &KeyRef, version: u32, keystore: &SoftKeystore) -> Entry {
    let described = versions(keystore, key).into_iter().find(|it| it.version == version);
    let named =
        described.and_then(|described| match (described.public_key, described.check_value) {
            (Some(public), _) => Some(("thumbprint", thumbprint(&public))),
            (None, value) => value.map(|value| ("check-value", value.to_string())),
        });
    key_changed(name, act, key, version, named, clock::now())
}

/// Makes shares of what opens the keystore, for `count` custodians, any `threshold` of whom open it.
///
/// # Errors
/// [`KeyChangeError`]; then none were made.
pub async fn share(
    data: &Path,
    unseal: Unseal<'_>,
    threshold: u8,
    count: u8,
) -> Result<Vec<Share>, KeyChangeError> {
    let Opened { name, registrar, keystore } = open(data, unseal).await?;
    let shares = keystore.shares(threshold, count)?;
    let entry = keystore_shared(&name, threshold, count, clock::now());
    registrar.store().record_act(entry).await?;
    Ok(shares)
}

/// Has the keystore open with `passphrase` from now on, and with nothing else: shares that were made before are void.
/// Copies of the file made before open as they did.
///
/// # Errors
/// [`KeyChangeError`]; it then opens as before.
pub async fn change_passphrase(
    data: &Path,
    unseal: Unseal<'_>,
    passphrase: &Passphrase,
    iterations: Iterations,
) -> Result<(), KeyChangeError> {
    let Opened { name, registrar, mut keystore } = open(data, unseal).await?;
    keystore.change_passphrase(passphrase, iterations);
    registrar.store().record_act(passphrase_changed(&name, iterations, clock::now())).await?;
    Ok(keystore.save()?)
}

/// Changes what a key is called; its versions.
///
/// # Errors
/// [`KeyChangeError`]; it is then called as before.
pub async fn relabel(
    data: &Path,
    unseal: Unseal<'_>,
    key: &KeyRef,
    label: Label,
) -> Result<Vec<KeyDescription>, KeyChangeError> {
    let Opened { name, registrar, mut keystore } = open(data, unseal).await?;
    let entry = key_labelled(&name, key, &label, clock::now());
    keystore.set_label(key, label)?;
    registrar.store().record_act(entry).await?;
    keystore.save()?;
    Ok(versions(&keystore, key))
}

/// Signs a transcript of all keys as they are, in the presence of `participants`. The log has its digest.
///
/// # Errors
/// [`KeyChangeError`]; then there is none.
pub async fn hold_ceremony(
    data: &Path,
    unseal: Unseal<'_>,
    participants: &[Label],
) -> Result<String, KeyChangeError> {
    let began = clock::now();
    let Opened { registrar, .. } = open(data, unseal).await?;
    let (transcript, entry) = registrar.hold_ceremony(participants, began, clock::now())?;
    registrar.store().record_act(entry).await?;
    Ok(transcript)
}

/// Whether this may happen to the key; its versions.
fn check(
    keystore: &SoftKeystore,
    key: &KeyRef,
    order: KeyOrder,
) -> Result<Vec<KeyDescription>, KeyChangeError> {
    let versions = versions(keystore, key);
    let key_use = versions.first().ok_or_else(|| KeyError::Unknown(key.clone()))?.key_use;
    let key = || key.clone();
    let needed = keys::is_needed(&key());
    match (order, Succession::of(key_use)) {
        (KeyOrder::Retire(_), _) if needed => Err(KeyChangeError::Needed(key())),
        (KeyOrder::Destroy(version) | KeyOrder::DestroyReceiptsToo(version), _)
            if key_use == KeyUse::SealData =>
        {
            Err(KeyChangeError::Opens { key: key(), version })
        }
        (KeyOrder::Retire(_) | KeyOrder::Destroy(_) | KeyOrder::DestroyReceiptsToo(_), _) => {
            Ok(versions)
        }
        (_, Succession::Certificate) => {
            Err(KeyChangeError::NamedByCertificates { key: key(), key_use })
        }
        // The keystore says why they have no versions; one that is needed stays in use.
        (KeyOrder::Compromise(_), Succession::Name) if needed => Err(KeyChangeError::Needed(key())),
        _ => Ok(versions),
    }
}

/// Whether this may happen to the key that signs tokens, for the sake of whoever verifies them: they have its next version
/// before it signs, and an earlier one as long as a token is good that it signed.
async fn check_tokens(
    store: &Store,
    keystore: &SoftKeystore,
    key: &KeyRef,
    order: KeyOrder,
) -> Result<(), KeyChangeError> {
    let now = clock::now();
    match order {
        KeyOrder::Rotate => {
            let ahead = versions(keystore, key)
                .into_iter()
                .find(|version| version.state == VersionState::PreActive)
                .and_then(|version| Some(thumbprint(&version.public_key?)));
            let published = store.key_acts(Act::KeyPublish, key).await?;
            let since =
                published.into_iter().find(|act| ahead.is_some() && act.thumbprint == ahead);
            let from = since.map(|act| act.at + time::Duration::seconds(KEPT));
            match from {
                Some(from) if from <= now => Ok(()),
                from => Err(KeyChangeError::NotPublished { key: key.clone(), from }),
            }
        }
        KeyOrder::Destroy(version) | KeyOrder::DestroyReceiptsToo(version) => {
            let rotated = store.key_acts(Act::KeyRotate, key).await?;
            let Some(succeeded) = succeeded(&rotated, version) else { return Ok(()) };
            let slowest_clock = now - time::Duration::seconds(LEEWAY);
            if let Some(until) = store.last_token_over(succeeded, slowest_clock).await? {
                return Err(KeyChangeError::TokensGoOn { key: key.clone(), version, until });
            }
            if matches!(order, KeyOrder::DestroyReceiptsToo(_)) {
                return Ok(());
            }
            match store.last_consent_over(succeeded, now).await? {
                Some(until) => {
                    Err(KeyChangeError::ConsentsGoOn { key: key.clone(), version, until })
                }
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// When a version had signed for the last time, as far as the log tells. A rotation is recorded before it is done, and a
/// keystore of before may be put back: the version may go on signing after any rotation but the last.
fn succeeded(rotated: &[KeyAct], version: u32) -> Option<UtcTime> {
    rotated.iter().filter(|act| act.version > version).map(|act| act.at).max()
}

fn versions(keystore: &SoftKeystore, key: &KeyRef) -> Vec<KeyDescription> {
    keystore.list().into_iter().filter(|version| version.reference == *key).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_rotation_that_was_recorded_and_not_done_succeeds_nothing() {
        let at = |version, at| KeyAct { version, thumbprint: None, at };
        let first = datetime!(2026-11-23 08:00:00 UTC);
        let (second, third) = (first + time::Duration::hours(1), first + time::Duration::hours(2));
        // The first was not saved, so that version 1 went on until the second.
        let twice = [at(2, first), at(2, second)];
        assert_eq!(succeeded(&twice, 1), Some(second));
        assert_eq!(succeeded(&twice, 2), None);
        // A keystore of before was put back after the second.
        let back = [at(2, first), at(3, second), at(2, third)];
        assert_eq!(succeeded(&back, 1), Some(third));
        assert_eq!(succeeded(&back, 2), Some(second));
        assert_eq!(succeeded(&[], 1), None);
    }
}
