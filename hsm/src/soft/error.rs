//! Why a keystore was not opened, changed or saved.

use super::disk::SecretFileError;
use super::file::{IterationsOutOfBounds, MAX_FILE};
use super::share::ShareError;
use crate::key::{KeyRef, KeyUse, Transition, VersionState};

/// Why a keystore was not opened, changed or saved.
///
/// A wrong passphrase and damage are told apart by a check value made from the passphrase and a
/// checksum of the header. Neither makes guessing cheaper: the seal itself is such a check value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// The file could not be read or written safely.
    #[error("using the keystore file")]
    File(#[from] SecretFileError),
    /// A new keystore would replace a file.
    #[error("there is a file already; a keystore is never overwritten by a new one")]
    AlreadyExists,
    /// The file does not begin as a keystore does.
    #[error("the file is not a keystore")]
    NotAKeystore,
    /// The file was written by a later version of the program.
    #[error("the keystore has format {0}, which this version does not know")]
    UnknownFormat(u16),
    /// The file is shorter or longer than its header says.
    #[error("the keystore is cut off or has something added: {found} octets instead of {expected}")]
    Length {
        /// What the header says, in octets.
        expected: usize,
        /// The length of the file in octets.
        found: usize,
    },
    /// The header does not match its checksum: restore the file from a backup.
    #[error("the header of the keystore is damaged")]
    HeaderDamaged,
    /// The header asks for too little or too much work.
    #[error("reading the keystore header")]
    Iterations(#[from] IterationsOutOfBounds),
    /// The passphrase is not that of this file.
    #[error("the passphrase is not the one of this keystore")]
    WrongPassphrase,
    /// The shares are not enough, do not belong together, or are not of this file.
    #[error("putting the shares together")]
    Shares(#[from] ShareError),
    /// The passphrase is right, the content is not: restore the file from a backup.
    #[error("the content of the keystore is damaged")]
    ContentDamaged,
    /// The content is authentic and not understood: written by something else.
    #[error("the content of the keystore is not understood")]
    Malformed,
    /// Another process is saving this keystore.
    #[error("another process is writing the keystore")]
    Busy,
    /// The file is not the one that was opened.
    #[error("the keystore was changed by someone else since it was opened")]
    ChangedOnDisk,
    /// No more keys or versions fit.
    #[error("the keystore is full; it holds up to {MAX_FILE} octets")]
    Full,
    /// There is a key of this name.
    #[error("there is a key {0} already")]
    AlreadyHere(KeyRef),
    /// There is no key of this name.
    #[error("there is no key {0}")]
    Unknown(KeyRef),
    /// The key has no version of this number.
    #[error("key {key} has no version {version}")]
    UnknownVersion {
        /// The key.
        key: KeyRef,
        /// The number that was given.
        version: u32,
    },
    /// There is no way from the state of this version.
    #[error(
        "version {version} of key {key} is {state}; there is no way from there to {transition} it"
    )]
    NoSuchTransition {
        /// The key.
        key: KeyRef,
        /// The version.
        version: u32,
        /// Its state.
        state: VersionState,
        /// What was to happen to it.
        transition: Transition,
    },
    /// The name belongs to another kind of keystore.
    #[error("{0} does not name a key of the software keystore, soft:name")]
    OtherScheme(KeyRef),
    /// A key pair cannot have this use.
    #[error("{0} is not a use of a signing key")]
    NotASigningUse(KeyUse),
    /// There is no narrower use for a key of this use.
    #[error("key {key} is for {key_use}, and there is nothing less that it could be for")]
    NotRestrictable {
        /// The key.
        key: KeyRef,
        /// Its use.
        key_use: KeyUse,
    },
    /// A key of this use has one version.
    #[error("key {key} is for {key_use} and is replaced by a new key, not by a new version")]
    Fixed {
        /// The key.
        key: KeyRef,
        /// Its use.
        key_use: KeyUse,
    },
}
