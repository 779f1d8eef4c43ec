//! Reading bounded files, and writing files that are either whole or absent.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use sm3::{Digest as _, Sm3};
use zeroize::Zeroizing;

use crate::{failure::Failure, text::problems};

/// Largest remark, bytes; the service takes fewer.
const REMARK_LIMIT: u64 = 4096;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Mode 0600.
    Owner,
    /// Mode 0644.
    Everyone,
}

/// Reads a file of at most `limit` bytes; `-` is the standard input.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::of(problems::FILE_UNREADABLE).about(path.display()).about(error)
    };
    let mut source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    let mut bytes = Zeroizing::new(Vec::new());
    source.by_ref().take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Failure::of(problems::FILE_TOO_LARGE).about(path.display()));
    }
    Ok(bytes)
}

/// SM3 of a file of at most `limit` bytes, which is read whole.
pub(crate) fn sm3(path: &Path, limit: u64) -> Result<[u8; 32], Failure> {
    Ok(Sm3::digest(read(path, limit)?).into())
}

/// A few words from a text file, without space around them; `-` is the standard input.
pub(crate) fn remark(path: &Path) -> Result<String, Failure> {
    let bytes = read(path, REMARK_LIMIT)?;
    let malformed = |_| Failure::of(problems::INPUT_MALFORMED).about(path.display());
    Ok(std::str::from_utf8(&bytes).map_err(malformed)?.trim().to_owned())
}

/// Whether others than the owner may read or write the file.
pub(crate) fn is_exposed(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Writes a file in one step: a reader sees the old bytes or the new ones.
pub(crate) fn write(path: &Path, bytes: &[u8], audience: Audience) -> Result<(), Failure> {
    let mut file = NewFile::create(path, audience)?;
    file.append(bytes)?;
    file.finish()
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::of(problems::FILE_NOT_REMOVED).about(path.display()).about(error))
        }
        _ => Ok(()),
    }
}

/// A file that takes its name when it is complete. Dropped before, it leaves nothing.
pub(crate) struct NewFile {
    file: File,
    beside: PathBuf,
    path: PathBuf,
}

impl NewFile {
    pub(crate) fn create(path: &Path, audience: Audience) -> Result<Self, Failure> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        // Two commands of one person may write the same file, and each renames its own.
        name.push(format!(".{}.new", std::process::id()));
        let beside = path.with_file_name(name);
        // A leftover of a crash, of a process of that number, is ours to remove; `create_new` then sets the mode of a new file.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unwritable(path, &error));
            }
            _ => {}
        }
        let mode = match audience {
            Audience::Owner => 0o600,
            Audience::Everyone => 0o644,
        };
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside);
        let file = opened.map_err(|error| unwritable(path, &error))?;
        Ok(Self { file, beside, path: path.to_owned() })
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| unwritable(&self.path, &error))
    }

    /// What was written so far, to be read.
    pub(crate) fn again(&self) -> Result<File, Failure> {
        let unreadable = |error| Failure::of(problems::FILE_UNREADABLE).about(error);
        File::open(&self.beside).map_err(unreadable)
    }

    /// Makes the file durable and gives it its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let named = self.file.sync_all().and_then(|()| {
            fs::rename(&self.beside, &self.path)?;
            let parent = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        });
        named.map_err(|error| unwritable(&self.path, &error))
    }
}

impl io::Write for NewFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl io::Seek for NewFile {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already once it has its name.
        let _ = fs::remove_file(&self.beside);
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(problems::FILE_UNWRITABLE).about(path.display()).about(error)
}

/// Makes a directory, for its owner only, unless it is there.
pub(crate) fn make_directory(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Failure::of(problems::FILE_UNWRITABLE).about(path.display()).about(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_written_for_their_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("session");
        write(&path, b"first", Audience::Owner).unwrap();
        write(&path, b"second", Audience::Owner).unwrap();
        assert_eq!(read(&path, 10).unwrap().as_slice(), b"second");
        assert!(!is_exposed(&path).unwrap());
        write(&path, b"open", Audience::Everyone).unwrap();
        assert!(is_exposed(&path).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn large_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        write(&path, &[0; 11], Audience::Everyone).unwrap();
        assert_eq!(read(&path, 10).unwrap_err().reason, "FILE_TOO_LARGE");
        assert_eq!(read(&path, 11).unwrap().len(), 11);
    }
}
