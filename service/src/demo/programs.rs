//! The programs of this workspace as child processes: found beside the running one, spoken to in JSON and lines.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Why a program could not be used. The texts are for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The program was not built.
    #[error(
        "no {program} in {directory}: build it with `cargo build -p service -p cli -p card-emulator --bins`"
    )]
    Missing {
        /// File name of the program.
        program: &'static str,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The operating system did not start it, or its pipes failed.
    #[error("running {program}")]
    Run {
        /// File name of the program.
        program: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line that had to come did not.
    #[error("{program} did not say {expected} within {waited:?}; its last line was: {last}")]
    Silent {
        /// File name of the program.
        program: &'static str,
        /// What was waited for.
        expected: String,
        /// How long.
        waited: Duration,
        /// What it said last.
        last: String,
    },
    /// The program ended although it should run on.
    #[error("{program} ended before it said {expected}; its last line was: {last}; see {log}")]
    Ended {
        /// File name of the program.
        program: &'static str,
        /// What was waited for.
        expected: String,
        /// What it said last.
        last: String,
        /// File with all it said.
        log: PathBuf,
    },
    /// The answer is not one JSON object.
    #[error("{program} {arguments} answered with code {code}, but not in JSON: {output}")]
    NotJson {
        /// File name of the program.
        program: &'static str,
        /// Its arguments.
        arguments: String,
        /// Its exit code.
        code: i32,
        /// What it said instead.
        output: String,
    },
}

/// A program of this workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The service.
    Healthcardd,
    /// The command line.
    Healthcard,
    /// The card emulator.
    Vcard,
}

impl Program {
    /// Its file name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthcardd => "healthcardd",
            Self::Healthcard => "healthcard",
            Self::Vcard => "vcard",
        }
    }
}

/// The directory with the programs.
#[derive(Clone, Debug)]
pub struct Programs(PathBuf);

impl Programs {
    /// The programs beside the running one; for a test, which cargo puts one directory deeper, those beside that.
    ///
    /// # Errors
    /// [`ProgramError::Missing`] unless all three are there.
    pub fn beside_this_one() -> Result<Self, ProgramError> {
        let here = std::env::current_exe()
            .map_err(|source| ProgramError::Run { program: "this program", source })?;
        let mut directory = here.parent().unwrap_or(Path::new(".")).to_owned();
        if directory.file_name() == Some(OsStr::new("deps")) {
            directory.pop();
        }
        for program in [Program::Healthcardd, Program::Healthcard, Program::Vcard] {
            if !directory.join(program.name()).is_file() {
                return Err(ProgramError::Missing { program: program.name(), directory });
            }
        }
        Ok(Self(directory))
    }

    /// Where they are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// A command for one of them, with nothing on its standard input.
    #[must_use]
    pub fn command(&self, program: Program) -> Command {
        let mut command = Command::new(self.0.join(program.name()));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a program to its end.
    ///
    /// # Errors
    /// [`ProgramError::Run`] when it cannot be started.
    pub fn finish(&self, program: Program, mut command: Command) -> Result<Finished, ProgramError> {
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        let arguments = arguments.join(" ");
        let started = Instant::now();
        let output = command
            .output()
            .map_err(|source| ProgramError::Run { program: program.name(), source })?;
        Ok(Finished {
            program,
            arguments,
            code: code(output.status),
            took: started.elapsed(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// Exit code; 128 and the signal's number when a signal ended it, as shells count.
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    program: Program,
    arguments: String,
    /// Exit code.
    pub code: i32,
    /// From start to end.
    pub took: Duration,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Finished {
    /// The one JSON object on standard output.
    ///
    /// # Errors
    /// [`ProgramError::NotJson`] when it is anything else.
    pub fn json(&self) -> Result<Value, ProgramError> {
        serde_json::from_str(&self.stdout).map_err(|_| self.unreadable())
    }

    /// What to say when the output is not what was agreed.
    #[must_use]
    pub fn unreadable(&self) -> ProgramError {
        ProgramError::NotJson {
            program: self.program.name(),
            arguments: self.arguments.clone(),
            code: self.code,
            output: format!("{}{}", self.stdout, self.stderr).trim().to_owned(),
        }
    }
}

/// A program that runs on: its lines can be waited for, it can be spoken to, and it ends with this value.
#[derive(Debug)]
pub struct Background {
    program: &'static str,
    child: Child,
    lines: Receiver<String>,
    last: String,
    log: PathBuf,
}

impl Background {
    /// Starts it. All it says also goes to the end of the file `log`.
    ///
    /// # Errors
    /// [`ProgramError::Run`] when it cannot be started.
    pub fn start(
        program: &'static str,
        mut command: Command,
        log: &Path,
    ) -> Result<Self, ProgramError> {
        let failed = |source| ProgramError::Run { program, source };
        let mut transcript = File::options().create(true).append(true).open(log).map_err(failed)?;
        let errors = transcript.try_clone().map_err(failed)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take().expect("standard output was piped");
        let (send, lines) = mpsc::channel();
        // Ends with the child. Nobody listening any more is no reason to let the child block on a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = writeln!(transcript, "{line}");
                let _ = send.send(line);
            }
        });
        Ok(Self { program, child, lines, last: String::new(), log: log.to_owned() })
    }

    /// The first of its next lines in which `find` finds something; `expected` names that for people.
    ///
    /// # Errors
    /// [`ProgramError::Silent`] after `patience`, [`ProgramError::Ended`] when it will say nothing more.
    pub fn wait_for<T>(
        &mut self,
        expected: &str,
        patience: Duration,
        mut find: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, ProgramError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                    self.last = line;
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ProgramError::Silent {
                        program: self.program,
                        expected: expected.to_owned(),
                        waited: patience,
                        last: self.last.clone(),
                    });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ProgramError::Ended {
                        program: self.program,
                        expected: expected.to_owned(),
                        last: self.last.clone(),
                        log: self.log.clone(),
                    });
                }
            }
        }
    }

    /// Writes one line to its standard input.
    ///
    /// # Errors
    /// [`ProgramError::Run`] when it does not listen any more.
    pub fn say(&mut self, line: &str) -> Result<(), ProgramError> {
        let stdin = self.child.stdin.as_mut().expect("standard input was piped");
        writeln!(stdin, "{line}")
            .and_then(|()| stdin.flush())
            .map_err(|source| ProgramError::Run { program: self.program, source })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end (SIGTERM), waits until it has, and returns its exit code.
    ///
    /// # Errors
    /// [`ProgramError::Run`] when it cannot be asked or waited for.
    pub fn end(&mut self) -> Result<i32, ProgramError> {
        let failed = |source| ProgramError::Run { program: self.program, source };
        // The shell's own `kill`: the standard library can only send SIGKILL, and a signal is one unsafe call.
        Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()])
            .status()
            .map_err(failed)?;
        self.child.wait().map(code).map_err(failed)
    }

    /// Waits until it ends by itself, and returns its exit code.
    ///
    /// # Errors
    /// [`ProgramError::Run`] when it cannot be waited for; [`ProgramError::Silent`] when it is still running after
    /// `patience`.
    pub fn ended(&mut self, patience: Duration) -> Result<i32, ProgramError> {
        // Its output ends when it does.
        match self.wait_for("its last line", patience, |_| None::<()>) {
            Err(ProgramError::Ended { .. }) | Ok(()) => self
                .child
                .wait()
                .map(code)
                .map_err(|source| ProgramError::Run { program: self.program, source }),
            Err(other) => Err(other),
        }
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.kill();
    }
}
