//! What this desk saw while it could not ask the service: sealed readings in a file, in order, until
//! the service has them.
//!
//! The file is only appended to, and each reading is on disk before it is shown. One record is a
//! length of two octets, the sealed reading, and eight octets of SM3 over both. A record that was
//! being written when the power went is cut off; what follows a record that is not as it was
//! written is put aside.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use sm3::{Digest as _, Sm3};

use crate::{failure::Failure, files, text::problems};

/// Most octets of the file.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Longest sealed reading, octets.
const LONGEST: usize = card::offline::MAX_SEALED;
const LENGTH: usize = 2;
const CHECK: usize = 8;

/// The open file. Held locked, so that two desks do not write into each other's records.
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    size: u64,
    waiting: VecDeque<Vec<u8>>,
    /// Octets that were put aside.
    damaged: u64,
}

impl Spool {
    /// Opens the file, or makes it.
    ///
    /// Fails when another desk has it open, or it cannot be written.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let unwritable = |error: io::Error| unwritable(path, &error);
        let mut file = open(path).map_err(unwritable)?;
        if file.try_lock().is_err() {
            return Err(Failure::of(problems::SPOOL_IN_USE).about(path.display()));
        }
        let mut bytes = Vec::new();
        (&mut file).take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unwritable)?;
        let (waiting, good) = records(&bytes);
        let rest = &bytes[good..];
        let mut spool =
            Self { path: path.to_owned(), file, size: good as u64, waiting, damaged: 0 };
        if !rest.is_empty() {
            if !is_torn(rest) {
                spool.damaged = rest.len() as u64;
                spool.put_aside(rest)?;
            }
            spool.file.set_len(good as u64).map_err(unwritable)?;
            spool.file.sync_all().map_err(unwritable)?;
        }
        Ok(spool)
    }

    /// Adds a sealed reading; it is on disk afterwards.
    pub(super) fn append(&mut self, sealed: Vec<u8>) -> Result<(), Failure> {
        let record = record(&sealed);
        if sealed.len() > LONGEST || self.size + record.len() as u64 > MOST_BYTES {
            return Err(problems::SPOOL_FULL.into());
        }
        let written = self.file.write_all(&record).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a record must not stand before the next one.
            let _ = self.file.set_len(self.size);
            return Err(unwritable(&self.path, &error));
        }
        self.size += record.len() as u64;
        self.waiting.push_back(sealed);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Octets that were found damaged when it was opened.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// The first readings, at most `most`.
    pub(super) fn first(&self, most: usize) -> Vec<Vec<u8>> {
        self.waiting.iter().take(most).cloned().collect()
    }

    /// Forgets the first `count` readings, which the service has.
    pub(super) fn settle(&mut self, count: usize) -> Result<(), Failure> {
        let count = count.min(self.waiting.len());
        let rest: Vec<u8> = self.waiting.iter().skip(count).flat_map(|it| record(it)).collect();
        let unwritable = |error: io::Error| unwritable(&self.path, &error);
        if rest.is_empty() {
            self.file.set_len(0).and_then(|()| self.file.sync_all()).map_err(unwritable)?;
        } else {
            // Written in place, the rest could be lost half-way: it is written beside, and renamed.
            let beside = self.path.with_extension("new");
            let mut file = open(&beside).map_err(unwritable)?;
            // One that was begun before the power went.
            file.set_len(0).map_err(unwritable)?;
            file.write_all(&rest).and_then(|()| file.sync_all()).map_err(unwritable)?;
            file.try_lock().map_err(|_| Failure::of(problems::SPOOL_IN_USE))?;
            fs::rename(&beside, &self.path).map_err(unwritable)?;
            let parent = self.path.parent().unwrap_or(Path::new("."));
            File::open(parent).and_then(|dir| dir.sync_all()).map_err(unwritable)?;
            self.file = file;
        }
        self.waiting.drain(..count);
        self.size = rest.len() as u64;
        Ok(())
    }

    /// Keeps what is no record for whoever looks into it, beside what was put aside before.
    fn put_aside(&self, rest: &[u8]) -> Result<(), Failure> {
        let mut path = self.path.with_extension("damaged");
        let mut number = 1;
        while path.exists() {
            number += 1;
            path = self.path.with_extension(format!("damaged.{number}"));
        }
        files::write(&path, rest, files::Audience::Owner)
    }
}

/// Opens a file that is only appended to: whatever its length becomes, what is written next stands
/// at its end.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(problems::FILE_UNWRITABLE).about(path.display()).about(error)
}

fn record(sealed: &[u8]) -> Vec<u8> {
    let length = u16::try_from(sealed.len()).unwrap_or(u16::MAX).to_be_bytes();
    let check = check(&length, sealed);
    [&length[..], sealed, &check].concat()
}

fn check(length: &[u8], sealed: &[u8]) -> [u8; CHECK] {
    let digest = Sm3::new().chain_update(length).chain_update(sealed).finalize();
    *digest.first_chunk().expect("a digest has 32 octets")
}

/// The records up to the first that is not one, and where that begins.
fn records(bytes: &[u8]) -> (VecDeque<Vec<u8>>, usize) {
    let mut found = VecDeque::new();
    let mut at = 0;
    while let Some((sealed, taken)) = first_record(&bytes[at..]) {
        found.push_back(sealed.to_vec());
        at += taken;
    }
    (found, at)
}

