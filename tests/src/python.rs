//! Programs in Python that were written apart from ours.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::private::repository;

/// The Python of the tests, with the packages of `tests/interop/requirements.txt`.
///
/// # Panics
/// When it was not set up.
#[must_use]
pub fn python() -> PathBuf {
    let python = repository().join("target/python/bin/python");
    assert!(python.exists(), "no {}: run scripts/setup", python.display());
    python
}

/// `tests/interop/audit_check.py`, to be called.
#[must_use]
pub fn audit_check() -> Command {
    let mut command = Command::new(python());
    command.arg(repository().join("tests/interop/audit_check.py"));
    command
}

/// `tests/interop/audit_check.py` at work, for one file after the other.
#[derive(Debug)]
pub struct AuditCheck {
    process: Child,
    names: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl AuditCheck {
    /// Starts it with the key of a log.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(verifier_key: &str) -> Self {
        let mut command = audit_check();
        command.args(["--verifier-key", verifier_key, "--each"]);
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python");
        let names = process.stdin.take().expect("its input");
        let answers = BufReader::new(process.stdout.take().expect("its output"));
        Self { process, names, answers }
    }

    /// What it says of a file.
    ///
    /// # Panics
    /// When it says nothing.
    pub fn ask(&mut self, file: &Path) -> Value {
        writeln!(self.names, "{}", file.display()).expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{answer:?}: {error}"))
    }
}

impl Drop for AuditCheck {
    fn drop(&mut self) {
        // It may have ended by itself, after an error that it printed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
