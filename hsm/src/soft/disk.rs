//! Files that hold secrets: read only if they are private, replaced atomically, one writer at a time.

use super::KeystoreError;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why a file with secrets was not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The system refused.
    #[error("reading or writing the file")]
    Io(#[source] io::Error),
    /// A folder, a pipe or a device.
    #[error("not an ordinary file")]
    NotAFile,
    /// Others than the owner may read or write it: `chmod 600`.
    #[error(
        "the file is open to others (mode {mode:o}); it must be its owner's alone, mode 600 or 400"
    )]
    OpenToOthers {
        /// The permission bits.
        mode: u32,
    },
    /// More than such a file ever holds.
    #[error("the file is longer than {0} octets")]
    TooLong(usize),
}

/// Reads a whole private file of at most `longest` octets.
pub(super) fn read(path: &Path, longest: usize) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    // Asked before opening, since opening a pipe would wait for its other end.
    if !std::fs::metadata(path).map_err(SecretFileError::Io)?.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    let file = File::open(path).map_err(SecretFileError::Io)?;
    let metadata = file.metadata().map_err(SecretFileError::Io)?;
    if !metadata.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::OpenToOthers { mode });
    }
    if metadata.len() > longest as u64 {
        return Err(SecretFileError::TooLong(longest));
    }
    // Room for one octet more than allowed: the buffer never moves, and growth is noticed.
    let mut octets = Zeroizing::new(Vec::with_capacity(longest + 1));
    file.take(longest as u64 + 1).read_to_end(&mut octets).map_err(SecretFileError::Io)?;
    if octets.len() > longest {
        return Err(SecretFileError::TooLong(longest));
    }
    Ok(octets)
}

/// Keeps other writers out for as long as it lives.
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing is not enough: a program that is just being started holds the file, too, until it begins.
    fn drop(&mut self) {
        // Closing, which follows, is what is left when this fails.
        drop(self.0.unlock());
    }
}

/// Keeps other writers out for as long as the result lives.
pub(super) fn lock(path: &Path) -> Result<Lock, KeystoreError> {
    // Not the file itself: that one is replaced, and a lock would stay with the old one.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(beside(path, ".lock"))
        .map_err(SecretFileError::Io)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(KeystoreError::Busy),
        Err(TryLockError::Error(error)) => Err(SecretFileError::Io(error).into()),
    }
}

/// Puts `octets` in the place of the file, which is the old or the new one at every moment. The
/// caller holds the [`lock`].
pub(super) fn replace(path: &Path, octets: &[u8]) -> Result<(), SecretFileError> {
    (|| {
        let new = beside(path, ".new");
        // Left behind by a crash; nobody else writes under the lock.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(octets)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        // The rename is durable once the folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    })()
    .map_err(SecretFileError::Io)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
