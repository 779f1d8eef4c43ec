//! A space of its own for a test, and in it a PC/SC daemon with two virtual readers that the test may kill.

use std::any::type_name;
use std::env;
use std::path::Path;
use std::process::{Command, Output};

pub use service::demo::daemon::PcscDaemon;

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
    // A test that waits for what never comes must still end.
    let output = Command::new("timeout")
        .args(["--kill-after=5", "240"])
        .arg(repository().join("scripts/with-pcsc"))
        .arg("--no-daemon")
        .arg(env::current_exe().expect("this test has a file"))
        .args(["--exact", name_of::<T>(), "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("scripts/with-pcsc runs");
    judge(&output, name_of::<T>());
}

/// Runs `test` in a process of its own with these variables in its environment, for libraries that look there.
///
/// # Panics
/// When the test fails in there.
pub fn with_environment<T: FnOnce()>(variables: &[(&str, &Path)], test: T) {
    if env::var_os(INSIDE).is_some() {
        return test();
    }
    let output = Command::new("timeout")
        .args(["--kill-after=5", "240"])
        .arg(env::current_exe().expect("this test has a file"))
        .args(["--exact", name_of::<T>(), "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .envs(variables.iter().copied())
        .output()
        .expect("this test can be started");
    judge(&output, name_of::<T>());
}

/// The name of the test that a closure is in: `binary::test::{{closure}}`.
fn name_of<T>() -> &'static str {
    let name = type_name::<T>().trim_end_matches("::{{closure}}");
    name.split_once("::").expect("a test lives in a crate").1
}

/// Shows what a test said in there, and fails as it did.
fn judge(output: &Output, name: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} failed in its own process, see above");
    assert!(said.contains("1 passed"), "{name} was not found in its own process");
}

/// The root of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is a folder of the repository")
}