fn first_record(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let (sealed, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (given, _) = rest.split_first_chunk::<CHECK>()?;
    let good = !sealed.is_empty() && sealed.len() <= LONGEST && *given == check(length, sealed);
    good.then_some((sealed, LENGTH + sealed.len() + CHECK))
}

/// Whether these octets are the beginning of a record that was being written.
fn is_torn(rest: &[u8]) -> bool {
    let Some((length, _)) = rest.split_first_chunk::<LENGTH>() else { return true };
    let length = usize::from(u16::from_be_bytes(*length));
    (1..=LONGEST).contains(&length) && rest.len() < LENGTH + length + CHECK
}

/// Closing the file would not give it free while a process that was just started holds a copy of it.
impl Drop for Spool {
    fn drop(&mut self) {
        let _ = self.file.unlock(); // an error leaves it to the closing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("spool")
    }

    fn all(spool: &Spool) -> Vec<Vec<u8>> {
        spool.first(usize::MAX)
    }

    #[test]
    fn readings_stay_until_they_are_settled() {
        let dir = tempfile::tempdir().unwrap();
        let path = at(&dir);
        {
            let mut spool = Spool::open(&path).unwrap();
            assert_eq!(spool.len(), 0);
            for number in 1..=5_u8 {
                spool.append(vec![number; 100]).unwrap();
            }
            let taken = Spool::open(&path).map(drop).unwrap_err();
            assert_eq!(taken.reason, "SPOOL_IN_USE");
        }
        assert!(!files::is_exposed(&path).unwrap());
        {
            let mut spool = Spool::open(&path).unwrap();
            assert_eq!(spool.first(2), [vec![1; 100], vec![2; 100]]);
            spool.settle(2).unwrap();
            spool.append(vec![6; 10]).unwrap();
            assert_eq!(spool.len(), 4);
        }
        let mut spool = Spool::open(&path).unwrap();
        assert_eq!(all(&spool)[0], [3; 100]);
        assert_eq!(all(&spool)[3], [6; 10]);
        spool.settle(9).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        spool.append(vec![7]).unwrap();
        drop(spool);
        assert_eq!(all(&Spool::open(&path).unwrap()), [vec![7]]);
    }

    #[test]
    fn what_is_added_after_some_were_settled_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&at(&dir)).unwrap();
        for number in 1..=3_u8 {
            spool.append(vec![number; 100]).unwrap();
        }
        spool.settle(1).unwrap();
        spool.settle(2).unwrap();
        spool.append(vec![4; 10]).unwrap();
        drop(spool);
        let spool = Spool::open(&at(&dir)).unwrap();
        assert_eq!((all(&spool), spool.damaged()), (vec![vec![4; 10]], 0));
    }

    #[test]
    fn a_record_that_was_being_written_is_cut_off() {
        let whole = [record(&[1; 40]), record(&[2; 30])].concat();
        let first = record(&[1; 40]).len();
        for length in 0..whole.len() {
            let dir = tempfile::tempdir().unwrap();
            fs::write(at(&dir), &whole[..length]).unwrap();
            let mut spool = Spool::open(&at(&dir)).unwrap();
            assert_eq!(spool.len(), usize::from(length >= first), "{length}");
            assert_eq!(spool.damaged(), 0, "{length}");
            spool.append(vec![3]).unwrap();
            drop(spool);
            let spool = Spool::open(&at(&dir)).unwrap();
            assert_eq!(all(&spool).last(), Some(&vec![3]), "{length}");
        }
    }

    #[test]
    fn what_was_changed_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = [record(&[1; 40]), record(&[2; 30]), record(&[3; 20])].concat();
        let second = record(&[1; 40]).len();
        bytes[second + 5] ^= 1;
        fs::write(at(&dir), &bytes).unwrap();
        let spool = Spool::open(&at(&dir)).unwrap();
        assert_eq!(all(&spool), [vec![1; 40]]);
        assert_eq!(spool.damaged(), (bytes.len() - second) as u64);
        assert_eq!(fs::read(dir.path().join("spool.damaged")).unwrap(), bytes[second..]);
        // What is found damaged later stands beside it.
        drop(spool);
        fs::write(at(&dir), b"\0\0\0").unwrap();
        assert_eq!(Spool::open(&at(&dir)).unwrap().damaged(), 3);
        assert_eq!(fs::read(dir.path().join("spool.damaged.2")).unwrap(), b"\0\0\0");
        assert_eq!(fs::read(dir.path().join("spool.damaged")).unwrap(), bytes[second..]);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(at(&dir), record(&[1; LONGEST]).repeat(8035)).unwrap();
        let mut spool = Spool::open(&at(&dir)).unwrap();
        assert_eq!(spool.len(), 8035);
        assert_eq!(spool.append(vec![1; LONGEST]).unwrap_err().reason, "SPOOL_FULL");
        assert_eq!(spool.append(vec![1; LONGEST + 1]).unwrap_err().reason, "SPOOL_FULL");
        assert_eq!(spool.len(), 8035);
    }

    proptest! {
        #[test]
        fn any_file_is_opened(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let (found, good) = records(&bytes);
            let again: Vec<u8> = found.iter().flat_map(|it| record(it)).collect();
            prop_assert_eq!(&again, &bytes[..good]);
        }
    }
}
