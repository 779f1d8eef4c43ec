//! A PC/SC daemon of one's own, with two virtual readers, that may be killed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::programs::{Background, ProgramError};
use super::stage::PATIENCE;

/// Set by `scripts/with-pcsc`: the daemon's socket and port are those of a space of its own.
const PRIVATE: &str = "HEALTHCARD_PRIVATE_SPACE";

/// A PC/SC daemon with two virtual readers. Needs a private space: outside of one it would be everyone's.
#[derive(Debug)]
pub struct PcscDaemon {
    daemon: Background,
    log: PathBuf,
}

impl PcscDaemon {
    /// Starts it and waits until both readers are there.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not come up, or this is no private space.
    pub fn start(log: &Path) -> Result<Self, ProgramError> {
        Ok(Self { daemon: launch(log, &[])?, log: log.to_owned() })
    }

    /// Starts one that has no readers at all.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not come up, or this is no private space.
    pub fn start_without_readers(log: &Path) -> Result<Self, ProgramError> {
        Ok(Self { daemon: launch(log, WITHOUT_READERS)?, log: log.to_owned() })
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Waits until it has seen one more card leave. It looks every 400 ms, and a card that goes in sooner than that
    /// after it was pulled out of a command is taken for the old one and never powered.
    ///
    /// # Errors
    /// [`ProgramError`] when no card leaves.
    pub fn saw_removal(&mut self) -> Result<(), ProgramError> {
        let seen = |line: &str| line.contains("Card Removed From").then_some(());
        self.daemon.wait_for("that a card was removed", PATIENCE, seen)
    }

    /// As [`Self::saw_removal`], when it may have noticed already: whoever lets go of a card that has left tells it so,
    /// and then it says nothing of its own.
    pub fn settle(&mut self) {
        let seen = |line: &str| line.contains("Card Removed From").then_some(());
        // Silence means that it knows.
        let _ = self.daemon.wait_for("that a card was removed", TWO_LOOKS, seen);
    }

    /// Starts it again after [`Self::kill`].
    ///
    /// # Errors
    /// [`ProgramError`] when it does not come up.
    pub fn restart(&mut self) -> Result<(), ProgramError> {
        self.daemon = launch(&self.log, &[])?;
        Ok(())
    }

    /// Starts it again after [`Self::kill`], as if the readers had been unplugged.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not come up.
    pub fn restart_without_readers(&mut self) -> Result<(), ProgramError> {
        self.daemon = launch(&self.log, WITHOUT_READERS)?;
        Ok(())
    }
}

/// As long as it takes the daemon to look at its slots twice.
const TWO_LOOKS: Duration = Duration::from_millis(900);

const WITHOUT_READERS: &[&str] = &["--config", "/dev/null"];

fn launch(log: &Path, options: &[&str]) -> Result<Background, ProgramError> {
    if env::var_os(PRIVATE).is_none() {
        let why = "it needs a space of its own: run this under scripts/with-pcsc --no-daemon";
        return Err(ProgramError::Run { program: "pcscd", source: std::io::Error::other(why) });
    }
    // One that was killed leaves its mark, and the next would take it for a sign of life.
    for leftover in ["/run/pcscd/pcscd.pid", "/run/pcscd/pcscd.comm"] {
        let _ = std::fs::remove_file(leftover);
    }
    let mut command = Command::new("pcscd");
    command.args(["--foreground", "--info"]).args(options);
    let mut daemon = Background::start("pcscd", command, log)?;
    daemon
        .wait_for("daemon ready", PATIENCE, |line| line.contains("daemon ready").then_some(()))?;
    Ok(daemon)
}
