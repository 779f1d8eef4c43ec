//! A disk that fails when it is told to: `tests/c/failing_disk.c` stands between a process and the system calls that
//! change its database, and a file of shared memory tells it which of them fails.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::private::repository;

/// Kinds of files, one bit each.
pub mod files {
    /// The database itself.
    pub const DATABASE: u64 = 1;
    /// Its write-ahead log.
    pub const WAL: u64 = 2;
    /// The index of that, which processes share.
    pub const SHM: u64 = 4;
    /// What the service keeps beside it: the checkpoint, the reserve.
    pub const BESIDE: u64 = 8;
    /// The folder.
    pub const FOLDER: u64 = 16;
    /// All of them.
    pub const ALL: u64 = 31;
}

/// Kinds of calls, one bit each.
pub mod calls {
    /// Octets are written.
    pub const WRITE: u64 = 1;
    /// What was written is flushed to the disk.
    pub const FLUSH: u64 = 2;
    /// A file gets another length.
    pub const CUT: u64 = 4;
    /// A file gets another name, or none.
    pub const NAME: u64 = 8;
    /// A file is opened for writing.
    pub const OPEN: u64 = 16;
    /// All of them.
    pub const ALL: u64 = 31;
}

/// What befalls a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails, and the next ones do not.
    Once,
    /// It fails, and so do all after it.
    On,
    /// Half of what is to be written is; then all fails.
    Short,
    /// The process is killed in the middle of it.
    Killed,
    /// It does not come back until the disk is [`mended`](FailingDisk::mend).
    Stuck,
}

/// `errno` of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// EIO: the device does not work.
    Io = 5,
    /// ENOSPC: it is full.
    Full = 28,
    /// EROFS: it was mounted for reading only.
    ReadOnly = 30,
}

impl Errno {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Io, Self::Full, Self::ReadOnly];
}

/// Words of the shared memory, as in `struct control`.
const ARMED: u64 = 0;
const FILES: u64 = 1;
const CALLS: u64 = 2;
const FROM: u64 = 3;
const HOW: u64 = 4;
const ERROR: u64 = 5;
const SEEN: u64 = 6;
const FAILED: u64 = 7;
const KIND: u64 = 8;
const WORDS: u64 = 9;

/// A disk that fails when it is told to.
#[derive(Debug)]
pub struct FailingDisk {
    file: PathBuf,
    library: PathBuf,
    memory: File,
}

impl FailingDisk {
    /// Compiles it into `directory`.
    ///
    /// # Panics
    /// When it does not compile without a warning.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        let library = directory.join("failing_disk.so");
        let output = Command::new("cc")
            .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(repository().join("tests/c/failing_disk.c"))
            .arg("-ldl")
            .output()
            .expect("there is a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let disk = Self::told_by(&directory.join("failing_disk.control"), &library);
        disk.memory.set_len(WORDS * 8).expect("shared memory");
        disk
    }

    /// One that exists, from within the process under it.
    ///
    /// # Panics
    /// Outside of one.
    #[must_use]
    pub fn of_this_process() -> Self {
        let path = |name| PathBuf::from(std::env::var_os(name).expect("a failing disk"));
        Self::told_by(&path("FAILING_DISK_CONTROL"), &path("LD_PRELOAD"))
    }

    fn told_by(file: &Path, library: &Path) -> Self {
        let mut options = OpenOptions::new();
        let memory = options.read(true).write(true).create(true).truncate(false).open(file);
        let (file, library) = (file.to_owned(), library.to_owned());
        Self { file, library, memory: memory.expect("shared memory") }
    }

    /// Has a process keep its database on this disk.
    #[must_use]
    pub fn under(&self, mut command: Command, database: &Path) -> Command {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAILING_DISK_CONTROL", &self.file)
            .env("FAILING_DISK_DATABASE", database);
        command
    }

    /// Counts calls of these kinds from now on, and fails none.
    pub fn count(&self, files: u64, calls: u64) {
        self.arm(files, calls, [0, 0, 0]);
    }

    /// Fails the call of these kinds with this number, counted from 1.
    pub fn fail(&self, files: u64, calls: u64, number: u64, fault: Fault, error: Errno) {
        let how = match fault {
            Fault::Once => 1,
            Fault::On => 2,
            Fault::Short => 3,
            Fault::Killed => 4,
            Fault::Stuck => 5,
        };
        self.arm(files, calls, [number, how, error as u64]);
    }

    /// Everything works again.
    pub fn mend(&self) {
        self.set(ARMED, 0);
    }

    /// Calls of the kinds that were meant, since it was told which.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.word(SEEN)
    }

    /// Those that something befell.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.word(FAILED)
    }

    /// Of which kind the first of those was.
    #[must_use]
    pub fn kind(&self) -> u64 {
        self.word(KIND)
    }

    fn arm(&self, files: u64, calls: u64, [from, how, error]: [u64; 3]) {
        self.mend();
        let words = [(FILES, files), (CALLS, calls), (FROM, from), (HOW, how), (ERROR, error)];
        for (word, value) in
            words.into_iter().chain([(SEEN, 0), (FAILED, 0), (KIND, 0), (ARMED, 1)])
        {
            self.set(word, value);
        }
    }

    fn set(&self, word: u64, value: u64) {
        self.memory.write_all_at(&value.to_ne_bytes(), word * 8).expect("shared memory");
    }

    fn word(&self, word: u64) -> u64 {
        let mut value = [0; 8];
        self.memory.read_exact_at(&mut value, word * 8).expect("shared memory");
        u64::from_ne_bytes(value)
    }
}
