//! `healthcardd keys succeed-root`: the root gets another key, with link certificates between the two (RFC 4210, 4.4).
//!
//! In four steps, each on disk before the next: the next key is made; the key before signs for it and makes its last
//! list; the next key takes its place, and the private part of the one before is wiped; the authorities get their
//! certificates by it. The last step is also done by any start of the service, so that a crash between two steps is
//! mended by the same command or by starting.

use std::path::Path;

use ca::Certificate;
use hsm::{
    KeyError, KeyUse, Keystore as _,
    key::VersionState,
    soft::{SoftKeystore, Unseal},
};

use super::{KeyChangeError, Opened, changed, open, versions};
use crate::{clock, generation::Generation, init, policy::Act};

/// What there is after a succession.
pub struct Succeeded {
    /// Whether the root got another key now. Otherwise it had before, and only `root.pem` was still to be replaced.
    pub now: bool,
    /// The root's certificate.
    pub root: Certificate,
    /// The certificate that it succeeded.
    pub before: Certificate,
}

/// Gives the root of a data directory another key. `root.pem` in it says which root is to be succeeded: one that was
/// already is not succeeded again, and the file gets the new one.
///
/// # Errors
/// [`KeyChangeError`]; what was done so far stands, and the same order goes on from there.
pub async fn succeed_root(data: &Path, unseal: Unseal<'_>) -> Result<Succeeded, KeyChangeError> {
    let file = data.join(init::ROOT);
    let before = read(&file)?;
    let Opened { name, registrar, mut keystore } = open(data, unseal).await?;
    let root = registrar.root().map_err(Box::new)?.clone();
    if root != before {
        if !registrar.succeeded_roots().iter().any(|it| it.before == before.der()) {
            return Err(KeyChangeError::NotTheRoot { path: file });
        }
        // It was interrupted before the file was written.
        return finish(&file, Succeeded { now: false, root, before });
    }
    let key = Generation::ROOT.key();
    let prepared = |keystore: &SoftKeystore| {
        let prepared = versions(keystore, &key);
        prepared.into_iter().find(|version| version.state == VersionState::PreActive)
    };
    if prepared(&keystore).is_none() {
        let version = keystore.prepare(&key)?;
        let entry = changed(&name, Act::KeyPrepare, &key, version, &keystore);
        registrar.store().record_act(entry).await?;
        keystore.save()?;
    }
    let next = prepared(&keystore).and_then(|version| version.public_key);
    let next = next.ok_or_else(|| KeyError::Unknown(key.clone()))?;
    let signer = keystore.signer(&key, KeyUse::SignCertificates)?;
    registrar.link_root(&*signer, &next, clock::now()).await.map_err(Box::new)?;
    let version = keystore.rotate(&key)?;
    let entry = changed(&name, Act::KeyRotate, &key, version, &keystore);
    registrar.store().record_act(entry).await?;
    keystore.save()?;
    drop((registrar, keystore));
    let Opened { registrar, .. } = open(data, unseal).await?;
    let root = registrar.root().map_err(Box::new)?.clone();
    finish(&file, Succeeded { now: true, root, before })
}

fn read(file: &Path) -> Result<Certificate, KeyChangeError> {
    let text = std::fs::read_to_string(file).ok();
    let read = text.and_then(|text| Certificate::from_pem(&text).ok());
    read.ok_or_else(|| KeyChangeError::NotTheRoot { path: file.to_owned() })
}

fn finish(file: &Path, succeeded: Succeeded) -> Result<Succeeded, KeyChangeError> {
    init::replace(file, succeeded.root.to_pem().as_bytes())
        .map_err(|source| KeyChangeError::File { path: file.to_owned(), source })?;
    Ok(succeeded)
}
