//! The passphrase of a keystore.

use super::disk::{self, SecretFileError};
use std::fmt;
use std::path::Path;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest passphrase in octets.
const LONGEST: usize = 1024;

/// What opens a keystore: 1 to 1024 octets, wiped when dropped, never printed.
///
/// A random passphrase in a file is the usual case; the file is made readable to the service alone,
/// for example by the service manager.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Reads the passphrase from a file of its owner alone. One line break at the end is not part
    /// of it.
    ///
    /// # Errors
    /// [`PassphraseError::File`] when the file cannot be read, is too long or open to others;
    /// [`PassphraseError::Length`] when it is empty.
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        let mut octets = disk::read(path, LONGEST + 2)?;
        if octets.ends_with(b"\n") {
            let kept = octets.len() - if octets.ends_with(b"\r\n") { 2 } else { 1 };
            octets.truncate(kept);
        }
        Self::checked(octets)
    }

    /// Takes a passphrase as typed.
    ///
    /// # Errors
    /// [`PassphraseError::Length`] unless it has 1 to 1024 octets.
    pub fn from_string(mut text: Zeroizing<String>) -> Result<Self, PassphraseError> {
        Self::checked(Zeroizing::new(std::mem::take(&mut *text).into_bytes()))
    }

    /// Whether this is it, compared in constant time for one length.
    #[must_use]
    pub fn is(&self, octets: &[u8]) -> bool {
        self.0.ct_eq(octets).into()
    }

    /// The octets, for a device that asks for them as the access code of a key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    fn checked(octets: Zeroizing<Vec<u8>>) -> Result<Self, PassphraseError> {
        if octets.is_empty() || octets.len() > LONGEST {
            return Err(PassphraseError::Length(octets.len()));
        }
        Ok(Self(octets))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// The file could not be read safely.
    #[error("reading the passphrase file")]
    File(#[from] SecretFileError),
    /// Empty, or too long.
    #[error("a passphrase has 1 to {LONGEST} octets, not {0}")]
    Length(usize),
}
