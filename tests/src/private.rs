//! A space of its own for a test, and in it a PC/SC daemon with two virtual readers that the test may kill.

use std::any::type_name;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use service::demo::programs::{Background, ProgramError};
use service::demo::stage::PATIENCE;

/// Set inside the space.
const INSIDE: &str = "HEALTHCARD_TEST_SPACE";

/// Runs `test` in network, mount and process spaces of its own: the test's process starts itself again in there,
/// for this one test. Whatever the test leaves running ends with the space.
///
/// # Panics
/// When the test fails in there, or the system permits no such spaces.
pub fn in_private_space<T: FnOnce()>(test: T) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    // The name of a closure in a test: `binary::test::{{closure}}`.
    let name = type_name::<T>().trim_end_matches("::{{closure}}");
    let (_, name) = name.split_once("::").expect("a test lives in a crate");
    // A test that waits for what never comes must still end.
    let output = Command::new("timeout")
        .args(["--kill-after=5", "240"])
        .arg(repository().join("scripts/with-pcsc"))
        .arg("--no-daemon")
        .arg(env::current_exe().expect("this test has a file"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("scripts/with-pcsc runs");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed in its private space, see above");
    assert!(said.contains("1 passed"), "{name} was not found in its private space");
}

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is a folder of the repository")
}

/// A PC/SC daemon with two virtual readers. Needs a private space.
#[derive(Debug)]
pub struct PcscDaemon {
    daemon: Background,
    log: PathBuf,
}

impl PcscDaemon {
    /// Starts it and waits until both readers are there.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not come up.
    pub fn start(log: &Path) -> Result<Self, ProgramError> {
        Ok(Self { daemon: launch(log, &[])?, log: log.to_owned() })
    }

    /// Starts one that has no readers at all.
    ///
    /// # Errors
    /// [`ProgramError`] when it does not come up.
    pub fn start_without_readers(log: &Path) -> Result<Self, ProgramError> {
        Ok(Self { daemon: launch(log, &["--config", "/dev/null"])?, log: log.to_owned() })
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

    /// Starts it again after [`Self::kill`].
    ///
    /// # Errors
    /// [`ProgramError`] when it does not come up.
    pub fn restart(&mut self) -> Result<(), ProgramError> {
        self.daemon = launch(&self.log, &[])?;
        Ok(())
    }
}

fn launch(log: &Path, options: &[&str]) -> Result<Background, ProgramError> {
    assert!(env::var_os(INSIDE).is_some(), "a daemon outside a private space would be everyone's");
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
