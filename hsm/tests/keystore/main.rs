//! The software keystore: what any keystore promises, and what its file refuses.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test, a step that fails fails the test")]

mod file;
mod migration;
mod promises;
mod shares;
mod states;

use hsm::soft::{Iterations, KeystoreError, Passphrase, SoftKeystore};
use hsm::{KeyRef, KeyUse};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn key(text: &str) -> KeyRef {
    text.parse().unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::from_string(text.to_owned().into()).unwrap()
}

/// A keystore in a folder of its own.
struct Place {
    path: PathBuf,
    _folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("keys"), _folder: folder }
    }

    fn create(&self) -> SoftKeystore {
        SoftKeystore::create_with(&self.path, &passphrase("right"), Iterations::MINIMUM).unwrap()
    }

    fn open(&self) -> Result<SoftKeystore, KeystoreError> {
        SoftKeystore::open(&self.path, &passphrase("right"))
    }

    /// The refusal to open these octets.
    fn refusal(&self, octets: &[u8]) -> KeystoreError {
        write_private(&self.path, octets);
        self.open().expect_err("opened")
    }
}

fn write_private(path: &Path, octets: &[u8]) {
    fs::write(path, octets).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

/// One key of each use.
fn with_all_uses(keystore: &mut SoftKeystore) {
    for key_use in KeyUse::ALL {
        keystore.generate(&key(&format!("soft:{key_use}")), key_use).unwrap();
    }
    keystore.save().unwrap();
}
